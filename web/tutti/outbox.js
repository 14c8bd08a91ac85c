import { Refusal } from "./errors.js";
import { backoff } from "./backoff.js";
import { newId } from "./ids.js";

/** @typedef {import("./types.js").ServerFrame} ServerFrame */
/** @typedef {{id: string, epoch: number, rev: number, at: number, room: string, playlist: string}} Answer */
/**
 * @typedef {object} Waiting
 * @property {string} id "" until there is a server clock to make it by
 * @property {string} channel
 * @property {string} verb
 * @property {object} body
 * @property {number} attempt
 * @property {boolean} sent over the socket there is now
 * @property {ReturnType<typeof setTimeout> | undefined} retry
 * @property {(answer: Answer) => void} resolve
 * @property {(err: Refusal) => void} reject
 */

/** The most commands that wait for an answer, of all channels together. */
export const OUTBOX = 64;
/** The longest pause before a command is sent again that was answered "again". */
const RETRY_CAP_MS = 5_000;

/**
 * Commands on their way. Each has an id of its own, made when it was asked for and kept until
 * it is answered: one whose answer was lost with the socket goes out again under the same id,
 * and takes effect once. One of each channel is under way at a time, so they take effect in
 * the order asked. Past OUTBOX commands the next is refused as busy.
 */
export class Outbox {
  /** @type {Map<string, Waiting[]>} by channel, the first is under way */
  #queues = new Map();
  #size = 0;
  #send;
  #clock;

  /**
   * @param {(frame: object) => boolean} send false while there is no live socket
   * @param {import("./clock.js").Clock} clock
   */
  constructor(send, clock) {
    this.#send = send;
    this.#clock = clock;
  }

  /** The number of commands without an answer. */
  get size() {
    return this.#size;
  }

  /**
   * @param {string} channel
   * @param {string} verb
   * @param {object} [body]
   * @returns {Promise<Answer>} rejects with a Refusal; expired says that the command waited too
   *   long for anybody to tell whether it took effect
   */
  submit(channel, verb, body = {}) {
    if (this.#size >= OUTBOX) {
      return Promise.reject(new Refusal("busy", "Too much is waiting to be sent. Wait until the connection is back."));
    }
    return new Promise((resolve, reject) => {
      const queue = this.#queues.get(channel) ?? [];
      this.#queues.set(channel, queue);
      const id = this.#clock.synced ? newId("cmd", this.#clock.now()) : "";
      queue.push({ id, channel, verb, body, attempt: 0, sent: false, retry: undefined, resolve, reject });
      this.#size++;
      this.#advance(channel);
    });
  }

  /** Sends the first of every channel: the socket is there, or the clock is. */
  flush() {
    for (const channel of this.#queues.keys()) this.#advance(channel);
  }

  /** The socket is gone, and with it the answers to what was sent. */
  lost() {
    for (const queue of this.#queues.values()) {
      const first = queue[0];
      if (!first) continue;
      clearTimeout(first.retry);
      first.retry = undefined;
      first.sent = false;
    }
  }

  /**
   * Refuses all that waits, and forgets it.
   *
   * @param {Refusal} reason
   */
  clear(reason) {
    const all = [...this.#queues.values()].flat();
    this.#queues.clear();
    this.#size = 0;
    for (const one of all) {
      clearTimeout(one.retry);
      one.reject(reason);
    }
  }

  /**
   * @param {ServerFrame} frame an ok or err
   * @returns {boolean} whether it answers a command of this outbox
   */
  answer(frame) {
    for (const [channel, queue] of this.#queues) {
      const first = queue[0];
      if (!first || first.id === "" || first.id !== frame.id) continue;
      const refusal = frame.type === "err" ? Refusal.fromFrame(frame) : null;
      if (refusal?.retry) {
        const pause = Math.max(refusal.retryMs, backoff(first.attempt++, RETRY_CAP_MS));
        first.retry = setTimeout(() => {
          first.retry = undefined;
          first.sent = false;
          this.#advance(channel);
        }, pause);
        return true;
      }
      queue.shift();
      if (queue.length === 0) this.#queues.delete(channel);
      this.#size--;
      if (refusal) first.reject(refusal);
      else first.resolve({ id: first.id, epoch: frame.epoch ?? 0, rev: frame.rev ?? 0, at: frame.at ?? 0, room: frame.room ?? "", playlist: frame.playlist ?? "" });
      this.#advance(channel);
      return true;
    }
    return false;
  }

  /** @param {string} channel */
  #advance(channel) {
    const first = this.#queues.get(channel)?.[0];
    if (!first || first.sent || first.retry !== undefined || !this.#clock.synced) return;
    first.id ||= newId("cmd", this.#clock.now());
    first.sent = this.#send({ type: "cmd", id: first.id, channel, verb: first.verb, body: first.body });
  }
}
