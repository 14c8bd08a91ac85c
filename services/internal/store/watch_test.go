package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tuttihq/tutti/services/internal/store"
)

// script is a store of which only Changes works: it plays one round of changes after
// another, and ends each with an error.
type script struct {
	store.Store

	rounds []round
	opened []time.Time
}

type round struct {
	refuse  error // of Changes
	changes []store.Change
	end     error // of Next, after the changes; nil waits for the context
}

func (s *script) Changes(context.Context, string) (store.Feed, error) {
	s.opened = append(s.opened, time.Now())
	if len(s.rounds) == 0 {
		return nil, store.ErrClosed
	}
	r := s.rounds[0]
	s.rounds = s.rounds[1:]
	if r.refuse != nil {
		return nil, r.refuse
	}
	return &scriptFeed{r}, nil
}

type scriptFeed struct{ round }

func (f *scriptFeed) Next(ctx context.Context) (store.Change, error) {
	if len(f.changes) == 0 {
		if f.end == nil {
			<-ctx.Done()
			return store.Change{}, ctx.Err()
		}
		return store.Change{}, f.end
	}
	c := f.changes[0]
	f.changes = f.changes[1:]
	return c, nil
}

func (f *scriptFeed) Close() error { return nil }

func live(id string, rev uint64) *store.Document {
	return &store.Document{ID: id, Version: store.Version{Rev: rev}, Body: []byte(`{}`)}
}

func dead(id string, rev uint64) *store.Document {
	return &store.Document{ID: id, Version: store.Version{Rev: rev}, Deleted: true}
}

func initial(d *store.Document) store.Change { return store.Change{Kind: store.Initial, New: d} }
func changed(d *store.Document) store.Change { return store.Change{Kind: store.Changed, New: d} }

var ready = store.Change{Kind: store.Ready}

// watch runs a Watch over the rounds until the store says it is closed, and returns
// what was reported, as "+id@rev", "-id@rev" and "=" for Synced.
func watch(t *testing.T, s *script) []string {
	t.Helper()
	var got []string
	err := store.Watch(t.Context(), s, "rooms", store.WatchOptions{}, func(_ context.Context, e store.Event) error {
		sign := map[store.EventKind]string{store.Updated: "+", store.Removed: "-"}[e.Kind]
		if e.Kind == store.Synced {
			got = append(got, "=")
			return nil
		}
		if e.Document.Deleted != (e.Kind == store.Removed) {
			t.Errorf("event %d with deleted %v", e.Kind, e.Document.Deleted)
		}
		got = append(got, fmt.Sprint(sign, e.Document.ID, "@", e.Document.Version.Rev))
		return nil
	})
	if !errors.Is(err, store.ErrClosed) {
		t.Fatalf("watch ended with %v", err)
	}
	return got
}

func TestWatchAcrossLosses(t *testing.T) {
	lost := store.ErrFeedLost
	for name, c := range map[string]struct {
		rounds []round
		want   []string
	}{
		"what was there, then what changes": {
			[]round{{changes: []store.Change{initial(live("a", 1)), ready, changed(live("a", 2)), changed(dead("a", 3))}, end: lost}},
			[]string{"+a@1", "=", "+a@2", "-a@3"},
		},
		"repetition is no news": {
			[]round{
				{changes: []store.Change{initial(live("a", 1)), initial(live("b", 1)), ready}, end: lost},
				{changes: []store.Change{initial(live("b", 1)), initial(live("a", 1)), ready}, end: lost},
			},
			[]string{"+a@1", "+b@1", "=", "="},
		},
		"news of the gap are reported": {
			[]round{
				{changes: []store.Change{initial(live("a", 1)), initial(live("b", 1)), ready}, end: lost},
				{changes: []store.Change{initial(live("a", 4)), initial(dead("b", 2)), ready}, end: lost},
			},
			[]string{"+a@1", "+b@1", "=", "+a@4", "-b@2", "="},
		},
		"what vanished is removed before synced": {
			[]round{
				{changes: []store.Change{initial(live("a", 1)), initial(live("b", 2)), initial(dead("c", 2)), ready}, end: lost},
				{changes: []store.Change{initial(live("a", 1)), ready, changed(live("b", 1))}, end: lost},
			},
			[]string{"+a@1", "+b@2", "-c@2", "=", "-b@2", "=", "+b@1"},
		},
		"lost before ready removes nothing": {
			[]round{
				{changes: []store.Change{initial(live("a", 1)), initial(live("b", 1)), ready}, end: lost},
				{changes: []store.Change{initial(live("a", 1))}, end: lost},
				{refuse: store.ErrUnavailable},
				{changes: []store.Change{initial(live("b", 1)), initial(live("a", 1)), ready}, end: lost},
			},
			[]string{"+a@1", "+b@1", "=", "="},
		},
		"older than known never wins": {
			[]round{
				{changes: []store.Change{initial(live("a", 5)), ready, changed(live("a", 4)), changed(live("a", 5))}, end: lost},
				{changes: []store.Change{initial(live("a", 3)), ready, changed(live("a", 6))}, end: lost},
			},
			[]string{"+a@5", "=", "=", "+a@6"},
		},
		"written and initial at once": {
			[]round{{changes: []store.Change{changed(live("a", 2)), initial(live("a", 1)), ready}, end: lost}},
			[]string{"+a@2", "="},
		},
		"removed for good": {
			[]round{{changes: []store.Change{initial(live("a", 2)), ready, {Kind: store.Changed, Old: live("a", 2)}}, end: lost}},
			[]string{"+a@2", "=", "-a@2"},
		},
		"any other failure is a loss": {
			[]round{
				{refuse: errors.New("connection reset")},
				{changes: []store.Change{ready}, end: errors.New("read: broken pipe")},
				{changes: []store.Change{initial(live("a", 1)), ready}, end: lost},
			},
			[]string{"=", "+a@1", "="},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got := watch(t, &script{rounds: c.rounds}); !slices.Equal(got, c.want) {
					t.Errorf("reported %v, want %v", got, c.want)
				}
			})
		})
	}
}

func TestWatchBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		for range 12 {
			s.rounds = append(s.rounds, round{refuse: store.ErrUnavailable})
		}
		s.rounds = append(s.rounds, round{changes: []store.Change{ready}, end: store.ErrFeedLost})
		watch(t, s)
		for i := 1; i < len(s.opened); i++ {
			wait := s.opened[i].Sub(s.opened[i-1])
			most := min(50*time.Millisecond<<(i-1), 5*time.Second)
			if i == len(s.opened)-1 {
				most = 50 * time.Millisecond // from the beginning after Synced
			}
			if wait < most/2 || wait > most {
				t.Errorf("wait %d was %v, want between %v and %v", i, wait, most/2, most)
			}
		}
	})
}

func TestWatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		err := store.Watch(ctx, &script{rounds: []round{{changes: []store.Change{ready}}}}, "rooms", store.WatchOptions{},
			func(context.Context, store.Event) error { return nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("with its context: %v", err)
		}
		full := errors.New("the disk is full")
		err = store.Watch(t.Context(), &script{rounds: []round{{changes: []store.Change{ready}}}}, "rooms", store.WatchOptions{},
			func(context.Context, store.Event) error { return full })
		if !errors.Is(err, full) {
			t.Errorf("with its handler: %v", err)
		}
		var heard []error
		options := store.WatchOptions{OnLost: func(err error) { heard = append(heard, err) }}
		s := &script{rounds: []round{{refuse: store.ErrUnavailable}, {refuse: store.ErrUnknownTable}}}
		err = store.Watch(t.Context(), s, "rooms", options, func(context.Context, store.Event) error { return nil })
		if !errors.Is(err, store.ErrUnknownTable) || len(heard) != 1 || !errors.Is(heard[0], store.ErrUnavailable) {
			t.Errorf("with %v, after losses %v", err, heard)
		}
	})
}
