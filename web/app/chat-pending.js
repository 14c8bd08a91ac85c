import { whyNot } from "./chat-composer.js";
import { ending } from "./chat-text.js";
import { h, icon } from "./dom.js";

/** How long a message that was accepted is shown before it comes with the others. */
const GRACE_MS = 4_000;
/** A message that is sent at once is not marked as waiting: that would only flicker. */
const SOON_MS = 600;
/** How many that were refused are kept; the oldest goes. */
const REFUSED = 20;

/** @typedef {{key: number, words: string, state: "soon" | "waits" | "sent" | "refused", why: string, ending: string, timer: ReturnType<typeof setTimeout> | undefined, element: HTMLElement}} Pending */

/**
 * What was written here and is not in the chat yet: it waits for the connection, or was refused.
 * There are as many at most as the client's outbox holds, and REFUSED of those that wait for
 * somebody to say what becomes of them.
 *
 * @param {object} desk
 * @param {import("./app.js").App} desk.app
 * @param {import("../tutti/chat.js").Chat} desk.chat
 * @param {string} desk.what what the chat belongs to
 * @param {(words: string, err: unknown) => boolean} desk.refused gives a text back to be mended;
 *   false if there is no room for it
 * @param {() => void} desk.changed
 */
export function chatPending({ app, chat, what, refused, changed }) {
  /** @type {Map<number, Pending>} */
  const all = new Map();
  let count = 0;
  let over = false;
  const element = h("ol", { class: "chat-list chat-pending", "aria-label": "Not sent yet" });

  /** @param {Pending} one */
  function drop(one) {
    clearTimeout(one.timer);
    all.delete(one.key);
    one.element.remove();
  }

  /** @param {Pending} one */
  function drawOne(one) {
    const live = app.client.status.state === "live";
    const { element: row } = one;
    row.dataset.state = one.state;
    const mark = one.state === "refused" ? one.why : one.state === "waits" ? (live ? "Sending…" : "Waits for the connection") : "";
    if (row.dataset.mark === mark) return;
    row.dataset.mark = mark;
    const button = (/** @type {string} */ test, /** @type {string} */ label, /** @type {() => void} */ run) => h("button", { type: "button", class: "button slim", "data-test": test, onclick: run }, label);
    row.replaceChildren(h("p", { class: "chat-text", dir: "auto" }, one.words), ...(mark ? [h("p", { class: "hint chat-mark", role: one.state === "refused" ? "alert" : null }, icon(one.state === "refused" ? "close" : "clock"), mark)] : []),
      ...(one.state === "refused" ? [h("div", { class: "chat-buttons" },
        button("chat-again", "Send again", () => { drop(one); send(one.words); }), button("chat-discard", "Discard", () => drop(one)))] : []));
  }

  /** @param {string} words */
  async function send(words) {
    /** @type {Pending} */
    const one = { key: ++count, words, state: "soon", why: "", ending: "", timer: undefined, element: h("li", { class: "chat-waiting", "data-test": "chat-waiting" }) };
    all.set(one.key, one);
    element.append(one.element);
    one.timer = setTimeout(() => { one.state = "waits"; drawOne(one); changed(); }, app.client.status.state === "live" ? SOON_MS : 0);
    drawOne(one);
    const me = app.client.user?.id ?? "";
    try {
      const { id } = await chat.command("send", { text: words });
      clearTimeout(one.timer);
      if (over) return;
      one.state = "sent";
      one.ending = ending(chat.id, me, id);
      one.timer = setTimeout(() => drop(one), GRACE_MS);
    } catch (err) {
      clearTimeout(one.timer);
      if (over || !all.has(one.key)) return;
      if (refused(words, err)) drop(one);
      else {
        const before = [...all.values()].filter((p) => p.state === "refused");
        if (before[0] && before.length >= REFUSED) drop(before[0]);
        one.state = "refused";
        one.why = whyNot(err, what);
      }
    }
    changed();
  }

  return {
    element,
    send,
    /** @param {string[]} ids the messages that are shown: one of these takes its own place */
    draw(ids) {
      for (const one of all.values()) {
        if (one.ending && ids.some((id) => id.endsWith(one.ending))) drop(one);
        else drawOne(one);
      }
    },
    /** Somebody else is signed in now. */
    forget() { for (const one of [...all.values()]) drop(one); },
    end() {
      over = true;
      for (const one of [...all.values()]) drop(one);
    },
  };
}
