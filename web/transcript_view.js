// The text of one recording, as clickable words. One stop of the Tab key; arrow keys move inside.

import { label, say } from "./i18n.js";
import { tokenPlaces } from "./formats.js";
import { clockText } from "./numbers.js";

export class TranscriptView {
  #words = [];  // by start: {start, end, element}
  #coming = [];  // segments that wait for the next frame
  #playing = null;

  // `play` gets the seconds from which to play, `pause` is called to pause or go on.
  constructor(root, name, { split, play, pause }) {
    this.root = root;
    this.split = split;
    this.play = play;
    label(root, "transcript", { name });
    root.addEventListener("click", (event) => {
      if (String(getSelection())) return;  // somebody marks text to copy it
      const word = event.target.closest(".word");
      if (word) this.#chosen(word);
    });
    root.addEventListener("keydown", (event) => this.#key(event, pause));
  }

  // Shown with the next frame, together with whatever else has come: one layout, however fast segments arrive.
  add(segment) {
    if (!segment.text) return;
    if (!this.#coming.length) requestAnimationFrame(() => this.flush());
    this.#coming.push(segment);
  }

  // Shows what was added, at once.
  flush() {
    if (!this.#coming.length) return;
    const follow = this.root.scrollHeight - this.root.scrollTop - this.root.clientHeight < 40;
    this.root.append(...this.#coming.map((segment) => this.#row(segment)));
    this.#coming = [];
    this.#words.sort((a, b) => a.start - b.start);
    this.root.hidden = false;
    if (follow) this.root.scrollTop = this.root.scrollHeight;
  }

  clear() {
    this.root.replaceChildren();
    this.root.hidden = true;
    this.#words = [];
    this.#coming = [];
    this.#playing = null;
  }

  #row(segment) {
    const row = document.createElement("p");
    row.className = "segment";
    const time = document.createElement("span");
    time.className = "time";
    time.textContent = clockText(segment.start_ms / 1000);
    const text = document.createElement("span");
    text.className = "text";
    if (this.split) {
      row.dataset.speaker = segment.channel % 6;
      const who = document.createElement("span");
      who.className = "speaker";
      say(who, "speaker", { number: segment.channel + 1 });
      text.append(who, " ");
    }
    this.#fill(text, segment);
    row.append(time, text);
    return row;
  }

  // Marks the word that is heard.
  showTime(seconds) {
    let low = 0, high = this.#words.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#words[middle].start <= seconds) low = middle + 1;
      else high = middle;
    }
    const last = this.#words[low - 1];
    const heard = last && seconds < last.end + 0.3 && seconds > 0 ? last.element : null;
    if (heard === this.#playing) return;
    this.#playing?.classList.remove("playing");
    this.#playing = heard;
    if (!heard) return;
    heard.classList.add("playing");
    this.#keepVisible(heard);
  }

  // The segment's text with each token as a word; as one word where tokens have no times.
  #fill(element, segment) {
    const tokens = segment.tokens;
    const places = tokens.every((token) => token.start_ms !== null && token.end_ms !== null) ? tokenPlaces(segment) : [];
    if (!places.length) {
      element.append(this.#word(segment.text, segment.start_ms, segment.end_ms, null));
      return;
    }
    let written = 0;
    tokens.forEach((token, i) => {
      element.append(segment.text.slice(written, places[i]));
      written = places[i] + token.text.length;
      element.append(this.#word(token.text, token.start_ms, token.end_ms, token.score));
    });
    element.append(segment.text.slice(written));
  }

  #word(text, startMs, endMs, score) {
    const element = document.createElement("span");
    element.className = score !== null && score < -0.7 ? "word unsure" : "word";
    element.setAttribute("role", "button");
    element.tabIndex = this.#words.length ? -1 : 0;
    element.dataset.start = startMs;
    element.textContent = text;
    this.#words.push({ start: startMs / 1000, end: endMs / 1000, element });
    return element;
  }

  #chosen(word) {
    this.#focus(word);
    this.play(Number(word.dataset.start) / 1000);
  }

  #focus(word) {
    this.root.querySelector('.word[tabindex="0"]')?.setAttribute("tabindex", "-1");
    word.tabIndex = 0;
    word.focus({ preventScroll: true });
    this.#keepVisible(word);
  }

  // Scrolls the text, never the page under the reader.
  #keepVisible(word) {
    const box = this.root.getBoundingClientRect(), own = word.getBoundingClientRect();
    if (own.top < box.top || own.bottom > box.bottom) this.root.scrollTop += own.top - box.top - box.height / 3;
  }

  #key(event, pause) {
    const word = event.target.closest(".word");
    if (!word || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = [...this.root.querySelectorAll(".word")];
    const at = all.indexOf(word);
    const rows = [...this.root.children];
    const row = rows.indexOf(word.closest(".segment"));
    const target = {
      ArrowRight: all[at + 1], ArrowLeft: all[at - 1], Home: all[0], End: all.at(-1),
      ArrowDown: rows[row + 1]?.querySelector(".word"), ArrowUp: rows[row - 1]?.querySelector(".word"),
    };
    if (event.key in target) {
      if (target[event.key]) this.#focus(target[event.key]);
    } else if (event.key === "Enter") {
      this.#chosen(word);
    } else if (event.key === " ") {
      pause();
    } else {
      return;
    }
    event.preventDefault();
  }
}
