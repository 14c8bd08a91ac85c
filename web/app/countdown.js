/**
 * A time that runs out, except while somebody holds it: a message stays while it is read.
 * After the last hold it runs from its beginning.
 */
export class Countdown {
  #ms;
  #then;
  /** @type {Set<string>} */
  #holds = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {number} ms
   * @param {() => void} then
   */
  constructor(ms, then) {
    this.#ms = ms;
    this.#then = then;
    this.#run();
  }

  /** @param {string} why the same may hold once */
  hold(why) {
    this.#holds.add(why);
    clearTimeout(this.#timer);
  }

  /** @param {string} why */
  release(why) {
    if (this.#holds.delete(why) && this.#holds.size === 0) this.#run();
  }

  stop() {
    clearTimeout(this.#timer);
  }

  #run() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#then, this.#ms);
  }
}
