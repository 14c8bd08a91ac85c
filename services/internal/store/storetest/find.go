package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tuttihq/tutti/services/internal/store"
)

func (s *suite) findTests() []test {
	return []test{
		{"BadQueriesAreRefused", badQueries},
		{"CursorBelongsToItsQuery", cursors},
		{"IndexFollowsTheDocument", func(ctx context.Context, t *testing.T, s store.Store) {
			find := func(member string) []string {
				return ids(ctx, t, s, store.Query{Index: "by_member", Equal: []any{member}})
			}
			body := func(rank any, members ...any) map[string]any {
				return map[string]any{"members": members, "stats": map[string]any{"rank": rank}}
			}
			must(t, s.Put(ctx, rooms, doc(t, "a", rev(1), body(1, "x", "y", "x"))))
			must(t, s.Put(ctx, rooms, doc(t, "b", rev(1), body(0, "y"))))
			wantIDs(t, find("x"), "a")
			wantIDs(t, find("y"), "b", "a")
			must(t, s.Put(ctx, rooms, doc(t, "a", rev(2), body(1, "z", nil, []any{"x"}))))
			wantIDs(t, find("x"))
			wantIDs(t, find("y"), "b")
			wantIDs(t, find("z"), "a")
			must(t, s.Put(ctx, rooms, doc(t, "a", rev(3), body(nil, "z"))))
			wantIDs(t, find("z"))
			must(t, s.Put(ctx, rooms, doc(t, "a", rev(4), body(-1, "y"))))
			wantIDs(t, find("y"), "a", "b")
			must(t, s.Delete(ctx, rooms, "a", rev(5)))
			wantIDs(t, find("y"), "b")
		}},
		{"ValuesOrderByKindThenValue", func(ctx context.Context, t *testing.T, s store.Store) {
			for i, v := range []any{false, true, -1e9, -1.5, 0, 0.5, 1, 2, 10, 1e15, "", "0", "A", "a", "aa", "b", "é", "😀"} {
				must(t, s.Put(ctx, rooms, doc(t, fmt.Sprintf("%02d", i), rev(1), map[string]any{"name": v})))
			}
			for i, v := range []any{nil, []any{}, map[string]any{"x": 1}} {
				must(t, s.Put(ctx, rooms, doc(t, fmt.Sprint("not indexed ", i), rev(1), map[string]any{"name": v})))
			}
			got := ids(ctx, t, s, store.Query{Index: "by_name"})
			if len(got) != 18 || !slices.IsSorted(got) {
				t.Fatalf("order is %v", got)
			}
			wantIDs(t, ids(ctx, t, s, store.Query{Index: "by_name", From: 0, To: 2}), "04", "05", "06")
			wantIDs(t, ids(ctx, t, s, store.Query{Index: "by_name", To: 0, Descending: true}), "03", "02", "01", "00")
			wantIDs(t, ids(ctx, t, s, store.Query{Index: "by_name", Prefix: "a"}), "13", "14")
			wantIDs(t, ids(ctx, t, s, store.Query{Index: "by_name", From: "b"}), "15", "16", "17")
		}},
		{"LongStringsSortByTheirBeginning", func(ctx context.Context, t *testing.T, s store.Store) {
			start := strings.Repeat("x", store.MaxIndexString)
			for id, name := range map[string]string{"a": start, "b": start + "2", "c": start + "1", "d": start[1:] + "y", "e": start[1:] + "é!"} {
				must(t, s.Put(ctx, rooms, doc(t, id, rev(1), map[string]any{"name": name})))
			}
			wantIDs(t, ids(ctx, t, s, store.Query{Index: "by_name", Limit: 1}), "a", "b", "c", "d", "e")
			wantIDs(t, ids(ctx, t, s, store.Query{Index: "by_name", Equal: []any{start}}), "a")
			wantIDs(t, ids(ctx, t, s, store.Query{Index: "by_name", Prefix: start}), "a", "b", "c")
			wantIDs(t, ids(ctx, t, s, store.Query{Where: map[string]any{"name": start + "1"}}), "c")
		}},
		{"WriteBetweenPagesDisturbsNothing", func(ctx context.Context, t *testing.T, s store.Store) {
			for i := range 20 {
				must(t, s.Put(ctx, rooms, doc(t, fmt.Sprintf("d%02d", i), rev(1), map[string]any{"name": fmt.Sprintf("n%02d", i)})))
			}
			q := store.Query{Index: "by_name", Limit: 7}
			first, err := s.Find(ctx, rooms, q)
			must(t, err)
			must(t, s.Delete(ctx, rooms, "d06", rev(2))) // the last of the first page
			must(t, s.Put(ctx, rooms, doc(t, "new", rev(1), `{"name":"n00"}`)))
			q.Cursor = first.Next
			rest := ids(ctx, t, s, q)
			if len(first.Documents) != 7 || len(rest) != 13 || rest[0] != "d07" {
				t.Fatalf("first page has %d, the rest is %v", len(first.Documents), rest)
			}
		}},
		{"ScanIsBounded", func(ctx context.Context, t *testing.T, s store.Store) {
			last := store.MaxScan + 3
			together(16, func(worker int) {
				for i := worker; i <= last; i += 16 {
					if err := s.Put(ctx, rooms, doc(t, fmt.Sprintf("d%05d", i), rev(1), map[string]any{"wanted": i == last})); err != nil {
						t.Error(err)
						return
					}
				}
			})
			q := store.Query{Where: map[string]any{"wanted": true}}
			page, err := s.Find(ctx, rooms, q)
			must(t, err)
			if len(page.Documents) != 0 || page.Next == "" {
				t.Fatalf("the page has %d documents and the cursor %q", len(page.Documents), page.Next)
			}
			wantIDs(t, ids(ctx, t, s, q), fmt.Sprintf("d%05d", last))
		}},
		{"PagesEqualTheModel", findsEqualModel},
	}
}

func badQueries(ctx context.Context, t *testing.T, s store.Store) {
	_, err := s.Find(ctx, rooms, store.Query{Index: "nope"})
	wantErr(t, err, store.ErrUnknownIndex)
	tooMany := make(map[string]any)
	for i := range store.MaxWhere + 1 {
		tooMany[fmt.Sprint("f", i)] = 1
	}
	for name, q := range map[string]store.Query{
		"limit":                    {Limit: store.MaxLimit + 1},
		"negative limit":           {Limit: -1},
		"more values than fields":  {Index: "by_name", Equal: []any{"a", "b"}},
		"range behind last field":  {Index: "by_name", Equal: []any{"a"}, From: 1},
		"prefix behind last field": {Index: "by_name", Equal: []any{"a"}, Prefix: "x"},
		"prefix and range":         {Index: "by_name", Prefix: "x", From: "a"},
		"multi without value":      {Index: "by_member"},
		"value of a wrong kind":    {Index: "by_name", Equal: []any{[]string{"a"}}},
		"null":                     {Index: "by_name", Equal: []any{nil}},
		"long string":              {Index: "by_name", Equal: []any{strings.Repeat("x", store.MaxIndexString+1)}},
		"inexact number":           {Index: "by_name", From: int64(1)<<53 + 1},
		"not UTF-8":                {Index: "by_name", Prefix: "\xff"},
		"condition on nothing":     {Where: map[string]any{"": 1}},
		"condition of null":        {Where: map[string]any{"a": nil}},
		"many conditions":          {Where: tooMany},
		"cursor":                   {Cursor: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Find(ctx, rooms, q)
			wantErr(t, err, store.ErrInvalid)
		})
	}
}

func cursors(ctx context.Context, t *testing.T, s store.Store) {
	for i := range 5 {
		must(t, s.Put(ctx, rooms, doc(t, fmt.Sprint("d", i), rev(1), map[string]any{"name": "n", "kind": "k", "stats": map[string]any{"rank": i}})))
	}
	q := store.Query{Index: "by_kind_and_rank", Equal: []any{"k"}, Limit: 2}
	page, err := s.Find(ctx, rooms, q)
	must(t, err)
	if page.Next == "" {
		t.Fatal("no cursor")
	}
	q.Cursor, q.Limit = page.Next, 3 // the limit may change
	wantIDs(t, ids(ctx, t, s, q), "d2", "d3", "d4")
	for name, other := range map[string]store.Query{
		"value":     {Index: "by_kind_and_rank", Equal: []any{"other"}},
		"direction": {Index: "by_kind_and_rank", Equal: []any{"k"}, Descending: true},
		"condition": {Index: "by_kind_and_rank", Equal: []any{"k"}, Where: map[string]any{"name": "n"}},
		"index":     {},
	} {
		t.Run("other "+name, func(t *testing.T) {
			other.Cursor = page.Next
			_, err := s.Find(ctx, rooms, other)
			wantErr(t, err, store.ErrInvalid)
		})
	}
	for i := range len(page.Next) {
		q.Cursor = page.Next[:i] + "!" + page.Next[i+1:]
		_, err := s.Find(ctx, rooms, q)
		wantErr(t, err, store.ErrInvalid)
	}
}

func ids(ctx context.Context, t testing.TB, s store.Store, q store.Query) []string {
	t.Helper()
	var all []string
	for d, err := range store.All(ctx, s, rooms, q) {
		must(t, err)
		all = append(all, d.ID)
	}
	return all
}

func wantIDs(t testing.TB, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("found %q, want %q", got, want)
	}
}

// findsEqualModel fills the store with documents of few different values, changes
// and deletes some, and compares random queries, read by pages, with a plain filter
// and sort over what should be there.
func findsEqualModel(ctx context.Context, t *testing.T, s store.Store) {
	epoch := uint64(0)
	rapid.Check(t, func(r *rapid.T) {
		must(t, s.Clear(ctx, rooms))
		epoch++
		model := make(model)
		for i := range rapid.IntRange(0, 60).Draw(r, "writes") {
			id := fmt.Sprint("d", rapid.IntRange(0, 30).Draw(r, "id"))
			v := store.Version{Epoch: epoch, Rev: uint64(i) + 1}
			if rapid.IntRange(0, 5).Draw(r, "op") == 0 {
				must(r, s.Delete(ctx, rooms, id, v))
				delete(model, id)
				continue
			}
			body := drawBody(r)
			d := doc(t, id, v, body)
			must(r, s.Put(ctx, rooms, d))
			model[id] = modelled{d, body}
		}
		for range 8 {
			q := drawQuery(r)
			want := model.find(q)
			got := pages(ctx, r, s, q)
			if len(got) != len(want) {
				r.Fatalf("%+v found %d documents, want %d", q, len(got), len(want))
			}
			for i := range got {
				if err := same(got[i], want[i]); err != nil {
					r.Fatalf("%+v: at %d: %v", q, i, err)
				}
			}
		}
	})
}

// pages reads all pages, and checks that none is over the limit, or short without
// being the last.
func pages(ctx context.Context, r *rapid.T, s store.Store, q store.Query) []store.Document {
	var all []store.Document
	for {
		page, err := s.Find(ctx, rooms, q)
		must(r, err)
		all = append(all, page.Documents...)
		if len(page.Documents) > q.Limit || page.Next != "" && len(page.Documents) < q.Limit {
			r.Fatalf("a page of %d with limit %d, next %q", len(page.Documents), q.Limit, page.Next)
		}
		if page.Next == "" {
			return all
		}
		q.Cursor = page.Next
	}
}
