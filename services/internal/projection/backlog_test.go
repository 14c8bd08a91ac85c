package projection

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/tuttihq/tutti/services/internal/store"
)

func TestABacklogKeepsTheNewestOfEachAndWaitsAtItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newBacklog(2)
		doc := func(id string, rev uint64) store.Document {
			return store.Document{ID: id, Version: store.Version{Rev: rev}}
		}
		var put []string
		go func() {
			for _, d := range []store.Document{doc("a", 1), doc("b", 1), doc("a", 2), doc("c", 1), doc("d", 1)} {
				if err := q.put(t.Context(), d); err != nil {
					t.Error(err)
				}
				put = append(put, d.ID)
			}
		}()
		synctest.Wait()
		if fmt.Sprint(put) != "[a b a]" {
			t.Fatalf("put %v", put)
		}
		for _, want := range []store.Document{doc("a", 2), doc("b", 1), doc("c", 1), doc("d", 1)} {
			d, err := q.take(t.Context())
			if err != nil || d.ID != want.ID || d.Version != want.Version {
				t.Fatalf("took %s at %s, %v; want %s at %s", d.ID, d.Version, err, want.ID, want.Version)
			}
			synctest.Wait()
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := q.take(ctx); err == nil {
			t.Fatal("took something from nothing")
		}
	})
}
