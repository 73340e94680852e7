// The shape of a recording: its peaks, and how they are drawn.

const peaksAcross = 2000;
const decodeRate = 8000;  // Hz; enough for a picture, and little memory

let decoding = Promise.resolve();

// Peaks of each channel and the seconds, or null when the browser cannot decode the file. One file at a time, because a
// decoded hour is large.
export function decodePeaks(file, split) {
  const result = decoding.then(() => decode(file, split)).catch(() => null);
  decoding = result;
  return result;
}

async function decode(file, split) {
  const context = new OfflineAudioContext(1, 1, decodeRate);
  const audio = await context.decodeAudioData(await file.arrayBuffer());
  const lanes = split ? audio.numberOfChannels : 1;
  const peaks = [];
  for (let lane = 0; lane < lanes; ++lane) peaks.push(peaksOf(audio.getChannelData(lane)));
  const highest = Math.max(1e-3, ...peaks.map((lane) => lane.reduce((a, b) => Math.max(a, b), 0)));
  return { seconds: audio.duration, lanes: peaks.map((lane) => lane.map((peak) => peak / highest)) };
}

function peaksOf(samples) {
  const peaks = new Float32Array(Math.min(peaksAcross, samples.length));
  for (let i = 0; i < peaks.length; ++i) {
    const end = Math.floor((i + 1) * samples.length / peaks.length);
    for (let j = Math.floor(i * samples.length / peaks.length); j < end; ++j) {
      peaks[i] = Math.max(peaks[i], Math.abs(samples[j]));
    }
  }
  return peaks;
}

// `wave` is what decodePeaks gave, null for speech segments as blocks. Colours come from the style sheet.
export function drawWave(canvas, { wave, segments, seconds, now, split }) {
  const scale = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (!width || !seconds) return;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const style = getComputedStyle(canvas);
  const colour = (name) => style.getPropertyValue(name).trim();
  const colours = { speech: colour("--wave-speech"), silence: colour("--wave-silence"), text: colour("--text") };
  const draw = canvas.getContext("2d");
  draw.scale(scale, scale);

  const laneCount = split ? Math.max(1, ...segments.map((s) => s.channel + 1), wave?.lanes.length ?? 1) : 1;
  const laneHeight = height / laneCount;
  const step = 3;  // a bar of 2 pixels and a gap
  for (let lane = 0; lane < laneCount; ++lane) {
    const own = segments.filter((segment) => !split || segment.channel === lane);
    const played = split ? colour(`--speaker-${lane % 6}`) : colour("--accent");
    const middle = (lane + 0.5) * laneHeight;
    let next = 0;
    for (let x = 0; x < width; x += step) {
      const time = x / width * seconds;
      while (next < own.length && own[next].end_ms / 1000 < time) ++next;
      const speech = next < own.length && own[next].start_ms / 1000 <= time;
      const level = wave ? levelAt(wave.lanes[lane] ?? wave.lanes[0], x / width, step / width) : speech ? 0.5 : 0;
      const bar = Math.max(2, level * (laneHeight - 4));
      draw.fillStyle = time <= now && (speech || !split) ? played : speech ? colours.speech : colours.silence;
      draw.beginPath();
      draw.roundRect(x, middle - bar / 2, 2, bar, 1);
      draw.fill();
    }
  }
  draw.fillStyle = colours.text;
  draw.fillRect(Math.min(width - 1.5, now / seconds * width), 0, 1.5, height);
}

function levelAt(peaks, from, share) {
  const end = Math.max(Math.ceil((from + share) * peaks.length), 1);
  let level = 0;
  for (let i = Math.floor(from * peaks.length); i < Math.min(end, peaks.length); ++i) level = Math.max(level, peaks[i]);
  return level;
}
