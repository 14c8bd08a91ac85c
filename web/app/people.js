import { ask, field } from "./dialog.js";
import { avatar, personHref } from "./face.js";
import { h, icon, keyed, set, text } from "./dom.js";
import { count } from "./format.js";
import { toast } from "./toast.js";
import { Refusal } from "../tutti/errors.js";

/** @typedef {import("../tutti/types.js").Member} Member */

const ranks = /** @type {Record<string, number>} */ ({ creator: 4, moderator: 3, speaker: 2, member: 2, guest: 1 });
/** How many of a big room are shown; the rest is a number. */
const PAGE = 50;
/** A big room's list is read again this long after the last time: soon if people came or went,
 * later if anything else changed, which may have been a role. */
const COUNT_MOVED_MS = 5_000;
const REV_MOVED_MS = 30_000;

/**
 * Who is in the room, and what may be done about them.
 *
 * @param {import("./room.js").Stage} stage
 */
export function people({ app, room, act }) {
  const { client, names } = app;
  const total = h("span", { class: "quiet small num", "data-test": "member-count" });
  const invite = h("button", { type: "button", class: "button slim", "data-test": "invite", onclick: () => inviteSomebody() }, icon("plus"), "Invite");
  const list = h("ul", { class: "people", "data-test": "members" });
  const more = h("p", { class: "hint" });
  const drawRows = keyed(list, (/** @type {[string, Member]} */ [id]) => id, ([id]) => row(id));
  /** @type {[string, Member][]} of a room too big to be listed in its document */
  let page = [];
  let read = { at: -Infinity, rev: -1, count: -1, busy: false };
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let again;

  /** @param {string} id */
  function row(id) {
    const face = h("span", {});
    const name = h("a", { class: "clip person-name", dir: "auto", href: personHref(id), "data-test": "member-name" });
    let drawn = "";
    const marks = h("span", { class: "badges" });
    const actions = h("div", { class: "person-actions", hidden: true });
    const open = h("button", {
      type: "button", class: "button plain round", "aria-expanded": "false", "data-test": "member-actions",
      onclick: () => { actions.hidden = !actions.hidden; set(open, "aria-expanded", String(!actions.hidden)); },
    }, icon("more"));
    /** @param {() => Promise<boolean>} run */
    const done = (run) => async () => { if (await run()) { actions.hidden = true; set(open, "aria-expanded", "false"); } };
    /**
     * @param {string} label
     * @param {string} verb
     * @param {object} body
     * @param {boolean} [danger]
     */
    const action = (label, verb, body, danger = false) => h("button", {
      type: "button", class: danger ? "button slim danger" : "button slim", "data-test": `do-${verb}`, onclick: done(() => act(verb, body)),
    }, label);
    return {
      element: h("li", { class: "person-row", "data-test": "member", "data-user": id }, h("div", { class: "person-line" }, face, name, marks, open), actions),
      /** @param {[string, Member]} item */
      update([, member]) {
        const known = names.of(id);
        const shown = known || "…";
        const state = `${shown} ${names.picture(id)}`;
        if (state !== drawn) face.replaceChildren(avatar(id, known || "·", names.picture(id)));
        drawn = state;
        text(name, id === client.user?.id ? `${shown} (you)` : shown);
        const role = /** @type {Record<string, string>} */ ({ creator: "Creator", moderator: "Moderator", speaker: "Speaker", guest: "Guest" })[member.role];
        marks.replaceChildren(...[
          role && h("span", { class: member.role === "creator" ? "badge gold" : "badge", "data-test": "role" }, role),
          member.control && h("span", { class: "badge live", "data-test": "control" }, icon("play"), "Control"),
        ].filter((m) => m !== undefined && m !== false && m !== ""));
        const below = id !== client.user?.id && (ranks[room.you?.role ?? ""] ?? 0) > (ranks[member.role] ?? 0);
        const can = (/** @type {string} */ verb) => below && room.may(verb);
        const buttons = [
          can(member.control ? "revokeControl" : "grantControl") && action(member.control ? "Take control back" : "Give control", member.control ? "revokeControl" : "grantControl", { user: id }),
          can("setRole") && action(member.role === "moderator" ? "Make a member" : "Make a moderator", "setRole", { user: id, role: member.role === "moderator" ? "member" : "moderator" }),
          can("kick") && action("Take out", "kick", { user: id }, true),
          can("ban") && action("Ban", "ban", { user: id }, true),
        ].filter((b) => b !== false);
        open.hidden = buttons.length === 0;
        set(open, "aria-label", `Actions for ${shown}`);
        const offered = `${member.role} ${member.control} ${buttons.length}`;
        if (actions.dataset.state !== offered) {
          actions.dataset.state = offered;
          actions.replaceChildren(...buttons);
        }
        if (buttons.length === 0) actions.hidden = true;
        if (known) names.meet(id);
      },
    };
  }

  function inviteSomebody() {
    const { field: idField, input } = field("Their id", { name: "user", placeholder: "user_01…", autocomplete: "off", spellcheck: "false", "data-test": "invite-id" },
      "Everybody finds their own id in the menu behind their picture.");
    const members = room.state?.members ?? {};
    const met = names.met().filter((one) => !Object.hasOwn(members, one.id));
    const known = met.length
      ? [h("div", { class: "field" }, h("span", {}, "People you met"), h("div", { class: "met" }, ...met.map((one) => h("button", {
        type: "button", class: "button slim", "data-test": "met", onclick: () => { input.value = one.id; input.focus(); },
      }, one.name))))]
      : [];
    ask({
      title: "Invite somebody", lead: "The invitation reaches every device of theirs at once.", test: "invite-dialog",
      fields: [...known, idField], submit: "Invite",
      run: async () => {
        const user = input.value.trim();
        if (!/^user_[0-9A-Z]{26}$/.test(user)) throw new Refusal("invalid", "an id begins with user_ and has 31 characters", { field: "user" });
        await room.command("invite", { user });
        const [profile] = await client.http.users([user]).catch(() => []);
        toast(`${profile?.nickname ?? "They"} ${profile ? "is" : "are"} invited.`);
      },
    });
  }

  /** Reads a big room's list if it is due, or sees to it that it will be. */
  function follow() {
    const count = room.state?.memberCount ?? 0;
    clearTimeout(again);
    again = undefined;
    if (read.busy || (read.rev === room.rev && read.count === count)) return;
    const wait = read.at + (read.count === count ? REV_MOVED_MS : COUNT_MOVED_MS) - performance.now();
    if (wait <= 0) readPage();
    else again = setTimeout(draw, wait);
  }

  async function readPage() {
    read = { at: performance.now(), rev: room.rev, count: room.state?.memberCount ?? 0, busy: true };
    try {
      const answer = await client.query("members", { room: room.id, limit: PAGE });
      page = answer.members.map((/** @type {Member & {user: string}} */ m) => [m.user, m]);
    } catch {
      read.rev = -1; // the list before stays, and is asked for again
    }
    read.busy = false;
    if (app.room === room) draw();
  }

  function draw() {
    const { state } = room;
    if (!state) return;
    const paged = state.roster === "paged";
    if (paged) follow();
    const all = paged ? page : Object.entries(state.members);
    const shown = [...all].sort(([a, x], [b, y]) => (ranks[y.role] ?? 0) - (ranks[x.role] ?? 0) || x.joinedAt - y.joinedAt || (a < b ? -1 : 1));
    drawRows(shown);
    text(total, count(state.memberCount, "person", "people"));
    const hidden = state.memberCount - shown.length;
    text(more, hidden > 0 ? `and about ${hidden.toLocaleString("en")} more` : "");
    more.hidden = hidden <= 0;
    invite.hidden = !room.may("invite");
  }

  return {
    element: h("section", { class: "panel", "aria-labelledby": "people-title" },
      h("div", { class: "panel-head" }, h("h2", { id: "people-title" }, "In the room"), total, invite), list, more),
    draw,
    end: () => clearTimeout(again),
  };
}
