/**
 * How closely a device follows the room, in one place. Times in milliseconds. Drift is where
 * the sound is less where it should be: above zero is ahead.
 */
export const follow = {
  /** How often the drift is looked at, and how often soon after a start or jump. */
  every: 250,
  soon: 80,
  /** Drift below this is left alone... */
  leave: 15,
  /** ...and a correction under way goes on down to this. */
  settle: 4,
  /** Drift from here on is jumped over instead of worked off. */
  jump: 400,
  /** In how long most of a drift is to be gone: the speed is changed by drift / within... */
  within: 800,
  /** ...and by this at most: with the pitch kept it is barely heard. */
  bend: 0.08,
  /** After a jump nothing is judged for this long: the sound needs a moment to come. */
  calm: 300,
  /** What is expected of a first jump, until it is known how long one takes here. */
  firstLag: 60,
  /** How much of what a jump missed goes into the expectation of the next one. */
  learn: 0.5,
  /** What is missed by more than this is an accident, of a busy machine say, and not learnt from. */
  longestLag: 250,
};

/** @typedef {{do: "leave"} | {do: "bend", rate: number} | {do: "jump"}} Correction */

/**
 * What to do about a drift.
 *
 * @param {number} drift
 * @param {boolean} bending whether a correction is under way
 * @returns {Correction}
 */
export function correct(drift, bending) {
  const size = Math.abs(drift);
  if (size >= follow.jump) return { do: "jump" };
  if (size < (bending ? follow.settle : follow.leave)) return { do: "leave" };
  const rate = 1 - Math.max(-follow.bend, Math.min(follow.bend, drift / follow.within));
  return { do: "bend", rate: Math.round(rate * 10_000) / 10_000 };
}

/**
 * What a jump or start takes on this device until the sound runs: learnt from what was
 * missed the last times.
 */
export class Lag {
  #ms = follow.firstLag;

  /** @returns {number} */
  get ms() {
    return this.#ms;
  }

  /** @param {number} drift what was found right after a jump that allowed for ms */
  learn(drift) {
    if (Math.abs(drift) > follow.longestLag) return;
    this.#ms = Math.max(0, Math.min(follow.longestLag, this.#ms - drift * follow.learn));
  }
}

/**
 * The middle of the last three readings: one that was late by accident moves nothing.
 */
export class Steady {
  /** @type {number[]} */
  #last = [];

  /** @param {number} reading */
  add(reading) {
    this.#last.push(reading);
    if (this.#last.length > 3) this.#last.shift();
    const sorted = [...this.#last].sort((a, b) => a - b);
    return /** @type {number} */ (sorted[Math.floor((sorted.length - 1) / 2)]);
  }

  get ready() {
    return this.#last.length === 3;
  }

  reset() {
    this.#last = [];
  }
}
