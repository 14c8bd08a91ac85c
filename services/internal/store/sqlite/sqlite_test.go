package sqlite_test

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/sqlite"
	"github.com/tuttihq/tutti/services/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t testing.TB, tables []store.Table) store.Store {
		return open(t, filepath.Join(t.TempDir(), "documents.db"), tables, sqlite.FeedBuffer(1000))
	}, storetest.OverflowAfter(2000))
}

func open(t testing.TB, path string, tables []store.Table, opts ...sqlite.Option) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, tables, opts...)
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

func BenchmarkStore(b *testing.B) {
	storetest.Benchmark(b, func(t testing.TB, tables []store.Table) store.Store {
		return open(t, filepath.Join(t.TempDir(), "documents.db"), tables)
	})
}
