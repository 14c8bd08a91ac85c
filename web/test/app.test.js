import assert from "node:assert/strict";
import { test } from "node:test";
import { Countdown } from "../app/countdown.js";
import { Voice } from "../app/voice.js";
import { settle } from "./fake.js";

test("a message goes when its time is up, and stays while it is pointed at or has the focus", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let gone = 0;
  const countdown = new Countdown(4_000, () => { gone++; });
  t.mock.timers.tick(3_900);
  countdown.hold("focus");
  countdown.hold("pointer");
  t.mock.timers.tick(60_000);
  countdown.release("pointer");
  t.mock.timers.tick(60_000);
  assert.equal(gone, 0, "the focus still holds it");
  countdown.release("focus");
  countdown.release("focus"); // what does not hold lets nothing go
  t.mock.timers.tick(3_900);
  assert.equal(gone, 0);
  t.mock.timers.tick(200);
  assert.equal(gone, 1);
});

test("a message that was taken away does not go again", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let gone = 0;
  new Countdown(4_000, () => { gone++; }).stop();
  t.mock.timers.tick(10_000);
  assert.equal(gone, 0);
});

/** Locks as an origin has them, for the tabs of a test. */
class FakeLocks {
  /** @type {Map<string, {run: () => void, reject: (err: Error) => void}[]>} the first holds it */
  held = new Map();

  /** @param {string} name @param {any} how @param {(lock: any) => any} work */
  request(name, how, work) {
    const line = this.held.get(name) ?? [];
    this.held.set(name, line);
    if (how.ifAvailable && line.length) return Promise.resolve(work(null));
    return new Promise((resolve, reject) => {
      const mine = {
        reject,
        run: async () => {
          await work({ name });
          const at = line.indexOf(mine);
          if (at < 0) return;
          line.splice(at, 1);
          resolve(undefined);
          line[0]?.run();
        },
      };
      const abort = () => Object.assign(new Error("abort"), { name: "AbortError" });
      how.signal?.addEventListener("abort", () => {
        const at = line.indexOf(mine);
        if (at > 0) { line.splice(at, 1); reject(abort()); }
      });
      if (how.steal) {
        line.shift()?.reject(abort());
        line.unshift(mine);
        mine.run();
      } else if (line.push(mine) === 1) mine.run();
    });
  }
}

test("of a user's tabs one sounds; the next follows when it goes, or when it is asked to", async () => {
  const locks = /** @type {any} */ (new FakeLocks());
  const [one, two, other] = [new Voice(locks), new Voice(locks), new Voice(locks)];
  const states = () => [one.state, two.state];
  one.want("ada");
  await settle();
  two.want("ada");
  other.want("bob");
  await settle();
  assert.deepEqual([...states(), other.state], ["ours", "elsewhere", "ours"]);
  two.take();
  await settle();
  assert.deepEqual(states(), ["elsewhere", "ours"]);
  two.want(null);
  await settle();
  assert.deepEqual(states(), ["ours", "silent"]);
  two.want("ada");
  await settle();
  two.want(null); // gives up its place in line
  one.want(null);
  one.want("ada");
  await settle();
  assert.deepEqual(states(), ["ours", "silent"]);
});

test("without locks every tab sounds", () => {
  const voice = new Voice(/** @type {any} */ (null));
  voice.want("");
  assert.equal(voice.state, "ours");
  voice.want(null);
  assert.equal(voice.state, "silent");
});
