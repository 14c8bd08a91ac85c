package rethink_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	r "gopkg.in/rethinkdb/rethinkdb-go.v6"
	"pgregory.net/rapid"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/rethink"
	"github.com/tuttihq/tutti/services/internal/store/sqlite"
)

// The database cuts the keys of an index to some hundred bytes, the longer the id the
// shorter. Keys as long as a schema allows, equal for most of their length, must come in
// the same order and the same pages as from SQLite, which does not cut them.
func TestLongKeysComeInOrder(t *testing.T) {
	t.Parallel()
	tables := []store.Table{{Name: "long", Indexes: []store.Index{
		{Name: "by_all", Fields: []string{"a", "b", "c", "d"}},
		{Name: "by_two", Fields: []string{"a", "b"}},
		{Name: "by_list", Fields: []string{"list", "b", "c"}, Multi: true},
	}}}
	ours := open(t, fresh(t), tables...)
	theirs, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "documents.db"), tables)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = theirs.Close() }()
	ctx := t.Context()
	rapid.Check(t, func(g *rapid.T) {
		for _, s := range []store.Store{ours, theirs} {
			if err := s.Clear(ctx, "long"); err != nil {
				g.Fatal(err)
			}
		}
		for i := range rapid.IntRange(1, 40).Draw(g, "documents") {
			body := map[string]any{"list": []any{drawLong(g), drawLong(g)}}
			for _, field := range []string{"a", "b", "c", "d"} {
				body[field] = drawLong(g)
			}
			text, err := json.Marshal(body)
			if err != nil {
				g.Fatal(err)
			}
			id := fmt.Sprintf("%s%02d", strings.Repeat("i", rapid.SampledFrom([]int{1, 60, store.MaxID - 2}).Draw(g, "id")), i)
			for _, s := range []store.Store{ours, theirs} {
				if err := s.Put(ctx, "long", store.Document{ID: id, Version: store.Version{Rev: 1}, Body: text}); err != nil {
					g.Fatal(err)
				}
			}
		}
		for range 6 {
			q := store.Query{
				Index:      rapid.SampledFrom([]string{"by_all", "by_two", "by_list"}).Draw(g, "index"),
				Limit:      rapid.IntRange(1, 12).Draw(g, "limit"),
				Descending: rapid.Bool().Draw(g, "descending"),
			}
			fields := map[string]int{"by_all": 4, "by_two": 2, "by_list": 3}[q.Index]
			least := 0
			if q.Index == "by_list" {
				least = 1
			}
			for range rapid.IntRange(least, fields).Draw(g, "equal") {
				q.Equal = append(q.Equal, drawShort(g))
			}
			if len(q.Equal) < fields {
				switch rapid.IntRange(0, 3).Draw(g, "bounds") {
				case 0:
					q.From = drawShort(g)
				case 1:
					q.To = drawShort(g)
				case 2:
					q.Prefix = rapid.SampledFrom([]string{long[:3], long[:store.MaxIndexString-1], "\U0010FFFF", "\uD7FE"}).Draw(g, "prefix")
				}
			}
			got, want := found(g, ours, q), found(g, theirs, q)
			if !slices.Equal(got, want) {
				g.Fatalf("%+v found\n%q, SQLite\n%q", q, got, want)
			}
		}
	})
}

var long = strings.Repeat("x", store.MaxIndexString+10)

func drawLong(g *rapid.T) any {
	end := rapid.SampledFrom([]string{"", "y", "\U0010FFFF", "\x00", "é"}).Draw(g, "end")
	length := rapid.SampledFrom([]int{3, store.MaxIndexString - 4, store.MaxIndexString - 1, store.MaxIndexString, store.MaxIndexString + 2}).Draw(g, "length")
	return rapid.SampledFrom([]any{long[:length] + end, long[:store.MaxIndexString-1] + end, 1e300, -1.0 / 3, true, "\uD7FF" + end, "\U0010FFFF" + end}).Draw(g, "value")
}

// drawShort draws a value that a query may have.
func drawShort(g *rapid.T) any {
	for {
		v := drawLong(g)
		if s, ok := v.(string); !ok || len(s) <= store.MaxIndexString {
			return v
		}
	}
}

// found returns the ids that a query finds, page by page.
func found(g *rapid.T, s store.Store, q store.Query) []string {
	var ids []string
	for {
		page, err := s.Find(g.Context(), "long", q)
		if err != nil {
			g.Fatal(err)
		}
		for _, doc := range page.Documents {
			ids = append(ids, doc.ID)
		}
		if page.Next == "" {
			return ids
		}
		ids, q.Cursor = append(ids, "|"), page.Next
	}
}

// A page is read from its place in the index, however large the table is: the database
// counts the documents that it reads.
func TestFindReadsAPageNotATable(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a table")
	}
	config := fresh(t)
	s := open(t, config, store.Table{Name: "rooms", Indexes: []store.Index{
		{Name: "by_kind_and_rank", Fields: []string{"kind", "rank"}},
		{Name: "by_member", Fields: []string{"members", "rank"}, Multi: true},
	}})
	const many = 4000
	fill(t, s, many)
	whole := readBy(t, config, func() {
		for _, err := range store.All(t.Context(), s, "rooms", store.Query{Limit: store.MaxLimit}) {
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	if whole < many {
		t.Fatalf("the database says that it read %d documents of %d: this test counts nothing", whole, many)
	}
	cursor := func(q store.Query) store.Query {
		page, err := s.Find(t.Context(), "rooms", q)
		if err != nil || page.Next == "" {
			t.Fatalf("next page %q, %v", page.Next, err)
		}
		q.Cursor = page.Next
		return q
	}
	for name, q := range map[string]store.Query{
		"by id":          {Limit: 20},
		"from an id":     {From: "d3", Limit: 20},
		"compound":       {Index: "by_kind_and_rank", Equal: []any{"vote"}, From: 2000, Limit: 20},
		"backwards":      {Index: "by_kind_and_rank", Equal: []any{"vote"}, Descending: true, Limit: 20},
		"all fields":     {Index: "by_kind_and_rank", Equal: []any{"vote", 1234}},
		"multi":          {Index: "by_member", Equal: []any{"user-7"}, Limit: 20},
		"second page":    cursor(store.Query{Index: "by_kind_and_rank", Equal: []any{"vote"}, Limit: 20}),
		"with condition": {Index: "by_kind_and_rank", Equal: []any{"vote"}, From: 100, Where: map[string]any{"even": true}, Limit: 20},
	} {
		t.Run(name, func(t *testing.T) {
			read := readBy(t, config, func() {
				page, err := s.Find(t.Context(), "rooms", q)
				if err != nil || len(page.Documents) == 0 {
					t.Fatalf("found %d documents, %v", len(page.Documents), err)
				}
			})
			t.Logf("read %d", read)
			// Each table has eight parts inside a server, and each part reads a page of
			// its own. Half of the documents fulfil the condition.
			most := 8 * 21
			if q.Where != nil {
				most *= 3
			}
			if read > most+10 {
				t.Errorf("a page of 20 took %d documents of %d", read, many)
			}
		})
	}
}

func fill(t *testing.T, s *rethink.Store, many int) {
	t.Helper()
	for i := range many {
		body := fmt.Sprintf(`{"kind":"vote","rank":%d,"members":["user-%d","user-%d"],"even":%t}`, i, i%10, i%7, i%2 == 0)
		if err := s.Put(t.Context(), "rooms", store.Document{ID: fmt.Sprint("d", i), Version: store.Version{Rev: 1}, Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
}

// readBy returns how many documents of the table "rooms" the database read meanwhile.
func readBy(t *testing.T, config rethink.Config, do func()) int {
	t.Helper()
	session := connect(t, config)
	total := func() int {
		stats := r.DB(r.SystemDatabase).Table(r.StatsSystemTable).
			Filter(map[string]any{"db": config.Database, "table": "rooms"}).
			Filter(func(row r.Term) any { return row.HasFields("server") }).
			Field("query_engine").Field("read_docs_total").Sum()
		var n int
		if err := stats.ReadOne(&n, session, r.RunOpts{Context: t.Context()}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := total()
	do()
	return total() - before
}

// connect is the driver's own way in, for what a store does not do.
func connect(t *testing.T, config rethink.Config) *r.Session {
	t.Helper()
	session, err := r.Connect(r.ConnectOpts{Address: config.Addresses[0], InitialCap: 1, MaxOpen: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return session
}
