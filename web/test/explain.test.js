import assert from "node:assert/strict";
import { test } from "node:test";
import { explain, isolate, tracksNotTaken } from "../app/format.js";

const refused = (/** @type {string} */ message) => explain({ code: "full", message });
const part = "your part of the queue is full: one may have 1 track in it";

test("why no track was taken is told with titles and without ids", () => {
  assert.equal(refused(`no track was accepted: Clockwork Garden: ${part}`), "Clockwork Garden: your part of the queue is full: one may have 1 track in it.");
  assert.equal(refused(`no track was accepted: demo:clockwork-garden: ${part}`), "Your part of the queue is full: one may have 1 track in it.");
  assert.equal(refused(`no track was accepted: https://a.example/x: ${part}; truly`), "Your part of the queue is full: one may have 1 track in it; truly.");
  assert.equal(refused(`none of 3 tracks was accepted, each for the same reason: ${part}`), "None of 3 tracks was taken: your part of the queue is full: one may have 1 track in it.");
  assert.equal(refused(`none of 8 tracks was accepted: Aurora: it is the current track; demo:sea: ${part}; demo:sky: ${part}; and 3 others`), "Aurora: it is the current track. Your part of the queue is full: one may have 1 track in it.");
  assert.equal(refused("the room is full"), "The room is full.", "what is not about tracks is told as it is");
});

test("what of several tracks was not taken is told by title, or by number", () => {
  const titles = new Map([["demo:aurora", "Aurora"], ["demo:sea", "Sea"]]);
  const tell = (/** @type {string[]} */ ...refs) => tracksNotTaken(refs.map((ref) => ({ ref, reason: part })), (ref) => titles.get(ref));
  const why = "Your part of the queue is full: one may have 1 track in it.";
  assert.equal(tell("demo:aurora"), `Aurora was not taken. ${why}`);
  assert.equal(tell("demo:aurora", "demo:sea"), `Aurora, Sea were not taken. ${why}`);
  assert.equal(tell("demo:aurora", "demo:unknown"), `2 tracks were not taken. ${why}`);
});

test("a name among words has a direction of its own", () => {
  assert.deepEqual([isolate(""), isolate("דנה")], ["", "\u2068דנה\u2069"]);
});
