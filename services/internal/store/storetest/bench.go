package storetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tuttihq/tutti/services/internal/store"
)

// Benchmark measures a store: writes one after the other and from many at once, reads,
// a page found by index, and the way from a write to a feed. What is read is one of 10,000
// documents, with -short of 1,000.
func Benchmark(b *testing.B, open Open) {
	b.Helper()
	for _, table := range []string{rooms, accounts} {
		name := map[string]string{rooms: "Soft", accounts: "Hard"}[table]
		b.Run("Put"+name, func(b *testing.B) {
			s := open(b, Tables())
			n := uint64(0)
			for b.Loop() {
				n++
				must(b, s.Put(b.Context(), table, room(b, int(n%1000), n)))
			}
		})
		b.Run("Put"+name+"By64", func(b *testing.B) {
			s := open(b, Tables())
			var n atomic.Uint64
			b.SetParallelism(32) // a processor
			b.ResetTimer()       // opening may take a second
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					v := n.Add(1)
					if err := s.Put(context.Background(), table, room(b, int(v), v)); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
	count := 10_000
	if testing.Short() {
		count = 1_000
	}
	filled := sync.OnceValue(func() store.Store { // nobody writes to it any more
		s := open(b, Tables())
		together(64, func(worker int) {
			for i := worker; i < count; i += 64 {
				if err := s.Put(context.Background(), rooms, room(b, i, 1)); err != nil {
					b.Error(err)
				}
			}
		})
		return s
	})
	b.Run("Get", func(b *testing.B) {
		s := filled()
		n := 0
		for b.Loop() {
			n++
			_, err := s.Get(b.Context(), rooms, fmt.Sprint("room-", n*7919%count))
			must(b, err)
		}
	})
	b.Run("FindPageOf50", func(b *testing.B) {
		s := filled()
		n := 0
		for b.Loop() {
			n++
			page, err := s.Find(b.Context(), rooms, store.Query{Index: "by_kind_and_rank", Equal: []any{"vote"}, From: n * 7919 % (count * 9 / 10)})
			must(b, err)
			if len(page.Documents) != 50 {
				b.Fatalf("%d documents", len(page.Documents))
			}
		}
	})
	b.Run("FeedLatency", func(b *testing.B) {
		s := open(b, Tables())
		feed, err := s.Changes(b.Context(), rooms)
		must(b, err)
		defer func() { _ = feed.Close() }()
		drain(b.Context(), b, feed)
		n := uint64(0)
		for b.Loop() {
			n++
			must(b, s.Put(b.Context(), rooms, room(b, 1, n)))
			_, err := feed.Next(b.Context())
			must(b, err)
		}
	})
	b.Run(fmt.Sprint("Initial", count), func(b *testing.B) {
		s := filled()
		for b.Loop() {
			feed, err := s.Changes(b.Context(), rooms)
			must(b, err)
			if got := drain(b.Context(), b, feed); len(got) != count {
				b.Fatalf("%d documents", len(got))
			}
			must(b, feed.Close())
		}
	})
}

// room is a document of about 700 bytes with entries in all indexes.
func room(b testing.TB, i int, version uint64) store.Document {
	queue := make([]map[string]any, 8)
	for k := range queue {
		queue[k] = map[string]any{"track": fmt.Sprint("track-", k), "score": k, "title": "A piece of some length"}
	}
	return doc(b, fmt.Sprint("room-", i), rev(version), map[string]any{
		"name": fmt.Sprint("Friday ", i), "kind": "vote", "stats": map[string]any{"rank": i},
		"members": []string{fmt.Sprint("user-", i%100), fmt.Sprint("user-", i%77)}, "queue": queue,
	})
}
