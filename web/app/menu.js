import { h, icon, set } from "./dom.js";

/**
 * @typedef {object} Item
 * @property {string} label
 * @property {string} test
 * @property {Parameters<typeof icon>[0]} picture
 * @property {() => void} run
 * @property {() => boolean} shown
 * @property {boolean} [danger]
 */

/**
 * A button that opens a short list of things to do.
 *
 * @param {string} label
 * @param {string} test
 * @param {Item[]} items
 */
export function menu(label, test, items) {
  const buttons = items.map((item) => h("button", {
    type: "button", class: item.danger ? "button plain danger" : "button plain", "data-test": item.test,
    onclick: () => { toggle(false); button.focus(); item.run(); },
  }, icon(item.picture), item.label));
  const list = h("div", { class: "menu", hidden: true }, ...buttons);
  const button = h("button", {
    type: "button", class: "button slim round-slim", "aria-expanded": "false", "aria-label": label, title: label, "data-test": test, onclick: () => toggle(list.hidden),
  }, icon("more"));
  const element = h("div", { class: "menu-holder" }, button, list);
  /** @param {boolean} open */
  function toggle(open) {
    list.hidden = !open;
    set(button, "aria-expanded", String(open));
  }
  element.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget && !element.contains(/** @type {Node} */ (relatedTarget))) toggle(false);
  });
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || list.hidden) return;
    toggle(false);
    button.focus();
  });
  /** @param {PointerEvent} event */
  const outside = ({ target }) => { if (!element.contains(/** @type {Node} */ (target))) toggle(false); };
  document.addEventListener("pointerdown", outside);
  return {
    element,
    draw() {
      items.forEach((item, i) => { /** @type {HTMLElement} */ (buttons[i]).hidden = !item.shown(); });
      element.hidden = buttons.every((one) => one.hidden);
    },
    end: () => document.removeEventListener("pointerdown", outside),
  };
}
