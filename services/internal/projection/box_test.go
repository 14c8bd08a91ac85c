package projection_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/projection"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/sqlite"
	"github.com/tuttihq/tutti/subjects"
)

func TestMain(m *testing.M) {
	if child() {
		return
	}
	if err := flag.Set("rapid.checks", "40"); err != nil { // unless the command line says otherwise
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// A box holds things under keys. Its documents are one of its own, and one for each thing
// in it, which goes when the thing does.
type box struct {
	id     string
	things map[string]int
	sum    int
}

type boxEvent struct {
	typ   string
	Key   string `json:"key"`
	Value int    `json:"value"`
}

// boxFold is how boxes change. Its fields play other releases.
type boxFold struct {
	version uint64 // of the fold; 0 means 1
	modern  bool   // knows box.shaken
	doubled bool   // counts values twice
}

func (boxFold) Service() string { return "box" }

func (f boxFold) FoldVersion() uint64 { return max(f.version, 1) }

func (boxFold) New(id string) *box { return &box{id: id, things: map[string]int{}} }

func (f boxFold) DecodeEvent(typ string, body []byte) (boxEvent, error) {
	e := boxEvent{typ: typ}
	if typ == "box.shaken" && !f.modern {
		return e, fmt.Errorf("%w: %q", aggregate.ErrUnknownEvent, typ)
	}
	err := json.Unmarshal(body, &e)
	return e, err
}

func (f boxFold) Evolve(b *box, _ subjects.Meta, e boxEvent, _ *subjects.Marks) error {
	switch e.typ {
	case "box.put":
		b.things[e.Key] = e.Value
		b.sum += e.Value
		if f.doubled {
			b.sum += e.Value
		}
	case "box.taken":
		delete(b.things, e.Key)
	case "box.shaken":
		b.sum = 0
	case "box.burst":
		panic("burst")
	default:
		return errors.New("no such event")
	}
	return nil
}

func (boxFold) DecodeState(string, []byte) (*box, error) {
	return nil, errors.New("boxes have no snapshots")
}

type boxTouched struct {
	any  bool
	keys map[string]bool
}

func (t *boxTouched) Note(e boxEvent) {
	t.any = true
	if e.Key != "" {
		t.keys[e.Key] = true
	}
}

func (t *boxTouched) All(b *box) {
	t.any = true
	for k := range b.things {
		t.keys[k] = true
	}
}

func (t *boxTouched) Writes(b *box, _ store.Version) ([]projection.Write, error) {
	if !t.any {
		return nil, nil
	}
	out := []projection.Write{{Table: "boxes", Document: store.Document{
		ID: b.id, Body: fmt.Appendf(nil, `{"sum":%d,"things":%d}`, b.sum, len(b.things)),
	}}}
	for k := range t.keys {
		w := projection.Write{Table: "things", Document: store.Document{ID: k + "." + b.id}}
		if v, ok := b.things[k]; ok {
			w.Document.Body = fmt.Appendf(nil, `{"value":%d}`, v)
		} else {
			w.Document.Deleted = true
		}
		out = append(out, w)
	}
	return out, nil
}

type boxSpec = projection.Spec[*box, boxEvent]

type boxState = aggregate.Folded[*box]

func specOf(f boxFold) boxSpec {
	return boxSpec{
		Fold: f, Tables: []string{"boxes", "things"},
		Touched: func() projection.Touched[*box, boxEvent] { return &boxTouched{keys: map[string]bool{}} },
		Owner: func(table, id string) (string, bool) {
			if table == "boxes" {
				return id, true
			}
			_, id, ok := strings.Cut(id, ".")
			return id, ok
		},
	}
}

// world is a bus, a store and the log that a test has written.
type world struct {
	t   testing.TB
	bus *bus.Bus
	db  store.Store
	j   aggregate.Journal

	mu    sync.Mutex
	epoch uint64 // of the commits to come, less one
	log   map[string][]subjects.Commit
	seq   map[string]uint64
}

func boxTables() []store.Table {
	return []store.Table{{Name: "boxes"}, {Name: "things"}}
}

func discard() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func startBus(t testing.TB, cfg bus.Config) *bus.Bus {
	t.Helper()
	b, err := bus.Start(t.Context(), cfg, []string{"box"}, discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeBus(b) })
	return b
}

func closeBus(b *bus.Bus) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	b.Close(ctx)
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return openWorld(t, t.TempDir())
}

// openWorld opens what is kept in a directory.
func openWorld(t testing.TB, dir string) *world {
	t.Helper()
	return openWorldOn(t, dir, busIn(dir))
}

func openWorldOn(t testing.TB, dir string, cfg bus.Config) *world {
	t.Helper()
	b := startBus(t, cfg)
	db, err := storeIn(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &world{t: t, bus: b, db: db, j: journalOf(b), log: map[string][]subjects.Commit{}, seq: map[string]uint64{}}
}

func busIn(dir string) bus.Config {
	cfg := bus.Defaults()
	cfg.DataDir = filepath.Join(dir, "nats")
	return cfg
}

func storeIn(ctx context.Context, dir string) (store.Store, error) {
	return sqlite.Open(ctx, filepath.Join(dir, "boxes.db"), boxTables())
}

func journalOf(b *bus.Bus) aggregate.Journal { return aggregate.NewJournal(b, "box") }

func cutBox(place string) (string, bool) { return strings.CutPrefix(place, "boxes/") }

func put(key string, value int) subjects.Event {
	return subjects.Event{Type: "box.put", By: "user_1", Cmd: "c", At: 1, Body: fmt.Appendf(nil, `{"key":%q,"value":%d}`, key, value)}
}

func taken(key string) subjects.Event {
	return subjects.Event{Type: "box.taken", By: "user_1", Cmd: "c", At: 1, Body: fmt.Appendf(nil, `{"key":%q}`, key)}
}

func odd(typ string) subjects.Event {
	return subjects.Event{Type: typ, By: "user_1", Cmd: "c", At: 1, Body: []byte(`{}`)}
}

// commit appends events to a box's log as one commit.
func (w *world) commit(id string, events ...subjects.Event) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	c := subjects.Commit{Epoch: 1 + w.epoch, Rev: uint64(len(w.log[id])) + 1, At: 1, Public: subjects.Public{Events: events}}
	data, err := subjects.AppendCommit(nil, &c)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	seq, err := w.j.Append(ctx, id, data, w.seq[id])
	if err != nil {
		w.t.Fatal(err)
	}
	w.seq[id], w.log[id] = seq, append(w.log[id], c)
}

// want folds the log into the documents that there should be.
func (w *world) want(f boxFold) map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[string]string{}
	for id, log := range w.log {
		b := f.New(id)
		t := &boxTouched{keys: map[string]bool{}}
		for _, c := range log {
			for _, e := range c.Public.Events {
				ev, err := f.DecodeEvent(e.Type, e.Body)
				if err != nil {
					w.t.Fatal(err)
				}
				if err := f.Evolve(b, subjects.Meta{}, ev, nil); err != nil {
					w.t.Fatal(err)
				}
			}
		}
		t.All(b)
		writes, err := t.Writes(b, store.Version{})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, d := range writes {
			out[d.Table+"/"+d.Document.ID] = string(d.Document.Body)
		}
	}
	return out
}

// have lists the live documents of the store.
func (w *world) have() map[string]string {
	w.t.Helper()
	out := map[string]string{}
	for _, table := range []string{"boxes", "things"} {
		for d := range w.documents(table) {
			if !d.Deleted {
				out[table+"/"+d.ID] = string(d.Body)
			}
		}
	}
	return out
}

// documents yields all documents of a table, tombstones included.
func (w *world) documents(table string) func(func(store.Document) bool) {
	return func(yield func(store.Document) bool) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		feed, err := w.db.Changes(ctx, table)
		if err != nil {
			w.t.Fatal(err)
		}
		defer feed.Close()
		for {
			c, err := feed.Next(ctx)
			if err != nil {
				w.t.Fatal(err)
			}
			if c.Kind == store.Ready || !yield(*c.New) {
				return
			}
		}
	}
}

// converge waits until the documents are what the log says.
func (w *world) converge(f boxFold) {
	w.t.Helper()
	var have, want map[string]string
	if !eventually(func() bool {
		have, want = w.have(), w.want(f)
		return reflect.DeepEqual(have, want)
	}) {
		for _, k := range slices.Sorted(maps.Keys(want)) {
			if have[k] != want[k] {
				w.t.Errorf("%s is %q, want %q", k, have[k], want[k])
			}
		}
		for _, k := range slices.Sorted(maps.Keys(have)) {
			if _, ok := want[k]; !ok {
				w.t.Errorf("%s is %q, want none", k, have[k])
			}
		}
		w.t.FailNow()
	}
}

func eventually(ok func() bool) bool {
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	return true
}

type projector = projection.Projector[*box, boxEvent]

// start runs a projector until stop is called.
func (w *world) start(db store.Store, spec boxSpec, opt projection.Options) (p *projector, stop func()) {
	w.t.Helper()
	if opt.AckWait == 0 {
		opt.AckWait = 2 * time.Second
	}
	p, err := projection.New(w.bus, db, spec, opt)
	if err != nil {
		w.t.Fatal(err)
	}
	return p, w.background(p.Run)
}

// background runs f until stop is called, which waits for it.
func (w *world) background(f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := f(ctx); err != nil {
			w.t.Errorf("ended with %v", err)
		}
	}()
	var once sync.Once
	stop = func() { once.Do(func() { cancel(); <-done }) }
	w.t.Cleanup(stop)
	return stop
}

func (w *world) deadLetters() uint64 {
	w.t.Helper()
	s, err := w.bus.StreamState(context.Background(), subjects.StreamDLQ)
	if err != nil {
		w.t.Fatal(err)
	}
	return s.Messages
}
