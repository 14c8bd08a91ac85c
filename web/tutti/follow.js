import { Emitter } from "./emitter.js";
import { Refusal } from "./errors.js";
import { backoff } from "./backoff.js";

/** @typedef {import("./types.js").ServerFrame} ServerFrame */
/**
 * loading: nothing is known yet. live: what is known is up to date. stale: the connection is
 * away, what is known may be old. gone: it cannot be followed; reason says why.
 * @typedef {"loading" | "live" | "stale" | "gone"} FollowStatus
 */

/**
 * One channel that is followed over whatever socket there is. A class below says what its
 * frames mean.
 *
 * @template {Record<string, any>} Events
 * @extends {Emitter<Events & {change: null, status: FollowStatus}>}
 */
export class Follow extends Emitter {
  channel;
  /** @type {Refusal | null} */
  reason = null;
  /** @type {FollowStatus} */
  #status = "loading";
  #send;
  #asked = 0;
  #attempt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  #sent = false;

  /**
   * @param {string} channel
   * @param {(frame: object) => boolean} send
   */
  constructor(channel, send) {
    super();
    this.channel = channel;
    this.#send = send;
  }

  /** @returns {FollowStatus} */
  get status() {
    return this.#status;
  }

  /** Asks for the channel, or again for what was missed of it. */
  ask() {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#sent = this.#send({ type: "sub", id: this.#askId(1), channel: this.channel, ...this.wanted() });
  }

  /** True between a sub and its answer: what comes in between is not its continuation. */
  get asking() {
    return this.#sent;
  }

  /** The socket is gone. */
  lost() {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#sent = false;
    if (this.#status === "live") this.become("stale");
  }

  /** Ends it on the server's side. */
  leave() {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#sent = false;
    this.#send({ type: "unsub", channel: this.channel });
  }

  /** Forgets what is known, and asks anew. */
  restart() {
    this.forget();
    this.become("loading");
    this.ask();
  }

  /** @param {ServerFrame} frame */
  receive(frame) {
    if (frame.type === "gone") this.#refused(Refusal.fromFrame(frame));
    else if (frame.type === "err") {
      if (frame.id === this.#askId(0)) this.#refused(Refusal.fromFrame(frame));
    } else this.take(frame);
  }

  /** The sub was answered. */
  settled() {
    this.#sent = false;
    this.#attempt = 0;
    this.reason = null;
    this.become("live");
  }

  /** @param {FollowStatus} status */
  become(status) {
    if (status === this.#status) return;
    this.#status = status;
    this.emit("status", /** @type {any} */ (status));
  }

  /** @returns {object} what a sub says beyond the channel */
  wanted() {
    return {};
  }

  /** What is known counts no more. */
  forget() {}

  /** @param {ServerFrame} _frame any other frame of the channel */
  take(_frame) {}

  /** @param {0 | 1} more */
  #askId(more) {
    this.#asked += more;
    return `sub${this.#asked}:${this.channel}`.slice(0, 64);
  }

  /** @param {Refusal} refusal */
  #refused(refusal) {
    this.#sent = false;
    if (refusal.retry) {
      if (this.#status === "live") this.become("stale");
      const pause = Math.max(refusal.retryMs, 200 + backoff(this.#attempt++));
      this.#retry = setTimeout(() => this.ask(), pause);
      return;
    }
    this.reason = refusal;
    this.become("gone");
  }
}
