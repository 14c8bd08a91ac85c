import { h, set, text } from "./dom.js";
import { avatar, personHref } from "./face.js";
import { followButton } from "./people-follow.js";

/** @typedef {import("../tutti/types.js").Profile} Profile */

/**
 * Somebody in a list of people.
 *
 * @param {import("./app.js").App} app
 * @param {Profile} first
 */
export function personRow(app, first) {
  const { id } = first;
  const face = h("span", {});
  const name = h("b", { class: "clip", dir: "auto" });
  const bio = h("small", { class: "hint clip", dir: "auto" });
  const link = h("a", { class: "people-link", href: personHref(id), "data-test": "person" }, face, h("span", { class: "row-text" }, name, bio));
  const follow = followButton(app, id);
  let drawn = "";
  return {
    element: h("li", { class: "people-item", "data-test": "person-row", "data-user": id }, link, follow.element),
    /** @param {Profile} given what the list says; what is known live counts more */
    update(given) {
      const profile = newest(given, app.client.users.of(id));
      const state = JSON.stringify([profile.nickname, profile.avatarUrl]);
      if (state !== drawn) face.replaceChildren(avatar(id, profile.nickname, profile.avatarUrl));
      drawn = state;
      text(name, id === app.client.user?.id ? `${profile.nickname} (you)` : profile.nickname);
      text(bio, profile.bio.replace(/\s+/g, " "));
      bio.hidden = !profile.bio;
      set(link, "aria-label", profile.nickname);
      follow.draw();
    },
  };
}

/**
 * @template {Profile} T
 * @param {T} given
 * @param {Profile | undefined} live
 * @returns {T} the profile with what is newer of both
 */
export function newest(given, live) {
  return live && live.rev > given.rev ? { ...given, ...live } : given;
}
