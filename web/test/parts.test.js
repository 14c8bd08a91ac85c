import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Clock, applyPatch, canonical, hash, idTime, newId } from "../tutti.js";
import { backoff } from "../tutti/backoff.js";
import { Session } from "../tutti/session.js";
import { sha256 } from "../tutti/sha256.js";
import { MemoryVault } from "../tutti/vault.js";
import { MemoryStorage, grant, settle } from "./fake.js";

test("SHA-256 is the standard's, at every length around a block's end", () => {
  for (const n of [0, 1, 3, 54, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000, 100_000]) {
    const data = Uint8Array.from({ length: n }, (_, i) => (i * 131 + n) & 255);
    assert.equal(sha256(data), createHash("sha256").update(data).digest("hex"), `${n} bytes`);
  }
});

test("the golden room has the golden hash", () => {
  const read = (/** @type {string} */ name) => JSON.parse(readFileSync(new URL(`../../subjects/testdata/${name}.json`, import.meta.url), "utf8"));
  assert.equal(hash(read("room_document")), read("room_document_hash"));
});

test("a patch leaves what it does not touch the very same object", () => {
  const doc = { a: { x: 1 }, b: { y: 2 } };
  const { a } = doc;
  const after = applyPatch(doc, { b: { y: 3 } });
  assert.equal(after.a, a);
});

test("canonical refuses what is not JSON", () => {
  for (const value of [undefined, NaN, Infinity, () => 1, 1n, Symbol("x"), { a: undefined }]) assert.throws(() => canonical(value));
});

test("ids hold their time, sort by it, and use the alphabet", () => {
  const zeros = (/** @type {Uint8Array} */ b) => b.fill(0);
  assert.equal(newId("cmd", 0, zeros), `cmd_${"0".repeat(26)}`);
  assert.equal(newId("cmd", 1469918176385, zeros).slice(0, 14), "cmd_01ARYZ6S41");
  const ids = [1, 31, 32, 1_795_268_434_460, 2 ** 48 - 1].map((at) => newId("cmd", at + 0.7));
  assert.deepEqual(ids.map(idTime), [1, 31, 32, 1_795_268_434_460, 2 ** 48 - 1]);
  assert.deepEqual([...ids].sort(), ids);
  for (const id of ids) assert.match(id, /^cmd_[0-7][0-9A-HJKMNP-TV-Z]{25}$/);
  assert.equal(new Set(Array.from({ length: 1000 }, () => newId("cmd", 5))).size, 1000);
  for (const bad of ["", "cmd_", "cmd_8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "cmd_01ARYZ6S41UUUUUUUUUUUUUUUU"]) assert.ok(Number.isNaN(idTime(bad)), bad);
});

test("back-off is full jitter under a doubling, capped bound", () => {
  assert.deepEqual([0, 1, 2, 3, 20, 5000].map((n) => backoff(n, 20_000, () => 1)), [250, 500, 1000, 2000, 20_000, 20_000]);
  assert.equal(backoff(3, 20_000, () => 0), 0);
});

/** A clock on a time of ours, and a server that is ahead of it. */
function clocked() {
  const time = { now: 1000, ahead: 1_795_000_000_000 };
  const clock = new Clock(() => time.now);
  const ping = (/** @type {number} */ there, /** @type {number} */ back) => {
    const sent = time.now;
    const said = Math.floor(sent + there + time.ahead);
    time.now += there + back;
    clock.sample(sent, time.now, said);
  };
  const error = () => clock.now() - (time.now + time.ahead);
  return { time, clock, ping, error };
}

test("the clock believes the shortest of several round trips", () => {
  const { time, clock, ping, error } = clocked();
  assert.equal(clock.synced, false);
  ping(80, 5);
  assert.ok(clock.synced && Math.abs(error()) < 43);
  for (const [there, back] of [[10, 90], [3, 3], [200, 1]]) ping(there ?? 0, back ?? 0);
  clock.settle();
  assert.ok(clock.bound < 4);
  time.now += 5_000; // the correction is worked off meanwhile
  assert.ok(Math.abs(error()) < 1.1, `error ${error()}`);
});

test("a small correction is spread, a large one made at once, and time never runs backwards", () => {
  const { time, clock, ping, error } = clocked();
  ping(1, 1);
  clock.settle();
  assert.ok(Math.abs(error()) < 1.1);
  time.ahead -= 20; // the server's clock was put back a little
  let before = clock.now();
  ping(1, 1);
  clock.settle();
  assert.ok(clock.now() >= before, "no step");
  for (let i = 0; i < 300; i++) {
    time.now += 10;
    assert.ok(clock.now() >= before);
    before = clock.now();
  }
  assert.ok(Math.abs(error()) < 1.1, `error ${error()}`);
  time.ahead += 5000;
  ping(1, 1);
  clock.settle();
  assert.ok(Math.abs(error()) < 1.1, `error ${error()}`);
});

test("a poor measurement does not spoil a good one, unless it proves it wrong", () => {
  const { clock, ping, error } = clocked();
  ping(1, 1);
  clock.settle();
  ping(300, 20);
  clock.settle();
  assert.ok(Math.abs(error()) < 1.1 && clock.bound < 2);
});

test("one refresh at a time, in all tabs together", async () => {
  const [storage, vault] = [new MemoryStorage(), new MemoryVault()];
  let n = 1;
  /** @type {string[]} */ const used = [];
  const refresh = async (/** @type {string} */ token) => {
    used.push(token);
    await settle();
    return grant("ada", ++n);
  };
  const tabs = [new Session(storage, refresh, "s", vault), new Session(storage, refresh, "s", vault)];
  tabs[0]?.accept({ ...grant("ada"), expires_in: 1 });
  const tokens = await Promise.all(tabs.flatMap((tab) => [tab.token(), tab.token()]));
  assert.deepEqual(used, ["refresh-ada-1"]);
  assert.deepEqual(new Set(tokens), new Set(["access-ada-2"]));
});

test("a tab that does not see yet what another has stored uses no token twice", async () => {
  const vault = new MemoryVault();
  let n = 1;
  /** @type {string[]} */ const used = [];
  const refresh = async (/** @type {string} */ token) => {
    used.push(token);
    return { ...grant("ada", ++n), expires_in: n < 3 ? 1 : 900 };
  };
  // Each tab has a storage of its own: the worst that a late copy can be.
  const tabs = [1, 2, 3].map(() => new Session(new MemoryStorage(), refresh, "s", vault));
  for (const tab of tabs) tab.accept({ ...grant("ada"), expires_in: 1 });
  const tokens = [];
  for (const tab of tabs) tokens.push(await tab.token());
  assert.deepEqual(used, ["refresh-ada-1", "refresh-ada-2"]);
  assert.deepEqual(tokens, ["access-ada-2", "access-ada-3", "access-ada-3"]);
});

test("signing out in one tab signs out in the other", async () => {
  const storage = new MemoryStorage();
  const [one, two] = [new Session(storage, async () => grant("ada")), new Session(storage, async () => grant("ada"))];
  one.accept(grant("ada"));
  assert.equal(await two.token(), "access-ada-1");
  /** @type {any[]} */ const heard = [];
  two.on("change", (user) => heard.push(user));
  one.clear();
  assert.equal(await two.token(), "");
  assert.deepEqual(heard, [null]);
});

test("a server that cannot be reached does not sign anybody out", async () => {
  const session = new Session(new MemoryStorage(), async () => { throw new Error("no network"); });
  session.accept({ ...grant("ada"), expires_in: 1 });
  await assert.rejects(session.token(), /no network/);
  assert.equal(session.user?.id, "user_ada");
});
