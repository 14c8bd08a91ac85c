import { toast } from "./toast.js";

/** How long after somebody was invited they are told: what one makes oneself comes here as well,
 * a moment before or after the page goes there. */
const SETTLE_MS = 1_000;

/**
 * Who follows a live list of their own, and is told of what comes to it.
 *
 * @template Doc
 * @typedef {object} Told
 * @property {() => import("../tutti/live.js").LiveQuery<Doc>} follow
 * @property {(doc: Doc) => boolean} news whether it is an invitation
 * @property {(doc: Doc) => string} message
 * @property {(doc: Doc) => string} href where it leads
 */

/**
 * A list of invitations of whoever is signed in: followed while somebody is, told of once
 * each, and not told of any more when they were taken back.
 *
 * @template Doc
 */
export class Invitations {
  /** @type {import("../tutti/live.js").LiveQuery<Doc> | null} null for a guest */
  list = null;
  #client;
  #what;
  #changed;
  /** @type {Set<string> | null} what was there before; null until the first list */
  #before = null;
  /** @type {Map<string, () => void>} takes away what tells of one; as many as there are */
  #toldIn = new Map();

  /**
   * @param {import("../tutti/client.js").Client} client
   * @param {Told<Doc>} what
   * @param {() => void} changed
   */
  constructor(client, what, changed) {
    this.#client = client;
    this.#what = what;
    this.#changed = changed;
  }

  /** Begins anew for whoever is signed in now. */
  restart() {
    if (this.list) this.#client.release(this.list);
    this.list = null;
    this.#before = null;
    for (const close of this.#toldIn.values()) close();
    this.#toldIn.clear();
    if (this.#client.user) {
      const list = this.#what.follow();
      this.list = list;
      list.on("change", () => {
        if (list !== this.list) return;
        this.#tell(list);
        this.#changed();
      });
    }
    this.#changed();
  }

  /** @param {import("../tutti/live.js").LiveQuery<Doc>} list */
  #tell(list) {
    const { news, message, href } = this.#what;
    const before = this.#before;
    const now = [...list.docs].filter(([, doc]) => news(doc)).map(([id]) => id);
    this.#before = new Set(now);
    for (const [id, close] of this.#toldIn) {
      if (this.#before.has(id)) continue;
      close(); // it was taken back, or taken up
      this.#toldIn.delete(id);
    }
    if (!before) return;
    for (const id of now) {
      if (before.has(id)) continue;
      setTimeout(() => {
        const doc = list.docs.get(id);
        if (list !== this.list || !doc || !news(doc) || location.hash === href(doc)) return;
        this.#toldIn.set(id, toast(message(doc), { action: { label: "Look", run: () => { location.hash = href(doc); } } }));
      }, SETTLE_MS);
    }
  }
}
