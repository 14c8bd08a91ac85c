import { bars, h, icon, keyed, rest, set, text } from "./dom.js";
import { count, hue } from "./format.js";
import { openRoom, staff } from "./create.js";
import { signIn } from "./auth.js";

/** @typedef {import("../tutti/types.js").RoomSummary} RoomSummary */
/** @typedef {import("../tutti/types.js").RoomInvite} RoomInvite */
/** @typedef {import("../tutti/types.js").Track} Track */
/** @typedef {import("./app.js").App} App */

/** With this many rooms shown there may be more, so that the server narrows the list. */
const FULL = 100;

/**
 * The lobby: the rooms there are, live.
 *
 * @param {App} app
 * @returns {{element: HTMLElement, leave: () => void}}
 */
export function lobbyView(app) {
  const { client, names } = app;
  const lobby = client.lobby();
  /** @type {Map<string, string>} pictures of known tracks, by title and artist */
  const pictures = new Map();
  let wanted = "";

  const search = h("input", {
    class: "input", type: "search", placeholder: "Find a room", "aria-label": "Find a room by its name", "data-test": "filter",
    oninput: () => { wanted = search.value.trim().toLowerCase(); narrow(); draw(); },
  });
  const open = h("button", {
    type: "button", class: "button primary", "data-test": "open-room",
    onclick: () => (client.user ? openRoom(client) : signIn(client, { register: true, reason: "Rooms belong to somebody: who are you?" })),
  }, icon("plus"), "Open a room");
  const mine = h("ul", { class: "cards", "data-test": "invitations" });
  const mineSection = h("section", { class: "section", "aria-labelledby": "mine", hidden: true },
    h("div", { class: "lobby-head" }, h("h2", { id: "mine" }, "For you")), mine);
  const cards = h("ul", { class: "cards", "data-test": "rooms" });
  const empty = h("div", { class: "empty", hidden: true, "data-test": "lobby-empty" });
  const fan = h("div", { class: "fan", "aria-hidden": "true" });
  const hero = h("section", { class: "hero" },
    h("div", { class: "hero-text" },
      h("h1", {}, "Everybody hears ", h("em", {}, "the same"), " moment."),
      h("p", {}, "Open a room, bring your friends, suggest tracks. The most voted plays next, on every device at once."),
      h("div", {}, h("button", { type: "button", class: "button primary", "data-test": "hero-join", onclick: () => signIn(client, { register: true }) }, "Create an account"))),
    fan);
  const element = h("div", { "data-test": "lobby" }, hero, mineSection,
    h("section", { "aria-labelledby": "rooms" },
      h("div", { class: "lobby-head" },
        h("h2", { id: "rooms" }, "Open rooms"),
        h("div", { class: "search" }, icon("search"), search),
        open),
      cards, empty));

  const drawCards = keyed(cards, (/** @type {RoomSummary} */ room) => room.id, (room) => card(room, pictures, names));
  /** @type {Map<string, RoomSummary>} what is known of the private rooms; live they tell their names alone */
  const known = new Map();
  const drawMine = keyed(mine, (/** @type {RoomInvite} */ room) => room.room, (room) => inviteCard(room, known, app));

  async function readPrivate() {
    if (!app.invitations?.docs.size) return;
    try {
      const { rooms } = await client.http.rooms({ limit: FULL });
      for (const room of rooms) if (room.private) known.set(room.id, room);
      draw();
    } catch {
      // Their names are shown without it.
    }
  }

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let narrowed = "";
  function narrow() {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const prefix = lobby.docs.size >= FULL || narrowed ? wanted : "";
      if (prefix === narrowed) return;
      narrowed = prefix;
      lobby.narrow({ prefix });
    }, 250);
  }

  function draw() {
    hero.hidden = Boolean(client.user);
    const invites = [...(app.invitations?.docs.values() ?? [])].filter((r) => r.nameKey.includes(wanted)).sort((a, b) => a.nameKey.localeCompare(b.nameKey));
    mineSection.hidden = invites.length === 0;
    drawMine(invites);
    const loading = lobby.status === "loading";
    const all = [...lobby.docs.values()].filter((r) => r.phase === "open");
    const shown = all.filter((r) => r.nameKey.includes(wanted))
      .sort((a, b) => b.memberCount - a.memberCount || b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1));
    set(cards, "aria-busy", loading);
    if (loading && cards.childElementCount === 0) cards.replaceChildren(...[1, 2, 3, 4].map(() => h("li", { class: "skeleton" })));
    if (!loading) {
      for (const bone of cards.querySelectorAll(".skeleton")) bone.remove();
      drawCards(shown);
    }
    empty.hidden = loading || shown.length > 0;
    if (!empty.hidden) {
      empty.replaceChildren(rest(),
        h("h3", {}, all.length ? "No room of that name" : "It is quiet here"),
        h("p", {}, all.length ? "Try fewer letters, or open a room of that name yourself." : "No room is open. Open the first one, and the others will see it at once."));
    }
  }

  const ends = [
    lobby.on("change", draw), lobby.on("status", draw), app.on("invitations", () => { draw(); readPrivate(); }), client.on("user", draw), names.on(draw),
  ];
  client.http.tracks("", 200).then((tracks) => {
    const covers = tracks.filter((t) => t.artworkUrl).slice(0, 3);
    fan.replaceChildren(...covers.map(({ artworkUrl }, i) => {
      const cover = h("img", { src: artworkUrl, alt: "" });
      cover.style.setProperty("--turn", `${(i - 1) * 9}deg`);
      cover.style.setProperty("--way", `${(i - 1) * 5.5}rem`);
      return cover;
    }));
    for (const track of tracks) pictures.set(`${track.title}\n${track.artist}`, track.artworkUrl);
    draw();
  }, () => {}); // pictures are a bonus
  draw();
  readPrivate();
  return {
    element,
    leave: () => {
      clearTimeout(timer);
      for (const end of ends) end();
      client.release(lobby);
    },
  };
}

/**
 * @param {RoomSummary} first
 * @param {Map<string, string>} pictures
 * @param {import("./names.js").Names} names
 */
function card(first, pictures, names) {
  const picture = h("img", { alt: "", hidden: true });
  const live = h("span", { class: "badge live" }, bars(true), "Playing");
  const cover = h("div", { class: "cover" }, staff(first.id), picture, live);
  cover.style.setProperty("--hue", String(hue(first.id)));
  const name = h("h3", { class: "clip", "data-test": "card-name" });
  const track = h("p", { class: "quiet small clip", "data-test": "card-track" });
  const host = h("span", { class: "clip" });
  const people = h("span", {});
  const queue = h("span", {});
  const link = h("a", { class: "card", href: `#/room/${first.id}`, "data-test": "room-card", "data-room": first.id }, cover,
    h("div", { class: "card-text" }, name, track, h("div", { class: "card-foot" }, people, queue, host)));
  return {
    element: h("li", {}, link),
    /** @param {RoomSummary} room */
    update(room) {
      const url = pictures.get(`${room.title}\n${room.artist}`);
      picture.hidden = !url;
      if (url) set(picture, "src", url);
      live.hidden = !room.playing;
      text(name, room.name);
      text(track, room.title ? `${room.title} · ${room.artist}` : "Nothing plays yet");
      people.replaceChildren(icon("people"), count(room.memberCount, "person", "people"));
      queue.replaceChildren(icon("list"), `${room.queueLength} queued`);
      const by = names.of(room.creator);
      text(host, by ? `by ${by}` : "");
    },
  };
}

/**
 * @param {RoomInvite} first
 * @param {Map<string, RoomSummary>} known
 * @param {App} app
 */
function inviteCard(first, known, app) {
  const name = h("h3", { class: "clip" });
  const by = h("p", { class: "quiet small clip" });
  const cover = h("div", { class: "cover" }, staff(first.room), h("span", { class: "badge" }, icon("lock"), "Private"));
  cover.style.setProperty("--hue", String(hue(first.room)));
  const link = h("a", { class: "card", href: `#/room/${first.room}`, "data-test": "invitation-card", "data-room": first.room }, cover,
    h("div", { class: "card-text" }, name, by));
  return {
    element: h("li", {}, link),
    /** @param {RoomInvite} room */
    update(room) {
      text(name, room.name);
      const creator = known.get(room.room)?.creator ?? "";
      const host = creator && app.names.of(creator);
      text(by, creator && creator === app.client.user?.id ? "Your room" : host ? `${host} invites you` : "You may come in");
    },
  };
}
