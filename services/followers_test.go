package services_test

import (
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// Whoever follows somebody comes into a playlist of theirs that is for followers, and into its
// chat, and stays there when they follow no more.
func TestFollowersComeIntoAPlaylist(t *testing.T) {
	s, err := services.Start(t.Context(), config(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, s)
	register := func(name string) (id, token string) {
		grant := call(t, "POST", s.HTTP+"/v1/auth/register", "", `{"email":"`+name+`@example.org","nickname":"`+name+`","password":"correct horse"}`, 201)
		user, _ := grant["user"].(map[string]any)
		id, _ = user["id"].(string)
		token, _ = grant["access_token"].(string)
		return id, token
	}
	ada, _ := register("ada")
	dan, dans := register("dan")
	b, err := bus.Dial(t.Context(), bus.Config{URL: s.NATS, Name: "test"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(t.Context())
	id := subjects.NewID(subjects.PrefixPlaylist, time.Now())
	ask := func(service, user, verb string, body any) subjects.Code {
		t.Helper()
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		a, err := b.Ask(t.Context(), subjects.Command{Service: service, ID: id, Verb: verb, Principal: user},
			subjects.Envelope{ID: subjects.NewID(subjects.PrefixCommand, time.Now()), Body: raw})
		if err != nil {
			t.Fatal(err)
		}
		return subjects.CodeOf(a.Err())
	}
	list := subjects.ServicePlaylist
	if code := ask(list, ada, "create", subjects.CreatePlaylist{Name: "For friends", Visibility: subjects.VisibilityFollowers}); code != "" {
		t.Fatal(code)
	}
	if code := ask(list, dan, "join", struct{}{}); code != subjects.CodeNotFound {
		t.Fatalf("who does not follow: %q", code)
	}
	call(t, "PUT", s.HTTP+"/v1/users/"+ada+"/follow", dans, "", 200)
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		code := ask(list, dan, "join", struct{}{})
		if code == "" {
			break
		}
		if code != subjects.CodeNotFound || time.Now().After(until) {
			t.Fatalf("who follows: %q", code)
		}
	}
	if code := ask(subjects.ServiceChat, dan, "send", subjects.SendMessage{Text: "hello"}); code != "" { // at once
		t.Errorf("in the chat: %q", code)
	}
	call(t, "DELETE", s.HTTP+"/v1/users/"+ada+"/follow", dans, "", 200)
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var page struct {
			Playlists []subjects.PlaylistSummary `json:"playlists"`
		}
		stranger := subjects.NewID(subjects.PrefixUser, time.Now())
		if err := b.Query(t.Context(), list, "list", map[string]any{"of": "user", "user": ada, "viewer": stranger}, &page); err != nil || len(page.Playlists) != 0 {
			t.Fatalf("a stranger finds %+v, %v", page, err)
		}
		if code := ask(list, dan, "add", subjects.AddTracks{Tracks: []subjects.TrackRef{"demo:copper-kettle"}}); code != "" && code != subjects.CodeNothingAccepted {
			t.Fatalf("who follows no more and is in it: %q", code)
		}
		if code := ask(list, dan, "leave", struct{}{}); code != "" {
			t.Fatalf("leaving: %q", code)
		}
		// As soon as it is known that dan follows no more, there is no way back.
		if code := ask(list, dan, "join", struct{}{}); code == subjects.CodeNotFound {
			break
		} else if code != "" || time.Now().After(until) {
			t.Fatalf("who follows no more joins: %q", code)
		}
	}
}
