/** @typedef {import("../tutti/types.js").Track} Track */

/**
 * What was found for the words in a field. What is held belongs to the words that were looked
 * for last and to no others: a changed field forgets it at once, and an answer that comes too
 * late is dropped.
 */
export class Finder {
  /** @type {Track[]} */
  found = [];
  /** The place of the one that Enter takes; -1 for none. */
  chosen = -1;
  /** Whether the last search had no answer. */
  failed = false;
  #search;
  #asked = 0;
  /** @type {{query: string, done: Promise<boolean>} | null} */
  #under = null;

  /** @param {(query: string) => Promise<Track[]>} search */
  constructor(search) {
    this.#search = search;
  }

  /** The field holds something else now. */
  forget() {
    this.#asked++;
    this.found = [];
    this.chosen = -1;
    this.failed = false;
    this.#under = null;
  }

  /**
   * Looks for words; while the same are being looked for, waits for that.
   *
   * @param {string} query
   * @returns {Promise<boolean>} false if other words were looked for meanwhile
   */
  look(query) {
    if (this.#under?.query === query) return this.#under.done;
    this.forget();
    const mine = this.#asked;
    const done = this.#search(query).then((tracks) => {
      if (mine !== this.#asked) return false;
      this.found = tracks;
      this.chosen = tracks.length && query ? 0 : -1;
      this.#under = null;
      return true;
    }, () => {
      if (mine !== this.#asked) return false;
      this.failed = true;
      this.#under = null;
      return true;
    });
    this.#under = { query, done };
    return done;
  }

  /**
   * The choice among what was found, moved up or down, round and round.
   *
   * @param {1 | -1} by
   */
  move(by) {
    const n = this.found.length;
    if (n > 0) this.chosen = this.chosen < 0 ? (by > 0 ? 0 : n - 1) : (this.chosen + by + n) % n;
  }
}

/**
 * Which of the tracks that the catalogue found are shown. Who looks for nothing in particular
 * sees what is not there yet; who looks for something sees it also where it is there already,
 * after the others.
 *
 * @param {Track[]} tracks
 * @param {(id: string) => string} where where a track is already, "" for nowhere
 * @param {string} query
 * @param {number} most
 * @returns {Track[]}
 */
export function offered(tracks, where, query, most) {
  const free = tracks.filter((t) => !where(t.id));
  return (query ? [...free, ...tracks.filter((t) => where(t.id))] : free).slice(0, most);
}

/**
 * @param {string} text
 * @returns {boolean} whether it is taken as it is: an address, or a track's id
 */
export function isReference(text) {
  return /^https?:\/\/\S+$/i.test(text) || /^[a-z]+:[\w-]+$/i.test(text);
}
