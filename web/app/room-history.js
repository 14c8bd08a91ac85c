import { ask, choice, field } from "./dialog.js";
import { h, icon, keyed, set, text } from "./dom.js";
import { personLink } from "./face.js";
import { ago, explain } from "./format.js";
import { toast } from "./toast.js";

/** How many plays are shown before somebody asks for more, how many are read at once, and how
 * many are shown at most. */
const FEW = 5;
const PAGE = 50;
const MOST = 500;
/** How often it is said anew how long ago something was played. */
const AGE_MS = 60_000;
/** How long a playlist made of the history is waited for. */
const MADE_MS = 20_000;

/** @typedef {import("../tutti/types.js").RoomPlay} RoomPlay */

/**
 * What the room has played, the newest first.
 *
 * @param {import("./room.js").Stage} stage
 */
export function playHistory({ app, room }) {
  /** Older ones, read by page. @type {Map<number, RoomPlay>} */
  const older = new Map();
  let next = "";
  let begun = false;
  let reading = false;
  let failed = "";
  let open = false;
  let over = false;

  const list = h("ol", { class: "queue", "data-test": "plays" });
  const more = h("button", { type: "button", class: "button slim", hidden: true, "data-test": "plays-more", onclick: () => showMore() });
  const fail = h("p", { class: "hint", role: "status", hidden: true });
  const keep = h("button", { type: "button", class: "button slim", hidden: true, "data-test": "export-history", onclick: () => exportHistory(room) }, icon("list"), "Keep as a playlist");
  const element = h("section", { class: "panel", "aria-labelledby": "played-title", "data-test": "history", hidden: true },
    h("div", { class: "panel-head" }, h("h2", { id: "played-title" }, "Played"), keep), list, fail, more);
  const drawRows = keyed(list, (/** @type {RoomPlay} */ play) => String(play.n), (play) => row(play));
  const timer = setInterval(() => { if (!element.hidden) draw(); }, AGE_MS);

  /** @param {RoomPlay} play */
  function row({ track, by, at }) {
    const detail = h("p", { class: "hint clip" });
    const when = h("span", { class: "hint" });
    let drawn = "-";
    return {
      element: h("li", { class: "queue-row play-row", "data-test": "play-row", "data-track": track.id },
        track.artworkUrl ? h("img", { class: "row-art", src: track.artworkUrl, alt: "", loading: "lazy" }) : h("div", { class: "row-art blank" }, icon("list")),
        h("div", { class: "row-text" }, h("p", { class: "row-title clip", dir: "auto" }, track.title), detail), when),
      update() {
        const name = by && (by === app.client.user?.id ? "you" : app.names.of(by));
        if (drawn !== name) detail.replaceChildren(track.artist, ...(name ? [track.artist ? " · from " : "from ", personLink(by, name)] : []));
        drawn = name;
        text(when, ago(at, app.client.clock.now()));
        set(when, "title", new Date(at).toLocaleString());
      },
    };
  }

  function showMore() {
    if (!open) {
      open = true;
      draw();
      if (plays().length > FEW) return;
    }
    read();
  }

  async function read() {
    if (reading || over) return;
    reading = true;
    draw();
    try {
      const page = await app.client.query("plays", { room: room.id, limit: PAGE, ...(next && { cursor: next }) });
      for (const play of page.plays) if (older.size < MOST) older.set(play.n, play);
      next = page.next ?? "";
      begun = true;
      failed = "";
    } catch (err) {
      failed = explain(err);
    }
    reading = false;
    if (!over) draw();
  }

  /** @returns {RoomPlay[]} */
  function plays() {
    /** @type {Map<number, RoomPlay>} */
    const all = new Map(older);
    for (const play of Object.values(room.state?.played ?? {})) all.set(play.n, play);
    return [...all.values()].sort((a, b) => b.n - a.n).slice(0, MOST);
  }

  function draw() {
    const all = plays();
    element.hidden = all.length === 0;
    const shown = open ? all : all.slice(0, FEW);
    drawRows(shown);
    const before = (all.at(-1)?.n ?? 1) > 1 && all.length < MOST && (!begun || next !== "");
    more.hidden = shown.length === all.length && !before;
    set(more, "aria-disabled", reading ? "true" : null);
    text(more, reading ? "Reading…" : open ? "Earlier" : "Show more");
    fail.hidden = !failed;
    text(fail, failed);
    keep.hidden = !room.may("exportHistory");
  }

  return {
    element, draw,
    end: () => {
      over = true;
      clearInterval(timer);
    },
  };
}

/**
 * Makes a playlist of what was played. Where it is comes with an event for this user alone.
 *
 * @param {import("../tutti/room.js").Room} room
 */
function exportHistory(room) {
  const name = field("Name", { name: "name", maxlength: 100, value: room.state?.name ?? "", autocomplete: "off", "data-test": "export-name" });
  const visibility = choice("Who sees it", "visibility", [["private", "Only you"], ["followers", "Followers"], ["public", "Everybody"]]);
  ask({
    title: "Keep as a playlist", lead: "Every track that was played, once each, the oldest first. The playlist is yours.", test: "export-dialog",
    fields: [name.field, visibility.field], submit: "Make the playlist",
    run: async () => {
      const title = name.input.value.trim();
      await room.command("exportHistory", { ...(title && { name: title }), visibility: visibility.value() });
    },
  });
}

/**
 * Tells of a playlist that is being made of what was played, and again when it is there.
 *
 * @param {import("./app.js").App} app
 * @param {{playlist: string, create?: {name?: string}}} exported
 */
export function tellExport(app, { playlist, create }) {
  const name = create?.name || "The playlist";
  const there = () => app.playlists?.docs.has(playlist) ?? false;
  const close = there() ? () => {} : toast(`${name} is being made of what was played.`);
  const end = () => {
    clearTimeout(timer);
    stop();
    close();
  };
  const look = () => {
    if (!there()) return;
    end();
    toast(`${name} is among your playlists.`, { action: { label: "Open", run: () => { location.hash = `#/playlist/${playlist}`; } } });
  };
  const timer = setTimeout(() => {
    end();
    toast(`${name} is not there yet. Look among your playlists in a while.`, { bad: true });
  }, MADE_MS);
  const stop = app.on("playlists", look);
  look();
}
