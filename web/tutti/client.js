import { Chat } from "./chat.js";
import { Clock } from "./clock.js";
import { Connection } from "./connection.js";
import { Emitter } from "./emitter.js";
import { Refusal } from "./errors.js";
import { Http } from "./http.js";
import { LiveQuery } from "./live.js";
import { newId } from "./ids.js";
import { Outbox } from "./outbox.js";
import { Playlist } from "./playlist.js";
import { Queries } from "./queries.js";
import { Room } from "./room.js";
import { Users } from "./users.js";

/** @typedef {import("./types.js").Account} Account */
/** @typedef {import("./types.js").PlaylistPerson} PlaylistPerson */
/** @typedef {import("./types.js").RoomInvite} RoomInvite */
/** @typedef {import("./types.js").RoomSummary} RoomSummary */
/** @typedef {import("./types.js").ServerFrame} ServerFrame */
/** @typedef {import("./connection.js").Status} Status */
/** @typedef {{follow: import("./follow.js").Follow<any>, holders: number}} Held */

/**
 * One client of one server: accounts over HTTP, everything live over one socket.
 *
 *     const client = new Client();
 *     await client.login({email, password});
 *     const room = client.room(id);
 *     room.on("change", () => draw(room.state, room.you));
 *     await room.command("vote", {track: "demo:aurora"});
 *
 * Events: status (the connection's), user (who is signed in; null for a guest), renamed (who is
 * signed in has another nickname now).
 *
 * @extends {Emitter<{status: Status, user: Account | null, renamed: Account}>}
 */
export class Client extends Emitter {
  clock;
  http;
  /** The profiles of users, by id and live; of(id) begins to follow one. */
  users;
  #connection;
  #outbox;
  #queries;
  /** @type {Map<string, Held>} what is followed, by channel */
  #followed = new Map();
  /** The revision of this user's own profile that was read last. */
  #ownRev = 0;
  #stop = new AbortController();

  /**
   * @param {string} [base] the server, for example "https://tutti.example"; default: this page's
   * @param {{storage?: Pick<Storage, "getItem" | "setItem" | "removeItem">, fetch?: typeof fetch, vault?: import("./vault.js").Vault,
   *   open?: (url: string) => WebSocket, monotonic?: () => number}} [parts] for tests
   */
  constructor(base = globalThis.location?.origin, parts = {}) {
    super();
    this.clock = new Clock(parts.monotonic);
    this.http = new Http(base, parts);
    this.#connection = new Connection(`${base.replace(/^http/, "ws")}/v1/socket`, this.http.session, this.clock, parts.open);
    /** @param {object} frame */
    const send = (frame) => this.#connection.send(frame);
    this.#outbox = new Outbox(send, this.clock);
    this.#queries = new Queries(send);
    this.users = new Users(send);
    this.#followed.set(this.users.channel, { follow: this.users, holders: 1 });

    if (this.user) this.users.want([this.user.id]);
    this.#connection.on("status", (status) => this.emit("status", status));
    this.#connection.on("welcome", () => {
      for (const { follow } of this.#followed.values()) follow.ask();
      this.#queries.flush();
      this.#outbox.flush();
    });
    this.#connection.on("lost", () => {
      this.#outbox.lost();
      this.#queries.lost();
      for (const { follow } of this.#followed.values()) follow.lost();
    });
    this.#connection.on("frame", (frame) => this.#receive(frame));
    this.http.session.on("change", (user) => this.#changedUser(user));
    this.http.session.on("renamed", (user) => this.emit("renamed", user));
    this.users.on("change", () => this.#readOwn());
    const { signal } = this.#stop;
    globalThis.addEventListener?.("online", () => this.#connection.hurry(), { signal });
    globalThis.addEventListener?.("offline", () => this.#connection.doubt(), { signal });
    globalThis.document?.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#connection.hurry();
    }, { signal });
  }

  /** @returns {Account | null} who is signed in; null for a guest */
  get user() {
    return this.http.session.user;
  }

  /** @returns {Status} the connection's */
  get status() {
    return this.#connection.status;
  }

  /** The number of commands without an answer. */
  get waiting() {
    return this.#outbox.size;
  }

  /** Opens the socket; it stays open, through breaks, until close. */
  connect() {
    this.#connection.start();
  }

  /** Makes the next attempt to connect now. */
  hurry() {
    this.#connection.hurry();
    this.#connection.start();
  }

  /** Ends everything. */
  close() {
    this.#stop.abort();
    for (const { follow } of this.#followed.values()) follow.lost();
    this.#connection.stop();
    this.#outbox.clear(new Refusal("closed", "The client was closed."));
  }

  /** @param {{email: string, nickname: string, password: string}} who */
  register(who) {
    const request_id = this.clock.synced ? newId("cmd", this.clock.now()) : undefined;
    return this.http.register({ ...who, ...(request_id && { request_id }) });
  }

  /** @param {{email: string, password: string}} who */
  login(who) {
    return this.http.login(who);
  }

  logout() {
    return this.http.logout();
  }

  /**
   * Follows a room. Each call is to be matched by one of release.
   *
   * @param {string} id
   * @returns {Room}
   */
  room(id) {
    return this.#hold(`room.${id}`, (_, send) => new Room(id, send, this.#submit, this.clock));
  }

  /**
   * Follows a playlist. To be released.
   *
   * @param {string} id
   * @returns {Playlist}
   */
  playlist(id) {
    return this.#hold(`playlist.${id}`, (_, send) => new Playlist(id, send, this.#submit));
  }

  /**
   * Follows the chat of a room or a playlist. To be released.
   *
   * @param {string} id the room's or playlist's
   * @returns {Chat}
   */
  chat(id) {
    return this.#hold(`chat.${id}`, (_, send) => new Chat(id, send, this.#submit, (query, body) => this.query(query, body)));
  }

  /**
   * Follows the lobby: the open rooms that most people are in. To be released.
   *
   * @param {{prefix?: string, limit?: number}} [options]
   * @returns {LiveQuery<RoomSummary>}
   */
  lobby(options) {
    return this.#hold("rooms", (channel, send) => new LiveQuery(channel, send, options));
  }

  /**
   * Follows this user's invitations and private rooms. To be released.
   *
   * @returns {LiveQuery<RoomInvite>}
   */
  invitations() {
    return this.#hold("me", (channel, send) => new LiveQuery(channel, send));
  }

  /**
   * Follows which playlists this user is in or invited to, by playlist id. To be released.
   *
   * @returns {LiveQuery<PlaylistPerson>}
   */
  myPlaylists() {
    return this.#hold("playlists", (channel, send) => new LiveQuery(channel, send));
  }

  /**
   * Stops following what room, playlist, chat, lobby, invitations or myPlaylists gave, when its
   * last holder is gone.
   *
   * @param {import("./follow.js").Follow<any>} follow
   */
  release(follow) {
    const held = this.#followed.get(follow.channel);
    if (!held || held.follow !== follow || --held.holders > 0) return;
    this.#followed.delete(follow.channel);
    follow.leave();
  }

  /**
   * Opens a room.
   *
   * @param {{kind: string, name: string, open?: boolean, minimumScore?: number, mode?: string,
   *   tracks?: string[], onlyInvitedVote?: boolean, skipShare?: number}} options
   * @returns {Promise<string>} the room's id
   */
  async createRoom(options) {
    return (await this.#outbox.submit("rooms", "create", options)).room;
  }

  /**
   * Begins a playlist.
   *
   * @param {{name: string, visibility?: string, onlyInvitedEdit?: boolean, tracks?: string[]}} options
   * @returns {Promise<string>} the playlist's id
   */
  async createPlaylist(options) {
    return (await this.#outbox.submit("playlists", "create", options)).playlist;
  }

  /**
   * @param {import("./queries.js").Query} query
   * @param {object} body the parameters of the HTTP path of that query
   * @returns {Promise<any>} what that path answers; rejects with a Refusal
   */
  query(query, body) {
    return this.#queries.ask(query, body);
  }

  /**
   * @template {import("./follow.js").Follow<any>} T
   * @param {string} channel
   * @param {(channel: string, send: (frame: object) => boolean) => T} make
   * @returns {T}
   */
  #hold(channel, make) {
    const held = this.#followed.get(channel);
    if (held) {
      held.holders++;
      return /** @type {T} */ (held.follow);
    }
    const follow = make(channel, (frame) => this.#connection.send(frame));
    this.#followed.set(channel, { follow, holders: 1 });
    if (this.#connection.live) follow.ask();
    return follow;
  }

  /** @param {ServerFrame} frame */
  #receive(frame) {
    if (frame.type === "pong") {
      this.#outbox.flush(); // the first one tells the time that ids are made by
      return;
    }
    const answers = frame.type === "ok" || frame.type === "err" || frame.type === "res";
    if (answers && (this.#outbox.answer(frame) || this.#queries.answer(frame))) return;
    // An err about a sub names its channel in the id that this client gave it.
    const channel = frame.channel ?? (frame.id?.startsWith("sub") ? frame.id.slice(frame.id.indexOf(":") + 1) : "");
    this.#followed.get(channel)?.follow.receive(frame);
  }

  /** @type {import("./aggregate.js").Submit} */
  #submit = (channel, verb, body) => this.#outbox.submit(channel, verb, body);

  /** A nickname that was changed on another device shows here as well. */
  #readOwn() {
    const me = this.user;
    const profile = me && this.users.known(me.id);
    if (profile && profile.rev > this.#ownRev) {
      this.#ownRev = profile.rev;
      this.http.session.rename(profile.nickname);
    }
  }

  /** @param {Account | null} user */
  #changedUser(user) {
    this.#ownRev = 0;
    if (user) this.users.want([user.id]);
    this.#outbox.clear(new Refusal("unauthenticated", "Somebody else is signed in now."));
    for (const { follow } of this.#followed.values()) {
      follow.forget();
      follow.become("loading");
    }
    this.#connection.restart();
    this.emit("user", user);
  }
}
