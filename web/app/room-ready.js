import { avatar } from "./face.js";
import { h, icon, set, text } from "./dom.js";
import { isolate } from "./format.js";
import { left } from "./chat-text.js";

/** How long the outcome is shown. */
const SHOWN_MS = 30_000;
/** How many faces of those who are ready are shown. */
const FACES = 8;

/**
 * Whether everybody is ready: the question, one's own answer, and how many are.
 *
 * @param {import("./room.js").Stage} stage
 */
export function readyBox({ app, room, act }) {
  const word = h("p", { class: "ready-word", role: "status", "data-test": "ready-word" });
  const faces = h("div", { class: "ready-faces", "aria-hidden": "true" });
  const fill = h("div", { class: "progress-fill" });
  const bar = h("div", { class: "progress-track", role: "progressbar", "aria-label": "Ready", "aria-valuemin": 0, "data-test": "ready-bar" }, fill);
  const rest = h("span", { class: "hint num", "data-test": "ready-left" });
  const yes = h("button", { type: "button", class: "button primary slim", "data-test": "ready-yes", onclick: () => answer(true) }, icon("check"), "I am ready");
  const no = h("button", { type: "button", class: "button slim", "data-test": "ready-no", onclick: () => answer(false) }, "Not yet after all");
  const element = h("section", { class: "panel ready", "aria-label": "Ready-check", hidden: true, "data-test": "ready" },
    h("div", { class: "ready-line" }, word, faces, rest, yes, no), bar);
  let pending = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let again;

  /** @param {boolean} ready */
  async function answer(ready) {
    if (pending) return;
    pending = true;
    draw();
    const focused = element.contains(document.activeElement);
    await act("ready", { ready });
    pending = false;
    draw();
    if (focused) (yes.hidden ? no : yes).focus({ preventScroll: true });
  }

  let drawn = "";
  function draw() {
    clearTimeout(again);
    const check = room.state?.readyCheck;
    const now = app.client.clock.now();
    const running = check !== undefined && check.endedAt === 0;
    element.hidden = !check || (!running && now - check.endedAt > SHOWN_MS);
    if (!check || element.hidden) return;
    set(element, "data-running", running);
    const by = check.by === app.client.user?.id ? "You ask" : `${isolate(app.names.of(check.by) || "Somebody")} asks`;
    const everybody = check.ready >= check.of;
    text(word, running ? `${by} who is ready: ${check.ready} of ${check.of}` : everybody ? "Everybody is ready." : `${check.ready} of ${check.of} are ready.`);
    fill.style.setProperty("--done", String(check.of ? Math.min(1, check.ready / check.of) : 0));
    set(bar, "aria-valuenow", check.ready);
    set(bar, "aria-valuemax", check.of);
    const shown = check.users.slice(0, FACES);
    const state = JSON.stringify(shown.map((user) => [user, app.names.of(user), app.names.picture(user)]));
    if (state !== drawn) faces.replaceChildren(...shown.map((user) => avatar(user, app.names.of(user) || "·", app.names.picture(user))));
    drawn = state;
    const may = running && room.may("ready");
    const ready = room.you?.ready ?? false;
    yes.hidden = !may || ready;
    no.hidden = !may || !ready;
    for (const button of [yes, no]) set(button, "data-pending", pending);
    const ends = running ? check.endsAt - now : check.endedAt + SHOWN_MS - now;
    text(rest, running ? left(ends) : "");
    again = setTimeout(draw, running ? (Math.max(0, ends) % 1_000) + 20 : Math.max(20, ends + 20));
  }

  return { element, draw, end: () => clearTimeout(again) };
}
