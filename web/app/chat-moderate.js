import { h } from "./dom.js";
import { ask } from "./dialog.js";
import { avatar } from "./face.js";
import { pause } from "./chat-text.js";

/** The pauses that are offered, in seconds. */
const pauses = [0, 5, 10, 30, 60, 300, 900, 3_600, 21_600];

/**
 * The settings of a chat, for who may moderate it: slow mode, and who is muted.
 *
 * @param {import("./app.js").App} app
 * @param {import("../tutti/chat.js").Chat} chat
 */
export function moderate(app, chat) {
  if (document.querySelector("dialog[data-test=chat-settings]")) return;
  const now = chat.state?.slowMode ?? 0;
  const choices = pauses.includes(now) ? pauses : [...pauses, now].sort((a, b) => a - b);
  const slow = h("select", { class: "input", name: "seconds", "data-test": "chat-slow-mode" },
    ...choices.map((n) => h("option", { value: n, selected: n === now }, n === 0 ? "Off" : pause(n))));
  const lists = h("div", { class: "chat-lists" });

  const buttons = () => [...lists.querySelectorAll("button")];

  function drawLists() {
    const { you } = chat;
    const held = buttons().findIndex((button) => button === document.activeElement);
    lists.replaceChildren(
      list("Muted", "They read, and cannot write.", you?.mutedUsers ?? [], "unmute", "Let them write"),
      list("Seen by themselves alone", "They write, and nobody but them sees it. They are not told.", you?.shadowedUsers ?? [], "unshadow", "Show to all"));
    // Who was in the list is not any more: the next takes the focus.
    if (held >= 0) (buttons()[Math.min(held, buttons().length - 1)] ?? slow).focus();
  }

  /**
   * @param {string} title
   * @param {string} lead
   * @param {string[]} users
   * @param {string} verb
   * @param {string} label
   */
  function list(title, lead, users, verb, label) {
    return h("div", { class: "field", "data-test": `chat-list-${verb}` }, h("span", {}, title), h("small", { class: "hint" }, users.length ? lead : "Nobody."),
      h("ul", {}, ...users.map((user) => {
        const name = app.names.of(user);
        return h("li", { class: "person-line", "data-user": user }, avatar(user, name || "·", app.names.picture(user)), h("span", { class: "clip", dir: "auto" }, name || "…"),
          h("button", {
            type: "button", class: "button slim", "data-test": `chat-menu-${verb}`,
            onclick: async (/** @type {Event} */ event) => {
              const button = /** @type {HTMLElement} */ (event.currentTarget);
              button.setAttribute("aria-disabled", "true");
              await chat.command(verb, { user }).catch(() => button.removeAttribute("aria-disabled")); // it stays in the list
            },
          }, label));
      })));
  }

  const ends = [chat.on("change", drawLists), app.names.on(drawLists)];
  drawLists();
  ask({
    title: "Chat", lead: "How the chat is kept in order.", test: "chat-settings",
    fields: [
      h("label", { class: "field" }, h("span", {}, "Slow mode"), slow, h("small", { class: "hint" }, "How long everybody waits between two messages. Moderators do not.")),
      lists,
    ],
    submit: "Save",
    run: async () => {
      const seconds = Number(slow.value);
      if (seconds !== (chat.state?.slowMode ?? 0)) await chat.command("setSlowMode", { seconds });
    },
    closed: () => { for (const end of ends) end(); },
  });
}
