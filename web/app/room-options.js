import { ask, choice, field } from "./dialog.js";
import { h } from "./dom.js";
import { Refusal } from "../tutti/errors.js";

/** The highest limits that the contract takes. */
const MOST_QUEUED = 500;
const MOST_PLAYS = 200;

/** @typedef {import("../tutti/types.js").QueueOptions} QueueOptions */

/** How the queue of a room works in which nobody has set anything. @type {QueueOptions} */
export const byDefault = { order: "votes", loop: false, perUser: 0, perTrack: 0 };

/**
 * What is unusual about how a queue works, for its head.
 *
 * @param {QueueOptions} options
 * @returns {string[]}
 */
export function unusual({ order, loop, perUser, perTrack }) {
  return [
    order === "fair" ? "In turn" : "", loop ? "Loops" : "",
    perUser > 0 ? `${perUser} each` : "", perTrack > 0 ? (perTrack === 1 ? "No repeats" : `${perTrack} plays a track`) : "",
  ].filter(Boolean);
}

/**
 * Asks how the queue is to work.
 *
 * @param {import("../tutti/room.js").Room} room
 */
export function queueOptions(room) {
  if (document.querySelector("dialog[data-test=queue-options]")) return;
  const now = room.state?.queueOptions ?? byDefault;
  const order = choice("What plays next", "order", [["votes", "Most votes"], ["fair", "Everybody in turn"]], now.order);
  const loop = choice("What was played", "loop", [["off", "Is done"], ["on", "Queues again"]], now.loop ? "on" : "off");
  const perUser = field("Tracks of one person in the queue", { name: "perUser", type: "number", min: 0, max: MOST_QUEUED, value: now.perUser || "", placeholder: "No limit", inputmode: "numeric", "data-test": "per-user" });
  const perTrack = field("Plays of one track", { name: "perTrack", type: "number", min: 0, max: MOST_PLAYS, value: now.perTrack || "", placeholder: "No limit", inputmode: "numeric", "data-test": "per-track" }, `Among the room's last ${MOST_PLAYS} plays.`);

  /**
   * @param {HTMLInputElement} input
   * @param {number} most
   */
  function limit(input, most) {
    if (input.validity.badInput) throw new Refusal("invalid", "a limit is a number, or nothing", { field: input.name });
    const n = Number(input.value || 0);
    if (!Number.isInteger(n) || n < 0 || n > most) throw new Refusal("invalid", `a limit is 1 to ${most}, or nothing`, { field: input.name });
    return n;
  }

  ask({
    title: "How the queue works", test: "queue-options",
    lead: "By votes, the track with the most comes next; of equal ones, the one that was suggested first. In turn, the best track of everybody who suggested some is played before anybody's second.",
    fields: [order.field, loop.field, h("div", { class: "row" }, perUser.field, perTrack.field)],
    submit: "Save",
    run: async () => {
      /** @type {QueueOptions} */
      const wanted = { order: order.value(), loop: loop.value() === "on", perUser: limit(perUser.input, MOST_QUEUED), perTrack: limit(perTrack.input, MOST_PLAYS) };
      const was = room.state?.queueOptions ?? byDefault;
      const news = Object.entries(wanted).filter(([key, value]) => was[/** @type {keyof QueueOptions} */ (key)] !== value);
      if (news.length) await room.command("setQueue", Object.fromEntries(news));
    },
  });
}
