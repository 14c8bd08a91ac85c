import { Emitter } from "./emitter.js";
import { Refusal } from "./errors.js";
import { vault as originVault } from "./vault.js";

/** @typedef {import("./types.js").Account} Account */
/** @typedef {import("./types.js").Grant} Grant */
/** @typedef {{access: string, refresh: string, expiresAt: number, user: Account}} Saved */
/** @typedef {{used: string, saved: Saved}} Rotation what a refresh token was exchanged for */

/** An access token with less than this left is replaced before it is used. */
const FRESH_MS = 60_000;
/** Where a browser has no locks, how long one tab may hold the refresh for itself. */
const LEASE_MS = 10_000;
/** How many exchanges are remembered, for tabs that hear late of them. */
const ROTATIONS = 8;

/**
 * Who is signed in, kept in storage and shared by every tab of the origin. A refresh token
 * works once, so all tabs together have one refresh under way: under navigator.locks, or
 * under a lease in the vault where the browser has none (plain http on another machine). The
 * vault also tells what a token was exchanged for: storage may not show it to this tab yet.
 *
 * Events: change (somebody else is signed in, or nobody), renamed (the same user has another
 * nickname).
 *
 * @extends {Emitter<{change: Account | null, renamed: Account}>}
 */
export class Session extends Emitter {
  #storage;
  #key;
  #refreshWith;
  #vault;
  /** @type {Saved | null} */
  #saved = null;
  /** @type {Promise<void> | null} */
  #refreshing = null;

  /**
   * @param {Pick<Storage, "getItem" | "setItem" | "removeItem">} storage
   * @param {(refreshToken: string) => Promise<Grant>} refreshWith asks the server
   * @param {string} [key]
   * @param {import("./vault.js").Vault} [vault]
   */
  constructor(storage, refreshWith, key = "tutti.session", vault = originVault()) {
    super();
    this.#storage = storage;
    this.#refreshWith = refreshWith;
    this.#vault = vault;
    this.#key = key;
    this.#saved = this.#read();
    globalThis.addEventListener?.("storage", (event) => {
      const { key: changed } = /** @type {StorageEvent} */ (event);
      if (changed === key || changed === null) this.#adopt();
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

  /**
   * Whoever is signed in has another nickname.
   *
   * @param {string} nickname
   */
  rename(nickname) {
    this.#adopt();
    if (this.#saved && this.#saved.user.nickname !== nickname) this.#set({ ...this.#saved, user: { ...this.#saved.user, nickname } });
  }

  /** Forgets who was signed in, in every tab. */
  clear() {
    this.#set(null);
    this.#vault.swap(`${this.#key}.rotations`, () => []).catch(() => {}); // they are of no use any more
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
      const rotations = `${this.#key}.rotations`;
      /** @type {Rotation[]} */
      const done = (await this.#vault.swap(rotations, (old) => old)) ?? [];
      const latest = follow(this.#saved, done);
      if (latest !== this.#saved) {
        this.#set(latest); // another tab has, and storage does not show it yet
        if (latest.expiresAt - Date.now() >= FRESH_MS) return;
      }
      try {
        this.accept(await this.#refreshWith(latest.refresh));
      } catch (err) {
        const over = err instanceof Refusal && (err.code === "unauthenticated" || err.code === "token_reused");
        if (!over) throw err;
        this.clear();
        return;
      }
      const saved = this.#saved;
      await this.#vault.swap(rotations, (old) => [...(old ?? []), { used: latest.refresh, saved }].slice(-ROTATIONS));
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
      const held = await this.#vault.swap(lease, (old) => (old && old.until > Date.now() ? old : { me, until: Date.now() + LEASE_MS }));
      if (held.me === me) break;
      await pause(50 + Math.random() * 100);
    }
    try {
      await work();
    } finally {
      await this.#vault.swap(lease, (old) => (old?.me === me ? undefined : old));
    }
  }

  /** Takes over what another tab has written. */
  #adopt() {
    const before = this.user;
    this.#saved = this.#read();
    this.#tell(before);
  }

  /** @param {Saved | null} saved */
  #set(saved) {
    const before = this.user;
    this.#saved = saved;
    if (saved) this.#storage.setItem(this.#key, JSON.stringify(saved));
    else this.#storage.removeItem(this.#key);
    this.#tell(before);
  }

  /** @param {Account | null} before */
  #tell(before) {
    const { user } = this;
    if (user?.id !== before?.id) this.emit("change", user);
    else if (user && user.nickname !== before?.nickname) this.emit("renamed", user);
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

/**
 * @param {Saved} saved
 * @param {Rotation[]} rotations
 * @returns {Saved} what it was exchanged for, and that, to the end; itself if it was not
 */
function follow(saved, rotations) {
  const next = rotations.find(({ used }) => used === saved.refresh);
  return next ? follow(next.saved, rotations.filter((r) => r !== next)) : saved;
}
