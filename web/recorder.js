// Records the microphone into a file. One recording at a time.

const kinds = [["audio/webm;codecs=opus", "webm"], ["audio/mp4", "m4a"], ["audio/ogg;codecs=opus", "ogg"]];

export function canRecord() {
  return Boolean(navigator.mediaDevices?.getUserMedia && window.MediaRecorder);
}

// Starts at once; `onTick` gets the seconds so far and the level in [0, 1], some times a second. Returns stop(), which
// resolves with a Blob and its extension.
export async function startRecording(onTick) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
  const [mimeType, extension] = kinds.find(([type]) => MediaRecorder.isTypeSupported(type)) ?? ["", "webm"];
  const recorder = new MediaRecorder(stream, mimeType ? { mimeType, audioBitsPerSecond: 64000 } : {});
  const chunks = [];
  recorder.ondataavailable = (event) => event.data.size && chunks.push(event.data);

  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const began = performance.now();
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
    onTick((performance.now() - began) / 1000, Math.min(1, Math.sqrt(power) * 5));
  }, 100);

  recorder.start(1000);
  return () => new Promise((resolve) => {
    clearInterval(timer);
    recorder.onstop = () => {
      for (const track of stream.getTracks()) track.stop();
      context.close();
      resolve({ blob: new Blob(chunks, { type: recorder.mimeType }), extension });
    };
    recorder.stop();
  });
}
