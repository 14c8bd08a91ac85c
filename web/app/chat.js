import { composer, whyNot } from "./chat-composer.js";
import { ChatLog } from "./chat-log.js";
import { keep, recall } from "./chat-memory.js";
import { dayKey, dayRow, messageRow, newRow } from "./chat-message.js";
import { moderate } from "./chat-moderate.js";
import { chatPending } from "./chat-pending.js";
import { goesOn, pause, typingLine } from "./chat-text.js";
import { ask } from "./dialog.js";
import { h, icon, set, text } from "./dom.js";
import { isolate } from "./format.js";
import { toast } from "./toast.js";

/** @typedef {import("./chat-log.js").Entry} Entry */
/** @typedef {{element: HTMLElement, update: (entry: Entry, before: Entry | undefined) => void}} Row */

/** How close to its end the list counts as being there. */
const END_PX = 48;
/** How close to its top earlier messages are asked for. */
const TOP_PX = 160;
/** How many are asked for at once. */
const PAGE = 50;
/** How long scrolling asks for nothing after an attempt that failed. */
const CALM_MS = 3_000;
/** How long a pause in reading and writing has both remembered. */
const KEEP_MS = 500;
/** Where the panel stays below the bar on top, as chat.css has it. */
const TOP_EDGE_PX = 84;

/**
 * The chat of a room or a playlist, to be put beside it. On a narrow screen it is a button that
 * opens a drawer.
 *
 * @param {import("./app.js").App} app
 * @param {string} id the room's or playlist's
 * @param {{what?: string, join?: () => void}} [place] what the chat belongs to, as a person says
 *   it, and how it is entered
 * @returns {import("./app.js").View}
 */
export function chatPanel(app, id, { what = id.startsWith("playlist_") ? "playlist" : "room", join } = {}) {
  const { client, names } = app;
  const chat = client.chat(id);
  const log = new ChatLog();
  let snapshots = 0;
  /** Whether the reader is at the end, and so stays there. */
  let stuck = true;
  /** Where the list was scrolled to when that was last looked at. */
  let lastTop = 0;
  /** How many messages there were when the end was last seen. */
  let seen = 0;
  /** The last message that was seen before this visit, "" if nothing has come since. */
  let mark = "";
  /** Whether the panel can be seen where it stands, on a wide screen. */
  let inView = true;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let keeping;
  let reading = false;
  let over = false;
  /** Why more could not be read, and until when nothing is read by scrolling after that. */
  let failed = "";
  let wait = 0;
  const narrow = matchMedia("(max-width: 900px)");

  const slow = h("span", { class: "badge", hidden: true, "data-test": "chat-slow-badge" });
  const settings = h("button", { type: "button", class: "button plain round", "aria-label": "Chat settings", title: "Chat settings", hidden: true, "data-test": "chat-moderate", onclick: () => moderate(app, chat) }, icon("gear"));
  const close = h("button", { type: "button", class: "button plain round chat-close", "aria-label": "Close the chat", "data-test": "chat-close", onclick: () => drawer(false) }, icon("close"));
  const older = h("button", { type: "button", class: "button slim chat-older", hidden: true, "data-test": "chat-older", onclick: () => readEarlier() }, "Earlier messages");
  const begin = h("p", { class: "hint chat-begin", hidden: true, "data-test": "chat-begin" });
  const list = h("ol", { class: "chat-list", role: "log", "aria-live": "polite", "aria-relevant": "additions", "aria-label": "Messages", "data-test": "chat-log" });
  const newer = h("button", { type: "button", class: "button slim chat-older", hidden: true, "data-test": "chat-newer", onclick: () => readLater() }, "Later messages");
  const waiting = chatPending({ app, chat, what, refused: (words, err) => write.refuse(words, err), changed: () => draw() });
  const scroller = h("div", { class: "chat-scroller", tabindex: "0", "aria-label": "Messages of the chat", role: "group", "data-test": "chat-scroller" }, older, begin, list, newer, waiting.element);
  const pill = h("button", { type: "button", class: "chat-pill", hidden: true, "data-test": "chat-new", onclick: () => { toEnd(); write.focus(); } });
  const typing = h("p", { class: "hint chat-typing", "data-test": "chat-typing" });
  const write = composer({
    app, chat, what, join, wrote: () => remember(),
    send: (words) => { toEnd(); waiting.send(words); toEnd(); },
    change: async (message, words) => { await chat.command("edit", { message, text: words }); },
    lastOwn: () => log.entries().reverse().find((e) => e.author === client.user?.id && !e.deleted),
  });
  const label = h("h2", { id: `chat-title-${id}` }, "Chat");
  const trouble = h("p", { class: "empty small-empty", hidden: true, "data-test": "chat-gone" });
  const whole = h("div", { class: "chat-whole" }, h("div", { class: "chat-frame" }, scroller, pill), typing, write.element);
  const box = h("section", { class: "panel chat-panel", "aria-labelledby": label.id, "data-test": "chat" },
    h("div", { class: "panel-head" }, label, slow, settings, close), trouble, whole);
  const unread = h("b", { class: "num", hidden: true, "data-test": "chat-unread" });
  const opener = h("button", { type: "button", class: "button primary chat-opener", "aria-expanded": "false", "data-test": "chat-open", onclick: () => { if (narrow.matches) drawer(true); else goThere(); } }, icon("chat"), "Chat", unread);
  const scrim = h("div", { class: "chat-scrim", onclick: () => drawer(false) });
  const element = h("div", { class: "chat" }, opener, scrim, box);
  /** What lies under the open drawer, and cannot be reached meanwhile. @type {HTMLElement[]} */
  let under = [];

  const desk = {
    app,
    you: () => chat.you,
    recent: (/** @type {string} */ message) => log.recent(message),
    edit: write.edit,
    erase,
    /**
     * @param {string} verb
     * @param {object} body
     */
    async act(verb, body) {
      try {
        await chat.command(verb, body);
        return true;
      } catch (err) {
        toast(whyNot(err, what), { bad: true });
        return false;
      }
    },
  };
  /** @type {Map<string, Row>} */
  let rows = new Map();

  /** @param {Entry} entry */
  function erase(entry) {
    const mine = entry.author === client.user?.id;
    ask({
      title: mine ? "Delete your message?" : `Delete the message of ${names.of(entry.author) || "this person"}?`, lead: "It is gone for everybody, for good.", test: "chat-delete",
      fields: [], submit: "Delete", danger: true,
      run: async () => { await chat.command("delete", { message: entry.id }); },
    });
  }

  /** Whether the end of the list can be seen. */
  const seesEnd = () => stuck && !log.later && (narrow.matches ? box.dataset.open === "true" : inView);

  function toEnd() {
    if (log.later && chat.state) log.begin(chat.state, chat.you);
    stickToEnd();
    drawNow();
  }

  /** Goes to the panel where it stands. */
  function goThere() {
    box.scrollIntoView({ block: "nearest" });
    toEnd();
    write.focus();
  }

  function stickToEnd() {
    stuck = true;
    lastTop = 0;
  }

  const below = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;

  function scrolled() {
    stuck = below() < END_PX;
    lastTop = scroller.scrollTop;
    if (stuck && log.later) readLater();
    else if (scroller.scrollTop < TOP_PX && log.earlier && scroller.scrollHeight > scroller.clientHeight) readEarlier();
    if (seesEnd() || !pill.hidden) drawNews();
  }

  const readEarlier = () => read({ before: log.first }, (page) => log.addEarlier(page));
  const readLater = () => read({ after: log.last }, (page) => { if (chat.state) log.addLater(page, chat.state); });

  /**
   * @param {{before?: string, after?: string}} where
   * @param {(page: import("../tutti/types.js").ChatHistoryPage) => void} add
   */
  async function read(where, add) {
    if (reading || over || !(where.before || where.after)) return;
    reading = true;
    set(list, "aria-busy", true); // what was said long ago is not read out
    draw();
    const from = snapshots;
    try {
      const page = await chat.history({ ...where, limit: PAGE });
      // After a snapshot the list has begun anew, and another end of it may have been dropped.
      if (from === snapshots && (where.before ? where.before === log.first : where.after === log.last)) add(page);
      failed = "";
    } catch (err) {
      failed = `More cannot be read now. ${whyNot(err, what)}`;
      wait = performance.now() + CALM_MS;
    }
    reading = false;
    if (over) return;
    stuck = stuck && !where.after;
    drawNow();
    set(list, "aria-busy", null);
  }

  let due = false;
  /** Several changes of one moment are drawn once. */
  function draw() {
    if (due) return;
    due = true;
    queueMicrotask(() => { due = false; if (!over) drawNow(); });
  }

  function drawNow() {
    const { state, you } = chat;
    const gone = chat.status === "gone";
    trouble.hidden = !gone;
    whole.hidden = gone;
    if (gone) text(trouble, chat.reason?.code === "not_found" ? "There is no chat here, or none that you may read." : whyNot(chat.reason, what));
    set(element, "data-status", chat.status);
    set(scroller, "aria-busy", !state && !gone);
    slow.hidden = !state?.slowMode;
    text(slow, `Slow: ${pause(state?.slowMode ?? 0)}`);
    settings.hidden = !(you?.mayModerate ?? false);
    text(typing, typingLine(chat.typists().map((user) => isolate(names.of(user) || "Somebody"))));
    write.draw();
    if (!state) {
      list.replaceChildren();
      rows.clear();
      return;
    }
    // Somebody has scrolled up, and the event that says so is still to come.
    if (scroller.scrollTop < lastTop && below() >= END_PX) stuck = false;
    const anchor = stuck ? null : anchorRow();
    const entries = log.entries();
    drawRows(entries);
    waiting.draw(entries.map((e) => e.id));
    older.hidden = !log.earlier;
    set(older, "aria-disabled", reading ? "true" : null);
    text(older, reading ? "Reading…" : "Earlier messages");
    newer.hidden = !log.later;
    begin.hidden = log.earlier && !failed;
    text(begin, failed || (entries.length ? "This is where the chat begins." : state.phase === "closed" ? "Nothing was said here." : "Nobody has said anything yet."));
    if (stuck) scroller.scrollTop = scroller.scrollHeight;
    else if (anchor) scroller.scrollTop += anchor.row.getBoundingClientRect().top - anchor.top;
    lastTop = scroller.scrollTop;
    drawNews();
  }

  function drawNews() {
    const total = chat.state?.total ?? 0;
    if ((seesEnd() || total < seen) && seen !== total) {
      seen = total;
      remember();
    }
    const fresh = total - seen;
    pill.hidden = stuck && !log.later;
    set(pill, "data-fresh", fresh > 0);
    if (!pill.hidden) pill.replaceChildren(icon("down"), fresh > 0 ? `${fresh} new` : "To the latest");
    unread.hidden = fresh === 0;
    text(unread, fresh > 99 ? "99+" : String(fresh));
    set(opener, "aria-label", fresh > 0 ? `Chat, ${fresh} new` : "Chat");
    set(opener, "data-cue", fresh > 0 && !inView);
  }

  /** The first row that begins in sight: it stays where it is while others come above it. */
  function anchorRow() {
    const { top } = scroller.getBoundingClientRect();
    let last = null;
    for (const row of list.children) {
      if (!row.classList.contains("chat-message")) continue;
      last = { row, top: row.getBoundingClientRect().top };
      if (last.top >= top) break;
    }
    return last;
  }

  /** @param {Entry[]} entries */
  function drawRows(entries) {
    /** @type {Map<string, Row>} */
    const next = new Map();
    entries.forEach((entry, i) => {
      const before = entries[i - 1];
      const newDay = !before || dayKey(before) !== dayKey(entry);
      const unseen = mark !== "" && before !== undefined && before.id <= mark && entry.id > mark;
      if (unseen) next.set("new", rows.get("new") ?? newRow());
      if (newDay) next.set(dayKey(entry), rows.get(dayKey(entry)) ?? dayRow(entry.at));
      next.set(entry.id, rows.get(entry.id) ?? messageRow(entry, desk));
      if (newDay) next.get(dayKey(entry))?.update(entry, before);
      next.get(entry.id)?.update(entry, !unseen && goesOn(before, entry) ? before : undefined);
      if (entry.deleted) write.forget(entry.id);
    });
    for (const [key, row] of rows) if (!next.has(key)) row.element.remove();
    let at = list.firstElementChild;
    for (const { element: row } of next.values()) {
      if (row === at) at = at.nextElementSibling;
      else list.insertBefore(row, at);
    }
    rows = next;
  }

  /** @param {boolean} open */
  function drawer(open) {
    set(box, "data-open", open ? "true" : null);
    set(opener, "aria-expanded", String(open));
    cover(open);
    if (open) {
      toEnd();
      // A finger opens it to read: the keyboard would take half of the screen at once.
      if (matchMedia("(hover: none)").matches) scroller.focus();
      else write.focus();
      if (!box.contains(document.activeElement)) close.focus();
    } else opener.focus();
  }

  /** @param {boolean} open */
  function cover(open) {
    document.documentElement.classList.toggle("drawer-open", open);
    for (const one of under) one.inert = false;
    under = [];
    if (!open) return;
    for (let at = /** @type {HTMLElement | null} */ (box); at && at !== document.body; at = at.parentElement) {
      for (const other of at.parentElement?.children ?? []) {
        if (other instanceof HTMLElement && other !== at && other !== scrim && !other.inert && other.id !== "toasts") under.push(other);
      }
    }
    for (const one of under) one.inert = true;
  }
  const widened = () => { measure(); if (!narrow.matches && box.dataset.open) drawer(false); };
  narrow.addEventListener("change", widened);
  box.addEventListener("keydown", (event) => { if (event.key === "Escape" && box.dataset.open && narrow.matches) drawer(false); });

  scroller.addEventListener("scroll", () => { if (performance.now() > wait) scrolled(); }, { passive: true });
  // What is written makes the field higher, a keyboard the screen lower: the end stays in sight.
  const sizes = new ResizeObserver(() => {
    if (stuck) scroller.scrollTop = scroller.scrollHeight;
    lastTop = scroller.scrollTop;
  });
  sizes.observe(scroller);

  /** The panel reaches from where it stands to the end of the window, so that one can write. */
  function measure() {
    const { top } = element.getBoundingClientRect();
    if (!narrow.matches) element.style.setProperty("--chat-top", `${Math.round(Math.max(TOP_EDGE_PX, top))}px`);
  }
  const places = new ResizeObserver(measure);
  places.observe(element);
  places.observe(document.body);
  addEventListener("scroll", measure, { passive: true });
  addEventListener("resize", measure);
  const sight = new IntersectionObserver((entries) => { inView = entries.at(-1)?.isIntersecting ?? true; if (!over) drawNews(); }, { threshold: 0.3 });
  sight.observe(scroller);

  /** Whose chat this browser remembers. */
  let who = client.user?.id ?? "";
  function remember() {
    clearTimeout(keeping);
    keeping = setTimeout(keepNow, KEEP_MS);
  }
  function keepNow() {
    clearTimeout(keeping);
    if (who && chat.state) keep(who, id, { total: seen, last: seen === chat.state.total ? log.last : mark, draft: write.draft() });
  }
  addEventListener("pagehide", keepNow);
  write.restore((who && recall(who, id)?.draft) || "");

  /** Somebody else is signed in: what was written is not theirs. */
  function changeHands() {
    clearTimeout(keeping);
    who = client.user?.id ?? "";
    snapshots = 0;
    waiting.forget();
    write.restore("");
    draw();
  }

  function follow() {
    const { state, you } = chat;
    if (state) {
      if (snapshots !== chat.snapshots) {
        if (snapshots === 0) {
          const kept = who ? recall(who, id) : null;
          seen = Math.min(kept?.total ?? state.total, state.total);
          mark = kept && seen < state.total ? kept.last : "";
        }
        snapshots = chat.snapshots;
        log.begin(state, you);
        stickToEnd();
      } else log.follow(state, you, stuck);
    }
    draw();
  }
  const told = (/** @type {import("../tutti/types.js").LogEvent[]} */ events) => { for (const event of events) log.happened(event); };
  const ends = [
    chat.on("change", follow), chat.on("status", draw), names.on(draw), client.on("status", draw),
    chat.on("events", ({ events }) => told(events)), chat.on("sealed", told),
    client.on("user", changeHands),
  ];
  follow();
  return {
    element,
    leave() {
      keepNow();
      over = true;
      for (const end of ends) end();
      removeEventListener("pagehide", keepNow);
      removeEventListener("scroll", measure);
      removeEventListener("resize", measure);
      places.disconnect();
      sight.disconnect();
      sizes.disconnect();
      write.end();
      waiting.end();
      narrow.removeEventListener("change", widened);
      cover(false);
      client.release(chat);
    },
  };
}
