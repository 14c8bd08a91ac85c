import { h, icon } from "./dom.js";
import { explain } from "./format.js";

/**
 * A dialog with a form. It is gone from the page once it is closed.
 *
 * @param {object} options
 * @param {string} options.title
 * @param {string} [options.lead]
 * @param {string} options.test
 * @param {boolean} [options.wide]
 * @param {HTMLElement[]} options.fields
 * @param {string} options.submit the label of the button that does it
 * @param {boolean} [options.danger]
 * @param {() => Promise<void>} options.run closes the dialog if it succeeds, shows why if not
 * @param {() => void} [options.closed]
 * @param {HTMLElement} [options.extra] a button beside the others
 * @returns {HTMLDialogElement}
 */
export function ask({ title, lead, test, wide = false, fields, submit, danger = false, run, closed, extra }) {
  const error = h("p", { class: "form-error", role: "alert", hidden: true, "data-test": "form-error" });
  const go = h("button", { class: danger ? "button danger" : "button primary", "data-test": "submit" }, submit);
  // What cannot be taken back is not done by an Enter that comes too soon.
  const cancel = danger && h("button", { type: "button", class: "button", "data-test": "cancel", onclick: () => dialog.close() }, "Cancel");
  const form = h("form", {
    class: "dialog-body", novalidate: true,
    onsubmit: async (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      if (go.hasAttribute("aria-disabled")) return;
      error.hidden = true;
      for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
      go.setAttribute("aria-disabled", "true"); // not disabled: that would drop the focus
      try {
        await run();
        dialog.close();
      } catch (err) {
        const { field = "" } = /** @type {{field?: string}} */ (err ?? {});
        const input = field && form.querySelector(`[name="${CSS.escape(field)}"]`);
        if (input instanceof HTMLElement) {
          input.setAttribute("aria-invalid", "true");
          input.focus();
        } else if (!dialog.contains(document.activeElement) || document.activeElement === dialog) go.focus();
        error.textContent = explain(err);
        error.hidden = false;
        error.scrollIntoView({ block: "nearest" });
      } finally {
        go.removeAttribute("aria-disabled");
      }
    },
  },
  h("div", { class: "dialog-head" },
    h("div", {}, h("h2", { id: "dialog-title" }, title), lead && h("p", { class: "quiet" }, lead)),
    h("button", { type: "button", class: "button plain round", "aria-label": "Close", onclick: () => dialog.close() }, icon("close"))),
  ...fields,
  error,
  h("div", { class: "dialog-foot" }, extra, cancel, go));
  const dialog = h("dialog", { class: wide ? "wide" : "", "aria-labelledby": "dialog-title", "data-test": test }, form);
  dialog.addEventListener("close", () => {
    dialog.remove();
    // What opened it may be gone by now, as the sign-in button is for who has signed in.
    if (document.activeElement === document.body) {
      const next = document.querySelector("[data-test=account]") ?? document.getElementById("main");
      if (next instanceof HTMLElement) next.focus({ preventScroll: true });
    }
    closed?.();
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  document.body.append(dialog);
  dialog.showModal();
  const first = firstField(form) ?? (cancel || (fields.length ? null : go));
  if (first instanceof HTMLElement) first.focus();
  return dialog;
}

/**
 * @param {HTMLElement} form
 * @returns {Element | null} where one begins: of a choice, what is chosen
 */
function firstField(form) {
  const first = form.querySelector(".field :is(input, select, textarea)");
  const chosen = first instanceof HTMLInputElement && first.type === "radio" && form.querySelector(`[name="${CSS.escape(first.name)}"]:checked`);
  return chosen || first;
}

/**
 * A labelled input.
 *
 * @param {string} label
 * @param {Record<string, any>} attributes of the input
 * @param {string} [hint]
 * @returns {{field: HTMLElement, input: HTMLInputElement}}
 */
export function field(label, attributes, hint) {
  const hintId = hint ? `hint-${attributes.name}` : undefined;
  const input = h("input", { class: "input", "aria-describedby": hintId, ...attributes });
  return { field: h("label", { class: "field" }, h("span", {}, label), input, hint && h("small", { class: "hint", id: hintId }, hint)), input };
}

/**
 * A choice of a few, side by side.
 *
 * @param {string} label
 * @param {string} name
 * @param {[value: string, text: string][]} choices
 * @param {string} [chosen] a value; the first is chosen without one
 * @returns {{field: HTMLElement, value: () => string, on: (listener: () => void) => void}}
 */
export function choice(label, name, choices, chosen = choices[0]?.[0]) {
  const radios = choices.map(([value]) => h("input", { type: "radio", name, value, checked: value === chosen }));
  const group = h("div", { class: "tabs", role: "radiogroup", "aria-label": label },
    ...choices.map(([, text], i) => h("label", {}, /** @type {HTMLElement} */ (radios[i]), text)));
  return {
    field: h("div", { class: "field" }, h("span", {}, label), group),
    value: () => radios.find((r) => r.checked)?.value ?? "",
    on: (listener) => group.addEventListener("change", listener),
  };
}
