import { h, icon } from "./dom.js";
import { explain } from "./format.js";

/** The most messages at once; the oldest goes. */
const MOST = 3;
/** How long a message stays; what was refused takes longer to read. */
const SHOWN_MS = 4_000;
const BAD_SHOWN_MS = 8_000;

/**
 * Tells something in passing. What was refused is told at once to who listens, the rest when
 * there is a pause.
 *
 * @param {string} message
 * @param {{bad?: boolean, action?: {label: string, run: () => void}}} [options]
 */
export function toast(message, { bad = false, action } = {}) {
  const holder = /** @type {HTMLElement} */ (document.getElementById("toasts"));
  for (const one of [...holder.children]) if (one.textContent?.startsWith(message)) one.remove();
  while (holder.children.length >= MOST) holder.firstElementChild?.remove();
  const close = () => element.remove();
  const element = h("div", { class: bad ? "toast bad" : "toast", role: bad ? "alert" : "status", "data-test": "toast" },
    h("p", {}, message),
    action && h("button", { type: "button", onclick: () => { close(); action.run(); } }, action.label),
    h("button", { type: "button", "aria-label": "Dismiss", onclick: close }, icon("close")));
  holder.append(element);
  const shown = bad || action ? BAD_SHOWN_MS : SHOWN_MS;
  let timer = setTimeout(close, shown);
  element.addEventListener("mouseenter", () => clearTimeout(timer));
  element.addEventListener("focusin", () => clearTimeout(timer));
  element.addEventListener("mouseleave", () => { timer = setTimeout(close, shown); });
}

/**
 * Tells why something was refused.
 *
 * @param {unknown} err
 */
export function complain(err) {
  const code = /** @type {{code?: string}} */ (err ?? {}).code;
  toast(explain(err), { bad: true, action: code === "unauthenticated" ? { label: "Sign in", run: () => { location.hash = "#/sign-in"; } } : undefined });
}
