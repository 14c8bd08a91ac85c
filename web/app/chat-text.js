import { sha256 } from "../tutti/sha256.js";

/** What a message may hold, in characters (Unicode code points), and from where on they are counted. */
export const LONGEST = 1000;
export const COUNT_FROM = 900;

/** Messages of one author within this long of each other stand under one name. */
const TOGETHER_MS = 5 * 60_000;

/** How the reactions are drawn, by their names in the contract. */
export const reactions = /** @type {Record<string, string>} */ ({
  like: "👍", dislike: "👎", love: "❤️", laugh: "😂", wow: "😮", sad: "😢", cheer: "🎉", fire: "🔥",
});

/** @typedef {{id: string, author: string, at: number}} Said */

/**
 * Whether a message stands under the name of the one before.
 *
 * @param {Said | undefined} before
 * @param {Said} message
 */
export function goesOn(before, message) {
  return before !== undefined && before.author === message.author && message.at - before.at < TOGETHER_MS && day(before.at) === day(message.at);
}

/**
 * @param {number} at
 * @returns {string} the day of a time where the reader is, as a key: 2026-03-01
 */
export function day(at) {
  const d = new Date(at);
  return `${d.getFullYear()}-${String(d.getMonth() + 1).padStart(2, "0")}-${String(d.getDate()).padStart(2, "0")}`;
}

/**
 * @param {number} at
 * @param {number} now
 * @returns {string} the day as a person says it
 */
export function dayName(at, now) {
  if (day(at) === day(now)) return "Today";
  const d = new Date(now);
  if (day(at) === day(new Date(d.getFullYear(), d.getMonth(), d.getDate() - 1, 12).getTime())) return "Yesterday";
  const sameYear = new Date(at).getFullYear() === d.getFullYear();
  return new Date(at).toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long", ...(!sameYear && { year: "numeric" }) });
}

/**
 * @param {string} text
 * @returns {number} its length as the server counts it
 */
export function length(text) {
  let n = 0;
  for (const _ of text) n++;
  return n;
}

/**
 * Takes a text apart into plain pieces and addresses; only http and https are taken for one.
 *
 * @param {string} text
 * @returns {{text: string, url?: string}[]}
 */
export function pieces(text) {
  /** @type {{text: string, url?: string}[]} */
  const out = [];
  let from = 0;
  for (const match of text.matchAll(/https?:\/\/[^\s<>"'`]+/gi)) {
    // What ends a sentence does not end an address.
    const url = match[0].replace(/[.,;:!?)\]}]+$/, "");
    try {
      new URL(url);
    } catch {
      continue; // nothing that could be gone to
    }
    if (match.index > from) out.push({ text: text.slice(from, match.index) });
    out.push({ text: url, url });
    from = match.index + url.length;
  }
  if (from < text.length) out.push({ text: text.slice(from) });
  return out;
}

/**
 * @param {string[]} names
 * @returns {string} who is typing, "" if nobody is
 */
export function typingLine(names) {
  if (names.length === 0) return "";
  if (names.length === 1) return `${names[0]} is typing…`;
  if (names.length === 2) return `${names[0]} and ${names[1]} are typing…`;
  return "Several people are typing…";
}

/**
 * @param {number} ms
 * @returns {string} how long is left, rounded up: 12 s, 3:05
 */
export function left(ms) {
  const s = Math.max(0, Math.ceil(ms / 1000));
  return s < 60 ? `${s} s` : s < 3600 ? `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}` : `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
}

/**
 * @param {number} seconds
 * @returns {string} how long a slow mode's pause is
 */
export function pause(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 360) / 10} h`;
}

/**
 * How the id of the message that a command sent ends, as subjects.MessageID makes it: its last 48
 * bits follow from the command. So a message is known for one's own whether everybody sees it or
 * its author alone.
 *
 * @param {string} chat
 * @param {string} user
 * @param {string} command
 * @returns {string} the last 9 characters, which hold 45 bits
 */
export function ending(chat, user, command) {
  const hex = sha256(new TextEncoder().encode(`${chat}\0${user}\0${command}`)).slice(0, 12);
  let bits = BigInt(`0x${hex}`);
  let out = "";
  for (let i = 0; i < 9; i++) {
    out = "0123456789ABCDEFGHJKMNPQRSTVWXYZ".charAt(Number(bits & 31n)) + out;
    bits >>= 5n;
  }
  return out;
}
