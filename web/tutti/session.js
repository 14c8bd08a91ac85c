import { Emitter } from "./emitter.js";
import { Refusal } from "./errors.js";

/** @typedef {import("./types.js").Account} Account */
/** @typedef {import("./types.js").Grant} Grant */
/** @typedef {{access: string, refresh: string, expiresAt: number, user: Account}} Saved */

/** An access token with less than this left is replaced before it is used. */
const FRESH_MS = 60_000;
/** Where a browser has no locks, how long one tab may hold the refresh for itself. */
const LEASE_MS = 10_000;

/**
 * Who is signed in, kept in storage and shared by every tab of the origin. A refresh token
 * works once, so all tabs together have one refresh under way: under navigator.locks, or
 * under a lease in storage where the browser has none (plain http on another machine).
 *
 * @extends {Emitter<{change: Account | null}>}
 */
export class Session extends Emitter {
  #storage;
  #key;
  #refreshWith;
  /** @type {Saved | null} */
  #saved = null;
  /** @type {Promise<void> | null} */
  #refreshing = null;

  /**
   * @param {Pick<Storage, "getItem" | "setItem" | "removeItem">} storage
   * @param {(refreshToken: string) => Promise<Grant>} refreshWith asks the server
   * @param {string} [key]
   */
  constructor(storage, refreshWith, key = "tutti.session") {
    super();
    this.#storage = storage;
    this.#refreshWith = refreshWith;
    this.#key = key;
    this.#saved = this.#read();
    globalThis.addEventListener?.("storage", (event) => {
      if (/** @type {StorageEvent} */ (event).key === key) this.#adopt();
    });
  }

  /** @returns {Account | null} null for a guest */
  get user() {
    return this.#saved?.user ?? null;
  }

  /** @returns {string} "" for a guest */
  get refreshToken() {
    return this.#saved?.refresh ?? "";
  }

  /** @param {Grant} grant */
  accept(grant) {
    this.#set({
      access: grant.access_token,
      refresh: grant.refresh_token,
      expiresAt: Date.now() + grant.expires_in * 1000,
      user: grant.user,
    });
  }

  /** Forgets who was signed in, in every tab. */
  clear() {
    this.#set(null);
  }

  /**
   * @param {{force?: boolean}} [options] force replaces the token whatever time it has left
   * @returns {Promise<string>} an access token that is good for a while; "" for a guest
   */
  async token({ force = false } = {}) {
    this.#adopt();
    if (!this.#saved) return "";
    if (force || this.#saved.expiresAt - Date.now() < FRESH_MS) {
      this.#refreshing ??= this.#refresh(this.#saved.refresh).finally(() => { this.#refreshing = null; });
      await this.#refreshing;
    }
    return this.#saved?.access ?? "";
  }

  /** @param {string} known the refresh token that seemed due when this began */
  async #refresh(known) {
    await this.#alone(async () => {
      this.#adopt();
      if (!this.#saved || this.#saved.refresh !== known) return; // another tab has done it
      try {
        this.accept(await this.#refreshWith(known));
      } catch (err) {
        const over = err instanceof Refusal && (err.code === "unauthenticated" || err.code === "token_reused");
        if (!over) throw err;
        this.clear();
      }
    });
  }

  /** @param {() => Promise<void>} work */
  async #alone(work) {
    const locks = globalThis.navigator?.locks;
    if (locks) {
      await locks.request(`${this.#key}.refresh`, work);
      return;
    }
    const lease = `${this.#key}.lease`;
    const me = Math.random().toString(36).slice(2);
    for (;;) {
      const held = JSON.parse(this.#storage.getItem(lease) ?? "null");
      if (!held || held.until < Date.now()) {
        this.#storage.setItem(lease, JSON.stringify({ me, until: Date.now() + LEASE_MS }));
        await pause(50); // whoever wrote last in that time has it
        if (JSON.parse(this.#storage.getItem(lease) ?? "null")?.me === me) break;
      }
      await pause(100 + Math.random() * 100);
    }
    try {
      await work();
    } finally {
      this.#storage.removeItem(lease);
    }
  }

  /** Takes over what another tab has written. */
  #adopt() {
    const before = this.user?.id;
    this.#saved = this.#read();
    if (this.user?.id !== before) this.emit("change", this.user);
  }

  /** @param {Saved | null} saved */
  #set(saved) {
    const before = this.user?.id;
    this.#saved = saved;
    if (saved) this.#storage.setItem(this.#key, JSON.stringify(saved));
    else this.#storage.removeItem(this.#key);
    if (this.user?.id !== before) this.emit("change", this.user);
  }

  /** @returns {Saved | null} */
  #read() {
    try {
      const saved = JSON.parse(this.#storage.getItem(this.#key) ?? "null");
      return saved?.refresh && saved?.user?.id ? saved : null;
    } catch {
      return null; // somebody else's text under our key counts as nothing
    }
  }
}

/** @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
