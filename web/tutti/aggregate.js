import { Follow } from "./follow.js";
import { applyPatch } from "./patch.js";
import { hash } from "./canonical.js";

/** @typedef {import("./types.js").LogEvent} LogEvent */
/** @typedef {import("./types.js").ServerFrame} ServerFrame */
/** @typedef {import("./outbox.js").Answer} Answer */
/** @typedef {(channel: string, verb: string, body?: object) => Promise<Answer>} Submit */

/**
 * What has a log: a room, a playlist or a chat. Its public document is kept up to date by the
 * patches of its commits; beside it stands what it says about whoever is signed in.
 *
 * Events: change (the document or you), events (what happened, {rev, events}), sealed (what
 * happened to this user alone), live (what somebody does this moment and no log keeps), status.
 *
 * @template State
 * @template You
 * @extends {Follow<{events: {rev: number, events: LogEvent[]}, sealed: LogEvent[], live: {kind: string, user: string}}>}
 */
export class Aggregate extends Follow {
  id;
  /** @type {State | null} null until the first snapshot; not to be changed by others */
  state = null;
  /** @type {You | null} null for a guest */
  you = null;
  epoch = 0;
  rev = 0;
  /** How often the document came whole, and how often a gap was found; for tests. */
  snapshots = 0;
  gaps = 0;
  #submit;

  /**
   * @param {string} kind "room", "playlist" or "chat"
   * @param {string} id
   * @param {(frame: object) => boolean} send
   * @param {Submit} submit
   */
  constructor(kind, id, send, submit) {
    super(`${kind}.${id}`, send);
    this.id = id;
    this.#submit = submit;
  }

  /**
   * Sends a command; see docs/guide/http-api.md for verbs and bodies.
   *
   * @param {string} verb
   * @param {object} [body]
   * @returns {Promise<Answer>} rejects with a Refusal
   */
  command(verb, body) {
    return this.#submit(this.channel, verb, body);
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
        this.settled();
        this.emit("change", null);
        break;
      case "resumed":
        if (frame.you) this.you = frame.you;
        this.settled();
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
      case "live":
        if (frame.kind && frame.user) this.emit("live", { kind: frame.kind, user: frame.user });
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
