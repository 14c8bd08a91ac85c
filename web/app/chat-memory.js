const KEY = "tutti.chats";
/** How many chats are remembered, those that were looked at last, and how much of a draft. */
export const CHATS = 50;
export const DRAFT = 4_000;

/**
 * What is remembered of a chat: how far it was read, and what was written there and not sent.
 * @typedef {object} Kept
 * @property {number} total how many messages there were when its end was last seen
 * @property {string} last the id of the last of them, "" if there was none
 * @property {string} draft
 */

/**
 * @param {string} user whose memory it is
 * @returns {(Kept & {id: string})[]} the latest first
 */
function all(user) {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "null");
    return kept.user === user ? kept.chats.filter((/** @type {any} */ one) => typeof one.id === "string" && Number.isInteger(one.total) && typeof one.last === "string" && typeof one.draft === "string") : [];
  } catch {
    return []; // nothing yet, or not ours
  }
}

/**
 * @param {string} user
 * @param {string} chat
 * @returns {Kept | null} null if this browser remembers nothing of it
 */
export function recall(user, chat) {
  return all(user).find((one) => one.id === chat) ?? null;
}

/**
 * Remembers a chat in place of what was remembered of it. Past the bound the one that was looked
 * at the longest ago is forgotten.
 *
 * @param {string} user
 * @param {string} chat
 * @param {Kept} kept
 */
export function keep(user, chat, { total, last, draft }) {
  const chats = [{ id: chat, total, last, draft: draft.slice(0, DRAFT) }, ...all(user).filter((one) => one.id !== chat)].slice(0, CHATS);
  try {
    localStorage.setItem(KEY, JSON.stringify({ user, chats }));
  } catch {
    return; // there is no room: what was remembered before stays
  }
}

/** Forgets every chat: somebody else is signed in, or nobody. */
export function forgetChats() {
  localStorage.removeItem(KEY);
}
