// Plays one recording: a button, the waveform as a slider, the speed.

import { label } from "./i18n.js";
import { clockText } from "./numbers.js";
import { decodePeaks, drawWave } from "./waveform.js";

const rates = [1, 1.25, 1.5, 2, 0.75];
const longestPicture = 45 * 60;  // seconds; beyond, decoding would take too much memory
let playing = null;  // of all players at most one is heard

export class Player {
  #wave = null;
  #segments = [];
  #seconds = 0;
  #frame = 0;

  // `onTime` gets the position in seconds whenever it changes, `onUnplayable` is called when the browser cannot play.
  constructor(root, file, { split, onTime, onUnplayable }) {
    this.root = root;
    this.file = file;
    this.split = split;
    this.onTime = onTime;
    this.button = root.querySelector(".play");
    this.canvas = root.querySelector(".wave");
    this.clock = root.querySelector(".clock");
    this.rate = root.querySelector(".rate");
    this.url = URL.createObjectURL(file);
    this.audio = new Audio(this.url);
    this.audio.preload = "metadata";
    this.audio.preservesPitch = true;

    this.audio.addEventListener("loadedmetadata", () => this.#show());
    this.audio.addEventListener("error", () => {
      this.root.hidden = true;
      onUnplayable();
    });
    for (const event of ["play", "pause", "ended"]) this.audio.addEventListener(event, () => this.#playChanged());
    this.audio.addEventListener("seeked", () => this.#moved());
    this.button.addEventListener("click", () => this.toggle());
    this.rate.addEventListener("click", () => this.#nextRate());
    this.canvas.addEventListener("pointerdown", (event) => this.#drag(event));
    this.canvas.addEventListener("pointermove", (event) => event.buttons && this.#drag(event));
    this.canvas.addEventListener("keydown", (event) => this.#key(event));
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(this.canvas);
    label(this.rate, "rate", { rate: 1 });
    this.#playChanged();
  }

  // What is known of the recording so far.
  setSegments(segments, seconds = 0) {
    this.#segments = segments;
    this.#seconds ||= seconds;
    this.draw();
  }

  get seconds() {
    return this.#seconds;
  }

  toggle() {
    if (this.audio.paused) this.play();
    else this.audio.pause();
  }

  play() {
    if (playing && playing !== this) playing.audio.pause();
    playing = this;
    this.audio.play().catch(() => {});  // paused again before it began
  }

  playFrom(seconds) {
    this.seek(seconds);
    this.play();
  }

  seek(seconds) {
    this.audio.currentTime = Math.max(0, Math.min(seconds, this.#seconds || seconds));
    this.#moved();
  }

  close() {
    this.audio.pause();
    this.resized.disconnect();
    this.audio.removeAttribute("src");
    URL.revokeObjectURL(this.url);
    if (playing === this) playing = null;
  }

  // With the next frame; once, however often it is asked for.
  draw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#drawNow();
    });
  }

  #drawNow() {
    drawWave(this.canvas, { wave: this.#wave, segments: this.#segments, seconds: this.#seconds,
                            now: this.audio.currentTime, split: this.split });
  }

  async #show() {
    this.root.hidden = false;
    // A recording made by a browser has no length in its header; the decoder tells it.
    if (Number.isFinite(this.audio.duration)) this.#seconds = this.audio.duration;
    this.#moved();
    if (this.#seconds > longestPicture) return;
    this.#wave = await decodePeaks(this.file, this.split);
    if (this.#wave) this.#seconds = this.#wave.seconds;
    this.#moved();
  }

  #playChanged() {
    const paused = this.audio.paused;
    this.button.querySelector("use").setAttribute("href", paused ? "#i-play" : "#i-pause");
    label(this.button, paused ? "play" : "pause", { name: this.file.name });
    label(this.canvas, "position", { name: this.file.name });
    const follow = () => {
      this.#moved();
      if (!this.audio.paused) requestAnimationFrame(follow);
    };
    follow();
  }

  #moved() {
    const now = this.audio.currentTime;
    this.clock.textContent = `${clockText(now)} / ${clockText(this.#seconds)}`;
    this.canvas.setAttribute("aria-valuemax", this.#seconds.toFixed(1));
    this.canvas.setAttribute("aria-valuenow", now.toFixed(1));
    this.canvas.setAttribute("aria-valuetext", this.clock.textContent);
    this.draw();
    this.onTime(now);
  }

  #nextRate() {
    const rate = rates[(rates.indexOf(this.audio.playbackRate) + 1) % rates.length];
    this.audio.playbackRate = rate;
    this.rate.textContent = `${rate}×`;
    label(this.rate, "rate", { rate });
  }

  #drag(event) {
    const box = this.canvas.getBoundingClientRect();
    this.canvas.setPointerCapture(event.pointerId);
    this.seek((event.clientX - box.left) / box.width * this.#seconds);
  }

  #key(event) {
    const now = this.audio.currentTime;
    const target = { ArrowLeft: now - 5, ArrowDown: now - 5, ArrowRight: now + 5, ArrowUp: now + 5,
                     PageDown: now - 30, PageUp: now + 30, Home: 0, End: this.#seconds }[event.key];
    if (target !== undefined) this.seek(target);
    else if (event.key === " " || event.key === "Enter") this.toggle();
    else return;
    event.preventDefault();
  }
}
