package services_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tuttihq/tutti/services"
	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/store/rethink/rethinktest"
	"github.com/tuttihq/tutti/subjects"
)

// An export of a deployment that people use holds the beginning of each log, and what was
// under way between services takes effect once where it arrives: each playlist has its chat.
func TestAnExportOfWhatRuns(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.Store.Kind, cfg.Store.Addresses = services.StoreRethinkDB, []string{rethinktest.Start(t).Addr()}
	cfg.NATS.Shards = 2
	s, err := services.Start(t.Context(), cfg, quiet)
	if err != nil {
		t.Fatal(err)
	}
	_, ada := person(t, s, "ada")
	outside := cfg
	outside.NATS.URL, outside.NATS.Listen = s.NATS, ""
	begun, enough := make(chan struct{}), make(chan struct{})
	var people sync.WaitGroup
	for i := range 3 {
		people.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-enough:
					return
				default:
				}
				if post(t, s.HTTP+"/v1/playlists", ada, fmt.Sprintf(`{"name":"%d of %d"}`, n, i)) != 201 {
					t.Error("a playlist is refused")
					return
				}
				if i == 0 && n == 20 {
					close(begun)
				}
			}
		})
	}
	<-begun
	out := filepath.Join(t.TempDir(), "out")
	export(t, outside, out)
	close(enough)
	people.Wait()
	quieten(t, s)
	stop(t, s)
	all := inspect(t, cfg)

	to := config(t)
	if _, err := services.Import(t.Context(), to, services.ImportOptions{From: out}, quiet); err != nil {
		t.Fatal(err)
	}
	moved := inspect(t, to)
	lists := 0
	for key, commits := range moved.Commits {
		if full := all.Commits[key]; len(full) < len(commits) || !slices.Equal(full[:len(commits)], commits) {
			t.Errorf("%s is not the beginning of its log", key)
		}
		if strings.HasPrefix(key, subjects.ServicePlaylist+" ") {
			lists++
		}
	}
	if lists < 20 || lists >= len(all.Commits) {
		t.Errorf("%d playlists have moved, of %d logs", lists, len(all.Commits))
	}
	if s, err = services.Start(t.Context(), to, quiet); err != nil {
		t.Fatal(err)
	}
	quieten(t, s)
	stop(t, s)
	after := inspect(t, to)
	for key := range moved.Commits {
		service, id, _ := strings.Cut(key, " ")
		if service != subjects.ServicePlaylist {
			continue
		}
		chat := strings.Join(after.Commits[subjects.ServiceChat+" "+id], "\n")
		if n := strings.Count(chat, `"type":"`+subjects.EventChatOpened+`"`); n != 1 {
			t.Errorf("the chat of %s was begun %d times: %s", id, n, chat)
		}
	}
}

// What was moved to the archive moves on with the rest of its log, in its place.
func TestAnArchivedLogMoves(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts whole systems, one after the other")
	}
	b := build(t)
	before := inspect(t, b.cfg)
	s, err := services.Start(t.Context(), b.cfg, quiet)
	if err != nil {
		t.Fatal(err)
	}
	at := services.Defaults()
	at.NATS.URL = s.NATS
	admin, err := services.DialAdmin(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	reports, err := admin.Archive(t.Context(), services.ArchiveOptions{ArchiveOptions: aggregate.ArchiveOptions{Idle: -1, Settle: -1}})
	if err != nil {
		t.Fatal(err)
	}
	purged := uint64(0)
	for _, r := range reports {
		purged += r.Purged
	}
	if purged < 50 {
		t.Fatalf("only %d commits were archived", purged)
	}
	admin.Close(t.Context())
	stop(t, s)

	out := filepath.Join(t.TempDir(), "out.tar")
	export(t, b.cfg, out)
	to := config(t)
	to.NATS.Shards = 2
	if _, err := services.Import(t.Context(), to, services.ImportOptions{From: out}, quiet); err != nil {
		t.Fatal(err)
	}
	moved := inspect(t, to)
	for key, want := range before.Commits {
		// The room's clock may have gone on meanwhile.
		if got := moved.Commits[key]; len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
			t.Errorf("%s has %d commits, had %d", key, len(got), len(want))
		}
	}
}
