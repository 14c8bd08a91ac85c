import { Client } from "../tutti.js";
import { Emitter } from "../tutti/emitter.js";
import { signIn } from "./auth.js";
import { h, icon, set, text } from "./dom.js";
import { avatar, copy, personHref } from "./face.js";
import { Invitations } from "./invitations.js";
import { Names } from "./names.js";
import { Player } from "./player.js";
import { find, lost } from "./routes.js";
import { themeButton } from "./theme.js";
import { Voice } from "./voice.js";

/** @typedef {import("../tutti/types.js").PlaylistPerson} PlaylistPerson */
/** @typedef {import("../tutti/types.js").RoomInvite} RoomInvite */
/**
 * @typedef {{element: HTMLElement, leave: () => void, again?: () => void}} View again is called when
 *   somebody follows a link to the view that is shown
 */

/** What a connection's state is called to people. */
const linkStates = { idle: "Not connected", connecting: "Connecting…", live: "Connected", waiting: "Reconnecting…", closed: "Disconnected" };

/**
 * The page around the views: who is signed in, how the connection is, which view the address
 * names.
 *
 * Events: invitations (to rooms), playlists (one's own, and invitations to others').
 *
 * @extends {Emitter<{invitations: null, playlists: null}>}
 */
export class App extends Emitter {
  client = new Client();
  names = new Names(this.client);
  player = new Player(/** @type {HTMLAudioElement} */ (document.getElementById("audio")), this.client.clock);
  voice = new Voice();
  /** @type {import("../tutti/room.js").Room | null} the room that is looked at */
  room = null;
  /** @type {import("../tutti/playlist.js").Playlist | null} the playlist that is looked at */
  playlist = null;
  /** @type {View | null} */
  #view = null;
  #main = /** @type {HTMLElement} */ (document.getElementById("main"));
  #link = h("button", { type: "button", class: "link-state", "data-test": "connection", onclick: () => this.client.hurry() }, h("span"));
  #who = h("div", { class: "menu-holder" });
  #closeMenu = () => {};
  /** The address of the picture of who is signed in, as it is shown. */
  #picture = "";
  /** The address that is shown. */
  #at = "";
  /** @type {Invitations<RoomInvite>} */
  #rooms = new Invitations(this.client, {
    follow: () => this.client.invitations(),
    news: () => true,
    message: (invite) => `You are invited to ${invite.name}.`,
    href: (invite) => `#/room/${invite.room}`,
  }, () => this.emit("invitations", null));
  /** @type {Invitations<PlaylistPerson>} */
  #playlists = new Invitations(this.client, {
    follow: () => this.client.myPlaylists(),
    news: (person) => person.invited && !person.inside,
    message: (person) => `You are invited to the playlist ${person.name}.`,
    href: (person) => `#/playlist/${person.playlist}`,
  }, () => this.emit("playlists", null));

  /** The invitations to rooms of who is signed in, and their private rooms; null for a guest. */
  get invitations() {
    return this.#rooms.list;
  }

  /** The playlists that who is signed in is in or invited to; null for a guest. */
  get playlists() {
    return this.#playlists.list;
  }

  start() {
    /** @type {HTMLElement} */ (document.getElementById("bar-end")).append(this.#link, themeButton(), this.#who);
    this.client.on("status", () => this.#showLink());
    this.client.on("user", () => { this.#showUser(); this.#rooms.restart(); this.#playlists.restart(); });
    this.client.on("renamed", () => this.#showUser());
    this.names.on(() => { if (this.client.user && this.names.picture(this.client.user.id) !== this.#picture) this.#showUser(); });
    this.#showLink();
    this.#showUser();
    this.#rooms.restart();
    this.#playlists.restart();
    this.client.connect();
    document.addEventListener("pointerdown", ({ target }) => {
      if (!this.#who.contains(/** @type {Node} */ (target))) this.#closeMenu();
    });
    addEventListener("hashchange", () => this.#go());
    document.addEventListener("click", ({ target }) => {
      const link = target instanceof Element ? target.closest("a") : null;
      if (link && location.hash && link.getAttribute("href") === location.hash) this.#view?.again?.(); // no hashchange tells it
    });
    document.querySelector(".skip-link")?.addEventListener("click", (event) => {
      event.preventDefault(); // its address names a place in the page, not a view
      this.#main.focus();
      this.#main.scrollIntoView();
    });
    this.#go();
  }

  #go() {
    let hash = location.hash || "#/";
    const dialog = hash === "#/sign-in" || hash === "#/register";
    if (dialog || !hash.startsWith("#/")) {
      // A dialog, or a place in the page: the view that is shown stays.
      const register = hash === "#/register";
      hash = this.#at || "#/";
      history.replaceState(null, "", hash);
      if (dialog) signIn(this.client, { register });
    }
    const { route, id } = find(hash) ?? { route: lost, id: "" };
    const at = route === lost ? hash : `#/${route.name}${id && `/${id}`}`;
    if (this.#view && at === this.#at) return;
    const first = this.#view === null;
    this.#view?.leave();
    this.room = null;
    this.playlist = null;
    this.#at = at;
    document.title = "Tutti";
    this.#view = route.view(this, id);
    document.documentElement.dataset.view = route.name || "lobby";
    for (const link of document.querySelectorAll("[data-place]")) {
      set(link, "aria-current", /** @type {HTMLElement} */ (link).dataset.place === route.place ? "page" : null);
    }
    this.#main.replaceChildren(this.#view.element);
    if (!first) {
      scrollTo(0, 0);
      this.#main.focus({ preventScroll: true });
    }
  }

  #showLink() {
    const { state } = this.client.status;
    document.documentElement.dataset.connection = state;
    this.#link.dataset.state = state;
    const label = /** @type {Element} */ (this.#link.firstElementChild);
    text(label, linkStates[state]);
    this.#link.title = state === "live" ? "Connected" : "Try to connect now";
  }

  #showUser() {
    const { user } = this.client;
    document.documentElement.dataset.user = user?.id ?? "";
    if (!user) {
      this.#who.replaceChildren(h("button", { type: "button", class: "button slim", "data-test": "sign-in", onclick: () => signIn(this.client) }, "Sign in"));
      return;
    }
    const menu = h("div", { class: "menu", hidden: true, "data-test": "user-menu" },
      h("header", {}, h("strong", { class: "clip" }, user.nickname), h("span", { class: "hint clip" }, user.email)),
      h("a", { class: "button plain", href: personHref(user.id), "data-test": "my-page", onclick: () => toggle(false) }, icon("people"), "Your page"),
      h("button", { type: "button", class: "button plain", onclick: () => { toggle(false); copy(user.id, "Your id is copied: give it to who wants to invite you."); } }, icon("link"), "Copy my id for invitations"),
      h("button", { type: "button", class: "button plain", "data-test": "sign-out", onclick: () => { toggle(false); this.client.logout(); } }, icon("door"), "Sign out"));
    this.#picture = this.names.picture(user.id);
    const face = avatar(user.id, user.nickname, this.#picture);
    const button = h("button", {
      type: "button", class: "button plain round", "aria-expanded": "false", "aria-label": `Account of ${user.nickname}`, "data-test": "account",
      onclick: () => toggle(menu.hidden),
    }, face);
    /** @param {boolean} open */
    const toggle = (open) => {
      menu.hidden = !open;
      button.setAttribute("aria-expanded", String(open));
    };
    this.#who.replaceChildren(button, menu);
    menu.addEventListener("focusout", ({ relatedTarget }) => {
      if (relatedTarget !== button && !menu.contains(/** @type {Node | null} */ (relatedTarget))) toggle(false);
    });
    this.#who.onkeydown = (event) => {
      if (event.key !== "Escape" || menu.hidden) return;
      toggle(false);
      button.focus();
    };
    this.#closeMenu = () => toggle(false);
  }
}
