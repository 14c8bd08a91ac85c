import { sha256 } from "./sha256.js";

/**
 * Canonical JSON of a parsed document: RFC 8785, as subjects.Canonical writes it. Two
 * documents are equal if their canonical forms are.
 *
 * Numbers are doubles on both sides: an integer beyond 2^53 is the double nearest to it. A
 * surrogate without its other half becomes U+FFFD, as Go reads it. What no double can hold
 * (JSON.parse makes Infinity of 1e400) is refused with a RangeError, as Go refuses it. Where
 * the two would differ no server sends anything: in patches whose keys hold half a surrogate
 * pair, and in nesting deeper than 10,000, which Go refuses by count and a browser by its stack.
 *
 * @param {any} value
 * @returns {string}
 */
export function canonical(value) {
  switch (typeof value) {
    case "string":
      return JSON.stringify(wellFormed(value));
    case "number":
      if (!Number.isFinite(value)) throw new RangeError("canonical: a number does not fit a float64");
      return JSON.stringify(value); // ECMAScript's own form; -0 is 0
    case "boolean":
      return value ? "true" : "false";
    case "object":
      break;
    default:
      throw new TypeError(`canonical: ${typeof value} is not JSON`);
  }
  if (value === null) return "null";
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  /** @type {Map<string, any>} */
  const members = new Map();
  for (const key of Object.keys(value)) members.set(wellFormed(key), value[key]);
  const keys = [...members.keys()].sort(); // by UTF-16 code units, as RFC 8785 asks
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(members.get(key))}`).join(",")}}`;
}

/**
 * SHA-256 of the canonical JSON, in lower-case hex.
 *
 * @param {any} value
 * @returns {string}
 */
export function hash(value) {
  return sha256(new TextEncoder().encode(canonical(value)));
}

const loneSurrogate = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;

/**
 * @param {string} text
 * @returns {string}
 */
function wellFormed(text) {
  return text.replace(loneSurrogate, "\uFFFD");
}
