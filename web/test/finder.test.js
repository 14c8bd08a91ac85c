import assert from "node:assert/strict";
import { test } from "node:test";
import { Finder, isReference } from "../app/finder.js";
import { settle } from "./fake.js";

/** A catalogue that answers when it is told to. */
function catalogue() {
  /** @type {Map<string, {resolve: (tracks: any[]) => void, reject: (err: Error) => void}>} */ const open = new Map();
  const finder = new Finder((query) => new Promise((resolve, reject) => open.set(query, { resolve, reject })));
  return { finder, asked: () => [...open.keys()], answer: (/** @type {string} */ query, ...ids) => open.get(query)?.resolve(ids.map((id) => ({ id }))), fail: (/** @type {string} */ query) => open.get(query)?.reject(new Error("down")) };
}

test("a changed field forgets what was found for the old words", async () => {
  const { finder, answer } = catalogue();
  const first = finder.look("night");
  answer("night", "demo:night-tram");
  assert.equal(await first, true);
  assert.equal(finder.found[finder.chosen]?.id, "demo:night-tram");
  finder.forget();
  assert.deepEqual([finder.found, finder.chosen], [[], -1]);
});

test("an answer that comes after the words changed is dropped", async () => {
  const { finder, answer } = catalogue();
  const [old, late] = [finder.look("lan"), finder.look("paper")];
  answer("paper", "demo:paper-boats");
  assert.equal(await late, true);
  answer("lan", "demo:lantern-walk");
  assert.equal(await old, false);
  assert.equal(finder.found[0]?.id, "demo:paper-boats");
  const third = finder.look("x");
  finder.forget();
  answer("x", "demo:x");
  assert.equal(await third, false);
  assert.deepEqual(finder.found, []);
});

test("who asks again for the same words waits for the search under way", async () => {
  const { finder, asked, answer } = catalogue();
  const [one, two] = [finder.look("walk"), finder.look("walk")];
  assert.deepEqual(asked(), ["walk"]);
  await settle();
  assert.equal(finder.chosen, -1);
  answer("walk", "demo:lantern-walk", "demo:walk");
  assert.deepEqual(await Promise.all([one, two]), [true, true]);
  assert.equal(finder.chosen, 0);
});

test("a search without an answer leaves nothing to choose", async () => {
  const { finder, fail } = catalogue();
  const done = finder.look("walk");
  fail("walk");
  assert.equal(await done, true);
  assert.deepEqual([finder.failed, finder.chosen, finder.found], [true, -1, []]);
});

test("the choice goes round, and no words choose nothing", async () => {
  const { finder, answer } = catalogue();
  finder.move(1);
  assert.equal(finder.chosen, -1);
  const done = finder.look("");
  answer("", "a", "b", "c");
  await done;
  assert.equal(finder.chosen, -1);
  /** @type {number[]} */ const seen = [];
  for (const by of /** @type {(1 | -1)[]} */ ([-1, 1, 1, -1])) { finder.move(by); seen.push(finder.chosen); }
  assert.deepEqual(seen, [2, 0, 1, 0]);
});

test("addresses and ids are taken as they are, words are not", () => {
  for (const is of ["https://a.example/x.mp3", "HTTP://a", "demo:night-tram"]) assert.ok(isReference(is), is);
  for (const not of ["", "night", "https://a b", "song: one", "http:"]) assert.ok(!isReference(not), not);
});
