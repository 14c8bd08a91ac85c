import { ask } from "./dialog.js";

/** @typedef {import("../tutti/client.js").Client} Client */
/** @typedef {{id: string, name: string, own: boolean}} Place an open room that somebody is in */

const KEY = "tutti.place";
/** How many rooms are looked through for one of one's own that this browser does not remember. */
const LOOKED_AT = 100;

/**
 * Remembers the room that somebody is in, for this browser.
 *
 * @param {Client} client
 * @param {{id: string, name: string} | null} room null if they are in none
 */
export function remember(client, room) {
  const kept = room && client.user ? JSON.stringify({ user: client.user.id, id: room.id, name: room.name }) : null;
  if (kept === localStorage.getItem(KEY)) return;
  if (kept) localStorage.setItem(KEY, kept);
  else localStorage.removeItem(KEY);
}

/**
 * @param {Client} client
 * @returns {string} the room remembered, "" for none
 */
export function remembered(client) {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "null");
    return kept?.user === client.user?.id && kept?.id ? String(kept.id) : "";
  } catch {
    return ""; // not ours
  }
}

/**
 * The other open room that somebody is in: one is in one room at a time, so that going to
 * the next leaves it, and closes it if it is theirs.
 *
 * @param {Client} client
 * @param {string} going the room they go to, "" for a new one
 * @returns {Promise<Place | null>} null also if the server cannot be asked
 */
export async function elsewhere(client, going) {
  const me = client.user?.id ?? "";
  try {
    const { rooms } = await client.http.rooms({ limit: LOOKED_AT });
    const own = rooms.find((r) => r.creator === me && r.phase === "open" && r.id !== going);
    if (own) return { id: own.id, name: own.name, own: true };
    const id = remembered(client);
    if (!id || id === going) return null;
    const { state } = await client.http.room(id);
    if (state.phase !== "open" || (state.roster !== "paged" && !Object.hasOwn(state.members, me))) return null;
    return { id, name: state.name, own: state.creator === me };
  } catch {
    return null; // the room is gone, or the server is away and will not take the command either
  }
}

/**
 * Asks whoever would close their own room by going to another.
 *
 * @param {Place | null} place
 * @param {string} submit
 * @returns {Promise<boolean>} whether to go
 */
export function mayLeave(place, submit) {
  if (!place?.own) return Promise.resolve(true);
  return new Promise((resolve) => {
    let sure = false;
    ask({
      title: `Close ${place.name}?`, lead: "That room is yours. When you go to another, it closes for everybody in it.", test: "confirm-move",
      fields: [], submit, danger: true,
      run: async () => { sure = true; },
      closed: () => resolve(sure),
    });
  });
}
