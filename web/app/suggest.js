import { h, icon, set, text } from "./dom.js";
import { Finder, isReference, offered } from "./finder.js";
import { duration } from "./format.js";
import { toast } from "./toast.js";

const SHOWN = 8;
const PAUSE_MS = 150;

/**
 * Where tracks are suggested to a room.
 *
 * @param {import("./room.js").Stage} stage
 */
export function suggestBox({ app, room, act }) {
  const box = trackBox({
    app, title: "Suggest a track", verb: "suggest", none: "Everything here is queued already.",
    where: (id) => (id === room.state?.current?.id ? "playing now" : Object.hasOwn(room.state?.queue ?? {}, id) ? "in the queue" : ""),
    take: async (ref, name) => {
      const done = await act("suggest", { tracks: [ref] });
      if (done) toast(`${name} is suggested, with your vote.`);
      return done;
    },
  });
  return {
    element: box.element,
    draw() {
      const may = (room.you?.member ?? false) && room.may("suggest");
      box.element.hidden = room.state?.phase !== "open";
      box.allow(may, may ? "A suggestion counts as your vote." : app.client.user ? "Join the room to suggest tracks." : "Sign in to suggest tracks.");
    },
    end: box.end,
  };
}

/**
 * Where tracks are found: words search the catalogue, an address is taken as it is. A combobox
 * as the ARIA practices describe one: the focus stays in the field, arrows choose.
 *
 * @param {object} options
 * @param {import("./app.js").App} options.app
 * @param {string} options.title
 * @param {string} options.verb what happens to a track, for example "suggest"
 * @param {string} options.none what is said when every track is there already
 * @param {(id: string) => string} options.where where a track is already, for example "in the queue"; "" for nowhere
 * @param {(ref: string, title: string) => Promise<boolean>} options.take
 */
export function trackBox({ app, title, verb, none, where, take }) {
  const finder = new Finder(async (query) => {
    return offered(await app.client.http.tracks(query, 50), where, query, SHOWN);
  });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  const input = h("input", {
    class: "input", type: "text", role: "combobox", placeholder: "Search, or paste a link", autocomplete: "off", spellcheck: "false",
    "aria-label": title, "aria-expanded": "false", "aria-controls": "suggestions", "aria-autocomplete": "list", "data-test": "suggest",
    oninput: () => {
      finder.forget(); // nothing of the old words can be taken for the new ones
      for (const option of list.querySelectorAll("[aria-selected=true]")) set(option, "aria-selected", "false");
      set(input, "aria-activedescendant", null);
      clearTimeout(timer);
      timer = setTimeout(search, PAUSE_MS);
    },
    onfocus: () => search(),
    onkeydown: (/** @type {KeyboardEvent} */ event) => keys(event),
    onblur: () => setTimeout(() => { if (!box.contains(document.activeElement)) show(false); }, 120),
  });
  const send = h("button", { class: "button primary round", "aria-label": title, "data-test": "suggest-send" }, icon("plus"));
  const list = h("ul", { class: "suggestions", id: "suggestions", role: "listbox", "aria-label": "Tracks", hidden: true, "data-test": "suggestions" });
  const box = h("form", {
    class: "suggest-box",
    onsubmit: (/** @type {SubmitEvent} */ event) => { event.preventDefault(); submit(); },
  }, h("div", { class: "search" }, icon("search"), input), send, list);
  const hint = h("p", { class: "hint" });
  const element = h("section", { class: "panel", "aria-labelledby": "suggest-title" },
    h("div", { class: "panel-head" }, h("h2", { id: "suggest-title" }, title)), box, hint);

  const words = () => input.value.trim();

  async function search() {
    clearTimeout(timer);
    const query = words();
    if (isReference(query)) {
      finder.forget();
      drawList(/^http/i.test(query) ? `Press Enter to ${verb} this link.` : `Press Enter to ${verb} this track.`);
      return;
    }
    if (await finder.look(query) && document.activeElement === input) drawFound(query);
  }

  /** @param {string} query */
  function drawFound(query) {
    if (finder.failed) drawList("The catalogue cannot be reached right now.");
    else drawList(finder.found.length ? "" : query ? "Nothing of that name. Paste a link instead." : none);
  }

  /** @param {string} message */
  function drawList(message) {
    list.replaceChildren(...finder.found.map((track, i) => {
      const there = where(track.id);
      return h("li", {
        role: "option", id: `suggestion-${i}`, "aria-selected": String(i === finder.chosen), "aria-disabled": there ? "true" : null, "data-test": "suggestion", "data-track": track.id,
        onpointerdown: (/** @type {Event} */ event) => event.preventDefault(),
        onclick: () => choose(track),
      },
      track.artworkUrl ? h("img", { src: track.artworkUrl, alt: "" }) : h("span", { class: "blank" }, icon("list")),
      h("span", { class: "row-text" }, h("b", { class: "clip" }, track.title), h("small", { class: "hint clip" }, track.artist)),
      there ? h("span", { class: "badge", "data-test": "suggestion-there" }, there) : h("span", { class: "hint num" }, duration(track.durationMs)));
    }));
    if (message) list.append(h("li", { class: "note hint", role: "presentation" }, message));
    show(true);
  }

  /** @param {boolean} open */
  function show(open) {
    list.hidden = !open;
    set(input, "aria-expanded", String(open));
    if (!open) finder.chosen = -1;
    set(input, "aria-activedescendant", open && finder.chosen >= 0 ? `suggestion-${finder.chosen}` : null);
  }

  /** @param {KeyboardEvent} event */
  function keys(event) {
    if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      show(false);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) return void search();
      if (finder.found.length === 0) return;
      finder.move(event.key === "ArrowDown" ? 1 : -1);
      [...list.querySelectorAll("[role=option]")].forEach((option, i) => {
        set(option, "aria-selected", String(i === finder.chosen));
        if (i === finder.chosen) option.scrollIntoView({ block: "nearest" });
      });
      set(input, "aria-activedescendant", `suggestion-${finder.chosen}`);
    }
  }

  let submitting = false;
  /** Takes what is chosen; while it is still being looked for, as soon as it is found. */
  async function submit() {
    clearTimeout(timer);
    const value = words();
    if (submitting) return;
    if (!value) return input.focus();
    if (isReference(value)) return suggest(value, "The track");
    let track = list.hidden ? undefined : finder.found[finder.chosen];
    if (!track) {
      submitting = true;
      const current = await finder.look(value);
      submitting = false;
      if (!current || words() !== value) return;
      track = finder.found[finder.chosen];
    }
    if (track) choose(track);
    else drawFound(value);
  }

  /** @param {import("../tutti/types.js").Track} track */
  function choose({ id, title: name }) {
    const there = where(id);
    if (!there) return void suggest(id, name);
    drawFound(words());
    toast(there === "playing now" ? `${name} is playing now.` : `${name} is ${there} already.`);
  }

  /**
   * @param {string} ref
   * @param {string} name
   */
  async function suggest(ref, name) {
    clearTimeout(timer); // a search that was about to begin would open the list again
    input.value = "";
    finder.forget();
    show(false);
    set(box, "aria-busy", true);
    const done = await take(ref, name);
    set(box, "aria-busy", null);
    if (!done && /^https?:/i.test(ref) && !input.value) input.value = ref; // to be mended
  }

  return {
    element,
    /**
     * @param {boolean} may whether tracks may be taken now
     * @param {string} why what is said about that
     */
    allow(may, why) {
      input.disabled = send.disabled = !may;
      text(hint, why);
    },
    end: () => clearTimeout(timer),
  };
}
