/** @typedef {import("../tutti/types.js").ChatMessage} ChatMessage */
/** @typedef {import("../tutti/types.js").ChatState} ChatState */
/** @typedef {import("../tutti/types.js").ChatYou} ChatYou */
/** @typedef {import("../tutti/types.js").ChatEntry} Entry */
/** @typedef {import("../tutti/types.js").ChatHistoryPage} Page */
/** @typedef {import("../tutti/types.js").LogEvent} LogEvent */

/** The most messages held at once; past it those at the far end go, to be read again. */
export const MOST = 300;

/**
 * The messages of a chat that are shown: one run of them without a gap, made of the document's
 * last page and of pages of the history. It ends where the chat does until it was scrolled so
 * far up that its end had to go; from then on what is new is counted, not held.
 *
 * It needs no page and no socket.
 */
export class ChatLog {
  /** Whether there are messages before the first and after the last. */
  earlier = false;
  later = false;
  /** How many messages were ever sent, as far as is known. */
  total = 0;
  /** @type {Map<string, ChatMessage>} what everybody sees, or history gave */
  #run = new Map();
  /** @type {Record<string, ChatMessage>} what only this user sees, or sees otherwise */
  #own = {};
  /** @type {Record<string, ChatMessage>} the document's page */
  #page = {};

  /**
   * Begins anew with the document: after a snapshot nothing held before counts, since a message
   * of it may have been deleted.
   *
   * @param {ChatState} state
   * @param {ChatYou | null} you
   */
  begin(state, you) {
    this.#run.clear();
    this.later = false;
    this.total = 0;
    this.follow(state, you, true);
  }

  /**
   * Takes in the document as it is now.
   *
   * @param {ChatState} state
   * @param {ChatYou | null} you
   * @param {boolean} atEnd whether the reader is at the end: then the beginning goes if there
   *   are too many
   */
  follow(state, you, atEnd) {
    const first = firstPlace(state);
    if (!this.later && first > this.total + 1) this.#run.clear(); // more was missed than a page
    this.#page = state.messages;
    this.#own = you?.messages ?? {};
    for (const [id, message] of Object.entries(state.messages)) {
      if (!this.later || this.#run.has(id)) this.#run.set(id, message);
    }
    if (!this.later && (this.total === 0 || this.#run.size === Object.keys(state.messages).length)) this.earlier = first > 1;
    this.total = state.total;
    if (atEnd && !this.later) this.#dropFirst();
    else this.#dropLast();
  }

  /**
   * Changes a message that has left the document, as what happened says.
   *
   * @param {LogEvent} event
   */
  happened({ type, body }) {
    const message = this.#run.get(body?.message);
    if (!message || Object.hasOwn(this.#page, body.message)) return;
    if (type === "message.edited") this.#run.set(body.message, { ...message, text: body.text, edited: true });
    else if (type === "message.deleted") this.#run.set(body.message, { ...message, text: "", deleted: true, reactions: {} });
  }

  /**
   * Adds a page that lies just before the first message held.
   *
   * @param {Page} page
   */
  addEarlier(page) {
    this.#add(page);
    this.earlier = page.earlier;
    this.#dropLast();
  }

  /**
   * Adds a page that lies just after the last one held.
   *
   * @param {Page} page
   * @param {ChatState} state the document: it goes on from there if the page reaches it
   */
  addLater(page, state) {
    this.#add(page);
    if (!page.later && firstPlace(state) <= page.total + 1) {
      this.later = false;
      for (const [id, message] of Object.entries(state.messages)) this.#run.set(id, message);
    }
    this.#dropFirst();
  }

  /** @returns {string} the id of the first message held, "" without one */
  get first() {
    return this.#ids()[0] ?? "";
  }

  /** @returns {string} the id of the last message held, "" without one */
  get last() {
    return this.#ids().at(-1) ?? "";
  }

  /**
   * @param {string} id
   * @returns {boolean} whether the message is of the document: others take no reactions
   */
  recent(id) {
    return Object.hasOwn(this.#page, id) || (Object.hasOwn(this.#own, id) && !this.#run.has(id));
  }

  /** @returns {Entry[]} what is to be shown, the oldest first */
  entries() {
    const ids = this.#ids();
    const [first = "", last = ""] = [ids[0], ids.at(-1)];
    const own = Object.keys(this.#own).filter((id) => !this.#run.has(id) && (id > first || !this.earlier) && (id < last || !this.later));
    return [...ids, ...own].sort().map((id) => ({ id, .../** @type {ChatMessage} */ (this.#seen(id)) }));
  }

  /**
   * A message as this user sees it. Of one that has left the document only the text is the
   * user's own: its reactions are not followed any more.
   *
   * @param {string} id
   */
  #seen(id) {
    const [all, own] = [this.#run.get(id), this.#own[id]];
    if (!own || !all) return own ?? all;
    if (Object.hasOwn(this.#page, id)) return own;
    return all.deleted ? all : { ...all, text: own.text, edited: own.edited };
  }

  #ids() {
    return [...this.#run.keys()].sort();
  }

  /** @param {Page} page */
  #add(page) {
    for (const { id, ...message } of page.messages) if (!this.#run.has(id)) this.#run.set(id, message);
  }

  #dropFirst() {
    if (this.#run.size <= MOST) return;
    for (const id of this.#ids().slice(0, this.#run.size - MOST)) this.#run.delete(id);
    this.earlier = true;
  }

  #dropLast() {
    if (this.#run.size <= MOST) return;
    for (const id of this.#ids().slice(MOST)) this.#run.delete(id);
    this.later = true;
  }
}

/**
 * The place in the chat of the first message of the document, from 1: places have no gaps.
 *
 * @param {ChatState} state
 */
function firstPlace(state) {
  return state.total - Object.keys(state.messages).length + 1;
}
