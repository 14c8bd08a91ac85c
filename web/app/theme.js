import { h, icon } from "./dom.js";

const KEY = "tutti.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

/** What was chosen; without a choice the system's goes. */
function chosen() {
  const kept = localStorage.getItem(KEY);
  return kept === "dark" || kept === "light" ? kept : "";
}

function apply() {
  const theme = chosen();
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

/** @returns {HTMLButtonElement} the button that turns the light on and off */
export function themeButton() {
  const isDark = () => (chosen() || (dark.matches ? "dark" : "light")) === "dark";
  const button = h("button", {
    type: "button", class: "button plain round", "data-test": "theme",
    onclick: () => {
      localStorage.setItem(KEY, isDark() ? "light" : "dark");
      apply();
      draw();
    },
  });
  const draw = () => {
    button.replaceChildren(icon(isDark() ? "sun" : "moon"));
    button.setAttribute("aria-label", isDark() ? "Use the light theme" : "Use the dark theme");
  };
  dark.addEventListener("change", draw);
  apply();
  draw();
  return button;
}
