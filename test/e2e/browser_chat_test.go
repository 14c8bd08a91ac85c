package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// chatted gives the texts of the messages that are shown, the oldest first.
func (w *page) chatted() []string {
	w.t.Helper()
	return ask[[]string](w, `[...document.querySelectorAll('[data-test="chat-message"] [data-test="chat-text"]')].map((m) => m.textContent.trim())`)
}

// write sends a chat message with the keyboard.
func (w *page) write(words string) {
	w.t.Helper()
	w.fill(at("chat-input"), words)
	w.run("send", chromedp.SendKeys(chromedp.CSS(at("chat-input")), kb.Enter))
}

// reads waits until a message is the last that is shown.
func (w *page) reads(words string) {
	w.t.Helper()
	eventually(w.t, func() string {
		if got := w.chatted(); len(got) == 0 || got[len(got)-1] != words {
			return fmt.Sprintf("%s: the last message is not %q: %q", w.name, words, got[max(0, len(got)-3):])
		}
		return ""
	})
}

// Two people talk beside a room; the server is killed and comes back. What was written
// meanwhile arrives once, and what was said before is all there, page by page.
func TestTwoBrowsersChatAcrossARestart(t *testing.T) {
	chromium(t)
	p := start(t)
	a, b := p.browse(t, "ada"), p.browse(t, "bob")
	a.signUp("Ada")
	b.signUp("Bob")
	witness := p.register("witness")
	room := witness.open("Talk", body{"tracks": []string{"demo:aurora"}})
	const before = 120
	for i := range before {
		witness.told("chats/"+room, "send", body{"text": fmt.Sprint("old ", i)})
	}
	for _, w := range []*page{a, b} {
		w.visit("#/room/" + room)
		w.press(at("join"))
		w.reads(fmt.Sprint("old ", before-1))
	}
	if got := len(a.chatted()); got > 60 {
		t.Errorf("%d messages are shown before anybody asked for older ones", got)
	}

	a.write("good evening")
	b.reads("good evening")
	b.run("begin to type", chromedp.SendKeys(chromedp.CSS(at("chat-input")), "h"))
	a.wait("ada sees that bob types", `document.querySelector('[data-test="chat-typing"]').textContent.includes("Bob")`)
	b.write("hello Ada")
	a.reads("hello Ada")

	for _, w := range []*page{a, b} {
		w.away(true)
	}
	p.kill()
	b.wait("the loss is shown", `document.documentElement.dataset.connection !== "live"`)
	b.write("is anybody there?")
	b.wait("it waits", `document.querySelector('[data-test="chat-waiting"]')`)
	time.Sleep(time.Second)
	p.up()
	for _, w := range []*page{a, b} {
		w.wait("connected again", `document.documentElement.dataset.connection === "live"`)
		w.away(false)
	}
	a.reads("is anybody there?")
	b.reads("is anybody there?")
	a.write("yes")
	a.reads("yes")
	b.reads("yes")
	want := []string{"good evening", "hello Ada", "is anybody there?", "yes"}
	for _, w := range []*page{a, b} {
		got := w.chatted()
		same(t, "what "+w.name+" shows", got[len(got)-4:], want)
	}
	b.wait("nothing waits any more", `!document.querySelector('[data-test="chat-waiting"]')`)

	// All the way back, each message once and in order.
	var all []string
	for i := range before {
		all = append(all, fmt.Sprint("old ", i))
	}
	eventually(t, func() string {
		ask[bool](a, `(() => { const s = document.querySelector('[data-test="chat-scroller"]'); s.scrollTop = 0; return true; })()`)
		got := a.chatted()
		if len(got) == 0 || got[0] != "old 0" {
			return fmt.Sprintf("%d messages are shown, from %q", len(got), got[:min(1, len(got))])
		}
		if slices.Equal(got, append(slices.Clone(all), want...)) {
			return ""
		}
		return fmt.Sprintf("not all, or not in order: %q", got)
	})
	same(t, "the history", witness.says(room)[96:], want)
}
