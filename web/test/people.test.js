import assert from "node:assert/strict";
import { test } from "node:test";
import { Emitter } from "../tutti/emitter.js";
import { Names } from "../app/names.js";
import { FollowBook } from "../app/people-book.js";
import { ago } from "../app/format.js";
import { MemoryStorage, settle } from "./fake.js";

/** What of a client is needed here: who is signed in, profiles, and whom they follow. */
class FakeClient extends Emitter {
  /** @type {any} */ user = { id: "user_me", nickname: "me" };
  /** @type {string[]} */ asked = [];
  /** @type {string[]} whom the user follows, by the server */ following = [];
  /** @type {(() => Promise<any>) | null} */ refuses = null;
  users = Object.assign(new Emitter(), {
    /** @type {Map<string, any>} */ profiles: new Map(),
    /** @type {Set<string>} */ has: new Set(),
    of: (/** @type {string} */ id) => this.users.profiles.get(id),
    known: (/** @type {string} */ id) => this.users.profiles.get(id),
    answered: (/** @type {string} */ id) => this.users.has.has(id),
  });
  http = {
    follow: (/** @type {string} */ id) => this.#change(id, true),
    unfollow: (/** @type {string} */ id) => this.#change(id, false),
  };

  /** @param {string} query @param {any} body */
  async query(query, body) {
    this.asked.push(`${query} ${body.user} ${body.cursor ?? ""}`.trim());
    const from = Number(body.cursor ?? 0);
    const page = this.following.slice(from, from + body.limit);
    return { profiles: page.map((id) => ({ id })), ...(from + body.limit < this.following.length && { next: String(from + body.limit) }) };
  }

  /** @param {string} id @param {boolean} follows */
  async #change(id, follows) {
    if (this.refuses) await this.refuses();
    this.following = this.following.filter((f) => f !== id).concat(follows ? [id] : []);
    return { follows };
  }
}

const made = () => {
  const client = new FakeClient();
  return { client, book: new FollowBook(/** @type {any} */ (client)) };
};

test("whom one follows is read once, page by page", async () => {
  const { client, book } = made();
  client.following = Array.from({ length: 230 }, (_, i) => `user_${i}`);
  assert.equal(book.has("user_3"), null, "not known yet");
  book.read();
  book.read();
  await settle();
  book.read();
  await settle();
  assert.deepEqual(client.asked, ["following user_me", "following user_me 100", "following user_me 200"]);
  assert.deepEqual([book.has("user_229"), book.has("user_x")], [true, false]);
});

test("a change shows when it is done, once, and a refusal changes nothing", async () => {
  const { client, book } = made();
  book.read();
  await settle();
  const first = book.change("user_a", true);
  assert.deepEqual([book.waits("user_a"), book.has("user_a")], [true, false]);
  assert.equal(await book.change("user_a", true), false, "one is on its way");
  assert.equal(await first, true);
  assert.deepEqual([book.waits("user_a"), book.has("user_a"), client.following], [false, true, ["user_a"]]);
  client.refuses = () => Promise.reject(new Error("full"));
  await assert.rejects(book.change("user_a", false), /full/);
  assert.deepEqual([book.waits("user_a"), book.has("user_a")], [false, true]);
});

test("another user's book is empty, and what comes late is not put into it", async () => {
  const { client, book } = made();
  client.following = ["user_a"];
  book.read();
  client.user = { id: "user_other", nickname: "other" };
  client.emit("user", client.user);
  await settle();
  assert.equal(book.has("user_a"), null);
});

test("what the server says about somebody counts, but not against a change on its way", async () => {
  const { client, book } = made();
  book.learn("user_a", true);
  assert.equal(book.has("user_a"), true);
  let go = () => {};
  client.refuses = () => new Promise((resolve) => { go = () => resolve(null); });
  const change = book.change("user_a", false);
  book.learn("user_a", true);
  go();
  await change;
  assert.equal(book.has("user_a"), false);
});

test("names are those of the profiles, one's own is the account's", (t) => {
  const before = globalThis.localStorage;
  /** @type {any} */ (globalThis).localStorage = new MemoryStorage();
  t.after(() => { /** @type {any} */ (globalThis).localStorage = before; });
  const client = new FakeClient();
  const names = new Names(/** @type {any} */ (client));
  let told = 0;
  const end = names.on(() => { told++; });
  assert.deepEqual([names.of("user_me"), names.of("user_a"), names.of("")], ["me", "", ""]);
  client.users.has.add("user_a");
  assert.match(names.of("user_a"), /^Guest /, "there is no such profile");
  client.users.profiles.set("user_a", { nickname: "ann", avatarUrl: "https://a.example/a.png" });
  client.users.emit("change", null);
  assert.deepEqual([names.of("user_a"), names.picture("user_a"), told], ["ann", "https://a.example/a.png", 1]);
  names.meet("user_a");
  names.meet("user_me");
  client.users.profiles.set("user_a", { nickname: "anna", avatarUrl: "" });
  names.meet("user_a");
  assert.deepEqual(names.met(), [{ id: "user_a", name: "anna" }]);
  client.emit("user", null);
  assert.deepEqual(names.met(), [], "whom somebody met is forgotten with them");
  end();
  client.users.emit("change", null);
  client.emit("renamed", null);
  assert.equal(told, 1);
});

test("how long ago", () => {
  const now = new Date(2026, 2, 10, 12).getTime();
  const minute = 60_000;
  assert.deepEqual([0, 1, 59, 60, 23 * 60 + 59, 24 * 60, 3 * 24 * 60].map((m) => ago(now - m * minute, now)), ["just now", "1 min ago", "59 min ago", "1 h ago", "23 h ago", "1 day ago", "3 days ago"]);
  assert.equal(ago(now + 5_000, now), "just now", "a clock may be a little ahead");
  assert.match(ago(now - 30 * 24 * 60 * minute, now), /Feb/);
});
