import { h, icon, set, text } from "./dom.js";
import { duration } from "./format.js";
import { toast } from "./toast.js";

/** @typedef {import("../tutti/types.js").Track} Track */

const SHOWN = 8;
const PAUSE_MS = 150;

/**
 * Where tracks are suggested: words search the catalogue, an address is taken as it is. A
 * combobox as the ARIA practices describe one: the focus stays in the field, arrows choose.
 *
 * @param {import("./room.js").Stage} stage
 */
export function suggestBox({ app, room, act }) {
  /** @type {Track[]} */
  let found = [];
  let chosen = -1;
  let asked = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  const input = h("input", {
    class: "input", type: "text", role: "combobox", placeholder: "Search, or paste a link", autocomplete: "off", spellcheck: "false",
    "aria-label": "Suggest a track", "aria-expanded": "false", "aria-controls": "suggestions", "aria-autocomplete": "list", "data-test": "suggest",
    oninput: () => { clearTimeout(timer); timer = setTimeout(search, PAUSE_MS); },
    onfocus: () => search(),
    onkeydown: (/** @type {KeyboardEvent} */ event) => keys(event),
    onblur: () => setTimeout(() => { if (!box.contains(document.activeElement)) show(false); }, 120),
  });
  const send = h("button", { class: "button primary round", "aria-label": "Suggest", "data-test": "suggest-send" }, icon("plus"));
  const list = h("ul", { class: "suggestions", id: "suggestions", role: "listbox", "aria-label": "Tracks", hidden: true, "data-test": "suggestions" });
  const box = h("form", {
    class: "suggest-box",
    onsubmit: (/** @type {SubmitEvent} */ event) => { event.preventDefault(); submit(); },
  }, h("div", { class: "search" }, icon("search"), input), send, list);
  const hint = h("p", { class: "hint" });
  const element = h("section", { class: "panel", "aria-labelledby": "suggest-title" },
    h("div", { class: "panel-head" }, h("h2", { id: "suggest-title" }, "Suggest a track")), box, hint);

  const isAddress = () => /^https?:\/\/\S+$/i.test(input.value.trim());

  async function search() {
    const query = input.value.trim();
    if (isAddress()) {
      found = [];
      drawList("Press Enter to suggest this link.");
      return;
    }
    const mine = ++asked;
    try {
      const tracks = await app.client.http.tracks(query, 50);
      if (mine !== asked || document.activeElement !== input) return;
      const { queue = {}, current } = room.state ?? {};
      found = tracks.filter((t) => !Object.hasOwn(queue, t.id) && t.id !== current?.id).slice(0, SHOWN);
      chosen = found.length && query ? 0 : -1;
      drawList(found.length ? "" : query ? "Nothing of that name. Paste a link instead." : "Everything here is queued already.");
    } catch {
      if (mine === asked) drawList("The catalogue cannot be reached right now.");
    }
  }

  /** @param {string} message */
  function drawList(message) {
    list.replaceChildren(...found.map((track, i) => h("li", {
      role: "option", id: `suggestion-${i}`, "aria-selected": String(i === chosen), "data-test": "suggestion", "data-track": track.id,
      onpointerdown: (/** @type {Event} */ event) => event.preventDefault(),
      onclick: () => suggest(track.id, track.title),
    },
    track.artworkUrl ? h("img", { src: track.artworkUrl, alt: "" }) : h("span", { class: "blank" }, icon("list")),
    h("span", { class: "row-text" }, h("b", { class: "clip" }, track.title), h("small", { class: "hint clip" }, track.artist)),
    h("span", { class: "hint num" }, duration(track.durationMs)))));
    if (message) list.append(h("li", { class: "note hint", role: "presentation" }, message));
    show(true);
  }

  /** @param {boolean} open */
  function show(open) {
    list.hidden = !open;
    set(input, "aria-expanded", String(open));
    if (!open) chosen = -1;
    set(input, "aria-activedescendant", open && chosen >= 0 ? `suggestion-${chosen}` : null);
  }

  /** @param {KeyboardEvent} event */
  function keys(event) {
    if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      show(false);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) return void search();
      if (found.length === 0) return;
      chosen = (chosen + (event.key === "ArrowDown" ? 1 : chosen < 0 ? found.length : found.length - 1)) % found.length;
      [...list.querySelectorAll("[role=option]")].forEach((option, i) => {
        set(option, "aria-selected", String(i === chosen));
        if (i === chosen) option.scrollIntoView({ block: "nearest" });
      });
      set(input, "aria-activedescendant", `suggestion-${chosen}`);
    }
  }

  function submit() {
    const track = found[chosen];
    const value = input.value.trim();
    if (track && !list.hidden) suggest(track.id, track.title);
    else if (isAddress() || /^[a-z]+:[\w-]+$/i.test(value)) suggest(value, "The track");
    else if (value) search();
    else input.focus();
  }

  /**
   * @param {string} ref
   * @param {string} title
   */
  async function suggest(ref, title) {
    input.value = "";
    found = [];
    show(false);
    send.disabled = true;
    const done = await act("suggest", { tracks: [ref] });
    send.disabled = false;
    if (done) toast(`${title} is suggested, with your vote.`);
    else if (/^https?:/i.test(ref)) input.value = ref; // to be mended
  }

  return {
    element,
    draw() {
      const { state, you } = room;
      const may = (you?.member ?? false) && room.may("suggest");
      element.hidden = state?.phase !== "open";
      input.disabled = send.disabled = !may;
      text(hint, may ? "A suggestion counts as your vote." : app.client.user ? "Join the room to suggest tracks." : "Sign in to suggest tracks.");
    },
    end: () => clearTimeout(timer),
  };
}
