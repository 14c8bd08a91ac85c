import { avatar, personHref } from "./face.js";
import { h, icon, keyed, set, text } from "./dom.js";
import { count } from "./format.js";
import { invite } from "./playlist-dialogs.js";
import { doingsWith } from "./playlist-words.js";
import { toast } from "./toast.js";

/** How long somebody is shown as editing after they did something. */
const EDITING_MS = 8_000;
/** How many of the invited are shown, and how many more each time they are asked for. */
const SHOWN = 50;

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
  const awaited = h("ul", { class: "people", "data-test": "playlist-invited-people" });
  const drawAwaited = keyed(awaited, (/** @type {string} */ id) => id, (id) => invitedRow(id));
  const awaitedTitle = h("h3", { class: "people-part" });
  const furtherAwaited = h("button", { type: "button", class: "button slim", "data-test": "playlist-more-invited", onclick: () => { shown += SHOWN; drawAll(); } }, "More");
  const awaitedPart = h("div", { hidden: true }, awaitedTitle, awaited, furtherAwaited);
  let shown = SHOWN;
  /** What people just did; as many as there are members. @type {Map<string, {text: string, timer: ReturnType<typeof setTimeout>}>} */
  const doing = new Map();
  let open = "";

  /**
   * A place for somebody's picture.
   *
   * @param {string} id
   */
  function portrait(id) {
    const face = h("span", {});
    return {
      face,
      draw() {
        const known = names.of(id);
        const picture = names.picture(id);
        if (face.dataset.for === `${known} ${picture}`) return;
        face.dataset.for = `${known} ${picture}`;
        face.replaceChildren(avatar(id, known || "·", picture));
      },
    };
  }

  /**
   * Somebody who is invited and has not come.
   *
   * @param {string} id
   */
  function invitedRow(id) {
    const { face, draw: drawFace } = portrait(id);
    const name = h("a", { class: "clip person-name", href: personHref(id) });
    const takeBack = h("button", {
      type: "button", class: "button slim", "data-test": "playlist-take-back",
      onclick: async () => {
        if (takeBack.hasAttribute("data-pending")) return;
        set(takeBack, "data-pending", true);
        const done = await act("withdraw", { user: id });
        set(takeBack, "data-pending", null);
        if (done) toast(`${names.of(id) || "They"} ${names.of(id) ? "is" : "are"} not invited any more.`);
      },
    }, "Take back");
    return {
      element: h("li", { class: "person-row", "data-test": "playlist-invited-person", "data-user": id },
        h("div", { class: "person-line" }, face, h("div", { class: "person-words" }, name), takeBack)),
      update() {
        drawFace();
        text(name, names.of(id) || "…");
        set(takeBack, "aria-label", `Take back the invitation of ${names.of(id) || "this person"}`);
      },
    };
  }

  /** @param {string} id */
  function row(id) {
    const { face, draw: drawFace } = portrait(id);
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
     * @param {string} done what is said then, after the name
     * @param {boolean} [danger]
     */
    const action = (label, verb, done, danger = false) => h("button", {
      type: "button", class: danger ? "button slim danger" : "button slim", "data-test": `playlist-${verb}`,
      onclick: async () => {
        if (!await act(verb, { user: id })) return;
        toast(`${names.of(id) || "This person"} ${done}`);
        open = "";
        if (actions.contains(document.activeElement)) toggle.focus({ preventScroll: true });
        drawAll();
      },
    }, label);
    const buttons = {
      letEdit: () => action("Let them edit", "invite", "may edit now."),
      endEditing: () => action("No longer let them edit", "withdraw", "does not edit any more.", true),
      takeOut: () => action("Take out", "withdraw", "is taken out.", true),
    };
    const actions = h("div", { class: "person-actions", hidden: true });
    let drawn = "";
    return {
      element: h("li", { class: "person-row", "data-test": "playlist-member", "data-user": id },
        h("div", { class: "person-line" }, face, h("div", { class: "person-words" }, name, does), marks, toggle), actions),
      update() {
        const { state } = playlist;
        const known = names.of(id);
        drawFace();
        text(name, `${known || "…"}${id === client.user?.id ? " (you)" : ""}`);
        text(does, doing.get(id)?.text ?? "");
        set(face, "data-editing", doing.has(id));
        const invited = playlist.you?.invitedUsers?.includes(id) ?? false;
        marks.replaceChildren(...(id === state?.creator ? [h("span", { class: "badge gold" }, "Creator")]
          : invited && state?.options.onlyInvitedEdit ? [h("span", { class: "badge", "data-test": "playlist-may-edit" }, "May edit")] : []));
        const which = state && id !== state.creator && playlist.may("invite") ? doingsWith(state, invited) : [];
        if (String(which) !== drawn) {
          drawn = String(which);
          const focused = actions.contains(document.activeElement);
          actions.replaceChildren(...which.map((one) => buttons[one]()));
          if (focused) toggle.focus({ preventScroll: true });
        }
        toggle.hidden = which.length === 0;
        actions.hidden = which.length === 0 || open !== id;
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
    const invited = (playlist.you?.invitedUsers ?? []).filter((id) => !Object.hasOwn(state.members, id));
    text(awaitedTitle, `Invited (${invited.length})`);
    drawAwaited(invited.slice(0, shown));
    awaitedPart.hidden = invited.length === 0;
    furtherAwaited.hidden = invited.length <= shown;
  }

  const end = playlist.on("events", ({ events }) => { for (const event of events) heard(event); });
  return {
    element: h("section", { class: "panel", "aria-labelledby": "playlist-people" },
      h("div", { class: "panel-head" }, h("h2", { id: "playlist-people" }, "In the playlist"), total, more), list, awaitedPart),
    draw,
    end() {
      end();
      for (const { timer } of doing.values()) clearTimeout(timer);
    },
  };
}
