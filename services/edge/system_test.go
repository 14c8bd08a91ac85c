package edge

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/services/internal/token"
	"github.com/tuttihq/tutti/subjects"
)

func TestHealthAndReadiness(t *testing.T) {
	w := newWorld()
	s := w.edge(t, unlimited())
	if r := s.do(t, call{method: "GET", path: "/healthz"}); r.status != 200 || string(r.body) != `{"status":"ok"}` {
		t.Fatalf("got %v", r)
	}
	if r := s.do(t, call{method: "GET", path: "/readyz"}); r.status != 200 {
		t.Fatalf("got %v", r)
	}
	w.ready = errors.New("secret detail")
	for range 3 {
		if r := s.do(t, call{method: "GET", path: "/readyz"}); r.status != 503 || strings.Contains(string(r.body), "secret") {
			t.Fatalf("got %v", r)
		}
	}
	w.ready = nil
	if r := s.do(t, call{method: "GET", path: "/readyz"}); r.status != 200 {
		t.Fatalf("got %v", r)
	}
	if l := w.logged(); strings.Count(l, `"level":"WARN","msg":"not ready"`) != 1 || strings.Count(l, `"level":"INFO","msg":"ready again"`) != 1 {
		t.Errorf("three probes of one outage are told as %s", l)
	}
	s.draining.Store(true)
	if r := s.do(t, call{method: "GET", path: "/readyz"}); r.status != 503 {
		t.Fatalf("got %v", r)
	}
	if r := s.do(t, call{method: "GET", path: "/healthz"}); r.status != 200 {
		t.Fatalf("got %v", r)
	}
}

func TestTimeKeysAndTracks(t *testing.T) {
	w := newWorld()
	w.query = func(_ context.Context, service, endpoint string, _ any) (any, error) {
		return subjects.KeySet{Keys: []subjects.PublicKey{{Type: "OKP", ID: service + "." + endpoint}}}, nil
	}
	s := w.edge(t, unlimited())
	for path, want := range map[string]string{
		"/v1/time":                `{"serverTime":1777636800000}`,
		"/.well-known/jwks.json":  `{"keys":[{"kty":"OKP","crv":"","use":"","alg":"","kid":"auth.keys","x":""}]}`,
		"/v1/tracks?query=none":   `{"tracks":[]}`,
		"/v1/tracks?limit=1":      `{"tracks":[{"id":"demo:aurora","provider":"","title":"Aurora","artist":"","durationMs":0,"url":"","artworkUrl":""}]}`,
		"/v1/tracks?query=aurora": `{"tracks":[{"id":"demo:aurora","provider":"","title":"Aurora","artist":"","durationMs":0,"url":"","artworkUrl":""}]}`,
	} {
		if r := s.do(t, call{method: "GET", path: path}); r.status != 200 || string(r.body) != want {
			t.Errorf("%s: got %v, want %s", path, r, want)
		}
	}
	s.deps.Tracks, s.deps.Media = nil, nil
	if r := s.do(t, call{method: "GET", path: "/v1/tracks"}); string(r.body) != `{"tracks":[]}` {
		t.Errorf("got %v", r)
	}
	if p := s.do(t, call{method: "GET", path: "/media/demo/aurora.wav"}).problem(t); p.Status != 404 {
		t.Errorf("got %+v", p)
	}
}

func TestPathsAndMethodsThatAreNotThere(t *testing.T) {
	w := newWorld()
	s := w.edge(t, unlimited())
	for _, path := range []string{"/", "/v1", "/v1/rooms/", "/V1/rooms", "/v1/rooms/" + open + "/", "/v1/rooms/" + open + "/x", "/v1/rooms/..%2f..", "/media/demo/", "/%00", "//"} {
		if p := s.do(t, call{method: "GET", path: path}).problem(t); p.Status != 404 || p.Code != subjects.CodeNotFound {
			t.Errorf("%s: %+v", path, p)
		}
	}
	for _, c := range []struct{ method, path, allow string }{
		{"DELETE", "/v1/rooms", "GET, HEAD, POST"},
		{"PUT", "/v1/me/profile", "PATCH"},
		{"GET", "/v1/auth/login", "POST"},
		{"POST", "/healthz", "GET, HEAD"},
		{"OPTIONS", "/v1/me", "GET, HEAD"},
		{"BREW", "/v1/me", allowedMethods},
	} {
		r := s.do(t, call{method: c.method, path: c.path})
		if p := r.problem(t); p.Status != 405 || p.Code != subjects.CodeMethodNotAllowed || r.header.Get("Allow") != c.allow {
			t.Errorf("%s %s: %v, Allow %q", c.method, c.path, r, r.header.Get("Allow"))
		}
	}
}

func TestMediaTypes(t *testing.T) {
	w := newWorld()
	s := w.edge(t, unlimited())
	for mt, status := range map[string]int{
		"application/json": 200, "application/json; charset=utf-8": 200, "Application/JSON;charset=UTF-8": 200,
		"application/json; charset=latin1": 415, "text/plain": 415, "application/x-www-form-urlencoded": 415,
		"multipart/form-data; boundary=x": 415, "application/jsonp": 415, ";": 415,
	} {
		if r := s.do(t, call{method: "POST", path: commandsPath(open), as: bob, body: `{"verb":"join"}`, header: map[string]string{"Content-Type": mt}}); r.status != status {
			t.Errorf("%s: %v", mt, r)
		}
	}
}

func TestAPanicIsOneRequestsProblem(t *testing.T) {
	w := newWorld()
	w.verify = func(string) (token.Principal, error) { panic("secret detail") }
	s := w.edge(t, unlimited())
	r := s.do(t, call{method: "GET", path: "/v1/me", as: bob})
	if p := r.problem(t); p.Code != subjects.CodeInternal || strings.Contains(string(r.body), "secret") {
		t.Fatalf("got %v", r)
	}
	if l := w.logged(); !strings.Contains(l, "secret detail") || !strings.Contains(l, "system_test.go") {
		t.Fatalf("the log has no stack: %s", l)
	}
}

func TestRequestIds(t *testing.T) {
	w := newWorld()
	s := w.edge(t, unlimited())
	get := func(id string) string {
		return s.do(t, call{method: "GET", path: "/healthz", header: map[string]string{"X-Request-Id": id}}).header.Get("X-Request-Id")
	}
	if got := get("Abc-1.2_3"); got != "Abc-1.2_3" {
		t.Fatalf("got %q", got)
	}
	for _, bad := range []string{"", "a b", `a"b`, "ü", strings.Repeat("x", 65)} {
		if got := get(bad); subjects.CheckID(prefixRequest, got) != nil {
			t.Fatalf("%q: got %q", bad, got)
		}
	}
	if !strings.Contains(w.logged(), `"request":"Abc-1.2_3"`) {
		t.Fatal("the log does not hold the id")
	}
}

func TestSecurityHeaders(t *testing.T) {
	w := newWorld()
	cfg := unlimited()
	cfg.TrustedProxies = []string{"10.0.0.0/8"}
	s := w.edge(t, cfg)
	for _, c := range []call{
		{method: "GET", path: "/healthz"}, {method: "GET", path: "/nowhere"}, {method: "GET", path: "/v1/me"},
		{method: "GET", path: "/v1/rooms/" + open}, {method: "BREW", path: "/"}, {method: "GET", path: "/media/demo/aurora.svg"},
	} {
		r := s.do(t, c)
		if r.header.Get("X-Content-Type-Options") != "nosniff" || r.header.Get("Server") != "" || r.header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s %s: %v", c.method, c.path, r.header)
		}
		if csp := r.header.Get("Content-Security-Policy"); c.method == "GET" && (!strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || r.header.Get("Referrer-Policy") != "no-referrer") {
			t.Errorf("%s: %v", c.path, r.header)
		}
	}
	hsts := func(from, proto string) bool {
		r := s.do(t, call{method: "GET", path: "/healthz", from: from, header: map[string]string{"X-Forwarded-Proto": proto}})
		return r.header.Get("Strict-Transport-Security") != ""
	}
	if hsts("192.0.2.1", "https") || hsts("10.0.0.1", "http") || !hsts("10.0.0.1", "https") {
		t.Error("HSTS is for TLS, and a proxy's word counts if it is trusted")
	}
}

func TestOtherOrigins(t *testing.T) {
	w := newWorld()
	ask := func(allowed []string, c call) reply {
		cfg := unlimited()
		cfg.AllowedOrigins = allowed
		return w.edge(t, cfg).do(t, c)
	}
	from := func(origin string) call {
		return call{method: "GET", path: "/v1/rooms/" + open, header: map[string]string{"Origin": origin}}
	}
	preflight := func(origin string) call {
		return call{method: "OPTIONS", path: "/v1/rooms", header: map[string]string{"Origin": origin, "Access-Control-Request-Method": "POST"}}
	}
	list := []string{"https://app.example"}
	for _, c := range []struct {
		allowed []string
		origin  string
		want    string
	}{
		{nil, "https://app.example", ""}, {list, "https://app.example", "https://app.example"}, {list, "https://evil.example", ""},
		{list, "https://app.example.evil", ""}, {list, "null", ""}, {[]string{"*"}, "https://any.example", "*"},
	} {
		r := ask(c.allowed, from(c.origin))
		if got := r.header.Get("Access-Control-Allow-Origin"); r.status != 200 || got != c.want || !strings.Contains(r.header.Get("Vary"), "Origin") {
			t.Errorf("%v from %s: %q %v", c.allowed, c.origin, got, r.header)
		}
		p := ask(c.allowed, preflight(c.origin))
		if got := p.header.Get("Access-Control-Allow-Headers") != ""; p.status != 204 || got != (c.want != "") || p.header.Get("Access-Control-Allow-Origin") != c.want {
			t.Errorf("preflight, %v from %s: %v %v", c.allowed, c.origin, p, p.header)
		}
		if p.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Error("credentials are allowed")
		}
	}
}

func TestConfigSaysEverythingThatIsWrong(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Fatal(err)
	}
	bad := Config{
		Listen: "nowhere", CertFile: "x", AllowedOrigins: []string{"*", "app.example", "https://a/b"},
		TrustedProxies: []string{"proxy"}, DrainDelay: -1,
		Limits: Limits{Commands: Rate{PerSecond: -1}, Reads: Rate{PerSecond: 1}, Exempt: []string{"x"}},
	}
	err := bad.Validate()
	for _, name := range []string{
		"listen", "cert_file", "allowed_origins[0]", "allowed_origins[1]", "allowed_origins[2]", "trusted_proxies",
		"max_connections", "max_header_bytes", "max_body_bytes", "read_timeout", "write_timeout", "idle_timeout",
		"query_timeout", "command_timeout", "drain_delay", "limits.commands", "limits.reads", "limits.clients", "limits.exempt",
	} {
		if err == nil || !strings.Contains(err.Error(), "edge."+name) {
			t.Errorf("%s is not named in: %v", name, err)
		}
	}
	cfg := Defaults()
	cfg.CertFile, cfg.KeyFile = "no such file", "nor this"
	if err := cfg.Validate(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := Start(t.Context(), Defaults(), Deps{}); err == nil || !strings.Contains(err.Error(), "Deps.Rooms") || !strings.Contains(err.Error(), "Deps.Log") {
		t.Errorf("got %v", err)
	}
}
