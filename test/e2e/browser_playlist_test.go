package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/tuttihq/tutti/subjects"
)

// list gives the tracks of the playlist in the order that is shown.
func (w *page) list() []string {
	w.t.Helper()
	return ask[[]string](w, `[...document.querySelectorAll('[data-test="playlist-row"]')].map((r) => r.dataset.track)`)
}

// lists waits until the tracks are shown in an order.
func (w *page) lists(tracks ...string) {
	w.t.Helper()
	want := fmt.Sprint(tracks)
	eventually(w.t, func() string {
		if got := fmt.Sprint(w.list()); got != want {
			return w.name + ": the list is " + got + ", want " + want
		}
		return ""
	})
}

// spot is a place in a page.
type spot struct{ X, Y float64 }

func handle(track string) string { return `[data-track="` + track + `"] ` + at("playlist-handle") }

// middle gives where something is.
func (w *page) middle(selector string) spot {
	w.t.Helper()
	return ask[spot](w, fmt.Sprintf(`(() => { const r = document.querySelector(%q).getBoundingClientRect(); return { X: r.x + r.width / 2, Y: r.y + r.height / 2 }; })()`, selector))
}

// hold takes a track with the mouse.
func (w *page) hold(track string) spot {
	w.t.Helper()
	w.wait("the row is at rest", fmt.Sprintf(`document.querySelector(%q)?.closest("li").getAnimations().length === 0`, handle(track)))
	from := w.middle(handle(track))
	w.run("hold "+track,
		chromedp.MouseEvent(chromedp.MouseMoved, from.X, from.Y),
		chromedp.MouseEvent(chromedp.MousePressed, from.X, from.Y, chromedp.ButtonLeft, chromedp.ClickCount(1)),
		chromedp.MouseEvent(chromedp.MouseMoved, from.X, from.Y+8, chromedp.ButtonLeft))
	w.wait("the track is in the hand", fmt.Sprintf("document.querySelector('[data-track=%q]').dataset.held === 'pointer'", track))
	return from
}

// carry moves the mouse, with what it holds, until that stands at a place.
func (w *page) carry(track string, from, to spot, place int) {
	w.t.Helper()
	for i := 1; i <= 4; i++ {
		y := from.Y + (to.Y-from.Y)*float64(i)/4
		w.run("carry "+track, chromedp.MouseEvent(chromedp.MouseMoved, from.X, y, chromedp.ButtonLeft))
	}
	eventually(w.t, func() string {
		if got := slices.Index(w.list(), track); got != place {
			return fmt.Sprintf("%s: %s is carried over place %d, want %d", w.name, track, got, place)
		}
		return ""
	})
}

func (w *page) letGo(to spot) {
	w.t.Helper()
	w.run("let go", chromedp.MouseEvent(chromedp.MouseReleased, to.X, to.Y, chromedp.ButtonLeft, chromedp.ClickCount(1)))
}

// visit opens an address of the app.
func (w *page) visit(hash string) {
	w.t.Helper()
	ask[bool](w, fmt.Sprintf("(location.hash = %q, true)", hash))
}

// Two editors take the same track into the hand and put it down at the same time: both end
// with one list, the server's, and the one who came second is told what happened. Then one
// moves it with the keyboard, and takes one out while the other holds it.
func TestTwoEditorsDragTheSameTrack(t *testing.T) {
	chromium(t)
	p := start(t)
	a, b := p.browse(t, "ada"), p.browse(t, "bob")
	a.signUp("Ada")
	b.signUp("Bob")
	tracks := []string{"demo:aurora", "demo:night-tram", "demo:paper-boats", "demo:lantern-walk"}

	// Ada begins it, Bob finds it.
	a.visit("#/playlists")
	a.press(at("new-playlist"))
	a.fill(at("create-playlist")+" input[name=name]", "Sunday drive")
	a.press(at("create-playlist") + ` input[value="public"]`)
	a.press(at("create-playlist") + " " + at("submit"))
	a.wait("the playlist is shown", `document.querySelector('[data-test="playlist-name"]')?.textContent === "Sunday drive"`)
	id := strings.TrimPrefix(ask[string](a, "location.hash"), "#/playlist/")
	equal(t, "the address names the playlist", subjects.CheckID(subjects.PrefixPlaylist, id), nil)
	witness := p.register("witness")
	witness.told("playlists/"+id, "join", nil)
	witness.told("playlists/"+id, "add", body{"tracks": tracks})
	a.lists(tracks...)
	b.visit("#/playlists")
	b.press(`[data-playlist="` + id + `"]`)
	b.lists(tracks...)
	equal(t, "who has not joined is offered handles", ask[bool](b, `Boolean(document.querySelector('[data-test="playlist-handle"]')?.checkVisibility())`), false)
	b.press(at("playlist-join"))
	b.wait("bob may move", `document.querySelector('[data-test="playlist-handle"]')?.checkVisibility()`)

	// Both hold the first track. Ada carries it to the end, Bob one down.
	last, second := a.middle(handle(tracks[3])), b.middle(handle(tracks[1]))
	fromA, fromB := a.hold(tracks[0]), b.hold(tracks[0])
	last.Y, second.Y = last.Y+30, second.Y+12
	a.carry(tracks[0], fromA, last, 3)
	b.carry(tracks[0], fromB, second, 1)
	var both sync.WaitGroup
	both.Go(func() { a.letGo(spot{fromA.X, last.Y}) })
	both.Go(func() { b.letGo(spot{fromB.X, second.Y}) })
	both.Wait()

	bounced := func(w *page) string {
		return ask[string](w, `document.querySelector('[data-test="bounce"]')?.textContent ?? ""`)
	}
	var told, other *page
	eventually(t, func() string {
		inA, inB := bounced(a), bounced(b)
		switch {
		case inA != "" && inB != "":
			t.Fatalf("both are refused: %q and %q", inA, inB)
		case inA != "":
			told, other = a, b
		case inB != "":
			told, other = b, a
		default:
			return "nobody is told"
		}
		return ""
	})
	name := map[*page]string{a: "Ada", b: "Bob"}[other]
	if why := bounced(told); !strings.Contains(why, name) {
		t.Errorf("%s is told %q, which does not name %s", told.name, why, name)
	}
	want := map[*page][]string{
		a: {tracks[1], tracks[2], tracks[3], tracks[0]},
		b: {tracks[1], tracks[0], tracks[2], tracks[3]},
	}[other]
	a.lists(want...)
	b.lists(want...)
	var now struct {
		Hash  string            `json:"hash"`
		State subjects.Playlist `json:"state"`
	}
	must(t, witness.get("/v1/playlists/"+id, &now))
	same(t, "the server's list", now.State.TrackIDs(), want)

	told.pose("playlist")

	// With the keyboard: the last to the top.
	b.run("focus", chromedp.Focus(chromedp.CSS(handle(want[3]))))
	b.run("take it, and up three", chromedp.KeyEvent(" "+strings.Repeat(kb.ArrowUp, 3)+" "))
	want = []string{want[3], want[0], want[1], want[2]}
	a.lists(want...)
	b.lists(want...)
	b.wait("it is said aloud", `document.querySelector('[data-test="playlist-says"]').textContent.includes("place 1")`)
	b.run("and let be", chromedp.KeyEvent(" "), chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.Escape))
	b.lists(want...)

	// What Bob holds is taken out by Ada.
	from := b.hold(want[1])
	witness.told("playlists/"+id, "remove", body{"tracks": []string{want[1]}})
	b.wait("his hand is empty, and he is told", `!document.querySelector('[data-held]') && [...document.querySelectorAll('[data-test="toast"]')].some((x) => x.textContent.includes("witness"))`)
	b.letGo(from)
	left := []string{want[0], want[2], want[3]}
	a.lists(left...)
	b.lists(left...)
	for _, w := range []*page{a, b} {
		w.wait("its hash is the server's", `(async () => await window.tutti.playlist.hash())()`)
	}
	must(t, witness.get("/v1/playlists/"+id, &now))
	for _, w := range []*page{a, b} {
		equal(t, w.name+"'s hash", ask[string](w, `window.tutti.playlist.hash()`), now.Hash)
	}
}
