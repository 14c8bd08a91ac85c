import { h } from "./dom.js";
import { hue } from "./format.js";
import { toast } from "./toast.js";

/**
 * @param {string} id
 * @param {string} name
 * @param {string} [picture] its address; without one, or while it cannot be shown, a coloured letter
 * @returns {HTMLElement}
 */
export function avatar(id, name, picture = "") {
  const out = h("span", { class: "avatar", "aria-hidden": "true" }, [...name][0] ?? "·");
  out.style.setProperty("--hue", String(hue(id)));
  if (picture) {
    const img = h("img", { src: picture, alt: "", loading: "lazy", referrerpolicy: "no-referrer", onerror: () => img.remove() });
    out.append(img);
  }
  return out;
}

/**
 * Where a person's page is.
 *
 * @param {string} id a user id
 * @returns {string} an address in this page
 */
export function personHref(id) {
  return `#/user/${id}`;
}

/**
 * @param {string} id a user id
 * @param {string} name
 * @returns {HTMLAnchorElement} the name, that leads to the person's page
 */
export function personLink(id, name) {
  return h("a", { class: "person-name", href: personHref(id), dir: "auto" }, name);
}

/**
 * Copies a text, or shows it where the browser does not let a page copy.
 *
 * @param {string} what
 * @param {string} done
 */
export async function copy(what, done) {
  try {
    await navigator.clipboard.writeText(what);
    toast(done);
  } catch {
    toast(what);
  }
}
