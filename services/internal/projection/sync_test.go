package projection_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/projection"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/rethink"
	"github.com/tuttihq/tutti/services/internal/store/rethink/rethinktest"
)

// volatile is a store in memory before a disk, which is the store within: what was not
// synced is lost by a crash, and the next Sync says so.
type volatile struct {
	store.Store
	gate sync.RWMutex // held for writing by who keeps Sync from beginning

	mu      sync.Mutex
	memory  map[[2]string]store.Document
	crashed bool
	syncs   int
	lost    int
}

func newVolatile(disk store.Store) *volatile {
	return &volatile{Store: disk, memory: map[[2]string]store.Document{}}
}

func (s *volatile) Put(ctx context.Context, table string, d store.Document) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.memory[[2]string{table, d.ID}]
	if !ok {
		var err error
		if old, err = s.Store.Get(ctx, table, d.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	if !d.Version.Newer(old.Version) {
		return store.ErrStale
	}
	s.memory[[2]string{table, d.ID}] = d
	return nil
}

// Sync implements store.Syncer.
func (s *volatile) Sync(ctx context.Context, tables ...string) error {
	s.gate.RLock()
	defer s.gate.RUnlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.syncs++
	if s.crashed {
		s.crashed = false
		return fmt.Errorf("%w: it crashed", store.ErrUnavailable)
	}
	for _, table := range tables {
		for at, d := range s.memory {
			if at[0] != table {
				continue
			}
			if err := s.Store.Put(ctx, table, d); err != nil && !errors.Is(err, store.ErrStale) {
				return err
			}
			delete(s.memory, at)
		}
	}
	return nil
}

func (s *volatile) crash() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost += len(s.memory)
	clear(s.memory)
	s.crashed = true
}

func (s *volatile) told() (syncs, lost int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.syncs, s.lost
}

// settled waits until the server has an ack of every commit.
func (w *world) settled() {
	w.t.Helper()
	if !eventually(func() bool { return w.unacked() == 0 }) {
		w.t.Fatalf("%d commits are not acknowledged", w.unacked())
	}
}

// unacked counts commits that are not acknowledged, of all shards.
func (w *world) unacked() (n int) {
	w.t.Helper()
	for _, stream := range w.bus.Log("box").Streams() {
		c, err := w.bus.JetStream().Consumer(w.t.Context(), stream, projection.Consumer("box"))
		if err != nil {
			w.t.Fatal(err)
		}
		info := c.CachedInfo()
		n += info.NumAckPending + int(info.NumPending)
	}
	return n
}

func TestACrashOfTheStoreIsMadeGoodWithoutAnotherEvent(t *testing.T) {
	inShards(t, func(t *testing.T, w *world) {
		db := newVolatile(w.db)
		p, _ := w.start(db, specOf(boxFold{}), projection.Options{SyncEvery: time.Millisecond})
		w.commit("b0", put("first", 1))
		w.converge(boxFold{})
		db.gate.Lock() // nothing comes to the disk any more
		const n = 100
		for i := range n {
			w.commit(fmt.Sprintf("b%d", i%5), put(fmt.Sprint(i%7), i), taken(fmt.Sprint(i%3)))
		}
		if !eventually(func() bool { return p.Stats().Commits > n }) { // the lanes have folded all
			t.Fatalf("%+v", p.Stats())
		}
		if unacked := w.unacked(); unacked != n {
			t.Errorf("%d of %d commits wait to be on disk", unacked, n)
		}
		db.crash()
		db.gate.Unlock()
		w.converge(boxFold{})
		w.settled()
		if _, lost := db.told(); lost < 5 {
			t.Errorf("only %d documents were lost", lost)
		}
		if s := p.Stats(); s.Unsynced != 1 || s.DeadLetters != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestCrashesOfTheStoreAtAnyMoment(t *testing.T) {
	inShards(t, func(t *testing.T, w *world) {
		db := newVolatile(w.db)
		opt := projection.Options{SyncEvery: 3 * time.Millisecond, InFlight: 32, Aggregates: 3}
		p, _ := w.start(db, specOf(boxFold{}), opt)
		for i := range 300 {
			w.commit(fmt.Sprintf("b%d", i%6), put(fmt.Sprint(i%4), i), taken(fmt.Sprint((i*5)%6)))
			if i%100 == 80 {
				db.crash()
			}
		}
		db.crash()
		w.converge(boxFold{})
		w.settled()
		db.crash() // what is acknowledged stays
		w.converge(boxFold{})
		if s := p.Stats(); s.DeadLetters != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestStoppingSyncsWhatIsDone(t *testing.T) {
	inShards(t, func(t *testing.T, w *world) {
		db := newVolatile(w.db)
		p, stop := w.start(db, specOf(boxFold{}), projection.Options{SyncEvery: time.Hour})
		const n = 50
		for i := range n {
			w.commit(fmt.Sprintf("b%d", i%6), put(fmt.Sprint(i%4), i))
		}
		if !eventually(func() bool { return p.Stats().Commits == n }) {
			t.Fatalf("%+v", p.Stats())
		}
		stop()
		w.settled()
		db.crash()
		if have, want := w.have(), w.want(boxFold{}); !maps.Equal(have, want) {
			t.Errorf("have %v, want %v", have, want)
		}
		if syncs, _ := db.told(); syncs > 20 {
			t.Errorf("%d syncs", syncs)
		}
	})
}

func TestAStoreThatNeedsNoSyncIsNotWaitedFor(t *testing.T) {
	w := newWorld(t)
	p, _ := w.start(w.db, specOf(boxFold{}), projection.Options{SyncEvery: time.Hour})
	for i := range 50 {
		w.commit("b", put(fmt.Sprint(i%4), i))
	}
	w.converge(boxFold{})
	w.settled()
	if s := p.Stats(); s.Syncs != 0 || s.Unsynced != 0 {
		t.Errorf("%+v", s)
	}
}

func TestARebuildEndsOnTheDisk(t *testing.T) {
	w := newWorld(t)
	w.fill(10, 100)
	db := newVolatile(w.db)
	rebuild := func() error {
		_, err := projection.Rebuild(t.Context(), w.bus, db, specOf(boxFold{}), projection.RebuildOptions{})
		return err
	}
	if err := rebuild(); err != nil {
		t.Fatal(err)
	}
	db.crash()
	if have, want := w.have(), w.want(boxFold{}); !maps.Equal(have, want) {
		t.Errorf("have %v, want %v", have, want)
	}
}

// The database is killed at once after the last write, and comes back before or after it is
// asked: all documents are there, though nothing happens any more.
func TestAKilledDatabaseLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("kills and starts a database three times")
	}
	server := rethinktest.Start(t)
	w := newWorld(t)
	db, err := rethink.Open(t.Context(), rethink.Config{
		Addresses: []string{server.Addr()}, Database: "tutti", Create: true, Patience: 2 * time.Second,
	}, boxTables())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	p, _ := w.start(db, specOf(boxFold{}), projection.Options{RetryMin: 5 * time.Millisecond})
	commits := uint64(0)
	for round := range 3 {
		for i := range 200 {
			w.commit(fmt.Sprintf("b%d", i%20), put(fmt.Sprint(i%7), i+round), taken(fmt.Sprint(i%3)))
			commits++
		}
		if !eventually(func() bool { return p.Stats().Commits >= commits }) {
			t.Fatalf("%+v", p.Stats())
		}
		server.Restart(t) // with SIGKILL
		w.settled()
		server.Restart(t)
		onDisk := &world{t: t, bus: w.bus, db: db, log: w.log}
		onDisk.awaitReads()
		if have, want := onDisk.have(), w.want(boxFold{}); !maps.Equal(have, want) {
			t.Fatalf("have %v, want %v", have, want)
		}
	}
	t.Logf("%+v", p.Stats())
	if p.Stats().Unsynced == 0 {
		t.Error("no sync failed, so this was no test")
	}
	if n := w.deadLetters(); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

// awaitReads waits until a database that was restarted can be read.
func (w *world) awaitReads() {
	w.t.Helper()
	if !eventually(func() bool {
		for _, table := range []string{"boxes", "things"} {
			if _, err := w.db.Get(w.t.Context(), table, "-"); !errors.Is(err, store.ErrNotFound) {
				return false
			}
		}
		return true
	}) {
		w.t.Fatal("the database does not come back")
	}
}
