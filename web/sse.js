// Server-sent events from text that arrives in pieces, wherever it was cut.
export class EventParser {
  #rest = "";

  // `onEvent` gets each event's name and data.
  constructor(onEvent) {
    this.onEvent = onEvent;
  }

  push(piece) {
    this.#rest += piece;
    // A carriage return at the end may be half of a line end.
    const held = this.#rest.endsWith("\r") ? 1 : 0;
    const blocks = this.#rest.slice(0, this.#rest.length - held).replace(/\r\n?/g, "\n").split("\n\n");
    this.#rest = blocks.pop() + (held ? "\r" : "");
    for (const block of blocks) this.#take(block);
  }

  #take(block) {
    let name = "message";
    const data = [];
    for (const line of block.split("\n")) {
      const colon = line.indexOf(":");
      if (colon === 0) continue;  // a comment, which keeps the connection alive
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "event") name = value;
      if (field === "data") data.push(value);
    }
    if (data.length) this.onEvent(name, data.join("\n"));
  }
}
