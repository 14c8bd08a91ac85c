import assert from "node:assert/strict";
import { test } from "node:test";
import { Arrangement, placeUnder } from "../app/playlist-order.js";

/** @param {string} tracks one letter each @param {number} [rev] @param {number} [epoch] */
function arrangement(tracks, rev = 1, epoch = 1) {
  const order = new Arrangement();
  order.settle([...tracks], epoch, rev);
  return {
    order,
    shown: () => order.shown().join(""),
    truth: (/** @type {string} */ now, /** @type {number} */ at, e = epoch) => order.settle([...now], e, at),
  };
}

test("a track in the hand is shown where the hand is, and dropped there", () => {
  const { order, shown } = arrangement("abcd");
  assert.ok(order.take("b"));
  assert.equal(order.held, "b");
  assert.deepEqual([order.carry(3), order.carry(3)], [true, false]);
  assert.equal(shown(), "acdb");
  assert.deepEqual(order.drop(), { track: "b", from: 1, to: 3, rev: 0 });
  assert.equal(shown(), "acdb", "shown at once, before the server has answered");
  assert.deepEqual([order.held, order.moving("b"), order.moving("a")], ["", true, false]);
});

test("the hand stops at both ends", () => {
  const { order, shown } = arrangement("abc");
  order.take("b");
  order.carry(-4);
  assert.equal(shown(), "bac");
  order.carry(99);
  assert.equal(shown(), "acb");
  assert.equal(order.place(), 2);
});

test("what is put back where it stood asks for nothing, and so does what is let go", () => {
  const { order, shown } = arrangement("abc");
  order.take("b");
  order.carry(0);
  order.carry(1);
  assert.equal(order.drop(), null);
  order.take("b");
  order.carry(0);
  order.cancel();
  assert.equal(order.drop(), null);
  assert.deepEqual([shown(), order.waiting], ["abc", 0]);
});

test("others change the list under the hand, which stays between its neighbours", () => {
  const { order, shown, truth } = arrangement("abcd");
  order.take("a");
  order.carry(2);
  assert.equal(shown(), "bcad");
  truth("xabcdy", 2);
  assert.equal(shown(), "xbcady");
  truth("xabdy", 3); // the neighbour above is taken out: the place that was last stays
  assert.equal(shown(), "xbady");
  truth("xabzdy", 4);
  assert.deepEqual(order.drop(), { track: "a", from: 1, to: 2, rev: 0 });
});

test("at the top the hand stays at the top", () => {
  const { order, shown, truth } = arrangement("abc");
  order.take("c");
  order.carry(0);
  truth("xabc", 2);
  assert.equal(shown(), "cxab");
});

test("a track that somebody takes out falls from the hand", () => {
  const { order, shown, truth } = arrangement("abc");
  order.take("b");
  order.carry(2);
  assert.equal(truth("ac", 2), "b");
  assert.deepEqual([order.held, shown(), order.drop()], ["", "ac", null]);
});

test("a track that somebody moves stays in the hand, and names the place where it was taken", () => {
  const { order, shown, truth } = arrangement("abcd");
  order.take("b");
  order.carry(3);
  order.movedAway("b", 1);
  truth("bacd", 2);
  assert.equal(shown(), "acdb");
  assert.deepEqual(order.drop(), { track: "b", from: 1, to: 3, rev: 0 });
});

test("a track that somebody moved to where the hand holds it is asked for all the same", () => {
  const { order, truth } = arrangement("abcd");
  order.take("b");
  order.carry(3);
  order.movedAway("b", 1);
  truth("acdb", 2);
  assert.deepEqual(order.drop(), { track: "b", from: 1, to: 3, rev: 0 });
  order.take("a");
  order.movedAway("a", 0);
  assert.equal(order.drop(), null, "the hand never moved it");
});

test("a refused move leaves the list as it truly is", () => {
  const { order, shown, truth } = arrangement("abcd");
  order.take("a");
  order.carry(3);
  const move = order.drop();
  truth("dabc", 2);
  assert.equal(shown(), "dbca");
  order.refused(/** @type {any} */ (move));
  assert.equal(shown(), "dabc");
});

test("an accepted move is shown on until its commit is there, and then counts once", () => {
  const { order, shown, truth } = arrangement("abcd", 4);
  order.take("a");
  order.carry(1);
  const move = /** @type {any} */ (order.drop());
  order.accepted(move, 6);
  assert.equal(shown(), "bacd");
  truth("xabcd", 5); // another's, in between
  assert.equal(shown(), "xabcd", "the index that was asked for");
  truth("bxacd", 6);
  assert.deepEqual([shown(), order.waiting], ["bxacd", 0]);
});

test("a commit that comes before the answer ends the waiting as well", () => {
  const { order, shown, truth } = arrangement("abc", 4);
  order.take("a");
  order.carry(2);
  const move = /** @type {any} */ (order.drop());
  order.happened("a", 0, 2);
  truth("bca", 5);
  truth("cba", 6);
  assert.equal(shown(), "cba");
  order.accepted(move, 5);
  assert.deepEqual([shown(), order.waiting], ["cba", 0]);
});

test("a move that a snapshot holds already is not carried out again when its answer comes", () => {
  const { order, shown, truth } = arrangement("abc", 4);
  order.take("a");
  order.carry(2);
  const move = /** @type {any} */ (order.drop());
  truth("cba", 9); // the move, and others after it
  order.accepted(move, 5);
  assert.deepEqual([shown(), order.waiting], ["cba", 0]);
});

test("moves wait in the order asked, each from where the one before has put things", () => {
  const { order, shown } = arrangement("abc");
  order.take("a");
  order.carry(2);
  order.drop();
  order.take("b");
  order.carry(1);
  assert.deepEqual(order.drop(), { track: "b", from: 0, to: 1, rev: 0 });
  assert.equal(shown(), "cba");
});

test("too many moves on their way let no further track be taken", () => {
  const { order } = arrangement("ab");
  for (let i = 0; i < 16; i++) {
    assert.ok(order.take("a"));
    order.carry(i % 2 ? 0 : 1);
    assert.ok(order.drop());
  }
  assert.equal(order.take("a"), false);
  assert.equal(order.take("x"), false);
});

test("after the log lost its tail nothing that was accepted is waited for", () => {
  const { order, shown, truth } = arrangement("abc", 9);
  order.take("a");
  order.carry(2);
  order.accepted(/** @type {any} */ (order.drop()), 12);
  truth("abc", 7, 2);
  assert.deepEqual([shown(), order.waiting], ["abc", 0]);
});

test("what hovers belongs above the first row whose middle lies below its edge", () => {
  const rows = [60, 60, 60];
  assert.deepEqual([-80, 0, 29, 30, 31, 60, 91, 120, 151, 400].map((top) => placeUnder(top, rows)), [0, 0, 0, 0, 1, 1, 2, 2, 3, 3]);
  assert.deepEqual([49, 51].map((top) => placeUnder(top, [100, 20])), [0, 1]);
  assert.equal(placeUnder(10, []), 0);
});
