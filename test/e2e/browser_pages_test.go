package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// pictures, if set, is a directory that gets a picture of each page the test looks at.
const pictures = "TUTTI_TEST_PICTURES"

// One browser goes through what a newcomer meets: the two forms of the account dialog, a
// room with names as long as names may be, a suggestion typed faster than the catalogue
// answers, the skip link, and a server that goes and comes back.
func TestPagesForANewcomer(t *testing.T) {
	chromium(t)
	p := start(t)
	w := p.browse(t, "newcomer")
	nickname, room := strings.Repeat("W", 32), strings.Repeat("M", 60)

	// Each form leads to the other, with the address that was typed, and opens on its first field.
	form := func(what, button, field string) {
		t.Helper()
		w.wait(what, fmt.Sprintf(`document.querySelector('[data-test="auth"] [data-test="submit"]')?.textContent === %q`, button))
		w.wait(what+": its first field has the focus", fmt.Sprintf(`document.activeElement?.name === %q`, field))
		equal(t, "dialogs", ask[int](w, `document.querySelectorAll("dialog").length`), 1)
	}
	w.press(at("sign-in"))
	form("signing in", "Sign in", "email")
	w.fill(at("email"), "w@example.org")
	w.press(at("auth-swap"))
	form("registering", "Create account", "nickname")
	w.press(at("auth-swap"))
	form("signing in again", "Sign in", "email")
	w.press(at("auth-swap"))
	form("registering again", "Create account", "nickname")
	equal(t, "the address typed before", ask[string](w, `document.querySelector('[data-test="email"]').value`), "w@example.org")
	w.fill(at("nickname"), nickname)
	w.fill(at("password"), "correct horse")
	w.press(at("auth") + " " + at("submit"))
	w.wait("registered", `document.documentElement.dataset.user && !document.querySelector("dialog")`)
	w.wait("the focus is not lost", `document.activeElement?.dataset.test === "account"`)

	// A room with a long name, by somebody with a long one.
	w.press(at("open-room"))
	w.fill(at("new-room-name"), room)
	w.press(`input[value="demo:aurora"]`)
	w.press(`input[value="demo:night-tram"]`)
	w.press(at("create") + " " + at("submit"))
	w.wait("the room is shown", `window.tutti.room?.you?.member && document.querySelector('[data-test="member-name"]')`)

	// What was found for the words before counts no more when Enter is pressed.
	w.fill(at("suggest"), "paper")
	w.wait("it is found", `document.querySelector('[data-test="suggestion"]')?.dataset.track === "demo:paper-boats"`)
	ask[string](w, `document.querySelector('[data-test="suggest"]').value = ""`)
	w.run("type the other name and Enter at once", chromedp.SendKeys(chromedp.CSS(at("suggest")), "lantern"+kb.Enter))
	w.shows("demo:night-tram", "demo:lantern-walk")

	// The skip link goes to the content, and an address that names nothing goes nowhere.
	before := w.state()
	ask[bool](w, `(document.querySelector(".skip-link").focus(), document.querySelector(".skip-link").click(), location.hash = "#nowhere", true)`)
	w.wait("the address is the room's", fmt.Sprintf(`location.hash === %q`, "#/room/"+before.ID))
	equal(t, "what has the focus", ask[string](w, `document.activeElement.id`), "main")
	equal(t, "the room", w.state().ID, before.ID)

	// Nothing is wider than the screen.
	w.narrow(t, "room")
	w.away(true)
	p.kill()
	offlineSince := time.Now()
	w.wait("the loss is shown", `document.querySelector('[data-test="connection"]').textContent !== "Connected" && window.tutti.room.status === "stale"`)
	if d := time.Since(offlineSince); d > 10*time.Second {
		t.Errorf("the loss was shown after %v", d)
	}
	w.press(`[data-track="demo:lantern-walk"] ` + at("remove"))
	p.up()
	w.wait("connected again", `document.documentElement.dataset.connection === "live" && window.tutti.room.status === "live"`)
	w.away(false)
	w.shows("demo:night-tram") // what was asked for meanwhile is done
	w.wait("the focus is in the queue", `document.activeElement !== document.body`)

	w.press(at("home"))
	w.wait("the room's card is shown", `document.querySelector('[data-test="card-track"]')?.textContent && document.querySelector(".card-foot .clip")?.textContent`)
	w.narrow(t, "lobby")

	// Whose room would close is asked first, and may think better of it.
	w.press(at("open-room"))
	w.press(`[data-test="confirm-move"] button[aria-label="Close"]`)
	w.wait("no dialog is left", `!document.querySelector("dialog")`)
	equal(t, "the room's phase", p.register("witness").see(before.ID).State.Phase, "open")
}

// narrow fails the test if the page, or the menu on it, is wider than a phone or a
// desktop's window.
func (w *page) narrow(t *testing.T, name string) {
	t.Helper()
	w.press(at("account"))
	for _, width := range []int64{1280, 360} {
		w.run("change the width", chromedp.EmulateViewport(width, 740))
		w.wait("the width is followed", fmt.Sprintf(`innerWidth === %d`, width))
		wide := ask[[]string](w, `[...document.querySelectorAll("body *")].filter((e) => {
			const r = e.getBoundingClientRect();
			return e.checkVisibility() && r.width > 0 && r.right > document.documentElement.clientWidth + 1 && !e.closest(".now-glow, .fan");
		}).map((e) => e.tagName + "." + e.className + " " + Math.round(e.getBoundingClientRect().right))`)
		if scroll := ask[int](w, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); scroll > 0 || len(wide) > 0 {
			t.Errorf("%s at %d px: %d px too wide: %v", name, width, scroll, wide)
		}
		if dir := os.Getenv(pictures); dir != "" {
			w.picture(filepath.Join(dir, fmt.Sprintf("%s-%d.png", name, width)))
		}
	}
	w.run("go back to the wide screen", chromedp.EmulateViewport(1280, 800))
	w.press(at("account"))
}
