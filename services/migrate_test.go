package services

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/sqlite"
)

// metaStore is as much of a store as a schema needs.
type metaStore struct {
	store.Store
	mu   sync.Mutex
	docs map[string]store.Document
	// fail, if set, is asked before each write.
	fail func() error
}

func newMetaStore() *metaStore { return &metaStore{docs: map[string]store.Document{}} }

func (m *metaStore) Get(_ context.Context, _, id string) (store.Document, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d, ok := m.docs[id]; ok {
		return d, nil
	}
	return store.Document{}, store.ErrNotFound
}

func (m *metaStore) Put(ctx context.Context, table string, d store.Document) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.fail != nil {
		if err := m.fail(); err != nil {
			return err
		}
	}
	if have := m.docs[d.ID]; !d.Version.Newer(have.Version) {
		return &store.ConflictError{Reason: store.ErrStale, Table: table, ID: d.ID, Current: have.Version}
	}
	m.docs[d.ID] = d
	return nil
}

func (m *metaStore) schema(t *testing.T) schema {
	t.Helper()
	s, _, err := newMigrator(m, nil, slog.New(slog.DiscardHandler)).read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func step(version int, run func(context.Context) error) Migration {
	return Migration{Version: version, Name: "a step", Run: func(ctx context.Context, _ store.Store) error { return run(ctx) }}
}

func TestMigrationsAreNumberedWithoutAGap(t *testing.T) {
	t.Parallel()
	all := migrations()
	for i, m := range all {
		if m.Version != i+1 || m.Name == "" || m.Run == nil {
			t.Errorf("migration %d: %+v", i, m)
		}
	}
	if len(all) != SchemaVersion {
		t.Errorf("the last migration has version %d, the release %d", len(all), SchemaVersion)
	}
}

func TestMigrating(t *testing.T) {
	t.Parallel()
	quiet := slog.New(slog.DiscardHandler)
	var ran []int
	note := func(v int) Migration {
		return step(v, func(context.Context) error { ran = append(ran, v); return nil })
	}
	st := newMetaStore()
	if _, err := newMigrator(st, []Migration{note(1)}, quiet).run(t.Context(), false); !errors.Is(err, ErrNotMigrated) || len(st.docs) != 0 {
		t.Fatalf("a look at a new store: %v, %v", err, st.docs)
	}
	for range 2 {
		if found, err := newMigrator(st, []Migration{note(1)}, quiet).run(t.Context(), true); err != nil || found > 1 {
			t.Fatal(found, err)
		}
	}
	var told []int
	later := newMigrator(st, []Migration{note(1), note(2), note(3)}, quiet)
	later.done = func(m Migration) { told = append(told, m.Version) }
	if _, err := later.run(t.Context(), false); !errors.Is(err, ErrNotMigrated) {
		t.Fatalf("a look at an older store: %v", err)
	}
	if found, err := later.run(t.Context(), true); err != nil || found != 1 {
		t.Fatalf("from version %d: %v", found, err)
	}
	if !slices.Equal(ran, []int{1, 2, 3}) || !slices.Equal(told, []int{2, 3}) {
		t.Errorf("ran %v, told of %v", ran, told)
	}
	if s := st.schema(t); s != (schema{Version: 3}) {
		t.Errorf("afterwards the store has %+v", s)
	}
	if _, err := later.run(t.Context(), false); err != nil {
		t.Errorf("a look at a migrated store: %v", err)
	}
	for _, auto := range []bool{true, false} {
		if _, err := newMigrator(st, []Migration{note(1), note(2)}, quiet).run(t.Context(), auto); !errors.Is(err, ErrNewerSchema) {
			t.Errorf("an older release, auto %v: %v", auto, err)
		}
	}
	if len(ran) != 3 {
		t.Errorf("steps ran again: %v", ran)
	}
}

func TestAStepThatFailsIsRepeatedAtOnce(t *testing.T) {
	t.Parallel()
	st, broken, runs := newMetaStore(), errors.New("broken"), 0
	steps := []Migration{step(1, func(context.Context) error { return nil }), step(2, func(context.Context) error {
		if runs++; runs == 1 {
			return broken
		}
		return nil
	})}
	m := newMigrator(st, steps, slog.New(slog.DiscardHandler))
	if _, err := m.run(t.Context(), true); !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
	if s := st.schema(t); s != (schema{Version: 1}) {
		t.Fatalf("after a failure the store has %+v", s)
	}
	if _, err := newMigrator(st, steps, m.log).run(t.Context(), true); err != nil || runs != 2 {
		t.Fatalf("%d runs, %v", runs, err)
	}
}

func TestOfManyWhoMigrateOneDoesIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := newMetaStore()
		var mu sync.Mutex
		runs, at := 0, 0
		steps := []Migration{step(1, func(ctx context.Context) error {
			mu.Lock()
			runs++
			at++
			if at > 1 {
				t.Error("two at once")
			}
			mu.Unlock()
			err := wait(ctx, 5*claimLife) // far longer than a claim that is not renewed
			mu.Lock()
			at--
			mu.Unlock()
			return err
		})}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := newMigrator(st, steps, slog.New(slog.DiscardHandler)).run(t.Context(), true); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if runs != 1 {
			t.Errorf("the step ran %d times", runs)
		}
		if s := st.schema(t); s != (schema{Version: 1}) {
			t.Errorf("afterwards the store has %+v", s)
		}
	})
}

// A process that is killed in the middle of a step says nothing any more. One that only
// stood still finds out that it was replaced.
func TestAMigrationGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := newMetaStore()
		frozen, thaw := make(chan struct{}), make(chan struct{})
		var lost error
		steps := func(first bool) []Migration {
			return []Migration{step(1, func(context.Context) error { return nil }), step(2, func(ctx context.Context) error {
				if !first {
					return nil
				}
				st.mu.Lock()
				st.fail = func() error { return store.ErrUnavailable } // its renewals do not arrive
				st.mu.Unlock()
				close(frozen)
				<-thaw
				<-ctx.Done()
				lost = context.Cause(ctx)
				return ctx.Err()
			})}
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := newMigrator(st, steps(true), slog.New(slog.DiscardHandler)).run(t.Context(), true); err != nil {
				t.Errorf("the one that was replaced finds all done in the end: %v", err)
			}
		})
		<-frozen
		// Its writes fail, those of the next do not.
		other := &metaStore{docs: st.docs}
		begin := time.Now()
		if _, err := newMigrator(other, steps(false), slog.New(slog.DiscardHandler)).run(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took < claimLife || took > 2*claimLife {
			t.Errorf("the next took over after %v", took)
		}
		st.mu.Lock()
		st.fail = nil
		st.mu.Unlock()
		close(thaw)
		wg.Wait()
		if !errors.Is(lost, store.ErrStale) {
			t.Errorf("the first goes on: %v", lost)
		}
		if s := st.schema(t); s != (schema{Version: 2}) {
			t.Errorf("afterwards the store has %+v", s)
		}
	})
}

func TestARealStoreRemembersItsSchema(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "documents.db")
	open := func(f func(st store.Store)) {
		st, err := sqlite.Open(t.Context(), path, metaTables())
		if err != nil {
			t.Fatal(err)
		}
		f(st)
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
	open(func(st store.Store) {
		if err := checkSchema(t.Context(), st, false); !errors.Is(err, ErrNotMigrated) {
			t.Errorf("before: %v", err)
		}
		if err := checkSchema(t.Context(), st, true); err != nil {
			t.Error(err)
		}
	})
	open(func(st store.Store) {
		if err := checkSchema(t.Context(), st, false); err != nil {
			t.Errorf("after: %v", err)
		}
		m := newMigrator(st, migrations(), slog.New(slog.DiscardHandler))
		_, at, err := m.read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.write(t.Context(), schema{Version: SchemaVersion + 1}, at); err != nil {
			t.Fatal(err)
		}
		if err := checkSchema(t.Context(), st, true); !errors.Is(err, ErrNewerSchema) {
			t.Errorf("a newer release's store: %v", err)
		}
	})
}
