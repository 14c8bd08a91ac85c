package services_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"github.com/tuttihq/tutti/services"
	"github.com/tuttihq/tutti/subjects"
)

// person registers somebody, and gives their id and access token.
func person(t *testing.T, s *services.System, nickname string) (id, token string) {
	t.Helper()
	body := `{"email":"` + nickname + `@example.org","nickname":"` + nickname + `","password":"correct horse"}`
	g := call(t, "POST", s.HTTP+"/v1/auth/register", "", body, 201)
	user, _ := g["user"].(map[string]any)
	id, _ = user["id"].(string)
	token, _ = g["access_token"].(string)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) { // the profile is on its way
		resp, err := http.Get(s.HTTP + "/v1/users/" + id)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return id, token
		}
		if time.Now().After(end) {
			t.Fatalf("%s has no profile: %d", nickname, resp.StatusCode)
		}
	}
}

// playlists gives the names of what a viewer finds of somebody's playlists.
func playlists(t *testing.T, s *services.System, of, token string) (names []string) {
	t.Helper()
	found := call(t, "GET", s.HTTP+"/v1/playlists?of=user&user="+of, token, "", 200)
	list, _ := found["playlists"].([]any)
	for _, p := range list {
		p, _ := p.(map[string]any)
		name, _ := p["name"].(string)
		names = append(names, name)
	}
	return names
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// Who follows somebody finds the playlists that are for followers, for as long as they do.
func TestFollowingOpensWhatIsForFollowers(t *testing.T) {
	s, err := services.Start(t.Context(), config(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, s)
	ada, adas := person(t, s, "ada")
	_, bobs := person(t, s, "bob")
	call(t, "POST", s.HTTP+"/v1/playlists", adas, `{"name":"open","visibility":"public"}`, 201)
	call(t, "POST", s.HTTP+"/v1/playlists", adas, `{"name":"for followers","visibility":"followers"}`, 201)
	finds := func(n int) func() bool { return func() bool { return len(playlists(t, s, ada, bobs)) == n } }
	until(t, "the public one is found", finds(1))
	until(t, "hers are found by herself", func() bool { return len(playlists(t, s, ada, adas)) == 2 })
	if n := len(playlists(t, s, ada, bobs)); n != 1 {
		t.Fatalf("%d are found before following", n)
	}
	follow := s.HTTP + "/v1/users/" + ada + "/follow"
	if a := call(t, "PUT", follow, bobs, "", 200); a["follows"] != true {
		t.Fatalf("%v", a)
	}
	until(t, "the follower finds both", finds(2))
	if p := call(t, "GET", s.HTTP+"/v1/users/"+ada, bobs, "", 200); p["followers"] != 1.0 || p["nickname"] != "ada" {
		t.Fatalf("%v", p)
	}
	if a := call(t, "DELETE", follow, bobs, "", 200); a["follows"] != false {
		t.Fatalf("%v", a)
	}
	until(t, "who follows no more finds one", finds(1))
}

// A nickname that changes shows to whoever follows the user, is what people are found by,
// and the old one is somebody else's for the asking.
func TestANicknameThatChangesShowsEverywhere(t *testing.T) {
	s, err := services.Start(t.Context(), config(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, s)
	ada, adas := person(t, s, "ada")
	conn, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(s.HTTP, "http")+subjects.SocketPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for _, f := range []subjects.ClientFrame{
		{Type: subjects.FrameHello}, {Type: subjects.FrameSub, Channel: subjects.ChannelUsers, IDs: []string{ada}},
	} {
		if err := conn.WriteJSON(f); err != nil {
			t.Fatal(err)
		}
	}
	shown := func(typ string) (p subjects.Profile) {
		t.Helper()
		if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		for {
			var f subjects.ServerFrame
			if err := conn.ReadJSON(&f); err != nil {
				t.Fatalf("waiting for %s: %v", typ, err)
			}
			if f.Type != typ {
				continue
			}
			doc := f.Doc
			if typ == subjects.FrameDocs {
				doc = f.Docs[ada]
			}
			if err := json.Unmarshal(doc, &p); err != nil {
				t.Fatal(err)
			}
			return p
		}
	}
	if p := shown(subjects.FrameDocs); p.Nickname != "ada" {
		t.Fatalf("%+v", p)
	}
	if a := call(t, "PUT", s.HTTP+"/v1/me/nickname", adas, `{"nickname":" Countess  of L. "}`, 200); a["nickname"] != "Countess of L." {
		t.Fatalf("%v", a)
	}
	if p := shown(subjects.FrameDoc); p.Nickname != "Countess of L." || p.ID != ada || p.Rev != 2 {
		t.Fatalf("%+v", p)
	}
	if p := call(t, "GET", s.HTTP+"/v1/me", adas, "", 200); p["nickname"] != "Countess of L." {
		t.Fatalf("%v", p)
	}
	found := call(t, "GET", s.HTTP+"/v1/people?prefix=COUNTESS", "", "", 200)
	if profiles, _ := found["profiles"].([]any); len(profiles) != 1 {
		t.Fatalf("%v", found)
	}
	if in := call(t, "POST", s.HTTP+"/v1/auth/login", "", `{"email":"ada@example.org","password":"correct horse"}`, 200); in["user"].(map[string]any)["nickname"] != "Countess of L." {
		t.Fatalf("%v", in)
	}
	call(t, "POST", s.HTTP+"/v1/auth/register", "", `{"email":"bob@example.org","nickname":"Ada","password":"correct horse"}`, 201)
	if p := call(t, "PUT", s.HTTP+"/v1/me/nickname", adas, `{"nickname":"ada"}`, 409); p["code"] != "nickname_taken" {
		t.Fatalf("%v", p)
	}
}
