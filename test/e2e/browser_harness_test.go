package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browserWanted makes a missing browser a failure; CI sets it.
const browserWanted = "TUTTI_TEST_BROWSER"

// chromium finds the browser, or skips the test and says so.
func chromium(t *testing.T) string {
	t.Helper()
	if raced {
		t.Skip("browsers are for runs without the race detector: with it, a machine of two cores has no time left for sound")
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv(browserWanted) != "" {
		t.Fatalf("%s is set and there is no Chromium on PATH", browserWanted)
	}
	t.Skip("NOT TESTED: there is no Chromium on PATH to open the web app with")
	return ""
}

// page is a browser of its own, with its own profile, that shows the web app.
type page struct {
	t    *testing.T
	name string
	ctx  context.Context

	mu     sync.Mutex
	said   []string // what the page complained of
	outage bool     // the server is away: failed requests are no wonder
	asked  string   // part of the address of a request that is to be refused
}

// browse opens the web app in a new browser.
func (p *program) browse(t *testing.T, name string) *page {
	t.Helper()
	profile := t.TempDir()
	opts := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(chromium(t)), chromedp.Flag("no-sandbox", true), chromedp.UserDataDir(profile),
		chromedp.WindowSize(1280, 800), chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
	)
	alloc, stopBrowser := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, closePage := chromedp.NewContext(alloc)
	w := &page{t: t, name: name, ctx: ctx}
	t.Cleanup(func() {
		if t.Failed() {
			w.picture(filepath.Join(os.TempDir(), "tutti-"+name+".png"))
		}
		stop, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := chromedp.Cancel(stop); err != nil && !errors.Is(err, context.Canceled) {
			t.Logf("%s: closing the browser: %v", name, err)
		}
		closePage()
		stopBrowser()
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, s := range w.said {
			t.Errorf("%s: the page's console: %s", name, s)
		}
	})
	must(t, chromedp.Listen(ctx, w.listen))
	w.run("open the page", chromedp.EmulateViewport(1280, 800), chromedp.Navigate("http://"+p.http))
	w.wait("the page is connected", `document.documentElement.dataset.connection === "live"`)
	return w
}

// listen keeps what a page should not have to say.
func (w *page) listen(ev any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := ev.(type) {
	case *runtime.EventExceptionThrown:
		w.said = append(w.said, (&chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails}).Error())
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			var parts []string
			for _, a := range e.Args {
				parts = append(parts, string(a.Value), a.Description)
			}
			w.said = append(w.said, strings.Join(parts, " "))
		}
	case *log.EventEntryAdded:
		network := e.Entry.Source == log.EntrySourceNetwork || strings.Contains(e.Entry.Text, "WebSocket")
		refused := w.asked != "" && strings.Contains(e.Entry.URL, w.asked)
		if e.Entry.Level == log.EntryLevelError && !(w.outage && network) && !refused {
			w.said = append(w.said, fmt.Sprintf("%s %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	}
}

// away says whether the server is away, so that failing to reach it is expected.
func (w *page) away(is bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outage = is
}

// refuses says that requests to an address are to be refused, which the browser complains of.
func (w *page) refuses(part string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = part
}

// run carries out some steps.
func (w *page) run(what string, steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		w.t.Fatalf("%s: %s: %v", w.name, what, err)
	}
}

func at(test string) string { return `[data-test="` + test + `"]` }

// press clicks what a selector finds, once it is visible, moves no more and nothing covers
// it.
func (w *page) press(selector string) {
	w.t.Helper()
	w.run("find "+selector, chromedp.WaitVisible(chromedp.CSS(selector)))
	ask[bool](w, fmt.Sprintf(`(async () => {
		for (let was = ""; ;) {
			const e = document.querySelector(%q);
			e?.scrollIntoView({ block: "center", behavior: "instant" });
			const r = e?.getBoundingClientRect(), is = r ? r.x + " " + r.y : "none";
			const top = r && document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2);
			if (is === was && top && (e.contains(top) || top.contains(e))) return true;
			was = is;
			await new Promise((done) => setTimeout(done, 60));
		}
	})()`, selector))
	w.run("press "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// fill types into a field in place of what it holds.
func (w *page) fill(selector, text string) {
	w.t.Helper()
	s := chromedp.CSS(selector)
	w.run("find "+selector, chromedp.WaitVisible(s))
	ask[string](w, fmt.Sprintf("document.querySelector(%q).value = ''", selector))
	w.run("fill "+selector, chromedp.SendKeys(s, text, chromedp.NodeVisible))
}

// ask reads a value from a page; promises are waited for.
func ask[T any](w *page, script string) T {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		w.t.Errorf("%s: evaluate %s: %v", w.name, script, err)
	}
	return v
}

// wait waits until an expression is true.
func (w *page) wait(what, expression string) {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		if ask[bool](w, "Boolean("+expression+")") {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s: not so: %s (%s)", w.name, what, expression)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// picture takes a screenshot into a file, if it can.
func (w *page) picture(file string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		w.t.Logf("%s: no screenshot: %v", w.name, err)
		return
	}
	must(w.t, os.WriteFile(file, png, 0o600))
	w.t.Logf("%s: screenshot in %s", w.name, file)
}
