package sqlite

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tuttihq/tutti/services/internal/store"
)

func body(size int) []byte { return []byte(`{"x":"` + strings.Repeat("x", size) + `"}`) }

func version(rev uint64) store.Version { return store.Version{Rev: rev} }

// A database that has no room refuses what does not fit, and only that; its feeds
// have no gap and no ghost; and once there is room the same write succeeds.
func TestFullDisk(t *testing.T) {
	ctx := t.Context()
	s, err := Open(ctx, filepath.Join(t.TempDir(), "documents.db"), []store.Table{{Name: "rooms"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	put := func(id string, rev uint64, size int) error {
		return s.Put(ctx, "rooms", store.Document{ID: id, Version: version(rev), Body: body(size)})
	}
	if err := put("small", 1, 10); err != nil {
		t.Fatal(err)
	}
	feed, err := s.Changes(ctx, "rooms")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = feed.Close() }()
	for _, kind := range []store.ChangeKind{store.Initial, store.Ready} {
		if change, err := feed.Next(ctx); err != nil || change.Kind != kind {
			t.Fatalf("got %s, %v, want %s", change.Kind, err, kind)
		}
	}
	limit := func(pages int) {
		t.Helper()
		if _, err := s.writes.conn.ExecContext(ctx, fmt.Sprint(`PRAGMA max_page_count = `, pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(20)
	var writing sync.WaitGroup
	for i := range 40 {
		writing.Go(func() {
			if i%4 == 0 {
				if err := put(fmt.Sprint("large", i), 1, 1<<20); !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("large: got %v, want ErrUnavailable", err)
				}
			} else if err := put("small", uint64(i)+2, 10); err != nil && !errors.Is(err, store.ErrStale) {
				t.Errorf("small: %v", err)
			}
		})
	}
	writing.Wait()
	limit(1 << 20)
	if err := put("large0", 1, 1<<20); err != nil {
		t.Fatalf("with room again: %v", err)
	}
	last := version(1)
	for {
		change, err := feed.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if change.New.ID == "large0" {
			break
		}
		if change.New.ID != "small" || !change.New.Version.Newer(last) {
			t.Fatalf("%s at %s after %s", change.New.ID, change.New.Version, last)
		}
		if change.Old.Version != last {
			t.Fatalf("%s replaced %s, but %s was seen", change.New.Version, change.Old.Version, last)
		}
		last = change.New.Version
	}
	if got, err := s.Get(ctx, "rooms", "small"); err != nil || got.Version != last {
		t.Fatalf("the feed ends at %s, the store holds %s, %v", last, got.Version, err)
	}
}

// Hard tables wait for the disk, soft ones do not, whatever was written before.
func TestDurabilityFollowsTheTable(t *testing.T) {
	ctx := t.Context()
	s, err := Open(ctx, filepath.Join(t.TempDir(), "documents.db"),
		[]store.Table{{Name: "soft"}, {Name: "hard", Durability: store.Hard}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for i, name := range []string{"soft", "hard", "soft", "hard", "hard"} {
		if err := s.Put(ctx, name, store.Document{ID: "a", Version: version(uint64(i) + 1), Body: body(1)}); err != nil {
			t.Fatal(err)
		}
		var synchronous int
		if err := s.writes.conn.QueryRowContext(ctx, `PRAGMA synchronous`).Scan(&synchronous); err != nil {
			t.Fatal(err)
		}
		if want := map[string]int{"soft": 1, "hard": 2}[name]; synchronous != want {
			t.Errorf("after %s synchronous is %d, want %d", name, synchronous, want)
		}
	}
}
