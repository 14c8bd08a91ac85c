import { h, icon, path, drawing } from "./dom.js";
import { ask, choice, field } from "./dialog.js";
import { duration } from "./format.js";
import { elsewhere, mayLeave } from "./place.js";
import { toast } from "./toast.js";
import { Refusal } from "../tutti/errors.js";

/**
 * Asks what the new room is to be, opens it and goes there. Who has an open room of their own
 * is asked before whether it may close.
 *
 * @param {import("../tutti/client.js").Client} client
 */
export async function openRoom(client) {
  const other = await elsewhere(client, "");
  if (!await mayLeave(other, "Close it and go on")) return;
  if (document.querySelector("dialog[data-test=create]")) return; // pressed twice
  const name = field("Name", { name: "name", maxlength: 100, placeholder: "Friday night", autocomplete: "off", "data-test": "new-room-name" });
  const access = choice("Who can come", "access", [["open", "Everyone"], ["private", "The invited"]]);
  const mode = choice("Who sounds", "mode", [["broadcast", "Every device"], ["direct", "Only mine"]]);
  const score = field("Votes a track needs", { name: "minimumScore", type: "number", min: 1, max: 10000, value: 1, inputmode: "numeric", "data-test": "minimum-score" }, "Alone, 1 will do. In company, 2 or more make it a vote.");
  const first = firstTracks(client);
  ask({
    title: "Open a room",
    lead: "Pick a few tracks to begin with. From then on the votes decide.",
    test: "create",
    wide: true,
    fields: [
      name.field,
      h("div", { class: "row" }, access.field, mode.field),
      h("div", { class: "row" }, score.field),
      first.field,
    ],
    submit: "Open the room",
    run: async () => {
      const title = name.input.value.trim();
      if (!title) throw new Refusal("invalid", "give the room a name", { field: "name" });
      const minimumScore = Number(score.input.value);
      if (!Number.isInteger(minimumScore) || minimumScore < 1) throw new Refusal("invalid", "a track needs 1 vote or more", { field: "minimumScore" });
      const room = await client.createRoom({
        kind: "vote", name: title, open: access.value() === "open", mode: mode.value(), minimumScore, tracks: first.chosen(),
      });
      if (other && !other.own) toast(`You left ${other.name} for your own room.`);
      location.hash = `#/room/${room}`;
    },
  });
}

/**
 * A choice of tracks to begin with.
 *
 * @param {import("../tutti/client.js").Client} client
 * @returns {{field: HTMLElement, chosen: () => string[]}}
 */
export function firstTracks(client) {
  const tiles = h("div", { class: "tiles", role: "group", "aria-label": "First tracks" });
  client.http.tracks("", 24).then((tracks) => {
    tiles.append(...tracks.map((track) => h("label", { class: "tile" },
      h("img", { src: track.artworkUrl, alt: "", loading: "lazy" }),
      h("b", { class: "clip" }, track.title),
      h("span", { class: "hint" }, duration(track.durationMs)),
      h("input", { type: "checkbox", value: track.id, "aria-label": `${track.title} by ${track.artist}`, "data-test": "first-track" }),
      h("span", { class: "tick" }, icon("check")))));
  }, () => tiles.append(h("p", { class: "hint" }, "The tracks could not be listed. You can find some later.")));
  return {
    field: h("div", { class: "field" }, h("span", {}, "First tracks"), tiles),
    chosen: () => [...tiles.querySelectorAll("input:checked")].map((i) => /** @type {HTMLInputElement} */ (i).value),
  };
}

/**
 * The picture of a room that has none: a staff with notes that follow from its id.
 *
 * @param {string} id
 * @returns {SVGElement}
 */
export function staff(id) {
  const parts = [40, 55, 70, 85, 100].map((y) => path(`M0 ${y}H320`));
  let x = 30;
  for (const c of id.slice(-9)) {
    const y = 40 + (c.charCodeAt(0) % 9) * 7.5;
    parts.push(path(`M${x} ${y}m-8 0a8 6 -20 1 0 16 -2a8 6 -20 1 0 -16 2M${x + 7.5} ${y - 2}V${y - 38}`));
    x += 32;
  }
  return drawing("0 0 320 180", "staff", ...parts);
}
