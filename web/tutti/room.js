import { Follow } from "./follow.js";
import { applyPatch } from "./patch.js";
import { hash } from "./canonical.js";
import { ordered, positionAt } from "./playback.js";

/** @typedef {import("./types.js").RoomEvent} RoomEvent */
/** @typedef {import("./types.js").RoomState} RoomState */
/** @typedef {import("./types.js").ServerFrame} ServerFrame */
/** @typedef {import("./types.js").You} You */
/** @typedef {import("./outbox.js").Answer} Answer */

/**
 * A room as it is followed: its public document, kept up to date by the patches of its
 * commits, and what it says about whoever is signed in.
 *
 * Events: change (the document or you), events (what happened, {rev, events}), sealed (what
 * happened to this user alone), status.
 *
 * @extends {Follow<{events: {rev: number, events: RoomEvent[]}, sealed: RoomEvent[]}>}
 */
export class Room extends Follow {
  id;
  /** @type {RoomState | null} null until the first snapshot; not to be changed by others */
  state = null;
  /** @type {You | null} null for a guest */
  you = null;
  epoch = 0;
  rev = 0;
  /** How often the document came whole, and how often a gap was found; for tests. */
  snapshots = 0;
  gaps = 0;
  #submit;
  #clock;

  /**
   * @param {string} id
   * @param {(frame: object) => boolean} send
   * @param {(channel: string, verb: string, body?: object) => Promise<Answer>} submit
   * @param {import("./clock.js").Clock} clock
   */
  constructor(id, send, submit, clock) {
    super(`room.${id}`, send);
    this.id = id;
    this.#submit = submit;
    this.#clock = clock;
  }

  /**
   * Sends a command to the room; see docs/guide/http-api.md for verbs and bodies.
   *
   * @param {string} verb
   * @param {object} [body]
   * @returns {Promise<Answer>} rejects with a Refusal
   */
  command(verb, body) {
    return this.#submit(this.channel, verb, body);
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
    return this.state ? ordered(this.state.queue) : [];
  }

  /** @returns {number} the position in the current track now, in whole milliseconds */
  position() {
    if (!this.state?.current) return 0;
    return positionAt(this.state.playback, this.#clock.now(), this.state.current.durationMs);
  }

  /** @returns {string} SHA-256 of the document's canonical JSON; "" without a document */
  hash() {
    return this.state ? hash(this.state) : "";
  }

  /** @override */
  wanted() {
    return this.rev > 0 ? { epoch: this.epoch, since: this.rev } : {};
  }

  /** @override */
  forget() {
    this.state = null;
    this.you = null;
    this.epoch = this.rev = 0;
  }

  /**
   * @override
   * @param {ServerFrame} frame
   */
  take(frame) {
    switch (frame.type) {
      case "snap":
        this.state = frame.state;
        this.epoch = frame.epoch ?? 0;
        this.rev = frame.rev ?? 0;
        if (frame.you) this.you = frame.you;
        this.snapshots++;
        this.answered();
        this.emit("change", null);
        break;
      case "resumed":
        if (frame.you) this.you = frame.you;
        this.answered();
        this.emit("change", null);
        break;
      case "evt":
        this.#commit(frame);
        break;
      case "you":
        this.you = frame.you ?? null;
        this.emit("change", null);
        break;
      case "sealed":
        this.emit("sealed", frame.events ?? []);
        break;
    }
  }

  /** @param {ServerFrame} frame */
  #commit(frame) {
    const { epoch = 0, prev = 0, rev = 0 } = frame;
    if (this.asking && this.rev === 0) return; // the snapshot will hold it
    if (epoch === this.epoch && rev <= this.rev) return;
    if (epoch !== this.epoch || prev > this.rev) {
      if (this.asking) return;
      this.gaps++;
      this.ask();
      return;
    }
    this.state = applyPatch(this.state ?? {}, frame.public?.patch ?? {});
    this.rev = rev;
    if (frame.you) this.you = frame.you;
    this.emit("events", { rev, events: frame.public?.events ?? [] });
    this.emit("change", null);
  }
}
