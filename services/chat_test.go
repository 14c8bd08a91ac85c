package services_test

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// A room's chat obeys the room: who is let in may speak, who is banned may not, and what was
// said is there after a restart and a rebuild.
func TestAChatFollowsItsRoom(t *testing.T) {
	cfg := config(t)
	s, err := services.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	register := func(name string) (id, token string) {
		grant := call(t, "POST", s.HTTP+"/v1/auth/register", "", `{"email":"`+name+`@example.org","nickname":"`+name+`","password":"correct horse"}`, 201)
		user, _ := grant["user"].(map[string]any)
		id, _ = user["id"].(string)
		token, _ = grant["access_token"].(string)
		return id, token
	}
	ada, adas := register("ada")
	ben, bens := register("ben")
	room := call(t, "POST", s.HTTP+"/v1/rooms", adas, `{"kind":"vote","name":"Friday","open":false}`, 201)
	id, _ := room["id"].(string)
	command := func(token, verb, body string) {
		t.Helper()
		call(t, "POST", s.HTTP+"/v1/rooms/"+id+"/commands", token, `{"verb":"`+verb+`","body":`+body+`}`, 200)
	}

	b, err := bus.Dial(t.Context(), bus.Config{URL: s.NATS, Name: "test"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	say := func(user, text string) subjects.Code {
		t.Helper()
		body, _ := json.Marshal(subjects.SendMessage{Text: text})
		a, err := b.Ask(t.Context(), subjects.Command{Service: subjects.ServiceChat, ID: id, Verb: subjects.VerbSend, Principal: user},
			subjects.Envelope{ID: subjects.NewID(subjects.PrefixCommand, time.Now()), Body: body})
		if err != nil {
			t.Fatal(err)
		}
		return subjects.CodeOf(a.Err())
	}
	read := func(user string) (string, subjects.Code) {
		var page subjects.ChatHistoryPage
		err := b.Query(t.Context(), subjects.ServiceChat, subjects.QueryChatHistory, subjects.ChatHistory{Chat: id, Viewer: user}, &page)
		texts := []string{}
		for _, m := range page.Messages {
			texts = append(texts, m.Text)
		}
		return strings.Join(texts, ","), subjects.CodeOf(err)
	}
	if code := say(ada, "one"); code != "" {
		t.Fatal(code)
	}
	if code := say(ben, "two"); code != subjects.CodeNotFound {
		t.Fatalf("a stranger in a private chat: %q", code)
	}
	command(adas, "invite", `{"user":"`+ben+`"}`)
	command(bens, "join", `{}`)
	if code := say(ben, "two"); code != "" { // at once
		t.Fatal(code)
	}
	command(adas, "setGrants", `{"role":"member","verbs":["vote"]}`)
	for until := time.Now().Add(5 * time.Second); say(ben, "three") != subjects.CodeForbidden; {
		if time.Now().After(until) {
			t.Fatal("the chat does not hear of the grants")
		}
	}
	command(adas, "ban", `{"user":"`+ben+`"}`)
	for until := time.Now().Add(5 * time.Second); ; {
		if _, code := read(ben); code == subjects.CodeNotFound {
			break
		}
		if time.Now().After(until) {
			t.Fatal("the chat does not hear of the ban")
		}
	}
	before, code := read(ada)
	if code != "" || !strings.HasPrefix(before, "one,two") {
		t.Fatalf("%q, %s", before, code)
	}
	b.Close(t.Context())
	stop(t, s)

	if r, err := services.Rebuild(t.Context(), cfg, true, nil, slog.New(slog.DiscardHandler)); err != nil || r.BrokenCount != 0 {
		t.Fatalf("rebuild: %+v, %v", r, err)
	}
	if s, err = services.Start(t.Context(), cfg, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	defer stop(t, s)
	if b, err = bus.Dial(t.Context(), bus.Config{URL: s.NATS, Name: "test"}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	defer b.Close(t.Context())
	if after, code := read(ada); code != "" || after != before {
		t.Fatalf("after a restart %q, %s; before %q", after, code, before)
	}
}
