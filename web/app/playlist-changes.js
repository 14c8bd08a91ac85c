/** How long the commit that made a move fail is waited for: its answer may overtake it. */
const WAIT_MS = 600;
/** How many changes, and titles of tracks, are remembered; the oldest are forgotten. */
const KEPT = 1_000;

/** Who changed which track last, and what tracks were called that are gone. */
export class Changes {
  /** @type {Map<string, {by: string, rev: number}>} */
  #last = new Map();
  /** @type {Map<string, string>} */
  #titles = new Map();
  /** @type {Map<() => void, ReturnType<typeof setTimeout>>} who waits for a change */
  #waiting = new Map();

  /**
   * @param {string} track
   * @param {string} by
   * @param {number} rev
   */
  add(track, by, rev) {
    put(this.#last, track, { by, rev });
    for (const go of [...this.#waiting.keys()]) go();
  }

  /** @param {{id: string, title: string}[]} tracks those there are, to be named when they are gone */
  keep(tracks) {
    for (const { id, title } of tracks) put(this.#titles, id, title);
  }

  /**
   * @param {string} track
   * @returns {string}
   */
  title(track) {
    return this.#titles.get(track) ?? "the track";
  }

  /**
   * @param {string} track
   * @param {number} since a revision
   * @returns {{by: string, rev: number} | undefined} who changed it after that
   */
  last(track, since) {
    const change = this.#last.get(track);
    return change && change.rev > since ? change : undefined;
  }

  /**
   * Waits until somebody's change of a track is known, for a moment.
   *
   * @param {string} track
   * @param {number} since
   * @returns {Promise<void>}
   */
  of(track, since) {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(this.#waiting.get(look));
        this.#waiting.delete(look);
        resolve();
      };
      const look = () => { if (this.last(track, since)) done(); };
      this.#waiting.set(look, setTimeout(done, WAIT_MS));
      look();
    });
  }

  /** Lets go who waits. */
  end() {
    for (const timer of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
  }
}

/**
 * @template Value
 * @param {Map<string, Value>} map
 * @param {string} key
 * @param {Value} value
 */
function put(map, key, value) {
  map.delete(key);
  map.set(key, value);
  for (const old of map.keys()) {
    if (map.size <= KEPT) break;
    map.delete(old);
  }
}
