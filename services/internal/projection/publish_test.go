package projection_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/projection"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// openBoxes publishes the sum of boxes that are open.
var openBoxes = projection.Publication{
	Table: "boxes", Workers: 3, Backlog: 4, RetryMin: 5 * time.Millisecond,
	Public: func(d store.Document) (json.RawMessage, bool) {
		var b struct {
			Sum  int
			Open bool
		}
		if d.Decode(&b) != nil || !b.Open {
			return nil, false
		}
		return fmt.Appendf(nil, `{"sum":%d}`, b.Sum), true
	},
}

func (w *world) publish(s store.Store) (stop func()) {
	return w.background(func(ctx context.Context) error { return projection.Publish(ctx, w.bus, s, openBoxes) })
}

// write stores a box.
func (w *world) write(id string, rev, sum int, open bool) {
	w.t.Helper()
	if err := w.db.Put(context.Background(), "boxes", store.Document{
		ID: id, Version: store.Version{Epoch: 1, Fold: 1, Rev: uint64(rev)}, Body: fmt.Appendf(nil, `{"sum":%d,"open":%t,"secret":1}`, sum, open),
	}); err != nil {
		w.t.Fatal(err)
	}
}

// state lists STATE: what is published, and "deleted" for what was.
func (w *world) state() map[string]string {
	w.t.Helper()
	out := map[string]string{}
	if err := w.bus.Read(context.Background(), subjects.StreamState, subjects.StateWildcard("boxes"), 1, func(e bus.Entry) error {
		d, err := bus.DecodeState(e.Subject, e.Data)
		if err != nil {
			return err
		}
		out[d.ID] = string(d.Body)
		if d.Deleted {
			out[d.ID] = "deleted"
		}
		return nil
	}); err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) publishes(want map[string]string) {
	w.t.Helper()
	var have map[string]string
	if !eventually(func() bool { have = w.state(); return maps.Equal(have, want) }) {
		w.t.Fatalf("STATE is %v, want %v", have, want)
	}
}

func (w *world) stateSeq() uint64 {
	s, err := w.bus.StreamState(context.Background(), subjects.StreamState)
	if err != nil {
		w.t.Fatal(err)
	}
	return s.LastSeq
}

func TestOnlyWhatIsPublicIsPublished(t *testing.T) {
	w := newWorld(t)
	w.write("a", 1, 10, true)
	w.write("private", 1, 20, false)
	stop := w.publish(w.db)
	w.publishes(map[string]string{"a": `{"sum":10}`})

	w.write("b", 1, 1, true)
	w.write("private", 2, 21, false)
	w.write("a", 2, 11, true)
	w.publishes(map[string]string{"a": `{"sum":11}`, "b": `{"sum":1}`})

	w.write("a", 3, 12, false) // retracted
	if err := w.db.Delete(t.Context(), "boxes", "b", store.Version{Epoch: 1, Fold: 1, Rev: 2}); err != nil {
		t.Fatal(err)
	}
	if err := w.db.Delete(t.Context(), "boxes", "private", store.Version{Epoch: 1, Fold: 1, Rev: 3}); err != nil {
		t.Fatal(err)
	}
	w.publishes(map[string]string{"a": "deleted", "b": "deleted"})
	w.write("a", 4, 13, true)
	w.publishes(map[string]string{"a": `{"sum":13}`, "b": "deleted"})

	// What is there is not published again, and what happened meanwhile is.
	stop()
	seq := w.stateSeq()
	w.write("c", 1, 5, true)
	if err := w.db.Delete(t.Context(), "boxes", "a", store.Version{Epoch: 1, Fold: 1, Rev: 5}); err != nil {
		t.Fatal(err)
	}
	w.publish(w.db)
	w.publishes(map[string]string{"a": "deleted", "b": "deleted", "c": `{"sum":5}`})
	if n := w.stateSeq() - seq; n != 2 {
		t.Fatalf("%d messages for 2 changes", n)
	}
}

func TestADocumentThatCannotBePublishedIsPassedOver(t *testing.T) {
	w := newWorld(t)
	p := openBoxes
	p.Public = func(d store.Document) (json.RawMessage, bool) {
		switch d.ID {
		case "panics":
			panic("on demand")
		case "broken":
			return []byte("{"), true
		}
		return []byte(`{}`), true
	}
	for _, id := range []string{"with.a.dot", "panics", "broken", "good"} {
		w.write(id, 1, 1, true)
	}
	w.background(func(ctx context.Context) error { return projection.Publish(ctx, w.bus, w.db, p) })
	w.publishes(map[string]string{"good": `{}`})
}

// forgetful is a store whose feeds get lost.
type forgetful struct{ store.Store }

type forgetfulFeed struct {
	store.Feed
	left int
}

func (s forgetful) Changes(ctx context.Context, table string) (store.Feed, error) {
	if rand.IntN(3) == 0 {
		return nil, store.ErrUnavailable
	}
	f, err := s.Store.Changes(ctx, table)
	return &forgetfulFeed{f, rand.IntN(40)}, err
}

func (f *forgetfulFeed) Next(ctx context.Context) (store.Change, error) {
	if f.left--; f.left < 0 {
		return store.Change{}, store.ErrFeedLost
	}
	return f.Feed.Next(ctx)
}

func TestPublishedDocumentsSurviveLostFeeds(t *testing.T) {
	w := newWorld(t)
	w.publish(forgetful{w.db})
	w.publish(w.db) // another replica
	want := map[string]string{}
	for rev := range 40 {
		for i := range 12 {
			id := fmt.Sprintf("b%d", i)
			open := rand.IntN(4) > 0
			w.write(id, rev+1, rev, open || rev == 39)
			want[id] = `{"sum":39}`
		}
		time.Sleep(time.Millisecond)
	}
	w.publishes(want)
}

// outage is a store whose first feed is lost, and that then refuses some.
type outage struct {
	store.Store
	opened *atomic.Int32
}

func (s outage) Changes(ctx context.Context, table string) (store.Feed, error) {
	n := s.opened.Add(1)
	if n > 1 && n < 5 {
		return nil, store.ErrUnavailable
	}
	f, err := s.Store.Changes(ctx, table)
	if n == 1 {
		return &forgetfulFeed{f, 1}, err // Ready, and no more
	}
	return f, err
}

// An outage of the store is two lines, when it begins and when it has ended, however often the
// feed is tried in between.
func TestALostFeedIsToldOnceAndThatItIsBack(t *testing.T) {
	w := newWorld(t)
	var out lockedBuffer
	p := openBoxes
	p.Log = slog.New(slog.NewTextHandler(&out, nil))
	s := outage{w.db, new(atomic.Int32)}
	stop := w.background(func(ctx context.Context) error { return projection.Publish(ctx, w.bus, s, p) })
	if !eventually(func() bool { return strings.Contains(out.String(), "level=INFO") }) {
		t.Fatalf("that the feed is back is not told:\n%s", out.String())
	}
	stop()
	if n := s.opened.Load(); n < 5 {
		t.Fatalf("only %d tries", n)
	}
	said := out.String()
	if strings.Count(said, "level=WARN") != 1 || strings.Count(said, "\n") != 2 || strings.Count(said, "table=boxes") != 2 {
		t.Errorf("an outage of the store is told as:\n%s", said)
	}
}

type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestPublishTellsWhatWaitingDoesNotMend(t *testing.T) {
	w := newWorld(t)
	p := openBoxes
	p.Table = "nowhere"
	if err := projection.Publish(t.Context(), w.bus, w.db, p); !errors.Is(err, store.ErrUnknownTable) {
		t.Fatalf("got %v, want ErrUnknownTable", err)
	}
	if err := projection.Publish(t.Context(), w.bus, w.db, projection.Publication{Table: "boxes"}); err == nil {
		t.Fatal("a publication without Public is taken")
	}
}

// TestNATSMayGoAway has everything run over a connection whose server restarts.
func TestNATSMayGoAway(t *testing.T) {
	w := newWorld(t)
	cfg := bus.Defaults()
	cfg.DataDir, cfg.Listen = t.TempDir(), "127.0.0.1:0"
	server, err := bus.Start(t.Context(), cfg, []string{"box"}, discard())
	if err != nil {
		t.Fatal(err)
	}
	remote := bus.Defaults()
	remote.URL = server.Address()
	cfg.Listen = remote.URL[len("nats://"):]
	w.bus = startBus(t, remote)

	p := openBoxes
	p.Public = func(d store.Document) (json.RawMessage, bool) { return d.Body, true }
	w.start(w.db, specOf(boxFold{}), projection.Options{})
	w.background(func(ctx context.Context) error { return projection.Publish(ctx, w.bus, w.db, p) })
	for round := range 3 {
		w.j = journalOf(server)
		for i := range 20 {
			w.commit(fmt.Sprintf("b%d", i%5), put(fmt.Sprint(round), i))
		}
		if round < 2 {
			closeBus(server)
			time.Sleep(100 * time.Millisecond)
			if server, err = bus.Start(t.Context(), cfg, []string{"box"}, discard()); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Cleanup(func() { closeBus(server) })
	w.converge(boxFold{})
	var have, want map[string]string
	if !eventually(func() bool {
		have, want = w.state(), map[string]string{}
		for k, v := range w.have() {
			if id, ok := cutBox(k); ok {
				want[id] = v
			}
		}
		return reflect.DeepEqual(have, want)
	}) {
		t.Fatalf("STATE is %v, want %v", have, want)
	}
}
