import { ask, field } from "./dialog.js";
import { h, icon, set, text } from "./dom.js";
import { count, isolate } from "./format.js";
import { left } from "./chat-text.js";
import { Refusal } from "../tutti/errors.js";

/** The bounds of a poll's options, as the contract has them. */
const FEWEST = 2;
const MOST = 10;
/** How long a result is shown to who comes later. */
const SHOWN_MS = 10 * 60_000;
/** For how long a poll may be open, in seconds; 0 until somebody closes it. */
const times = /** @type {[number, string][]} */ ([[0, "Until I close it"], [30, "30 seconds"], [60, "1 minute"], [300, "5 minutes"], [900, "15 minutes"], [3_600, "1 hour"]]);

/**
 * The poll of a room: its question, and how the answers stand.
 *
 * @param {import("./room.js").Stage} stage
 */
export function pollBox({ app, room, act }) {
  const question = h("h2", { id: "poll-title", class: "poll-question", dir: "auto", "data-test": "poll-question" });
  const list = h("ul", { class: "poll-options" });
  const foot = h("p", { class: "hint" });
  const close = h("button", { type: "button", class: "button slim", "data-test": "poll-close", onclick: () => shut() }, "Close the poll");
  const dismiss = h("button", { type: "button", class: "button plain round", "aria-label": "Put the result away", "data-test": "poll-dismiss", onclick: () => {
    away = room.state?.poll?.id ?? 0;
    draw();
    document.getElementById("main")?.focus({ preventScroll: true });
  } }, icon("close"));
  const element = h("section", { class: "panel poll", "aria-labelledby": "poll-title", hidden: true, "data-test": "poll" },
    h("div", { class: "panel-head" }, icon("poll"), question, close, dismiss), list, foot);
  /** The poll whose result was put away. */
  let away = 0;
  /** The option that is being answered, -1 for none. */
  let pending = -1;
  let made = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let again;
  /** @type {{button: HTMLButtonElement, n: HTMLElement, share: HTMLElement, fill: HTMLElement, mark: HTMLElement}[]} */
  let rows = [];

  /** @param {number} option */
  async function answer(option) {
    const poll = room.state?.poll;
    if (!poll || poll.closedAt || pending >= 0 || rows[option]?.button.hasAttribute("aria-disabled")) return;
    if (room.you?.answer?.poll === poll.id && room.you.answer.option === option) return;
    pending = option;
    draw();
    await act("answer", { poll: poll.id, option });
    pending = -1;
    draw();
  }

  async function shut() {
    if (await act("closePoll", {})) {
      draw();
      if (close.hidden) dismiss.focus({ preventScroll: true });
    }
  }

  /** @param {import("../tutti/types.js").Poll} poll */
  function make(poll) {
    made = poll.id;
    rows = poll.options.map((label, i) => {
      const n = h("span", { class: "num", "data-test": "poll-count" });
      const share = h("span", { class: "num hint" });
      const fill = h("span", { class: "poll-fill", "aria-hidden": "true" });
      const mark = h("span", { class: "poll-mark", "aria-hidden": "true" });
      const button = h("button", { type: "button", class: "poll-option", "data-test": "poll-option", "data-option": i, onclick: () => answer(i) }, fill, mark, h("span", { class: "poll-label", dir: "auto" }, label), share, n);
      return { button, n, share, fill, mark };
    });
    list.replaceChildren(...rows.map(({ button }) => h("li", {}, button)));
  }

  function draw() {
    clearTimeout(again);
    const poll = room.state?.poll;
    const now = app.client.clock.now();
    const open = poll !== undefined && poll.closedAt === 0;
    element.hidden = !poll || (!open && (poll.id === away || now - poll.closedAt > SHOWN_MS));
    if (!poll || element.hidden) return;
    if (made !== poll.id) make(poll);
    set(element, "data-open", open);
    text(question, poll.question);
    const all = poll.counts.reduce((sum, n) => sum + n, 0);
    const best = Math.max(...poll.counts);
    const mine = room.you?.answer?.poll === poll.id ? room.you.answer.option : -1;
    const may = open && room.may("answer");
    rows.forEach(({ button, n, share, fill, mark }, i) => {
      const votes = poll.counts[i] ?? 0;
      const part = all ? votes / all : 0;
      const own = pending >= 0 ? pending === i : mine === i;
      text(n, votes.toLocaleString("en"));
      text(share, all ? `${Math.round(part * 100)} %` : "");
      fill.style.setProperty("--part", String(part));
      mark.replaceChildren(own ? icon("check") : "");
      set(button, "aria-pressed", String(own));
      set(button, "aria-disabled", may ? null : "true");
      set(button, "data-pending", pending === i);
      set(button, "data-best", !open && all > 0 && votes === best);
      set(button, "aria-label", `${poll.options[i]}: ${count(votes, "answer")}${own ? ", your answer" : ""}`);
    });
    const by = app.names.of(poll.by);
    const ends = open && poll.endsAt > 0 ? poll.endsAt - now : 0;
    text(foot, [by && `asked by ${poll.by === app.client.user?.id ? "you" : isolate(by)}`, count(all, "answer"), open ? (poll.endsAt > 0 ? `closes in ${left(ends)}` : "") : "closed", may && mine >= 0 ? "you can change yours" : ""].filter(Boolean).join(" · "));
    close.hidden = !open || !(room.may("closePoll") || room.may("poll") || poll.by === app.client.user?.id);
    dismiss.hidden = open;
    if (ends > 0) again = setTimeout(draw, ends > 3_600_000 ? 60_000 : (ends % 1_000) + 20);
  }

  return { element, draw, end: () => clearTimeout(again) };
}

/**
 * Asks what to ask the room.
 *
 * @param {import("../tutti/room.js").Room} room
 */
export function askPoll(room) {
  if (document.querySelector("dialog[data-test=poll-dialog]")) return;
  const question = field("Question", { name: "question", maxlength: 200, placeholder: "Louder or slower?", autocomplete: "off", dir: "auto", "data-test": "poll-ask" });
  const options = h("div", { class: "poll-fields" });
  const add = h("button", { type: "button", class: "button slim", "data-test": "poll-add", onclick: () => { addOption().focus(); } }, icon("plus"), "Another answer");
  const seconds = h("select", { class: "input", name: "seconds", "data-test": "poll-seconds" }, ...times.map(([n, label]) => h("option", { value: n }, label)));

  function addOption() {
    const n = options.children.length + 1;
    const input = h("input", { class: "input", name: n === 1 ? "options" : `option${n}`, maxlength: 100, "aria-label": `Answer ${n}`, placeholder: `Answer ${n}`, autocomplete: "off", dir: "auto", "data-test": "poll-answer" });
    options.append(input);
    add.hidden = n >= MOST;
    return input;
  }
  for (let i = 0; i < FEWEST; i++) addOption();

  ask({
    title: "Ask the room", lead: "Everybody in the room answers once, and may think again until the poll closes.", test: "poll-dialog",
    fields: [question.field, h("div", { class: "field" }, h("span", {}, "Answers"), options, h("div", {}, add)), h("label", { class: "field" }, h("span", {}, "How long"), seconds)],
    submit: "Ask",
    run: async () => {
      const answers = [...options.children].map((i) => /** @type {HTMLInputElement} */ (i).value.trim()).filter(Boolean);
      if (!question.input.value.trim()) throw new Refusal("invalid", "a poll needs a question", { field: "question" });
      if (answers.length < FEWEST) throw new Refusal("invalid", "give two answers to choose from, or more", { field: "options" });
      if (new Set(answers).size < answers.length) throw new Refusal("invalid", "two answers are the same", { field: "options" });
      const n = Number(seconds.value);
      await room.command("poll", { question: question.input.value.trim(), options: answers, ...(n > 0 && { seconds: n }) });
    },
  });
}
