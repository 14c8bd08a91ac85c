import assert from "node:assert/strict";
import { test } from "node:test";
import { OUTBOX, comeBack, idTime } from "../tutti.js";
import { World, grant } from "./fake.js";

const room = "room_01KQHPHXG05QEVK0843BW3VH8V";
const channel = `room.${room}`;

/** @param {number} n */
function evt(n, patch = /** @type {any} */ ({ n }), more = {}) {
  return { type: "evt", channel, epoch: 1, prev: n - 1, rev: n, at: n, public: { events: [], patch }, ...more };
}

test("a guest says hello without a token, and follows", async (t) => {
  const world = new World(t);
  const followed = world.client.room(room);
  await world.connected();
  assert.equal(world.socket.url, "ws://tutti.test/v1/socket");
  const [hello, sub] = world.socket.sent;
  assert.deepEqual([hello.type, "token" in hello], ["hello", false]);
  assert.deepEqual([sub.type, sub.channel, "since" in sub], ["sub", channel, false]);
  world.socket.say({ type: "snap", channel, epoch: 1, rev: 3, reason: "new", state: { n: 3, keep: true } });
  assert.deepEqual([followed.rev, followed.status], [3, "live"]);
  world.socket.say(evt(4));
  assert.deepEqual(followed.state, /** @type {any} */ ({ n: 4, keep: true }));
});

test("a commit is applied once, a repeat ignored, a jump over empty commits taken", async (t) => {
  const world = new World(t);
  const followed = world.client.room(room);
  /** @type {number[]} */ const heard = [];
  followed.on("events", ({ rev }) => heard.push(rev));
  await world.connected();
  world.socket.say({ type: "snap", channel, epoch: 1, rev: 5, state: { n: 5 } });
  for (const frame of [evt(5, { bad: 1 }), evt(6), evt(6, { bad: 1 }), evt(9, { n: 9 }, { prev: 6 }), evt(8, { bad: 1 })]) world.socket.say(frame);
  assert.deepEqual(heard, [6, 9]);
  assert.deepEqual(followed.state, /** @type {any} */ ({ n: 9 }));
  assert.equal(followed.gaps, 0);
});

test("a gap is closed by asking again from the last revision, once", async (t) => {
  const world = new World(t);
  const followed = world.client.room(room);
  await world.connected();
  world.socket.say({ type: "snap", channel, epoch: 7, rev: 5, state: { n: 5 } });
  world.socket.say(evt(8, { n: 8 }, { epoch: 7, prev: 7 }));
  world.socket.say(evt(9, { n: 9 }, { epoch: 7 }));
  const subs = world.socket.of("sub");
  assert.equal(subs.length, 2);
  assert.deepEqual([subs[1].epoch, subs[1].since], [7, 5]);
  world.socket.say({ type: "resumed", channel, epoch: 7, rev: 5 });
  for (const n of [6, 7, 8, 9]) world.socket.say(evt(n, { n }, { epoch: 7 }));
  assert.deepEqual([followed.rev, followed.gaps], [9, 1]);
});

test("another epoch is never applied on top", async (t) => {
  const world = new World(t);
  const followed = world.client.room(room);
  await world.connected();
  world.socket.say({ type: "snap", channel, epoch: 1, rev: 5, state: { n: 5 } });
  world.socket.say(evt(6, { n: 66 }, { epoch: 2 }));
  assert.deepEqual(followed.state, /** @type {any} */ ({ n: 5 }));
  world.socket.say({ type: "snap", channel, epoch: 2, rev: 4, reason: "epoch", state: { n: 4 } });
  assert.deepEqual([followed.epoch, followed.rev], [2, 4]);
});

test("after a break it comes back, resumes, and counts as stale in between", async (t) => {
  const world = new World(t);
  const followed = world.client.room(room);
  await world.connected();
  world.socket.say({ type: "snap", channel, epoch: 1, rev: 5, state: { n: 5 } });
  world.socket.break();
  assert.deepEqual([followed.status, world.client.status.state], ["stale", "waiting"]);
  await world.pass(125); // half of the first bound of 250 ms
  assert.equal(world.sockets.length, 2);
  world.socket.welcome();
  assert.deepEqual([world.socket.of("sub")[0].since, world.socket.of("sub")[0].epoch], [5, 1]);
  world.socket.say({ type: "resumed", channel, epoch: 1, rev: 5 });
  world.socket.say(evt(6));
  assert.deepEqual([followed.status, followed.rev, followed.snapshots], ["live", 6, 1]);
});

test("pauses grow up to a bound, and 4500 and above end it", async (t) => {
  const world = new World(t);
  world.client.connect();
  /** @type {number[]} */ const pauses = [];
  for (let i = 0; i < 10; i++) {
    await world.pass();
    const began = Date.now();
    world.socket.break();
    while (world.sockets.length === i + 1) await world.pass(25);
    pauses.push(Date.now() - began);
  }
  assert.deepEqual(pauses.slice(0, 4), [125, 250, 500, 1000]);
  assert.deepEqual(pauses.slice(-2), [10_000, 10_000]);
  world.socket.break(4503);
  assert.equal(world.client.status.state, "closed");
  await world.pass(60_000);
  assert.equal(world.sockets.length, 11);
});

test("the close codes of the contract", () => {
  for (const code of [1001, 1006, 1011, 1012, 4000, 4003, 4006, 4499]) assert.ok(comeBack(code), String(code));
  for (const code of [1000, 1002, 1003, 1007, 1008, 1009, 4500, 4501, 4999]) assert.ok(!comeBack(code), String(code));
});

test("a connection nobody answers on is given up", async (t) => {
  const world = new World(t);
  await world.connected();
  world.answersPings = false;
  await world.pass(31_000);
  assert.equal(world.client.status.state, "live");
  await world.pass(11_000);
  assert.equal(world.sockets.length, 2);
  assert.equal(world.sockets[0]?.readyState, 3);
});

test("ids are made by the server's clock, and kept when the socket breaks", async (t) => {
  const world = new World(t);
  world.answersPings = false;
  const followed = world.client.room(room);
  const voted = followed.command("vote", { track: "demo:a" });
  const second = followed.command("vote", { track: "demo:b" });
  await world.connected();
  assert.equal(world.socket.of("cmd").length, 0, "before the server's time is known no id is made");
  world.answersPings = true;
  await world.pass(40);
  const [first] = world.socket.of("cmd");
  assert.equal(world.socket.of("cmd").length, 1, "one under way in a room");
  assert.ok(Math.abs(idTime(first.id) - world.serverTime()) < 5);
  world.socket.break();
  await world.pass(5_000);
  world.socket.welcome();
  await world.pass();
  assert.deepEqual(world.socket.of("cmd"), [first]);
  world.socket.say({ type: "ok", id: first.id, channel, epoch: 1, rev: 8, at: 9 });
  assert.deepEqual(await voted, { id: first.id, epoch: 1, rev: 8, at: 9, room: "", playlist: "" });
  const again = world.socket.of("cmd")[1];
  assert.equal(again.body.track, "demo:b");
  assert.notEqual(again.id, first.id);
  world.socket.say({ type: "err", id: again.id, channel, refusal: { code: "expired", message: "too old" } });
  await assert.rejects(second, { code: "expired", message: "too old" });
});

test("an answer that says again keeps its place and its id", async (t) => {
  const world = new World(t);
  const followed = world.client.room(room);
  await world.connected();
  const first = followed.command("play");
  const second = followed.command("pause");
  world.socket.say({ type: "err", id: world.socket.of("cmd")[0].id, channel, refusal: { code: "busy", message: "later" }, retry: true, retryMs: 300 });
  assert.equal(world.socket.of("cmd").length, 1);
  await world.pass(300);
  const [one, two] = world.socket.of("cmd");
  assert.deepEqual(one, two);
  world.socket.say({ type: "ok", id: one.id, channel, rev: 2 });
  world.socket.say({ type: "ok", id: world.socket.of("cmd")[2].id, channel, rev: 3 });
  assert.deepEqual([(await first).rev, (await second).rev], [2, 3]);
});

test("rooms do not wait for each other, and the outbox is bounded", async (t) => {
  const world = new World(t);
  await world.connected();
  const other = world.client.room("room_01KQHPHXG05QEVK0843BW3VH8W");
  /** @type {Promise<any>[]} */ const all = [];
  const followed = world.client.room(room);
  for (let i = 0; i < OUTBOX - 1; i++) all.push(followed.command("vote", { track: `demo:${i}` }));
  all.push(other.command("join"));
  assert.equal(world.client.waiting, OUTBOX);
  await assert.rejects(followed.command("play"), { code: "busy" });
  assert.deepEqual(world.socket.of("cmd").map((c) => c.verb), ["vote", "join"]);
  const ended = Promise.allSettled(all);
  world.client.close();
  assert.ok((await ended).every((r) => r.status === "rejected" && r.reason.code === "closed"));
});

test("a room that may not be seen is gone; one that cannot be read now is asked again", async (t) => {
  const world = new World(t);
  const followed = world.client.room(room);
  await world.connected();
  const id = world.socket.of("sub")[0].id;
  world.socket.say({ type: "err", id, refusal: { code: "unavailable", message: "wait" }, retry: true });
  assert.equal(followed.status, "loading");
  await world.pass(1_000);
  const subs = world.socket.of("sub");
  assert.equal(subs.length, 2);
  world.socket.say({ type: "err", id: subs[1].id, channel, refusal: { code: "not_found", message: "no such room" } });
  assert.deepEqual([followed.status, followed.reason?.code], ["gone", "not_found"]);
});

test("gone ends it at once, and releasing unsubscribes", async (t) => {
  const world = new World(t);
  const followed = world.client.room(room);
  await world.connected();
  world.socket.say({ type: "snap", channel, epoch: 1, rev: 5, state: { n: 5 } });
  world.socket.say({ type: "gone", channel, refusal: { code: "banned", message: "you are banned" } });
  assert.equal(followed.status, "gone");
  assert.equal(world.client.room(room), followed);
  world.client.release(followed);
  assert.equal(world.socket.of("unsub").length, 0);
  world.client.release(followed);
  assert.deepEqual(world.socket.of("unsub").map((f) => f.channel), [channel]);
});

test("live queries: documents come, change and go", async (t) => {
  const world = new World(t);
  const lobby = world.client.lobby({ prefix: "fri" });
  await world.connected();
  assert.equal(world.socket.of("sub")[0].prefix, "fri");
  world.socket.say({ type: "docs", channel: "rooms", docs: { a: { name: "A" }, b: { name: "B" } } });
  world.socket.say({ type: "doc", channel: "rooms", docId: "a" });
  world.socket.say({ type: "doc", channel: "rooms", docId: "c", doc: { name: "C" } });
  assert.deepEqual([...lobby.docs.keys()], ["b", "c"]);
  lobby.narrow({});
  world.socket.say({ type: "docs", channel: "rooms", docs: {} });
  assert.equal(lobby.docs.size, 0);
});

test("queries are asked again after a break", async (t) => {
  const world = new World(t);
  await world.connected();
  const answer = world.client.query("users", { ids: ["user_a"] });
  world.socket.break();
  await world.pass(1_000);
  world.socket.welcome();
  world.socket.say({ type: "res", id: world.socket.of("qry")[0].id, result: { profiles: [] } });
  assert.deepEqual(await answer, { profiles: [] });
});

test("signing in connects anew, with the token, and greets again before it expires", async (t) => {
  const world = new World(t);
  await world.connected();
  world.answers = (_method, path) => [200, grant("ada", path.endsWith("refresh") ? 2 : 1)];
  await world.client.login({ email: "ada@example.com", password: "correct horse" });
  await world.pass();
  assert.equal(world.sockets.length, 2);
  world.socket.welcome({ user: "user_ada", expiresAt: world.serverTime() + 900_000, serverTime: world.serverTime() });
  assert.equal(world.socket.of("hello")[0].token, "access-ada-1");
  await world.pass(840_000 - 40);
  assert.equal(world.socket.of("hello").length, 1);
  await world.pass(500);
  assert.equal(world.socket.of("hello")[1].token, "access-ada-2");
});

test("a refused token is replaced once, then the user is a guest", async (t) => {
  const world = new World(t);
  world.answers = (_method, path) => (path.endsWith("login") ? [200, grant("ada")] : [401, { code: "token_reused", detail: "over" }]);
  await world.client.login({ email: "ada@example.com", password: "correct horse" });
  world.client.connect();
  await world.pass();
  world.socket.open();
  world.socket.break(4501);
  await world.pass(1_000);
  assert.equal(world.client.user, null);
  await world.pass(1_000);
  world.socket.welcome();
  assert.equal("token" in world.socket.of("hello")[0], false);
  assert.equal(world.client.status.state, "live");
});

test("when the device says that it is offline, silence for five seconds counts as lost", async (t) => {
  const world = new World(t);
  await world.connected();
  await world.pass(1_000);
  assert.equal(world.client.status.state, "live");
  world.answersPings = false;
  globalThis.dispatchEvent?.(new Event("offline"));
  if (!globalThis.dispatchEvent) world.client.hurry(); // node has no such event
  await world.pass(4_900);
  assert.equal(world.client.status.state, "live");
  await world.pass(200);
  assert.equal(world.client.status.state, "waiting");
});

test("a device that says it is offline and still hears the server stays connected", async (t) => {
  const world = new World(t);
  await world.connected();
  await world.pass(1_000);
  const pings = world.socket.pings;
  world.client.hurry();
  await world.pass(6_000);
  assert.ok(world.socket.pings > pings);
  assert.equal(world.client.status.state, "live");
});

test("a command that nobody answers makes for a ping, and then for a lost connection", async (t) => {
  const world = new World(t);
  await world.connected();
  await world.pass(1_000);
  world.answersPings = false;
  const answer = world.client.room(room).command("play").catch(() => {});
  const pings = world.socket.pings;
  await world.pass(2_900);
  assert.equal(world.socket.pings, pings);
  await world.pass(300);
  assert.ok(world.socket.pings > pings);
  assert.equal(world.client.status.state, "live");
  await world.pass(5_000);
  assert.notEqual(world.client.status.state, "live");
  assert.equal(world.client.waiting, 1);
  world.client.close();
  await answer;
});

test("asking again and again whether anybody is there puts nothing off", async (t) => {
  const world = new World(t);
  await world.connected();
  await world.pass(1_000);
  world.answersPings = false;
  for (let i = 0; i < 4; i++) {
    world.client.hurry();
    await world.pass(1_300);
  }
  assert.notEqual(world.client.status.state, "live");
});
