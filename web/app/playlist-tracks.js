import { avatar } from "./face.js";
import { dragging } from "./drag.js";
import { h, icon, keyed, rest, set, text } from "./dom.js";
import { duration } from "./format.js";
import { Arrangement } from "./playlist-order.js";
import { Changes } from "./playlist-changes.js";
import { explainHere } from "./playlist-words.js";
import { toast } from "./toast.js";

/** @typedef {import("../tutti/types.js").PlaylistTrack} PlaylistTrack */
/** @typedef {import("./playlist-order.js").Move} Move */

/** How long a row tells that it came back, and that somebody else touched it. */
const BOUNCE_MS = 7_000;
const TOUCH_MS = 2_600;

const help = "Press Space to take the track into the hand, the arrow keys to move it, Space again to put it down, Escape to let it be.";

/**
 * The tracks of a playlist, and everything that changes their order. A move is shown at once
 * and put right by what the server makes of it.
 *
 * @param {import("./playlist.js").Desk} desk
 */
export function trackList({ app, playlist, act }) {
  const { client, names } = app;
  const order = new Arrangement();
  const changes = new Changes();
  /** Who holds what is in the hand. @type {"" | "pointer" | "keys"} */
  let hand = "";
  let handRev = 0;
  /** Tracks on their way out. @type {Set<string>} */
  const leaving = new Set();
  /** What rows tell for a while, by track. @type {Map<string, {kind: "bounce" | "touch", by: string, text: string, timer: ReturnType<typeof setTimeout>}>} */
  const notes = new Map();
  /** The row whose menu is open. */
  let open = "";

  const list = h("ol", { class: "tracks", "aria-describedby": "drag-help", "data-test": "playlist-tracks" });
  const says = h("p", { class: "visually-hidden", role: "status", "aria-live": "assertive", "data-test": "playlist-says" });
  const invitation = h("p", {});
  const empty = h("div", { class: "empty small-empty", "data-test": "playlist-empty" }, rest(), h("h3", {}, "No tracks yet"), invitation);
  const drawRows = keyed(list, (/** @type {PlaylistTrack} */ one) => one.track.id, (one) => row(one));

  const mayMove = () => playlist.may("move") && !playlist.you?.cannotEdit;
  /** @param {string} id */
  const titleOf = (id) => playlist.state?.tracks[id]?.track.title ?? changes.title(id);
  /** @param {string} id */
  const rowOf = (id) => /** @type {HTMLElement | null} */ (list.querySelector(`[data-track="${CSS.escape(id)}"]`));
  /** @param {string} user */
  const nameOf = (user) => (user ? names.of(user) : "") || "Somebody";
  /** @param {string} message */
  const say = (message) => text(says, message);

  const drag = dragging({
    list,
    picture: (element) => {
      const line = /** @type {HTMLElement} */ (element.firstElementChild?.cloneNode(true));
      for (const one of [line, ...line.querySelectorAll("*")]) for (const name of ["id", "data-test", "aria-describedby"]) one.removeAttribute(name);
      return line;
    },
    take: (element) => take(element.dataset.track ?? "", "pointer"),
    carry: (index) => { if (order.carry(index)) draw(); },
    drop: () => drop(),
    cancel: () => cancel(),
  });

  /**
   * @param {string} id
   * @param {"pointer" | "keys"} by
   */
  function take(id, by) {
    if (hand || !mayMove() || !reach(id)) return false;
    hand = by;
    handRev = playlist.rev;
    open = "";
    draw();
    say(`${titleOf(id)} is in your hand, at place ${order.place() + 1} of ${order.shown().length}.${by === "keys" ? " Arrow keys move it, Space puts it down, Escape lets it be." : ""}`);
    return true;
  }

  function drop() {
    const id = order.held;
    const move = order.drop();
    hand = "";
    draw();
    if (!id) return;
    say(`${titleOf(id)} stands at place ${order.shown().indexOf(id) + 1}.`);
    if (move) send(move, handRev);
  }

  function cancel() {
    const id = order.held;
    order.cancel();
    hand = "";
    draw();
    if (id) say(`${titleOf(id)} is back at place ${order.shown().indexOf(id) + 1}.`);
  }

  /** Moves a track without leaving it in the hand. @param {string} id @param {number} to */
  function put(id, to) {
    if (hand || !mayMove() || !reach(id)) return;
    order.carry(to);
    handRev = playlist.rev;
    drop();
  }

  /** Takes a track, or tells why not. @param {string} id */
  function reach(id) {
    if (order.take(id)) return true;
    if (order.waiting) toast("Too many moves are on their way. Wait until the connection is back.", { bad: true });
    return false;
  }

  /**
   * @param {Move} move
   * @param {number} seen the revision at which the track was taken
   */
  async function send(move, seen) {
    const title = titleOf(move.track);
    try {
      const { rev } = await playlist.move(move.track, move.from, move.to);
      order.accepted(move, rev);
      draw();
    } catch (err) {
      if (/** @type {any} */ (err).code === "conflict") await changes.of(move.track, seen);
      order.refused(move);
      draw();
      if (/** @type {any} */ (err).code === "conflict") bounce(move.track, title, seen);
      else toast(explainHere(err), { bad: true });
    }
  }

  /**
   * Tells why a move was refused, where the track stands.
   *
   * @param {string} id
   * @param {string} title
   * @param {number} seen
   */
  function bounce(id, title, seen) {
    const change = changes.last(id, seen);
    const who = change ? nameOf(change.by) : "";
    const at = order.shown().indexOf(id) + 1;
    if (at === 0) {
      toast(`${who || "Somebody"} took ${title} out meanwhile.`, { bad: true });
      return;
    }
    const why = who ? `${who} moved it meanwhile` : "The list changed meanwhile";
    note(id, "bounce", change?.by ?? "", `${why}: it stands at ${at}.`, BOUNCE_MS);
    toast(`${title} was not moved. ${who ? `${who} moved it meanwhile` : "Somebody else changed the list meanwhile"}: it stands at ${at} now.`, { bad: true });
    draw();
    if (!hand) rowOf(id)?.scrollIntoView({ block: "nearest" });
  }

  /**
   * @param {string} id
   * @param {"bounce" | "touch"} kind
   * @param {string} by
   * @param {string} words
   * @param {number} ms
   */
  function note(id, kind, by, words, ms) {
    clearTimeout(notes.get(id)?.timer);
    const timer = setTimeout(() => { notes.delete(id); draw(); }, ms);
    notes.set(id, { kind, by, text: words, timer });
  }

  /** @param {string} id */
  async function remove(id) {
    if (leaving.has(id)) return;
    leaving.add(id);
    draw();
    await act("remove", { tracks: [id] });
    leaving.delete(id);
    draw();
  }

  /** @param {PlaylistTrack} first */
  function row(first) {
    const { track } = first;
    const { id, title } = track;
    const handle = h("button", {
      type: "button", class: "handle", "aria-describedby": "drag-help", "data-test": "playlist-handle",
      onpointerdown: (/** @type {PointerEvent} */ event) => drag.press(element, event),
      onkeydown: (/** @type {KeyboardEvent} */ event) => keys(event, id, handle),
      onfocusout: () => setTimeout(() => { if (hand === "keys" && order.held === id && document.activeElement !== handle) cancel(); }),
    }, icon("grip"));
    const place = h("span", { class: "place num", "aria-hidden": "true", "data-test": "playlist-place" });
    const detail = h("p", { class: "hint track-detail" });
    const told = h("p", { class: "row-note", hidden: true });
    const touch = h("span", { class: "row-touch", hidden: true });
    const art = track.artworkUrl ? h("img", { class: "row-art", src: track.artworkUrl, alt: "", loading: "lazy" }) : h("div", { class: "row-art blank" }, icon("note"));
    /**
     * @param {string} label
     * @param {string} test
     * @param {(at: number, last: number) => number} to
     */
    const mover = (label, test, to) => h("button", {
      type: "button", class: "button slim", "data-test": test,
      onclick: () => {
        const shown = order.shown();
        const at = shown.indexOf(id);
        const wanted = to(at, shown.length - 1);
        if (wanted !== at && wanted >= 0 && wanted < shown.length) put(id, wanted);
      },
    }, label);
    const up = mover("Move up", "track-up", (at) => at - 1);
    const top = mover("To the top", "track-top", () => 0);
    const down = mover("Move down", "track-down", (at) => at + 1);
    const end = mover("To the end", "track-end", (_, last) => last);
    const out = h("button", { type: "button", class: "button slim danger", "data-test": "track-remove", onclick: () => remove(id) }, icon("trash"), "Remove");
    const actions = h("div", { class: "track-actions", hidden: true, "data-test": "track-actions" }, up, down, top, end, out);
    const more = h("button", {
      type: "button", class: "button plain round", "aria-expanded": "false", "aria-label": `Actions for ${title}`, "data-test": "track-menu",
      onclick: () => { open = open === id ? "" : id; draw(); },
    }, icon("more"));
    const element = h("li", { class: "track-row", "data-test": "playlist-row", "data-track": id },
      h("div", { class: "track-line" }, handle, place, art, h("div", { class: "row-text" }, h("p", { class: "row-title clip" }, title), detail, told), touch, more),
      actions);
    actions.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      open = "";
      draw();
      more.focus();
    });
    return {
      element,
      /**
       * @param {PlaylistTrack} one
       * @param {number} index
       */
      update(one, index) {
        const may = mayMove();
        const count = playlist.state?.trackCount ?? 0;
        const by = names.of(one.addedBy);
        text(place, String(index + 1));
        text(detail, [track.artist, duration(track.durationMs), by && `from ${one.addedBy === client.user?.id ? "you" : by}`].filter(Boolean).join(" · "));
        handle.hidden = more.hidden = !may;
        set(handle, "aria-label", `Move ${title}, place ${index + 1} of ${count}`);
        const held = order.held === id;
        set(handle, "aria-pressed", String(held));
        set(element, "data-held", held ? hand : null);
        set(element, "data-pending", order.moving(id) || leaving.has(id));
        const tells = notes.get(id);
        set(element, "data-bounced", tells?.kind === "bounce");
        set(element, "data-touched", tells?.kind === "touch");
        told.hidden = tells?.kind !== "bounce";
        set(told, "data-test", told.hidden ? null : "bounce");
        text(told, told.hidden ? "" : tells?.text ?? "");
        touch.hidden = !tells?.by;
        if (tells?.by && touch.dataset.by !== tells.by) {
          touch.dataset.by = tells.by;
          touch.replaceChildren(avatar(tells.by, nameOf(tells.by)));
        }
        set(touch, "title", tells?.text);
        actions.hidden = !may || open !== id;
        set(more, "aria-expanded", String(!actions.hidden));
        for (const [button, useless] of /** @type {[HTMLElement, boolean][]} */ ([[up, index === 0], [top, index === 0], [down, index >= count - 1], [end, index >= count - 1]])) {
          set(button, "aria-disabled", useless ? "true" : null);
        }
      },
    };
  }

  /**
   * @param {KeyboardEvent} event
   * @param {string} id
   * @param {HTMLElement} handle
   */
  function keys(event, id, handle) {
    if (event.ctrlKey || event.altKey || event.metaKey || hand === "pointer") return;
    const steps = /** @type {Record<string, number>} */ ({ ArrowUp: -1, ArrowDown: 1, PageUp: -5, PageDown: 5, Home: -Infinity, End: Infinity });
    const holds = hand === "keys" && order.held === id;
    const step = steps[event.key];
    if (event.key === " " || event.key === "Enter") {
      if (event.repeat) event.preventDefault();
      else if (holds) drop();
      else take(id, "keys");
    } else if (event.key === "Escape" && holds) cancel();
    else if (step !== undefined && holds) {
      const before = order.place();
      order.carry(before + step);
      draw();
      const at = order.place();
      say(at === before ? `Place ${at + 1}: that is the ${step < 0 ? "top" : "end"}.` : `Place ${at + 1} of ${order.shown().length}.`);
      handle.closest("li")?.scrollIntoView({ block: "nearest" });
    } else if (step !== undefined) {
      const all = [...list.querySelectorAll(".handle")];
      const next = all[Math.max(0, Math.min(all.length - 1, all.indexOf(handle) + step))];
      if (next instanceof HTMLElement) next.focus();
    } else return;
    event.preventDefault();
  }

  /** @param {import("../tutti/types.js").LogEvent[]} events @param {number} rev */
  function heard(events, rev) {
    const me = client.user?.id ?? "";
    for (const { type, by, body } of events) {
      if (type === "track.moved") {
        if (by === me) order.happened(body.track, body.from, body.to);
        else {
          order.movedAway(body.track, body.from);
          changes.add(body.track, by, rev);
          note(body.track, "touch", by, `${nameOf(by)} moved it`, TOUCH_MS);
        }
      } else if (type === "tracks.removed") {
        for (const id of body.tracks) {
          clearTimeout(notes.get(id)?.timer);
          notes.delete(id);
          if (by !== me) changes.add(id, by, rev);
        }
      } else if (type === "tracks.added" && by !== me) {
        for (const { track } of body.tracks) note(track.id, "touch", by, `${nameOf(by)} added it`, TOUCH_MS);
      }
    }
  }

  /** Takes in what is true now. */
  function settle() {
    const before = order.held ? order.place() : -1;
    const tracks = playlist.tracks();
    changes.keep(tracks.map(({ track }) => track));
    const fell = order.settle(tracks.map(({ track }) => track.id), playlist.epoch, playlist.rev);
    if (fell) {
      hand = "";
      drag.end();
      const who = nameOf(changes.last(fell, handRev)?.by ?? "");
      say(`${who} took ${changes.title(fell)} out.`);
      toast(`${who} took ${changes.title(fell)} out while you held it.`, { bad: true });
    } else if (order.held && !mayMove()) {
      drag.end();
      if (order.held) cancel();
      toast("You may not edit this playlist any more.", { bad: true });
    } else if (before >= 0 && hand === "keys" && order.place() !== before) {
      say(`The list changed: place ${order.place() + 1} of ${order.shown().length}.`);
    }
  }

  function draw() {
    const { state } = playlist;
    if (!state) return;
    const shown = order.shown().map((id) => state.tracks[id]).filter((one) => one !== undefined);
    drawRows(shown);
    list.hidden = shown.length === 0;
    empty.hidden = shown.length > 0;
    text(invitation, mayMove() ? "Find some and put them in. Everybody here sees them at once." : "Nobody has put any in.");
  }

  const ends = [playlist.on("events", ({ events, rev }) => heard(events, rev)), playlist.on("change", settle)];
  settle();
  return {
    element: h("section", { class: "panel", "aria-labelledby": "tracks-title" },
      h("h2", { id: "tracks-title", class: "visually-hidden" }, "Tracks"),
      h("p", { id: "drag-help", hidden: true }, help), says, list, empty),
    draw,
    titleOf,
    end() {
      for (const end of ends) end();
      drag.end();
      changes.end();
      for (const { timer } of notes.values()) clearTimeout(timer);
    },
  };
}
