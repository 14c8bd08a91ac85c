import assert from "node:assert/strict";
import { test } from "node:test";
import { Changes } from "../app/playlist-changes.js";
import { settle } from "./fake.js";

test("who changed a track last counts from the revision on that it was seen at", () => {
  const changes = new Changes();
  changes.add("a", "user_b", 4);
  assert.equal(changes.last("a", 3)?.by, "user_b");
  assert.equal(changes.last("a", 4), undefined);
  assert.equal(changes.last("x", 0), undefined);
});

test("a change that comes after the answer is waited for, and no longer than a moment", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const changes = new Changes();
  /** @type {string[]} */ const done = [];
  changes.of("a", 3).then(() => done.push("a"));
  changes.of("b", 3).then(() => done.push("b"));
  changes.add("a", "user_b", 3);
  await settle();
  assert.deepEqual(done, [], "it was there before");
  changes.add("a", "user_b", 4);
  await settle();
  assert.deepEqual(done, ["a"]);
  t.mock.timers.tick(600);
  await settle();
  assert.deepEqual(done, ["a", "b"]);
});

test("what is gone keeps its title, and no more is remembered than a bound", () => {
  const changes = new Changes();
  changes.keep([{ id: "first", title: "First" }]);
  assert.equal(changes.title("first"), "First");
  changes.keep(Array.from({ length: 1_000 }, (_, i) => ({ id: `t${i}`, title: `T${i}` })));
  assert.equal(changes.title("first"), "the track");
  assert.equal(changes.title("t999"), "T999");
});
