package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// fillIn types into the n-th of several fields.
func (w *page) fillIn(test string, n int, text string) {
	w.t.Helper()
	ask[bool](w, fmt.Sprintf(`(document.querySelectorAll('[data-test=%q]')[%d].id = "to-fill", true)`, test, n))
	w.fill("#to-fill", text)
	ask[bool](w, `(document.getElementById("to-fill").removeAttribute("id"), true)`)
}

// A room asks its people and takes back what they did: a suggestion undone, the fair order,
// a poll that both answer, a ready-check, and what was played kept as a playlist.
func TestARoomAsksAndTakesBack(t *testing.T) {
	chromium(t)
	p := start(t)
	a, b := p.browse(t, "ada"), p.browse(t, "bob")
	a.signUp("Ada")
	b.signUp("Bob")
	a.press(at("open-room"))
	a.fill(at("create")+" input[name=name]", "Friday night")
	for _, track := range []string{"demo:aurora", "demo:night-tram", "demo:paper-boats"} {
		a.press(`input[value="` + track + `"]`)
	}
	a.press(at("create") + " " + at("submit"))
	a.wait("the room is shown", `document.querySelector('[data-test="room-name"]')?.textContent === "Friday night"`)
	b.press(at("room-card"))
	b.press(at("join"))
	b.wait("bob is a member", `window.tutti.room.you.member`)

	// Undone, by who did it.
	const walk = "demo:lantern-walk"
	b.fill(at("suggest"), "lantern")
	b.press(at("suggestion") + `[data-track="` + walk + `"]`)
	a.shows("demo:night-tram", "demo:paper-boats", walk)
	b.press(at("undo"))
	for _, w := range []*page{a, b} {
		w.shows("demo:night-tram", "demo:paper-boats")
	}
	b.fill(at("suggest"), "lantern")
	b.press(at("suggestion") + `[data-track="` + walk + `"]`)
	a.shows("demo:night-tram", "demo:paper-boats", walk)

	// In turn: Ada's best, Bob's, and Ada's other one.
	a.press(at("queue-how") + "," + at("queue-settings"))
	a.press(at("queue-options") + ` input[name=order][value=fair]`)
	a.press(at("queue-options") + " " + at("submit"))
	for _, w := range []*page{a, b} {
		w.shows("demo:night-tram", walk, "demo:paper-boats")
	}

	// A poll.
	a.press(at("poll-open"))
	a.fill(at("poll-ask"), "Louder or slower?")
	a.fillIn("poll-answer", 0, "Louder")
	a.fillIn("poll-answer", 1, "Slower")
	a.press(at("poll-dialog") + " " + at("submit"))
	b.wait("bob is asked", `document.querySelector('[data-test="poll-question"]')?.textContent === "Louder or slower?"`)
	a.press(at("poll-option") + `[data-option="0"]`)
	b.press(at("poll-option") + `[data-option="1"]`)
	counts := func(w *page) []string {
		return ask[[]string](w, `[...document.querySelectorAll('[data-test="poll-count"]')].map((n) => n.textContent.trim())`)
	}
	for _, w := range []*page{a, b} {
		eventually(t, func() string {
			if got := counts(w); len(got) != 2 || !strings.Contains(got[0], "1") || !strings.Contains(got[1], "1") {
				return fmt.Sprintf("%s: the counts are %q", w.name, got)
			}
			return ""
		})
	}
	b.press(at("poll-option") + `[data-option="0"]`) // changes his mind
	a.wait("both want it louder", `window.tutti.room.state.poll.counts[0] === 2`)
	a.press(at("poll-close"))
	b.wait("it is closed", `window.tutti.room.state.poll.closedAt > 0`)

	// Ready?
	a.press(at("ready-open"))
	for _, w := range []*page{a, b} {
		w.press(at("ready-yes"))
	}
	for _, w := range []*page{a, b} {
		w.wait("all are ready", `!document.querySelector('[data-test="ready"][data-running]')`)
	}

	// Played, and kept.
	a.press(at("play"))
	a.wait("it has begun to sound, a moment after", `window.tutti.room.state.playback.playing && window.tutti.client.clock.now() > window.tutti.room.state.playback.anchorAt + 50`)
	a.press(at("next"))
	b.wait("the next one plays", `window.tutti.room.state.playback.trackId === "demo:night-tram"`)
	b.wait("what was played is listed", `document.querySelector('[data-test="play-row"][data-track="demo:aurora"]')`)
	b.press(at("export-history"))
	b.fill(at("export-name"), "What we heard")
	b.press(at("export-dialog") + " " + at("submit"))
	b.wait("it is told", `[...document.querySelectorAll('[data-test="toast"]')].some((x) => x.textContent.includes("What we heard is among your playlists"))`)
	b.visit("#/playlists")
	b.press(at("my-playlists") + " " + at("playlist-card"))
	b.lists("demo:aurora")
	witness := p.register("witness")
	seen := witness.see(ask[string](a, `window.tutti.room.state.id`))
	equal(t, "ada's hash", a.state().Hash, seen.Hash)
}
