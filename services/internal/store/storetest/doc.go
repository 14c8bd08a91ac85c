// Package storetest is the suite that every implementation of store.Store passes. It
// says in tests what package store says in words.
//
// An implementation calls it from a test of its own:
//
//	func TestConformance(t *testing.T) {
//		storetest.Run(t, func(t *testing.T, tables []store.Table) store.Store {
//			s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "documents.db"), tables)
//			…
//			t.Cleanup(func() { _ = s.Close() })
//			return s
//		})
//	}
//
// The function gives an empty store with these tables each time it is called, and
// sees to it that the store is closed when t ends. Benchmarks are run the same way,
// by [Benchmark].
package storetest
