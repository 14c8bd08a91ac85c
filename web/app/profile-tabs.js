import { h, icon, keyed, rest, set, text } from "./dom.js";
import { ago, count, duration, explain } from "./format.js";
import { personRow } from "./people-row.js";

/** How many of a list are asked for at once, and how many are shown at most. */
const PAGE = 20;
const MOST = 400;

/** @typedef {"playlists" | "heard" | "followers" | "following"} Tab */
/** @typedef {{name: string, mine: boolean, followers: string | null, following: string | null}} Shown the counts are null where they are hidden */
/** @typedef {{key: string, item: any}} Item */
/**
 * @typedef {object} List
 * @property {Item[]} items
 * @property {string} next
 * @property {"new" | "reading" | "done" | "failed"} state
 * @property {string} code why it was refused
 * @property {string} failure the same for people
 */

/**
 * The lists of a person's page, each read when it is first looked at, and by page.
 *
 * @param {import("./app.js").App} app
 * @param {string} id the person's
 */
export function profileTabs(app, id) {
  const { client } = app;
  /** @type {Tab} */
  let open = "playlists";
  /** @type {Shown} */
  let shown = { name: "", mine: false, followers: null, following: null };
  let turn = 0;
  /** @returns {List} */
  const fresh = () => ({ items: [], next: "", state: "new", code: "", failure: "" });
  /** @type {Record<Tab, List>} */
  let lists = { playlists: fresh(), heard: fresh(), followers: fresh(), following: fresh() };

  /** @type {Tab[]} */
  const names = ["playlists", "heard", "followers", "following"];
  const buttons = names.map((tab) => h("button", {
    type: "button", role: "tab", id: `tab-${tab}`, "aria-controls": "profile-panel", "data-test": `profile-tab-${tab}`, onclick: () => choose(tab),
    onkeydown: (/** @type {KeyboardEvent} */ event) => {
      const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
      if (!by) return;
      event.preventDefault();
      const next = names[(names.indexOf(tab) + by + names.length) % names.length] ?? tab;
      choose(next);
      buttons[names.indexOf(next)]?.focus();
    },
  }));
  const list = h("ul", { class: "people-list", "data-test": "profile-list" });
  const more = h("button", { type: "button", class: "button slim", hidden: true, "data-test": "profile-more", onclick: () => read(open) }, "More");
  const empty = h("div", { class: "empty small-empty", hidden: true, "data-test": "profile-empty" });
  const panel = h("div", { role: "tabpanel", id: "profile-panel", class: "profile-panel", tabindex: "-1" }, list, empty, more);
  const element = h("section", { class: "profile-lists", "aria-label": "Lists" }, h("div", { class: "profile-tabs", role: "tablist" }, ...buttons), panel);
  const drawRows = keyed(list, (/** @type {Item} */ one) => one.key, (one) => row(one.item));

  /** @param {Tab} tab */
  function choose(tab) {
    open = tab;
    if (lists[tab].state === "new" || lists[tab].state === "failed") read(tab);
    draw();
  }

  /** @param {Tab} tab */
  async function read(tab) {
    const mine = lists[tab];
    if (mine.state === "reading") return;
    const at = turn;
    mine.state = "reading";
    draw();
    const page = { user: id, limit: PAGE, ...(mine.next && { cursor: mine.next }) };
    try {
      const answer = await client.query(tab, tab === "playlists" ? { of: "user", ...page } : page);
      if (at !== turn) return;
      const items = itemsOf(tab, answer);
      mine.items = [...mine.items, ...items.filter((i) => !mine.items.some((b) => b.key === i.key))].slice(0, MOST);
      mine.next = mine.items.length < MOST ? answer.next ?? "" : "";
      mine.state = "done";
    } catch (err) {
      if (at !== turn) return;
      mine.state = "failed";
      mine.code = /** @type {any} */ (err).code;
      mine.failure = explain(err);
    }
    if (lists[tab] === mine) draw();
  }

  /** @param {any} item */
  function row(item) {
    if ("nickname" in item) {
      const { element, update } = personRow(app, item);
      return { element, update: (/** @type {Item} */ now) => update(now.item) };
    }
    return "track" in item ? heardRow(item) : playlistRow(item);
  }

  function draw() {
    const mine = lists[open];
    const labels = { playlists: "Playlists", heard: "Heard", followers: shown.followers ?? "Followers", following: shown.following ?? "Following" };
    names.forEach((tab, i) => {
      const button = /** @type {HTMLElement} */ (buttons[i]);
      text(button, labels[tab]);
      set(button, "aria-selected", String(tab === open));
      set(button, "tabindex", tab === open ? "0" : "-1");
    });
    set(panel, "aria-labelledby", `tab-${open}`);
    set(list, "aria-busy", mine.state === "reading");
    set(list, "data-list", open);
    drawRows(mine.items);
    more.hidden = !mine.next || mine.state === "failed";
    set(more, "aria-disabled", mine.state === "reading" ? "true" : null);
    empty.hidden = mine.state === "reading" || mine.state === "new" || (mine.items.length > 0 && mine.state === "done");
    if (empty.hidden) return;
    const hidden = mine.code === "forbidden";
    const who = shown.mine ? "You" : shown.name;
    const none = {
      playlists: shown.mine ? "You have no playlists yet." : `${who} has no playlists that you may see.`,
      heard: shown.mine ? "What plays in the rooms you are in is listed here." : `${who} has heard nothing yet.`,
      followers: shown.mine ? "Nobody follows you yet." : `Nobody follows ${who} yet.`,
      following: shown.mine ? "You follow nobody yet." : `${who} follows nobody yet.`,
    };
    empty.replaceChildren(rest(),
      h("p", {}, mine.state === "done" ? none[open] : hidden ? `${who} does not show this to everybody.` : mine.failure),
      mine.state === "failed" && !hidden ? h("button", { type: "button", class: "button slim", onclick: () => read(open) }, "Try again") : "");
  }

  return {
    element,
    /** @param {Shown} now */
    draw(now) {
      shown = now;
      if (lists[open].state === "new") read(open);
      else draw();
    },
    /** What a list holds is old now. @param {Tab} tab */
    stale(tab) {
      lists[tab] = fresh();
      if (open === tab) read(tab);
    },
    /** The connection is back: what could not be read may be now. */
    retry() { if (lists[open].state === "failed" && lists[open].code !== "forbidden") read(open); },
    /** Somebody else looks at the page now. */
    restart() {
      turn++;
      lists = { playlists: fresh(), heard: fresh(), followers: fresh(), following: fresh() };
    },
    end: () => { turn++; },
  };
}

/**
 * @param {Tab} tab
 * @param {any} answer
 * @returns {Item[]}
 */
function itemsOf(tab, answer) {
  if (tab === "playlists") return answer.playlists.map((/** @type {any} */ item) => ({ key: item.id, item }));
  if (tab === "heard") return answer.plays.map((/** @type {any} */ item) => ({ key: `${item.room} ${item.at} ${item.track.id}`, item }));
  return answer.profiles.map((/** @type {any} */ item) => ({ key: item.id, item }));
}

/** @param {import("../tutti/types.js").PlaylistSummary} playlist */
function playlistRow(playlist) {
  const marks = playlist.visibility === "public" ? "" : playlist.visibility === "followers" ? "For followers" : "Private";
  return {
    element: h("li", { class: "people-item", "data-test": "profile-playlist", "data-playlist": playlist.id },
      h("a", { class: "people-link", href: `#/playlist/${playlist.id}` }, h("span", { class: "row-art blank" }, icon("list")),
        h("span", { class: "row-text" }, h("b", { class: "clip", dir: "auto" }, playlist.name),
          h("small", { class: "hint clip" }, [count(playlist.trackCount, "track"), duration(playlist.totalMs), marks].filter(Boolean).join(" · "))))),
    update() {},
  };
}

/** @param {{track: import("../tutti/types.js").Track, room: string, roomName?: string, at: number}} heard */
function heardRow({ track, room, roomName, at }) {
  const when = h("small", { class: "hint" });
  return {
    element: h("li", { class: "people-item", "data-test": "profile-heard", "data-track": track.id },
      h("a", { class: "people-link", href: `#/room/${room}` },
        track.artworkUrl ? h("img", { class: "row-art", src: track.artworkUrl, alt: "", loading: "lazy" }) : h("span", { class: "row-art blank" }, icon("list")),
        h("span", { class: "row-text" }, h("b", { class: "clip", dir: "auto" }, track.title), h("small", { class: "hint clip" }, [track.artist, roomName && `in ${roomName}`].filter(Boolean).join(" · ")))), when),
    update() { text(when, ago(at, Date.now())); },
  };
}
