import { Aggregate } from "./aggregate.js";

/** @typedef {import("./types.js").ChatEntry} ChatEntry */
/** @typedef {import("./types.js").ChatState} ChatState */
/** @typedef {import("./types.js").ChatYou} ChatYou */

/** How long somebody counts as typing after they said so. */
const TYPING_MS = 5_000;
/** How often it is worth saying: the server drops more than one a second. */
const TELL_MS = 2_500;
/** How many are remembered as typing; whoever else begins is left out. */
const TYPISTS = 100;

/**
 * A chat as it is followed: the last page of its messages, and who is typing. Who types
 * begins and ends with the event change, as everything else that is drawn.
 *
 * @extends {Aggregate<ChatState, ChatYou>}
 */
export class Chat extends Aggregate {
  #say;
  #ask;
  #toldAt = -Infinity;
  /** @type {Map<string, ReturnType<typeof setTimeout>>} who types, until when */
  #typing = new Map();

  /**
   * @param {string} id the room's or playlist's
   * @param {(frame: object) => boolean} send
   * @param {import("./aggregate.js").Submit} submit
   * @param {(query: "history", body: object) => Promise<any>} ask
   */
  constructor(id, send, submit, ask) {
    super("chat", id, send, submit);
    this.#say = send;
    this.#ask = ask;
    this.on("live", ({ kind, user }) => { if (kind === "typing") this.#types(user); });
    this.on("events", ({ events }) => {
      for (const { type, by } of events) if (type === "message.sent") this.#stopped(by);
    });
  }

  /**
   * @returns {ChatEntry[]} the last page as this user sees it, the oldest first: what only they
   *   see stands in place of, or beside, what everybody sees
   */
  messages() {
    const all = { ...this.state?.messages, ...this.you?.messages };
    return Object.entries(all).map(([id, message]) => ({ id, ...message })).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /**
   * A page of what was said, the oldest first.
   *
   * @param {{before?: string, after?: string, limit?: number}} [options] before or after a message
   * @returns {Promise<import("./types.js").ChatHistoryPage>}
   */
  history(options = {}) {
    return this.#ask("history", { chat: this.id, ...options });
  }

  /** Tells the others that this user types; to be called on every key. */
  typing() {
    const now = Date.now();
    if (this.status !== "live" || !this.you?.maySend || Math.abs(now - this.#toldAt) < TELL_MS) return;
    if (this.#say({ type: "live", channel: this.channel, kind: "typing" })) this.#toldAt = now;
  }

  /** What was typed was sent: the next key tells anew. */
  typed() {
    this.#toldAt = -Infinity;
  }

  /** @returns {string[]} the users that are typing */
  typists() {
    return [...this.#typing.keys()];
  }

  /** @override */
  forget() {
    super.forget();
    this.#silence();
  }

  /** @override */
  lost() {
    super.lost();
    this.#silence();
  }

  /** @override */
  leave() {
    super.leave();
    this.#silence();
  }

  #silence() {
    for (const timer of this.#typing.values()) clearTimeout(timer);
    this.#typing.clear();
  }

  /** @param {string} user */
  #types(user) {
    const before = this.#typing.get(user);
    if (before === undefined && this.#typing.size >= TYPISTS) return;
    clearTimeout(before);
    this.#typing.set(user, setTimeout(() => this.#stopped(user), TYPING_MS));
    if (before === undefined) this.emit("change", null);
  }

  /** @param {string} user */
  #stopped(user) {
    const timer = this.#typing.get(user);
    if (timer === undefined) return;
    clearTimeout(timer);
    this.#typing.delete(user);
    this.emit("change", null);
  }
}
