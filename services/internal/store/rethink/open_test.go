package rethink_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	r "gopkg.in/rethinkdb/rethinkdb-go.v6"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/rethink"
	"github.com/tuttihq/tutti/services/internal/store/rethink/rethinktest"
)

func TestConfigIsChecked(t *testing.T) {
	_, err := rethink.Open(t.Context(), rethink.Config{Addresses: []string{":1"}, Database: "a b", Shards: -1, Patience: -1}, nil)
	if !errors.Is(err, store.ErrInvalid) {
		t.Fatal(err)
	}
	for _, part := range []string{`bad address ":1"`, `bad database name "a b"`, "-1 shards", "negative durations"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in %v", part, err)
		}
	}
	_, err = rethink.Open(t.Context(), rethink.Config{Database: "tutti"}, []store.Table{{Name: "A"}})
	if !errors.Is(err, store.ErrInvalid) {
		t.Error(err)
	}
	config := rethink.Config{Addresses: []string{"127.0.0.1"}, Database: "tutti", CA: filepath.Join(t.TempDir(), "none.pem")}
	if _, err = rethink.Open(t.Context(), config, nil); err == nil || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("without its authorities: %v", err)
	}
}

// Nobody listens, or somebody who says nothing: Open gives up with its context or its
// patience, and can be called again.
func TestOpenWithoutAServer(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	for name, address := range map[string]string{"refusing": free.Addr().String(), "mute": mute.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			config := rethink.Config{Addresses: []string{address}, Database: "tutti", Patience: 200 * time.Millisecond}
			if _, err := rethink.Open(t.Context(), config, nil); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("out of patience: %v", err)
			}
			config.Patience = 0
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := rethink.Open(ctx, config, nil); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("with its context: %v", err)
			}
		})
	}
}

// One server of several that does not answer is passed over.
func TestAnotherServerAnswers(t *testing.T) {
	config := fresh(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	config.Addresses = []string{free.Addr().String(), config.Addresses[0]}
	s := open(t, config, rooms)
	var working sync.WaitGroup
	for i := range 40 {
		working.Go(func() {
			if err := try(t, s, fmt.Sprint("r", i), 1); err != nil {
				t.Error(err)
			}
		})
	}
	working.Wait()
}

func TestOpenWithoutCreateOnlyChecks(t *testing.T) {
	config := fresh(t)
	config.Create = false
	session := connect(t, config)
	databases := func() []string {
		var names []string
		if err := r.DBList().ReadAll(&names, session, r.RunOpts{Context: t.Context()}); err != nil {
			t.Fatal(err)
		}
		return names
	}
	_, err := rethink.Open(t.Context(), config, []store.Table{rooms})
	if !errors.Is(err, rethink.ErrUnprepared) || !strings.Contains(err.Error(), "tutti migrate") || slices.Contains(databases(), config.Database) {
		t.Fatalf("without a database: %v", err)
	}
	config.Create = true
	open(t, config, store.Table{Name: "rooms"})
	config.Create = false
	_, err = rethink.Open(t.Context(), config, []store.Table{rooms})
	if !errors.Is(err, rethink.ErrUnprepared) || !strings.Contains(err.Error(), `index "by_name"`) {
		t.Fatalf("without an index: %v", err)
	}
	config.Create = true
	open(t, config, rooms)
	config.Create = false
	put(t, open(t, config, rooms), "r1", 1)
}

// Several processes that start at once make each table once.
func TestManyMakeTheTablesAtOnce(t *testing.T) {
	t.Parallel()
	config := fresh(t)
	var working sync.WaitGroup
	stores := make([]*rethink.Store, 4)
	for i := range stores {
		working.Go(func() {
			s, err := rethink.Open(t.Context(), config, []store.Table{rooms, {Name: "accounts", Durability: store.Hard}})
			if err != nil {
				t.Error(err)
				return
			}
			stores[i] = s
		})
	}
	working.Wait()
	for i, s := range stores {
		if s == nil {
			continue
		}
		put(t, s, fmt.Sprint("r", i), 1)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	var tables []string
	if err := r.DB(config.Database).TableList().ReadAll(&tables, connect(t, config), r.RunOpts{Context: t.Context()}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(tables)
	if !slices.Equal(tables, []string{"_beat", "_meta", "accounts", "rooms"}) {
		t.Errorf("tables are %q", tables)
	}
}

// An index whose definition changes is built anew, from the documents there are and from
// those that an older release goes on writing; feeds hear nothing of it.
func TestIndexIsBuiltAnew(t *testing.T) {
	t.Parallel()
	config := fresh(t)
	table := func(field string) store.Table {
		return store.Table{Name: "rooms", Indexes: []store.Index{{Name: "by", Fields: []string{field}}}}
	}
	body := func(i int) []byte { return fmt.Appendf(nil, `{"a":%d,"b":%d}`, i, 1000-i) }
	write := func(s store.Store, i, n int) {
		t.Helper()
		if err := s.Put(t.Context(), "rooms", store.Document{ID: fmt.Sprintf("r%03d", i), Version: rev(n), Body: body(i)}); err != nil {
			t.Fatal(err)
		}
	}
	ids := func(s store.Store) []string {
		t.Helper()
		var all []string
		for doc, err := range store.All(t.Context(), s, "rooms", store.Query{Index: "by", Limit: store.MaxLimit}) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, doc.ID)
		}
		return all
	}
	older := open(t, config, table("a"))
	const many = 450
	for i := range many {
		write(older, i, 1)
	}
	if err := older.Delete(t.Context(), "rooms", "r000", rev(2)); err != nil {
		t.Fatal(err)
	}
	if got := ids(older); len(got) != many-1 || !slices.IsSorted(got) {
		t.Fatalf("by a there are %d: %q", len(got), got)
	}
	feed, err := older.Changes(t.Context(), "rooms")
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	for {
		change, err := feed.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if change.Kind == store.Ready {
			break
		}
	}
	newer := open(t, config, table("b"))
	backwards := ids(newer)
	slices.Reverse(backwards)
	if len(backwards) != many-1 || !slices.IsSorted(backwards) {
		t.Fatalf("by b there are %d: %q", len(backwards), backwards)
	}
	write(older, many, 1)
	if change, err := feed.Next(t.Context()); err != nil || change.New.ID != "r450" {
		t.Fatalf("the feed heard of %+v, %v", change.New, err)
	}
	if got := ids(newer); len(got) != many-1 {
		t.Fatalf("what the older release wrote is in the new index already: %d", len(got))
	}
	config.Create = false
	if got := ids(open(t, config, table("b"))); len(got) != many || got[0] != "r450" {
		t.Fatalf("after opening again there are %d, the first %q", len(got), got[0])
	}
}

func TestPasswordAndUser(t *testing.T) {
	server := rethinktest.Start(t, "--initial-password", "secret")
	config := rethink.Config{Addresses: []string{server.Addr()}, Database: "tutti", Create: true, Password: "secret"}
	put(t, open(t, config, rooms), "r1", 1)
	config.Password = "guessed"
	_, err := rethink.Open(t.Context(), config, []store.Table{rooms})
	if err == nil || errors.Is(err, store.ErrUnavailable) || strings.Contains(err.Error(), "guessed") {
		t.Errorf("with a wrong password: %v", err)
	}
}

// A feed that is not read, and a hundred queries at once, hold nobody up for ever.
func TestCallersGiveUpInTheQueue(t *testing.T) {
	config := fresh(t)
	config.MaxOpen = 2
	s := open(t, config, rooms)
	put(t, s, "r1", 1)
	var working sync.WaitGroup
	for i := range 100 {
		working.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			if i%3 == 0 {
				cancel()
			}
			defer cancel()
			_, err := s.Get(ctx, rooms.Name, "r1")
			if i%3 == 0 && !errors.Is(err, context.Canceled) || i%3 != 0 && err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		})
	}
	working.Wait()
}
