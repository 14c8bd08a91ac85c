package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/sqlite"
	"github.com/tuttihq/tutti/subjects"
)

// paperLog is the log of a world as a journal that can only be read. Its sequences leave
// gaps, as those of a stream do.
type paperLog struct {
	aggregate.Journal
	w *world
}

func (l paperLog) seq(i int) uint64 { return uint64(i)*3 + 2 }

func (l paperLog) Read(_ context.Context, _ string, from uint64, f func(aggregate.Entry) error) error {
	for i := range l.w.log {
		if l.seq(i) < from {
			continue
		}
		data, err := subjects.AppendCommit(nil, &l.w.log[i])
		if err != nil {
			return err
		}
		if err := f(aggregate.Entry{Seq: l.seq(i), Data: data}); err != nil {
			return err
		}
	}
	return nil
}

func (l paperLog) head() uint64 { return l.seq(len(l.w.log) - 1) }

// shaky is a store that now and then says that it is not there, whether it did what it was
// asked or not.
type shaky struct {
	store.Store
	every int
}

func (s *shaky) Put(ctx context.Context, table string, d store.Document) error {
	if s.every > 0 && rand.IntN(s.every) == 0 {
		if rand.IntN(2) == 0 {
			_ = s.Store.Put(ctx, table, d)
		}
		return store.ErrUnavailable
	}
	return s.Store.Put(ctx, table, d)
}

func openStore(t *testing.T) store.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "chats.db"), Tables())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newArchive(t failer, w *world, s store.Store) *Archive {
	a, err := NewArchive(paperLog{w: w}, s)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return a
}

// all gives the model's messages, the oldest first.
func (w *world) all() []subjects.ChatEntry {
	out := make([]subjects.ChatEntry, 0, len(w.past))
	for _, e := range w.past {
		out = append(out, e)
	}
	slices.SortFunc(out, subjects.ChatEntry.Compare)
	return out
}

func (w *world) archived(a *Archive) {
	w.t.Helper()
	want := w.all()
	got, err := a.Range(context.Background(), w.id, 0, 1, int64(len(want)))
	if err != nil || len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
		w.t.Fatalf("the history is %d messages, %v, and not the %d:\n%+v\nwant\n%+v", len(got), err, len(want), got, want)
	}
}

// TestArchiveFollowsTheLog archives arbitrary histories with several replicas, in pieces, on
// a store that fails: at the end the store has exactly what the log says.
func TestArchiveFollowsTheLog(t *testing.T) {
	st := openStore(t)
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		w := newWorld(t)
		w.id = roomID(fmt.Sprint("archive", n))
		w.s = w.m.New(w.id)
		w.fact(subjects.ChatFact{Fact: subjects.FactCreated, Creator: user("ana"), Open: true, Table: subjects.GrantTable})
		for _, name := range people[:5] {
			w.member(name, subjects.RoleModerator)
		}
		unsteady := &shaky{st, rapid.SampledFrom([]int{0, 2, 5}).Draw(t, "every")}
		replicas := []*Archive{newArchive(t, w, unsteady), newArchive(t, w, unsteady)}
		h := drawn{w, t}
		for range rapid.IntRange(1, steps(60)).Draw(t, "steps") {
			h.step()
			switch rapid.IntRange(0, 5).Draw(t, "archive") {
			case 0: // one of them, perhaps in vain
				_ = replicas[rapid.IntRange(0, 1).Draw(t, "replica")].CatchUp(context.Background(), w.id, 1, paperLog{w: w}.head())
			case 1: // both at once
				var wg sync.WaitGroup
				for _, r := range replicas {
					wg.Go(func() { _ = r.CatchUp(context.Background(), w.id, 1, paperLog{w: w}.head()) })
				}
				wg.Wait()
			case 2: // one dies, and another takes its place
				replicas[0] = newArchive(t, w, unsteady)
			}
		}
		unsteady.every = 0
		for _, r := range replicas {
			if err := r.CatchUp(context.Background(), w.id, 1, paperLog{w: w}.head()); err != nil {
				t.Fatalf("%v", err)
			}
			w.archived(r)
		}
	})
}

// A log that has lost its tail and grown anew has another epoch: the history is that of the
// log, not of what was lost.
func TestArchiveAfterALostTail(t *testing.T) {
	w := open(t, true)
	a := newArchive(t, w, openStore(t))
	for i := range 120 {
		w.says("mo", fmt.Sprint("lost", i))
	}
	if err := a.CatchUp(t.Context(), w.id, 1, paperLog{w: w}.head()); err != nil {
		t.Fatal(err)
	}
	w.archived(a)
	again := open(t, true)
	w.s, w.log, w.past, w.doc = again.s, again.log, again.past, again.doc
	w.now += 1000
	for i := range 70 {
		w.says("ben", fmt.Sprint("anew", i))
	}
	for i := range w.log {
		w.log[i].Epoch = 2
	}
	if err := a.CatchUp(t.Context(), w.id, 2, paperLog{w: w}.head()); err != nil {
		t.Fatal(err)
	}
	w.archived(a)
	w.archived(newArchive(t, w, a.store))
}

// What is behind is said, not made up.
func TestArchiveBehind(t *testing.T) {
	w := open(t, true)
	a := newArchive(t, w, openStore(t))
	id := w.says("ben", "x")
	if _, err := a.Message(t.Context(), w.id, id); !errors.Is(err, ErrBehind) {
		t.Fatalf("%v", err)
	}
	if err := a.CatchUp(t.Context(), w.id, 1, paperLog{w: w}.head()+1); !errors.Is(err, ErrBehind) {
		t.Fatalf("%v", err)
	}
	if m, err := a.Message(t.Context(), w.id, id); err != nil || m == nil || m.Text != "x" {
		t.Fatalf("%+v, %v", m, err)
	}
	if m, err := a.Message(t.Context(), w.id, subjects.MessageID(w.id, "other", "", w.now, 1)); err != nil || m != nil {
		t.Fatalf("%+v, %v", m, err)
	}
	if _, err := a.Message(t.Context(), w.id, subjects.MessageID(w.id, "other", "", w.now, 2)); !errors.Is(err, ErrBehind) {
		t.Fatalf("%v", err)
	}
}

// pages answers a world's history.
func pages(w *world, a *Archive, ask body) (*subjects.ChatHistoryPage, error) {
	raw, err := json.Marshal(ask)
	if err != nil {
		return nil, err
	}
	var req subjects.ChatHistory
	if err := subjects.DecodeBody(raw, &req); err != nil {
		return nil, err
	}
	if err := checkHistory(&req); err != nil {
		return nil, err
	}
	h := &history{past: a}
	sc := scope{epoch: w.log[len(w.log)-1].Epoch, seq: paperLog{w: w}.head(), total: w.s.Chat.Total, recent: w.s.Chat.Ordered(), own: w.s.OwnSealed(req.Viewer)}
	return h.page(context.Background(), &req, &sc)
}

// TestPages compares pages with what the whole list says, for somebody who is shadow-muted
// and for somebody who is not, in both directions.
func TestPages(t *testing.T) {
	w := open(t, true)
	var benSees []subjects.ChatEntry
	said := map[string]bool{}
	messages, every := 230, 1
	if Raced {
		messages, every = 130, 7
	}
	for i := range messages {
		w.now += rand.Int64N(2)
		switch {
		case i%40 == 10:
			w.ok("mo", "shadowMute", about("ben"))
		case i%40 == 30:
			w.ok("mo", "unshadow", about("ben"))
		}
		id := w.says(people[1+rand.IntN(3)], fmt.Sprint(i))
		said[id] = true
	}
	a := newArchive(t, w, openStore(t))
	if err := a.CatchUp(t.Context(), w.id, 1, paperLog{w: w}.head()); err != nil {
		t.Fatal(err)
	}
	everybody := w.all()
	benSees = append(slices.Clone(everybody), w.s.OwnSealed(user("ben"))...)
	slices.SortFunc(benSees, subjects.ChatEntry.Compare)
	if len(benSees) != len(said) || len(everybody) == len(benSees) {
		t.Fatalf("%d messages for ben, %d for everybody, of %d", len(benSees), len(everybody), len(said))
	}
	for who, list := range map[string][]subjects.ChatEntry{"ben": benSees, "cleo": everybody, "": everybody} {
		for _, limit := range []int{1, 7, 100} {
			compare := func(ask body, from, to int) {
				t.Helper()
				ask["chat"], ask["viewer"], ask["limit"] = w.id, user(who), limit
				got, err := pages(w, a, ask)
				if err != nil {
					t.Fatalf("%v: %v", ask, err)
				}
				from, to = max(0, from), min(len(list), to)
				want := subjects.ChatHistoryPage{Messages: list[from:to], Earlier: from > 0, Later: to < len(list), Total: w.s.Chat.Total}
				if len(want.Messages) == 0 {
					want.Messages = []subjects.ChatEntry{}
				}
				if !reflect.DeepEqual(*got, want) {
					t.Fatalf("%s asks %v: %d messages, %t %t; want %d, %t %t", who, ask, len(got.Messages), got.Earlier, got.Later,
						len(want.Messages), want.Earlier, want.Later)
				}
			}
			compare(body{}, len(list)-limit, len(list))
			for i, e := range list {
				if i%every != 0 && i != len(list)-1 {
					continue
				}
				compare(body{"before": e.ID}, i-limit, i)
				compare(body{"after": e.ID}, i+1, i+1+limit)
			}
		}
	}
	for _, bad := range []body{
		{"before": everybody[0].ID, "after": everybody[0].ID}, {"before": "x"}, {"limit": 101}, {"limit": -1}, {"sort": 1}, {"viewer": "sys"},
	} {
		bad["chat"] = w.id
		if _, err := pages(w, a, bad); subjects.CodeOf(err) != subjects.CodeInvalid {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// noMarks is a store that dies before it is said how far a chat is archived.
type noMarks struct{ store.Store }

func (s noMarks) Put(ctx context.Context, table string, d store.Document) error {
	if d.ID == markID(roomID("room")) {
		return store.ErrUnavailable
	}
	return s.Store.Put(ctx, table, d)
}

// A process that dies between writing messages and noting how far it came has its commits
// applied again: what is in a document already is passed over.
func TestArchiveAppliesEachCommitOnce(t *testing.T) {
	w, st := open(t, true), openStore(t)
	id := w.says("ben", "x")
	if err := newArchive(t, w, st).CatchUp(t.Context(), w.id, 1, paperLog{w: w}.head()); err != nil {
		t.Fatal(err)
	}
	for _, name := range people[:4] {
		w.ok(name, "react", react(id, "like"))
		dying := newArchive(t, w, noMarks{st})
		if err := dying.CatchUp(t.Context(), w.id, 1, paperLog{w: w}.head()); !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("%v", err)
		}
		w.archived(dying)
	}
	next := newArchive(t, w, st)
	if err := next.CatchUp(t.Context(), w.id, 1, paperLog{w: w}.head()); err != nil {
		t.Fatal(err)
	}
	w.archived(next)
}
