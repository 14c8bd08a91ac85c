import { h, rest } from "./dom.js";

/**
 * What an address shows that leads nowhere.
 *
 * @returns {import("./app.js").View}
 */
export function lostView() {
  document.title = "Broken link · Tutti";
  return {
    element: h("div", { class: "empty tall", "data-test": "lost" }, rest(),
      h("h2", {}, "This link is broken"),
      h("p", {}, "It leads to nothing here. It may have been cut when it was copied: ask whoever sent it for a whole one."),
      h("div", { class: "dialog-foot" }, h("a", { class: "button primary", href: "#/", "data-test": "lost-home" }, "To the rooms"))),
    leave: () => {},
  };
}
