// At most so many tasks at once; the others wait in order of arrival.
export class Slots {
  #free;
  #waiting = [];

  constructor(count) {
    this.#free = count;
  }

  async run(task) {
    if (this.#free === 0) await new Promise((resolve) => this.#waiting.push(resolve));
    else --this.#free;
    try {
      return await task();
    } finally {
      if (this.#waiting.length) this.#waiting.shift()();
      else ++this.#free;
    }
  }
}
