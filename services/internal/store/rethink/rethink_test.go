package rethink_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/rethink"
	"github.com/tuttihq/tutti/services/internal/store/rethink/rethinktest"
	"github.com/tuttihq/tutti/services/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(rethinktest.Stopping(m)) }

// fresh is the configuration of a store in a database of its own.
func fresh(t testing.TB) rethink.Config {
	t.Helper()
	db := rethinktest.Shared(t)
	return rethink.Config{Addresses: []string{db.Addr}, Database: db.Name, Create: true}
}

func open(t testing.TB, config rethink.Config, tables ...store.Table) *rethink.Store {
	t.Helper()
	s, err := rethink.Open(t.Context(), config, tables)
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

func TestConformance(t *testing.T) {
	t.Parallel()
	config := fresh(t)
	config.FeedBuffer = 1000
	storetest.Run(t, func(t testing.TB, tables []store.Table) store.Store {
		// Making tables takes a second: they are made once, and emptied for each test.
		s := open(t, config, tables...)
		for _, table := range tables {
			if err := s.Clear(t.Context(), table.Name); err != nil {
				t.Fatal(err)
			}
		}
		return s
	}, storetest.OverflowAfter(2000))
}

func BenchmarkStore(b *testing.B) {
	storetest.Benchmark(b, func(t testing.TB, tables []store.Table) store.Store {
		return open(t, fresh(t), tables...)
	})
}
