import { h, icon } from "./dom.js";
import { Countdown } from "./countdown.js";
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
 * @returns {() => void} takes it away
 */
export function toast(message, { bad = false, action } = {}) {
  const holder = /** @type {HTMLElement} */ (document.getElementById("toasts"));
  for (const one of [...holder.children]) if (one.firstElementChild?.textContent === message) dismiss(one);
  while (holder.firstElementChild && holder.children.length >= MOST) dismiss(holder.firstElementChild);
  /** @type {Element | null} where the focus came from */
  let before = null;
  const close = () => {
    countdown.stop();
    const focused = element.contains(document.activeElement);
    element.remove();
    if (!focused) return;
    const next = before?.isConnected ? before : document.getElementById("main");
    if (next instanceof HTMLElement) next.focus({ preventScroll: true });
  };
  const element = h("div", { class: bad ? "toast bad" : "toast", role: bad ? "alert" : "status", "data-test": "toast" },
    h("p", {}, message),
    action && h("button", { type: "button", onclick: () => { close(); action.run(); } }, action.label),
    h("button", { type: "button", "aria-label": "Dismiss", onclick: close }, icon("close")));
  closers.set(element, close);
  holder.append(element);
  const countdown = new Countdown(bad || action ? BAD_SHOWN_MS : SHOWN_MS, close);
  // Touch has no pointer that leaves: it would hold and never let go. Nor does a message that
  // comes up under a resting mouse wait for it: somebody has to move there.
  element.addEventListener("pointermove", ({ pointerType }) => { if (pointerType === "mouse") countdown.hold("pointer"); });
  element.addEventListener("pointerleave", () => countdown.release("pointer"));
  element.addEventListener("focusin", ({ relatedTarget }) => {
    countdown.hold("focus");
    if (relatedTarget instanceof Element && !element.contains(relatedTarget)) before = relatedTarget;
  });
  element.addEventListener("focusout", ({ relatedTarget }) => {
    if (!(relatedTarget instanceof Node && element.contains(relatedTarget))) countdown.release("focus");
  });
  return close;
}

/** @type {WeakMap<Element, () => void>} */
const closers = new WeakMap();

/** @param {Element} element */
function dismiss(element) {
  closers.get(element)?.();
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
