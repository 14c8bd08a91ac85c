/**
 * A move that was asked for and is not known to have happened.
 * @typedef {{track: string, from: number, to: number, rev: number}} Move rev is the revision that
 *   accepted it, 0 until then
 * @typedef {{track: string, after: string | null, at: number, seen: number, taken: number | null}} Held
 *   after is the track above the hand, null at the top; at is where the hand was last; seen is
 *   where the track stood when it was taken; taken is where it stood when somebody else moved it away
 */

/** The most moves that wait for their answers; no further track is taken into the hand. */
const WAITING = 16;

/**
 * In which order a playlist's tracks are shown: the order that is true, with the moves on
 * their way carried out already, and the track that is held in the hand where the hand is.
 * Nothing here knows of pages or pointers.
 *
 * The hand keeps its place between its neighbours while others change the list around it.
 * What it holds may be moved by somebody else meanwhile: the move that ends it then names the
 * place where the track was taken, and the server, for whom the later move fails, refuses it.
 */
export class Arrangement {
  /** @type {string[]} */
  #truth = [];
  #epoch = 0;
  #rev = 0;
  /** @type {Move[]} the oldest first */
  #moves = [];
  /** @type {Held | null} */
  #held = null;

  /** @returns {string} the track in the hand, "" for none */
  get held() {
    return this.#held?.track ?? "";
  }

  /** @returns {number} how many moves wait for their answers */
  get waiting() {
    return this.#moves.length;
  }

  /**
   * @param {string} track
   * @returns {boolean} whether a move of it is on its way
   */
  moving(track) {
    return this.#moves.some((move) => move.track === track);
  }

  /**
   * The list is known anew.
   *
   * @param {string[]} tracks in their order
   * @param {number} epoch
   * @param {number} rev
   * @returns {string} the track that was in the hand and is in the list no more; "" for none
   */
  settle(tracks, epoch, rev) {
    const anew = epoch !== this.#epoch || rev < this.#rev;
    [this.#truth, this.#epoch, this.#rev] = [tracks, epoch, rev];
    this.#moves = this.#moves.filter((move) => move.rev === 0 || (!anew && move.rev > rev));
    if (!this.#held || tracks.includes(this.#held.track)) return "";
    const { track } = this.#held;
    this.#held = null;
    return track;
  }

  /** @returns {string[]} the tracks as they are to be shown */
  shown() {
    const list = this.#expected();
    if (!this.#held) return list;
    const others = list.filter((track) => track !== this.#held?.track);
    others.splice(this.#place(others), 0, this.#held.track);
    return others;
  }

  /**
   * Takes a track into the hand.
   *
   * @param {string} track
   * @returns {boolean} false if it is not in the list, or too many moves wait for their answers
   */
  take(track) {
    const list = this.#expected();
    const at = list.indexOf(track);
    if (at < 0 || this.#moves.length >= WAITING) return false;
    this.#held = { track, after: list[at - 1] ?? null, at, seen: at, taken: null };
    return true;
  }

  /**
   * Moves the hand.
   *
   * @param {number} at where the track shall stand; what is beyond an end counts as the end
   * @returns {boolean} whether that is another place than before
   */
  carry(at) {
    if (!this.#held) return false;
    const others = this.#expected().filter((track) => track !== this.#held?.track);
    const before = this.#place(others);
    const place = Math.max(0, Math.min(at, others.length));
    this.#held.at = place;
    this.#held.after = others[place - 1] ?? null;
    return place !== before;
  }

  /** @returns {number} where the track in the hand would stand; -1 without one */
  place() {
    return this.#held ? this.shown().indexOf(this.#held.track) : -1;
  }

  /**
   * Opens the hand.
   *
   * @returns {Move | null} what to ask the server for; null if the track stands there already
   */
  drop() {
    const held = this.#held;
    if (!held) return null;
    const to = this.place();
    const stands = this.#expected().indexOf(held.track);
    this.#held = null;
    if (held.taken === null ? stands === to : to === held.seen) return null;
    const move = { track: held.track, from: held.taken ?? stands, to, rev: 0 };
    this.#moves.push(move);
    return move;
  }

  /** Opens the hand and lets the track be where it was. */
  cancel() {
    this.#held = null;
  }

  /**
   * Somebody else moved a track.
   *
   * @param {string} track
   * @param {number} from
   */
  movedAway(track, from) {
    if (this.#held?.track === track) this.#held.taken ??= from;
  }

  /**
   * A move of this user's was heard of: its answer may still be on its way.
   *
   * @param {string} track
   * @param {number} from
   * @param {number} to
   */
  happened(track, from, to) {
    const i = this.#moves.findIndex((move) => move.track === track && move.from === from && move.to === to);
    if (i >= 0) this.#moves.splice(i, 1);
  }

  /**
   * @param {Move} move
   * @param {number} rev the revision that accepted it
   */
  accepted(move, rev) {
    if (rev <= this.#rev) this.refused(move);
    else move.rev = rev;
  }

  /** @param {Move} move that will not happen */
  refused(move) {
    this.#moves = this.#moves.filter((other) => other !== move);
  }

  /** The order when all moves on their way have happened. */
  #expected() {
    const list = [...this.#truth];
    for (const { track, to } of this.#moves) {
      const at = list.indexOf(track);
      if (at < 0) continue;
      list.splice(at, 1);
      list.splice(Math.min(to, list.length), 0, track);
    }
    return list;
  }

  /** @param {string[]} others */
  #place(others) {
    const held = /** @type {Held} */ (this.#held);
    if (held.after === null) return 0;
    const above = others.indexOf(held.after);
    return above >= 0 ? above + 1 : Math.min(held.at, others.length);
  }
}

/**
 * Where in a list something that hovers over it belongs: above the first row whose middle lies
 * below its upper edge.
 *
 * @param {number} top of what hovers, in pixels from the top of the list
 * @param {number[]} heights of the other rows, with the gaps between them
 * @returns {number} an index
 */
export function placeUnder(top, heights) {
  let y = 0;
  let i = 0;
  for (const height of heights) {
    if (y + height / 2 >= top) break;
    y += height;
    i++;
  }
  return i;
}
