package sqlite

import (
	"bytes"
	"cmp"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tuttihq/tutti/services/internal/store"
)

func drawKey(r *rapid.T, name string) store.Key {
	value := rapid.OneOf(
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.Float64(), func(f float64) any { return f + 0 }),
		rapid.Map(rapid.Int32(), func(i int32) any { return float64(i) }),
		rapid.Map(rapid.String(), func(s string) any { return s }),
		rapid.SampledFrom([]any{"", "a", "a\x00", "a\x00\x00", "a\x00b", "ab", "\U0010FFFF"}),
	)
	return store.Key{value.Draw(r, name), value.Draw(r, name)}
}

// Entries sort as the values in them, then by id, and can be taken apart again.
func TestEntriesSortAsTheirValues(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		a, b := drawKey(r, "a"), drawKey(r, "b")
		if rapid.Bool().Draw(r, "alike") {
			b[0] = a[0]
		}
		id := rapid.SampledFrom([]string{"i", "ij", "j"})
		x, y := id.Draw(r, "x"), id.Draw(r, "y")
		want := cmp.Or(slices.CompareFunc(a, b, store.CompareValues), strings.Compare(x, y))
		if got := bytes.Compare(entry(a, x), entry(b, y)); got != want {
			r.Fatalf("%v %s and %v %s compare as %d, want %d", a, x, b, y, got, want)
		}
		place, err := parseEntry(entry(a, x))
		if err != nil || !reflect.DeepEqual(place, store.Place{Key: a, ID: x}) {
			r.Fatalf("%v %s came back as %+v, %v", a, x, place, err)
		}
	})
}

func FuzzParseEntry(f *testing.F) {
	f.Add(entry(store.Key{true, 1.5, "a\x00b"}, "id"))
	f.Add([]byte{tagString, 0, 0xff})
	f.Add([]byte{tagNumber, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		place, err := parseEntry(b)
		if err == nil && !bytes.Equal(entry(place.Key, place.ID), b) {
			t.Fatalf("%x was read as %+v", b, place)
		}
	})
}

// Every kind of query is a search of one index, in its order: no scan of a table, no
// sorting.
func TestQueriesUseTheirIndex(t *testing.T) {
	tables := []store.Table{{Name: "rooms", Indexes: []store.Index{
		{Name: "by_kind_and_rank", Fields: []string{"kind", "rank"}},
		{Name: "by_member", Fields: []string{"members", "rank"}, Multi: true},
	}}}
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "documents.db"), tables)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	rooms := s.tables["rooms"]
	for _, q := range []store.Query{
		{}, {Prefix: "room-"}, {From: "a", To: "b"}, {Equal: []any{"a"}},
		{Index: "by_kind_and_rank"}, {Index: "by_kind_and_rank", Equal: []any{"vote"}, From: 1},
		{Index: "by_kind_and_rank", Prefix: "vo"}, {Index: "by_member", Equal: []any{"anna"}},
	} {
		for _, q.Descending = range []bool{false, true} {
			for _, q.Cursor = range []string{"", "continued"} {
				plan := planned(t, q, rooms.Table)
				text, args := statement(rooms, &plan)
				explained := explain(t, s, text, args)
				if !strings.Contains(explained, "SEARCH") || strings.Contains(explained, "SCAN") || strings.Contains(explained, "TEMP B-TREE") {
					t.Errorf("%+v:\n%s", q, explained)
				}
			}
		}
	}
	for name, explained := range map[string]string{
		"get":     explain(t, s, selectDocument, []any{1, "a"}),
		"initial": explain(t, s, selectInitial, []any{1, "a", 10}),
	} {
		if strings.Contains(explained, "SCAN") || strings.Contains(explained, "TEMP B-TREE") {
			t.Errorf("%s:\n%s", name, explained)
		}
	}
}

// planned plans a query; a cursor is replaced by a valid one.
func planned(t *testing.T, q store.Query, table store.Table) store.Plan {
	t.Helper()
	cursor := q.Cursor
	q.Cursor = ""
	plan, err := q.Plan(table)
	if err != nil {
		t.Fatal(err)
	}
	if cursor == "" {
		return plan
	}
	place := store.Place{ID: "room-5"}
	if q.Index != "" {
		place.Key = store.Key{"vote", 2.0}
	}
	q.Cursor = plan.Cursor(place)
	if plan, err = q.Plan(table); err != nil {
		t.Fatal(err)
	}
	return plan
}

func explain(t *testing.T, s *Store, text string, args []any) string {
	t.Helper()
	rows, err := s.read.QueryContext(t.Context(), `EXPLAIN QUERY PLAN `+text, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var out strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&out, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// A cursor that was made up cannot leave the range of its query.
func TestForgedCursorStaysInRange(t *testing.T) {
	table := store.Table{Name: "rooms", Indexes: []store.Index{{Name: "by_kind", Fields: []string{"kind"}}}}
	for _, kind := range []string{"", "a", "open", "open!", "z"} {
		for _, descending := range []bool{false, true} {
			q := store.Query{Index: "by_kind", Equal: []any{"open"}, Descending: descending}
			plan, err := q.Plan(table)
			if err != nil {
				t.Fatal(err)
			}
			low, high := entryRange(&plan)
			plan.After = &store.Place{Key: store.Key{kind}, ID: "m"}
			if forgedLow, forgedHigh := entryRange(&plan); bytes.Compare(forgedLow, low) < 0 || bytes.Compare(forgedHigh, high) > 0 {
				t.Errorf("a cursor at %q leaves the range", kind)
			}
			q = store.Query{From: "b", To: "d", Descending: descending}
			if plan, err = q.Plan(table); err != nil {
				t.Fatal(err)
			}
			plan.After = &store.Place{ID: kind + "!"}
			if low, _, high := idRange(&plan); low < "b" || high > "d" {
				t.Errorf("a cursor at the id %q leaves the range: %q to %q", kind, low, high)
			}
		}
	}
}
