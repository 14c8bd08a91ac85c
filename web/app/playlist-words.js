import { Refusal } from "../tutti/errors.js";
import { explain } from "./format.js";

/** What codes mean in a playlist; others mean there what they mean in a room. */
const told = /** @type {Record<string, string>} */ ({
  not_member: "Join the playlist first.",
  not_invited: "Only the invited edit this playlist.",
  not_found: "The playlist is not there any more, or you may not see it.",
  closed: "The playlist was deleted.",
  forbidden: "Only the creator may do that.",
  conflict: "Somebody else changed the list meanwhile.",
  full: "That is more than a playlist holds.",
});

/**
 * @param {unknown} err
 * @returns {string} what to show for it
 */
export function explainHere(err) {
  const { code = "", message = "" } = /** @type {{code?: string, message?: string}} */ (err ?? {});
  // The server names what it did not take by address or id; where one was asked for, it is known.
  if (code === "nothing_accepted") return /it is in the playlist/.test(message) ? "It is in the playlist already." : explain(err);
  return told[code] ?? explain(err);
}

/**
 * Has what a dialog shows for a refusal be said as in a playlist.
 *
 * @template T
 * @param {Promise<T>} work
 * @returns {Promise<T>}
 */
export async function inWords(work) {
  try {
    return await work;
  } catch (err) {
    const { field = "" } = /** @type {{field?: string}} */ (err ?? {});
    throw new Refusal("told", explainHere(err), { field });
  }
}

/**
 * What the creator of a playlist may do with who is in it: "letEdit", "endEditing", "takeOut".
 * Where not everybody sees the playlist, who loses the invitation goes; of a public one they
 * only cease to edit.
 *
 * @param {{visibility: string, options: {onlyInvitedEdit: boolean}}} playlist
 * @param {boolean} invited
 * @returns {("letEdit" | "endEditing" | "takeOut")[]}
 */
export function doingsWith({ visibility, options: { onlyInvitedEdit } }, invited) {
  if (visibility === "public") return onlyInvitedEdit ? [invited ? "endEditing" : "letEdit"] : [];
  return onlyInvitedEdit && !invited ? ["letEdit", "takeOut"] : ["takeOut"];
}

/** What visibilities are called. @type {[value: string, text: string, hint: string][]} */
export const visibilities = [
  ["public", "Everyone", "Everybody finds it and may join."],
  ["followers", "Followers", "Who follows you finds it on your page, and may join."],
  ["private", "The invited", "Only who you invite can see it."],
];
