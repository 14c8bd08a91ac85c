/** Differences up to this many milliseconds are worked off gently, larger ones at once. */
const STEP_AT = 80;
/** How fast a difference is worked off: 10 ms in every second. */
const SLEW = 0.01;
/** A measurement whose error bound is this much worse than what is known is not believed. */
const WORSE = 3;
/** How much a bound is trusted less with age: clocks drift by up to 50 ms in 1,000 s. */
const DRIFT = 50e-6;

/**
 * The server's clock, as far as it can be known from here. A ping tells the server's time
 * somewhere between sending and hearing: the shorter the round trip, the less doubt. Of each
 * round of pings the shortest counts.
 *
 * Time runs on a monotonic base, so a change of the computer's own clock moves nothing; a
 * small correction is spread over a moment, so that now() never jumps for it and never goes
 * backwards.
 */
export class Clock {
  #monotonic;
  /** @type {{offset: number, bound: number} | null} the best of the round so far */
  #best = null;
  #offset = 0;
  #target = 0;
  #slewFrom = 0;
  #bound = Infinity;
  #boundAt = 0;

  /** @param {() => number} [monotonic] milliseconds that never run backwards */
  constructor(monotonic = () => performance.now()) {
    this.#monotonic = monotonic;
  }

  /** False until the server's time was heard once; now() is then the computer's own guess. */
  get synced() {
    return this.#bound !== Infinity;
  }

  /** The largest error now() can have, in milliseconds, as of the last measurement. */
  get bound() {
    return this.#bound;
  }

  /** @returns {number} the monotonic time that pings are stamped with */
  monotonic() {
    return this.#monotonic();
  }

  /** @returns {number} server time in Unix milliseconds, with fractions */
  now() {
    if (!this.synced) return Date.now();
    const now = this.#monotonic();
    return now + this.#offsetAt(now);
  }

  /**
   * Takes in a pong.
   *
   * @param {number} sent monotonic time at which the ping left
   * @param {number} received monotonic time at which the pong was heard
   * @param {number} serverTime what it said, in whole milliseconds
   */
  sample(sent, received, serverTime) {
    const trip = received - sent;
    if (!(trip >= 0) || !Number.isFinite(serverTime)) return;
    // Whole milliseconds are cut off, not rounded: half of one is missing on average.
    const offset = serverTime + 0.5 - (sent + received) / 2;
    const bound = trip / 2 + 0.5;
    if (!this.#best || bound < this.#best.bound) this.#best = { offset, bound };
    if (!this.synced) this.settle(); // something is better than nothing
  }

  /** Ends a round of pings: its best sample is believed from here on. */
  settle() {
    const best = this.#best;
    this.#best = null;
    if (!best) return;
    const now = this.#monotonic();
    const aged = this.#bound + (now - this.#boundAt) * DRIFT;
    if (this.synced && best.bound > WORSE * aged && Math.abs(best.offset - this.#target) < best.bound) return;
    this.#offset = this.synced ? this.#offsetAt(now) : best.offset;
    this.#target = best.offset;
    this.#slewFrom = now;
    this.#bound = best.bound;
    this.#boundAt = now;
    if (Math.abs(this.#target - this.#offset) > STEP_AT) this.#offset = this.#target;
  }

  /** @param {number} now */
  #offsetAt(now) {
    const left = this.#target - this.#offset;
    const done = (now - this.#slewFrom) * SLEW;
    return done >= Math.abs(left) ? this.#target : this.#offset + Math.sign(left) * done;
  }
}
