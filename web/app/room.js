import { signIn } from "./auth.js";
import { chatPanel } from "./chat.js";
import { ask } from "./dialog.js";
import { h, icon, rest, set, text } from "./dom.js";
import { copy, personLink } from "./face.js";
import { isolate, sentence, tracksNotTaken } from "./format.js";
import { nowPlaying } from "./now.js";
import { people } from "./people.js";
import { askPoll, pollBox } from "./poll.js";
import { queueList } from "./queue.js";
import { playHistory, tellExport } from "./room-history.js";
import { readyBox } from "./room-ready.js";
import { suggestBox } from "./suggest.js";
import { elsewhere, mayLeave, remember, remembered } from "./place.js";
import { complain, toast } from "./toast.js";

/** @typedef {import("./app.js").App} App */
/**
 * What the parts of a room share.
 * @typedef {object} Stage
 * @property {App} app
 * @property {import("../tutti/room.js").Room} room
 * @property {(verb: string, body?: object) => Promise<boolean>} act sends a command; tells why it was refused
 * @property {() => void} draw draws everything anew
 */

/**
 * One room.
 *
 * @param {App} app
 * @param {string} id
 * @returns {import("./app.js").View}
 */
export function roomView(app, id) {
  const { client, names, player } = app;
  const room = client.room(id);
  app.room = room;

  /** @type {Stage["act"]} */
  const act = async (verb, body) => {
    if (!client.user) {
      signIn(client, { reason: "Sign in to take part." });
      return false;
    }
    try {
      await room.command(verb, body);
      return true;
    } catch (err) {
      if (/** @type {any} */ (err).code !== "already") complain(err);
      return false;
    }
  };
  /** @type {Stage} */
  const stage = { app, room, act, draw };

  const title = h("h1", { class: "room-name", dir: "auto", tabindex: "-1", "data-test": "room-name" });
  const badges = h("div", { class: "badges" });
  const host = h("span", { class: "quiet small host" });
  const join = h("button", { type: "button", class: "button primary", "data-test": "join", onclick: enter }, "Join");
  const leave = h("button", { type: "button", class: "button slim", "data-test": "leave", onclick: goAway }, icon("door"), "Leave");
  const share = h("button", { type: "button", class: "button slim", "data-test": "share", onclick: () => copy(location.href, "The room's address is copied.") }, icon("link"), "Share");
  const poll = h("button", { type: "button", class: "button slim", hidden: true, "data-test": "poll-open", onclick: () => askPoll(room) }, icon("poll"), "Poll");
  const ready = h("button", { type: "button", class: "button slim", hidden: true, "data-test": "ready-open", onclick: () => { if (!ready.hasAttribute("aria-disabled")) act("readyCheck", {}); } }, icon("check"), "Ready?");
  const banner = h("div", { class: "banner", role: "status", hidden: true, "data-test": "banner" });
  const now = nowPlaying(stage);
  const queue = queueList(stage);
  const suggest = suggestBox(stage);
  const roster = people(stage);
  const polled = pollBox(stage);
  const checked = readyBox(stage);
  const history = playHistory(stage);
  const chat = chatPanel(app, id, { what: "room", join: enter });

  const body = h("div", { class: "room-grid" },
    h("div", { class: "room-main" }, now.element, checked.element, polled.element, queue.element, history.element),
    h("div", { class: "room-side" }, suggest.element, roster.element), chat.element);
  // Where there is no column for it, what is suggested comes before what waits, in the page as
  // well, for who walks through it by keyboard.
  const narrow = matchMedia("(max-width: 1359px)");
  const arrange = () => (narrow.matches ? queue.element.before(suggest.element) : roster.element.before(suggest.element));
  arrange();
  narrow.addEventListener("change", arrange);
  const whole = h("div", { hidden: true },
    h("div", { class: "room-head" },
      h("div", { class: "room-title" }, title, h("div", { class: "badges" }, badges, host)),
      h("div", { class: "room-actions" }, poll, ready, share, leave, join)),
    banner, body);
  const loading = h("div", { class: "room-loading", "aria-busy": "true", "data-test": "room-loading" }, h("div", { class: "skeleton" }), h("div", { class: "skeleton" }));
  const gone = h("div", { class: "empty tall", hidden: true, "data-test": "gone" });
  const element = h("div", { class: "room", "data-test": "room" }, loading, gone, whole);

  /** Take away what was said of a question that is answered by now. */
  let askedPoll = () => {};
  let askedReady = () => {};
  let banned = false;
  let entering = false;
  /** Joins; who is no more than a guest signs in before. */
  async function enter() {
    if (!client.user) {
      signIn(client, { reason: "Sign in to join the room.", then: enter });
      return;
    }
    if (entering || app.room !== room) return;
    entering = true;
    draw();
    const other = await elsewhere(client, id);
    if (await mayLeave(other, "Close it and join here") && await act("join") && other && !other.own) {
      toast(`You left ${other.name} for this room.`);
    }
    entering = false;
    draw();
  }

  async function goAway() {
    if (room.state?.creator === client.user?.id && room.state?.phase === "open") {
      ask({
        title: "Close the room?", lead: "It is yours: when you leave, it closes for everybody.", test: "confirm-leave",
        fields: [], submit: "Leave and close it", danger: true,
        run: async () => { await room.command("leave"); away(); },
      });
    } else if (await act("leave")) away();
  }

  function away() {
    remember(client, null);
    location.hash = "#/";
  }

  /** Several changes of one moment are drawn once. */
  let due = false;
  function draw() {
    if (due) return;
    due = true;
    queueMicrotask(() => { due = false; if (app.room === room) drawNow(); });
  }

  function drawNow() {
    const { state, you } = room;
    const isGone = room.status === "gone";
    gone.hidden = !isGone;
    loading.hidden = isGone || Boolean(state);
    whole.hidden = isGone || !state;
    element.dataset.status = room.status;
    if (isGone) return drawGone();
    if (!state) {
      player.play(null, false);
      return;
    }
    const member = you?.member ?? false;
    const closed = state.phase === "closed";
    document.title = state.current && state.playback.playing ? `${state.current.title} · ${state.name}` : `${state.name} · Tutti`;
    text(title, state.name);
    badges.replaceChildren(...[
      !state.options.open && badge("Private", "lock"),
      state.options.mode === "direct" && badge("One device sounds", "volume"),
      state.options.minimumScore > 1 && badge(`${state.options.minimumScore} votes to play`, "up"),
      state.options.onlyInvitedVote && badge("The invited vote", "people"),
    ].filter((b) => b !== false));
    const by = names.of(state.creator);
    const called = by && (state.creator === client.user?.id ? "you" : by);
    if (host.dataset.by !== called) host.replaceChildren(...(called ? ["by ", personLink(state.creator, called)] : []));
    host.dataset.by = called;
    element.dataset.member = String(member);
    if (member && !closed) remember(client, state);
    else if (you && remembered(client) === id) remember(client, null);
    leave.hidden = !member || closed;
    text(join, entering ? "Joining…" : "Join");
    set(join, "aria-disabled", entering ? "true" : null);
    set(join, "data-pending", entering);
    const joining = document.activeElement === join;
    join.hidden = member || closed || (you !== null && !you.may.includes("join"));
    if (joining && join.hidden) title.focus({ preventScroll: true });
    set(element, "data-phase", state.phase);
    drawBanner(closed, member);
    body.classList.toggle("closed", closed);
    set(queue.element, "data-closed", closed);
    poll.hidden = closed || !room.may("poll");
    ready.hidden = closed || !room.may("readyCheck");
    const checking = state.readyCheck?.endedAt === 0;
    set(ready, "aria-disabled", checking ? "true" : null);
    set(ready, "title", checking ? "It is being asked right now" : null);
    if (!checking) askedReady();
    if (!state.poll || state.poll.closedAt > 0) askedPoll();
    for (const part of [now, queue, suggest, roster, polled, checked, history]) part.draw();
  }

  /**
   * @param {boolean} closed
   * @param {boolean} member
   */
  function drawBanner(closed, member) {
    const { state, you } = room;
    let message = "";
    let ask;
    if (closed) ask = h("a", { class: "button slim", href: "#/", "data-test": "to-lobby" }, "To the lobby");
    if (closed) message = state?.closedReason === "creator_left" ? "This room is closed: its creator has left." : "This room is closed.";
    else if (you?.banned) message = "You are banned from this room.";
    else if (you?.cannotVote === "outside_time") message = state?.constraints?.window === "before" ? `Votes are taken from ${clockTime(state.constraints.start)}.` : "The time for votes is over.";
    else if (you?.cannotVote === "outside_place") {
      message = you.fit === "outside" ? "You are too far away to vote here." : "To vote here you need to be where the room is.";
      ask = h("button", { type: "button", class: "button slim", "data-test": "locate", onclick: locate }, "Use my position");
    } else if (you?.cannotVote === "not_invited") message = "You are welcome to listen. In this room the invited vote.";
    else if (!client.user) {
      message = "You are looking in. Join to vote, suggest and listen along; you will be asked to sign in.";
    } else if (!member && you) message = "You are looking in. Join to vote, suggest and listen along.";
    banner.hidden = !message;
    if (banner.dataset.message === message) return;
    banner.dataset.message = message;
    banner.replaceChildren(h("p", {}, message), ask ?? "");
  }

  function drawGone() {
    app.voice.want(null);
    player.play(null, false);
    const signedOut = !client.user;
    // A private room is gone for who was taken out: the document that was held names them a member.
    const takenOut = !signedOut && (room.you?.member ?? false) && room.reason?.code === "not_found";
    if (remembered(client) === id) remember(client, null);
    gone.replaceChildren(rest(),
      h("h2", {}, takenOut ? (banned ? "You were banned from this room" : "You were taken out of this room") : room.reason?.code === "not_found" ? "No such room, or a private one" : "This room cannot be shown"),
      h("p", {}, takenOut ? `${room.state?.name ?? "The room"} is private: you cannot see it any more.` : room.reason?.code === "not_found"
        ? "Ask whoever sent you here for an invitation." + (signedOut ? " If you have one, sign in." : "")
        : sentence(room.reason?.message ?? "It is not there any more")),
      h("div", { class: "dialog-foot" },
        signedOut && h("button", { type: "button", class: "button", onclick: () => signIn(client) }, "Sign in"),
        h("a", { class: "button primary", href: "#/" }, "To the lobby")));
  }

  /** @param {string} track */
  function titleOf(track) {
    const { state } = room;
    return state?.queue[track]?.track.title ?? (state?.current?.id === track ? state.current.title : undefined);
  }

  function locate() {
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => act("position", { lat: coords.latitude, lng: coords.longitude }),
      () => toast("Your position could not be read. Allow it in the browser's settings.", { bad: true }));
  }

  const ends = [
    room.on("change", draw),
    room.on("status", draw),
    names.on(draw),
    client.on("user", draw),
    player.on("state", draw),
    app.voice.on("state", draw),
    room.on("events", ({ events }) => {
      for (const event of events) {
        tellEvent(app, event, titleOf);
        if (event.by === client.user?.id) continue;
        const asks = `${isolate(names.of(event.by) || "Somebody")} asks`;
        if (event.type === "poll.opened") {
          askedPoll();
          askedPoll = unseen(polled.element, `${asks}: ${isolate(event.body.question)}`, () => room.state?.poll?.closedAt === 0);
        } else if (event.type === "ready.asked") {
          askedReady();
          askedReady = unseen(checked.element, `${asks} who is ready.`, () => room.state?.readyCheck?.endedAt === 0);
        }
      }
    }),
    room.on("sealed", (events) => {
      for (const event of events) {
        if (event.type === "user.banned" && event.body?.user === client.user?.id) banned = true;
        tellEvent(app, event, titleOf);
      }
    }),
    app.on("invitations", () => { if (room.status === "gone" && app.invitations && [...app.invitations.docs.values()].some((i) => i.room === id)) room.restart(); }),
  ];
  drawNow();
  return {
    element,
    leave: () => {
      for (const end of ends) end();
      askedPoll();
      askedReady();
      narrow.removeEventListener("change", arrange);
      roster.end();
      now.end();
      suggest.end();
      polled.end();
      checked.end();
      history.end();
      chat.leave();
      app.voice.want(null);
      player.play(null, false);
      client.release(room);
    },
  };
}

/**
 * Tells of what has come into the page where it cannot be seen.
 *
 * @param {HTMLElement} element
 * @param {string} message
 * @param {() => boolean} still whether it is worth telling
 * @returns {() => void} takes it away
 */
function unseen(element, message, still) {
  let close = () => {};
  const frame = requestAnimationFrame(() => {
    const { top, bottom, height } = element.getBoundingClientRect();
    if (!still() || height === 0 || (bottom <= innerHeight && top >= 0)) return;
    close = toast(message, { action: { label: "Look", run: () => element.scrollIntoView({ block: "center" }) } });
  });
  return () => {
    cancelAnimationFrame(frame);
    close();
  };
}

/**
 * Tells of events that somebody would otherwise wonder about.
 *
 * @param {App} app
 * @param {import("../tutti/types.js").RoomEvent} event
 * @param {(track: string) => string | undefined} titleOf
 */
function tellEvent(app, { type, body }, titleOf) {
  const me = app.client.user?.id;
  if (!me || body?.user !== me) return;
  if (type === "member.left" && body.reason === "kicked") toast("You were taken out of the room.", { bad: true });
  else if (type === "member.left" && body.reason === "banned") toast("You were banned from the room.", { bad: true });
  else if (type === "member.left" && body.reason === "moved") toast("You went to another room, so you left this one.");
  else if (type === "control.granted") toast("You can play, pause and seek now.");
  else if (type === "control.revoked") toast("You do not control the music any more.");
  else if (type === "history.exported") tellExport(app, body);
  else if (type === "tracks.refused") toast(tracksNotTaken(body.tracks ?? [], titleOf), { bad: true });
  else if (type === "role.changed") toast(`You are a ${body.role} now.`);
}

/**
 * @param {string} label
 * @param {Parameters<typeof icon>[0]} name
 */
function badge(label, name) {
  return h("span", { class: "badge" }, icon(name), label);
}

/** @param {number | undefined} ms */
function clockTime(ms) {
  return new Date(ms ?? 0).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}
