import { h, icon, keyed, rest, set, text } from "./dom.js";
import { staff } from "./create.js";
import { count, explain, hue, longTime } from "./format.js";
import { reread } from "./playlists-pages.js";
import { newPlaylist } from "./playlist-dialogs.js";
import { signIn } from "./auth.js";
import { explainHere } from "./playlist-words.js";
import { toast } from "./toast.js";

/** @typedef {import("../tutti/types.js").PlaylistSummary} PlaylistSummary */
/** @typedef {import("../tutti/types.js").PlaylistPerson} PlaylistPerson */
/** @typedef {import("./app.js").App} App */
/**
 * What a card shows; what is not known of it is left out.
 * @typedef {{id: string, name: string, nameKey: string, creator: string, visibility: string,
 *   invited: boolean, trackCount?: number, totalMs?: number, memberCount?: number}} Card
 */

/** How many of the others' playlists a page has. */
const PAGE = 24;
/** How long after the last key is asked for other playlists. */
const PAUSE_MS = 250;
/** How many of one's own are read for their lengths. */
const READ = 100;
/** How long after one's own changed their lengths are read again. */
const REREAD_MS = 400;
/** How often the others' are read again while they are looked at; coming back to the page does it as well. */
const FRESH_MS = 15_000;
/** The most of the others' that are read again at once; those beyond stay as they were read. */
const FRESH = 100;

/**
 * The playlists: one's own, live, and those that everybody may see.
 *
 * @param {App} app
 * @returns {import("./app.js").View}
 */
export function playlistsView(app) {
  const { client, names } = app;
  let left = false;

  const search = h("input", {
    class: "input", type: "search", placeholder: "Find a playlist", "aria-label": "Find a playlist by the beginning of its name", maxlength: 100, "data-test": "playlist-filter",
    oninput: () => { draw(); clearTimeout(timer); timer = setTimeout(() => { timer = undefined; find(); }, PAUSE_MS); },
  });
  const begin = h("button", {
    type: "button", class: "button primary", "data-test": "new-playlist",
    onclick: () => (client.user ? newPlaylist(client) : signIn(client, { register: true, reason: "Playlists belong to somebody: who are you?", then: () => newPlaylist(client) })),
  }, icon("plus"), "New playlist");
  const mine = h("ul", { class: "cards", "data-test": "my-playlists" });
  const mineEmpty = h("div", { class: "empty", hidden: true, "data-test": "my-playlists-empty" });
  const mineSection = h("section", { class: "section", "aria-labelledby": "my-playlists" },
    h("div", { class: "lobby-head" }, h("h2", { id: "my-playlists" }, "Yours")), mine, mineEmpty);
  const others = h("ul", { class: "cards", "data-test": "public-playlists" });
  const empty = h("div", { class: "empty", hidden: true, "data-test": "playlists-empty" });
  const more = h("button", { type: "button", class: "button", hidden: true, "data-test": "more-playlists", onclick: () => read(next) }, "More");
  const element = h("div", { "data-test": "playlists" },
    h("div", { class: "lobby-head" }, h("h1", {}, "Playlists"), h("div", { class: "search" }, icon("search"), search), begin),
    mineSection,
    h("section", { "aria-labelledby": "public-playlists" },
      h("div", { class: "lobby-head" }, h("h2", { id: "public-playlists" }, "Open to you")),
      others, empty, h("div", { class: "more" }, more)));
  const drawMine = keyed(mine, (/** @type {Card} */ one) => one.id, (one) => card(one, app));
  const drawOthers = keyed(others, (/** @type {Card} */ one) => one.id, (one) => card(one, app));

  /** @type {Map<string, PlaylistSummary>} what is known of one's own; live they tell their names alone */
  const known = new Map();
  /** @type {PlaylistSummary[]} */
  let found = [];
  let prefix = "";
  let next = "";
  let trouble = "";
  let loaded = false;
  let asked = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let later;
  let reading = false;
  /** When the others' were last asked for. */
  let at = 0;

  const words = () => search.value.trim();

  function find() {
    if (words() !== prefix) read("");
  }

  /** Reads a page of the others' playlists: the first, or the one after a cursor. @param {string} cursor */
  async function read(cursor) {
    clearTimeout(timer);
    timer = undefined;
    prefix = words();
    const mineNow = ++asked;
    reading = true;
    at = Date.now();
    set(more, "aria-disabled", "true");
    try {
      const page = await client.http.playlists({ of: "all", prefix, limit: PAGE, ...(cursor && { cursor }) });
      if (mineNow !== asked || left) return;
      const before = cursor ? found : [];
      found = [...before, ...page.playlists.filter((p) => !before.some((other) => other.id === p.id))];
      next = page.next ?? "";
      trouble = "";
    } catch (err) {
      if (mineNow !== asked || left) return;
      trouble = explain(err);
    }
    loaded = true;
    reading = false;
    set(more, "aria-disabled", null);
    draw();
  }

  /** Reads again what is shown of the others', and one's own lengths. What fails is left to the next time. */
  async function refresh() {
    readMine();
    if (!loaded || reading || timer !== undefined) return;
    const mineNow = ++asked;
    at = Date.now();
    try {
      const limit = Math.min(FRESH, Math.max(PAGE, found.length));
      const page = await client.http.playlists({ of: "all", prefix, limit });
      if (mineNow !== asked || left) return;
      ({ all: found, next } = reread({ all: found, next }, { all: page.playlists, next: page.next ?? "" }));
      trouble = "";
      draw();
    } catch {
      // What is shown stays.
    }
  }

  const shownNow = () => document.visibilityState === "visible";
  /** Who comes back to the page sees what is there now. */
  function back() {
    if (shownNow() && Date.now() - at > 1_000) refresh();
  }

  /** Reads how long one's own are, now and when they have become others. */
  function readMine() {
    clearTimeout(later);
    later = setTimeout(async () => {
      if (!client.user) return;
      try {
        const { playlists } = await client.http.playlists({ of: "mine", limit: READ });
        for (const one of playlists) known.set(one.id, one);
        if (!left) draw();
      } catch {
        // Their names are shown without it.
      }
    }, known.size ? REREAD_MS : 0);
  }

  function draw() {
    const typed = words().toLocaleLowerCase();
    const list = app.playlists;
    const own = [...(list?.docs.values() ?? [])].filter((p) => p.nameKey.startsWith(typed))
      .sort((a, b) => Number(a.inside) - Number(b.inside) || a.nameKey.localeCompare(b.nameKey) || (a.playlist < b.playlist ? -1 : 1));
    mineSection.hidden = !client.user;
    drawMine(own.map((p) => ({ ...known.get(p.playlist), id: p.playlist, name: p.name, nameKey: p.nameKey, creator: p.creator, visibility: p.visibility, invited: p.invited && !p.inside })));
    mineEmpty.hidden = own.length > 0 || list?.status === "loading";
    if (!mineEmpty.hidden) {
      const any = (list?.docs.size ?? 0) > 0;
      mineEmpty.replaceChildren(rest(), h("h3", {}, any ? "None of yours begins like that" : "You are in no playlist yet"),
        h("p", {}, any ? "Try fewer letters." : "Begin one, and invite others to put it together with you."));
    }
    const shown = found.filter((p) => !list?.docs.has(p.id));
    set(others, "aria-busy", !loaded);
    if (!loaded && others.childElementCount === 0) others.replaceChildren(...[1, 2, 3].map(() => h("li", { class: "skeleton" })));
    if (loaded) {
      for (const bone of others.querySelectorAll(".skeleton")) bone.remove();
      drawOthers(shown.map((p) => ({ ...p, invited: false })));
    }
    more.hidden = !next;
    empty.hidden = !loaded || (shown.length > 0 && !trouble);
    if (!empty.hidden) {
      empty.replaceChildren(rest(), h("h3", {}, trouble ? "The playlists could not be read" : prefix ? "No playlist begins like that" : "Nothing here yet"),
        h("p", {}, trouble || (prefix ? "Try fewer letters, or begin a playlist of that name." : "Playlists that are open to everybody show here.")),
        trouble && h("button", { type: "button", class: "button", onclick: () => read("") }, "Try again"));
    }
  }

  const ends = [
    app.on("playlists", () => { draw(); refresh(); }),
    client.on("user", () => { known.clear(); read(""); draw(); }),
    client.on("status", ({ state }) => { if (state === "live" && trouble) read(""); }),
    names.on(draw),
  ];
  const every = setInterval(() => { if (shownNow()) refresh(); }, FRESH_MS);
  document.addEventListener("visibilitychange", back);
  addEventListener("focus", back);
  document.title = "Playlists · Tutti";
  draw();
  read("");
  readMine();
  return {
    element,
    again: refresh,
    leave: () => {
      left = true;
      clearInterval(every);
      clearTimeout(timer);
      clearTimeout(later);
      document.removeEventListener("visibilitychange", back);
      removeEventListener("focus", back);
      for (const end of ends) end();
    },
  };
}

/**
 * @param {Card} first
 * @param {App} app
 */
function card(first, app) {
  const invited = h("span", { class: "badge invited", hidden: true, "data-test": "playlist-invited" }, icon("people"), "Invitation");
  const hidden = h("span", { class: "badge", hidden: true });
  const cover = h("div", { class: "cover" }, staff(first.id), h("div", { class: "cover-badges" }, invited, hidden));
  cover.style.setProperty("--hue", String(hue(first.id)));
  const name = h("h3", { class: "clip", "data-test": "playlist-card-name" });
  const by = h("p", { class: "quiet small clip" });
  const tracks = h("span", {});
  const people = h("span", {});
  const decline = h("button", { type: "button", class: "button slim", "data-test": "playlist-decline", onclick: () => refuse(app, first, decline) }, "Decline");
  const answer = h("div", { class: "card-answer", hidden: true }, decline);
  const link = h("a", { class: "card", href: `#/playlist/${first.id}`, "data-test": "playlist-card", "data-playlist": first.id }, cover,
    h("div", { class: "card-text" }, name, by, h("div", { class: "card-foot" }, tracks, people)));
  return {
    element: h("li", {}, link, answer),
    /** @param {Card} one */
    update(one) {
      text(name, one.name);
      invited.hidden = answer.hidden = !one.invited;
      set(decline, "aria-label", `Decline the invitation to ${one.name}`);
      hidden.hidden = one.visibility === "public";
      hidden.replaceChildren(icon(one.visibility === "followers" ? "people" : "lock"), one.visibility === "followers" ? "Followers" : "Private");
      const creator = app.names.of(one.creator);
      text(by, one.creator === app.client.user?.id ? "by you" : creator ? (one.invited ? `${creator} invites you` : `by ${creator}`) : "");
      const { trackCount, totalMs = 0, memberCount } = one;
      tracks.replaceChildren(...(trackCount === undefined ? [] : [icon("list"), `${count(trackCount, "track")}${trackCount ? ` · ${longTime(totalMs)}` : ""}`]));
      people.replaceChildren(...(memberCount === undefined ? [] : [icon("people"), count(memberCount, "person", "people")]));
    },
  };
}

/**
 * Takes no invitation.
 *
 * @param {App} app
 * @param {Card} one
 * @param {HTMLElement} button
 */
async function refuse({ client }, one, button) {
  if (button.hasAttribute("data-pending")) return;
  set(button, "data-pending", true);
  const playlist = client.playlist(one.id);
  try {
    await playlist.command("leave");
    toast(`You declined the invitation to ${one.name}.`);
  } catch (err) {
    toast(explainHere(err), { bad: true });
  } finally {
    client.release(playlist);
    set(button, "data-pending", null);
  }
}
