import { h, icon, set, text } from "./dom.js";
import { avatar, personHref } from "./face.js";
import { day, dayName, goesOn, pieces, reactions } from "./chat-text.js";

/** @typedef {import("./chat-log.js").Entry} Entry */
/**
 * What a row needs of its panel.
 * @typedef {object} Desk
 * @property {import("./app.js").App} app
 * @property {() => import("../tutti/types.js").ChatYou | null} you
 * @property {(id: string) => boolean} recent whether a message takes reactions
 * @property {(verb: string, body: object) => Promise<boolean>} act sends a command; tells why it was refused
 * @property {(entry: Entry) => void} edit begins to edit
 * @property {(entry: Entry) => void} erase asks, then deletes
 */

/** How many reactions of one message are on their way at most; a further press does nothing. */
const UNDER_WAY = 8;

/**
 * A day between messages.
 *
 * @param {number} at
 */
export function dayRow(at) {
  const label = h("span", {});
  return {
    element: h("li", { class: "chat-day", role: "separator", "data-test": "chat-day" }, label),
    update() { text(label, dayName(at, Date.now())); },
  };
}

/** Where begins what came while the reader was away. */
export function newRow() {
  return { element: h("li", { class: "chat-day chat-unseen", role: "separator", "data-test": "chat-unseen" }, h("span", {}, "New since you were here")), update() {} };
}

/**
 * One message.
 *
 * @param {Entry} first
 * @param {Desk} desk
 */
export function messageRow(first, desk) {
  const { app } = desk;
  const { id, author } = first;
  let entry = first;
  const face = h("a", { class: "chat-face", href: personHref(author), tabindex: "-1", "aria-hidden": "true" });
  const name = h("a", { class: "chat-name clip", dir: "auto", href: personHref(author), "data-test": "chat-author" });
  const marks = h("span", { class: "chat-marks" });
  const time = h("time", { class: "hint num" });
  const body = h("p", { class: "chat-text", dir: "auto", "data-test": "chat-text" });
  const chips = h("div", { class: "chat-chips", hidden: true });
  const menu = h("div", { class: "chat-actions", hidden: true, "data-test": "chat-actions" });
  const open = h("button", {
    type: "button", class: "button plain round chat-more", "aria-expanded": "false", "data-test": "chat-menu", onclick: () => toggle(menu.hidden),
  }, icon("more"));
  const element = h("li", { class: "chat-message", "data-test": "chat-message", "data-message": id, "data-author": author },
    face, h("div", { class: "chat-body" }, h("div", { class: "chat-head" }, name, marks, time), body, chips, menu), open);
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || menu.hidden) return;
    event.stopPropagation();
    toggle(false);
    open.focus();
  });
  /** @type {Set<string>} reactions on their way */
  const pending = new Set();

  /** @param {boolean} show */
  function toggle(show) {
    menu.hidden = !show;
    set(open, "aria-expanded", String(show));
    if (!show) return menu.replaceChildren();
    drawMenu();
    menu.scrollIntoView({ block: "nearest" });
    menu.querySelector("button")?.focus({ preventScroll: true });
  }

  /** @param {string} name */
  async function react(name) {
    if (pending.has(name) || pending.size >= UNDER_WAY) return;
    pending.add(name);
    toggle(false);
    drawChips();
    const mine = desk.you()?.reacted[id]?.includes(name) ?? false;
    await desk.act(mine ? "unreact" : "react", { message: id, reaction: name });
    pending.delete(name);
    drawChips();
  }

  function mayReact() {
    const you = desk.you();
    return (you?.maySend ?? false) && !you?.muted && desk.recent(id) && !entry.deleted;
  }

  function drawChips() {
    const mine = desk.you()?.reacted[id] ?? [];
    const may = mayReact();
    const shown = Object.keys(reactions).filter((r) => (entry.reactions?.[r] ?? 0) > 0 || pending.has(r));
    chips.hidden = shown.length === 0;
    chips.replaceChildren(...shown.map((r) => {
      const n = entry.reactions?.[r] ?? 0;
      const own = mine.includes(r);
      return h("button", {
        type: "button", class: "chip", "aria-pressed": String(own), "aria-disabled": may || (own && !entry.deleted) ? null : "true", "data-pending": pending.has(r),
        "aria-label": `${r}: ${n}`, title: r, "data-test": "chat-chip", "data-reaction": r,
        onclick: () => { if (may || own) react(r); },
      }, reactions[r] ?? r, h("span", { class: "num" }, n > 0 ? String(n) : ""));
    }));
  }

  function drawMenu() {
    const you = desk.you();
    const mine = author === app.client.user?.id;
    const own = you?.reacted[id] ?? [];
    const who = app.names.of(author) || "this person";
    /**
     * @param {string} what
     * @param {string} label
     * @param {() => void} run
     * @param {boolean} [danger]
     */
    const action = (what, label, run, danger = false) => h("button", {
      type: "button", class: danger ? "button slim danger" : "button slim", "data-test": `chat-menu-${what}`,
      onclick: () => { toggle(false); open.focus({ preventScroll: true }); run(); },
    }, label);
    const moderates = (you?.mayModerate ?? false) && !mine;
    const muted = you?.mutedUsers.includes(author);
    const shadowed = you?.shadowedUsers.includes(author);
    const buttons = [
      mine && you?.maySend && !you.muted && !entry.deleted && action("edit", "Edit", () => desk.edit(entry)),
      (mine ? you?.member : moderates) && !entry.deleted && action("delete", "Delete", () => desk.erase(entry), true),
      moderates && (muted
        ? action("unmute", `Let ${who} write`, () => desk.act("unmute", { user: author }))
        : action("mute", `Mute ${who}`, () => desk.act("mute", { user: author }), true)),
      moderates && (shadowed
        ? action("unshadow", `Show ${who}'s messages to all`, () => desk.act("unshadow", { user: author }))
        : action("shadow", `Show ${who}'s messages to ${who} alone`, () => desk.act("shadowMute", { user: author }), true)),
    ].filter((b) => b instanceof HTMLElement);
    const strip = mayReact() && h("div", { class: "chat-reactions", role: "group", "aria-label": "React" }, ...Object.entries(reactions).map(([r, sign]) => h("button", {
      type: "button", class: "chip big", "aria-label": r, title: r, "aria-pressed": String(own.includes(r)), "data-test": `chat-react-${r}`, onclick: () => { open.focus({ preventScroll: true }); react(r); },
    }, sign)));
    const focused = menu.contains(document.activeElement) ? document.activeElement?.getAttribute("data-test") : null;
    menu.replaceChildren(...[strip, buttons.length > 0 && h("div", { class: "chat-buttons" }, ...buttons)].filter((b) => b instanceof HTMLElement));
    if (!focused) return;
    const same = menu.querySelector(`[data-test="${focused}"]`) ?? open;
    if (same instanceof HTMLElement) same.focus({ preventScroll: true });
  }

  let drawn = "";
  let drawnText = "";
  return {
    element,
    /**
     * @param {Entry} now
     * @param {Entry | undefined} before
     */
    update(now, before) {
      entry = now;
      const you = desk.you();
      const mine = author === app.client.user?.id;
      const known = app.names.of(author);
      const picture = app.names.picture(author);
      const muted = you?.mutedUsers.includes(author) ?? false;
      const shadowed = you?.shadowedUsers.includes(author) ?? false;
      const follows = goesOn(before, now);
      const hasMenu = mayReact() || (!now.deleted && (mine ? (you?.member ?? false) : (you?.mayModerate ?? false))) || ((you?.mayModerate ?? false) && !mine);
      const state = JSON.stringify([now, known, picture, muted, shadowed, follows, hasMenu, mayReact(), you?.reacted[id], mine]);
      if (state === drawn) return;
      drawn = state;
      face.replaceChildren(avatar(author, known || "·", picture));
      text(name, mine ? `${known} (you)` : known || "…");
      marks.replaceChildren(...[
        muted && h("span", { class: "badge", "data-test": "chat-muted" }, icon("mute"), "Muted"),
        shadowed && h("span", { class: "badge", "data-test": "chat-shadowed" }, icon("lock"), "Seen by themselves"),
      ].filter((m) => m !== false));
      const at = new Date(now.at);
      text(time, at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
      set(time, "datetime", at.toISOString());
      set(time, "title", at.toLocaleString());
      set(element, "data-mine", mine);
      set(element, "data-deleted", now.deleted);
      set(element, "data-follows", follows);
      const content = JSON.stringify([now.text, now.deleted, now.edited]);
      if (content !== drawnText) {
        drawnText = content;
        if (now.deleted) body.replaceChildren("This message was deleted.");
        else {
          body.replaceChildren(...pieces(now.text).map((p) => (p.url ? h("a", { href: p.url, target: "_blank", rel: "noopener noreferrer nofollow" }, p.text) : p.text)),
            ...(now.edited ? [" ", h("small", { class: "hint", "data-test": "chat-edited" }, "(edited)")] : []));
        }
      }
      open.hidden = !hasMenu;
      set(open, "aria-label", `What to do about the message${known ? ` of ${mine ? "yours" : known}` : ""}`);
      drawChips();
      if (!menu.hidden) { if (hasMenu) drawMenu(); else toggle(false); }
    },
  };
}

/**
 * @param {Entry} entry
 * @returns {string} the key of the day row before it
 */
export function dayKey(entry) {
  return `day ${day(entry.at)}`;
}
