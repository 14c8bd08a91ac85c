package projection_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/projection"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// patient is a store that fails, or takes its time, on demand.
type patient struct {
	store.Store
	down  atomic.Bool
	delay atomic.Int64 // at most, in nanoseconds
	puts  atomic.Int64
}

func (s *patient) Put(ctx context.Context, table string, d store.Document) error {
	s.puts.Add(1)
	if most := s.delay.Load(); most > 0 {
		select {
		case <-time.After(time.Duration(rand.Int64N(most))):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if s.down.Load() {
		return fmt.Errorf("%w: on demand", store.ErrUnavailable)
	}
	return s.Store.Put(ctx, table, d)
}

func TestDocumentsFollowEveryHistory(t *testing.T) {
	w := newWorld(t)
	slow := &patient{Store: w.db}
	slow.delay.Store(int64(3 * time.Millisecond))
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		// Two replicas, of which each forgets all but two boxes, and one comes and goes.
		opt := projection.Options{Aggregates: 2, InFlight: 16, Writers: 3}
		_, stopA := w.start(slow, specOf(boxFold{}), opt)
		_, stopB := w.start(slow, specOf(boxFold{}), opt)
		defer stopA()
		defer func() { stopB() }()
		n := rapid.IntRange(1, 60).Draw(rt, "commits")
		for range n {
			id := fmt.Sprintf("box%d-%d", round, rapid.IntRange(0, 4).Draw(rt, "box"))
			var events []subjects.Event
			for range rapid.IntRange(1, 3).Draw(rt, "events") {
				key := fmt.Sprint(rapid.IntRange(0, 3).Draw(rt, "key"))
				if rapid.Bool().Draw(rt, "take") {
					events = append(events, taken(key))
				} else {
					events = append(events, put(key, rapid.IntRange(0, 9).Draw(rt, "value")))
				}
			}
			w.commit(id, events...)
			if rapid.IntRange(0, 20).Draw(rt, "epoch") == 0 {
				w.epoch++
			}
			if rapid.IntRange(0, 20).Draw(rt, "restart") == 0 {
				stopB()
				_, stopB = w.start(slow, specOf(boxFold{}), opt)
			}
		}
		w.converge(boxFold{})
	})
	if n := w.deadLetters(); n != 0 {
		t.Fatalf("%d dead letters", n)
	}
}

func TestAStoreThatIsDownIsWaitedFor(t *testing.T) {
	inShards(t, func(t *testing.T, w *world) {
		db := &patient{Store: w.db}
		db.down.Store(true)
		p, _ := w.start(db, specOf(boxFold{}), projection.Options{InFlight: 32, RetryMin: 5 * time.Millisecond, RetryMax: 50 * time.Millisecond, Hold: 200 * time.Millisecond})
		for i := range 200 {
			w.commit(fmt.Sprintf("b%d", i%20), put(fmt.Sprint(i), i))
		}
		if !eventually(func() bool { return p.Stats().Retries > 100 }) {
			t.Fatal("it does not try")
		}
		if s := p.Stats(); s.Writes != 0 || s.DeadLetters != 0 {
			t.Fatalf("while the store is down: %+v", s)
		}
		db.down.Store(false)
		w.converge(boxFold{})
		if n := w.deadLetters(); n != 0 {
			t.Fatalf("%d dead letters", n)
		}
	})
}

func TestStoppingAtAnyMomentLosesNothing(t *testing.T) {
	inShards(t, func(t *testing.T, w *world) {
		db := &patient{Store: w.db}
		db.delay.Store(int64(4 * time.Millisecond))
		for round := range 6 {
			_, stop := w.start(db, specOf(boxFold{}), projection.Options{InFlight: 64})
			for i := range 60 {
				w.commit(fmt.Sprintf("b%d", i%7), put(fmt.Sprint(i%5), round*100+i), taken(fmt.Sprint((i+1)%5)))
				if i == 10*round {
					stop()
				}
			}
			stop()
		}
		w.start(db, specOf(boxFold{}), projection.Options{})
		w.converge(boxFold{})
	})
}

func TestWhatCannotBeDecodedGoesToTheDeadLetters(t *testing.T) {
	w := newWorld(t)
	w.commit("good", put("a", 1))
	w.commit("sick", put("a", 1))
	garbage := func(id string, data string) {
		if err := w.bus.Put(t.Context(), subjects.Events("box", id), []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	garbage("none", "\x00\xff garbage")
	garbage("none", `{"epoch":1,"rev":9,"at":1,"public":{"events":[],"patch":{}}}`) // a hole before it
	garbage("none", "")
	bad := subjects.Commit{Epoch: 1, Rev: 2, At: 1, Public: subjects.Public{Events: []subjects.Event{odd("box.burst")}}}
	data, err := subjects.AppendCommit(nil, &bad)
	if err != nil {
		t.Fatal(err)
	}
	garbage("sick", string(data)) // its fold panics
	w.commit("good", put("b", 2))
	w.commit("other", put("c", 3))

	p, _ := w.start(w.db, specOf(boxFold{}), projection.Options{})
	if !eventually(func() bool { return w.deadLetters() >= 4 && p.Stats().Commits >= 3 }) {
		t.Fatalf("%d dead letters, %+v", w.deadLetters(), p.Stats())
	}
	have := w.have()
	for k, want := range map[string]string{"boxes/good": `{"sum":3,"things":2}`, "boxes/other": `{"sum":3,"things":1}`} {
		if have[k] != want {
			t.Errorf("%s is %q, want %q", k, have[k], want)
		}
	}
	var reasons []string
	if err := w.bus.Read(t.Context(), subjects.StreamDLQ, subjects.DLQ("box"), 1, func(e bus.Entry) error {
		reasons = append(reasons, string(e.Data))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(reasons) < 4 {
		t.Fatalf("%q", reasons)
	}
}

func TestADocumentTheStoreRefusesDoesNotHoldUpOthers(t *testing.T) {
	w := newWorld(t)
	spec := specOf(boxFold{})
	spec.Touched = projection.FromState[*box, boxEvent](func(b *box, v store.Version) ([]projection.Write, error) {
		d := store.Document{ID: b.id, Version: v, Body: []byte(`{}`)}
		if b.id == "bad" {
			d.Body = []byte(`[]`)
		}
		return []projection.Write{{Table: "boxes", Document: d}}, nil
	})
	w.commit("bad", put("a", 1))
	w.commit("good", put("a", 1))
	w.start(w.db, spec, projection.Options{})
	if !eventually(func() bool { return w.deadLetters() == 1 && w.have()["boxes/good"] == `{}` }) {
		t.Fatalf("%d dead letters, %v", w.deadLetters(), w.have())
	}
}

func TestUnderLoadTheNewestFoldIsWritten(t *testing.T) {
	w := newWorld(t)
	const n = 1500
	for i := range n {
		w.commit("hot", put("a", i))
	}
	db := &patient{Store: w.db}
	db.delay.Store(int64(4 * time.Millisecond))
	p, _ := w.start(db, specOf(boxFold{}), projection.Options{})
	w.converge(boxFold{})
	if !eventually(func() bool { return p.Stats().Commits == n }) {
		t.Fatalf("%+v", p.Stats())
	}
	if puts := db.puts.Load(); puts > n/10 {
		t.Fatalf("%d writes for %d commits", puts, n)
	}
}

func TestReplicasAtOnceLeaveTheNewestDocuments(t *testing.T) {
	w := newWorld(t)
	db := &patient{Store: w.db}
	db.delay.Store(int64(2 * time.Millisecond))
	var stats []*projector
	for range 3 {
		p, _ := w.start(db, specOf(boxFold{}), projection.Options{InFlight: 24, Aggregates: 3})
		stats = append(stats, p)
	}
	for i := range 600 {
		w.commit(fmt.Sprintf("b%d", i%4), put(fmt.Sprint(i%6), i), taken(fmt.Sprint((i*5)%6)))
	}
	w.converge(boxFold{})
	shared := 0
	for _, p := range stats {
		if p.Stats().Commits > 0 {
			shared++
		}
	}
	if shared < 2 {
		t.Fatalf("%d of 3 replicas took part", shared)
	}
	if n := w.deadLetters(); n != 0 {
		t.Fatalf("%d dead letters", n)
	}
}

func TestALogThatLostItsEndTakesItsDocumentsAlong(t *testing.T) {
	w := newWorld(t)
	w.commit("b", put("a", 1))
	keep := w.seq["b"]
	w.commit("b", put("lost", 2))
	lost := w.seq["b"]
	w.start(w.db, specOf(boxFold{}), projection.Options{})
	w.converge(boxFold{})

	stream, err := w.bus.JetStream().Stream(t.Context(), subjects.StreamEvents("box"))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.DeleteMsg(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	w.log["b"], w.seq["b"], w.epoch = w.log["b"][:1], keep, 1
	w.commit("b", put("other", 3))
	w.converge(boxFold{})
}

func TestAnEventOfANewerReleaseWaitsForIt(t *testing.T) {
	w := newWorld(t)
	w.commit("b", put("a", 1))
	_, stop := w.start(w.db, specOf(boxFold{}), projection.Options{})
	w.converge(boxFold{})
	w.commit("b", odd("box.shaken"))
	w.commit("c", put("a", 1))
	if !eventually(func() bool { return w.have()["boxes/c"] != "" }) {
		t.Fatal("other boxes do not go on")
	}
	if got := w.have()["boxes/b"]; got != `{"sum":1,"things":1}` {
		t.Fatalf("an old release wrote %s", got)
	}
	stop()
	w.start(w.db, specOf(boxFold{modern: true}), projection.Options{})
	w.converge(boxFold{modern: true})
	if n := w.deadLetters(); n != 0 {
		t.Fatalf("%d dead letters", n)
	}
}

// gated is a store whose writes wait until open is closed.
type gated struct {
	store.Store
	waits, open chan struct{}
}

func (s *gated) Put(ctx context.Context, table string, d store.Document) error {
	select {
	case s.waits <- struct{}{}:
	default:
	}
	select {
	case <-s.open:
		return s.Store.Put(ctx, table, d)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestAnOldReleaseWritesNothingBesideAnEventItDoesNotKnow(t *testing.T) {
	w := newWorld(t)
	db := &gated{w.db, make(chan struct{}, 1), make(chan struct{})}
	p, stop := w.start(db, specOf(boxFold{}), projection.Options{})
	w.commit("b", put("a", 1))
	<-db.waits
	w.commit("b", put("b", 2)) // this and the next wait together
	w.commit("b", put("c", 3), odd("box.shaken"), put("d", 4))
	time.Sleep(200 * time.Millisecond)
	close(db.open)
	if !eventually(func() bool { return p.Stats().Commits > 0 }) {
		t.Fatal("it does not go on")
	}
	time.Sleep(100 * time.Millisecond)
	stop()
	w.start(w.db, specOf(boxFold{modern: true}), projection.Options{})
	w.converge(boxFold{modern: true})
}

func TestAnEventOfANewerReleaseDoesNotWaitForEver(t *testing.T) {
	w := newWorld(t)
	w.commit("b", odd("box.shaken"))
	w.start(w.db, specOf(boxFold{}), projection.Options{Deliveries: 2})
	if !eventually(func() bool { return w.deadLetters() == 1 }) {
		t.Fatal("it is not among the dead letters")
	}
}

func TestSettleIsTriedUntilItSucceeds(t *testing.T) {
	w := newWorld(t)
	spec := specOf(boxFold{})
	var calls atomic.Int64
	settled := make(chan int, 100)
	spec.Settle = func(_ context.Context, f *boxState, _ projection.Touched[*box, boxEvent]) error {
		if calls.Add(1) < 4 {
			return errors.New("not now")
		}
		settled <- f.State.sum
		return nil
	}
	w.commit("b", put("a", 7))
	w.start(w.db, spec, projection.Options{RetryMin: time.Millisecond})
	select {
	case sum := <-settled:
		if sum != 7 {
			t.Fatalf("settled a box of %d", sum)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("not settled")
	}
}

func TestRunTellsWhatWaitingDoesNotMend(t *testing.T) {
	w := newWorld(t)
	spec := specOf(boxFold{})
	spec.Tables = []string{"nowhere"}
	p, err := projection.New(w.bus, w.db, spec, projection.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(t.Context()); !errors.Is(err, store.ErrUnknownTable) {
		t.Fatalf("got %v, want ErrUnknownTable", err)
	}
	if _, err := projection.New(w.bus, w.db, boxSpec{}, projection.Options{}); err == nil {
		t.Fatal("an empty spec is taken")
	}
}
