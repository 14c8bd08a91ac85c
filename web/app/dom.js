/** @typedef {Node | string | null | undefined | false} Child */
/** @typedef {Record<string, any>} Attributes */

/**
 * Makes an element. Attributes that begin with "on" are listeners; class, hidden, and the
 * rest are what they are in HTML; true stands for an empty attribute, and what is false, null
 * or undefined is left out.
 *
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else set(element, key, value);
  }
  element.append(...children.filter((c) => c !== null && c !== undefined && c !== false).map((c) => /** @type {Node | string} */ (c)));
  return element;
}

/**
 * Sets or takes away an attribute, and touches nothing if it is so already.
 *
 * @param {Element} element
 * @param {string} name
 * @param {string | number | boolean | null | undefined} value
 */
export function set(element, name, value) {
  if (value === false || value === null || value === undefined) element.removeAttribute(name);
  else if (element.getAttribute(name) !== (value === true ? "" : String(value))) element.setAttribute(name, value === true ? "" : String(value));
}

/**
 * Sets an element's text, and touches nothing if it is so already.
 *
 * @param {Element} element
 * @param {string} text
 */
export function text(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const svg = "http://www.w3.org/2000/svg";

/** The drawings, 24 by 24; those in solid are filled. */
const drawings = {
  play: { solid: "M8 5.5v13l11-6.5z" },
  pause: { solid: "M7 5h3.5v14H7zM13.500 5H17v14h-3.500z" },
  next: { solid: "M5.500 5.500v13l10-6.500zM16.500 5.500H19v13h-2.500z" },
  skip: { line: "M4 6l7 6-7 6zM13 6l7 6-7 6z" },
  up: { line: "M12 19V6M6 12l6-6 6 6" },
  check: { line: "M5 12.500l4.500 4.500L19 7.500" },
  plus: { line: "M12 5v14M5 12h14" },
  close: { line: "M6 6l12 12M18 6L6 18" },
  search: { line: "M10.500 4a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13zM15.500 15.500L20 20" },
  people: { line: "M9 11a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7zM2.500 20c0-3.500 2.900-6 6.500-6s6.500 2.500 6.500 6M16 4.500a3.500 3.500 0 0 1 0 6.200M18 14.500c2.100.8 3.500 2.800 3.500 5.500" },
  lock: { line: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3" },
  list: { line: "M4 6h16M4 12h16M4 18h10" },
  moon: { line: "M20 14.500A8.500 8.500 0 0 1 9.500 4 8.500 8.500 0 1 0 20 14.500z" },
  sun: { line: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2.500M12 19.500V22M2 12h2.500M19.500 12H22M4.900 4.900l1.800 1.800M17.300 17.300l1.800 1.800M4.900 19.100l1.800-1.800M17.300 6.700l1.800-1.800" },
  volume: { line: "M4 9.500v5h3.500L12 19V5L7.500 9.500zM15.500 9a4.500 4.500 0 0 1 0 6M18 6.500a8 8 0 0 1 0 11" },
  mute: { line: "M4 9.500v5h3.500L12 19V5L7.500 9.500zM16 9.500l5 5M21 9.500l-5 5" },
  link: { line: "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.700-5.700l-1.200 1.200M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.700 5.700l1.200-1.200" },
  more: { solid: "M5 10.300a1.700 1.700 0 1 0 0 3.400 1.700 1.700 0 0 0 0-3.400zM12 10.300a1.700 1.700 0 1 0 0 3.400 1.700 1.700 0 0 0 0-3.400zM19 10.300a1.700 1.700 0 1 0 0 3.400 1.700 1.700 0 0 0 0-3.400z" },
  door: { line: "M14 4H6v16h8M11 12h10M17.500 8.500L21 12l-3.500 3.500" },
  send: { line: "M4 12l16-8-6 16-3-6.500z" },
  chat: { line: "M4 5h16v11H10l-4.500 4v-4H4z" },
  down: { line: "M12 5v14M6 13l6 6 6-6" },
  clock: { line: "M12 3.500a8.500 8.500 0 1 0 0 17 8.500 8.500 0 0 0 0-17zM12 7.500V12l3 2" },
  gear: { line: "M4 7h8M16 7h4M14 4.500v5M4 17h4M12 17h8M10 14.500v5" },
  undo: { line: "M8.500 5L4 9.500 8.500 14M4 9.500h10a5.500 5.500 0 0 1 0 11h-3" },
  shuffle: { line: "M3.500 7H7c4 0 6 10 10 10h3.500M3.500 17H7c1.500 0 2.700-1.300 3.700-3M13.500 9.500C14.500 8 15.700 7 17 7h3.500M18 4.500L20.500 7 18 9.500M18 14.500l2.500 2.500-2.500 2.500" },
  loop: { line: "M5 12V10a4 4 0 0 1 4-4h10M16 3l3 3-3 3M19 12v2a4 4 0 0 1-4 4H5M8 21l-3-3 3-3" },
  poll: { line: "M5 20V11M12 20V4M19 20v-6" },
  edit: { line: "M4.500 19.500l1-4L16 5l3 3L8.500 18.500z" },
  grip: { solid: "M9 4.500a1.600 1.600 0 1 0 0 3.200 1.600 1.600 0 0 0 0-3.200zM15 4.500a1.600 1.600 0 1 0 0 3.200 1.600 1.600 0 0 0 0-3.200zM9 10.400a1.600 1.600 0 1 0 0 3.200 1.600 1.600 0 0 0 0-3.200zM15 10.400a1.600 1.600 0 1 0 0 3.200 1.600 1.600 0 0 0 0-3.200zM9 16.300a1.600 1.600 0 1 0 0 3.200 1.600 1.600 0 0 0 0-3.200zM15 16.300a1.600 1.600 0 1 0 0 3.200 1.600 1.600 0 0 0 0-3.200z" },
  note: { line: "M9 18V6l10-2v11.500M9 18a2.500 2.500 0 1 1-5 0 2.500 2.500 0 0 1 5 0zM19 15.500a2.500 2.500 0 1 1-5 0 2.500 2.500 0 0 1 5 0z" },
  export: { line: "M12 15V4M7.500 8.500L12 4l4.500 4.500M5 14v6h14v-6" },
  eye: { line: "M2.500 12S6 5.500 12 5.500 21.500 12 21.500 12 18 18.500 12 18.500 2.500 12 2.500 12zM12 9.200a2.800 2.800 0 1 0 0 5.600 2.800 2.800 0 0 0 0-5.600z" },
  trash: { line: "M5 7h14M10 7V4.500h4V7M7 7l1 13h8l1-13" },
};

/**
 * @param {keyof typeof drawings} name
 * @returns {SVGElement} a picture that says nothing to who cannot see it
 */
export function icon(name) {
  const out = document.createElementNS(svg, "svg");
  out.setAttribute("viewBox", "0 0 24 24");
  out.setAttribute("class", "icon");
  out.setAttribute("aria-hidden", "true");
  /** @type {{solid?: string, line?: string}} */
  const drawing = drawings[name];
  out.append(path(drawing.solid ?? drawing.line ?? "", drawing.solid ? "solid" : ""));
  return out;
}

/**
 * @param {string} d
 * @param {string} [className]
 * @returns {SVGPathElement}
 */
export function path(d, className = "") {
  const out = /** @type {SVGPathElement} */ (document.createElementNS(svg, "path"));
  out.setAttribute("d", d);
  if (className) out.setAttribute("class", className);
  return out;
}

/**
 * @param {string} viewBox
 * @param {string} className
 * @param {...SVGElement} children
 * @returns {SVGElement}
 */
export function drawing(viewBox, className, ...children) {
  const out = document.createElementNS(svg, "svg");
  out.setAttribute("viewBox", viewBox);
  out.setAttribute("class", className);
  out.setAttribute("aria-hidden", "true");
  out.append(...children);
  return out;
}

/** Three bars that move while something plays. @param {boolean} playing */
export function bars(playing) {
  return h("span", { class: "bars", "data-playing": String(playing), "aria-hidden": "true" }, h("i"), h("i"), h("i"));
}

/** A bar of rests: what is drawn where there is nothing. */
export function rest() {
  return drawing("0 0 84 48", "rest", ...[8, 18, 28, 38].map((y) => {
    const line = path(`M0 ${y}H84`);
    line.setAttribute("stroke", "currentColor");
    line.setAttribute("opacity", "0.45");
    return line;
  }), (() => {
    const block = path("M34 18h16v6H34z");
    block.setAttribute("fill", "currentColor");
    return block;
  })());
}

/** Whether the reader prefers less motion. */
export const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** The rows that are moving. @type {WeakMap<HTMLElement, Animation>} */
const moving = new WeakMap();

/**
 * Has rows seem to move from where they were to where they are.
 *
 * @param {Map<string, {element: HTMLElement}>} rows
 * @param {Map<string, number>} before where they were, also while they were moving
 */
function showMoves(rows, before) {
  for (const { element } of rows.values()) moving.get(element)?.cancel();
  const after = [...rows].map(([key, { element }]) => ({ element, from: before.get(key), to: element.getBoundingClientRect().top }));
  for (const { element, from, to } of after) {
    if (from === undefined) appear(element);
    else if (Math.abs(from - to) > 1 && element.dataset.held === undefined) {
      moving.set(element, element.animate([{ transform: `translateY(${from - to}px)` }, { transform: "none" }], { duration: 380, easing: "cubic-bezier(0.2, 0.8, 0.2, 1)" }));
    }
  }
}

/** @param {HTMLElement} element */
function appear(element) {
  element.animate([{ opacity: 0, transform: "scale(0.97)" }, {}], { duration: 240, easing: "ease-out" });
}

/**
 * A list whose rows are kept by key: a row that stays is changed in place, and one that moves
 * is seen moving, unless the reader prefers less motion. The row that holds the focus, or is
 * held (data-held), stays in the page while the others are put around it; one that is held is
 * not seen moving.
 *
 * @template Item
 * @template {{element: HTMLElement, update: (item: Item, index: number) => void}} Row
 * @param {HTMLElement} list
 * @param {(item: Item) => string} keyOf
 * @param {(item: Item) => Row} make
 * @returns {(items: Item[]) => void}
 */
export function keyed(list, keyOf, make) {
  /** @type {Map<string, Row>} */
  let rows = new Map();
  return (items) => {
    /** @type {Map<string, number>} */
    const before = new Map();
    if (!calm.matches && document.visibilityState === "visible") {
      for (const [key, row] of rows) before.set(key, row.element.getBoundingClientRect().top);
    }
    const focused = /** @type {HTMLElement | null} */ (document.activeElement);
    const within = [...rows].findIndex(([, row]) => focused && row.element.contains(focused));
    const [lost] = [...rows.keys()].slice(within, within + 1);
    /** @type {Map<string, Row>} */
    const next = new Map();
    items.forEach((item, index) => {
      const key = keyOf(item);
      const row = rows.get(key) ?? make(item);
      next.set(key, row);
      row.update(item, index);
    });
    for (const [key, row] of rows) if (!next.has(key)) row.element.remove();
    const all = [...next.values()].map((row) => row.element);
    const there = all.filter((element) => element.parentNode === list);
    const fixed = there.find((element) => element.dataset.held !== undefined) ?? there.find((element) => element.contains(focused));
    let at = list.firstElementChild;
    for (const element of all) {
      if (element === fixed) at = element.nextElementSibling;
      else if (element === at) at = at.nextElementSibling;
      else list.insertBefore(element, at);
    }
    if (within >= 0 && lost !== undefined && !next.has(lost)) {
      // The row that had the focus is gone: the one in its place takes it, or the list.
      const row = [...next.values()][Math.min(within, next.size - 1)]?.element;
      const candidates = [...row?.querySelectorAll("a, button") ?? []].filter((one) => one.getClientRects().length > 0);
      const same = candidates.find((one) => /** @type {HTMLElement} */ (one).dataset.test === focused?.dataset.test);
      const heir = same ?? candidates[0] ?? list.closest("section")?.querySelector("h2");
      if (heir instanceof HTMLElement) {
        if (heir.tagName === "H2") heir.tabIndex = -1;
        heir.focus({ preventScroll: true });
      }
    }
    if (focused && focused !== document.activeElement && list.contains(focused)) focused.focus({ preventScroll: true });
    if (before.size > 0) showMoves(next, before);
    rows = next;
  };
}
