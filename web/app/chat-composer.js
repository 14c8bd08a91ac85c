import { signIn } from "./auth.js";
import { h, icon, set, text } from "./dom.js";
import { COUNT_FROM, LONGEST, left, length, pause } from "./chat-text.js";

/** How long after somebody joined from here the field takes the focus. */
const ENTERED_MS = 10_000;
/** How long it is said at least that a message came too soon: when the next may go comes later. */
const SOON_MS = 3_000;

/** @typedef {import("./chat-log.js").Entry} Entry */
/**
 * What the composer needs of its panel.
 * @typedef {object} Paper
 * @property {import("./app.js").App} app
 * @property {import("../tutti/chat.js").Chat} chat
 * @property {string} what what the chat belongs to, as a person says it: room, playlist
 * @property {(() => void) | undefined} join enters what the chat belongs to
 * @property {(words: string) => void} send
 * @property {() => void} wrote hears that what is written has changed
 * @property {(id: string, words: string) => Promise<void>} change gives a message another text; rejects with why not
 * @property {() => Entry | undefined} lastOwn this user's last message that can be edited
 */

/**
 * Where messages are written: says how long one may still get, when the next may go, and why
 * none may.
 *
 * @param {Paper} paper
 */
export function composer({ app, chat, what, join, send, change, lastOwn, wrote }) {
  const { client } = app;
  /** @type {Entry | null} the message that is being edited */
  let editing = null;
  let lost = ""; // the message that was deleted while it was edited
  let draft = ""; // what was being written when editing began
  /** Until when it is said that a message came too soon; 0 if that is not said. */
  let tooSoon = 0;
  let entered = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let again;

  const input = h("textarea", {
    class: "input chat-input", rows: 1, dir: "auto", placeholder: "Write a message", "aria-label": "Your message", enterkeyhint: "send", autocomplete: "off", "data-test": "chat-input",
    "aria-describedby": "chat-error", oninput: () => { complain(""); typed(); fit(); draw(); wrote(); }, onkeydown: (/** @type {KeyboardEvent} */ event) => keys(event),
  });
  const go = h("button", { class: "button primary round", "data-test": "chat-send" }, icon("send"));
  const counter = h("span", { class: "hint num chat-counter", hidden: true, "data-test": "chat-counter" });
  const error = h("p", { class: "chat-error", id: "chat-error", role: "alert", hidden: true, "data-test": "chat-error" });
  const slow = h("p", { class: "hint chat-slow", hidden: true, "data-test": "chat-slow" });
  const editLine = h("div", { class: "chat-editing", hidden: true, "data-test": "chat-editing" }, h("span", { class: "small" }, "Editing your message"),
    h("button", { type: "button", class: "button plain slim", "data-test": "chat-edit-cancel", onclick: () => { stopEditing(); input.focus(); } }, "Cancel"));
  const form = h("form", { class: "chat-form", onsubmit: (/** @type {SubmitEvent} */ event) => { event.preventDefault(); submit(); } },
    editLine, h("div", { class: "chat-line" }, input, go), h("div", { class: "chat-under" }, slow, counter), error);
  const note = h("div", { class: "chat-note", tabindex: "-1", hidden: true, "data-test": "chat-note" });
  const element = h("div", { class: "chat-composer" }, form, note);

  /** The field is as high as what is written, to a bound that the style sets. */
  function fit() {
    input.style.height = "auto";
    input.style.height = `${input.scrollHeight + 2}px`;
  }

  function typed() {
    if (!editing && input.value.trim()) chat.typing();
  }

  /** @param {string} message */
  function complain(message) {
    tooSoon = 0;
    error.hidden = !message;
    text(error, message);
    set(input, "aria-invalid", message ? "true" : null);
  }

  /** @returns {number} for how many milliseconds more nothing can be sent */
  function wait() {
    return chat.state?.slowMode ? Math.max(0, (chat.you?.sendAgainAt ?? 0) - client.clock.now()) : 0;
  }

  /** Says that a message came too soon, for as long as that is so. @param {string} message */
  function complainOfHaste(message) {
    complain(message);
    tooSoon = client.clock.now() + Math.max(wait(), SOON_MS);
    draw();
  }

  /** @param {unknown} err */
  function complainOf(err) {
    if (/** @type {{code?: string} | null} */ (err)?.code === "too_fast") complainOfHaste(whyNot(err, what));
    else complain(whyNot(err, what));
  }

  function enter() {
    entered = performance.now();
    join?.();
  }

  async function submit() {
    const words = input.value.trim();
    if (!words) {
      if (editing) complain("A message needs some text. To take it away, delete it.");
      return input.focus();
    }
    const over = length(words) - LONGEST;
    if (over > 0) return complain(`That is ${over} ${over === 1 ? "character" : "characters"} too long: a message has ${LONGEST.toLocaleString("en")} at most.`);
    if (editing) return save(editing, words);
    if (wait() > 0) return complainOfHaste("Slow mode is on here: wait a little before the next message.");
    write("");
    chat.typed();
    send(words);
    wrote();
  }

  /**
   * @param {Entry} entry
   * @param {string} words
   */
  async function save(entry, words) {
    if (words === entry.text) return stopEditing();
    if (go.hasAttribute("aria-disabled")) return;
    set(go, "aria-disabled", "true");
    try {
      await change(entry.id, words);
      if (editing?.id === entry.id) stopEditing();
    } catch (err) {
      if (lost !== entry.id) complainOf(err);
    }
    draw();
  }

  /** @param {string} words */
  function write(words) {
    input.value = words;
    complain("");
    fit();
    draw();
  }

  /** @param {Entry} entry */
  function edit(entry) {
    if (!editing) draft = input.value;
    editing = entry;
    write(entry.text);
    editLine.hidden = false;
    input.focus();
    input.setSelectionRange(input.value.length, input.value.length);
  }

  function stopEditing() {
    if (!editing) return;
    editing = null;
    editLine.hidden = true;
    write(draft);
    draft = "";
  }

  /** Ends editing, and leaves the words in the field, after what was being written before. */
  function keepWords() {
    if (!editing) return;
    const words = [draft, input.value].filter(Boolean).join("\n");
    editing = null;
    editLine.hidden = true;
    draft = "";
    write(words);
  }

  /** @param {KeyboardEvent} event */
  function keys(event) {
    if (event.isComposing) return; // Enter takes a word of an input method
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      submit();
    } else if (event.key === "ArrowUp" && input.value === "" && !editing) {
      const own = lastOwn();
      if (!own) return;
      event.preventDefault();
      edit(own);
    } else if (event.key === "Escape" && editing) {
      event.preventDefault();
      event.stopPropagation();
      stopEditing();
    }
  }

  /** What keeps this user from writing; null if nothing does. */
  function hindrance() {
    const { state, you } = chat;
    if (!state) return null;
    if (state.phase === "closed") return { why: `This ${what} is closed, and its chat with it. What was said can still be read.` };
    if (!client.user) return { why: `Sign in and join the ${what} to write here.`, label: "Sign in", run: () => signIn(client, { register: true, reason: "What is said here belongs to somebody: who are you?", then: enter }) };
    if (!you) return null;
    if (you.banned) return { why: `You are banned from this ${what}.` };
    if (!you.member) return { why: `Join the ${what} to write here.`, label: "Join", run: enter };
    if (you.muted) return { why: "You are muted in this chat: a moderator has to let you write again." };
    if (!you.maySend) return { why: "Your role does not let you write here." };
    return null;
  }

  function draw() {
    clearTimeout(again);
    const { state, you } = chat;
    const stop = hindrance();
    const held = element.contains(document.activeElement);
    if (stop) keepWords();
    form.hidden = Boolean(stop) || !state;
    note.hidden = !stop;
    if (stop) {
      if (note.dataset.why !== stop.why) {
        note.dataset.why = stop.why;
        const { run } = stop;
        note.replaceChildren(h("p", {}, stop.why), run ? h("button", { type: "button", class: "button slim", "data-test": "chat-join", onclick: () => run() }, stop.label ?? "") : "");
      }
      if (held && (!note.contains(document.activeElement) || note.hidden)) (note.querySelector("button") ?? note).focus({ preventScroll: true });
      return;
    }
    const here = performance.now() - entered < ENTERED_MS;
    if (state && ((held && !form.contains(document.activeElement)) || (here && !document.activeElement?.closest("dialog, input, textarea, select")))) input.focus({ preventScroll: true });
    if (here && document.activeElement === input) entered = -Infinity;
    if (tooSoon && (!state?.slowMode || (wait() === 0 && client.clock.now() >= tooSoon))) complain("");
    const n = length(input.value.trim());
    counter.hidden = n < COUNT_FROM;
    text(counter, n > LONGEST ? `${n - LONGEST} too many` : `${LONGEST - n} left`);
    set(counter, "data-over", n > LONGEST);
    const pausing = editing ? 0 : wait();
    const slowed = (state?.slowMode ?? 0) > 0;
    slow.hidden = !slowed && pausing === 0;
    text(slow, pausing > 0 ? `Slow mode: you can send again in ${left(pausing)}` : you?.mayModerate ? `Slow mode: ${pause(state?.slowMode ?? 0)} between messages; moderators do not wait` : `Slow mode: ${pause(state?.slowMode ?? 0)} between messages`);
    set(slow, "data-wait", pausing > 0);
    set(go, "aria-disabled", pausing > 0 ? "true" : null);
    set(go, "aria-label", editing ? "Save" : "Send");
    go.replaceChildren(icon(editing ? "check" : "send"));
    const rest = Math.max(pausing, tooSoon && tooSoon - client.clock.now());
    if (rest > 0) again = setTimeout(draw, rest > 60_000 ? 1_000 : Math.min(1_000, (rest % 1_000) + 20));
  }

  return {
    element,
    draw,
    edit,
    /** Takes back a text that was refused, if nothing else is written by now. @param {string} words @param {unknown} err */
    refuse(words, err) {
      const free = input.value === "" && !editing && !form.hidden;
      if (free) write(words);
      complainOf(err);
      return free;
    },
    /** The message is gone: it cannot be edited any more, and what was written stays. @param {string} id */
    forget(id) {
      if (editing?.id !== id) return;
      lost = id;
      keepWords();
      complain("The message that you were editing was deleted. Your words are still here: send them as a new message, or clear them.");
    },
    /** What is written and not sent. */
    draft: () => (editing ? draft : input.value),
    /** Puts back what was written before, or nothing. @param {string} words */
    restore(words) {
      editing = null;
      editLine.hidden = true;
      draft = "";
      write(words);
    },
    focus: () => { if (!form.hidden) input.focus(); },
    end: () => clearTimeout(again),
  };
}

/**
 * @param {unknown} err
 * @param {string} what what the chat belongs to
 * @returns {string} why the chat refused something
 */
export function whyNot(err, what) {
  const { code = "", message = String(err) } = /** @type {{code?: string, message?: string}} */ (err ?? {});
  const told = /** @type {Record<string, string>} */ ({
    muted: "You are muted in this chat: a moderator has to let you write again.",
    too_fast: "Slow mode is on here: wait a little before the next message.",
    too_large: `That is too long: a message has ${LONGEST.toLocaleString("en")} characters at most.`,
    closed: `This ${what} is closed, and its chat with it.`,
    not_member: `Join the ${what} first.`,
    forbidden: "Your role does not allow that here.",
    expired: "That took too long to send. Look whether it is there before you send it again.",
    unauthenticated: "Sign in first.",
    rate_limited: "That was a lot at once. Wait a moment.",
  });
  const out = told[code] ?? message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?]$/.test(out) ? out : `${out}.`;
}
