package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

// exchange trades a refresh token.
func (w *person) exchange(token string) error {
	var got subjects.Grant
	err := w.post("/v1/auth/refresh", map[string]string{"refresh_token": token}, &got)
	if err == nil {
		w.take(got)
	}
	return err
}

// A session is kept alive by its refresh token, which works once; used twice, it ends the
// session, whoever has the newer one.
func TestSessions(t *testing.T) {
	t.Parallel()
	p := start(t)
	ann := p.register("ann")
	ann.profileArrives(t)
	var keys subjects.KeySet
	must(t, p.nobody().get("/.well-known/jwks.json", &keys))
	if len(keys.Keys) == 0 {
		t.Fatal("no keys to verify tokens with")
	}

	first := *ann
	must(t, ann.exchange(first.refresh))
	if ann.refresh == first.refresh || ann.id != first.id {
		t.Fatal("the refresh token was not replaced, or the account was")
	}
	must(t, ann.get("/v1/me", nil))
	second := ann.refresh
	thief := &person{p: p}
	equal(t, "the first token again", codeOf(thief.exchange(first.refresh)), subjects.CodeTokenReused)
	equal(t, "the newer token of that session", codeOf(thief.exchange(second)), subjects.CodeUnauthenticated)

	must(t, ann.login())
	phone := *ann
	must(t, ann.login())
	must(t, ann.post("/v1/auth/logout", map[string]string{"refresh_token": phone.refresh}, nil))
	must(t, ann.post("/v1/auth/logout", map[string]string{"refresh_token": phone.refresh}, nil)) // again is nothing
	equal(t, "after logging out", codeOf(thief.exchange(phone.refresh)), subjects.CodeUnauthenticated)
	tablet := *ann
	must(t, ann.login())
	var ended subjects.LogoutAllAnswer
	must(t, ann.post("/v1/auth/logout-all", nil, &ended))
	equal(t, "sessions ended", ended.Sessions, 2)
	for _, s := range []string{tablet.refresh, ann.refresh} {
		equal(t, "after logging out everywhere", codeOf(thief.exchange(s)), subjects.CodeUnauthenticated)
	}

	equal(t, "a wrong password", codeOf(p.nobody().post("/v1/auth/login", map[string]string{"email": ann.email, "password": "wrong password"}, nil)), subjects.CodeBadCredentials)
	equal(t, "an unknown address", codeOf(p.nobody().post("/v1/auth/login", map[string]string{"email": "who@example.org", "password": "wrong password"}, nil)), subjects.CodeBadCredentials)

	// A token of another making is none.
	for _, bad := range []string{"x", strings.Repeat("y", 5000), first.access + "x", "e30.e30.e30"} {
		forged := &person{p: p, access: bad}
		equal(t, "a forged token", codeOf(forged.get("/v1/me", nil)), subjects.CodeUnauthenticated)
		equal(t, "a forged token where none is needed", codeOf(forged.get("/v1/rooms", nil)), subjects.CodeUnauthenticated)
	}

	// Sessions and keys outlive the process.
	must(t, ann.login())
	p.kill()
	p.up()
	must(t, ann.get("/v1/me", nil))
	must(t, ann.exchange(ann.refresh))
}

// An access token ends by itself; who is late is told so, and comes back by refreshing.
func TestTokensExpire(t *testing.T) {
	t.Parallel() // it mostly waits
	p := start(t, "AUTH__ACCESS_LIFE=1s", "AUTH__REFRESH_LIFE=1h")
	ann := p.register("ann")
	ann.profileArrives(t)
	eventually(t, func() string {
		err := ann.get("/v1/me", nil)
		if codeOf(err) != subjects.CodeUnauthenticated {
			return fmt.Sprintf("the token is good for ever: %v", err)
		}
		return ""
	})
	_, header, _, err := ann.send(http.MethodGet, "/v1/me", nil, nil)
	must(t, err)
	if got := header.Get("WWW-Authenticate"); !strings.Contains(got, "invalid_token") {
		t.Fatalf("WWW-Authenticate: %q", got)
	}
	must(t, ann.exchange(ann.refresh)) // with the dead access token in its header
	must(t, ann.get("/v1/me", nil))
}

// The demo tracks are real files, whole and in ranges, as players ask for them.
func TestDemoMedia(t *testing.T) {
	t.Parallel()
	p := start(t)
	nobody := p.nobody()
	var list struct {
		Tracks []subjects.Track `json:"tracks"`
	}
	must(t, nobody.get("/v1/tracks?limit=2", &list))
	equal(t, "tracks", len(list.Tracks), 2)
	track := list.Tracks[0]
	fetch := func(path string, header http.Header) (int, http.Header, []byte) {
		t.Helper()
		status, got, text, err := nobody.send(http.MethodGet, path, nil, header)
		must(t, err)
		return status, got, text
	}
	status, header, whole := fetch(track.URL, nil)
	equal(t, "status", status, http.StatusOK)
	equal(t, "type", header.Get("Content-Type"), "audio/wav")
	if !bytes.HasPrefix(whole, []byte("RIFF")) || len(whole) < 100_000 {
		t.Fatalf("%d bytes beginning %q are no sound", len(whole), whole[:min(4, len(whole))])
	}
	size := len(whole)
	for asked, want := range map[string][]byte{
		"bytes=0-3":                           whole[:4],
		"bytes=100-199":                       whole[100:200],
		fmt.Sprintf("bytes=%d-", size-10):     whole[size-10:],
		"bytes=-7":                            whole[size-7:],
		fmt.Sprintf("bytes=5-%d", size+1_000): whole[5:],
		fmt.Sprintf("bytes=0-%d", size-1):     whole,
	} {
		status, header, part := fetch(track.URL, http.Header{"Range": {asked}})
		equal(t, asked, status, http.StatusPartialContent)
		equal(t, asked, bytes.Equal(part, want), true)
		if !strings.HasSuffix(header.Get("Content-Range"), fmt.Sprintf("/%d", size)) {
			t.Fatalf("%s: Content-Range %q", asked, header.Get("Content-Range"))
		}
	}
	status, header, answer := fetch(track.URL, http.Header{"Range": {fmt.Sprintf("bytes=%d-", size)}})
	equal(t, "beyond the end", status, http.StatusRequestedRangeNotSatisfiable)
	equal(t, "Content-Range", header.Get("Content-Range"), fmt.Sprintf("bytes */%d", size))
	equal(t, "a problem document", json.Valid(answer), true)
	_, header, _ = fetch(track.URL, nil)
	status, _, _ = fetch(track.URL, http.Header{"If-None-Match": {header.Get("ETag")}})
	equal(t, "the same again", status, http.StatusNotModified)
	status, _, _ = fetch(track.URL, http.Header{"Range": {"bytes=0-3"}, "If-Range": {`"another"`}})
	equal(t, "a part of what it was before", status, http.StatusOK)
	status, header, _ = fetch(track.ArtworkURL, nil)
	equal(t, "artwork", status, http.StatusOK)
	equal(t, "type", header.Get("Content-Type"), "image/svg+xml")
	for _, path := range []string{"/media/demo/nothing.wav", "/media/demo/..%2f..%2fgo.mod", "/media/demo/aurora.exe"} {
		status, _, _ = fetch(path, nil)
		equal(t, path, status, http.StatusNotFound)
	}
}

// Who asks too often is told when to come again, and that the same request will do.
func TestLimits(t *testing.T) {
	t.Parallel()
	p := start(t, "EDGE__LIMITS__EXEMPT=", "EDGE__LIMITS__LOGINS__BURST=3", "EDGE__LIMITS__COMMANDS__BURST=20", "EDGE__LIMITS__COMMANDS__PER_SECOND=1")
	ann := p.register("ann")
	for range 3 {
		must(t, ann.login())
	}
	status, header, answer, err := p.nobody().send(http.MethodPost, "/v1/auth/login", []byte(`{"email":" ANN@example.org","password":"wrong password"}`), nil)
	must(t, err)
	equal(t, "status", status, http.StatusTooManyRequests)
	var got problem
	must(t, json.Unmarshal(answer, &got))
	equal(t, "code", got.Code, subjects.CodeRateLimited)
	equal(t, "worth another try", got.Retry, true)
	if header.Get("Retry-After") == "" {
		t.Fatal("no Retry-After")
	}
	bob := p.register("bob") // another account is not locked out
	must(t, bob.login())

	room := ann.open("Limited", nil)
	eventually(t, func() string {
		_, err := ann.command(room, "position", body{"lat": 1, "lng": 1})
		if codeOf(err) != subjects.CodeRateLimited {
			return fmt.Sprintf("no end to what one may send: %v", err)
		}
		return ""
	})
	bob.do(room, "join", nil) // whose commands are counted for himself
	ann.see(room)             // and reads apart from commands
}
