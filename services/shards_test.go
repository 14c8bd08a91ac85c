package services_test

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services"
	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// sharded is a system whose logs are spread over four streams, and rooms in it.
type sharded struct {
	*testing.T
	cfg    services.Config
	s      *services.System
	admin  *services.Admin
	tokens map[string]string // by room
}

func (r *sharded) start() {
	r.Helper()
	s, err := services.Start(r.Context(), r.cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		r.Fatal(err)
	}
	at := services.Defaults() // which knows nothing of shards
	at.NATS.URL = s.NATS
	r.s = s
	if r.admin, err = services.DialAdmin(r.Context(), at); err != nil {
		r.Fatal(err)
	}
}

func (r *sharded) stop() {
	r.Helper()
	r.admin.Close(r.Context())
	stop(r.T, r.s)
}

func (r *sharded) command(id, verb, body string) {
	r.Helper()
	call(r.T, "POST", r.s.HTTP+"/v1/rooms/"+id+"/commands", r.tokens[id], fmt.Sprintf(`{"verb":%q,"body":%s}`, verb, body), 200)
}

// hashes gives the hash of every room as of every revision.
func (r *sharded) hashes() map[string]string {
	r.Helper()
	out := map[string]string{}
	for id := range r.tokens {
		newest, err := r.admin.Room(r.Context(), id, 0)
		if err != nil {
			r.Fatal(err)
		}
		for rev := uint64(1); rev <= newest.Rev; rev++ {
			at, err := r.admin.Room(r.Context(), id, rev)
			if err != nil || at.Rev != rev {
				r.Fatalf("%s as of %d: %+v, %v", id, rev, at, err)
			}
			out[fmt.Sprint(id, "@", rev)] = at.Hash
		}
		if out[fmt.Sprint(id, "@", newest.Rev)] != newest.Hash {
			r.Errorf("%s: the newest is %s, as of %d it is %s", id, newest.Hash, newest.Rev, out[fmt.Sprint(id, "@", newest.Rev)])
		}
	}
	return out
}

// listed waits until every room is in the list.
func (r *sharded) listed() {
	r.Helper()
	end := time.Now().Add(20 * time.Second)
	for {
		found := call(r.T, "GET", r.s.HTTP+"/v1/rooms?prefix=shard", "", "", 200)
		if rooms, _ := found["rooms"].([]any); len(rooms) == len(r.tokens) {
			return
		}
		if time.Now().After(end) {
			r.Fatalf("the rooms are not found: %v", found)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// within counts the messages of each of the rooms' streams, and forgets the snapshots if told to.
func (r *sharded) within(forget bool) (out []uint64) {
	r.Helper()
	b, err := bus.Dial(r.Context(), bus.Config{URL: r.s.NATS, Name: "test"}, slog.New(slog.DiscardHandler))
	if err != nil {
		r.Fatal(err)
	}
	defer b.Close(r.Context())
	states, err := b.LogState(r.Context(), subjects.ServiceRoom)
	if err != nil {
		r.Fatal(err)
	}
	for _, s := range states {
		out = append(out, s.Messages)
	}
	if forget {
		s, err := b.JetStream().Stream(r.Context(), subjects.StreamSnapshots)
		if err == nil {
			err = s.Purge(r.Context())
		}
		if err != nil {
			r.Fatal(err)
		}
	}
	return out
}

// The whole system in four shards: rooms live in all of them, outlive a restart and a rebuild,
// can be seen as of any revision, also when the old part of their logs is archived, and wake.
func TestTheWholeSystemInShards(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts the system four times over")
	}
	r := &sharded{T: t, cfg: config(t), tokens: map[string]string{}}
	r.cfg.NATS.Shards = 4
	r.cfg.Edge.Limits.Exempt = []string{"127.0.0.1"}
	r.start()
	log := subjects.Log{Service: subjects.ServiceRoom, Shards: 4}
	used := map[int]bool{}
	for i := 0; i < 8 || len(used) < 3; i++ {
		grant := call(t, "POST", r.s.HTTP+"/v1/auth/register", "", fmt.Sprintf(`{"email":"user%d@example.org","nickname":"user%d","password":"correct horse"}`, i, i), 201)
		token, _ := grant["access_token"].(string)
		room := call(t, "POST", r.s.HTTP+"/v1/rooms", token,
			fmt.Sprintf(`{"kind":"vote","name":"Shard %d","minimumScore":1,"open":true,"tracks":["demo:aurora","demo:night-tram"]}`, i), 201)
		id, _ := room["id"].(string)
		r.tokens[id] = token
		used[log.Shard(id)] = true
		for range 3 {
			r.command(id, "play", `{}`)
			r.command(id, "pause", `{}`)
		}
	}
	r.listed()
	full := 0
	for _, n := range r.within(false) {
		if n > 0 {
			full++
		}
	}
	if full != len(used) {
		t.Errorf("rooms are in %d of the streams, want %d", full, len(used))
	}
	before := r.hashes()
	r.stop()

	other := r.cfg
	other.NATS.Shards = 2
	if _, err := services.Start(t.Context(), other, slog.New(slog.DiscardHandler)); !errors.Is(err, bus.ErrShards) || services.Hint(err) == "" {
		t.Fatalf("another number of shards: %v, hint %q", err, services.Hint(err))
	}

	rebuilt, err := services.Rebuild(t.Context(), r.cfg, true, nil, slog.New(slog.DiscardHandler))
	if err != nil || rebuilt.Commits < uint64(len(before)) {
		t.Fatalf("%+v, %v", rebuilt, err)
	}
	r.start()
	r.listed()
	r.same(before, r.hashes())

	opt := services.ArchiveOptions{ArchiveOptions: aggregate.ArchiveOptions{Idle: -1, Settle: -1}}
	reports, err := r.admin.Archive(t.Context(), opt)
	if err != nil || len(reports) != 3 || reports[0].Service != subjects.ServiceRoom || reports[0].Purged < uint64(len(before)/2) {
		t.Fatalf("%+v, %v", reports, err)
	}
	var left uint64
	for _, n := range r.within(true) {
		left += n
	}
	if left != reports[0].Aggregates {
		t.Errorf("%d commits are left of %d rooms", left, reports[0].Aggregates)
	}
	r.same(before, r.hashes())
	for id := range r.tokens { // it wakes, from the archive alone
		r.command(id, "play", `{}`)
		call(t, "GET", r.s.HTTP+"/v1/rooms/"+id, r.tokens[id], "", 200)
	}
	r.same(before, r.hashes())
	r.stop()

	if rebuilt, err = services.Rebuild(t.Context(), r.cfg, true, nil, slog.New(slog.DiscardHandler)); err != nil || rebuilt.Loads == 0 {
		t.Fatalf("%+v, %v", rebuilt, err)
	}
	r.start()
	defer r.stop()
	r.listed()
	r.same(before, r.hashes())
	if _, err := r.admin.Archive(t.Context(), services.ArchiveOptions{Services: []string{"auth"}}); err == nil {
		t.Error("auth keeps no log, and is archived")
	}
}

// same compares the revisions that were there before.
func (r *sharded) same(before, after map[string]string) {
	r.Helper()
	for at, hash := range before {
		if after[at] != hash {
			r.Errorf("%s has hash %s, had %s", at, after[at], hash)
		}
	}
}
