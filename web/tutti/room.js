import { Aggregate } from "./aggregate.js";
import { positionAt, queueOf } from "./playback.js";

/** @typedef {import("./types.js").RoomState} RoomState */
/** @typedef {import("./types.js").You} You */

/**
 * A room as it is followed.
 *
 * @extends {Aggregate<RoomState, You>}
 */
export class Room extends Aggregate {
  #clock;

  /**
   * @param {string} id
   * @param {(frame: object) => boolean} send
   * @param {import("./aggregate.js").Submit} submit
   * @param {import("./clock.js").Clock} clock
   */
  constructor(id, send, submit, clock) {
    super("room", id, send, submit);
    this.#clock = clock;
  }

  /**
   * @param {string} verb
   * @returns {boolean} whether the room lets this user use the verb now
   */
  may(verb) {
    return this.you?.may.includes(verb) ?? false;
  }

  /** @returns {import("./types.js").QueueEntry[]} in the order in which it will be played */
  queue() {
    return this.state ? queueOf(this.state) : [];
  }

  /** @returns {number} the position in the current track now, in whole milliseconds */
  position() {
    if (!this.state?.current) return 0;
    return positionAt(this.state.playback, this.#clock.now(), this.state.current.durationMs);
  }
}
