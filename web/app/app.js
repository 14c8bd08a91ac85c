import { Client } from "../tutti.js";
import { Emitter } from "../tutti/emitter.js";
import { signIn } from "./auth.js";
import { h, icon, text } from "./dom.js";
import { avatar, copy } from "./face.js";
import { lobbyView } from "./lobby.js";
import { Names } from "./names.js";
import { Player } from "./player.js";
import { roomView } from "./room.js";
import { themeButton } from "./theme.js";
import { toast } from "./toast.js";
import { Voice } from "./voice.js";

/** @typedef {import("../tutti/live.js").LiveQuery<import("../tutti/types.js").RoomInvite>} Invitations */
/** @typedef {{element: HTMLElement, leave: () => void}} View */

/** What a connection's state is called to people. */
const linkStates = { idle: "Not connected", connecting: "Connecting…", live: "Connected", waiting: "Reconnecting…", closed: "Disconnected" };

/**
 * The page around the views: who is signed in, how the connection is, which view the address
 * names.
 *
 * @extends {Emitter<{invitations: null}>}
 */
export class App extends Emitter {
  client = new Client();
  names = new Names(this.client);
  player = new Player(/** @type {HTMLAudioElement} */ (document.getElementById("audio")), this.client.clock);
  voice = new Voice();
  /** @type {Invitations | null} of who is signed in */
  invitations = null;
  /** @type {import("../tutti/room.js").Room | null} the room that is looked at */
  room = null;
  /** @type {View | null} */
  #view = null;
  #main = /** @type {HTMLElement} */ (document.getElementById("main"));
  #link = h("button", { type: "button", class: "link-state", "data-test": "connection", onclick: () => this.client.hurry() }, h("span"));
  #who = h("div", { class: "menu-holder" });
  #closeMenu = () => {};
  /** @type {Set<string> | null} invitations told of already; null until the first list */
  #told = null;
  /** @type {Map<string, () => void>} takes away what tells of an invitation; as many as there are */
  #toldIn = new Map();

  start() {
    /** @type {HTMLElement} */ (document.getElementById("bar-end")).append(this.#link, themeButton(), this.#who);
    this.client.on("status", () => this.#showLink());
    this.client.on("user", () => { this.#showUser(); this.#followInvitations(); });
    this.#showLink();
    this.#showUser();
    this.#followInvitations();
    this.client.connect();
    document.addEventListener("pointerdown", ({ target }) => {
      if (!this.#who.contains(/** @type {Node} */ (target))) this.#closeMenu();
    });
    addEventListener("hashchange", () => this.#go());
    document.querySelector(".skip-link")?.addEventListener("click", (event) => {
      event.preventDefault(); // its address names a place in the page, not a view
      this.#main.focus();
      this.#main.scrollIntoView();
    });
    this.#go();
  }

  #go() {
    const [, name = "", id = ""] = location.hash.split("/");
    const room = name === "room" && /^room_[0-9A-Z]{26}$/.test(id) ? id : "";
    if (!room && location.hash !== "" && location.hash !== "#/") {
      history.replaceState(null, "", this.room ? `#/room/${this.room.id}` : "#/");
      if (name === "sign-in" || name === "register") signIn(this.client, { register: name === "register" });
      if (this.#view) return; // an address that names no view changes none
    }
    if (this.#view && room === (this.room?.id ?? "")) return;
    const first = this.#view === null;
    this.#view?.leave();
    this.room = null;
    document.title = "Tutti";
    this.#view = room ? roomView(this, room) : lobbyView(this);
    document.documentElement.dataset.view = room ? "room" : "lobby";
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
      h("button", { type: "button", class: "button plain", onclick: () => { toggle(false); copy(user.id, "Your id is copied: give it to who wants to invite you."); } }, icon("link"), "Copy my id for invitations"),
      h("button", { type: "button", class: "button plain", "data-test": "sign-out", onclick: () => { toggle(false); this.client.logout(); } }, icon("door"), "Sign out"));
    const face = avatar(user.id, user.nickname);
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

  #followInvitations() {
    if (this.invitations) this.client.release(this.invitations);
    this.invitations = null;
    this.#told = null;
    for (const close of this.#toldIn.values()) close();
    this.#toldIn.clear();
    if (this.client.user) {
      const followed = this.client.invitations();
      this.invitations = followed;
      followed.on("change", () => {
        if (followed !== this.invitations) return;
        this.#tellInvitations(followed);
        this.emit("invitations", null);
      });
    }
    this.emit("invitations", null);
  }

  /** @param {Invitations} followed */
  #tellInvitations(followed) {
    const before = this.#told;
    this.#told = new Set(followed.docs.keys());
    for (const [id, close] of this.#toldIn) {
      if (followed.docs.has(id)) continue;
      close(); // it was taken back
      this.#toldIn.delete(id);
    }
    if (!before) return;
    for (const [id, invite] of followed.docs) {
      if (before.has(id)) continue;
      // A room of one's own comes here as well, a moment before or after the page goes there.
      setTimeout(() => {
        if (this.room?.id === invite.room || followed !== this.invitations || !followed.docs.has(id)) return;
        this.#toldIn.set(id, this.#invited(invite));
      }, 1_000);
    }
  }

  /** @param {import("../tutti/types.js").RoomInvite} invite */
  #invited(invite) {
    return toast(`You are invited to ${invite.name}.`, { action: { label: "Look", run: () => { location.hash = `#/room/${invite.room}`; } } });
  }
}
