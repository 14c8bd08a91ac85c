package edge

import (
	"bytes"
	"encoding/json"
	"net"
	"testing"
	"unicode/utf8"

	"github.com/valyala/fasthttp"
)

// FuzzPosts sends any body of any type to every path that takes one: the answer is a
// success or a problem document, whatever it was.
func FuzzPosts(f *testing.F) {
	for _, body := range []string{
		"", "{}", "[]", "null", `"x"`, `{"verb":"join"}`, `{"id":"` + cmdID("f") + `","verb":"vote","body":{"track":"demo:a"}}`,
		`{"verb":"suggest","body":{"tracks":["a",{"url":"http://x"},{"id":1}]}}`, `{"verb":"setGrants","body":{"role":"member","verbs":["vote"]}}`,
		`{"kind":"vote","name":"x","minimumScore":1,"open":true,"tracks":["demo:aurora"],"constraints":{"place":{"lat":1,"lng":1,"radiusM":1},"start":1,"end":2}}`,
		`{"email":"a@b.c","nickname":"n","password":"12345678"}`, `{"refresh_token":"x"}`, `{"bio":"x","avatarUrl":"y","rev":18446744073709551615}`,
		`{"a":` + string(bytes.Repeat([]byte("["), 200)), "{\"a\":\"\xff\"}", `{"a":"\ud800"}`, `{"verb":"seek","body":{"positionMs":1e400}}`,
	} {
		for kind := range uint8(9) {
			f.Add(kind, "application/json", []byte(body))
		}
		f.Add(uint8(0), "text/plain; charset=\"", []byte(body))
	}
	w := newWorld()
	s := w.edge(f, unlimited())
	var posts []route
	for _, rt := range s.routes() {
		if rt.method != fasthttp.MethodGet {
			posts = append(posts, rt)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, contentType string, body []byte) {
		rt := posts[int(which)%len(posts)]
		w.mu.Lock()
		w.log.Reset()
		w.asked, w.queried = nil, nil
		w.mu.Unlock()
		path := bytes.ReplaceAll([]byte(rt.path), []byte(":id"), []byte(open))
		var req fasthttp.Request
		req.Header.SetMethod(rt.method)
		req.SetRequestURIBytes(path)
		req.Header.SetHost("tutti.test")
		req.Header.SetContentType(contentType)
		req.Header.Set("Authorization", "Bearer token-of-"+bob)
		req.SetBody(body)
		checkAnswer(t, s, &req)
	})
}

// FuzzPaths asks for any path with any query and header.
func FuzzPaths(f *testing.F) {
	for _, path := range []string{
		"/", "/v1/rooms/" + open, "/v1/rooms/" + inner + "/members?limit=2&cursor=e30", "/v1/rooms/" + open + "/queue?cursor=eyJzY29yZSI6MX0",
		"/v1/rooms?prefix=%E2%82%AC&limit=5", "/v1/users?ids=" + ada, "/v1/users/" + ada, "/media/demo/aurora.wav", "/v1/tracks?query=a", "/v1/../healthz", "//x", "/%zz",
	} {
		f.Add("GET", path, "Range", "bytes=1-2")
		f.Add("HEAD", path, "If-None-Match", `W/"1-5"`)
		f.Add("OPTIONS", path, "Origin", "https://x")
		f.Add("BREW", path, "X-Forwarded-For", "1.2.3.4, x")
		f.Add("GET", path, "Authorization", "Bearer x")
	}
	cfg := unlimited()
	cfg.TrustedProxies = []string{"0.0.0.0/0"}
	w := newWorld()
	s := w.edge(f, cfg)
	f.Fuzz(func(t *testing.T, method, path, header, value string) {
		w.mu.Lock()
		w.log.Reset()
		w.asked, w.queried = nil, nil
		w.mu.Unlock()
		var req fasthttp.Request
		req.Header.SetMethod(method)
		req.SetRequestURI(path)
		req.Header.SetHost("tutti.test")
		req.Header.Set(header, value)
		checkAnswer(t, s, &req)
	})
}

func checkAnswer(t *testing.T, s *Server, req *fasthttp.Request) {
	t.Helper()
	var ctx fasthttp.RequestCtx
	ctx.Init(req, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}, nil)
	s.handler(&ctx)
	status, body := ctx.Response.StatusCode(), ctx.Response.Body()
	if status == fasthttp.StatusInternalServerError {
		t.Fatalf("%s %s %q: %s", req.Header.Method(), req.RequestURI(), req.Body(), body)
	}
	if status < 400 {
		return
	}
	var p problem
	if err := json.Unmarshal(body, &p); err != nil || p.Status != status || p.Code == "" || p.Detail == "" || !utf8.Valid(body) ||
		string(ctx.Response.Header.ContentType()) != mimeProblem {
		t.Fatalf("%s %s %q: %d %s (%v)", req.Header.Method(), req.RequestURI(), req.Body(), status, body, err)
	}
}
