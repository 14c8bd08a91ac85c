import { placeUnder } from "./playlist-order.js";
import { calm, h } from "./dom.js";

/** How far a pointer goes before it drags, in pixels: less is a click that trembled. */
const TREMBLE = 4;
/** How close to the edge of the window a drag scrolls it, and how fast at most, in pixels a frame. */
const EDGE = 90;
const FASTEST = 18;
/** How long what was let go takes to its place. */
const HOME_MS = 180;

/**
 * @typedef {object} Dragged
 * @property {HTMLElement} list whose children are the rows
 * @property {(row: HTMLElement) => HTMLElement} picture what is seen in the hand
 * @property {(row: HTMLElement) => boolean} take false if it cannot be taken
 * @property {(index: number) => void} carry where it would stand among all rows
 * @property {() => void} drop
 * @property {() => void} cancel
 */

/**
 * Lets rows be dragged by a handle, with a mouse, a pen or a finger. A picture of the row goes
 * with the pointer; the row itself shows where it would stand. The list may change meanwhile.
 *
 * @param {Dragged} what
 */
export function dragging({ list, picture, take, carry, drop, cancel }) {
  /** @type {{row: HTMLElement, ghost: HTMLElement, pointer: number, dx: number, dy: number, x: number, y: number, frame: number, stop: AbortController} | null} */
  let drag = null;
  /** @type {AbortController | null} a press that may become a drag */
  let pressed = null;

  /**
   * To be called when a handle is pressed.
   *
   * @param {HTMLElement} row
   * @param {PointerEvent} press
   */
  function press(row, press) {
    if (drag || pressed || press.button !== 0 || !press.isPrimary) return;
    const stop = new AbortController();
    pressed = stop;
    const { signal } = stop;
    // On the document: what is pressed may leave the page while the list is drawn anew.
    document.addEventListener("pointermove", (event) => {
      if (event.pointerId !== press.pointerId) return;
      if (drag) {
        event.preventDefault();
        drag.x = event.clientX;
        drag.y = event.clientY;
      } else if (Math.hypot(event.clientX - press.clientX, event.clientY - press.clientY) >= TREMBLE) begin(row, press, event, stop);
    }, { signal });
    document.addEventListener("pointerup", (event) => { if (event.pointerId === press.pointerId) end(true); }, { signal });
    document.addEventListener("pointercancel", (event) => { if (event.pointerId === press.pointerId) end(false); }, { signal });
    document.addEventListener("keydown", (event) => {
      if (!drag || event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      end(false);
    }, { signal, capture: true });
    addEventListener("blur", () => end(false), { signal });
    // A press that is held long opens a menu on a touch screen, and would end the drag.
    document.addEventListener("contextmenu", (event) => event.preventDefault(), { signal });
  }

  /**
   * @param {HTMLElement} row
   * @param {PointerEvent} press
   * @param {PointerEvent} now
   * @param {AbortController} stop
   */
  function begin(row, press, now, stop) {
    if (!row.isConnected || !take(row)) {
      end(false);
      return;
    }
    const box = row.getBoundingClientRect();
    const ghost = h("div", { class: "drag-ghost", "aria-hidden": "true", "data-test": "drag-ghost" }, picture(row));
    ghost.style.setProperty("--width", `${box.width}px`);
    document.body.append(ghost);
    document.documentElement.classList.add("dragging");
    drag = { row, ghost, pointer: press.pointerId, dx: press.clientX - box.left, dy: press.clientY - box.top, x: now.clientX, y: now.clientY, frame: 0, stop };
    step();
  }

  /** Once a frame: the picture follows the pointer, the window scrolls, the row finds its place. */
  function step() {
    if (!drag) return;
    const { ghost, row, dx, dy, x, y } = drag;
    ghost.style.setProperty("--x", `${x - dx}px`);
    ghost.style.setProperty("--y", `${y - dy}px`);
    const beyond = y < EDGE ? y - EDGE : Math.max(0, y - innerHeight + EDGE);
    if (beyond) scrollBy(0, Math.sign(beyond) * Math.min(FASTEST, Math.ceil(Math.abs(beyond) / 5)));
    const gap = parseFloat(getComputedStyle(list).rowGap) || 0;
    const others = [...list.children].filter((other) => other !== row);
    carry(placeUnder(y - dy - list.getBoundingClientRect().top, others.map((other) => /** @type {HTMLElement} */ (other).offsetHeight + gap)));
    if (drag) drag.frame = requestAnimationFrame(step);
  }

  /** @param {boolean} keep */
  function end(keep) {
    pressed?.abort();
    pressed = null;
    if (!drag) return;
    const { ghost, row, frame } = drag;
    if (keep) step();
    cancelAnimationFrame(drag?.frame ?? frame);
    drag = null;
    document.documentElement.classList.remove("dragging");
    if (keep) drop();
    else cancel();
    goHome(ghost, row);
  }

  return {
    press,
    /** Lets go without asking anybody: what was held is there no more, or the view is left. */
    end() {
      if (drag || pressed) end(false);
    },
  };
}

/**
 * What was in the hand goes to where it belongs.
 *
 * @param {HTMLElement} ghost
 * @param {HTMLElement} row
 */
function goHome(ghost, row) {
  if (calm.matches || !row.isConnected) {
    ghost.remove();
    return;
  }
  const from = ghost.getBoundingClientRect();
  const list = /** @type {HTMLElement} */ (row.parentElement);
  const top = list.getBoundingClientRect().top + row.offsetTop - list.offsetTop;
  const left = row.getBoundingClientRect().left;
  ghost.animate([{ translate: "0 0" }, { translate: `${left - from.left}px ${top - from.top}px` }], { duration: HOME_MS, easing: "ease-out" })
    .finished.then(() => ghost.remove(), () => ghost.remove());
}
