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
		{method: "PUT", path: "/v1/me/nickname", body: `{"nickname":"x"}`},
		{method: "PUT", path: "/v1/users/" + ada + "/follow"}, {method: "DELETE", path: "/v1/users/" + ada + "/follow"},
		{method: "POST", path: "/v1/rooms", body: `{"kind":"vote","name":"x"}`},
		{method: "POST", path: commandsPath(open), body: `{"verb":"join"}`}, {method: "POST", path: "/v1/auth/logout-all"},
	}
	viewers := []call{
		{method: "GET", path: "/v1/rooms"}, {method: "GET", path: "/v1/rooms/" + open}, {method: "GET", path: "/v1/users/" + bob},
		{method: "GET", path: "/v1/users?ids=" + bob}, {method: "GET", path: "/v1/people?prefix=b"},
		{method: "GET", path: "/v1/users/" + bob + "/followers"}, {method: "GET", path: "/v1/users/" + bob + "/following"}, {method: "GET", path: "/v1/rooms/" + open + "/members"}, {method: "GET", path: "/v1/rooms/" + open + "/queue"},
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
	profile := subjects.Profile{ID: bob, Nickname: "Bob", Relations: subjects.VisibilityPublic, Heard: subjects.VisibilityPrivate, Rev: 3}
	none, following := 0, 2
	w.query = func(_ context.Context, _, endpoint string, in any) (any, error) {
		req = in
		switch endpoint {
		case subjects.ProfileBatch:
			return subjects.ProfileBatchAnswer{Profiles: []subjects.Profile{profile}}, nil
		case subjects.ProfilePerson:
			return subjects.Person{Profile: profile, Followers: &none, Following: &following, You: &subjects.PersonYou{FollowsYou: true}}, nil
		case subjects.ProfileSearch, subjects.ProfileFollowers, subjects.ProfileFollowing:
			return subjects.PeoplePage{Profiles: []subjects.Profile{profile}, Next: "more"}, nil
		case subjects.ProfileFollow, subjects.ProfileUnfollow:
			return subjects.FollowAnswer{Follows: endpoint == subjects.ProfileFollow}, nil
		case subjects.AuthNickname:
			return subjects.NicknameAnswer{Nickname: "Bob"}, nil
		}
		return profile, nil
	}
	s := w.edge(t, unlimited())
	bio, hidden := "hello", subjects.VisibilityPrivate
	is := `{"id":"` + bob + `","nickname":"Bob","bio":"","avatarUrl":"","createdAt":0,"relations":"public","heard":"private","rev":3`
	person := is + `,"followers":0,"following":2,"you":{"follows":false,"followsYou":true}}`
	page := `{"profiles":[` + is + `}],"next":"more"}`
	ofBob := "/v1/users/" + bob
	for _, c := range []struct {
		call
		asked string
		req   any
		body  string
	}{
		{call{method: "GET", path: "/v1/me", as: bob}, "profile.person", subjects.PersonRequest{ID: bob, Viewer: bob}, person},
		{call{method: "GET", path: ofBob, as: ada}, "profile.person", subjects.PersonRequest{ID: bob, Viewer: ada}, person},
		{call{method: "GET", path: ofBob}, "profile.person", subjects.PersonRequest{ID: bob}, person},
		{call{method: "GET", path: "/v1/users?ids=" + bob + "," + ada}, "profile.batch", subjects.ProfileBatchRequest{IDs: []string{bob, ada}}, `{"profiles":[` + is + `}]}`},
		{call{method: "PATCH", path: "/v1/me/profile", as: bob, body: `{"bio":"hello","rev":3}`}, "profile.update",
			subjects.ProfileUpdateRequest{UserID: bob, Bio: &bio, Rev: 3}, is + `}`},
		{call{method: "PATCH", path: "/v1/me/profile", as: bob, body: `{"relations":"private","heard":"private"}`}, "profile.update",
			subjects.ProfileUpdateRequest{UserID: bob, Relations: &hidden, Heard: &hidden}, is + `}`},
		{call{method: "GET", path: "/v1/people?prefix=B%C3%B6&cursor=c&limit=5", as: ada}, "profile.search",
			subjects.PeopleRequest{Viewer: ada, Prefix: "Bö", Cursor: "c", Limit: 5}, page},
		{call{method: "GET", path: "/v1/people?prefix=b"}, "profile.search", subjects.PeopleRequest{Prefix: "b", Limit: peoplePage}, page},
		{call{method: "GET", path: ofBob + "/followers?cursor=c", as: ada}, "profile.followers",
			subjects.RelationsRequest{User: bob, Viewer: ada, Cursor: "c", Limit: peoplePage}, page},
		{call{method: "GET", path: ofBob + "/following?limit=100"}, "profile.following", subjects.RelationsRequest{User: bob, Limit: 100}, page},
		{call{method: "PUT", path: ofBob + "/follow", as: ada}, "profile.follow", subjects.FollowRequest{Follower: ada, Followed: bob}, `{"follows":true}`},
		{call{method: "DELETE", path: ofBob + "/follow", as: ada}, "profile.unfollow", subjects.FollowRequest{Follower: ada, Followed: bob}, `{"follows":false}`},
		{call{method: "PUT", path: "/v1/me/nickname", as: bob, body: `{"nickname":"Bob"}`}, "auth.nickname",
			subjects.NicknameRequest{UserID: bob, Nickname: "Bob"}, `{"nickname":"Bob"}`},
	} {
		w.queried = nil
		r := s.do(t, c.call)
		asked, _ := json.Marshal(req)
		want, _ := json.Marshal(c.req)
		if r.status != 200 || string(r.body) != c.body || fmt.Sprint(w.queried) != "["+c.asked+"]" || !bytes.Equal(asked, want) {
			t.Errorf("%s %s: got %v, asked %v %s", c.method, c.path, r, w.queried, asked)
		}
	}
	w.query = func(context.Context, string, string, any) (any, error) { return nil, bus.ErrUnavailable }
	if p := s.do(t, call{method: "GET", path: "/v1/me", as: bob}).problem(t); p.Code != subjects.CodeUnavailable {
		t.Errorf("got %+v", p)
	}
}

func TestPeopleRequestsAreCheckedFirst(t *testing.T) {
	w := newWorld()
	s := w.edge(t, unlimited())
	for _, c := range []struct {
		call
		status int
		field  string
	}{
		{call{method: "PATCH", path: "/v1/me/profile", body: `{}`}, 400, ""},
		{call{method: "PATCH", path: "/v1/me/profile", body: `{"rev":1}`}, 400, ""},
		{call{method: "PATCH", path: "/v1/me/profile", body: `{"nickname":"x"}`}, 400, "nickname"},
		{call{method: "PATCH", path: "/v1/me/profile", body: `{"relations":7}`}, 400, "relations"},
		{call{method: "PATCH", path: "/v1/me/profile", body: `{"userId":"` + ada + `","bio":"x"}`}, 400, "userId"},
		{call{method: "PUT", path: "/v1/me/nickname", body: `{"userId":"` + ada + `","nickname":"x"}`}, 400, "userId"},
		{call{method: "PUT", path: "/v1/me/nickname", body: `[]`}, 400, ""},
		{call{method: "PUT", path: "/v1/users/" + ada + "/follow", body: `{"x":1}`}, 400, ""},
		{call{method: "PUT", path: "/v1/users/ada/follow"}, 404, ""},
		{call{method: "DELETE", path: "/v1/users/room_1/follow"}, 404, ""},
		{call{method: "GET", path: "/v1/users/room_1"}, 404, ""},
		{call{method: "GET", path: "/v1/users/ada/followers"}, 404, ""},
		{call{method: "GET", path: "/v1/users/" + ada + "/following?limit=0"}, 400, "limit"},
		{call{method: "GET", path: "/v1/users/" + ada + "/following?limit=101"}, 400, "limit"},
		{call{method: "GET", path: "/v1/users/" + ada + "/following?cursor=" + strings.Repeat("x", maxCursor+1)}, 400, "cursor"},
		{call{method: "GET", path: "/v1/people"}, 400, "prefix"},
		{call{method: "GET", path: "/v1/people?prefix=%20"}, 400, "prefix"},
		{call{method: "GET", path: "/v1/people?prefix=%00"}, 400, "prefix"},
		{call{method: "GET", path: "/v1/people?prefix=" + strings.Repeat("x", subjects.MaxNickname+1)}, 400, "prefix"},
		{call{method: "GET", path: "/v1/people?prefix=a&limit=x"}, 400, "limit"},
	} {
		c.as = bob
		if p := s.do(t, c.call).problem(t); p.Status != c.status || p.Field != c.field {
			t.Errorf("%s %s %s: %+v", c.method, c.path, c.body, p)
		}
	}
	if len(w.queried) != 0 {
		t.Fatalf("asked %v", w.queried)
	}
}
