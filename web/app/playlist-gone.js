import { signIn } from "./auth.js";
import { h, rest, set } from "./dom.js";
import { sentence } from "./format.js";
import { followBook } from "./people-book.js";
import { Again } from "./playlist-again.js";
import { toast } from "./toast.js";

/**
 * What stands in the place of a playlist that is not shown, and looks out for it: it may be
 * opened again, or whoever looks may come to follow its creator.
 *
 * @param {import("./app.js").App} app
 * @param {import("../tutti/playlist.js").Playlist} playlist
 */
export function gonePage({ client }, playlist) {
  const element = h("div", { class: "empty tall", hidden: true, "data-test": "playlist-gone" });
  const retry = h("button", { type: "button", class: "button", "data-test": "playlist-again", onclick: () => look() }, "Try again");
  /** What it was called when it was shown last to this user. */
  let name = "";
  let key = "";
  /** Whether somebody waits for the answer. */
  let asked = false;
  /** Whether it was deleted, and never comes back. */
  let over = false;
  const again = new Again(() => { if (document.visibilityState === "visible") playlist.again(); });

  function look() {
    if (element.hidden || over || asked) return;
    asked = true;
    set(retry, "data-pending", true);
    client.hurry();
    again.now();
  }

  function back() {
    if (!element.hidden && !over && document.visibilityState === "visible") again.now();
  }

  function draw() {
    const { reason } = playlist;
    const now = JSON.stringify([over, name, reason?.code, client.user?.id]);
    if (key === now) return;
    key = now;
    document.title = "Tutti";
    const unknown = reason?.code === "not_found";
    const signedOut = !client.user && !over;
    const title = over ? `${name || "This playlist"} was deleted` : name ? `${name} is not shown to you any more` : unknown ? "No such playlist, or a private one" : "This playlist cannot be shown";
    const words = over ? "Its creator has deleted it, for everybody."
      : name ? "It may be private now, or for those who follow its creator. It comes back here by itself when you may see it."
        : unknown ? `It may be for those who follow its creator, or for the invited: ask whoever sent you here.${signedOut ? " If you are one of them, sign in." : ""}`
          : sentence(reason?.message ?? "It is not there any more");
    element.replaceChildren(rest(), h("h2", {}, title), h("p", {}, words),
      h("div", { class: "dialog-foot" },
        signedOut && h("button", { type: "button", class: "button", onclick: () => signIn(client) }, "Sign in"),
        !over && retry,
        h("a", { class: "button primary", href: "#/playlists" }, "To the playlists")));
  }

  const ends = [
    client.on("user", () => { name = ""; }),
    playlist.on("status", (status) => {
      if (!asked || status === "loading") return;
      asked = false;
      set(retry, "data-pending", null);
      if (status === "gone") toast("It is still not shown to you.");
    }),
    followBook(client).on("change", back),
  ];
  document.addEventListener("visibilitychange", back);
  addEventListener("focus", back);
  return {
    element,
    look,
    /**
     * @param {boolean} gone
     * @param {boolean} deleted
     */
    draw(gone, deleted) {
      const { state, reason } = playlist;
      if (state) name = state.name;
      element.hidden = !gone;
      if (!gone) {
        key = "";
        again.end();
        return;
      }
      over = deleted || reason?.code === "closed";
      draw();
      if (over) again.end();
      else again.begin();
    },
    end() {
      for (const end of ends) end();
      document.removeEventListener("visibilitychange", back);
      removeEventListener("focus", back);
      again.end();
    },
  };
}
