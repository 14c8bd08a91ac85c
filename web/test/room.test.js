import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { nextEligible, ordered } from "../tutti.js";

// The module draws dialogs; what is tested of it draws nothing.
/** @type {any} */ (globalThis).matchMedia ??= () => ({ matches: false, addEventListener() {} });
const { byDefault, unusual } = await import("../app/room-options.js");

/** A queue from "track by score", suggested in that order. @param {string[]} lines */
function queue(...lines) {
  return Object.fromEntries(lines.map((line, seq) => {
    const [id = "", suggestedBy = "", score = "0"] = line.split(" ");
    return [id, { track: /** @type {any} */ ({ id }), suggestedBy, score: Number(score), suggestedAt: seq, seq }];
  }));
}
const ids = (/** @type {import("../tutti/types.js").QueueEntry[]} */ entries) => entries.map((e) => e.track.id).join(" ");

test("a fair queue goes round by round, whoever had a turn longest ago first", () => {
  const q = queue("a1 ann 9", "a2 ann 8", "a3 ann 7", "b1 bob 1", "b2 bob 2", "c1 cy 1");
  assert.equal(ids(ordered(q)), "a1 a2 a3 b2 b1 c1");
  assert.equal(ids(ordered(q, "votes", { ann: 5 })), "a1 a2 a3 b2 b1 c1", "turns count in a fair queue alone");
  assert.equal(ids(ordered(q, "fair")), "a1 b2 c1 a2 b1 a3");
  assert.equal(ids(ordered(q, "fair", { ann: 3 })), "b2 c1 a1 b1 a2 a3");
  assert.equal(ids(ordered(q, "fair", { ann: 1, bob: 3, cy: 2 })), "a1 c1 b2 a2 b1 a3");
  assert.equal(ids(ordered(q, "fair", { __proto__: 9 })), "a1 b2 c1 a2 b1 a3", "a name that every object has is nobody's turn");
  assert.equal(ids(ordered({}, "fair")), "");
});

test("every track stands in a fair queue once, and nobody twice before somebody's first", () => {
  let seed = 7;
  const random = (/** @type {number} */ n) => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % n;
  for (let run = 0; run < 200; run++) {
    const q = queue(...Array.from({ length: random(30) }, (_, i) => `t${i} u${random(5)} ${random(4)}`));
    const turns = Object.fromEntries(Array.from({ length: random(6) }, (_, i) => [`u${i}`, random(9)]));
    const out = ordered(q, "fair", turns);
    assert.deepEqual(out.map((e) => e.track.id).sort(), Object.keys(q).sort());
    /** @type {Map<string, number>} */ const had = new Map();
    let round = 0;
    for (const { suggestedBy } of out) {
      const n = (had.get(suggestedBy) ?? 0) + 1;
      had.set(suggestedBy, n);
      assert.ok(n >= round, "a round does not go back");
      round = n;
    }
  }
});

test("what plays next is the first that has the votes, passed over or not", () => {
  const state = /** @type {any} */ ({ queue: queue("a1 ann 1", "b1 bob 3", "a2 ann 0"), options: { minimumScore: 2 }, queueOptions: { order: "fair" }, turns: { bob: 4 } });
  assert.equal(nextEligible(state)?.track.id, "b1");
  state.options.minimumScore = 4;
  assert.equal(nextEligible(state), undefined);
  state.options.minimumScore = 1;
  assert.equal(nextEligible(state)?.track.id, "a1");
});

test("what is unusual about a queue is told", () => {
  assert.deepEqual(unusual(byDefault), []);
  assert.deepEqual(unusual({ order: "fair", loop: true, perUser: 2, perTrack: 1 }), ["In turn", "Loops", "2 each", "No repeats"]);
  assert.deepEqual(unusual({ order: "votes", loop: false, perUser: 0, perTrack: 3 }), ["3 plays a track"]);
});

// The cases that the Go package subjects is held against too (subjects/room_queue_test.go).
test("a fair queue's order is the contract's", async (t) => {
  const cases = JSON.parse(readFileSync(new URL("../../subjects/testdata/vectors/queue_fair.json", import.meta.url), "utf8"));
  assert.ok(cases.length > 0);
  for (const { name, queue: q, turns, minimumScore, order, next } of cases) {
    await t.test(name, () => {
      assert.deepEqual(ordered(q, "fair", turns).map((e) => e.track.id), order);
      const state = /** @type {any} */ ({ queue: q, turns, options: { minimumScore }, queueOptions: { order: "fair" } });
      assert.equal(nextEligible(state)?.track.id ?? "", next);
    });
  }
});
