import assert from "node:assert/strict";
import { test } from "node:test";
import { CHATS, DRAFT, forgetChats, keep, recall } from "../app/chat-memory.js";
import { MemoryStorage } from "./fake.js";

/** @param {import("node:test").TestContext} t */
function stored(t) {
  const before = globalThis.localStorage;
  const storage = new MemoryStorage();
  /** @type {any} */ (globalThis).localStorage = storage;
  t.after(() => { /** @type {any} */ (globalThis).localStorage = before; });
  return storage;
}

const kept = (/** @type {number} */ total, draft = "") => ({ total, last: `msg_${total}`, draft });

test("how far a chat was read and what was being written there comes back", (t) => {
  stored(t);
  assert.equal(recall("user_a", "room_x"), null);
  keep("user_a", "room_x", kept(3, "half a"));
  keep("user_a", "room_y", kept(9));
  keep("user_a", "room_x", kept(5, "half a sentence"));
  const { total, last, draft } = recall("user_a", "room_x") ?? kept(0);
  assert.deepEqual([total, last, draft], [5, "msg_5", "half a sentence"]);
  assert.equal(recall("user_a", "room_y")?.total, 9);
});

test("what one user left is not another's, and is forgotten when they go", (t) => {
  stored(t);
  keep("user_a", "room_x", kept(3, "secret"));
  assert.equal(recall("user_b", "room_x"), null);
  keep("user_b", "room_x", kept(1));
  assert.equal(recall("user_a", "room_x"), null);
  forgetChats();
  assert.equal(recall("user_b", "room_x"), null);
});

test("as many chats are remembered as the bound says, those looked at last, and no endless draft", (t) => {
  stored(t);
  for (let i = 0; i < CHATS; i++) keep("user_a", `room_${i}`, kept(i));
  keep("user_a", "room_0", kept(0, "x".repeat(DRAFT + 1)));
  keep("user_a", "room_new", kept(7));
  assert.equal(recall("user_a", "room_1"), null, "looked at the longest ago");
  assert.equal(recall("user_a", "room_2")?.total, 2);
  assert.equal(recall("user_a", "room_0")?.draft.length, DRAFT);
});

test("what somebody else put there counts as nothing", (t) => {
  const storage = stored(t);
  for (const junk of ["", "{", "null", "[]", '{"user":"user_a"}', '{"user":"user_a","chats":[{"id":"room_x"}]}']) {
    storage.setItem("tutti.chats", junk);
    assert.equal(recall("user_a", "room_x"), null, junk);
  }
});

test("storage without room refuses nothing but the memory", (t) => {
  const storage = stored(t);
  keep("user_a", "room_x", kept(1));
  storage.setItem = () => { throw new Error("quota"); };
  keep("user_a", "room_x", kept(2));
  assert.equal(recall("user_a", "room_x")?.total, 1);
});
