import { h, icon, keyed, rest, set, text } from "./dom.js";
import { explain } from "./format.js";
import { followBook } from "./people-book.js";
import { personRow } from "./people-row.js";

/** @typedef {import("../tutti/types.js").Profile} Profile */

/** How many are asked for at once, and how many are shown at most. */
const PAGE = 20;
const MOST = 200;
/** How long a pause in typing begins a search. */
const PAUSE_MS = 220;

/**
 * Everybody there is, found by the beginning of their name; without one, those whom one follows.
 *
 * @param {import("./app.js").App} app
 * @returns {import("./app.js").View}
 */
export function peopleView(app) {
  const { client, names } = app;
  const book = followBook(client);
  /** @type {Profile[]} */
  let found = [];
  let next = "";
  let asked = 0;
  let state = /** @type {"reading" | "done" | "failed"} */ ("reading");
  let failure = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let over = false;

  const input = h("input", {
    class: "input", type: "search", placeholder: "The beginning of a name", "aria-label": "Find people by the beginning of their name", maxlength: 32, autocomplete: "off", spellcheck: "false", "data-test": "people-search",
    oninput: () => { clearTimeout(timer); timer = setTimeout(() => look(), PAUSE_MS); },
  });
  const title = h("h2", { id: "people-list-title" });
  const list = h("ul", { class: "people-list", "data-test": "people-list" });
  const more = h("button", { type: "button", class: "button slim", hidden: true, "data-test": "people-more", onclick: () => read() }, "More");
  const empty = h("div", { class: "empty", hidden: true, "data-test": "people-empty" });
  const told = h("p", { class: "visually-hidden", role: "status" });
  const element = h("div", { class: "people-page", "data-test": "people" },
    h("div", { class: "lobby-head" }, h("h1", {}, "People"),
      h("form", { class: "search", role: "search", onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); clearTimeout(timer); look(); } }, icon("search"), input)),
    h("section", { "aria-labelledby": title.id }, title, list, empty, more), told);
  const drawRows = keyed(list, (/** @type {Profile} */ p) => p.id, (p) => personRow(app, p));

  const words = () => input.value.trim();

  /** Begins a list anew: what an earlier search still brings is dropped. */
  function look() {
    asked++;
    next = "";
    state = "reading";
    read(true);
  }

  async function read(anew = false) {
    const mine = asked;
    const prefix = words();
    const me = client.user?.id;
    const page = { limit: PAGE, ...(next && { cursor: next }) };
    draw();
    try {
      /** @type {{profiles: Profile[], next?: string}} */
      const answer = prefix ? await client.query("people", { prefix, ...page }) : me ? await client.query("following", { user: me, ...page }) : { profiles: [] };
      if (mine !== asked || over) return;
      const before = anew ? [] : found;
      found = [...before, ...answer.profiles.filter((p) => !before.some((b) => b.id === p.id))].slice(0, MOST);
      next = found.length < MOST ? answer.next ?? "" : "";
      state = "done";
      if (prefix) text(told, found.length ? `${found.length}${next ? " or more" : ""} found` : "Nobody found");
    } catch (err) {
      if (mine !== asked || over) return;
      state = "failed";
      failure = explain(err);
      if (anew) found = [];
    }
    draw();
  }

  function draw() {
    const prefix = words();
    text(title, prefix ? "Found" : client.user ? "You follow" : "");
    title.hidden = !title.textContent || (state === "done" && found.length === 0);
    set(list, "aria-busy", state === "reading");
    drawRows(found);
    more.hidden = !next || state === "failed";
    empty.hidden = state === "reading" || found.length > 0;
    if (empty.hidden) return;
    const [head, lead] = state === "failed" ? ["This cannot be shown now", failure]
      : prefix ? ["Nobody of that name", "A name is found by how it begins."]
        : client.user ? ["You follow nobody yet", "Type the beginning of a name to find people."] : ["Find people", "Type the beginning of a name."];
    empty.replaceChildren(rest(), h("h3", {}, head), h("p", {}, lead), state === "failed" ? h("button", { type: "button", class: "button slim", onclick: look }, "Try again") : "");
  }

  document.title = "People · Tutti";
  book.read();
  look();
  const ends = [book.on("change", draw), names.on(draw), client.on("user", () => { book.read(); look(); }),
    client.on("status", (link) => { if (link.state === "live" && state === "failed") look(); })];
  return {
    element,
    leave: () => {
      over = true;
      clearTimeout(timer);
      for (const end of ends) end();
    },
  };
}
