package catalog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tuttihq/tutti/services/internal/catalog/demo"
	"github.com/tuttihq/tutti/subjects"
)

// piece is a real file to serve: a demo piece's WAV.
func piece(t *testing.T) []byte {
	t.Helper()
	r, _, _, err := demo.NewLibrary(1).Open("copper-kettle")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tagged is 20 s of silence as MP3 at 128 kbit/s, with title and artist.
func tagged() []byte {
	frames := func(name, text string) string {
		return name + "\x00\x00\x00" + string(rune(len(text)+1)) + "\x00\x00\x03" + text
	}
	tag := frames("TIT2", "Silence\u202e for All") + frames("TPE1", "  Quiet\nBand ")
	frame := append([]byte{0xff, 0xfb, 0x90, 0}, make([]byte, 413)...)
	return append([]byte("ID3\x04\x00\x00\x00\x00\x00"+string(rune(len(tag)))+tag), bytes.Repeat(frame, 766)...)
}

// shop is a server of files, counting the requests and bytes it is asked for.
type shop struct {
	*httptest.Server
	requests, bytes atomic.Int64
}

type counting struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c counting) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return c.ResponseWriter.Write(p)
}

func open(t *testing.T, handle http.HandlerFunc) *shop {
	t.Helper()
	s := &shop{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		handle(counting{w, &s.bytes}, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func serve(b []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Unix(1, 0), bytes.NewReader(b))
	}
}

// plain serves without ranges.
func plain(b []byte, length bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if length {
			w.Header().Set("Content-Length", strconv.Itoa(len(b)))
		}
		w.WriteHeader(http.StatusOK)
		for len(b) > 0 {
			n := min(len(b), 16<<10)
			if _, err := w.Write(b[:n]); err != nil {
				return
			}
			b = b[n:]
		}
	}
}

func atHome(t *testing.T, change ...func(*Config)) *Catalog {
	t.Helper()
	cfg := DefaultConfig()
	cfg.URL.AllowPrivate = true
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestURLTracks(t *testing.T) {
	wav, mp3 := piece(t), tagged()
	s := open(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/copper%20kettle_1.wav", "/copper kettle_1.wav":
			serve(wav)(w, r)
		case "/tagged":
			serve(mp3)(w, r)
		case "/plain.mp3":
			plain(mp3, true)(w, r)
		case "/chunked.mp3":
			plain(mp3, false)(w, r)
		case "/hop":
			http.Redirect(w, r, "/tagged", http.StatusFound)
		}
	})
	lib := demo.NewLibrary(1)
	p, _ := lib.Piece("copper-kettle")
	c := atHome(t)
	for path, want := range map[string]Track{
		"/copper%20kettle_1.wav#t=4": {Title: "copper kettle 1", DurationMs: p.Duration.Milliseconds(), URL: s.URL + "/copper%20kettle_1.wav"},
		"/tagged":                    {Title: "Silence for All", Artist: "Quiet Band", DurationMs: 20010, URL: s.URL + "/tagged"},
		"/plain.mp3":                 {Title: "Silence for All", Artist: "Quiet Band", DurationMs: 20010, URL: s.URL + "/plain.mp3"},
		"/chunked.mp3":               {Title: "Silence for All", Artist: "Quiet Band", DurationMs: 20010, URL: s.URL + "/chunked.mp3"},
		"/hop":                       {Title: "Silence for All", Artist: "Quiet Band", DurationMs: 20010, URL: s.URL + "/hop"},
	} {
		got, err := c.Resolve(t.Context(), s.URL+path)
		want.Provider = "url"
		want.ID, _ = c.Match(s.URL + path)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", path, got, err, want)
			continue
		}
		before := s.requests.Load()
		if again, err := c.Resolve(t.Context(), got.ID); err != nil || again != got {
			t.Errorf("%s by its id: %+v, %v", path, again, err)
		}
		if s.requests.Load() != before {
			t.Errorf("%s by its id was fetched", path)
		}
	}
	if n := s.bytes.Load(); n > 2<<20 {
		t.Errorf("%d bytes sent", n)
	}
}

func TestURLRefusals(t *testing.T) {
	mp3 := tagged()
	s := open(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/page":
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>"+strings.Repeat("x", 100))
		case "/text":
			_, _ = io.WriteString(w, "no music in here, none at all")
		case "/empty":
			serve(nil)(w, r)
		case "/busy":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/wait":
			w.WriteHeader(http.StatusTooManyRequests)
		case "/forbidden":
			w.WriteHeader(http.StatusForbidden)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/secret":
			http.Redirect(w, r, "http://me:secret@127.0.0.1/", http.StatusFound)
		case "/metadata":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusFound)
		case "/large":
			w.Header().Set("Content-Range", "bytes 0-63/99999999999999")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(mp3[:64])
		case "/endless":
			for {
				if _, err := w.Write(make([]byte, 32<<10)); err != nil {
					return
				}
			}
		case "/wrong":
			w.Header().Set("Content-Range", "bytes 5-63/100")
			w.WriteHeader(http.StatusPartialContent)
		case "/packed":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(mp3)
		case "/cut":
			w.Header().Set("Content-Length", strconv.Itoa(len(mp3)))
			_, _ = w.Write(mp3[:20])
		default:
			http.NotFound(w, r)
		}
	})
	c := atHome(t, func(cfg *Config) { cfg.URL.MaxReadBytes = 1 << 20 })
	for path, want := range map[string]error{
		"/page": ErrNotMedia, "/text": ErrNotMedia, "/empty": ErrNotMedia, "/packed": ErrNotMedia, "/wrong": ErrNotMedia,
		"/busy": ErrUnavailable, "/wait": ErrUnavailable, "/cut": ErrUnavailable,
		"/missing": ErrUnknown, "/forbidden": ErrUnknown,
		"/loop": ErrNotMedia, "/file": ErrForbiddenAddress, "/secret": ErrForbiddenAddress, "/metadata": ErrForbiddenAddress,
		"/large": ErrTooLarge, "/endless": ErrTooLarge,
	} {
		_, err := c.Resolve(t.Context(), s.URL+path)
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "127.0.0.1") || strings.Contains(err.Error(), "169.254") || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s tells too much: %v", path, err)
		}
	}
	if _, err := c.Resolve(t.Context(), "url:"+strings.Repeat("a", 32)); !errors.Is(err, ErrUnknown) {
		t.Errorf("an id nobody remembers: %v", err)
	}
	if _, err := c.Resolve(t.Context(), "http://user:pass@example.com/a.mp3"); !errors.Is(err, ErrForbiddenAddress) {
		t.Errorf("credentials: %v", err)
	}
	s.Close()
	if _, err := c.Resolve(t.Context(), s.URL+"/gone"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestPrivateAddressesAreRefused(t *testing.T) {
	s := open(t, serve(tagged()))
	c := atHome(t, func(cfg *Config) { cfg.URL.AllowPrivate = false })
	port := s.URL[strings.LastIndexByte(s.URL, ':'):]
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]"} {
		if _, err := c.Resolve(t.Context(), "http://"+host+port+"/a.mp3"); !errors.Is(err, ErrForbiddenAddress) {
			t.Errorf("%s: %v", host, err)
		}
	}
	for _, address := range []string{"http://10.0.0.1/", "http://169.254.169.254/latest/", "http://[fd00:ec2::254]/", "http://192.168.0.1:8080/x.mp3", "https://100.64.0.1/", "http://[fe80::1%25lo]/"} {
		if _, err := c.Resolve(t.Context(), address); !errors.Is(err, ErrForbiddenAddress) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if n := s.requests.Load(); n != 0 {
		t.Errorf("%d requests came through", n)
	}
}

// TestNamesAreCheckedWhenDialled has a name that leads to this machine, as after a
// change of its record between a check and the connection.
func TestNamesAreCheckedWhenDialled(t *testing.T) {
	s := open(t, serve(tagged()))
	client := newGuardedClient(DefaultConfig().URL)
	defer client.CloseIdleConnections()
	guarded := client.Transport.(*http.Transport).DialContext
	client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return guarded(ctx, network, s.Listener.Addr().String()) // what the resolver came up with
	}
	if _, err := openRemote(t.Context(), client, "http://rebound.example/a.mp3", DefaultConfig().URL); !errors.Is(err, ErrForbiddenAddress) {
		t.Errorf("got %v", err)
	}
	if s.requests.Load() != 0 {
		t.Error("the request came through")
	}
}

func TestProxyOfTheEnvironmentIsNotUsed(t *testing.T) {
	s := open(t, serve(tagged()))
	t.Setenv("HTTP_PROXY", s.URL)
	client := newGuardedClient(URLConfig{AllowPrivate: true})
	if client.Transport.(*http.Transport).Proxy != nil {
		t.Error("there is a proxy")
	}
}

func TestNormalise(t *testing.T) {
	for in, want := range map[string]string{
		"HTTP://Example.COM":                  "http://example.com/",
		"http://example.com:80/a?b=C#d":       "http://example.com/a?b=C",
		"https://example.com:443/a%2Fb":       "https://example.com/a%2Fb",
		"https://example.com:80/":             "https://example.com:80/",
		"http://example.com:/x":               "http://example.com/x",
		"http://[2606:4700::1111]:80/a b.mp3": "http://[2606:4700::1111]/a%20b.mp3",
	} {
		u, err := normalise(in)
		if err != nil || u.String() != want {
			t.Errorf("%q: %v, %v; want %q", in, u, err, want)
		}
	}
}

func FuzzNormalise(f *testing.F) {
	for _, s := range []string{"http://a.example/b.mp3", "https://[::1]:443/%41?q=\"", "HTTP://ü.example:80/ü#x", "http://a:/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := normalise(s)
		if err != nil {
			return
		}
		again, err := normalise(u.String())
		if err != nil || again.String() != u.String() || len(u.String()) > subjects.MaxTrackRef {
			t.Errorf("%q gives %q, and that %v, %v", s, u, again, err)
		}
		if title := titleFrom(u); title == "" {
			t.Errorf("%q has no title", u)
		}
	})
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		" a \t\n b ": "a b", "a\x00\x1b[31mb": "a[31mb", "\u202eabc\u2066": "abc", "\xff\xfeok": "ok", "": "", "Ünï 日本": "Ünï 日本",
		strings.Repeat("ü", 300): strings.Repeat("ü", maxTitle),
	} {
		if got := clean(in); got != want || !utf8.ValidString(got) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	u, _ := url.Parse("https://host.example/")
	if got := titleFrom(u); got != "host.example" {
		t.Errorf("%q", got)
	}
}

func TestABareIDDoesNotSpoilItsAddress(t *testing.T) {
	hold := make(chan struct{})
	s := open(t, func(w http.ResponseWriter, r *http.Request) {
		<-hold
		serve(tagged())(w, r)
	})
	c := atHome(t)
	id, _ := c.Match(s.URL + "/a.mp3")
	if _, err := c.Resolve(t.Context(), id); !errors.Is(err, ErrUnknown) {
		t.Errorf("the id alone: %v", err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := c.Resolve(context.Background(), s.URL+"/a.mp3")
		done <- err
	}()
	for s.requests.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	if _, err := c.Resolve(t.Context(), id); !errors.Is(err, ErrUnknown) {
		t.Errorf("the id alone while its address is fetched: %v", err)
	}
	close(hold)
	if err := <-done; err != nil {
		t.Errorf("the address: %v", err)
	}
	if got, err := c.Resolve(t.Context(), id); err != nil || got.ID != id {
		t.Errorf("the id once its track is known: %+v, %v", got, err)
	}
}
