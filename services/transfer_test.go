package services_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services"
	"github.com/tuttihq/tutti/services/internal/store/rethink/rethinktest"
	"github.com/tuttihq/tutti/subjects"
)

var quiet = slog.New(slog.DiscardHandler)

// town is a deployment in which people have done all sorts of things.
type town struct {
	cfg                  services.Config
	ada, bob, room, quiz string
}

// build starts a system, has people use it, and stops it.
func build(t *testing.T) *town {
	t.Helper()
	b := &town{cfg: config(t)}
	s, err := services.Start(t.Context(), b.cfg, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, s)
	var ada, bob string
	b.ada, ada = person(t, s, "ada")
	b.bob, bob = person(t, s, "bob")
	do := func(token, kind, id, verb, body string) map[string]any {
		t.Helper()
		return call(t, "POST", s.HTTP+"/v1/"+kind+"/"+id+"/commands", token, fmt.Sprintf(`{"verb":%q,"body":%s}`, verb, body), 200)
	}
	made := func(token, kind, body string) string {
		t.Helper()
		id, _ := call(t, "POST", s.HTTP+"/v1/"+kind, token, body, 201)["id"].(string)
		return id
	}
	call(t, "PUT", s.HTTP+"/v1/users/"+b.ada+"/follow", bob, "", 200)
	call(t, "PUT", s.HTTP+"/v1/me/nickname", bob, `{"nickname":"Bob <é>"}`, 200)

	closed := made(bob, "rooms", `{"kind":"vote","name":"Early","open":true,"tracks":["demo:aurora"]}`)
	do(bob, "rooms", closed, "close", `{}`)
	b.quiz = made(bob, "rooms", `{"kind":"vote","name":"Quiz","minimumScore":5,"open":false,"tracks":["demo:aurora"]}`)
	do(bob, "rooms", b.quiz, "invite", `{"user":"`+b.ada+`"}`)
	list := made(ada, "playlists", `{"name":"Road trip","visibility":"private"}`)
	do(ada, "playlists", list, "add", `{"tracks":["demo:aurora","demo:night-tram"]}`)
	do(ada, "playlists", list, "invite", `{"user":"`+b.bob+`"}`)
	gone := made(ada, "playlists", `{"name":"Gone","visibility":"public"}`)
	do(ada, "playlists", gone, "delete", `{}`)
	b.room = made(ada, "rooms", `{"kind":"vote","name":"Friday","minimumScore":1,"open":true,"tracks":["demo:aurora","demo:night-tram"]}`)
	until(t, "the chat is there", func() bool { return status(t, s.HTTP+"/v1/chats/"+b.room, ada) == 200 })
	until(t, "ada may write", func() bool {
		return post(t, s.HTTP+"/v1/chats/"+b.room+"/commands", ada, `{"verb":"send","body":{"text":"good evening"}}`) == 200
	})
	for i := range 60 { // more than a page of the history
		do(ada, "chats", b.room, "send", fmt.Sprintf(`{"text":"%d <&> 🎵"}`, i))
	}
	do(ada, "rooms", b.room, "play", `{}`)
	do(ada, "rooms", b.room, "next", `{}`)
	do(bob, "rooms", b.quiz, "poll", `{"question":"Who?","options":["we","you"],"seconds":86400}`)
	quieten(t, s)
	// The rest of the track is heard after the move.
	now := call(t, "GET", s.HTTP+"/v1/rooms/"+b.room, ada, "", 200)
	state, _ := now["state"].(map[string]any)
	current, _ := state["current"].(map[string]any)
	ms, _ := current["durationMs"].(float64)
	do(ada, "rooms", b.room, "seek", fmt.Sprintf(`{"positionMs":%d}`, int64(ms)-12_000))
	quieten(t, s)
	return b
}

func quieten(t *testing.T, s *services.System) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := s.Quiet(ctx); err != nil {
		t.Fatal(err)
	}
}

func inspect(t *testing.T, cfg services.Config) services.Contents {
	t.Helper()
	c, err := services.Inspect(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// alike compares two deployments. What follows from the logs has no sequences of streams in
// it but the marks of how far a chat is archived, and no tombstones where nobody needs them.
func alike(t *testing.T, got, want services.Contents) {
	t.Helper()
	if !maps.EqualFunc(got.Commits, want.Commits, slices.Equal) {
		t.Errorf("the logs differ: %d aggregates, want %d", len(got.Commits), len(want.Commits))
	}
	if !maps.Equal(got.States, want.States) {
		t.Errorf("the states differ:\n%v\n%v", got.States, want.States)
	}
	for table, docs := range want.Documents {
		if table == "tutti_meta" || table == "signing_keys" {
			continue
		}
		have := maps.Clone(got.Documents[table])
		if services.Derived(table) {
			without := func(id, doc string) bool { return strings.HasSuffix(id, ".mark") || strings.HasSuffix(doc, " deleted") }
			docs = maps.Clone(docs)
			maps.DeleteFunc(docs, without)
			maps.DeleteFunc(have, without)
			if !slices.Contains([]string{subjects.TableRooms, subjects.TablePlaylists, subjects.TableChats}, table) {
				bare(docs)
				bare(have)
			}
		}
		for id, doc := range docs {
			if have[id] != doc {
				t.Errorf("%s %s:\n%s, want\n%s", table, id, have[id], doc)
			}
		}
		if len(have) != len(docs) {
			t.Errorf("%s has %d documents, want %d", table, len(have), len(docs))
		}
	}
}

// bare takes the versions off. Of an aggregate's many documents each has the version at which
// it was last written, and a rebuild writes them all.
func bare(docs map[string]string) {
	for id, doc := range docs {
		_, docs[id], _ = strings.Cut(doc, " ")
	}
}

func export(t *testing.T, cfg services.Config, to string) services.TransferReport {
	t.Helper()
	r, err := services.Export(t.Context(), cfg, services.ExportOptions{To: to}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A laptop's data go into a deployment with other partitions and shards, and on from there.
func TestADeploymentMoves(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts whole systems, one after the other")
	}
	t.Run("into SQLite", func(t *testing.T) { move(t, config(t)) })
	t.Run("into RethinkDB", func(t *testing.T) {
		cfg := config(t)
		cfg.Store.Kind, cfg.Store.Addresses = services.StoreRethinkDB, []string{rethinktest.Start(t).Addr()}
		move(t, cfg)
	})
}

func move(t *testing.T, to services.Config) {
	b := build(t)
	before := inspect(t, b.cfg)
	if strings.Contains(fmt.Sprint(before.Commits["room "+b.room]), subjects.EventTrackPlayed) {
		t.Fatal("the track has ended before the move")
	}
	dir := t.TempDir()
	tar := filepath.Join(dir, "export.tar")
	report := export(t, b.cfg, tar)
	if again := inspect(t, b.cfg); fmt.Sprint(again) != fmt.Sprint(before) {
		t.Error("exporting has changed something")
	}
	to.NATS.Partitions, to.NATS.Shards = 5, 3
	in, err := services.Import(t.Context(), to, services.ImportOptions{From: tar}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if in.Commits != report.Commits || in.Documents != report.Documents || in.There != 0 || in.Export != report.Export || in.Woken != 2 {
		t.Errorf("imported %+v, exported %+v", in, report)
	}
	alike(t, inspect(t, to), before)
	if in, err = services.Import(t.Context(), to, services.ImportOptions{From: tar}, quiet); err != nil || !in.Finished {
		t.Errorf("a second import: %+v, %v", in, err)
	}

	live(t, b, to)
	// And back again, with what has happened since.
	after := inspect(t, to)
	back := config(t)
	export(t, to, filepath.Join(dir, "out"))
	if _, err := services.Import(t.Context(), back, services.ImportOptions{From: filepath.Join(dir, "out")}, quiet); err != nil {
		t.Fatal(err)
	}
	alike(t, inspect(t, back), after)
}

// live looks that an imported deployment lives on.
func live(t *testing.T, b *town, cfg services.Config) {
	t.Helper()
	s, err := services.Start(t.Context(), cfg, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, s)
	login := func(name string) string {
		g := call(t, "POST", s.HTTP+"/v1/auth/login", "", `{"email":"`+name+`@example.org","password":"correct horse"}`, 200)
		token, _ := g["access_token"].(string)
		return token
	}
	ada, bob := login("ada"), login("bob")
	until(t, "bob follows ada", func() bool {
		who, _ := call(t, "GET", s.HTTP+"/v1/users/"+b.ada+"/followers", bob, "", 200)["profiles"].([]any)
		return len(who) == 1
	})
	until(t, "the room is found", func() bool {
		rooms, _ := call(t, "GET", s.HTTP+"/v1/rooms?prefix=fri", "", "", 200)["rooms"].([]any)
		return len(rooms) == 1
	})
	page := call(t, "GET", s.HTTP+"/v1/chats/"+b.room+"/messages?limit=100", ada, "", 200)
	if messages, _ := page["messages"].([]any); len(messages) != 61 {
		t.Errorf("the chat has %d messages", len(messages))
	}
	// What is written now comes into the history too: it goes on from the new log's places.
	for i := range 60 {
		if code := post(t, s.HTTP+"/v1/chats/"+b.room+"/commands", ada, fmt.Sprintf(`{"verb":"send","body":{"text":"new %d"}}`, i)); code != 200 {
			t.Fatalf("writing to the chat: %d", code)
		}
	}
	// Nobody comes to the room; its track ends by itself.
	until(t, "the track has ended", func() bool {
		plays, _ := call(t, "GET", s.HTTP+"/v1/rooms/"+b.room+"/plays", ada, "", 200)["plays"].([]any)
		return len(plays) == 1
	})
	call(t, "POST", s.HTTP+"/v1/rooms/"+b.quiz+"/commands", bob, `{"verb":"closePoll"}`, 200)
	quieten(t, s)
}

// A reader of a log goes on where it was: what it had dealt with is not told again, what it
// had not is.
func TestReadersGoOnWhereTheyWere(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts whole systems, one after the other")
	}
	b := build(t)
	before := inspect(t, b.cfg)
	// A command that a process left behind when it was killed.
	cmd := subjects.Envelope{ID: subjects.NewID(subjects.PrefixCommand, time.Now()), Body: []byte(`{"text":"left"}`)}
	err := services.LeaveCommand(t.Context(), b.cfg, subjects.Command{
		Service: subjects.ServiceChat, ID: b.room, Verb: "send", Principal: b.ada}, cmd)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	if r := export(t, b.cfg, out); r.Commands != 1 {
		t.Fatalf("%d commands were exported", r.Commands)
	}
	to := config(t)
	to.NATS.Shards = 2
	if r, err := services.Import(t.Context(), to, services.ImportOptions{From: out}, quiet); err != nil || r.Commands != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	s, err := services.Start(t.Context(), to, quiet)
	if err != nil {
		t.Fatal(err)
	}
	quieten(t, s)
	stop(t, s)
	after := inspect(t, to)
	for key, was := range before.Commits {
		now := after.Commits[key]
		switch {
		case key == "chat "+b.room:
			if len(now) != len(was)+1 || !strings.Contains(now[len(now)-1], `"left"`) {
				t.Errorf("%s has %d commits, had %d", key, len(now), len(was))
			}
		case key == "room "+b.room: // its clock goes on
		case !slices.Equal(now, was):
			t.Errorf("%s has %d commits, had %d: %v", key, len(now), len(was), now[len(was):])
		}
	}
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts whole systems, one after the other")
	}
	b := build(t)
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	export(t, b.cfg, out)
	refused := func(what string, cfg services.Config, from string, want error) {
		t.Helper()
		if _, err := services.Import(t.Context(), cfg, services.ImportOptions{From: from}, quiet); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	refused("into itself", b.cfg, out, services.ErrNotEmpty)

	to := config(t)
	damaged := filepath.Join(out, "log-room-0.jsonl.gz")
	whole, err := os.ReadFile(damaged)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(damaged, whole[:len(whole)-9], 0o600); err != nil {
		t.Fatal(err)
	}
	refused("a file that was cut off", to, out, services.ErrExportDamaged)
	if left, err := os.ReadDir(to.Data); err != nil || len(left) != 0 {
		t.Errorf("a damaged export has left %v, %v", left, err)
	}
	if err := os.WriteFile(damaged, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := services.Import(t.Context(), to, services.ImportOptions{From: out}, quiet); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other.tar")
	export(t, b.cfg, other)
	refused("another export over one", to, other, services.ErrNotEmpty)
	if _, err := services.Export(t.Context(), b.cfg, services.ExportOptions{To: out}, quiet); !errors.Is(err, os.ErrExist) {
		t.Errorf("an export over another: %v", err)
	}
	missing := config(t)
	missing.Data = filepath.Join(dir, "nowhere")
	if _, err := services.Export(t.Context(), missing, services.ExportOptions{To: filepath.Join(dir, "x")}, quiet); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an export of nothing: %v", err)
	}

	// A deployment whose services run.
	running := config(t)
	s, err := services.Start(t.Context(), running, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, s)
	beside := config(t)
	beside.NATS.URL = s.NATS
	refused("services that run", beside, out, services.ErrRunning)
}

// A store that is lost comes back from an export's documents, and the logs that are there.
func TestDocumentsAlone(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts whole systems, one after the other")
	}
	b := build(t)
	before := inspect(t, b.cfg)
	dir := t.TempDir()
	alone, whole := filepath.Join(dir, "documents.tar"), filepath.Join(dir, "whole.tar")
	r, err := services.Export(t.Context(), b.cfg, services.ExportOptions{To: alone, DocumentsOnly: true}, quiet)
	if err != nil || r.Commits != 0 || r.Documents == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	export(t, b.cfg, whole)
	// What is published gets versions above those that were published.
	raised := []string{subjects.TableAccounts, subjects.TableProfiles, subjects.TableFollows}
	for _, table := range raised {
		bare(before.Documents[table])
	}
	for _, from := range []string{alone, whole} {
		lose(t, b.cfg)
		if _, err := services.Import(t.Context(), b.cfg, services.ImportOptions{From: whole}, quiet); !errors.Is(err, services.ErrNotEmpty) {
			t.Errorf("logs over logs: %v", err)
		}
		opt := services.ImportOptions{From: from, DocumentsOnly: from == whole}
		if _, err := services.Import(t.Context(), b.cfg, opt, quiet); err != nil {
			t.Fatal(err)
		}
		after := inspect(t, b.cfg)
		for _, table := range raised {
			bare(after.Documents[table])
		}
		alike(t, after, before)
	}
}

func status(t *testing.T, url, token string) int {
	t.Helper()
	return request(t, "GET", url, token, "")
}

func post(t *testing.T, url, token, body string) int {
	t.Helper()
	return request(t, "POST", url, token, body)
}

// request gives the status of an answer that may be a refusal.
func request(t *testing.T, method, url, token, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
