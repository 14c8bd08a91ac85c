import { signIn } from "./auth.js";
import { h, icon, set } from "./dom.js";
import { followBook } from "./people-book.js";
import { complain } from "./toast.js";

/**
 * The button that follows somebody, or no more. To be drawn again when the book changes.
 *
 * @param {import("./app.js").App} app
 * @param {string} id
 * @param {(follows: boolean) => void} [changed]
 * @returns {{element: HTMLButtonElement, draw: () => void}}
 */
export function followButton(app, id, changed) {
  const book = followBook(app.client);
  const element = h("button", {
    type: "button", class: "button slim", "data-test": "follow",
    onclick: async () => {
      if (!app.client.user) return signIn(app.client, { register: true, reason: "Whom you follow belongs to your account: who are you?" });
      if (book.waits(id)) return;
      const next = !book.has(id);
      try {
        if (await book.change(id, next)) changed?.(next);
      } catch (err) {
        complain(err);
      }
    },
  });
  return {
    element,
    draw() {
      const follows = app.client.user ? book.has(id) : false;
      element.hidden = app.client.user?.id === id || follows === null;
      const state = `${follows} ${app.names.of(id)}`;
      set(element, "data-pending", book.waits(id));
      set(element, "aria-pressed", String(Boolean(follows)));
      element.classList.toggle("primary", !follows);
      if (element.dataset.state === state) return;
      element.dataset.state = state;
      set(element, "aria-label", `${follows ? "Following" : "Follow"} ${app.names.of(id)}`.trim());
      element.replaceChildren(icon(follows ? "check" : "plus"), follows ? "Following" : "Follow");
    },
  };
}
