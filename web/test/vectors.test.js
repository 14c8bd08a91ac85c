// The cases that the Go package subjects is held against too (subjects/vectors_test.go).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { applyPatch, canonical, hash, inOrder, nextEligible, ordered, positionAt } from "../tutti.js";

/** @param {string} name */
function vectors(name) {
  const cases = JSON.parse(readFileSync(new URL(`../../subjects/testdata/vectors/${name}.json`, import.meta.url), "utf8"));
  assert.ok(cases.length > 0, `${name} holds no cases`);
  return cases;
}

test("canonical JSON and its hash", async (t) => {
  for (const { name, doc, canonical: want, hash: sum, error } of vectors("canonical")) {
    await t.test(name, () => {
      if (error) {
        assert.throws(() => canonical(JSON.parse(doc)));
        return;
      }
      assert.equal(canonical(JSON.parse(doc)), want);
      assert.equal(hash(JSON.parse(doc)), sum);
      assert.equal(canonical(JSON.parse(want)), want);
    });
  }
});

test("merge patches", async (t) => {
  for (const { name, doc, patch, result } of vectors("patch")) {
    await t.test(name, () => {
      const before = doc === "" ? undefined : JSON.parse(doc);
      assert.equal(canonical(applyPatch(before, JSON.parse(patch))), result);
      assert.equal(/** @type {any} */ ({}).polluted, undefined);
    });
  }
});

test("positions", async (t) => {
  for (const { name, playback, serverMs, durationMs, position } of vectors("playback")) {
    await t.test(name, () => assert.equal(positionAt(playback, serverMs, durationMs), position));
  }
});

test("the queue's order", async (t) => {
  for (const { name, queue, minimumScore, order, next } of vectors("queue_order")) {
    await t.test(name, () => {
      assert.deepEqual(ordered(queue).map((e) => e.track.id), order);
      const state = /** @type {any} */ ({ queue, options: { minimumScore } });
      assert.equal(nextEligible(state)?.track.id ?? "", next);
    });
  }
});

test("the documents of a playlist and a chat, and the order of a playlist's tracks", () => {
  const golden = (/** @type {string} */ name) => JSON.parse(readFileSync(new URL(`../../subjects/testdata/${name}.json`, import.meta.url), "utf8"));
  for (const name of ["playlist_document", "chat_document"]) assert.equal(hash(golden(name)), golden(`${name}_hash`), name);
  assert.deepEqual(inOrder(golden("playlist_document").tracks).map((one) => one.track.id), golden("playlist_row").tracks);
});
