import assert from "node:assert/strict";
import { test } from "node:test";
import { offered } from "../app/finder.js";
import { Again } from "../app/playlist-again.js";
import { doingsWith } from "../app/playlist-words.js";
import { reread } from "../app/playlists-pages.js";
import { World } from "./fake.js";

const list = (/** @type {string} */ ids, next = "") => ({ all: [...ids].map((id) => ({ id })), next });
const ids = (/** @type {{all: {id: string}[], next: string}} */ { all, next }) => [all.map(({ id }) => id).join(""), next];

test("the beginning of a list that is read again takes the place of what was shown", () => {
  assert.deepEqual(ids(reread(list("abc"), list("axc"))), ["axc", ""]);
  assert.deepEqual(ids(reread(list("abcdef", "n6"), list("", ""))), ["", ""], "all of it went");
  assert.deepEqual(ids(reread(list(""), list("ab", "n2"))), ["ab", "n2"]);
});

test("what was read beyond the beginning stays, with the cursor of what comes after it", () => {
  assert.deepEqual(ids(reread(list("abcdef", "n6"), list("abc", "n3"))), ["abcdef", "n6"]);
  assert.deepEqual(ids(reread(list("abcdef", "n6"), list("axbc", "n4"))), ["axbcdef", "n6"], "one is new");
  assert.deepEqual(ids(reread(list("abcdef", "n6"), list("acd", "n4"))), ["acdef", "n6"], "one went");
  assert.deepEqual(ids(reread(list("abcd", "n4"), list("dabc", "n4"))), ["dabc", "n4"], "one was renamed and comes before");
  assert.deepEqual(ids(reread(list("abcd", "n4"), list("abx", "n3"))), ["abx", "n3"], "where the two meet is not known");
});

test("what is there already is shown to who looks for it, after the others, and not to who only looks", () => {
  const tracks = /** @type {any[]} */ ([{ id: "a" }, { id: "b" }, { id: "c" }, { id: "d" }]);
  const where = (/** @type {string} */ id) => (id === "a" || id === "c" ? "in the playlist" : "");
  const shown = (/** @type {string} */ query, most = 8) => offered(tracks, where, query, most).map(({ id }) => id).join("");
  assert.deepEqual([shown("x"), shown(""), shown("x", 3), shown("", 1)], ["bdac", "bd", "bda", "b"]);
});

test("what the creator may do with somebody follows from who sees and edits the playlist", () => {
  const doings = (/** @type {string} */ visibility, /** @type {boolean} */ onlyInvitedEdit, /** @type {boolean} */ invited) =>
    String(doingsWith({ visibility, options: { onlyInvitedEdit } }, invited));
  assert.equal(doings("public", false, true), "");
  assert.equal(doings("public", true, false), "letEdit");
  assert.equal(doings("public", true, true), "endEditing");
  assert.equal(doings("followers", false, false), "takeOut");
  assert.equal(doings("followers", true, false), "letEdit,takeOut");
  assert.equal(doings("followers", true, true), "takeOut");
  assert.equal(doings("private", false, true), "takeOut");
});

test("what is away is asked for ever more rarely, and not for ever", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let asked = 0;
  const again = new Again(() => { asked++; });
  again.begin();
  again.begin(); // it runs already
  t.mock.timers.tick(999);
  assert.equal(asked, 0);
  for (const pause of [1, 2_000, 4_000, 8_000, 15_000, 15_000]) t.mock.timers.tick(pause);
  assert.equal(asked, 6);
  for (let i = 0; i < 100; i++) {
    t.mock.timers.tick(15_000);
    again.begin();
  }
  assert.equal(asked, 40);
  again.now();
  t.mock.timers.tick(1_000);
  assert.equal(asked, 42);
  again.end();
  t.mock.timers.tick(60_000);
  assert.equal(asked, 42);
});

test("a playlist that is gone can be asked for again, and comes back without what it was", async (t) => {
  const world = new World(t);
  const playlist = world.client.playlist("playlist_X");
  await world.connected();
  const { socket } = world;
  /** @type {string[]} */
  const told = [];
  playlist.on("status", (status) => told.push(status));
  const subs = () => socket.of("sub").filter((/** @type {any} */ f) => f.channel === "playlist.playlist_X");
  const refusal = { code: "not_found", message: "there is no such playlist" };
  socket.say({ type: "snap", channel: "playlist.playlist_X", epoch: 1, rev: 4, state: { name: "Road" } });
  playlist.again(); // it is not gone: nothing is asked
  assert.equal(subs().length, 1);
  socket.say({ type: "gone", channel: "playlist.playlist_X", refusal });
  playlist.again();
  playlist.again(); // asked already
  assert.equal(subs().length, 2);
  assert.equal(subs()[1].since, undefined);
  assert.deepEqual([playlist.status, playlist.state], ["gone", null]);
  socket.say({ type: "err", id: subs()[1].id, refusal });
  assert.deepEqual(told, ["live", "gone", "gone"], "a further refusal is told");
  playlist.again();
  socket.say({ type: "snap", channel: "playlist.playlist_X", epoch: 1, rev: 6, state: { name: "Open road" } });
  assert.deepEqual([playlist.status, playlist.state?.name, told.at(-1)], ["live", "Open road", "live"]);
});
