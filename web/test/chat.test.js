import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ChatLog, MOST } from "../app/chat-log.js";
import { day, dayName, ending, goesOn, left, length, pause, pieces, reactions, typingLine } from "../app/chat-text.js";

const PAGE = 50;
const id = (/** @type {number} */ n) => `msg_${String(n).padStart(6, "0")}`;
const said = (/** @type {number} */ n, more = {}) => ({ author: "user_a", text: `text ${n}`, at: n * 1000, edited: false, deleted: false, reactions: {}, ...more });

/** A chat as the server has it: its document holds the last page. */
class Server {
  /** @type {Map<number, any>} */
  all = new Map();
  /** @type {any} the document, changed in place as patches do */
  state = { id: "room_x", phase: "open", slowMode: 0, total: 0, messages: {} };
  /** @type {any} */
  you = { messages: {} };

  /** @param {number} n */
  say(n = 1) {
    for (; n > 0; n--) {
      const place = ++this.state.total;
      const message = said(place);
      this.all.set(place, message);
      this.state.messages[id(place)] = message;
      if (place > PAGE) delete this.state.messages[id(place - PAGE)];
    }
    return this.state;
  }

  /** @param {{before?: string, after?: string}} where @param {number} [limit] @returns {import("../app/chat-log.js").Page} */
  page({ before, after }, limit = PAGE) {
    const places = [...this.all.keys()].filter((p) => (before ? id(p) < before : id(p) > (after ?? "")));
    const some = before ? places.slice(-limit) : places.slice(0, limit);
    return {
      messages: some.map((p) => ({ id: id(p), ...this.all.get(p) })),
      earlier: (some[0] ?? 1) > 1, later: (some.at(-1) ?? 0) < this.state.total, total: this.state.total,
    };
  }
}

/** The places shown, and whether they are one run. @param {ChatLog} log */
function shown(log) {
  const places = log.entries().map((e) => Number(e.id.slice(4)));
  places.forEach((p, i) => assert.equal(p, (places[0] ?? 0) + i, "a gap in what is shown"));
  return [places[0] ?? 0, places.at(-1) ?? 0];
}

/** @param {number} n */
function opened(n) {
  const server = new Server();
  server.say(n);
  const log = new ChatLog();
  log.begin(server.state, server.you);
  return { server, log };
}

test("the last page comes with the document, and grows with what is said", () => {
  const { server, log } = opened(3);
  assert.deepEqual([shown(log), log.earlier], [[1, 3], false]);
  for (let i = 0; i < 100; i++) log.follow(server.say(), server.you, true);
  assert.deepEqual([shown(log), log.earlier, log.later], [[1, 103], false, false]);
  const long = opened(80).log;
  assert.deepEqual([shown(long), long.earlier], [[31, 80], true]);
});

test("what is held has a bound, whichever way one reads", () => {
  const { server, log } = opened(1000);
  while (log.earlier) {
    log.addEarlier(server.page({ before: log.first }));
    assert.ok(log.entries().length <= MOST);
  }
  assert.deepEqual([shown(log), log.later], [[1, MOST], true]);
  log.follow(server.say(5), server.you, false);
  assert.deepEqual(shown(log), [1, MOST], "what is new is not put after a gap");
  while (log.later) {
    log.addLater(server.page({ after: log.last }), server.state);
    assert.ok(log.entries().length <= MOST);
  }
  assert.deepEqual([shown(log), log.earlier], [[706, 1005], true]);
  log.follow(server.say(10), server.you, true);
  assert.deepEqual(shown(log), [716, 1015]);
});

test("a reader far up loses the end, not the place", () => {
  const { server, log } = opened(400);
  while (log.entries().length < MOST) log.addEarlier(server.page({ before: log.first }));
  assert.deepEqual([shown(log), log.later], [[101, 400], false]);
  log.follow(server.say(3), server.you, false);
  assert.deepEqual([shown(log), log.later], [[101, 400], true]);
});

test("a page that no longer reaches the end is not joined to it", () => {
  const { server, log } = opened(600);
  while (log.earlier) log.addEarlier(server.page({ before: log.first }));
  const page = { ...server.page({ after: log.last }, 1000), later: false };
  server.say(PAGE + 5);
  log.addLater(page, server.state);
  assert.equal(log.later, true);
  shown(log);
});

test("more missed than a page, and what lies before is let go", () => {
  const { server, log } = opened(60);
  log.follow(server.say(200), server.you, true);
  assert.deepEqual([shown(log), log.earlier], [[211, 260], true]);
});

test("what left the document is changed by what happens", () => {
  const { server, log } = opened(70);
  log.addEarlier(server.page({ before: log.first }));
  log.happened(/** @type {any} */ ({ type: "message.edited", body: { message: id(3), text: "better" } }));
  log.happened(/** @type {any} */ ({ type: "message.deleted", body: { message: id(4) } }));
  log.happened(/** @type {any} */ ({ type: "message.deleted", body: { message: id(9999) } }));
  const [, , third, fourth] = log.entries();
  assert.deepEqual([third?.text, third?.edited, fourth?.text, fourth?.deleted], ["better", true, "", true]);
  assert.deepEqual([log.recent(id(3)), log.recent(id(70))], [false, true]);
});

test("after a snapshot nothing held before counts", () => {
  const { server, log } = opened(120);
  log.addEarlier(server.page({ before: log.first }));
  log.begin(server.state, server.you);
  assert.deepEqual([shown(log), log.earlier], [[71, 120], true]);
});

test("what only its author sees stands among the others", () => {
  const { server, log } = opened(80);
  const own = { [`${id(79)}s`]: said(79, { text: "mine" }), [id(80)]: said(80, { text: "mine too", edited: true }), [`${id(5)}s`]: said(5), [id(3)]: said(3, { text: "edited alone" }) };
  server.you = { messages: own };
  log.follow(server.state, server.you, true);
  assert.deepEqual(log.entries().slice(-3).map((e) => e.text), ["text 79", "mine", "mine too"]);
  assert.equal(log.entries().length, 51, "one from before what is shown is not");
  log.addEarlier(server.page({ before: log.first }));
  const old = log.entries().find((e) => e.id === id(3));
  assert.deepEqual([log.entries().length, old?.text, old?.reactions], [82, "edited alone", {}]);
  assert.ok(log.recent(`${id(79)}s`));
});

test("an empty chat", () => {
  const { server, log } = opened(0);
  assert.deepEqual([log.entries(), log.first, log.earlier], [[], "", false]);
  log.follow(server.say(), server.you, true);
  assert.deepEqual(shown(log), [1, 1]);
});

test("a message is known for one's own by its id", () => {
  const golden = JSON.parse(readFileSync(new URL("../../subjects/testdata/chat_document.json", import.meta.url), "utf8"));
  const ids = Object.entries(golden.messages);
  assert.ok(ids.length > 0);
  for (const [message, { author }] of ids) assert.ok(message.endsWith(ending(golden.id, author, "cmd")), message);
});

test("a message goes on under a name for a while, by one author, on one day", () => {
  const at = new Date(2026, 2, 1, 23, 59).getTime();
  const first = { id: "a", author: "x", at };
  assert.ok(goesOn(first, { ...first, at: at + 30_000 }));
  assert.ok(!goesOn(first, { ...first, at: at + 61_000 }), "another day");
  assert.ok(!goesOn({ ...first, at: at - 600_000 }, first));
  assert.ok(!goesOn(first, { ...first, author: "y" }));
  assert.ok(!goesOn(undefined, first));
});

test("days are named as people name them", () => {
  const now = new Date(2026, 2, 1, 0, 30).getTime();
  assert.equal(day(now), "2026-03-01");
  assert.equal(dayName(now, now), "Today");
  assert.equal(dayName(new Date(2026, 1, 28, 23).getTime(), now), "Yesterday");
  assert.equal(dayName(new Date(2026, 0, 5, 12).getTime(), now), "Monday 5 January");
  assert.match(dayName(new Date(2025, 0, 6, 12).getTime(), now), /2025/);
});

test("addresses are found, and nothing else is one", () => {
  assert.deepEqual(pieces("see https://a.example/x?y=1, or (http://b.example)."), [
    { text: "see " }, { text: "https://a.example/x?y=1", url: "https://a.example/x?y=1" }, { text: ", or (" }, { text: "http://b.example", url: "http://b.example" }, { text: ")." },
  ]);
  for (const plain of ["javascript:alert(1)", "ftp://a", "http://", "a.example", "", "https:// x"]) {
    assert.ok(pieces(plain).every((p) => !p.url), plain);
    assert.equal(pieces(plain).map((p) => p.text).join(""), plain);
  }
});

test("what people read in a chat", () => {
  assert.equal(length("a👍é"), 3);
  assert.deepEqual([left(1), left(59_001), left(61_000), left(3_700_000)], ["1 s", "1:00", "1:01", "1 h 1 min"]);
  assert.deepEqual([5, 60, 900, 21_600].map(pause), ["5 s", "1 min", "15 min", "6 h"]);
  assert.deepEqual([[], ["Ada"], ["Ada", "Bob"], ["Ada", "Bob", "Cy"]].map(typingLine), ["", "Ada is typing…", "Ada and Bob are typing…", "Several people are typing…"]);
  assert.equal(Object.keys(reactions).length, 8);
});
