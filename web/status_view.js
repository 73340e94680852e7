// What the service does right now.

import { getJson } from "./api.js";
import { say } from "./i18n.js";
import { number, span } from "./numbers.js";

const everyMs = 2000;
const history = [];  // × real time, newest last
const historyLength = 60;

const $ = (id) => document.getElementById(id);
let timer = 0;

// `onStatus` gets every answer. `onLocked` is called when the server wants a key; nothing more is asked then until
// watchStatus is called again.
export function watchStatus({ onStatus, onLocked }) {
  clearTimeout(timer);
  const tick = async () => {
    if (!document.hidden) {
      try {
        const status = await getJson("v1/status");
        show(status);
        onStatus(status);
      } catch (error) {
        state(error.status === 401 ? "stateLocked" : "stateGone", "bad");
        if (error.status === 401) return onLocked();
      }
    }
    timer = setTimeout(tick, everyMs);
  };
  tick();
}

function show(status) {
  const { queue } = status;
  const used = queue.waiting_seconds + queue.running_seconds;
  if (status.draining) state("stateDraining", "bad");
  else if (queue.running || queue.waiting) state("stateBusy", "good");
  else state("stateIdle", "");
  $("speed").textContent = number(status.x_real_time);
  $("queue-bar").value = queue.limit_seconds ? Math.min(1, used / queue.limit_seconds) : 0;
  say($("queue-text"), "queueText", { used: span(used), limit: span(queue.limit_seconds) });
  $("running").textContent = number(queue.running);
  $("waiting").textContent = number(queue.waiting);
  $("total").textContent = span(status.audio_seconds_total);
  $("uptime").textContent = span(status.uptime_s);
  history.push(status.x_real_time);
  if (history.length > historyLength) history.shift();
  drawSpark($("spark"));
  showModels(status.models);
}

function state(key, tone) {
  const chip = $("service-state");
  chip.dataset.tone = tone;
  if (chip.dataset.i18n !== key) say(chip, key);  // a live region: only what is new is said
}

function showModels(models) {
  $("models").replaceChildren(...models.map((model) => {
    const line = document.createElement("li");
    const name = document.createElement("span");
    name.textContent = model.id;
    const detail = document.createElement("span");
    detail.className = "unit";
    detail.textContent = model.compute_type;
    line.append(name, detail);
    return line;
  }));
}

function drawSpark(canvas) {
  const scale = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const draw = canvas.getContext("2d");
  draw.scale(scale, scale);
  const highest = Math.max(1, ...history);
  const x = (i) => width - (history.length - 1 - i) * width / (historyLength - 1);
  const y = (value) => height - 2 - value / highest * (height - 4);
  const style = getComputedStyle(canvas);
  const colour = style.getPropertyValue("--accent").trim();
  draw.fillStyle = style.getPropertyValue("--line").trim();
  draw.fillRect(0, height - 1, width, 1);
  draw.beginPath();
  history.forEach((value, i) => draw.lineTo(x(i), y(value)));
  draw.strokeStyle = colour;
  draw.lineWidth = 1.5;
  draw.lineJoin = "round";
  draw.stroke();
  draw.lineTo(width, height);
  draw.lineTo(x(0), height);
  draw.globalAlpha = 0.12;
  draw.fillStyle = colour;
  draw.fill();
}
