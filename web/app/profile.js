import { h, icon, rest, set, text } from "./dom.js";
import { avatar, copy } from "./face.js";
import { count, explain } from "./format.js";
import { followBook } from "./people-book.js";
import { followButton } from "./people-follow.js";
import { newest } from "./people-row.js";
import { editProfile } from "./profile-edit.js";
import { profileTabs } from "./profile-tabs.js";

/** @typedef {import("../tutti/types.js").Person} Person */

/** From here on the server does not count followers any more. */
const MANY = 5_000;
/** How soon a profile that could not be read is asked for again. */
const AGAIN_MS = 5_000;
/** How often one that is shown is read again: nothing tells how many follow. */
const ANEW_MS = 15_000;

/**
 * What a person shows of themselves.
 *
 * @param {import("./app.js").App} app
 * @param {string} id a user id
 * @returns {import("./app.js").View}
 */
export function profileView(app, id) {
  const { client, names } = app;
  const book = followBook(client);
  /** @type {Person | null} */
  let person = null;
  /** @type {{code: string, message: string} | null} */
  let refused = null;
  let over = false;
  let asked = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let again;

  const face = h("div", { class: "profile-face" });
  const name = h("h1", { class: "profile-name", dir: "auto", "data-test": "profile-name" });
  const marks = h("p", { class: "quiet small", "data-test": "profile-since" });
  const back = h("span", { class: "badge", hidden: true, "data-test": "profile-follows-you" }, "Follows you");
  const bio = h("p", { class: "profile-bio", dir: "auto", "data-test": "profile-text" });
  const follow = followButton(app, id, (follows) => {
    if (person?.followers !== undefined) person.followers += follows ? 1 : -1;
    draw();
    tabs.stale("followers");
  });
  const edit = h("button", { type: "button", class: "button slim", hidden: true, "data-test": "profile-edit", onclick: () => { if (person) editProfile(client, newest(person, client.users.of(id)), read); } }, icon("edit"), "Edit");
  const share = h("button", { type: "button", class: "button slim", "data-test": "profile-share", onclick: () => copy(location.href, "The page's address is copied.") }, icon("link"), "Share");
  const tabs = profileTabs(app, id);
  const whole = h("div", { hidden: true },
    h("div", { class: "profile-head" }, face,
      h("div", { class: "profile-title" }, h("div", { class: "badges" }, name, back), marks, bio),
      h("div", { class: "room-actions" }, share, edit, follow.element)),
    tabs.element);
  const gone = h("div", { class: "empty tall", hidden: true, "data-test": "profile-gone" });
  const loading = h("div", { class: "skeleton", "aria-busy": "true" });
  const element = h("div", { class: "profile", "data-test": "profile", "data-user": id }, loading, gone, whole);

  async function read() {
    const mine = ++asked;
    clearTimeout(again);
    try {
      const answer = await client.query("user", { user: id });
      if (mine !== asked || over) return;
      if (person && person.followers !== answer.followers) tabs.stale("followers");
      person = answer;
      refused = null;
      if (person?.you) book.learn(id, person.you.follows);
    } catch (err) {
      if (mine !== asked || over) return;
      if (person) return; // what was read stays; it is asked for again
      refused = { code: /** @type {any} */ (err).code, message: explain(err) };
      if (refused.code !== "not_found") again = setTimeout(read, AGAIN_MS);
    }
    draw();
  }

  let drawn = "";
  function draw() {
    loading.hidden = Boolean(person) || Boolean(refused);
    whole.hidden = !person;
    gone.hidden = Boolean(person) || !refused;
    element.dataset.status = person ? "live" : refused ? "gone" : "loading";
    if (!person) {
      if (refused) {
        const missing = refused.code === "not_found";
        gone.replaceChildren(rest(), h("h2", {}, missing ? "There is nobody here" : "This page cannot be shown now"),
          h("p", {}, missing ? "The address may have lost a letter on its way." : refused.message), h("a", { class: "button primary", href: "#/people" }, "Find people"));
      }
      return;
    }
    const mine = client.user?.id === id;
    const shown = newest(person, client.users.of(id));
    const nickname = mine ? client.user?.nickname ?? shown.nickname : shown.nickname;
    document.title = `${nickname} · Tutti`;
    const state = JSON.stringify([nickname, shown.avatarUrl]);
    if (state !== drawn) face.replaceChildren(avatar(id, nickname, shown.avatarUrl));
    drawn = state;
    text(name, nickname);
    text(marks, `Here since ${new Date(shown.createdAt).toLocaleDateString("en-GB", { month: "long", year: "numeric" })}`);
    back.hidden = mine || !person.you?.followsYou;
    text(bio, shown.bio || (mine ? "Say something about yourself: Edit." : ""));
    set(bio, "data-none", !shown.bio);
    bio.hidden = !bio.textContent;
    edit.hidden = !mine;
    follow.draw();
    element.dataset.mine = String(mine);
    tabs.draw({
      name: nickname, mine,
      followers: person.followers === undefined ? null : person.followers >= MANY ? `${MANY.toLocaleString("en")} or more followers` : count(person.followers, "follower"),
      following: person.following === undefined ? null : `${person.following.toLocaleString("en")} following`,
    });
  }

  /** Reads the profile anew if it is looked at and nothing of one's own is on its way. */
  const anew = () => { if (person && document.visibilityState === "visible" && client.status.state === "live" && !book.waits(id)) read(); };
  const timer = setInterval(anew, ANEW_MS);
  document.addEventListener("visibilitychange", anew);
  addEventListener("focus", anew);

  read();
  draw();
  const ends = [
    names.on(draw), book.on("change", draw), client.on("renamed", draw),
    client.on("user", () => { person = null; drawn = ""; tabs.restart(); draw(); read(); }),
    client.on("status", ({ state }) => {
      if (state !== "live") return;
      if (refused) read();
      tabs.retry();
    }),
  ];
  return {
    element,
    leave: () => {
      over = true;
      clearTimeout(again);
      clearInterval(timer);
      document.removeEventListener("visibilitychange", anew);
      removeEventListener("focus", anew);
      tabs.end();
      for (const end of ends) end();
    },
  };
}
