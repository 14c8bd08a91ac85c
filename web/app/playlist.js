import { signIn } from "./auth.js";
import { chatPanel } from "./chat.js";
import { h, icon, set, text } from "./dom.js";
import { copy, personHref } from "./face.js";
import { count, longTime } from "./format.js";
import { menu } from "./menu.js";
import { deletePlaylist, exportPlaylist, rename, setVisibility } from "./playlist-dialogs.js";
import { gonePage } from "./playlist-gone.js";
import { playlistPeople } from "./playlist-people.js";
import { trackList } from "./playlist-tracks.js";
import { explainHere } from "./playlist-words.js";
import { trackBox } from "./suggest.js";
import { toast } from "./toast.js";

/** @typedef {import("./app.js").App} App */
/**
 * What the parts of a playlist's page share.
 * @typedef {object} Desk
 * @property {App} app
 * @property {import("../tutti/playlist.js").Playlist} playlist
 * @property {(verb: string, body?: object) => Promise<boolean>} act sends a command; tells why it was refused
 * @property {() => void} draw draws everything anew
 */

/**
 * One playlist.
 *
 * @param {App} app
 * @param {string} id
 * @returns {import("./app.js").View}
 */
export function playlistView(app, id) {
  const { client, names } = app;
  const playlist = client.playlist(id);
  app.playlist = playlist;

  /** @type {Desk["act"]} */
  const act = async (verb, body) => {
    if (!client.user) {
      signIn(client, { reason: "Sign in to take part." });
      return false;
    }
    try {
      await playlist.command(verb, body);
      return true;
    } catch (err) {
      toast(explainHere(err), { bad: true });
      return false;
    }
  };
  /** @type {Desk} */
  const desk = { app, playlist, act, draw };

  const title = h("h1", { class: "room-name", tabindex: "-1", "data-test": "playlist-name" });
  const host = h("a", { class: "host" });
  const facts = h("span", { "data-test": "playlist-facts" });
  const access = h("span", { class: "badge", "data-test": "playlist-access" });
  const edits = h("span", { class: "badge", hidden: true }, icon("people"), "The invited edit");
  const join = h("button", { type: "button", class: "button primary", "data-test": "playlist-join", onclick: enter }, "Join");
  const decline = h("button", { type: "button", class: "button slim", hidden: true, "data-test": "playlist-decline", onclick: refuse }, "Decline");
  const play = h("button", { type: "button", class: "button primary", "data-test": "playlist-export", onclick: () => exportPlaylist(client, playlist) }, icon("play"), "Play in a room");
  const share = h("button", { type: "button", class: "button slim", "data-test": "playlist-share", onclick: () => copy(location.href, "The playlist's address is copied.") }, icon("link"), "Share");
  const leave = h("button", { type: "button", class: "button slim", "data-test": "playlist-leave", onclick: goAway }, icon("door"), "Leave");
  const settings = menu("Settings of the playlist", "playlist-menu", [
    { label: "Rename", test: "playlist-rename", picture: "edit", run: () => rename(playlist), shown: () => playlist.may("rename") },
    { label: "Who sees and edits it", test: "playlist-set-visibility", picture: "eye", run: () => setVisibility(playlist), shown: () => playlist.may("setVisibility") },
    { label: "Delete", test: "playlist-delete", picture: "trash", run: () => deletePlaylist(playlist, () => { location.hash = "#/playlists"; }), shown: () => playlist.may("delete"), danger: true },
  ]);
  const banner = h("div", { class: "banner", role: "status", hidden: true, "data-test": "playlist-banner" });
  const tracks = trackList(desk);
  const add = trackBox({
    app, title: "Add a track", verb: "add", none: "Everything here is in the playlist already.",
    where: (track) => (Object.hasOwn(playlist.state?.tracks ?? {}, track) ? "in the playlist" : ""),
    take: async (ref, name) => {
      const done = await act("add", { tracks: [ref] });
      if (done) toast(`${name} is in the playlist.`);
      return done;
    },
  });
  const roster = playlistPeople(desk, tracks.titleOf);
  const chat = chatPanel(app, id, { what: "playlist", join: enter });

  const main = h("div", { class: "room-main" }, tracks.element);
  const side = h("div", { class: "room-side" }, add.element, roster.element);
  // On a narrow screen the columns lie under each other: who adds sees what they add.
  const narrow = matchMedia("(max-width: 1359px)");
  const arrange = () => (narrow.matches ? main.prepend(add.element) : side.prepend(add.element));
  arrange();
  narrow.addEventListener("change", arrange);
  const whole = h("div", { hidden: true },
    h("div", { class: "room-head" },
      h("div", { class: "room-title" }, title, h("div", { class: "badges" }, access, edits, h("span", { class: "quiet small" }, host, facts))),
      h("div", { class: "room-actions" }, share, leave, settings.element, play, decline, join)),
    banner, h("div", { class: "room-grid" }, main, side, chat.element));
  const loading = h("div", { class: "room-loading", "aria-busy": "true" }, h("div", { class: "skeleton" }), h("div", { class: "skeleton" }));
  const gone = gonePage(app, playlist);
  const element = h("div", { class: "playlist", "data-test": "playlist" }, loading, gone.element, whole);

  let entering = false;
  /** Why this user is in the playlist no more, if they were taken out while they looked. */
  let out = "";

  async function enter() {
    if (!client.user) {
      signIn(client, { reason: "Sign in to join the playlist.", then: enter });
      return;
    }
    if (entering || app.playlist !== playlist) return;
    entering = true;
    draw();
    await act("join");
    entering = false;
    draw();
  }

  /** The chat is hidden together with the playlist; shown again, it is asked for again. */
  function readChat() {
    const followed = client.chat(id);
    if (followed.status === "gone") followed.restart();
    client.release(followed);
  }

  /** Takes no invitation: whoever may see the playlist without one stays here. */
  async function refuse() {
    if (decline.hasAttribute("data-pending")) return;
    const { name = "the playlist", visibility } = playlist.state ?? {};
    set(decline, "data-pending", true);
    const done = await act("leave");
    set(decline, "data-pending", null);
    if (!done) return;
    toast(`You declined the invitation to ${name}.`);
    if (visibility !== "public" && app.playlist === playlist) location.hash = "#/playlists";
  }

  async function goAway() {
    if (await act("leave")) location.hash = "#/playlists";
  }

  /** Several changes of one moment are drawn once. */
  let due = false;
  function draw() {
    if (due) return;
    due = true;
    queueMicrotask(() => { due = false; if (app.playlist === playlist) drawNow(); });
  }

  function drawNow() {
    const { state, you } = playlist;
    const deleted = state?.phase === "deleted";
    const isGone = playlist.status === "gone" || deleted;
    const focused = document.activeElement;
    gone.draw(isGone, deleted);
    loading.hidden = isGone || Boolean(state);
    whole.hidden = isGone || !state;
    set(element, "data-status", isGone ? "gone" : playlist.status);
    if (isGone || !state) return keepFocus(focused);
    const member = you?.member ?? false;
    const mine = state.creator === client.user?.id;
    document.title = `${state.name} · Tutti`;
    text(title, state.name);
    set(host, "href", personHref(state.creator));
    const by = names.of(state.creator);
    text(host, by ? `by ${mine ? "you" : by}` : "");
    text(facts, `${by ? " · " : ""}${count(state.trackCount, "track")}${state.trackCount ? `, ${longTime(state.totalMs)}` : ""}`);
    if (access.dataset.is !== state.visibility) {
      access.dataset.is = state.visibility;
      const [picture, word] = state.visibility === "public" ? /** @type {const} */ (["eye", "Public"]) : state.visibility === "followers" ? /** @type {const} */ (["people", "For followers"]) : /** @type {const} */ (["lock", "Private"]);
      access.replaceChildren(icon(picture), word);
    }
    edits.hidden = !state.options.onlyInvitedEdit;
    set(element, "data-member", String(member));
    set(element, "data-may-edit", String(you?.cannotEdit === ""));
    play.hidden = !playlist.may("export") || state.trackCount === 0;
    leave.hidden = !member || !playlist.may("leave"); // who is invited and not in it declines
    join.hidden = member || (you !== null && !you.may.includes("join"));
    decline.hidden = member || !you?.invited;
    text(join, entering ? "Joining…" : "Join");
    set(join, "aria-disabled", entering ? "true" : null);
    set(join, "data-pending", entering);
    settings.draw();
    drawBanner(member);
    const may = playlist.may("add");
    add.element.hidden = !member;
    add.allow(may, may ? "It comes at the end. Drag it where it belongs." : "Only the invited edit this playlist.");
    tracks.draw();
    roster.draw();
    keepFocus(focused);
  }

  /** What had the focus may be hidden now, as Join is after it was pressed. @param {Element | null} focused */
  function keepFocus(focused) {
    if (!focused || !element.contains(focused) || !focused.closest("[hidden]")) return;
    const next = whole.hidden ? element.closest("main") : title;
    if (next instanceof HTMLElement) next.focus({ preventScroll: true });
  }

  /** @param {boolean} member */
  function drawBanner(member) {
    const { state, you } = playlist;
    const creator = names.of(state?.creator ?? "") || "The creator";
    let message = "";
    if (out) message = out;
    else if (!client.user) message = "You look at this playlist as a guest. Sign in to join it.";
    else if (!member && you?.invited) message = `${creator} invites you. Join, and edit it together.`;
    else if (!member && !you?.may.includes("join")) message = `You were taken out. ${creator} can let you in again, with an invitation.`;
    else if (!member) message = state?.options.onlyInvitedEdit ? "This is how it looks now. You may join; only the invited edit it." : "This is how it looks now. Join to edit it with the others.";
    else if (you?.cannotEdit === "not_invited") message = `You see every change as it happens. Only the invited edit this playlist: ask ${names.of(state?.creator ?? "") || "the creator"} for an invitation.`;
    banner.hidden = !message;
    if (banner.textContent !== message) banner.replaceChildren(h("p", {}, message));
  }

  const ends = [
    playlist.on("change", draw),
    playlist.on("status", (status) => {
      draw();
      if (status === "live") readChat();
    }),
    names.on(draw),
    client.on("user", () => { out = ""; draw(); }),
    playlist.on("events", ({ events }) => {
      for (const { type, body } of events) {
        if (!body?.user || body.user !== client.user?.id) continue;
        if (type === "member.joined") out = "";
        else if (type === "member.left" && body.reason !== "left") out = "You were taken out of the playlist.";
      }
    }),
    playlist.on("sealed", (events) => {
      for (const { type, body } of events) {
        if (type === "tracks.refused") toast(`${count(body.tracks.length, "track was", "tracks were")} not taken: ${body.tracks[0]?.reason ?? ""}`, { bad: true });
        else if (type === "invitation.sent") toast("You are invited to edit this playlist.");
        else if (type === "export.failed" && body.part) toast("Not all tracks could be taken into the room.", { bad: true });
      }
    }),
    app.on("playlists", () => { if (app.playlists?.docs.has(id)) playlist.again(); }),
  ];
  drawNow();
  return {
    element,
    again: () => gone.look(),
    leave: () => {
      gone.end();
      for (const end of ends) end();
      narrow.removeEventListener("change", arrange);
      chat.leave();
      tracks.end();
      roster.end();
      add.end();
      settings.end();
      client.release(playlist);
    },
  };
}
