import { h, icon, keyed, rest, set, text } from "./dom.js";
import { personLink } from "./face.js";
import { count, duration } from "./format.js";
import { byDefault, queueOptions, unusual } from "./room-options.js";

/** @typedef {import("../tutti/types.js").QueueEntry} QueueEntry */

/**
 * What waits, in the order in which it will be played.
 *
 * @param {import("./room.js").Stage} stage
 */
export function queueList({ app, room, act }) {
  const list = h("ol", { class: "queue", "data-test": "queue" });
  const total = h("span", { class: "quiet small" });
  const heading = h("h2", { id: "queue-title" }, "Up next");
  const how = h("div", { class: "badges", "data-test": "queue-how" });
  const undo = h("button", { type: "button", class: "button slim", hidden: true, "data-test": "undo", onclick: () => takeBack() }, icon("undo"), "Undo");
  const shuffle = h("button", { type: "button", class: "button plain round", hidden: true, "aria-label": "Shuffle tracks of equal votes", title: "Shuffle", "data-test": "shuffle", onclick: () => act("shuffle") }, icon("shuffle"));
  const options = h("button", { type: "button", class: "button plain round", hidden: true, "aria-label": "How the queue works", title: "How the queue works", "data-test": "queue-settings", onclick: () => queueOptions(room) }, icon("gear"));
  const invitation = h("p", {}, "Suggest a track, and everybody can vote for it.");
  const empty = h("div", { class: "empty small-empty", "data-test": "queue-empty" }, rest(), h("h3", {}, "The queue is empty"), invitation);
  /** Votes on their way: shown at once, forgotten when answered. @type {Set<string>} */
  const pending = new Set();
  const drawRows = keyed(list, (/** @type {QueueEntry} */ entry) => entry.track.id, (entry) => row(entry));

  /** @param {string} track */
  async function vote(track) {
    if (pending.has(track)) return;
    pending.add(track);
    draw();
    await act("vote", { track });
    pending.delete(track);
    draw();
  }

  async function takeBack() {
    const change = room.you?.undo?.change;
    if (change === undefined || undo.hasAttribute("data-pending")) return;
    set(undo, "data-pending", true);
    const focused = document.activeElement === undo;
    await act("undo", { change });
    set(undo, "data-pending", null);
    draw();
    if (focused && undo.hidden) {
      heading.tabIndex = -1;
      heading.focus({ preventScroll: true });
    }
  }

  /** What undo takes back, as a person says it. */
  function whatUndone() {
    const { verb = "", by = "" } = room.you?.undo ?? {};
    const what = /** @type {Record<string, string>} */ ({ suggest: "suggestion", remove: "removal", shuffle: "shuffle", setQueue: "change of how the queue works" })[verb] ?? "change";
    const name = app.names.of(by);
    return `Take back ${by === app.client.user?.id ? "your" : name ? `${name}'s` : "the"} ${what}`;
  }

  /** @param {QueueEntry} first */
  function row(first) {
    const { id } = first.track;
    const place = h("span", { class: "place num", "aria-hidden": "true" });
    const title = h("p", { class: "row-title clip", dir: "auto" }, first.track.title);
    const detail = h("p", { class: "hint clip" });
    let drawn = "";
    const score = h("span", { class: "num", "data-test": "score" });
    const button = h("button", { type: "button", class: "vote", "data-test": "vote", onclick: () => { if (!button.hasAttribute("aria-disabled")) vote(id); } });
    const remove = h("button", { type: "button", class: "button plain round row-remove", "aria-label": `Remove ${first.track.title}`, title: "Remove", "data-test": "remove", onclick: () => act("remove", { track: id }) }, icon("trash"));
    const art = first.track.artworkUrl
      ? h("img", { class: "row-art", src: first.track.artworkUrl, alt: "", loading: "lazy" })
      : h("div", { class: "row-art blank" }, icon("list"));
    return {
      element: h("li", { class: "queue-row", "data-test": "queue-row", "data-track": id },
        place, art, h("div", { class: "row-text" }, title, detail), remove, button),
      /**
       * @param {QueueEntry} entry
       * @param {number} index
       */
      update(entry, index) {
        const { state, you } = room;
        const mine = you?.voted.includes(id) ?? false;
        const needed = state?.options.minimumScore ?? 1;
        const by = app.names.of(entry.suggestedBy);
        text(place, String(index + 1));
        const missing = needed - entry.score;
        const from = by && (entry.suggestedBy === app.client.user?.id ? "you" : by);
        const shown = JSON.stringify([entry.track.artist, from, missing]);
        if (shown !== drawn) {
          drawn = shown;
          detail.replaceChildren([entry.track.artist, duration(entry.track.durationMs)].filter(Boolean).join(" · "), ...(from ? [" · from ", personLink(entry.suggestedBy, from)] : []), missing > 0 ? ` · ${count(missing, "vote")} short` : "");
        }
        text(score, String(entry.score));
        const may = (you?.member ?? false) && room.may("vote") && !you?.cannotVote;
        // Not disabled: a button that is loses the focus, and who votes by keyboard their place.
        set(button, "aria-disabled", mine || !may || pending.has(id) ? "true" : null);
        button.replaceChildren(icon(mine ? "check" : "up"), score);
        set(button, "data-mine", mine || pending.has(id));
        set(button, "data-pending", pending.has(id));
        button.hidden = state?.phase !== "open";
        set(button, "aria-label", pending.has(id) ? `Your vote for ${entry.track.title} is on its way` : mine ? `You voted for ${entry.track.title}, ${count(entry.score, "vote")}` : `Vote for ${entry.track.title}, ${count(entry.score, "vote")}`);
        set(button.parentElement ?? button, "data-eligible", entry.score >= needed);
        remove.hidden = state?.phase !== "open" || !room.may("remove");
      },
    };
  }

  function draw() {
    const queue = room.queue();
    const closed = room.state?.phase !== "open";
    how.replaceChildren(...unusual(room.state?.queueOptions ?? byDefault).map((one) => h("span", { class: "badge" }, one)));
    undo.hidden = closed || !room.you?.undo;
    if (!undo.hidden) {
      set(undo, "aria-label", whatUndone());
      set(undo, "title", whatUndone());
    }
    shuffle.hidden = closed || queue.length < 2 || !room.may("shuffle");
    options.hidden = closed || !room.may("setQueue");
    drawRows(queue);
    list.hidden = queue.length === 0;
    invitation.hidden = room.state?.phase !== "open";
    empty.hidden = queue.length > 0;
    text(total, queue.length ? `${count(queue.length, "track")} · ${duration(queue.reduce((sum, e) => sum + e.track.durationMs, 0))}` : "");
  }

  return {
    element: h("section", { class: "panel", "aria-labelledby": "queue-title" }, h("div", { class: "panel-head" }, heading, total, undo, shuffle, options), how, list, empty),
    draw,
  };
}
