package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tuttihq/tutti/services/internal/store"
)

func (s *suite) contentionTests() []test {
	return []test{
		{"OneWinnerForEachVersion", oneWinner},
		{"OneInsertSucceeds", func(ctx context.Context, t *testing.T, s store.Store) {
			var won atomic.Int64
			together(16, func(i int) {
				err := s.Insert(ctx, accounts, doc(t, "email=a@b", rev(1), map[string]any{"user": i}))
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, store.ErrExists):
					t.Errorf("insert: %v", err)
				}
			})
			if won.Load() != 1 {
				t.Fatalf("%d inserts succeeded", won.Load())
			}
		}},
		{"CounterLosesNothing", func(ctx context.Context, t *testing.T, s store.Store) {
			const writers, each = 8, 20
			must(t, s.Put(ctx, rooms, doc(t, "counter", rev(1), `{"n":0}`)))
			together(writers, func(int) {
				for range each {
					if err := increment(ctx, t, s); err != nil {
						t.Error(err)
						return
					}
				}
			})
			wantDoc(ctx, t, s, rooms, doc(t, "counter", rev(1+writers*each), map[string]any{"n": writers * each}))
		}},
		{"NewestWinsInAnyOrder", func(ctx context.Context, t *testing.T, s store.Store) {
			const most = 200
			together(8, func(worker int) {
				for i := range most {
					n := (i*7+worker*31)%most + 1
					err := s.Put(ctx, rooms, doc(t, fmt.Sprint("d", n%5), rev(uint64(n)), map[string]any{"n": n}))
					if err != nil && !errors.Is(err, store.ErrStale) {
						t.Error(err)
						return
					}
				}
			})
			for k := range 5 {
				newest := most
				for newest%5 != k {
					newest--
				}
				wantDoc(ctx, t, s, rooms, doc(t, fmt.Sprint("d", k), rev(uint64(newest)), map[string]any{"n": newest}))
			}
		}},
	}
}

// oneWinner lets many write the same versions of one document.
func oneWinner(ctx context.Context, t *testing.T, s store.Store) {
	const writers, versions = 8, 50
	var winners [versions + 1]atomic.Int64
	together(writers, func(worker int) {
		for v := 1; v <= versions; v++ {
			err := s.Put(ctx, rooms, doc(t, "contended", rev(uint64(v)), map[string]any{"by": worker}))
			switch {
			case err == nil:
				winners[v].Add(1)
			case !errors.Is(err, store.ErrStale):
				t.Errorf("put: %v", err)
				return
			}
			got, err := s.Get(ctx, rooms, "contended")
			if err != nil {
				t.Error(err)
				return
			}
			if got.Version.Rev < uint64(v) {
				t.Errorf("read %s after writing %d", got.Version, v)
				return
			}
		}
	})
	for v := 1; v <= versions; v++ {
		if n := winners[v].Load(); n > 1 {
			t.Errorf("%d writers won version %d", n, v)
		}
	}
	if winners[versions].Load() != 1 {
		t.Errorf("nobody won the last version")
	}
}

func increment(ctx context.Context, t testing.TB, s store.Store) error {
	for {
		got, err := s.Get(ctx, rooms, "counter")
		if err != nil {
			return err
		}
		var body struct{ N int }
		if err := got.Decode(&body); err != nil {
			return err
		}
		err = s.Put(ctx, rooms, doc(t, "counter", got.Version.Next(), map[string]any{"n": body.N + 1}))
		if !errors.Is(err, store.ErrStale) {
			return err
		}
	}
}

func together(n int, do func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { do(i) })
	}
	all.Wait()
}
