import { Follow } from "./follow.js";

/** @typedef {import("./types.js").ServerFrame} ServerFrame */

/**
 * A live query: documents by id that come, change and go. Event: change.
 *
 * @template Doc
 * @extends {Follow<{}>}
 */
export class LiveQuery extends Follow {
  /** @type {Map<string, Doc>} */
  docs = new Map();
  #options;

  /**
   * @param {string} channel
   * @param {(frame: object) => boolean} send
   * @param {{prefix?: string, limit?: number}} [options]
   */
  constructor(channel, send, options = {}) {
    super(channel, send);
    this.#options = options;
  }

  /**
   * Asks for other documents; the ones there are stay until the answer.
   *
   * @param {{prefix?: string, limit?: number}} options
   */
  narrow(options) {
    this.#options = options;
    this.ask();
  }

  /** @override */
  wanted() {
    const { prefix, limit } = this.#options;
    return { ...(prefix && { prefix }), ...(limit && { limit }) };
  }

  /** @override */
  forget() {
    this.docs.clear();
  }

  /**
   * @override
   * @param {ServerFrame} frame
   */
  take(frame) {
    if (frame.type === "docs") {
      this.docs = new Map(Object.entries(frame.docs ?? {}));
      this.settled();
      this.emit("change", null);
    } else if (frame.type === "doc" && frame.docId && !this.asking) {
      if (frame.doc) this.docs.set(frame.docId, frame.doc);
      else this.docs.delete(frame.docId);
      this.emit("change", null);
    }
  }
}
