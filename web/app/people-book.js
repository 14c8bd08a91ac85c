import { Emitter } from "../tutti/emitter.js";

/** How many of those whom one follows are read at once, and how many in all: as many as the server lets one follow. */
const PAGE = 100;
const MOST = 1_000;

/** @typedef {import("../tutti/client.js").Client} Client */

/**
 * Whom the user who is signed in follows, for all views together. It is read when it is first
 * wanted, and kept by what is done here.
 *
 * @extends {Emitter<{change: null}>}
 */
export class FollowBook extends Emitter {
  #client;
  /** @type {Map<string, boolean>} by user id, as far as it is known */
  #follows = new Map();
  /** Whether everybody whom the user follows is in it. */
  #whole = false;
  /** @type {Promise<void> | null} */
  #reading = null;
  /** @type {Set<string>} what is on its way */
  #pending = new Set();

  /** @param {Client} client */
  constructor(client) {
    super();
    this.#client = client;
    client.on("user", () => {
      this.#follows.clear();
      this.#whole = false;
      this.#reading = null;
      this.emit("change", null);
    });
  }

  /**
   * @param {string} id
   * @returns {boolean | null} whether the user follows somebody; null while it is not known
   */
  has(id) {
    return this.#follows.get(id) ?? (this.#whole ? false : null);
  }

  /** @param {string} id */
  waits(id) {
    return this.#pending.has(id);
  }

  /**
   * Takes in what the server said about somebody.
   *
   * @param {string} id
   * @param {boolean} follows
   */
  learn(id, follows) {
    if (this.#follows.get(id) === follows || this.#pending.has(id)) return;
    this.#follows.set(id, follows);
    this.emit("change", null);
  }

  /** Reads whom the user follows, once. A guest follows nobody. */
  read() {
    if (!this.#client.user || this.#whole) return;
    this.#reading ??= this.#readAll(this.#client.user.id).finally(() => { this.#reading = null; });
  }

  /** @param {string} me */
  async #readAll(me) {
    let cursor;
    let n = 0;
    try {
      do {
        /** @type {{profiles: import("../tutti/types.js").Profile[], next?: string}} */
        const page = await this.#client.query("following", { user: me, limit: PAGE, ...(cursor && { cursor }) });
        if (this.#client.user?.id !== me) return;
        for (const { id } of page.profiles) if (!this.#pending.has(id)) this.#follows.set(id, true);
        n += PAGE;
        cursor = page.next;
      } while (cursor && n < MOST);
      this.#whole = !cursor;
    } catch {
      return; // buttons stay away until it is known; the next view asks again
    }
    this.emit("change", null);
  }

  /**
   * Follows somebody, or no more. While that is on its way, a further change is nothing.
   *
   * @param {string} id
   * @param {boolean} follows
   * @returns {Promise<boolean>} whether it was done; rejects with a Refusal
   */
  async change(id, follows) {
    const me = this.#client.user?.id;
    if (this.#pending.has(id)) return false;
    this.#pending.add(id);
    this.emit("change", null);
    try {
      const answer = await (follows ? this.#client.http.follow(id) : this.#client.http.unfollow(id));
      if (this.#client.user?.id === me) this.#follows.set(id, answer.follows);
    } finally {
      this.#pending.delete(id);
      this.emit("change", null);
    }
    return true;
  }
}

/** @type {WeakMap<Client, FollowBook>} */
const books = new WeakMap();

/**
 * @param {Client} client
 * @returns {FollowBook} the one of the page
 */
export function followBook(client) {
  const book = books.get(client) ?? new FollowBook(client);
  books.set(client, book);
  return book;
}
