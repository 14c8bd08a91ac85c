package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/token"
	"github.com/tuttihq/tutti/subjects"
)

const password = "correct horse battery"

var pair = subjects.Grant{
	AccessToken: "acc", RefreshToken: "ref", TokenType: subjects.TokenBearer, ExpiresIn: 900, RefreshExpiresIn: 9000,
	User: subjects.User{ID: bob, Email: "bob@example.com", Nickname: "Bob", CreatedAt: 5},
}

func TestAccountsGoThroughToTheAuthService(t *testing.T) {
	w := newWorld()
	var req any
	w.query = func(_ context.Context, _, endpoint string, in any) (any, error) {
		req = in
		if endpoint == subjects.AuthLogoutAll {
			return subjects.LogoutAllAnswer{Sessions: 2}, nil
		}
		return pair, nil
	}
	s := w.edge(t, unlimited())
	granted := `{"access_token":"acc","refresh_token":"ref","token_type":"Bearer","expires_in":900,"refresh_expires_in":9000,` +
		`"user":{"id":"` + bob + `","email":"bob@example.com","nickname":"Bob","created_at":5}}`
	for _, c := range []struct {
		call
		status int
		asked  string
		req    any
		body   string
	}{
		{call{path: "/v1/auth/register", body: `{"email":"bob@example.com","nickname":"Bob","password":"` + password + `","request_id":"` + cmdID("r") + `"}`},
			201, "auth.register", subjects.RegisterRequest{RequestID: cmdID("r"), Email: "bob@example.com", Nickname: "Bob", Password: password}, granted},
		{call{path: "/v1/auth/login", body: `{"email":"bob@example.com","password":"` + password + `"}`},
			200, "auth.login", subjects.LoginRequest{Email: "bob@example.com", Password: password}, granted},
		// An old access token does no harm where it is exchanged.
		{call{path: "/v1/auth/refresh", body: `{"refresh_token":"r1"}`, header: map[string]string{"Authorization": "Bearer stale"}},
			200, "auth.refresh", subjects.RefreshRequest{RefreshToken: "r1"}, granted},
		{call{path: "/v1/auth/logout", body: `{"refresh_token":"r1"}`}, 204, "auth.logout", subjects.LogoutRequest{RefreshToken: "r1"}, ""},
		{call{path: "/v1/auth/logout-all", as: bob}, 200, "auth.logout_all", subjects.LogoutAllRequest{AccessToken: subjects.Secret("token-of-" + bob)}, `{"sessions":2}`},
	} {
		c.method, w.queried, req = "POST", nil, nil
		r := s.do(t, c.call)
		asked, _ := json.Marshal(req)
		want, _ := json.Marshal(c.req)
		if r.status != c.status || string(r.body) != c.body || fmt.Sprint(w.queried) != "["+c.asked+"]" || !bytes.Equal(asked, want) {
			t.Errorf("%s: got %v, asked %v %s", c.path, r, w.queried, asked)
		}
		if r.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be stored: %v", c.path, r.header)
		}
	}
	for _, secret := range []string{password, "acc\"", "r1", "token-of-", "bob@example"} {
		if strings.Contains(w.logged(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

func TestAccountRequestsAreCheckedFirst(t *testing.T) {
	w := newWorld()
	s := w.edge(t, unlimited())
	for _, c := range []struct{ path, body, field string }{
		{"register", `{"email":"a@b","nickname":"x","password":"y","admin":true}`, "admin"},
		{"register", `{"email":"a@b","nickname":7}`, "nickname"},
		{"register", `{"request_id":"x"}`, "request_id"},
		{"login", `{"email":["a"]}`, "email"},
		{"refresh", `{}`, "refresh_token"},
		{"refresh", `{"refresh_token":"` + strings.Repeat("x", subjects.MaxToken+1) + `"}`, "refresh_token"},
		{"logout", `{"refresh_token":null}`, "refresh_token"},
	} {
		r := s.do(t, call{method: "POST", path: "/v1/auth/" + c.path, body: c.body})
		if p := r.problem(t); p.Status != 400 || p.Field != c.field {
			t.Errorf("%s %s: %v", c.path, c.body, r)
		}
	}
	if r := s.do(t, call{method: "POST", path: "/v1/auth/logout-all", as: bob, body: `{"x":1}`}); r.status != 400 {
		t.Errorf("got %v", r)
	}
	if len(w.queried) != 0 {
		t.Fatalf("asked %v", w.queried)
	}
}

func TestWhoMayComeIn(t *testing.T) {
	w := newWorld()
	s := w.edge(t, unlimited())
	users := []call{
		{method: "GET", path: "/v1/me"}, {method: "PATCH", path: "/v1/me/profile", body: `{"bio":"x"}`},
		{method: "POST", path: "/v1/rooms", body: `{"kind":"vote","name":"x"}`},
		{method: "POST", path: commandsPath(open), body: `{"verb":"join"}`}, {method: "POST", path: "/v1/auth/logout-all"},
	}
	viewers := []call{
		{method: "GET", path: "/v1/rooms"}, {method: "GET", path: "/v1/rooms/" + open}, {method: "GET", path: "/v1/users/" + bob},
		{method: "GET", path: "/v1/users?ids=" + bob}, {method: "GET", path: "/v1/rooms/" + open + "/members"}, {method: "GET", path: "/v1/rooms/" + open + "/queue"},
	}
	for _, c := range append(users, viewers...) {
		for _, header := range []string{"Bearer", "Bearer ", "Basic abc", "bob", "Bearer wrong", "Bearer " + strings.Repeat("x", subjects.MaxToken+1), "Bearer token-of-" + subjects.System} {
			c.header = map[string]string{"Authorization": header}
			if p := s.do(t, c).problem(t); p.Status != 401 || p.Code != subjects.CodeUnauthenticated {
				t.Errorf("%s %s with %.20q: %+v", c.method, c.path, header, p)
			}
		}
		c.header, c.as = nil, bob
		if r := s.do(t, c); r.status >= 400 {
			t.Errorf("%s %s with a token: %v", c.method, c.path, r)
		}
	}
	for _, c := range users {
		if p := s.do(t, c).problem(t); p.Status != 401 {
			t.Errorf("%s %s without a token: %+v", c.method, c.path, p)
		}
	}
	for _, c := range viewers {
		if r := s.do(t, c); r.status != 200 {
			t.Errorf("%s %s without a token: %v", c.method, c.path, r)
		}
	}
	// No key set: nobody knows, so nobody is sent to log in again.
	w.verify = func(string) (token.Principal, error) {
		return token.Principal{}, errors.Join(token.ErrUnavailable, subjects.Refuse(subjects.CodeUnavailable, "later"))
	}
	if p := s.do(t, call{method: "GET", path: "/v1/me", as: bob}).problem(t); p.Status != 503 || !p.Retry {
		t.Errorf("got %+v", p)
	}
}

func TestProfiles(t *testing.T) {
	w := newWorld()
	var req any
	profile := subjects.Profile{ID: bob, Nickname: "Bob", Rev: 3}
	w.query = func(_ context.Context, _, endpoint string, in any) (any, error) {
		req = in
		if endpoint == subjects.ProfileBatch {
			return subjects.ProfileBatchAnswer{Profiles: []subjects.Profile{profile}}, nil
		}
		return profile, nil
	}
	s := w.edge(t, unlimited())
	bio := "hello"
	for _, c := range []struct {
		call
		asked string
		req   any
	}{
		{call{method: "GET", path: "/v1/me", as: bob}, "profile.get", subjects.ProfileGetRequest{ID: bob, Viewer: bob}},
		{call{method: "GET", path: "/v1/users/" + bob, as: ada}, "profile.get", subjects.ProfileGetRequest{ID: bob, Viewer: ada}},
		{call{method: "GET", path: "/v1/users/" + bob}, "profile.get", subjects.ProfileGetRequest{ID: bob}},
		{call{method: "GET", path: "/v1/users?ids=" + bob + "," + ada}, "profile.batch", subjects.ProfileBatchRequest{IDs: []string{bob, ada}}},
		{call{method: "PATCH", path: "/v1/me/profile", as: bob, body: `{"bio":"hello","rev":3}`}, "profile.update", subjects.ProfileUpdateRequest{UserID: bob, Bio: &bio, Rev: 3}},
	} {
		w.queried = nil
		r := s.do(t, c.call)
		asked, _ := json.Marshal(req)
		want, _ := json.Marshal(c.req)
		if r.status != 200 || !strings.Contains(string(r.body), `"nickname":"Bob"`) || fmt.Sprint(w.queried) != "["+c.asked+"]" || !bytes.Equal(asked, want) {
			t.Errorf("%s: got %v, asked %v %s", c.path, r, w.queried, asked)
		}
	}
	for _, body := range []string{`{}`, `{"rev":1}`, `{"nickname":"x"}`, `{"userId":"` + ada + `","bio":"x"}`} {
		if p := s.do(t, call{method: "PATCH", path: "/v1/me/profile", as: bob, body: body}).problem(t); p.Status != 400 {
			t.Errorf("%s: %+v", body, p)
		}
	}
	if p := s.do(t, call{method: "GET", path: "/v1/users/room_1"}).problem(t); p.Code != subjects.CodeNotFound {
		t.Errorf("got %+v", p)
	}
	w.query = func(context.Context, string, string, any) (any, error) { return nil, bus.ErrUnavailable }
	if p := s.do(t, call{method: "GET", path: "/v1/me", as: bob}).problem(t); p.Code != subjects.CodeUnavailable {
		t.Errorf("got %+v", p)
	}
}
