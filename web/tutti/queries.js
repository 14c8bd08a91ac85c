import { Refusal } from "./errors.js";

/** @typedef {import("./types.js").ServerFrame} ServerFrame */
/**
 * @typedef {"rooms" | "members" | "tracks" | "users" | "playlists" | "history" | "people" | "user" |
 *   "followers" | "following" | "plays" | "heard"} Query
 */
/** @typedef {{frame: object, sent: boolean, timer: ReturnType<typeof setTimeout>, resolve: (result: any) => void, reject: (err: Refusal) => void}} Open */

/** The most queries without an answer; a further one is refused as busy. */
const OPEN = 32;
/** How long an answer is waited for. */
const PATIENCE_MS = 15_000;

/** Questions over the socket. One whose answer was lost with the socket is asked again. */
export class Queries {
  /** @type {Map<string, Open>} */
  #open = new Map();
  #count = 0;
  #send;

  /** @param {(frame: object) => boolean} send */
  constructor(send) {
    this.#send = send;
  }

  /**
   * @param {Query} query
   * @param {object} body
   * @returns {Promise<any>} what the HTTP path of that query answers; rejects with a Refusal
   */
  ask(query, body) {
    if (this.#open.size >= OPEN) return Promise.reject(new Refusal("busy", "Too many questions are open."));
    return new Promise((resolve, reject) => {
      const id = `q${++this.#count}`;
      const timer = setTimeout(() => {
        this.#open.delete(id);
        reject(new Refusal("unavailable", "No answer came in time.", { retry: true }));
      }, PATIENCE_MS);
      const frame = { type: "qry", id, query, body };
      this.#open.set(id, { frame, sent: this.#send(frame), timer, resolve, reject });
    });
  }

  flush() {
    for (const one of this.#open.values()) if (!one.sent) one.sent = this.#send(one.frame);
  }

  lost() {
    for (const one of this.#open.values()) one.sent = false;
  }

  /**
   * @param {ServerFrame} frame
   * @returns {boolean} whether it answers one of these
   */
  answer(frame) {
    const one = this.#open.get(frame.id ?? "");
    if (!one) return false;
    this.#open.delete(frame.id ?? "");
    clearTimeout(one.timer);
    if (frame.type === "err") one.reject(Refusal.fromFrame(frame));
    else one.resolve(frame.result);
    return true;
  }
}
