package edge

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"
	"testing/fstest"
)

// withWeb makes an edge that serves a small web app.
func withWeb(t *testing.T, files fstest.MapFS) *Server {
	t.Helper()
	deps := newWorld().deps()
	deps.Web = files
	s, err := newServer(unlimited(), deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	return s
}

var page = fstest.MapFS{
	"index.html":   {Data: []byte("<!doctype html><title>x</title>" + strings.Repeat("<p>again</p>", 50))},
	"app.js":       {Data: []byte("a")},
	"style.css":    {Data: []byte("b")},
	"app/lobby.js": {Data: []byte("c")},
	"app/icon.svg": {Data: []byte("<svg/>")},
}

func TestTheWebAppIsServed(t *testing.T) {
	s := withWeb(t, page)
	for _, c := range []struct{ path, mime, file string }{
		{"/", "text/html; charset=utf-8", "index.html"},
		{"/app.js", "text/javascript; charset=utf-8", "app.js"},
		{"/app/lobby.js", "text/javascript; charset=utf-8", "app/lobby.js"},
		{"/style.css", "text/css; charset=utf-8", "style.css"},
		{"/app/icon.svg", "image/svg+xml", "app/icon.svg"},
	} {
		r := s.do(t, call{method: "GET", path: c.path, header: map[string]string{"Host": "tutti.example:8080"}})
		if r.status != 200 || r.header.Get("Content-Type") != c.mime || !bytes.Equal(r.body, page[c.file].Data) {
			t.Errorf("%s: %d %q, %d bytes", c.path, r.status, r.header.Get("Content-Type"), len(r.body))
		}
		if got := r.header.Get("Cache-Control"); got != "no-cache" {
			t.Errorf("%s: Cache-Control %q", c.path, got)
		}
		csp := r.header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none';", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: the policy lacks %q: %s", c.path, want, csp)
			}
		}
		if strings.Contains(csp, "unsafe") {
			t.Errorf("%s: the policy lets inline code in: %s", c.path, csp)
		}
		tag := r.header.Get("Etag")
		for _, have := range []string{tag, "W/" + tag, `"x", ` + tag} {
			again := s.do(t, call{method: "GET", path: c.path, header: map[string]string{"If-None-Match": have}})
			if again.status != 304 || len(again.body) != 0 || again.header.Get("Etag") != tag {
				t.Errorf("%s with %s: %v", c.path, have, again)
			}
		}
		if other := s.do(t, call{method: "GET", path: c.path, header: map[string]string{"If-None-Match": `"other"`}}); other.status != 200 {
			t.Errorf("%s with another tag: %d", c.path, other.status)
		}
		if head := s.do(t, call{method: "HEAD", path: c.path}); head.status != 200 || head.header.Get("Etag") != tag {
			t.Errorf("HEAD %s: %v %v", c.path, head, head.header)
		}
	}
	for _, path := range []string{"/index.html", "/app/", "/app", "/app/none.js", "/app/../app.js", "/web.go", "/app/%2e%2e/app.js"} {
		if r := s.do(t, call{method: "GET", path: path}); r.status == 404 {
			if p := r.problem(t); p.Code != "not_found" {
				t.Errorf("%s: %v", path, r)
			}
		} else if path != "/app/../app.js" && path != "/app/%2e%2e/app.js" || r.status != 200 || string(r.body) != "a" {
			t.Errorf("%s: %v", path, r)
		}
	}
	if r := s.do(t, call{method: "POST", path: "/", body: "{}"}); r.status != 405 {
		t.Errorf("POST /: %v", r)
	}
}

func TestTheWebAppIsPackedForWhoCanUnpack(t *testing.T) {
	s := withWeb(t, page)
	r := s.do(t, call{method: "GET", path: "/", header: map[string]string{"Accept-Encoding": "br, gzip"}})
	if r.header.Get("Content-Encoding") != "gzip" || !strings.Contains(r.header.Get("Vary"), "Accept-Encoding") || !strings.HasPrefix(r.header.Get("Etag"), "W/") {
		t.Fatalf("%d %v", r.status, r.header)
	}
	unpack, err := gzip.NewReader(bytes.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(unpack)
	if err != nil || !bytes.Equal(content, page["index.html"].Data) || len(r.body) >= len(content) {
		t.Errorf("%d bytes of %d, %v", len(content), len(r.body), err)
	}
	// What packing makes longer is sent as it is.
	if r := s.do(t, call{method: "GET", path: "/app.js", header: map[string]string{"Accept-Encoding": "gzip"}}); r.header.Get("Content-Encoding") != "" || string(r.body) != "a" {
		t.Errorf("%v %v", r, r.header)
	}
}

func TestTheWebPolicyNamesTheHostOnly(t *testing.T) {
	for host, want := range map[string]string{
		"tutti.example":       "connect-src 'self' ws://tutti.example wss://tutti.example;",
		"[::1]:8080":          "connect-src 'self' ws://[::1]:8080 wss://[::1]:8080;",
		"":                    "connect-src 'self';",
		"evil.example *":      "connect-src 'self';",
		"x; script-src *":     "connect-src 'self';",
		"a.example,b.example": "connect-src 'self';",
	} {
		if got := webPolicy(host, true); !strings.Contains(got, want) {
			t.Errorf("host %q: %s", host, got)
		}
	}
}

// A page that came over TLS plays nothing that comes in the clear.
func TestWhereThePageMayPlayFrom(t *testing.T) {
	if got := webPolicy("x", true); !strings.Contains(got, "media-src 'self' https:;") {
		t.Error(got)
	}
	if got := webPolicy("x", false); !strings.Contains(got, "media-src 'self' http: https:;") {
		t.Error(got)
	}
}

func TestWithoutAWebAppThereIsNoPage(t *testing.T) {
	s := newWorld().edge(t, unlimited())
	if p := s.do(t, call{method: "GET", path: "/"}).problem(t); p.Code != "not_found" {
		t.Errorf("%+v", p)
	}
}

func TestAWebFileOfAnotherKindIsReported(t *testing.T) {
	deps := newWorld().deps()
	deps.Web = fstest.MapFS{"index.html": {}, "secret.pem": {}}
	if _, err := newServer(unlimited(), deps); err == nil || !strings.Contains(err.Error(), "secret.pem") {
		t.Errorf("error %v", err)
	}
}

// Who types an address of the app without its "#" gets to the app; a program is told that there
// is nothing.
func TestAPageIsShownToWhoAsksForOne(t *testing.T) {
	s := withWeb(t, page)
	for path, to := range map[string]string{
		"/rooms/room_01M80DCYCR6AGP9KY75P01JK3A": "/#/rooms/room_01M80DCYCR6AGP9KY75P01JK3A",
		"/people/":                               "/#/people",
		"//elsewhere.example/x":                  "/#/elsewhere.example/x",
		"/a%0d%0ab%22%3E":                        "/#/a%0D%0Ab%22%3E",
	} {
		r := s.do(t, call{method: "GET", path: path, header: map[string]string{"Accept": "text/html,*/*;q=0.8"}})
		if r.status != 302 || r.header.Get("Location") != to || len(r.body) != 0 {
			t.Errorf("%s: %d to %q, want %q", path, r.status, r.header.Get("Location"), to)
		}
	}
	for _, c := range []call{
		{method: "GET", path: "/rooms/x", header: map[string]string{"Accept": "*/*"}},
		{method: "POST", path: "/rooms/x", header: map[string]string{"Accept": "text/html"}},
		{method: "GET", path: "/app/none.js", header: map[string]string{"Accept": "text/html"}},
		{method: "GET", path: "/v1/none", header: map[string]string{"Accept": "text/html"}},
	} {
		if r := s.do(t, c); r.status != 404 || r.problem(t).Code != "not_found" {
			t.Errorf("%s %s: %v", c.method, c.path, r)
		}
	}
}

// A page is fifty files each time that it is opened: what went well with them is no news.
func TestFilesOfTheWebAppAreNotToldAsRequests(t *testing.T) {
	w := newWorld()
	deps := w.deps()
	deps.Web = page
	s, err := newServer(unlimited(), deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	s.do(t, call{method: "GET", path: "/app.js"})
	s.do(t, call{method: "GET", path: "/v1/time"})
	s.do(t, call{method: "GET", path: "/missing.js"})
	for path, level := range map[string]string{"/app.js": "DEBUG", "/v1/time": "INFO", "/missing.js": "INFO"} {
		told := ""
		for line := range strings.Lines(w.logged()) {
			if strings.Contains(line, `"path":"`+path+`"`) {
				told = line
			}
		}
		if !strings.Contains(told, `"level":"`+level+`"`) {
			t.Errorf("%s is told as %q, want %s", path, told, level)
		}
	}
}
