import { Refusal } from "./errors.js";
import { Session } from "./session.js";

/** @typedef {import("./types.js").Account} Account */
/** @typedef {import("./types.js").Grant} Grant */
/** @typedef {import("./types.js").Profile} Profile */
/** @typedef {import("./types.js").RoomSummary} RoomSummary */
/** @typedef {import("./types.js").Track} Track */

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

  /** @returns {Promise<Profile>} */
  me() {
    return this.#asMe("GET", "/v1/me");
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
   * @returns {Promise<any>}
   */
  async #asMe(method, path) {
    try {
      return await this.#send(method, path, undefined, await this.session.token());
    } catch (err) {
      if (!(err instanceof Refusal) || err.code !== "unauthenticated" || !this.session.user) throw err;
      return this.#send(method, path, undefined, await this.session.token({ force: true }));
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
        // What changes something is repeated only if the server answered: without an answer it
        // may have taken effect.
        const again = err instanceof Refusal && err.retry && (method === "GET" || err.requestId !== "");
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
