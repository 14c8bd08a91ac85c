import { avatar, personHref } from "./face.js";
import { h, icon, keyed, set, text } from "./dom.js";
import { count } from "./format.js";
import { invite } from "./playlist-dialogs.js";

/** How long somebody is shown as editing after they did something. */
const EDITING_MS = 8_000;

/**
 * Who is in the playlist, and what they do to it this moment.
 *
 * @param {import("./playlist.js").Desk} desk
 * @param {(track: string) => string} titleOf
 */
export function playlistPeople({ app, playlist, act, draw: drawAll }, titleOf) {
  const { client, names } = app;
  const total = h("span", { class: "quiet small num", "data-test": "playlist-member-count" });
  const more = h("button", { type: "button", class: "button slim", "data-test": "playlist-invite-open", onclick: () => invite(app, playlist) }, icon("plus"), "Invite");
  const list = h("ul", { class: "people", "data-test": "playlist-members" });
  const drawRows = keyed(list, (/** @type {string} */ id) => id, (id) => row(id));
  /** What people just did; as many as there are members. @type {Map<string, {text: string, timer: ReturnType<typeof setTimeout>}>} */
  const doing = new Map();
  let open = "";

  /** @param {string} id */
  function row(id) {
    const face = h("span", {});
    const name = h("a", { class: "clip person-name", href: personHref(id), "data-test": "playlist-member-name" });
    const does = h("span", { class: "hint clip", "data-test": "playlist-editing" });
    const marks = h("span", { class: "badges" });
    const toggle = h("button", {
      type: "button", class: "button plain round", "aria-expanded": "false", "data-test": "playlist-member-menu",
      onclick: () => { open = open === id ? "" : id; drawAll(); },
    }, icon("more"));
    /**
     * @param {string} label
     * @param {string} verb
     * @param {boolean} [danger]
     */
    const action = (label, verb, danger = false) => h("button", {
      type: "button", class: danger ? "button slim danger" : "button slim", "data-test": `playlist-${verb}`,
      onclick: async () => { if (await act(verb, { user: id })) { open = ""; drawAll(); } },
    }, label);
    const actions = h("div", { class: "person-actions", hidden: true });
    let drawn = "";
    return {
      element: h("li", { class: "person-row", "data-test": "playlist-member", "data-user": id },
        h("div", { class: "person-line" }, face, h("div", { class: "person-words" }, name, does), marks, toggle), actions),
      update() {
        const { state } = playlist;
        const known = names.of(id);
        const picture = names.picture(id);
        if (face.dataset.for !== `${known} ${picture}`) {
          face.dataset.for = `${known} ${picture}`;
          face.replaceChildren(avatar(id, known || "·", picture));
        }
        text(name, `${known || "…"}${id === client.user?.id ? " (you)" : ""}`);
        text(does, doing.get(id)?.text ?? "");
        set(face, "data-editing", doing.has(id));
        marks.replaceChildren(...(id === state?.creator ? [h("span", { class: "badge gold" }, "Creator")] : []));
        const others = id !== state?.creator && playlist.may("invite");
        const everybody = state?.visibility === "public";
        const which = !others ? "" : !everybody ? "out" : state?.options.onlyInvitedEdit ? "edit" : "";
        if (which !== drawn) {
          drawn = which;
          actions.replaceChildren(...(which === "out" ? [action("Take out", "withdraw", true)]
            : which === "edit" ? [action("Let them edit", "invite"), action("No longer let them edit", "withdraw", true)] : []));
        }
        toggle.hidden = which === "";
        actions.hidden = which === "" || open !== id;
        set(toggle, "aria-label", `Actions for ${known || "this person"}`);
        set(toggle, "aria-expanded", String(!actions.hidden));
        if (known) names.meet(id);
      },
    };
  }

  /** @param {import("../tutti/types.js").LogEvent} event */
  function heard({ type, by, body }) {
    const what = type === "track.moved" ? `moved ${titleOf(body.track)}`
      : type === "tracks.added" ? `added ${body.tracks.length === 1 ? body.tracks[0].track.title : count(body.tracks.length, "track")}`
        : type === "tracks.removed" ? `took out ${body.tracks.length === 1 ? titleOf(body.tracks[0]) : count(body.tracks.length, "track")}`
          : type === "playlist.renamed" ? "gave it another name" : "";
    if (!what || !Object.hasOwn(playlist.state?.members ?? {}, by)) return;
    clearTimeout(doing.get(by)?.timer);
    doing.set(by, { text: what, timer: setTimeout(() => { doing.delete(by); drawAll(); }, EDITING_MS) });
  }

  function draw() {
    const { state } = playlist;
    if (!state) return;
    const members = Object.entries(state.members)
      .sort(([a, x], [b, y]) => Number(b === state.creator) - Number(a === state.creator) || x.joinedAt - y.joinedAt || (a < b ? -1 : 1));
    drawRows(members.map(([id]) => id));
    text(total, count(state.memberCount, "person", "people"));
    more.hidden = !playlist.may("invite");
  }

  const end = playlist.on("events", ({ events }) => { for (const event of events) heard(event); });
  return {
    element: h("section", { class: "panel", "aria-labelledby": "playlist-people" },
      h("div", { class: "panel-head" }, h("h2", { id: "playlist-people" }, "In the playlist"), total, more), list),
    draw,
    end() {
      end();
      for (const { timer } of doing.values()) clearTimeout(timer);
    },
  };
}
