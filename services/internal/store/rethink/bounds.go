package rethink

import (
	"strings"
	"unicode/utf8"

	r "gopkg.in/rethinkdb/rethinkdb-go.v6"

	"github.com/tuttihq/tutti/services/internal/store"
)

// bound is one end of a range of places; a place is what rowTerm says. An element that is
// top is above every value.
type bound []any

type extreme struct{}

var top extreme

func (b bound) compare(o bound) int {
	for i := range min(len(b), len(o)) {
		_, btop := b[i].(extreme)
		_, otop := o[i].(extreme)
		switch {
		case btop && otop:
			continue
		case btop:
			return 1
		case otop:
			return -1
		}
		if c := store.CompareValues(b[i], o[i]); c != 0 {
			return c
		}
	}
	return len(b) - len(o)
}

// term returns the bound for the database, where a shorter array is below a longer one
// that begins with it.
func (b bound) term() any {
	all := make([]any, len(b))
	for i, v := range b {
		all[i] = v
		if v == any(top) {
			all[i] = r.MaxVal
		}
	}
	return all
}

// placeBounds returns the range of a plan that goes by an index. A page that goes on behind a place begins there,
// excluded. A cursor comes from outside: it may narrow the range, and never leave it.
func placeBounds(plan *store.Plan) (from, to any, opts r.BetweenOpts) {
	opts = r.BetweenOpts{LeftBound: "closed", RightBound: "open"}
	var low, high bound
	low = append(low, plan.Equal...)
	high = append(high, plan.Equal...)
	if plan.From != nil {
		low = append(low, plan.From)
	}
	switch {
	case plan.Prefix != "":
		low, high = append(low, plan.Prefix), append(high, following(plan.Prefix))
	case plan.To != nil:
		high = append(high, plan.To)
	default:
		high = append(high, top)
	}
	if plan.After != nil {
		at := append(append(bound{}, plan.After.Key...), plan.After.ID)
		switch {
		case plan.Descending && at.compare(high) < 0:
			high = at
		case !plan.Descending && at.compare(low) >= 0:
			low, opts.LeftBound = at, "open"
		}
	}
	return low.term(), high.term(), opts
}

// following returns the first string, in the order of bytes, behind all that begin with
// prefix, or top if there is none.
func following(prefix string) any {
	for prefix != "" {
		last, size := utf8.DecodeLastRuneInString(prefix)
		prefix = prefix[:len(prefix)-size]
		switch last {
		case utf8.MaxRune:
			continue
		case 0xD7FF: // what follows is for surrogates, which are no characters
			return prefix + "\uE000"
		}
		return prefix + string(last+1)
	}
	return top
}

// idBounds returns the range of a plan that goes by the primary key.
func idBounds(plan *store.Plan) (low, high any, opts r.BetweenOpts) {
	opts = r.BetweenOpts{LeftBound: "closed", RightBound: "open"}
	low, high = r.MinVal, r.MaxVal
	if len(plan.Equal) == 1 {
		low, high, opts.RightBound = plan.Equal[0], plan.Equal[0], "closed"
	}
	if plan.From != nil {
		low = plan.From
	}
	if plan.To != nil {
		high = plan.To
	}
	if plan.Prefix != "" {
		low, high = plan.Prefix, following(plan.Prefix)
		if high == any(top) {
			high = r.MaxVal
		}
	}
	if plan.After != nil {
		at := plan.After.ID
		switch {
		case plan.Descending && (isTerm(high) || store.CompareValues(at, high) < 0):
			high, opts.RightBound = at, "open"
		case !plan.Descending && (isTerm(low) || store.CompareValues(at, low) >= 0):
			low, opts.LeftBound = at, "open"
		}
	}
	return idBound(low), idBound(high), opts
}

func isTerm(v any) bool {
	_, ok := v.(r.Term)
	return ok
}

// idBound returns a bound that the database takes: it refuses a zero byte in a primary
// key. No id holds control characters, so every id keeps its side of the bound.
func idBound(v any) any {
	if s, ok := v.(string); ok {
		if before, _, found := strings.Cut(s, "\x00"); found {
			return before + "\x01"
		}
	}
	return v
}
