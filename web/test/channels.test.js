import assert from "node:assert/strict";
import { test } from "node:test";
import { inOrder } from "../tutti.js";
import { FOLLOWED } from "../tutti/users.js";
import { World, grant as grantOf, settle } from "./fake.js";

const list = "playlist_01KQHPHXG05QEVK0843BW3VH8V";
const room = "room_01KQHPHXG05QEVK0843BW3VH8V";

/** @param {string} id @param {number} order */
const track = (id, order) => ({ track: { id, title: id, artist: "", durationMs: 1000, provider: "demo", url: "", artworkUrl: "" }, order, addedBy: "user_a", addedAt: 1 });

/** A user's id that ends in a name of one letter, or in a number. @param {string | number} name */
const user = (name) => `user_01KQHPHXG05QEVK0843BW${String(name).toUpperCase().padStart(5, "0")}`;
const ada = user("ada");
/** @param {string} name */
const grant = (name) => ({ ...grantOf(name), user: { ...grantOf(name).user, id: ada } });

/** A world in which somebody is signed in and connected. @param {import("node:test").TestContext} t */
async function signedIn(t) {
  const world = new World(t);
  world.answers = () => [200, grant("ada")];
  await world.client.login({ email: "ada@example.com", password: "correct horse" });
  await world.connected({ user: ada });
  return world;
}

test("a playlist follows by patches, in the order of its keys", async (t) => {
  const world = new World(t);
  const followed = world.client.playlist(list);
  await world.connected();
  const channel = `playlist.${list}`;
  assert.equal(world.socket.of("sub").at(-1).channel, channel);
  const state = { id: list, name: "Late", tracks: { b: track("b", 20), a: track("a", 10), c: track("c", 20) } };
  world.socket.say({ type: "snap", channel, epoch: 1, rev: 3, state, you: { may: ["move"], cannotEdit: "" } });
  assert.deepEqual(followed.tracks().map((one) => one.track.id), ["a", "b", "c"]);
  assert.deepEqual([followed.may("move"), followed.may("delete")], [true, false]);
  world.socket.say({ type: "evt", channel, epoch: 1, prev: 3, rev: 4, public: { events: [{ type: "track.moved" }], patch: { tracks: { c: { order: 5 } } } } });
  assert.deepEqual(followed.tracks().map((one) => one.track.id), ["c", "a", "b"]);
  assert.deepEqual([followed.rev, followed.snapshots], [4, 1]);
});

test("order keys below zero and ties sort as in the contract", () => {
  const tracks = { x: track("x", -5), y: track("y", 0), z: track("z", -5) };
  assert.deepEqual(inOrder(tracks).map((one) => one.track.id), ["x", "z", "y"]);
});

test("a move names the track and the place where it was seen", async (t) => {
  const world = await signedIn(t);
  const followed = world.client.playlist(list);
  const moved = followed.move("b", 3, 0);
  await world.pass(5);
  const [command] = world.socket.of("cmd");
  assert.deepEqual([command.channel, command.verb, command.body], [`playlist.${list}`, "move", { track: "b", from: 3, to: 0 }]);
  world.socket.say({ type: "err", id: command.id, refusal: { code: "conflict", message: "stands elsewhere" } });
  await assert.rejects(moved, { code: "conflict" });
});

test("a playlist is begun on its channel, and the answer names it", async (t) => {
  const world = await signedIn(t);
  const created = world.client.createPlaylist({ name: "Late", visibility: "public" });
  await world.pass(5);
  const [command] = world.socket.of("cmd");
  assert.deepEqual([command.channel, command.verb, command.body.name], ["playlists", "create", "Late"]);
  world.socket.say({ type: "ok", id: command.id, playlist: list, epoch: 1, rev: 1 });
  assert.equal(await created, list);
});

test("the answer to an export names the room", async (t) => {
  const world = await signedIn(t);
  const exported = world.client.playlist(list).export({ open: true });
  await world.pass(5);
  const command = world.socket.of("cmd").at(-1);
  assert.deepEqual([command.channel, command.verb, command.body.open], [`playlist.${list}`, "export", true]);
  world.socket.say({ type: "ok", id: command.id, channel: `playlist.${list}`, rev: 9, room });
  assert.equal(await exported, room);
});

test("one's own playlists are a live list, released with the last holder", async (t) => {
  const world = await signedIn(t);
  const [mine, again] = [world.client.myPlaylists(), world.client.myPlaylists()];
  assert.equal(mine, again);
  world.socket.say({ type: "docs", channel: "playlists", docs: { [list]: { playlist: list, name: "Late", inside: false, invited: true } } });
  assert.equal(mine.docs.get(list)?.invited, true);
  world.socket.say({ type: "doc", channel: "playlists", docId: list });
  assert.equal(mine.docs.size, 0);
  world.client.release(mine);
  assert.equal(world.socket.of("unsub").length, 0);
  world.client.release(mine);
  assert.equal(world.socket.of("unsub").length, 1);
});

/** @param {string} author @param {string} text */
const message = (author, text) => ({ author, text, at: 1, edited: false, deleted: false, reactions: {} });

test("a chat shows its reader what only they see, in its place", async (t) => {
  const world = await signedIn(t);
  const chat = world.client.chat(room);
  const channel = `chat.${room}`;
  world.socket.say({
    type: "snap", channel, epoch: 1, rev: 2,
    state: { id: room, phase: "open", total: 2, messages: { msg_1: message("user_b", "hi"), msg_3: message("user_ada", "old") } },
    you: { maySend: true, messages: { msg_2: message("user_ada", "unseen"), msg_3: message("user_ada", "new") } },
  });
  assert.deepEqual(chat.messages().map((m) => m.text), ["hi", "unseen", "new"]);
  const page = chat.history({ before: "msg_1", limit: 20 });
  const asked = world.socket.of("qry")[0];
  assert.deepEqual([asked.query, asked.body], ["history", { chat: room, before: "msg_1", limit: 20 }]);
  world.socket.say({ type: "res", id: asked.id, result: { messages: [], earlier: false, later: true, total: 2 } });
  assert.equal((await page).later, true);
});

test("who types counts for five seconds, until they send, or until the connection breaks", async (t) => {
  const world = await signedIn(t);
  const chat = world.client.chat(room);
  const channel = `chat.${room}`;
  world.socket.say({ type: "snap", channel, epoch: 1, rev: 2, state: { messages: {} }, you: { maySend: true, messages: {} } });
  let changes = 0;
  chat.on("change", () => { changes++; });
  const types = (/** @type {string} */ user) => world.socket.say({ type: "live", channel, kind: "typing", user });
  types("user_b");
  await world.pass(4_000);
  types("user_b");
  await world.pass(4_900);
  assert.deepEqual([chat.typists(), changes], [["user_b"], 1]);
  await world.pass(200);
  assert.deepEqual([chat.typists(), changes], [[], 2]);
  types("user_b");
  world.socket.say({ type: "evt", channel, epoch: 1, prev: 2, rev: 3, public: { events: [{ type: "message.sent", by: "user_b" }], patch: {} } });
  assert.deepEqual(chat.typists(), []);
  types("user_c");
  world.socket.break();
  assert.deepEqual(chat.typists(), []);
});

test("that one types is told every now and then, and not where one may not send", async (t) => {
  const world = await signedIn(t);
  const chat = world.client.chat(room);
  const channel = `chat.${room}`;
  chat.typing();
  assert.equal(world.socket.of("live").length, 0, "nothing is known of the chat yet");
  world.socket.say({ type: "snap", channel, epoch: 1, rev: 2, state: { messages: {} }, you: { maySend: true, messages: {} } });
  chat.typing();
  chat.typing();
  assert.deepEqual(world.socket.of("live"), [{ type: "live", channel, kind: "typing" }]);
  await world.pass(2_600);
  chat.typing();
  chat.typed();
  chat.typing();
  assert.equal(world.socket.of("live").length, 3);
  world.socket.say({ type: "you", channel, you: { maySend: false, messages: {} } });
  await world.pass(2_600);
  chat.typing();
  assert.equal(world.socket.of("live").length, 3);
});

/** @param {string} id @param {string} nickname */
const profile = (id, nickname, rev = 1) => ({ id, nickname, bio: "", avatarUrl: "", createdAt: 0, rev });

test("users that are asked for together are followed together, and stay followed", async (t) => {
  const world = new World(t);
  await world.connected();
  const { users } = world.client;
  const [a, b, c] = [user("a"), user("b"), user("c")];
  for (const none of ["", "sys", "room_01KQHPHXG05QEVK0843BW3VH8V", "user_1", `${a}0`]) assert.equal(users.of(none), undefined);
  await world.pass(40);
  assert.equal(world.socket.of("sub").length, 0, "what is no user's id is not asked for");
  for (const id of [a, b, a]) assert.equal(users.of(id), undefined);
  assert.equal(world.socket.of("sub").length, 0);
  await world.pass(40);
  assert.deepEqual(world.socket.of("sub").map((s) => s.ids), [[b, a]]);
  users.of(c); // while the first answer is still to come
  await world.pass(40);
  assert.equal(world.socket.of("sub").length, 1);
  world.socket.say({ type: "docs", channel: "users", docs: { [a]: profile(a, "Ada") } });
  assert.deepEqual([users.of(a)?.nickname, users.answered(b), users.answered(c)], ["Ada", true, false]);
  await world.pass(40);
  assert.deepEqual(world.socket.of("sub")[1].ids, [b, c, a]);
  world.socket.say({ type: "docs", channel: "users", docs: { [a]: profile(a, "Ada"), [c]: profile(c, "Cy") } });
  world.socket.say({ type: "doc", channel: "users", docId: a, doc: profile(a, "Ada L", 2) });
  assert.deepEqual([users.of(a)?.nickname, users.of(c)?.nickname], ["Ada L", "Cy"]);
  world.socket.say({ type: "doc", channel: "users", docId: a, doc: profile(a, "Ada", 1) });
  assert.equal(users.of(a)?.nickname, "Ada L", "an older state of a profile changes nothing");
  await world.pass(1_000);
  assert.equal(world.socket.of("sub").length, 2, "what is known is not asked for again");
});

test("with more users than can be followed the earliest give way, and the rest do not take turns at once", async (t) => {
  const world = new World(t);
  await world.connected();
  const { users } = world.client;
  const ids = Array.from({ length: FOLLOWED + 100 }, (_, i) => user(i));
  const answer = () => {
    const sub = world.socket.of("sub").at(-1);
    assert.ok(sub.ids.length <= FOLLOWED);
    world.socket.say({ type: "docs", channel: "users", docs: Object.fromEntries(sub.ids.map((/** @type {string} */ id) => [id, profile(id, id)])) });
  };
  users.want(ids.slice(0, FOLLOWED));
  await world.pass(40);
  answer();
  for (let draw = 0; draw < 5; draw++) {
    for (const id of ids) users.of(id);
    await world.pass(40);
    answer();
  }
  assert.ok(ids.every((id) => users.known(id)?.nickname === id));
  assert.equal(world.socket.of("sub").length, 2);
});

test("one's own new nickname shows, whichever device it was changed on", async (t) => {
  const world = await signedIn(t);
  /** @type {string[]} */ const names = [];
  world.client.on("renamed", (user) => names.push(user.nickname));
  await world.pass(40);
  assert.deepEqual(world.socket.of("sub").at(-1).ids, [ada]);
  world.socket.say({ type: "docs", channel: "users", docs: { [ada]: profile(ada, "ada") } });
  world.socket.say({ type: "doc", channel: "users", docId: ada, doc: profile(ada, "Ada Two", 2) });
  assert.equal(world.client.user?.nickname, "Ada Two");
  world.answers = () => [200, { nickname: "Ada Three" }];
  await world.client.http.setNickname("Ada Three");
  assert.deepEqual(world.asked.at(-1), { method: "PUT", path: "/v1/me/nickname", body: { nickname: "Ada Three" } });
  assert.deepEqual([names, world.client.user?.nickname], [["Ada Two", "Ada Three"], "Ada Three"]);
  assert.equal(world.sockets.length, 1, "the connection stays");
});

test("following somebody may be repeated, changing the profile not", async (t) => {
  const world = await signedIn(t);
  world.asked.length = 0;
  let n = 0;
  world.answers = () => (++n % 2 ? [503, { code: "unavailable", retry: true }] : [200, { follows: true }]);
  const followed = world.client.http.follow("user_b");
  await world.pass(2_000);
  assert.deepEqual(await followed, { follows: true });
  assert.deepEqual(world.asked.map((a) => a.method), ["PUT", "PUT"]);
  world.answers = () => { throw new TypeError("no network"); };
  await assert.rejects(world.client.http.setProfile({ bio: "x" }), { code: "unavailable" });
  assert.equal(world.asked.length, 3);
});
