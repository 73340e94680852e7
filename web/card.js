// One recording on the page, from its place in the line to its text.

import { ApiError, key, transcribe } from "./api.js";
import { render, types } from "./formats.js";
import { label, say, translate } from "./i18n.js";
import { askForKey } from "./key_dialog.js";
import { showHeard } from "./languages.js";
import { clockText, number, percent } from "./numbers.js";
import { Player } from "./player.js";
import { Slots } from "./slots.js";
import { TranscriptView } from "./transcript_view.js";

const slots = new Slots(3);
const template = document.getElementById("card-template");
const longestPauseS = 60;

export class Card {
  #transcript = null;
  #stop = new AbortController();
  #segments = [];
  #playable = true;

  // `fields` are those of /v1/transcribe, `announce` tells people who do not see the page.
  constructor(file, fields, announce) {
    this.file = file;
    this.fields = fields;
    this.announce = announce;
    this.root = template.content.cloneNode(true).firstElementChild;
    translate(this.root);
    const split = fields.channels === "split";
    this.player = new Player(this.#find(".player"), file, {
      split,
      onTime: (seconds) => this.view?.showTime(seconds),
      onUnplayable: () => {
        this.#playable = false;
        if (this.#transcript) this.#note("unplayable");
      },
    });
    this.view = new TranscriptView(this.#find(".transcript"), file.name, {
      split,
      play: (seconds) => this.player.playFrom(seconds),
      pause: () => this.player.toggle(),
    });
    this.#find(".name").textContent = file.name;
    this.#find(".name").title = file.name;
    label(this.#find(".bar"), "progress", { name: file.name });
    this.#find(".remove").addEventListener("click", () => this.#remove());
    this.#find(".retry").addEventListener("click", () => this.run());
    this.#find(".copy").addEventListener("click", () => this.#copy());
    for (const button of this.root.querySelectorAll("[data-format]")) {
      label(button, "downloadAs", { name: file.name, format: button.dataset.format.toUpperCase() });
      button.addEventListener("click", () => this.#download(button.dataset.format));
    }
  }

  async run() {
    this.#stop = new AbortController();
    this.#find(".error").hidden = this.#find(".retry").hidden = true;
    label(this.#find(".remove"), "cancelFile", { name: this.file.name });
    this.#state("queued");
    try {
      this.#finish(await slots.run(() => this.#untilTaken()));
    } catch (error) {
      this.#fail(error);
    }
    label(this.#find(".remove"), "remove", { name: this.file.name });
  }

  // Tries again while the server is busy, and once more with each key that is given.
  async #untilTaken() {
    for (;;) {
      this.#stop.signal.throwIfAborted();
      this.view.clear();
      this.#segments = [];
      const used = key.get();
      try {
        return await transcribe(this.file, this.fields, this.#listeners(), this.#stop.signal);
      } catch (error) {
        if (error.status === 401 && await askForKey(used)) continue;
        if (error.status !== 429 && !(error.status === 503 && error.retryAfter)) throw error;
        await this.#wait(Math.min(longestPauseS, Math.max(1, error.retryAfter)));
      }
    }
  }

  #listeners() {
    this.#state("uploading", { percent: percent(0) });
    return {
      upload: (share) => {
        if (share < 1) this.#state("uploading", { percent: percent(share) }, share);
        else this.#state("listening", {}, null);
      },
      progress: (counts) => {
        const decoded = this.player.seconds ? Math.min(1, counts.audio_ms_decoded / 1000 / this.player.seconds) : 1;
        const share = counts.segments_found ? decoded * counts.segments_done / counts.segments_found : 0;
        this.#state("working", { percent: percent(share) }, share);
      },
      segment: (segment) => {
        this.#segments.push(segment);
        this.view.add(segment);
        this.player.setSegments(this.#segments);
      },
    };
  }

  async #wait(seconds) {
    for (let left = Math.ceil(seconds); left > 0; --left) {
      this.#state("busy", { seconds: left }, null);
      await new Promise((resolve) => setTimeout(resolve, 1000));
      this.#stop.signal.throwIfAborted();
    }
  }

  #finish(transcript) {
    this.#transcript = transcript;
    // The whole transcript counts; what came in pieces is the same unless the connection lost some.
    if (this.#segments.length !== transcript.segments.length) {
      this.view.clear();
      transcript.segments.forEach((segment) => this.view.add(segment));
    }
    this.view.flush();
    this.player.setSegments(transcript.segments, transcript.duration_ms / 1000);
    this.#state("done", {}, 1);
    this.#find(".card-foot").hidden = false;
    if (!this.#playable) this.#note("unplayable");
    if (!transcript.text) this.#note("silence");
    if (transcript.truncated) this.#note("truncated");
    const duration = clockText(transcript.duration_ms / 1000);
    const seconds = transcript.timings ? number(transcript.timings.wall_s) : "";
    say(this.#find(".facts"), seconds ? "facts" : "factsShort", { duration, seconds, model: transcript.model });
    showHeard(this.#find(".heard"), transcript.language, this.fields.task === "translate");
    this.announce("announceDone", { name: this.file.name });
  }

  #fail(error) {
    if (error.name === "AbortError") {
      this.#state("cancelled", {}, 0);
      this.#find(".retry").hidden = false;
      return;
    }
    this.#state("failed", {}, 0);
    const place = this.#find(".error");
    place.hidden = false;
    this.#find(".retry").hidden = false;
    // A server's message stands as it is; the page's own follow the language.
    if (error.message && error.status !== 401) {
      delete place.dataset.i18n;
      place.textContent = error.message;
    } else if (error instanceof ApiError) {
      const own = { "0": "errorNetwork", "-1": "errorBroken", "401": "errorKey" }[error.status] ?? "errorStatus";
      say(place, own, { status: error.status });
    }
    this.announce("announceFailed", { name: this.file.name, message: place.textContent });
  }

  // `share` null: nobody knows how far.
  #state(name, parameters = {}, share = 0) {
    this.root.dataset.state = name;
    say(this.#find(".state"), name, parameters);
    const bar = this.#find(".bar");
    bar.hidden = ["done", "failed", "cancelled"].includes(name);
    if (share === null) bar.removeAttribute("value");
    else bar.value = share;
  }

  #remove() {
    if (["done", "failed", "cancelled"].includes(this.root.dataset.state)) {
      this.player.close();
      const next = this.root.nextElementSibling ?? this.root.previousElementSibling;
      this.root.remove();
      (next?.querySelector(".remove") ?? document.getElementById("choose")).focus();
    } else {
      this.#stop.abort();
      if (this.root.dataset.state === "queued") this.#state("cancelled", {}, 0);
    }
  }

  #note(name) {
    const note = this.#find(".note");
    note.hidden = false;
    say(note, name);
  }

  async #copy() {
    const button = this.#find(".copy span");
    try {
      await navigator.clipboard.writeText(this.#transcript.text);
      say(button, "copied");
    } catch {
      say(button, "copyFailed");
    }
    this.announce(button.dataset.i18n, {});
    setTimeout(() => say(button, "copy"), 2000);
  }

  #download(format) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([render(this.#transcript, format)], { type: types[format] }));
    link.download = this.file.name.replace(/\.[^.]*$/, "") + "." + format;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  #find(selector) {
    return this.root.querySelector(selector);
  }
}
