import { forgetChats } from "./chat-memory.js";

/** How many people met are remembered, to be invited. */
const MET = 24;
const MET_KEY = "tutti.met";

/**
 * The names and pictures that belong to user ids, live: who changes theirs shows the new one in
 * every view that names them.
 */
export class Names {
  #client;
  /** @type {{id: string, name: string}[] | null} what storage holds; null if it was not read */
  #met = null;

  /** @param {import("../tutti/client.js").Client} client */
  constructor(client) {
    this.#client = client;
    client.on("user", () => {
      this.#met = null;
      localStorage.removeItem(MET_KEY); // whom one met is nobody else's business
      forgetChats();
    });
  }

  /**
   * @param {string} id
   * @returns {string} the name, or "" while it is not known; listeners hear when it is
   */
  of(id) {
    const { user, users } = this.#client;
    if (user?.id === id) return user.nickname;
    const profile = users.of(id);
    if (profile) return profile.nickname;
    return id && users.answered(id) ? `Guest ${id.slice(-4)}` : "";
  }

  /**
   * @param {string} id
   * @returns {string} the address of somebody's picture, "" without one
   */
  picture(id) {
    return this.#client.users.of(id)?.avatarUrl ?? "";
  }

  /**
   * @param {() => void} listener called when names have come or changed
   * @returns {() => void} ends it
   */
  on(listener) {
    const ends = [this.#client.users.on("change", () => listener()), this.#client.on("renamed", () => listener())];
    return () => { for (const end of ends) end(); };
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
    const name = this.#client.users.known(id)?.nickname;
    if (!name || !this.#client.user || id === this.#client.user.id) return;
    const met = this.met();
    if (met.some((one) => one.id === id && one.name === name)) return;
    this.#met = [{ id, name }, ...met.filter((one) => one.id !== id)].slice(0, MET);
    localStorage.setItem(MET_KEY, JSON.stringify(this.#met));
  }
}
