/** The pauses before what is away is asked for again; the last one comes again and again. */
const PAUSES_MS = [1_000, 2_000, 4_000, 8_000, 15_000];
/** How often it is asked for by itself; after that somebody has to come back to the page. */
const MOST = 40;

/** Asks again for what may come back: soon at first, then ever more rarely, and not for ever. */
export class Again {
  #ask;
  #tries = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {() => void} ask */
  constructor(ask) {
    this.#ask = ask;
  }

  /** Begins, if it has not begun. */
  begin() {
    if (this.#timer === undefined && this.#tries < MOST) this.#wait();
  }

  /** Asks now, and goes on from the beginning. */
  now() {
    this.end();
    this.#ask();
    this.#wait();
  }

  end() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#tries = 0;
  }

  #wait() {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#ask();
      this.begin();
    }, PAUSES_MS[Math.min(this.#tries++, PAUSES_MS.length - 1)]);
  }
}
