/** @typedef {import("../tutti/types.js").Profile} Profile */

/** How many names are kept; past it they are forgotten and asked for anew. */
const KEPT = 5_000;
/** How many are asked for at once, as the server allows. */
const PAGE = 100;
/** A name that was not there is asked for again after this: profiles follow accounts. */
const AGAIN_MS = 2_000;
const ATTEMPTS = 4;
/** How many people met are remembered, to be invited. */
const MET = 24;
const MET_KEY = "tutti.met";

/** The names that belong to user ids: asked for together, kept for all views. */
export class Names {
  #client;
  /** @type {Map<string, string>} */
  #known = new Map();
  /** @type {Map<string, number>} what is to be asked for, and how often it was */
  #wanted = new Map();
  /** @type {{id: string, name: string}[] | null} what storage holds; null if it was not read */
  #met = null;
  /** @type {Set<() => void>} */
  #listeners = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {import("../tutti/client.js").Client} client */
  constructor(client) {
    this.#client = client;
    client.on("user", () => {
      this.#met = null;
      localStorage.removeItem(MET_KEY); // whom one met is nobody else's business
    });
  }

  /**
   * @param {string} id
   * @returns {string} the name, or "" while it is not known; listeners hear when it is
   */
  of(id) {
    const me = this.#client.user;
    if (me?.id === id) return me.nickname;
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    if (id && !this.#wanted.has(id)) {
      this.#wanted.set(id, 0);
      this.#timer ??= setTimeout(() => this.#ask(), 20);
    }
    return "";
  }

  /**
   * @param {() => void} listener called when names have come
   * @returns {() => void} ends it
   */
  on(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @returns {{id: string, name: string}[]} people met before, the latest first */
  met() {
    if (!this.#met) {
      try {
        const met = JSON.parse(localStorage.getItem(MET_KEY) ?? "[]");
        this.#met = met.filter((/** @type {any} */ one) => one?.id && one?.name);
      } catch {
        this.#met = []; // not ours
      }
    }
    return (this.#met ?? []).filter((one) => one.id !== this.#client.user?.id);
  }

  /**
   * Remembers somebody who was in a room with this user. Who is remembered already keeps
   * their place, so that drawing a room again writes nothing.
   *
   * @param {string} id
   */
  meet(id) {
    const name = this.#known.get(id);
    if (!name || !this.#client.user || id === this.#client.user.id) return;
    const met = this.met();
    if (met.some((one) => one.id === id && one.name === name)) return;
    this.#met = [{ id, name }, ...met.filter((one) => one.id !== id)].slice(0, MET);
    localStorage.setItem(MET_KEY, JSON.stringify(this.#met));
  }

  async #ask() {
    const ids = [...this.#wanted.keys()].slice(0, PAGE);
    try {
      for (const profile of await this.#client.http.users(ids)) {
        if (this.#known.size >= KEPT) this.#known.clear();
        this.#known.set(profile.id, profile.nickname);
        this.#wanted.delete(profile.id);
      }
    } catch {
      // Names are not worth a message: they are asked for again, and ids stand in for them.
    }
    for (const id of ids) {
      const asked = this.#wanted.get(id);
      if (asked === undefined) continue;
      if (asked + 1 >= ATTEMPTS) {
        this.#wanted.delete(id);
        this.#known.set(id, `Guest ${id.slice(-4)}`);
      } else this.#wanted.set(id, asked + 1);
    }
    this.#timer = this.#wanted.size > 0 ? setTimeout(() => this.#ask(), AGAIN_MS) : undefined;
    for (const listener of [...this.#listeners]) listener();
  }
}
