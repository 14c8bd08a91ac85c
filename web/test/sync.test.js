import assert from "node:assert/strict";
import { test } from "node:test";
import { Lag, Steady, correct, follow } from "../app/sync.js";
import { count, duration, explain, hue, sentence } from "../app/format.js";

test("little drift is left alone, more is bent, much is jumped over", () => {
  for (const drift of [0, 14.9, -14.9]) assert.deepEqual(correct(drift, false), { do: "leave" });
  for (const drift of [15, -15, 399, -399]) assert.equal(correct(drift, false).do, "bend");
  for (const drift of [400, -400, 60_000, -60_000]) assert.deepEqual(correct(drift, true), { do: "jump" });
  assert.equal(correct(10, true).do, "bend", "what has begun goes on");
  assert.equal(correct(3.9, true).do, "leave", "and ends");
});

test("who is ahead is slowed, who is behind is hurried, within the bound", () => {
  for (let drift = -399; drift < 400; drift += 7) {
    const what = correct(drift, true);
    if (what.do !== "bend") continue;
    assert.equal(Math.sign(1 - what.rate), Math.sign(drift));
    assert.ok(Math.abs(what.rate - 1) <= follow.bend + 1e-9);
  }
});

test("a drift of any size is gone within seconds", () => {
  for (const start of [-390, -120, -30, 30, 120, 390]) {
    let drift = start;
    let bending = false;
    let ms = 0;
    for (; ms < 10_000; ms += follow.every) {
      const what = correct(drift, bending);
      bending = what.do === "bend";
      if (what.do === "leave") break;
      assert.notEqual(what.do, "jump");
      drift += ((what.do === "bend" ? what.rate : 1) - 1) * follow.every;
    }
    assert.ok(ms <= Math.abs(start) / follow.bend + 3_000 && Math.abs(drift) < follow.leave, `${start}: ${drift} after ${ms} ms`);
  }
});

test("a lag is learnt from what was missed, and not from accidents", () => {
  const lag = new Lag();
  const real = 180;
  for (let i = 0; i < 8; i++) lag.learn(lag.ms - real); // too late by the difference
  assert.ok(Math.abs(lag.ms - real) < 2, String(lag.ms));
  lag.learn(-5_000);
  assert.ok(Math.abs(lag.ms - real) < 2);
  for (let i = 0; i < 50; i++) lag.learn(200);
  assert.equal(lag.ms, 0, "never before its time");
});

test("one late reading moves nothing", () => {
  const steady = new Steady();
  steady.add(5);
  assert.equal(steady.ready, false);
  steady.add(6);
  assert.equal(steady.add(500), 6);
  assert.equal(steady.ready, true);
  assert.equal(steady.add(7), 7);
  steady.reset();
  assert.equal(steady.ready, false);
});

test("what people read", () => {
  assert.deepEqual([0, 999, 61_000, 3_600_000, 3_726_000].map(duration), ["0:00", "0:00", "1:01", "1:00:00", "1:02:06"]);
  assert.deepEqual([count(1, "vote"), count(2, "vote"), count(1, "person", "people"), count(1200, "person", "people")], ["1 vote", "2 votes", "1 person", "1,200 people"]);
  assert.equal(sentence("join the room first"), "Join the room first.");
  assert.equal(explain({ code: "already_voted", message: "x" }), "You have voted for this already.");
  assert.equal(explain({ code: "full", message: "the room is full" }), "The room is full.");
  assert.equal(hue("user_1"), hue("user_1"));
});
