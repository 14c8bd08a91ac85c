import { lobbyView } from "./lobby.js";
import { lostView } from "./lost.js";
import { peopleView } from "./people-search.js";
import { playlistView } from "./playlist.js";
import { playlistsView } from "./playlists.js";
import { profileView } from "./profile.js";
import { roomView } from "./room.js";

/** @typedef {import("./app.js").App} App */
/**
 * @typedef {object} Route a view and its address, "#/name" or "#/name/id"
 * @property {string} name
 * @property {RegExp} [id] what the id looks like; without one the address has none
 * @property {string} place which of the places in the bar it belongs to
 * @property {(app: App, id: string) => import("./app.js").View} view
 */

/** @type {Route[]} every view there is; the first is where the page begins */
export const routes = [
  { name: "", place: "rooms", view: lobbyView },
  { name: "room", id: /^room_[0-9A-Z]{26}$/, place: "rooms", view: roomView },
  { name: "playlists", place: "playlists", view: playlistsView },
  { name: "playlist", id: /^playlist_[0-9A-Z]{26}$/, place: "playlists", view: playlistView },
  { name: "people", place: "people", view: peopleView },
  { name: "user", id: /^user_[0-9A-Z]{26}$/, place: "people", view: profileView },
];

/** What is shown at any other address. @type {Route} */
export const lost = { name: "lost", place: "", view: lostView };

/**
 * @param {string} hash the address's, for example "#/room/room_01…"
 * @returns {{route: Route, id: string} | null} null if it names no view
 */
export function find(hash) {
  const [start, typed = "", id = "", ...rest] = hash.split("/");
  if (start !== "#" || rest.length > 0) return null;
  const name = id ? typed.replace(/s$/, "") : typed === "rooms" ? "" : typed; // as people type it
  const route = routes.find((r) => r.name === name && (r.id ? r.id.test(id) : id === ""));
  return route ? { route, id } : null;
}
