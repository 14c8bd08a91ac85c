package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/store"
)

func (s *suite) feedTests() []test {
	return []test{
		{"InitialThenReadyThenChanges", initialReadyChanges},
		{"EmptyTableIsReadyAtOnce", func(ctx context.Context, t *testing.T, s store.Store) {
			must(t, s.Put(ctx, accounts, doc(t, "elsewhere", rev(1), `{}`)))
			feed := open(ctx, t, s)
			wantChange(t, next(ctx, t, feed), store.Ready, nil, nil)
			must(t, s.Put(ctx, accounts, doc(t, "elsewhere", rev(2), `{}`)))
			a := doc(t, "a", rev(1), `{}`)
			must(t, s.Put(ctx, rooms, a))
			wantChange(t, next(ctx, t, feed), store.Changed, nil, &a)
		}},
		{"RefusedWritesAreNotHeard", func(ctx context.Context, t *testing.T, s store.Store) {
			a, b := doc(t, "a", rev(2), `{}`), doc(t, "b", rev(1), `{}`)
			must(t, s.Put(ctx, rooms, a))
			feed := open(ctx, t, s)
			drain(ctx, t, feed)
			wantErr(t, s.Put(ctx, rooms, doc(t, "a", rev(2), `{"x":1}`)), store.ErrStale)
			wantErr(t, s.Insert(ctx, rooms, doc(t, "a", rev(3), `{"x":1}`)), store.ErrExists)
			must(t, s.Put(ctx, rooms, b))
			wantChange(t, next(ctx, t, feed), store.Changed, nil, &b)
		}},
		{"ConvergesUnderLoad", converges},
		{"ManyDocumentsAndLargeOnes", func(ctx context.Context, t *testing.T, s store.Store) {
			const many = 700
			large := make([]byte, 1<<20)
			for i := range large {
				large[i] = 'x'
			}
			together(4, func(worker int) {
				for i := worker; i < many; i += 4 {
					body := map[string]any{"n": i}
					if i%200 == 0 {
						body["large"] = string(large)
					}
					if err := s.Put(ctx, rooms, doc(t, fmt.Sprint("d", i), rev(1), body)); err != nil {
						t.Error(err)
						return
					}
				}
			})
			if got := drain(ctx, t, open(ctx, t, s)); len(got) != many {
				t.Fatalf("%d initial documents, want %d", len(got), many)
			}
		}},
		{"ReaderThatFallsBehindLosesItsFeed", s.overflows},
		{"ClearLosesTheFeed", func(ctx context.Context, t *testing.T, s store.Store) {
			must(t, s.Put(ctx, rooms, doc(t, "a", rev(1), `{}`)))
			feed := open(ctx, t, s)
			drain(ctx, t, feed)
			must(t, s.Clear(ctx, rooms))
			wantErr(t, lost(ctx, t, feed), store.ErrFeedLost)
			wantChange(t, next(ctx, t, open(ctx, t, s)), store.Ready, nil, nil)
		}},
		{"NextGivesUpAndGoesOn", func(ctx context.Context, t *testing.T, s store.Store) {
			feed := open(ctx, t, s)
			drain(ctx, t, feed)
			short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
			defer cancel()
			_, err := feed.Next(short)
			wantErr(t, err, context.DeadlineExceeded)
			a := doc(t, "a", rev(1), `{}`)
			must(t, s.Put(ctx, rooms, a))
			wantChange(t, next(ctx, t, feed), store.Changed, nil, &a)
		}},
		{"FeedEndsWithItsContext", func(ctx context.Context, t *testing.T, s store.Store) {
			life, cancel := context.WithCancel(ctx)
			feed := open(life, t, s)
			drain(ctx, t, feed)
			time.AfterFunc(5*time.Millisecond, cancel)
			wantErr(t, lost(ctx, t, feed), context.Canceled)
		}},
		{"CloseEndsAWaitingNext", func(ctx context.Context, t *testing.T, s store.Store) {
			feed := open(ctx, t, s)
			drain(ctx, t, feed)
			time.AfterFunc(5*time.Millisecond, func() { _ = feed.Close() })
			wantErr(t, lost(ctx, t, feed), store.ErrClosed)
			must(t, feed.Close())
		}},
		{"WatchSeesAClearedTableRefilled", watchesClear},
	}
}

func open(ctx context.Context, t testing.TB, s store.Store) store.Feed {
	t.Helper()
	feed, err := s.Changes(ctx, rooms)
	must(t, err)
	t.Cleanup(func() { _ = feed.Close() })
	return feed
}

func next(ctx context.Context, t testing.TB, feed store.Feed) store.Change {
	t.Helper()
	change, err := feed.Next(ctx)
	must(t, err)
	return change
}

// drain reads up to Ready, and returns what came.
func drain(ctx context.Context, t testing.TB, feed store.Feed) map[string]store.Document {
	t.Helper()
	got := make(map[string]store.Document)
	for {
		change := next(ctx, t, feed)
		if change.Kind == store.Ready {
			return got
		}
		got[change.New.ID] = *change.New
	}
}

// lost reads until the feed ends, and checks that it has ended for good.
func lost(ctx context.Context, t testing.TB, feed store.Feed) error {
	t.Helper()
	for {
		if _, err := feed.Next(ctx); err != nil {
			if _, again := feed.Next(ctx); !errors.Is(again, err) && again.Error() != err.Error() {
				t.Fatalf("the feed ended with %v, and then %v", err, again)
			}
			return err
		}
	}
}

func wantChange(t testing.TB, got store.Change, kind store.ChangeKind, before, after *store.Document) {
	t.Helper()
	if got.Kind != kind || (got.Old == nil) != (before == nil) || (got.New == nil) != (after == nil) {
		t.Fatalf("got %s %+v → %+v, want %s %+v → %+v", got.Kind, got.Old, got.New, kind, before, after)
	}
	if before != nil {
		must(t, same(*got.Old, *before))
	}
	if after != nil {
		must(t, same(*got.New, *after))
	}
}

func initialReadyChanges(ctx context.Context, t *testing.T, s store.Store) {
	a, b := doc(t, "a", rev(1), `{"n":1}`), doc(t, "b", rev(4), `{"n":4}`)
	gone := store.Document{ID: "gone", Version: rev(2), Deleted: true}
	must(t, s.Put(ctx, rooms, a))
	must(t, s.Put(ctx, rooms, b))
	must(t, s.Delete(ctx, rooms, gone.ID, gone.Version))
	feed := open(ctx, t, s)
	seen := make(map[string]bool)
	for range 3 {
		change := next(ctx, t, feed)
		want := map[string]*store.Document{"a": &a, "b": &b, "gone": &gone}[change.New.ID]
		wantChange(t, change, store.Initial, nil, want)
		seen[change.New.ID] = true
	}
	if len(seen) != 3 {
		t.Fatalf("initial documents %v", seen)
	}
	wantChange(t, next(ctx, t, feed), store.Ready, nil, nil)

	a2, c := doc(t, "a", rev(2), `{"n":2}`), doc(t, "c", rev(1), `{}`)
	must(t, s.Put(ctx, rooms, a2))
	wantChange(t, next(ctx, t, feed), store.Changed, &a, &a2)
	must(t, s.Insert(ctx, rooms, c))
	wantChange(t, next(ctx, t, feed), store.Changed, nil, &c)
	must(t, s.Delete(ctx, rooms, "b", rev(5)))
	b5 := store.Document{ID: "b", Version: rev(5), Deleted: true}
	wantChange(t, next(ctx, t, feed), store.Changed, &b, &b5)
	b6 := doc(t, "b", rev(6), `{"n":6}`)
	must(t, s.Put(ctx, rooms, b6))
	wantChange(t, next(ctx, t, feed), store.Changed, &b5, &b6)
}

// converges opens feeds in the middle of a load, and holds what each makes of its
// changes against the table when the load is over.
func converges(ctx context.Context, t *testing.T, s store.Store) {
	const writers, each, documents, feeds = 4, 150, 40, 4
	for i := range documents / 2 {
		must(t, s.Put(ctx, rooms, doc(t, fmt.Sprint("d", i), rev(1), `{"n":0}`)))
	}
	var writing, reading sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				id := fmt.Sprint("d", (i*13+w*7)%documents)
				v := rev(uint64(2 + i*writers + w))
				var err error
				if i%9 == 8 {
					err = s.Delete(ctx, rooms, id, v)
				} else {
					err = s.Put(ctx, rooms, doc(t, id, v, map[string]any{"n": i, "w": w}))
				}
				if err != nil && !errors.Is(err, store.ErrStale) {
					t.Error(err)
					return
				}
			}
		})
	}
	results := make([]map[string]store.Document, feeds)
	for i := range feeds {
		reading.Go(func() { results[i] = follow(ctx, t, s, documents/2) })
	}
	writing.Wait()
	must(t, s.Put(ctx, rooms, doc(t, "end", rev(1), `{}`)))
	reading.Wait()
	for i, state := range results {
		if t.Failed() {
			return
		}
		for id := range documents {
			id := fmt.Sprint("d", id)
			want, err := s.Get(ctx, rooms, id)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				t.Fatal(err)
			}
			if err := same(state[id], want); err != nil {
				t.Errorf("feed %d: %v", i, err)
			}
		}
	}
}

// follow reads a feed until the document "end" comes, and checks on the way that
// versions only rise, that Ready comes once, with the first documents all seen, and
// that afterwards each change says what it replaced.
func follow(ctx context.Context, t *testing.T, s store.Store, first int) map[string]store.Document {
	state := make(map[string]store.Document)
	feed, err := s.Changes(ctx, rooms)
	if err != nil {
		t.Error(err)
		return state
	}
	defer func() { _ = feed.Close() }()
	ready := false
	for {
		change, err := feed.Next(ctx)
		if err != nil {
			t.Error(err)
			return state
		}
		if change.Kind == store.Ready {
			for i := range first {
				if _, ok := state[fmt.Sprint("d", i)]; !ok {
					t.Errorf("d%d was not seen before ready", i)
				}
			}
			if ready {
				t.Error("ready twice")
			}
			ready = true
			continue
		}
		id := change.New.ID
		last, known := state[id]
		switch {
		case known && !change.New.Version.Newer(last.Version):
			t.Errorf("%s came at %s after %s", id, change.New.Version, last.Version)
		case ready && change.Kind == store.Initial:
			t.Errorf("%s is initial after ready", id)
		case ready && known != (change.Old != nil), ready && known && change.Old.Version != last.Version:
			t.Errorf("the change of %s replaced %+v, but %+v was seen", id, change.Old, last)
		}
		state[id] = *change.New
		if id == "end" && ready {
			return state
		}
		if id == "end" {
			// Ready is still to come.
			if change, err = feed.Next(ctx); err != nil || change.Kind != store.Ready {
				t.Errorf("after the end came %s, %v", change.Kind, err)
			}
			return state
		}
	}
}

func (s *suite) overflows(ctx context.Context, t *testing.T, st store.Store) {
	feed := open(ctx, t, st)
	drain(ctx, t, feed)
	together(8, func(worker int) {
		for i := range s.overflow/8 + 1 {
			if err := st.Put(ctx, rooms, doc(t, fmt.Sprint("d", worker), rev(uint64(i+1)), `{}`)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	wantErr(t, lost(ctx, t, feed), store.ErrFeedLost)
	if got := drain(ctx, t, open(ctx, t, st)); len(got) != 8 {
		t.Fatalf("the new feed has %d initial documents, want 8", len(got))
	}
}

// watchesClear clears and refills a table under a Watch.
func watchesClear(ctx context.Context, t *testing.T, s store.Store) {
	must(t, s.Put(ctx, rooms, doc(t, "a", rev(5), `{}`)))
	must(t, s.Put(ctx, rooms, doc(t, "b", rev(5), `{}`)))
	ctx, cancel := context.WithCancel(ctx)
	events := make(chan store.Event)
	var watching sync.WaitGroup
	watching.Go(func() {
		err := store.Watch(ctx, s, rooms, store.WatchOptions{MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond},
			func(ctx context.Context, e store.Event) error {
				select {
				case events <- e:
				case <-ctx.Done():
				}
				return nil
			})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("watch: %v", err)
		}
	})
	defer watching.Wait()
	defer cancel()
	until := func(kind store.EventKind, id string) {
		t.Helper()
		for {
			select {
			case e := <-events:
				if e.Kind == kind && e.Document.ID == id {
					return
				}
			case <-ctx.Done():
				t.Fatal(ctx.Err())
			}
		}
	}
	until(store.Synced, "")
	must(t, s.Clear(ctx, rooms))
	must(t, s.Put(ctx, rooms, doc(t, "a", rev(6), `{}`)))
	gone, back := false, false
	for !gone || !back {
		select {
		case e := <-events:
			gone = gone || e.Kind == store.Removed && e.Document.ID == "b"
			back = back || e.Kind == store.Updated && e.Document.ID == "a" && e.Document.Version == rev(6)
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		}
	}
	until(store.Synced, "")
	must(t, s.Delete(ctx, rooms, "a", rev(7)))
	until(store.Removed, "a")
}
