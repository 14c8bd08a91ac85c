package rethink_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	r "gopkg.in/rethinkdb/rethinkdb-go.v6"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/rethink"
)

// release is the table of rooms as a release defines it whose index "by" is of one field.
func release(field string) store.Table {
	return store.Table{Name: "rooms", Indexes: []store.Index{{Name: "by", Fields: []string{field}}}}
}

// writeIndexed writes a document with the fields that releases have indexes of.
func writeIndexed(t testing.TB, s store.Store, id string, version int) {
	t.Helper()
	doc := store.Document{ID: id, Version: rev(version), Body: fmt.Appendf(nil, `{"a":%q,"b":%q}`, id, id)}
	if err := s.Put(t.Context(), "rooms", doc); err != nil {
		t.Fatal(err)
	}
}

// findsBy lists what the index "by" finds, in its order.
func findsBy(t testing.TB, s store.Store) ([]string, error) {
	t.Helper()
	var ids []string
	for doc, err := range store.All(t.Context(), s, "rooms", store.Query{Index: "by", Limit: store.MaxLimit}) {
		if err != nil {
			return nil, err
		}
		ids = append(ids, doc.ID)
	}
	return ids, nil
}

func finds(t testing.TB, s store.Store, who string, want ...string) {
	t.Helper()
	if got, err := findsBy(t, s); err != nil || !slices.Equal(got, want) {
		t.Errorf("%s finds %q, %v; not %q", who, got, err, want)
	}
}

func indexes(t *testing.T, config rethink.Config) []string {
	t.Helper()
	var names []string
	term := r.DB(config.Database).Table("rooms").IndexList()
	if err := term.ReadAll(&names, connect(t, config), r.RunOpts{Context: t.Context()}); err != nil {
		t.Fatal(err)
	}
	return names
}

// Replicas of the older release go on finding what they found while the newer is rolled out,
// and may be started again; only who asks for it drops their index, and what they wrote last
// is then found.
func TestOlderReleaseRunsOnUntilItsIndexesAreDropped(t *testing.T) {
	if testing.Short() {
		t.Skip("makes many indexes")
	}
	t.Parallel()
	config := fresh(t)
	older := open(t, config, release("a"))
	writeIndexed(t, older, "r1", 1)
	writeIndexed(t, older, "r2", 1)
	if old := older.Old(); len(old) != 0 {
		t.Errorf("the first release finds %q", old)
	}

	newer := open(t, config, release("b"))
	finds(t, newer, "the newer release", "r1", "r2")
	finds(t, older, "the older release", "r1", "r2")
	old := newer.Old()
	if len(old) != 1 || !strings.Contains(old[0], `index "by_`) || !strings.Contains(old[0], `table "rooms"`) {
		t.Fatalf("the newer release finds %q", old)
	}

	checking := config
	checking.Create = false
	finds(t, open(t, checking, release("a")), "a replica of the older release that starts anew", "r1", "r2")
	finds(t, newer, "the newer release after that", "r1", "r2")
	// One that may make indexes takes its own back, and those of the newer release stay.
	again := open(t, config, release("a"))
	finds(t, again, "a replica of the older release that migrates", "r1", "r2")
	finds(t, newer, "the newer release after it", "r1", "r2")
	writeIndexed(t, older, "r3", 1)
	finds(t, newer, "the newer release before the end", "r1", "r2")

	dropping := config
	dropping.DropOld = true
	var working sync.WaitGroup
	for range 3 { // at once
		working.Go(func() {
			s, err := rethink.Open(t.Context(), dropping, []store.Table{release("b")})
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	working.Wait()
	finds(t, newer, "the newer release at the end", "r1", "r2", "r3")
	if _, err := findsBy(t, older); err == nil {
		t.Error("the older release finds something without its index")
	}
	if names := indexes(t, config); len(names) != 2 {
		t.Errorf("indexes are %q", names)
	}
	if old := open(t, config, release("b")).Old(); len(old) != 0 {
		t.Errorf("after they were dropped there are %q", old)
	}
}

// Places that a row keeps in the index of another release are of the document that it holds:
// a newer version has none there until that release has entered it.
func TestIndexOfAnotherReleaseIsNeverWrong(t *testing.T) {
	t.Parallel()
	config := fresh(t)
	older := open(t, config, release("a"))
	writeIndexed(t, older, "r1", 1)
	writeIndexed(t, older, "r2", 1)
	newer := open(t, config, release("b"))
	doc := store.Document{ID: "r1", Version: rev(2), Body: []byte(`{"a":"z","b":"z"}`)}
	if err := newer.Put(t.Context(), "rooms", doc); err != nil {
		t.Fatal(err)
	}
	if err := newer.Delete(t.Context(), "rooms", "r2", rev(2)); err != nil {
		t.Fatal(err)
	}
	finds(t, older, "the older release")
	finds(t, newer, "the newer release", "r1")
	finds(t, open(t, config, release("a")), "the older release, taken back", "r1")
	finds(t, newer, "the newer release after that", "r1")
}

func TestDropOldWantsCreate(t *testing.T) {
	config := rethink.Config{Addresses: []string{"127.0.0.1"}, Database: "tutti", DropOld: true}
	if _, err := rethink.Open(t.Context(), config, nil); !errors.Is(err, store.ErrInvalid) {
		t.Error(err)
	}
}
