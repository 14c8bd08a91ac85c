import { Refusal } from "./errors.js";
import { Session } from "./session.js";

/** @typedef {import("./types.js").Account} Account */
/** @typedef {import("./types.js").Grant} Grant */
/** @typedef {import("./types.js").ChatHistoryPage} ChatHistoryPage */
/** @typedef {import("./types.js").Person} Person */
/** @typedef {import("./types.js").PlaylistSummary} PlaylistSummary */
/** @typedef {import("./types.js").Profile} Profile */
/** @typedef {import("./types.js").RoomSummary} RoomSummary */
/** @typedef {import("./types.js").Track} Track */

/** @typedef {{cursor?: string, limit?: number}} Page */
/** @typedef {{profiles: Profile[], next?: string}} ProfilePage */
/**
 * @template State
 * @template You
 * @typedef {{epoch: number, rev: number, at: number, serverTime: number, hash: string, state: State, you?: You}} Read
 */

/** How often a request is made that is answered "again". */
const ATTEMPTS = 4;
/** The longest pause between two attempts; what asks for more is given up. */
const LONGEST_PAUSE_MS = 5_000;

/**
 * The HTTP half of the API: accounts, and reads that need no socket. Every method throws a
 * Refusal; code unavailable also stands for a server that cannot be reached.
 */
export class Http {
  #base;
  #fetch;
  /** Who is signed in. */
  session;

  /**
   * @param {string} base for example "https://tutti.example", without a slash at the end
   * @param {{fetch?: typeof fetch, storage?: Pick<Storage, "getItem" | "setItem" | "removeItem">,
   *   vault?: import("./vault.js").Vault}} [options]
   */
  constructor(base, { fetch = (...args) => globalThis.fetch(...args), storage = globalThis.localStorage, vault } = {}) {
    this.#base = base;
    this.#fetch = fetch;
    this.session = new Session(storage, (refresh_token) => this.#send("POST", "/v1/auth/refresh", { refresh_token }), undefined, vault);
  }

  /**
   * @param {{email: string, nickname: string, password: string, request_id?: string}} who
   *   request_id is made once for an account, and lets a repeat get the same one
   * @returns {Promise<Account>}
   */
  async register(who) {
    return this.#enter(await this.#send("POST", "/v1/auth/register", who));
  }

  /**
   * @param {{email: string, password: string}} who
   * @returns {Promise<Account>}
   */
  async login(who) {
    return this.#enter(await this.#send("POST", "/v1/auth/login", who));
  }

  /** Signs out here, in every tab; the server is told if it can be reached. */
  async logout() {
    const refresh_token = this.session.refreshToken;
    this.session.clear();
    if (refresh_token) await this.#send("POST", "/v1/auth/logout", { refresh_token }).catch(() => {});
  }

  /**
   * @param {string} [query]
   * @param {number} [limit]
   * @returns {Promise<Track[]>}
   */
  async tracks(query = "", limit = 50) {
    return (await this.#send("GET", `/v1/tracks?${params({ query, limit })}`)).tracks;
  }

  /**
   * @param {string[]} ids
   * @returns {Promise<Profile[]>} without those that are not there
   */
  async users(ids) {
    if (ids.length === 0) return [];
    return (await this.#asMe("GET", `/v1/users?${params({ ids: ids.join(",") })}`)).profiles;
  }

  /** @returns {Promise<Person>} */
  me() {
    return this.#asMe("GET", "/v1/me");
  }

  /**
   * @param {string} id
   * @returns {Promise<Person>}
   */
  user(id) {
    return this.#asMe("GET", `/v1/users/${encodeURIComponent(id)}`);
  }

  /**
   * @param {{prefix: string, limit?: number, cursor?: string}} options the beginning of the nickname,
   *   one character or more
   * @returns {Promise<ProfilePage>}
   */
  people(options) {
    return this.#asMe("GET", `/v1/people?${params(options)}`);
  }

  /**
   * @param {string} user
   * @param {Page} [page]
   * @returns {Promise<ProfilePage>} forbidden where the user keeps it to themselves
   */
  followers(user, page = {}) {
    return this.#asMe("GET", `/v1/users/${encodeURIComponent(user)}/followers?${params(page)}`);
  }

  /**
   * @param {string} user
   * @param {Page} [page]
   * @returns {Promise<ProfilePage>} forbidden where the user keeps it to themselves
   */
  following(user, page = {}) {
    return this.#asMe("GET", `/v1/users/${encodeURIComponent(user)}/following?${params(page)}`);
  }

  /**
   * Follows somebody; again is nothing.
   *
   * @param {string} user
   * @returns {Promise<{follows: boolean}>}
   */
  follow(user) {
    return this.#asMe("PUT", `/v1/users/${encodeURIComponent(user)}/follow`);
  }

  /**
   * @param {string} user
   * @returns {Promise<{follows: boolean}>}
   */
  unfollow(user) {
    return this.#asMe("DELETE", `/v1/users/${encodeURIComponent(user)}/follow`);
  }

  /**
   * Changes what whoever is signed in shows of themselves; what is left out stays.
   *
   * @param {{bio?: string, avatarUrl?: string, relations?: string, heard?: string, rev?: number}} change
   *   rev is the revision it was made from: conflict if there is a newer one
   * @returns {Promise<Profile>}
   */
  setProfile(change) {
    return this.#asMe("PATCH", "/v1/me/profile", change);
  }

  /**
   * @param {string} nickname
   * @returns {Promise<{nickname: string}>} refused with invalid, nickname_taken or busy
   */
  async setNickname(nickname) {
    const answer = await this.#asMe("PUT", "/v1/me/nickname", { nickname });
    this.session.rename(answer.nickname);
    return answer;
  }

  /**
   * What somebody has heard, the newest first.
   *
   * @param {string} user
   * @param {Page} [page]
   * @returns {Promise<import("./types.js").HeardPage>} forbidden where the user keeps it to themselves
   */
  heard(user, page = {}) {
    return this.#asMe("GET", `/v1/users/${encodeURIComponent(user)}/heard?${params(page)}`);
  }

  /**
   * What a room has played, the newest first.
   *
   * @param {string} room
   * @param {Page} [page]
   * @returns {Promise<import("./types.js").PlaysPage>}
   */
  plays(room, page = {}) {
    return this.#asMe("GET", `/v1/rooms/${encodeURIComponent(room)}/plays?${params(page)}`);
  }

  /**
   * @param {{of?: "all" | "mine" | "user", user?: string, prefix?: string} & Page} [options]
   * @returns {Promise<{playlists: PlaylistSummary[], next?: string}>}
   */
  playlists(options = {}) {
    return this.#asMe("GET", `/v1/playlists?${params(options)}`);
  }

  /**
   * The playlist as the server has it now.
   *
   * @param {string} id
   * @returns {Promise<Read<import("./types.js").PlaylistState, import("./types.js").PlaylistYou>>}
   */
  playlist(id) {
    return this.#asMe("GET", `/v1/playlists/${encodeURIComponent(id)}`);
  }

  /**
   * The chat of a room or playlist as the server has it now.
   *
   * @param {string} id
   * @returns {Promise<Read<import("./types.js").ChatState, import("./types.js").ChatYou>>}
   */
  chat(id) {
    return this.#asMe("GET", `/v1/chats/${encodeURIComponent(id)}`);
  }

  /**
   * @param {string} chat
   * @param {{before?: string, after?: string, limit?: number}} [options]
   * @returns {Promise<ChatHistoryPage>}
   */
  messages(chat, options = {}) {
    return this.#asMe("GET", `/v1/chats/${encodeURIComponent(chat)}/messages?${params(options)}`);
  }

  /**
   * @param {{prefix?: string, limit?: number, cursor?: string}} [options]
   * @returns {Promise<{rooms: RoomSummary[], next?: string}>}
   */
  rooms(options = {}) {
    return this.#asMe("GET", `/v1/rooms?${params(options)}`);
  }

  /**
   * The room as the server has it now.
   *
   * @param {string} id
   * @returns {Promise<{epoch: number, rev: number, state: import("./types.js").RoomState, hash: string, serverTime: number}>}
   */
  room(id) {
    return this.#asMe("GET", `/v1/rooms/${encodeURIComponent(id)}`);
  }

  /** @param {Grant} grant */
  #enter(grant) {
    this.session.accept(grant);
    return grant.user;
  }

  /**
   * Asks as whoever is signed in, with a fresh token if the one there was is refused.
   *
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @returns {Promise<any>}
   */
  async #asMe(method, path, body) {
    try {
      return await this.#send(method, path, body, await this.session.token());
    } catch (err) {
      if (!(err instanceof Refusal) || err.code !== "unauthenticated" || !this.session.user) throw err;
      return this.#send(method, path, body, await this.session.token({ force: true }));
    }
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @param {string} [token]
   * @returns {Promise<any>}
   */
  async #send(method, path, body, token) {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#once(method, path, body, token);
      } catch (err) {
        // What may not be done twice is repeated only if the server answered: without an answer
        // it may have taken effect.
        const harmless = method === "GET" || method === "PUT" || method === "DELETE";
        const again = err instanceof Refusal && err.retry && (harmless || err.requestId !== "");
        if (!again || attempt >= ATTEMPTS || err.retryMs > LONGEST_PAUSE_MS) throw err;
        const pause = Math.max(err.retryMs, Math.random() * 250 * 2 ** attempt);
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @param {string} [token]
   * @returns {Promise<any>}
   */
  async #once(method, path, body, token) {
    /** @type {Record<string, string>} */
    const headers = {};
    if (body) headers["Content-Type"] = "application/json";
    if (token) headers["Authorization"] = `Bearer ${token}`;
    let answer;
    try {
      answer = await this.#fetch(this.#base + path, {
        method, headers, body: body ? JSON.stringify(body) : null, credentials: "omit",
      });
    } catch {
      throw new Refusal("unavailable", "The server cannot be reached. Check the connection and try again.", { retry: true });
    }
    if (answer.status === 204) return null;
    const content = await answer.json().catch(() => null);
    if (answer.ok && content) return content;
    throw new Refusal(content?.code ?? "internal", content?.detail ?? `The server answered ${answer.status}.`, {
      field: content?.field,
      retry: content?.retry ?? false,
      retryMs: 1000 * Number(answer.headers.get("Retry-After") ?? 0) || 0,
      requestId: content?.request_id,
    });
  }
}

/**
 * @param {Record<string, string | number | undefined>} values
 * @returns {string}
 */
function params(values) {
  const out = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== undefined && value !== "") out.set(name, String(value));
  return out.toString();
}
