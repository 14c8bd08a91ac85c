package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/store"
)

// Option tunes the suite.
type Option func(*settings)

type settings struct{ overflow int }

// OverflowAfter says after how many unread changes a feed is certainly lost: 20,000
// unless said. Open stores with a small buffer and say so, and the suite is faster.
func OverflowAfter(changes int) Option { return func(s *settings) { s.overflow = changes } }

// Open gives an empty store with these tables, closed when t ends.
type Open func(t testing.TB, tables []store.Table) store.Store

// The tables of the suite.
const (
	rooms    = "rooms"    // soft, with indexes
	accounts = "accounts" // hard
)

// Tables returns the tables that the suite works with.
func Tables() []store.Table {
	return []store.Table{
		{Name: rooms, Indexes: []store.Index{
			{Name: "by_name", Fields: []string{"name"}},
			{Name: "by_kind_and_rank", Fields: []string{"kind", "stats.rank"}},
			{Name: "by_member", Fields: []string{"members", "stats.rank"}, Multi: true},
		}},
		{Name: accounts, Durability: store.Hard},
	}
}

// deadline bounds every test of the suite that waits for something.
const deadline = 30 * time.Second

type suite struct {
	open Open
	settings
}

// Run runs the suite.
func Run(t *testing.T, open Open, opts ...Option) {
	t.Helper()
	s := &suite{open: open, settings: settings{overflow: 20_000}}
	for _, o := range opts {
		o(&s.settings)
	}
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"Write", s.writeTests()},
		{"Limits", s.limitTests()},
		{"Contention", s.contentionTests()},
		{"Find", s.findTests()},
		{"Feed", s.feedTests()},
		{"Close", s.closeTests()},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, one := range group.tests {
				t.Run(one.name, func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), deadline)
					defer cancel()
					one.run(ctx, t, open(t, Tables()))
				})
			}
		})
	}
}

type test struct {
	name string
	run  func(ctx context.Context, t *testing.T, s store.Store)
}

// failer is what of testing.T and rapid.T the helpers need.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func rev(n uint64) store.Version { return store.Version{Epoch: 1, Fold: 1, Rev: n} }

// doc makes a document; body is marshalled unless it is JSON already.
func doc(t failer, id string, version store.Version, body any) store.Document {
	t.Helper()
	text, ok := body.(string)
	if !ok {
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		text = string(raw)
	}
	return store.Document{ID: id, Version: version, Body: json.RawMessage(text)}
}

func must(t failer, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t failer, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

// wantConflict checks a ConflictError in full.
func wantConflict(t failer, err, reason error, current store.Version, deleted bool) {
	t.Helper()
	var conflict *store.ConflictError
	if !errors.As(err, &conflict) || !errors.Is(err, reason) {
		t.Fatalf("got error %v, want a ConflictError for %v", err, reason)
	}
	if conflict.Current != current || conflict.Deleted != deleted {
		t.Fatalf("conflict with %s, deleted %v; want %s, deleted %v", conflict.Current, conflict.Deleted, current, deleted)
	}
}

// same compares documents; bodies as JSON values.
func same(a, b store.Document) error {
	if a.ID != b.ID || a.Version != b.Version || a.Deleted != b.Deleted {
		return fmt.Errorf("%s at %s, deleted %v; want %s at %s, deleted %v", a.ID, a.Version, a.Deleted, b.ID, b.Version, b.Deleted)
	}
	if a.Deleted {
		if len(a.Body) != 0 {
			return fmt.Errorf("the tombstone of %s has a body: %s", a.ID, a.Body)
		}
		return nil
	}
	var x, y any
	if err := json.Unmarshal(a.Body, &x); err != nil {
		return err
	}
	if err := json.Unmarshal(b.Body, &y); err != nil {
		return err
	}
	if !reflect.DeepEqual(x, y) {
		return fmt.Errorf("body of %s at %s is %.200s, want %.200s", a.ID, a.Version, a.Body, b.Body)
	}
	return nil
}

func wantDoc(ctx context.Context, t failer, s store.Store, table string, want store.Document) {
	t.Helper()
	got, err := s.Get(ctx, table, want.ID)
	must(t, err)
	must(t, same(got, want))
}
