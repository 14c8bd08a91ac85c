import { ask, choice, field } from "./dialog.js";
import { h, set, text } from "./dom.js";
import { firstTracks } from "./create.js";
import { elsewhere, mayLeave } from "./place.js";
import { inWords, visibilities } from "./playlist-words.js";
import { toast } from "./toast.js";
import { Refusal } from "../tutti/errors.js";

/** @typedef {import("../tutti/client.js").Client} Client */
/** @typedef {import("../tutti/playlist.js").Playlist} Playlist */

/** How often, and how far apart at most, a room that is being opened is looked for. */
const LOOKS = 24;
const LOOK_MS = 500;

/**
 * A box to tick.
 *
 * @param {string} label
 * @param {Record<string, any>} attributes of the input
 * @param {string} hint
 */
function check(label, attributes, hint) {
  const input = h("input", { type: "checkbox", ...attributes });
  return { field: h("label", { class: "check" }, input, h("span", {}, h("b", {}, label), h("small", { class: "hint" }, hint))), input };
}

/**
 * Who sees a playlist, and who edits it.
 *
 * @param {{visibility: string, onlyInvitedEdit: boolean}} now
 */
function access(now) {
  const seen = choice("Who can see and join it", "visibility", visibilities.map(([value, label]) => [value, label]), now.visibility);
  const hint = h("p", { class: "hint" });
  const only = check("Only the invited edit", { name: "onlyInvitedEdit", checked: now.onlyInvitedEdit, "data-test": "only-invited-edit" }, "Others may join and look.");
  const draw = () => {
    text(hint, visibilities.find(([value]) => value === seen.value())?.[2] ?? "");
    only.field.hidden = seen.value() === "private"; // there all are invited
  };
  seen.on(draw);
  draw();
  seen.field.append(hint);
  return {
    fields: [seen.field, only.field],
    value: () => ({ visibility: seen.value(), onlyInvitedEdit: seen.value() !== "private" && only.input.checked }),
  };
}

/**
 * Asks what a new playlist is to be, begins it and goes there.
 *
 * @param {Client} client
 */
export function newPlaylist(client) {
  if (document.querySelector("dialog[data-test=create-playlist]")) return; // pressed twice
  const name = field("Name", { name: "name", maxlength: 100, placeholder: "Songs for the drive", autocomplete: "off", "data-test": "new-playlist-name" });
  const who = access({ visibility: "public", onlyInvitedEdit: false });
  const first = firstTracks(client);
  ask({
    title: "New playlist", lead: "Everybody in it puts it together, at the same time.", test: "create-playlist", wide: true,
    fields: [name.field, ...who.fields, first.field], submit: "Begin the playlist",
    run: async () => {
      const title = name.input.value.trim();
      if (!title) throw new Refusal("invalid", "give the playlist a name", { field: "name" });
      const id = await inWords(client.createPlaylist({ name: title, ...who.value(), tracks: first.chosen() }));
      location.hash = `#/playlist/${id}`;
    },
  });
}

/** @param {Playlist} playlist */
export function rename(playlist) {
  const name = field("Name", { name: "name", maxlength: 100, value: playlist.state?.name, autocomplete: "off", "data-test": "playlist-new-name" });
  ask({
    title: "Rename the playlist", test: "rename-playlist", fields: [name.field], submit: "Rename",
    run: async () => {
      const title = name.input.value.trim();
      if (!title) throw new Refusal("invalid", "give the playlist a name", { field: "name" });
      await inWords(playlist.command("rename", { name: title }));
    },
  });
  name.input.select();
}

/** @param {Playlist} playlist */
export function setVisibility(playlist) {
  const { state } = playlist;
  if (!state) return;
  const who = access({ visibility: state.visibility, onlyInvitedEdit: state.options.onlyInvitedEdit });
  const dialog = ask({
    title: "Who sees and edits it", lead: "Made narrower, it keeps the invited. Everybody else in it goes.", test: "playlist-visibility",
    fields: who.fields, submit: "Save",
    run: async () => { await inWords(playlist.command("setVisibility", who.value())); },
  });
  /** @type {HTMLElement | null} */ (dialog.querySelector("input:checked"))?.focus();
}

/**
 * @param {Playlist} playlist
 * @param {() => void} done
 */
export function deletePlaylist(playlist, done) {
  ask({
    title: `Delete ${playlist.state?.name ?? "the playlist"}?`, lead: "It goes for everybody in it, for good.", test: "delete-playlist",
    fields: [], submit: "Delete it", danger: true,
    run: async () => {
      await inWords(playlist.command("delete"));
      done();
    },
  });
}

/**
 * Asks how a room with the playlist's tracks is to be, opens it and goes there.
 *
 * @param {Client} client
 * @param {Playlist} playlist
 */
export async function exportPlaylist(client, playlist) {
  const other = await elsewhere(client, "");
  if (!await mayLeave(other, "Close it and go on")) return;
  if (document.querySelector("dialog[data-test=export-playlist]")) return; // pressed twice
  const { state } = playlist;
  if (!state) return;
  const name = field("Name of the room", { name: "name", maxlength: 100, value: state.name, autocomplete: "off", "data-test": "export-name" });
  const who = choice("Who can come", "access", [["open", "Everyone"], ["private", "The invited"]], state.visibility === "public" ? "open" : "private");
  const mode = choice("Who sounds", "mode", [["broadcast", "Every device"], ["direct", "Only mine"]]);
  const score = field("Votes a track needs", { name: "minimumScore", type: "number", min: 1, max: 10000, value: 1, inputmode: "numeric", "data-test": "minimum-score" }, "Your own vote is in already.");
  const only = check("Only the invited vote", { name: "onlyInvitedVote", "data-test": "only-invited-vote" }, "Others may come and listen.");
  const drawOnly = () => { only.field.hidden = who.value() !== "open"; };
  who.on(drawOnly);
  drawOnly();
  const progress = h("p", { class: "hint", role: "status", "data-test": "export-progress" });
  ask({
    title: "Play it in a room", lead: "A new room opens with these tracks in its queue. From then on the votes decide; the playlist stays as it is.", test: "export-playlist", wide: true,
    fields: [name.field, h("div", { class: "row" }, who.field, mode.field), h("div", { class: "row" }, score.field, only.field), progress],
    submit: "Open the room",
    run: async () => {
      const minimumScore = Number(score.input.value);
      if (!Number.isInteger(minimumScore) || minimumScore < 1) throw new Refusal("invalid", "a track needs 1 vote or more", { field: "minimumScore" });
      const open = who.value() === "open";
      text(progress, "Opening the room…");
      try {
        const room = await opened(client, playlist, inWords(playlist.export({
          name: name.input.value.trim(), open, mode: mode.value(), minimumScore, onlyInvitedVote: open && only.input.checked,
        })));
        if (other && !other.own) toast(`You left ${other.name} for your own room.`);
        location.hash = `#/room/${room}`;
      } finally {
        text(progress, "");
      }
    },
  });
}

/**
 * Waits until the room of an export is there: its id is known a moment before.
 *
 * @param {Client} client
 * @param {Playlist} playlist
 * @param {Promise<string>} exported
 * @returns {Promise<string>} the room's id
 */
async function opened(client, playlist, exported) {
  /** @type {Map<string, string>} why rooms did not come about */
  const failed = new Map();
  const end = playlist.on("sealed", (events) => {
    for (const { type, body } of events) if (type === "export.failed" && !body.part) failed.set(body.room, body.reason);
  });
  const id = await exported.catch((err) => { end(); throw err; });
  const room = client.room(id);
  try {
    for (let look = 0; look < LOOKS; look++) {
      if (room.status === "live") return id;
      const reason = failed.get(id);
      if (reason !== undefined) throw new Refusal("told", `The room did not come about: ${reason}`);
      if (room.status === "gone") room.restart();
      await new Promise((resolve) => setTimeout(resolve, Math.min(LOOK_MS, 60 * (look + 1))));
    }
    throw new Refusal("told", "The room is being opened, and takes longer than usual. You will find it in the lobby.");
  } finally {
    end();
    client.release(room);
  }
}

/**
 * Asks whom to invite: by name, of those who are found as one types, or by id.
 *
 * @param {import("./app.js").App} app
 * @param {Playlist} playlist
 */
export function invite(app, playlist) {
  const { client, names } = app;
  /** @type {{id: string, name: string} | null} */
  let chosen = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let asked = 0;
  const { field: nameField, input } = field("Name", {
    name: "user", placeholder: "Begin to type a name", autocomplete: "off", spellcheck: "false", "data-test": "invite-name",
    oninput: () => { chosen = null; clearTimeout(timer); timer = setTimeout(find, 200); },
  }, "Or the id that everybody finds in the menu behind their picture.");
  const found = h("div", { class: "met", role: "group", "aria-label": "People", "data-test": "invite-found" });
  const foundHint = h("p", { class: "hint", role: "status" });

  /** @param {{id: string, name: string}[]} people */
  function show(people) {
    found.replaceChildren(...people.map((one) => h("button", {
      type: "button", class: "button slim", "data-test": "invite-person", "data-user": one.id, "aria-pressed": "false",
      onclick: (/** @type {Event} */ event) => {
        chosen = one;
        input.value = one.name;
        for (const button of found.children) set(button, "aria-pressed", String(button === event.currentTarget));
      },
    }, one.name)));
  }

  async function find() {
    const prefix = input.value.trim();
    const mine = ++asked;
    if (!prefix || isUser(prefix)) {
      show(prefix ? [] : names.met());
      text(foundHint, "");
      return;
    }
    try {
      const { profiles } = await client.query("people", { prefix, limit: 8 });
      if (mine !== asked) return;
      const others = profiles.filter((/** @type {{id: string}} */ p) => p.id !== client.user?.id);
      show(others.map((/** @type {{id: string, nickname: string}} */ p) => ({ id: p.id, name: p.nickname })));
      text(foundHint, others.length ? "" : "Nobody's name begins like that.");
    } catch {
      if (mine === asked) text(foundHint, "People cannot be searched right now. Their id works all the same.");
    }
  }

  show(names.met());
  ask({
    title: "Invite somebody", lead: "The invitation reaches every device of theirs at once.", test: "invite-dialog",
    fields: [nameField, found, foundHint], submit: "Invite",
    run: async () => {
      const typed = input.value.trim();
      if (!chosen && isUser(typed)) chosen = { id: typed, name: names.of(typed) || "They" };
      if (!chosen) {
        clearTimeout(timer);
        await find();
        const only = found.children.length === 1 ? /** @type {HTMLElement} */ (found.firstElementChild) : null;
        const exact = only ?? [...found.children].find((b) => b.textContent?.toLocaleLowerCase() === typed.toLocaleLowerCase());
        if (!typed || !(exact instanceof HTMLElement)) throw new Refusal("told", "choose one of the people below", { field: "user" });
        chosen = { id: exact.dataset.user ?? "", name: exact.textContent ?? "" };
      }
      const { id, name } = chosen;
      await inWords(playlist.command("invite", { user: id }));
      toast(`${name} ${name === "They" ? "are" : "is"} invited.`);
    },
    closed: () => { clearTimeout(timer); asked++; },
  });
}

/** @param {string} typed */
function isUser(typed) {
  return /^user_[0-9A-Z]{26}$/.test(typed);
}
