import { Follow } from "./follow.js";
import { idTime } from "./ids.js";

/** @typedef {import("./types.js").Profile} Profile */
/** @typedef {import("./types.js").ServerFrame} ServerFrame */

/** How many are followed at once, as the server allows. Past it, whoever was asked for longest
 * ago is followed no more; what is known of them stays. */
export const FOLLOWED = 500;
/** How many profiles are kept; past it those not followed are forgotten, the oldest first. */
const KEPT = 5_000;
/** With more users wanted than can be followed, how often some take the places of others. */
const TURN_MS = 60_000;
/** How long further ids are waited for before the server is asked. */
const BATCH_MS = 30;

/**
 * The profiles of users by id, live. Who is wanted is followed from then on: a changed
 * nickname arrives as a change. Ids that are asked for together go to the server together.
 *
 * @extends {Follow<{}>}
 */
export class Users extends Follow {
  /** @type {Map<string, Profile>} */
  #known = new Map();
  /** @type {Set<string>} who is wanted, whoever was asked for longest ago first */
  #wanted = new Set();
  /** @type {string[]} who the sub that was answered last, or is under way, is of */
  #asked = [];
  /** @type {Set<string>} who the server has answered for */
  #answered = new Set();
  #askedAt = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {(frame: object) => boolean} send */
  constructor(send) {
    super("users", send);
  }

  /**
   * @param {string} id
   * @returns {Profile | undefined} undefined while it is not known; change tells when it is
   */
  of(id) {
    this.want([id]);
    return this.#known.get(id);
  }

  /**
   * @param {string} id
   * @returns {Profile | undefined} what is known already; nobody is asked
   */
  known(id) {
    return this.#known.get(id);
  }

  /**
   * @param {string} id
   * @returns {boolean} whether the server was asked about the user and has answered: without a
   *   profile there is none yet, or no such user
   */
  answered(id) {
    return this.#answered.has(id);
  }

  /** @param {Iterable<string>} ids what is no user's id is passed over */
  want(ids) {
    let news = false;
    for (const id of ids) {
      if (!id.startsWith("user_") || Number.isNaN(idTime(id))) continue; // it would have all of them refused
      const waits = this.#wanted.size >= FOLLOWED && this.#known.has(id) && !this.#wanted.has(id) && Date.now() - this.#askedAt < TURN_MS;
      if (waits) continue;
      if (!this.#wanted.delete(id)) news = true;
      this.#wanted.add(id);
    }
    for (const id of this.#wanted) {
      if (this.#wanted.size <= FOLLOWED) break;
      this.#wanted.delete(id);
      this.#answered.delete(id);
    }
    if (news) this.#later();
  }

  /** Asks for those who are wanted; for nobody, nothing. @override */
  ask() {
    if (this.#wanted.size === 0) return;
    this.#asked = [...this.#wanted];
    this.#askedAt = Date.now();
    super.ask();
  }

  /** @override */
  wanted() {
    return { ids: this.#asked };
  }

  /** @override */
  lost() {
    super.lost();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /**
   * @override
   * @param {ServerFrame} frame
   */
  take(frame) {
    if (frame.type === "docs") {
      for (const id of this.#asked) if (this.#wanted.has(id)) this.#answered.add(id);
      for (const [id, profile] of Object.entries(frame.docs ?? {})) this.#keep(id, profile);
      this.settled();
      this.emit("change", null);
      if ([...this.#wanted].some((id) => !this.#answered.has(id))) this.#later();
    } else if (frame.type === "doc" && frame.docId && frame.doc && !this.asking) {
      this.#keep(frame.docId, frame.doc);
      this.emit("change", null);
    }
  }

  /**
   * @param {string} id
   * @param {Profile} profile
   */
  #keep(id, profile) {
    if ((this.#known.get(id)?.rev ?? 0) > profile.rev) return; // from a server that is behind
    this.#known.delete(id);
    this.#known.set(id, profile);
    for (const old of this.#known.keys()) {
      if (this.#known.size <= KEPT) break;
      if (!this.#wanted.has(old)) this.#known.delete(old);
    }
  }

  /** One sub is under way at a time, so that each answer belongs to known ids. */
  #later() {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (!this.asking) this.ask();
    }, BATCH_MS);
  }
}
