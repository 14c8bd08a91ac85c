import { h } from "./dom.js";
import { hue } from "./format.js";
import { toast } from "./toast.js";

/**
 * @param {string} id
 * @param {string} name
 * @returns {HTMLElement} a coloured letter
 */
export function avatar(id, name) {
  const out = h("span", { class: "avatar", "aria-hidden": "true" }, [...name][0] ?? "·");
  out.style.setProperty("--hue", String(hue(id)));
  return out;
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
