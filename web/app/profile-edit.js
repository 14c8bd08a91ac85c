import { ask, choice, field } from "./dialog.js";
import { h, set, text } from "./dom.js";
import { avatar } from "./face.js";
import { length } from "./chat-text.js";
import { toast } from "./toast.js";
import { Refusal } from "../tutti/errors.js";

/** How long a text about oneself may get, as the contract has it. */
const LONGEST = 500;

/** @type {[string, string][]} */
const visibilities = [["public", "Everybody"], ["followers", "Followers"], ["private", "Only you"]];

/**
 * Changes one's own profile.
 *
 * @param {import("../tutti/client.js").Client} client
 * @param {import("../tutti/types.js").Profile} profile as it is now
 * @param {() => void} changed
 */
export function editProfile(client, profile, changed) {
  if (document.querySelector("dialog[data-test=profile-dialog]")) return;
  let now = profile;
  const name = field("Your name", { name: "nickname", dir: "auto", maxlength: 32, value: now.nickname, autocomplete: "nickname", "data-test": "profile-nickname" }, "Nobody else may have the same. It changes everywhere at once.");
  const bio = h("textarea", { class: "input", dir: "auto", name: "bio", rows: 4, "aria-describedby": "hint-bio", "data-test": "profile-bio", oninput: () => drawBio() }, now.bio);
  const left = h("small", { class: "hint num", id: "hint-bio" });
  const face = h("span", { class: "profile-preview" });
  const picture = field("Picture", { name: "avatarUrl", type: "url", value: now.avatarUrl, placeholder: "https://…", autocomplete: "off", spellcheck: "false", "data-test": "profile-avatar", oninput: () => drawFace() }, "The address of a picture. Without one, your first letter stands for you.");
  const relations = choice("Who sees whom you follow, and who follows you", "relations", visibilities, now.relations);
  const heard = choice("Who sees what you have heard", "heard", visibilities, now.heard);

  function drawBio() {
    const n = LONGEST - length(bio.value.trim());
    text(left, n < 0 ? `${-n} characters too many` : `${n} characters left`);
    set(bio, "aria-invalid", n < 0 ? "true" : null);
  }

  function drawFace() {
    const url = picture.input.value.trim();
    face.replaceChildren(avatar(now.id, name.input.value.trim() || now.nickname, /^https?:\/\/./i.test(url) ? url : ""));
  }

  /**
   * Saves a change, unless what it was made from was changed meanwhile. Another name alone is no
   * such change: the profile follows the account a moment later.
   *
   * @param {Partial<import("../tutti/types.js").Profile>} change
   */
  async function put(change) {
    const live = client.users.known(now.id);
    if (live && live.rev > now.rev && same(live, now)) now = live;
    try {
      now = await client.http.setProfile({ ...change, rev: now.rev });
    } catch (err) {
      if (/** @type {any} */ (err).code !== "conflict") throw err;
      const before = now;
      now = await client.query("user", { user: now.id });
      if (!same(before, now)) throw new Refusal("conflict", "Your profile was changed on another device just now. Save again to put this in its place.");
      now = await client.http.setProfile({ ...change, rev: now.rev });
    }
  }

  drawBio();
  drawFace();
  ask({
    title: "Your profile", test: "profile-dialog",
    fields: [
      name.field,
      h("label", { class: "field" }, h("span", {}, "About you"), bio, left),
      h("div", { class: "profile-picture" }, face, picture.field),
      relations.field, heard.field,
    ],
    submit: "Save",
    run: async () => {
      const nickname = name.input.value.trim();
      const wanted = { bio: bio.value.trim(), avatarUrl: picture.input.value.trim(), relations: relations.value(), heard: heard.value() };
      if (!nickname) throw new Refusal("invalid", "choose a name that others will see", { field: "nickname" });
      if (length(wanted.bio) > LONGEST) throw new Refusal("invalid", `a text about you has at most ${LONGEST} characters`, { field: "bio" });
      if (wanted.avatarUrl && !/^https?:\/\/./i.test(wanted.avatarUrl)) throw new Refusal("invalid", "the address of a picture begins with https:// or http://", { field: "avatarUrl" });
      const news = Object.fromEntries(Object.entries(wanted).filter(([key, value]) => now[/** @type {keyof typeof wanted} */ (key)] !== value));
      // The name comes first: with one that is taken nothing is saved.
      if (nickname !== now.nickname) {
        await client.http.setNickname(nickname);
        now = { ...now, nickname };
      }
      if (Object.keys(news).length) await put(news);
      changed();
      toast("Your profile is saved.");
    },
  });
}

/**
 * @param {import("../tutti/types.js").Profile} a
 * @param {import("../tutti/types.js").Profile} b
 * @returns {boolean} whether they differ in the name at most
 */
function same(a, b) {
  return a.bio === b.bio && a.avatarUrl === b.avatarUrl && a.relations === b.relations && a.heard === b.heard;
}
