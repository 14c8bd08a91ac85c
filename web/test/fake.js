// A socket without a network, and a world for a client to live in.
import { Client } from "../tutti.js";
import { MemoryVault } from "../tutti/vault.js";

export class FakeSocket {
  readyState = 0;
  /** @type {any} */ onopen = null;
  /** @type {any} */ onmessage = null;
  /** @type {any} */ onclose = null;
  /** @type {any[]} what the client sent, pings left out */
  sent = [];
  pings = 0;

  /** @param {string} url @param {World} world */
  constructor(url, world) {
    this.url = url;
    this.world = world;
  }

  /** @param {string} data */
  send(data) {
    const frame = JSON.parse(data);
    if (frame.type === "ping") {
      this.pings++;
      if (this.world.answersPings) this.say({ type: "pong", sent: frame.sent, serverTime: Math.floor(this.world.serverTime()) });
      return;
    }
    this.sent.push(frame);
  }

  close() {
    this.readyState = 3;
  }

  open() {
    this.readyState = 1;
    this.onopen?.();
  }

  /** @param {object} frame */
  say(frame) {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  /** @param {number} code */
  break(code = 1006) {
    this.readyState = 3;
    this.onclose?.({ code });
  }

  /** The frames of a type. @param {string} type */
  of(type) {
    return this.sent.filter((f) => f.type === type);
  }

  /** Opens and welcomes. @param {object} [more] */
  welcome(more = {}) {
    this.open();
    this.say({ type: "welcome", id: this.sent[0].id, connection: "c1", silenceMs: 60000, ...more });
  }
}

export class MemoryStorage {
  /** @type {Map<string, string>} */ items = new Map();
  /** @param {string} key */ getItem(key) { return this.items.get(key) ?? null; }
  /** @param {string} key @param {string} value */ setItem(key, value) { this.items.set(key, value); }
  /** @param {string} key */ removeItem(key) { this.items.delete(key); }
}

/** The server's clock is ahead of the computer's by an hour and more. */
const AHEAD = 4_000_000;

export class World {
  /** @type {FakeSocket[]} */ sockets = [];
  answersPings = true;
  storage = new MemoryStorage();
  /** @type {{method: string, path: string, body: any}[]} */ asked = [];
  /** @type {(method: string, path: string, body: any) => [number, any]} */
  answers = () => [503, { code: "unavailable", detail: "down", retry: false }];

  /** @param {import("node:test").TestContext} t with mocked timers and Date */
  constructor(t) {
    t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_795_000_000_000 });
    this.timers = t.mock.timers;
    t.mock.method(Math, "random", () => 0.5);
    t.after(() => this.client.close());
  }

  serverTime() { return Date.now() + AHEAD; }

  /** @type {Client} */
  client = new Client("http://tutti.test", {
    storage: this.storage,
    vault: new MemoryVault(),
    monotonic: () => Date.now() - 1_794_000_000_000,
    open: (url) => {
      const socket = new FakeSocket(url, this);
      this.sockets.push(socket);
      return /** @type {any} */ (socket);
    },
    fetch: /** @type {any} */ (async (/** @type {string} */ url, /** @type {any} */ init) => {
      const path = url.replace("http://tutti.test", "");
      const body = init.body ? JSON.parse(init.body) : null;
      this.asked.push({ method: init.method, path, body });
      const [status, content] = this.answers(init.method, path, body);
      return new Response(status === 204 ? null : JSON.stringify(content), { status });
    }),
  });

  get socket() {
    return /** @type {FakeSocket} */ (this.sockets.at(-1));
  }

  /** Lets promises run, and time in small steps. @param {number} [ms] */
  async pass(ms = 0) {
    await settle();
    for (let step = 0; ms > 0; ms -= step) {
      step = Math.min(ms, ms > 5_000 ? 100 : 5);
      this.timers.tick(step);
      await settle();
    }
  }

  /** Connects and welcomes. @param {object} [more] */
  async connected(more) {
    this.client.connect();
    await settle();
    this.socket.welcome(more);
    await settle();
  }
}

/** Lets every promise that can go on go on. */
export async function settle() {
  for (let i = 0; i < 30; i++) await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
}

/** A grant as the server gives one. @param {string} name @param {number} n */
export function grant(name, n = 1) {
  return {
    access_token: `access-${name}-${n}`, refresh_token: `refresh-${name}-${n}`, token_type: "Bearer",
    expires_in: 900, refresh_expires_in: 86400,
    user: { id: `user_${name}`, email: `${name}@example.com`, nickname: name, created_at: 0 },
  };
}
