// The page's texts in two languages. An element that shows one carries its key, so that a switch reaches every element
// that is on the page, whoever made it.

export const texts = {
  en: {
    skip: "To the results", tagline: "Speech to text, on your own server", language: "Language",
    dropTitle: "Drop recordings here", dropHint: "Any audio or video, as many as you like", choose: "Choose files",
    record: "Record", recordStop: "Stop", recordUnsafe: "Recording needs HTTPS or localhost.",
    recordDenied: "The browser did not allow the microphone.", recordName: "Recording {time}",
    model: "Model", spoken: "Spoken language", spokenAny: "Find out", translate: "Translate into English", split: "Each channel is a speaker", results: "Results",
    service: "Service", speed: "Speed", realTime: "× real time", queue: "Queue", running: "Running", waiting: "Waiting",
    total: "Transcribed", uptime: "Up for", queueText: "{used} of {limit}",
    stateIdle: "idle", stateBusy: "working", stateDraining: "shutting down", stateGone: "not reachable",
    stateLocked: "key needed",
    key: "API key", keyTitle: "This server asks for an API key",
    keyHint: "It stays in this tab and is forgotten when you close it.", keyWrong: "The server does not know this key.",
    keyUse: "Use this key", cancel: "Cancel",
    queued: "in line", uploading: "uploading {percent}", listening: "listening", working: "transcribing {percent}",
    done: "done", failed: "failed", cancelled: "cancelled", busy: "server is busy, again in {seconds} s",
    retry: "Try again", remove: "Remove {name}", cancelFile: "Cancel {name}", play: "Play {name}", pause: "Pause {name}",
    progress: "Progress of {name}", position: "Position in {name}", positionText: "{now} of {all}",
    rate: "Playback speed {rate}", copy: "Copy text", copied: "Copied", copyFailed: "The browser did not allow copying",
    download: "Download", downloadAs: "Download {name} as {format}", transcript: "Text of {name}. Arrow keys move from word to word, Enter plays from there, Space pauses.",
    silence: "Nobody speaks in this recording.", unplayable: "This browser cannot play this format; the text is complete.",
    truncated: "The recording breaks off; what could be read was transcribed.",
    facts: "{duration} in {seconds} s · {model}", factsShort: "{duration} · {model}",
    heard: "{language}", heardTranslated: "from {language}", speaker: "Speaker {number}",
    announceDone: "{name}: transcribed", announceFailed: "{name}: failed. {message}",
    errorNetwork: "The connection to the server broke off.", errorStatus: "The server answered {status}.",
    errorKey: "The server asks for an API key.", errorBroken: "The answer broke off before it was complete.",
  },
  zh: {
    skip: "跳到结果", tagline: "在自己的服务器上把语音变成文字", language: "语言",
    dropTitle: "把录音拖到这里", dropHint: "任何音频或视频，可以一次放入多个", choose: "选择文件",
    record: "录音", recordStop: "停止", recordUnsafe: "录音需要 HTTPS 或 localhost。",
    recordDenied: "浏览器没有允许使用麦克风。", recordName: "录音 {time}",
    model: "模型", spoken: "所说语言", spokenAny: "自动识别", translate: "翻译成英语", split: "每个声道是一位说话人", results: "结果",
    service: "服务状态", speed: "速度", realTime: "倍实时", queue: "队列", running: "识别中", waiting: "等待中",
    total: "已转写", uptime: "已运行", queueText: "{used} / {limit}",
    stateIdle: "空闲", stateBusy: "工作中", stateDraining: "正在关闭", stateGone: "无法连接", stateLocked: "需要密钥",
    key: "API 密钥", keyTitle: "此服务器需要 API 密钥", keyHint: "密钥只保存在这个标签页中，关闭后即被忘记。",
    keyWrong: "服务器不认识这个密钥。", keyUse: "使用此密钥", cancel: "取消",
    queued: "排队中", uploading: "上传 {percent}", listening: "正在听", working: "转写 {percent}",
    done: "完成", failed: "失败", cancelled: "已取消", busy: "服务器繁忙，{seconds} 秒后重试",
    retry: "重试", remove: "移除 {name}", cancelFile: "取消 {name}", play: "播放 {name}", pause: "暂停 {name}",
    progress: "{name} 的进度", position: "{name} 的播放位置", positionText: "{now}，共 {all}",
    rate: "播放速度 {rate}", copy: "复制文字", copied: "已复制", copyFailed: "浏览器没有允许复制",
    download: "下载", downloadAs: "将 {name} 下载为 {format}", transcript: "{name} 的文字。方向键逐词移动，回车从该处播放，空格暂停。",
    silence: "这段录音里没有人说话。", unplayable: "此浏览器无法播放这种格式；文字是完整的。",
    truncated: "录音不完整；能读取的部分已转写。",
    facts: "{duration}，用时 {seconds} 秒 · {model}", factsShort: "{duration} · {model}",
    heard: "{language}", heardTranslated: "译自{language}", speaker: "说话人 {number}",
    announceDone: "{name}：转写完成", announceFailed: "{name}：失败。{message}",
    errorNetwork: "与服务器的连接中断了。", errorStatus: "服务器返回 {status}。",
    errorKey: "服务器需要 API 密钥。", errorBroken: "服务器的回答不完整。",
  },
};

const storageKey = "tutti-language";
const shown = new WeakMap();  // element → the parameters of its text and of its label
let language = "en";

// A parameter may be a function, which is asked again in each language.
export function text(key, parameters = {}) {
  return texts[language][key].replace(/\{(\w+)\}/g, (_, name) => {
    const value = parameters[name];
    return typeof value === "function" ? value() : value;
  });
}

export function locale() {
  return language === "zh" ? "zh-CN" : "en";
}

export function say(element, key, parameters = {}) {
  element.dataset.i18n = key;
  remember(element, { text: parameters });
  element.textContent = text(key, parameters);
}

export function label(element, key, parameters = {}) {
  element.dataset.i18nLabel = key;
  remember(element, { label: parameters });
  element.setAttribute("aria-label", text(key, parameters));
}

// The language that was chosen before, or else the browser's.
export function firstLanguage() {
  return localStorage.getItem(storageKey) ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
}

export function setLanguage(chosen, keep = false) {
  language = chosen in texts ? chosen : "en";
  if (keep) localStorage.setItem(storageKey, language);
  document.documentElement.lang = locale();
  for (const element of document.querySelectorAll("[data-i18n]")) {
    element.textContent = text(element.dataset.i18n, shown.get(element)?.text);
  }
  for (const element of document.querySelectorAll("[data-i18n-label]")) {
    element.setAttribute("aria-label", text(element.dataset.i18nLabel, shown.get(element)?.label));
  }
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
}

// Fills in what a freshly cloned template says.
export function translate(root) {
  for (const element of root.querySelectorAll("[data-i18n]")) say(element, element.dataset.i18n);
  for (const element of root.querySelectorAll("[data-i18n-label]")) label(element, element.dataset.i18nLabel);
}

function remember(element, parameters) {
  shown.set(element, { ...shown.get(element), ...parameters });
}
