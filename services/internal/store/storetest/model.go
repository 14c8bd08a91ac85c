package storetest

import (
	"cmp"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/tuttihq/tutti/services/internal/store"
)

// model is what a table should hold, and finds by brute force, sharing nothing with
// the implementations.
type model map[string]modelled

type modelled struct {
	doc  store.Document
	body map[string]any
}

type hit struct {
	key []any
	doc store.Document
}

func drawScalar(r *rapid.T, label string) any {
	return rapid.SampledFrom([]any{"a", "ab", "abc", "b", "B", "ä", "a\x00", "a\x00b", "", 0, 1, -1, 2, 1.5, true, false}).Draw(r, label)
}

func drawBody(r *rapid.T) map[string]any {
	body := make(map[string]any)
	if v := drawMaybe(r, "name"); v != nil {
		body["name"] = v
	}
	body["kind"] = drawMaybe(r, "kind")
	body["stats"] = map[string]any{"rank": drawMaybe(r, "rank")}
	members := []any{}
	for range rapid.IntRange(0, 4).Draw(r, "members") {
		members = append(members, drawMaybe(r, "member"))
	}
	body["members"] = members
	return body
}

func drawMaybe(r *rapid.T, label string) any {
	if rapid.IntRange(0, 6).Draw(r, label+" missing") == 0 {
		return nil
	}
	return drawScalar(r, label)
}

func drawQuery(r *rapid.T) store.Query {
	q := store.Query{
		Index:      rapid.SampledFrom([]string{"", "by_name", "by_kind_and_rank", "by_member"}).Draw(r, "index"),
		Limit:      rapid.IntRange(1, 10).Draw(r, "limit"),
		Descending: rapid.Bool().Draw(r, "descending"),
	}
	value := func(label string) any { return drawScalar(r, label) }
	fields := 1
	switch q.Index {
	case "":
		value = func(label string) any {
			return rapid.SampledFrom([]any{"", "d1", "d2", "d25", "d9", "x", 7, true}).Draw(r, label)
		}
	case "by_kind_and_rank":
		fields = 2
	case "by_member":
		fields = 2
		q.Equal = append(q.Equal, value("first"))
	}
	for len(q.Equal) < fields && rapid.Bool().Draw(r, "fixed") {
		q.Equal = append(q.Equal, value("equal"))
	}
	if len(q.Equal) < fields {
		switch rapid.IntRange(0, 4).Draw(r, "bounds") {
		case 0:
			q.From = value("from")
		case 1:
			q.To = value("to")
		case 2:
			q.From, q.To = value("from"), value("to")
		case 3:
			q.Prefix = rapid.SampledFrom([]string{"a", "ab", "a\x00", "d", "d2", "ä", "z"}).Draw(r, "prefix")
		}
	}
	if rapid.IntRange(0, 2).Draw(r, "filtered") == 0 {
		q.Where = map[string]any{rapid.SampledFrom([]string{"name", "stats.rank", "kind"}).Draw(r, "path"): drawScalar(r, "where")}
	}
	return q
}

func (m model) find(q store.Query) []store.Document {
	var hits []hit
	for _, d := range m {
		for _, key := range d.keys(q.Index) {
			if inRange(key, q) && d.fulfils(q.Where) {
				hits = append(hits, hit{key, d.doc})
			}
		}
	}
	slices.SortFunc(hits, func(a, b hit) int {
		order := cmp.Or(slices.CompareFunc(a.key, b.key, compare), strings.Compare(a.doc.ID, b.doc.ID))
		if q.Descending {
			return -order
		}
		return order
	})
	docs := make([]store.Document, len(hits))
	for i := range hits {
		docs[i] = hits[i].doc
	}
	return docs
}

func (d modelled) at(path string) any {
	if path == "stats.rank" {
		stats, _ := d.body["stats"].(map[string]any)
		return stats["rank"]
	}
	return d.body[path]
}

func (d modelled) keys(index string) [][]any {
	name, kind, rank := d.at("name"), d.at("kind"), d.at("stats.rank")
	switch {
	case index == "":
		return [][]any{{d.doc.ID}}
	case index == "by_name" && name != nil:
		return [][]any{{name}}
	case index == "by_kind_and_rank" && kind != nil && rank != nil:
		return [][]any{{kind, rank}}
	case index == "by_member" && rank != nil:
		var keys [][]any
		members, _ := d.body["members"].([]any)
		for i, v := range members {
			if v != nil && !slices.Contains(members[:i], v) {
				keys = append(keys, []any{v, rank})
			}
		}
		return keys
	}
	return nil
}

func inRange(key []any, q store.Query) bool {
	for i, v := range q.Equal {
		if compare(key[i], v) != 0 {
			return false
		}
	}
	if len(q.Equal) == len(key) {
		return true
	}
	next := key[len(q.Equal)]
	if q.From != nil && compare(next, q.From) < 0 || q.To != nil && compare(next, q.To) >= 0 {
		return false
	}
	s, isString := next.(string)
	return q.Prefix == "" || isString && strings.HasPrefix(s, q.Prefix)
}

func (d modelled) fulfils(where map[string]any) bool {
	for path, want := range where {
		if got := d.at(path); got == nil || compare(got, want) != 0 {
			return false
		}
	}
	return true
}

// compare orders false < true < numbers < strings.
func compare(a, b any) int {
	kind := func(v any) (rank int, number float64, text string) {
		switch x := v.(type) {
		case bool:
			if x {
				return 1, 0, ""
			}
			return 0, 0, ""
		case int:
			return 2, float64(x), ""
		case float64:
			return 2, x, ""
		default:
			s, _ := v.(string)
			return 3, 0, s
		}
	}
	ra, na, sa := kind(a)
	rb, nb, sb := kind(b)
	return cmp.Or(cmp.Compare(ra, rb), cmp.Compare(na, nb), strings.Compare(sa, sb))
}
