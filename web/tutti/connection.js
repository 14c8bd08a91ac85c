import { Emitter } from "./emitter.js";
import { Refusal, close, comeBack } from "./errors.js";
import { backoff } from "./backoff.js";

/** @typedef {import("./types.js").ServerFrame} ServerFrame */
/**
 * idle: never asked to connect, or stopped. connecting: a socket is being opened, or waits for
 * welcome. live: welcome was heard. waiting: broken, the next attempt is due at retryAt. closed:
 * the server does not want this client back; reason says why.
 * @typedef {"idle" | "connecting" | "live" | "waiting" | "closed"} State
 * @typedef {{state: State, retryAt: number, reason: Refusal | null}} Status
 */

/** How long opening and hello may take together. */
const HELLO_MS = 10_000;
/** Pings of one round, and how far apart they are. */
const ROUND = 5;
const ROUND_GAP_MS = 40;
/** How often the clock is measured anew, and the connection shown to be alive. */
const MEASURE_MS = 30_000;
/** Without any frame for this long after a ping the connection is given up. */
const DEAD_MS = 5_000;
/** What was asked and has no answer for this long makes for a ping before its time. */
const DOUBT_MS = 3_000;
/** A token is replaced this long before it expires, or after half of what it had left. */
const REHELLO_MS = 60_000;
/** A connection that lived this long starts the back-off from its beginning. */
const STABLE_MS = 10_000;

/**
 * One socket to the server that is opened again whenever it breaks, with growing, random
 * pauses, unless the server says not to come back. It greets, keeps the greeting fresh,
 * measures the clock, and hands every other frame on.
 *
 * @extends {Emitter<{status: Status, welcome: ServerFrame, frame: ServerFrame, lost: null}>}
 */
export class Connection extends Emitter {
  #url;
  #session;
  #clock;
  #open;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {Status} */
  #status = { state: "idle", retryAt: 0, reason: null };
  #attempt = 0;
  #liveSince = 0;
  #refused = false;
  #helloId = 0;
  /** @type {Map<string, ReturnType<typeof setTimeout>>} every timer under way, by its purpose */
  #timers = new Map();

  /**
   * @param {string} url ws: or wss:
   * @param {import("./session.js").Session} session
   * @param {import("./clock.js").Clock} clock
   * @param {(url: string) => WebSocket} [open]
   */
  constructor(url, session, clock, open = (url) => new WebSocket(url)) {
    super();
    this.#url = url;
    this.#session = session;
    this.#clock = clock;
    this.#open = open;
  }

  /** @returns {Status} */
  get status() {
    return this.#status;
  }

  get live() {
    return this.#status.state === "live";
  }

  /** Connects, unless it is connected or on the way. */
  start() {
    if (this.#status.state === "idle" || this.#status.state === "closed") this.#connect();
  }

  /** Makes the attempt that is being waited for now: the network is back, or a person asks. */
  hurry() {
    if (this.#status.state === "waiting") this.#connect();
    else if (this.live) this.measure();
  }

  /** Leaves and connects anew: who is signed in has changed. */
  restart() {
    if (this.#status.state === "idle") return;
    this.#attempt = 0;
    this.#drop();
    this.#connect();
  }

  /** Leaves for good; start begins again. */
  stop() {
    this.#drop();
    this.#set("idle");
  }

  /**
   * @param {object} frame
   * @returns {boolean} false if there is no live socket to write to
   */
  send(frame) {
    const sent = this.live && this.#write(frame);
    if (sent && !this.#timers.has("doubt")) this.#after("doubt", DOUBT_MS, () => this.measure());
    return sent;
  }

  /** Whether anybody is there is to be shown now: the device says that its network is gone. */
  doubt() {
    if (this.live) this.measure();
  }

  /** Measures the clock with a round of pings, and thereby shows whether anybody is there. */
  measure() {
    const socket = this.#socket;
    if (!socket) return;
    let left = ROUND;
    const ping = () => {
      if (socket !== this.#socket) return;
      if (left-- === 0) {
        this.#clock.settle();
        this.#after("measure", MEASURE_MS, () => this.measure());
        return;
      }
      this.#write({ type: "ping", sent: this.#clock.monotonic() });
      this.#after("measure", ROUND_GAP_MS, ping);
    };
    // A second round is no second chance.
    if (!this.#timers.has("dead")) this.#after("dead", DEAD_MS, () => this.#lost(1006));
    ping();
  }

  async #connect() {
    this.#drop();
    this.#set("connecting");
    const attempt = {};
    this.#current = attempt;
    let token;
    try {
      token = await this.#session.token({ force: this.#refused });
    } catch {
      if (this.#current === attempt) this.#wait(0);
      return;
    }
    if (this.#current !== attempt) return;
    let socket;
    try {
      socket = this.#open(this.#url);
    } catch (err) {
      this.#close(new Refusal("invalid", `The address ${this.#url} cannot be connected to: ${err}`));
      return;
    }
    this.#socket = socket;
    socket.onopen = () => this.#hello(token);
    socket.onmessage = (event) => {
      if (socket === this.#socket) this.#receive(event.data);
    };
    socket.onclose = (event) => {
      if (socket === this.#socket) this.#lost(event.code);
    };
    this.#after("hello", HELLO_MS, () => this.#lost(1006));
  }

  /** What #connect is at work on; another one takes its place. */
  #current = {};

  /** @param {string} token */
  #hello(token) {
    this.#write({ type: "hello", id: `hello${++this.#helloId}`, ...(token && { token }) });
  }

  /** @param {string} data */
  #receive(data) {
    const received = this.#clock.monotonic();
    this.#cancel("dead"); // somebody is there
    this.#cancel("doubt");
    /** @type {ServerFrame} */
    const frame = JSON.parse(data);
    if (frame.type === "pong") {
      this.#clock.sample(frame.sent ?? NaN, received, frame.serverTime ?? NaN);
      this.emit("frame", frame);
    } else if (frame.type === "welcome") {
      this.#welcome(frame);
    } else if (frame.type === "err" && frame.id === `hello${this.#helloId}`) {
      const refusal = Refusal.fromFrame(frame);
      this.#lost(refusal.code === "unauthenticated" ? close.unauthenticated : 1006);
    } else {
      this.emit("frame", frame);
    }
  }

  /** @param {ServerFrame} frame */
  #welcome(frame) {
    this.#cancel("hello");
    this.#refused = false;
    const left = frame.expiresAt && frame.serverTime ? frame.expiresAt - frame.serverTime : 0;
    const life = left || (frame.expiresAt ? frame.expiresAt - this.#clock.now() : 0);
    if (life > 0) this.#after("rehello", Math.max(life / 2, life - REHELLO_MS), () => this.#rehello());
    if (this.live) return; // the answer to a later hello
    this.#liveSince = this.#clock.monotonic();
    this.#set("live");
    this.measure();
    this.emit("welcome", frame);
  }

  async #rehello() {
    const socket = this.#socket;
    try {
      const token = await this.#session.token({ force: true });
      if (socket === this.#socket && this.live && token) this.#hello(token);
    } catch {
      // The server closes with 4003 when the old token ends; a fresh one is tried for then.
      if (socket === this.#socket) this.#after("rehello", 5_000, () => this.#rehello());
    }
  }

  /** @param {number} code */
  #lost(code) {
    const lived = this.live && this.#clock.monotonic() - this.#liveSince >= STABLE_MS;
    if (lived) this.#attempt = 0;
    this.#drop();
    if (code === close.unauthenticated && !this.#refused && this.#session.user) {
      this.#refused = true; // once more with a fresh token, which may turn out a guest
      this.#wait(0);
    } else if (code === close.otherUser) {
      this.#wait(0);
    } else if (!comeBack(code)) {
      this.#close(new Refusal(code === close.unauthenticated ? "unauthenticated" : "closed", `The server closed the connection (${code}).`));
    } else {
      // 4004 to 4006 ask for a pause.
      this.#wait(code >= 4004 && code <= 4006 ? 1_000 : 0);
    }
  }

  /** @param {number} least milliseconds */
  #wait(least) {
    const pause = Math.max(least, backoff(this.#attempt++));
    this.#set("waiting", { retryAt: this.#clock.monotonic() + pause });
    this.#after("retry", pause, () => this.#connect());
  }

  /** @param {Refusal} reason */
  #close(reason) {
    this.#drop();
    this.#set("closed", { reason });
  }

  /** Lets go of the socket, without a word about it to anybody but those who wait. */
  #drop() {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#current = {};
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(1000);
    this.emit("lost", null);
  }

  /** @param {object} frame */
  #write(frame) {
    const socket = this.#socket;
    if (!socket || socket.readyState !== 1) return false;
    socket.send(JSON.stringify(frame));
    return true;
  }

  /**
   * @param {State} state
   * @param {Partial<Status>} [more]
   */
  #set(state, more = {}) {
    if (state === this.#status.state && state !== "waiting") return;
    this.#status = { state, retryAt: 0, reason: null, ...more };
    this.emit("status", this.#status);
  }

  /**
   * @param {string} purpose
   * @param {number} ms
   * @param {() => void} then
   */
  #after(purpose, ms, then) {
    this.#cancel(purpose);
    this.#timers.set(purpose, setTimeout(() => { this.#timers.delete(purpose); then(); }, ms));
  }

  /** @param {string} purpose */
  #cancel(purpose) {
    clearTimeout(this.#timers.get(purpose));
    this.#timers.delete(purpose);
  }
}
