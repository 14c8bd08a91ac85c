package store

import (
	"cmp"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"unicode/utf8"
)

// Key is what an index holds of one document: a value for each of its fields, each
// a bool, a float64 or a string.
type Key []any

// cutMark ends a string of which an index sees only the beginning. It is the highest
// code point, so the cut string sorts behind its own beginning and before everything
// that follows it, and no query of valid length equals it.
const cutMark = "\U0010FFFF"

// CompareValues orders two values of keys, as an [Index] does.
func CompareValues(a, b any) int {
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	switch x := a.(type) {
	case bool:
		y, _ := b.(bool)
		return cmp.Compare(truth(x), truth(y))
	case float64:
		y, _ := b.(float64)
		return cmp.Compare(x, y)
	default:
		x2, _ := a.(string)
		y, _ := b.(string)
		return strings.Compare(x2, y)
	}
}

func rank(v any) int {
	switch v.(type) {
	case bool:
		return 1
	case float64:
		return 2
	default:
		return 3
	}
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// normalise turns a value of a query into a bool, a float64 or a string.
func normalise(v any) (any, error) {
	if n, ok := v.(json.Number); ok {
		f, err := n.Float64()
		if err != nil {
			return nil, invalid("%q is not a number", n)
		}
		v = f
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Bool:
		return r.Bool(), nil
	case reflect.String:
		if !utf8.ValidString(r.String()) {
			return nil, invalid("a string that is not UTF-8")
		}
		return r.String(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if n := r.Int(); n >= -MaxVersionPart && n <= MaxVersionPart {
			return float64(n), nil
		}
		return nil, invalid("%v is beyond what a JSON number holds exactly", v)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if n := r.Uint(); n <= MaxVersionPart {
			return float64(n), nil
		}
		return nil, invalid("%v is beyond what a JSON number holds exactly", v)
	case reflect.Float32, reflect.Float64:
		f := r.Float()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, invalid("%v is not a JSON number", v)
		}
		return f + 0, nil // -0 is 0
	default:
		return nil, invalid("a value is a bool, a string or a number, not %T", v)
	}
}

// indexed returns what an index sees of a value.
func indexed(v any) any {
	s, ok := v.(string)
	if !ok || len(s) <= MaxIndexString {
		return v
	}
	end := MaxIndexString
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + cutMark
}

// Keys returns the document's entries in the index: none if it is not in it, one for
// each different element if the index is Multi. The body must be valid JSON. It
// answers ErrInvalid if there are more than [MaxMultiEntries].
func (x Index) Keys(body []byte) ([]Key, error) {
	key := make(Key, len(x.Fields))
	for i, path := range x.Fields {
		if x.Multi && i == 0 {
			continue
		}
		v, ok := scalar(lookup(body, path))
		if !ok {
			return nil, nil
		}
		key[i] = indexed(v)
	}
	if !x.Multi {
		return []Key{key}, nil
	}
	var keys []Key
	seen := make(map[any]bool)
	for element := range elements(lookup(body, x.Fields[0])) {
		v, ok := scalar(element)
		if !ok {
			continue
		}
		v = indexed(v)
		if seen[v] {
			continue
		}
		if len(keys) == MaxMultiEntries {
			return nil, invalid("more than %d elements in %q, which index %q lists", MaxMultiEntries, x.Fields[0], x.Name)
		}
		seen[v] = true
		own := append(Key(nil), key...)
		own[0] = v
		keys = append(keys, own)
	}
	return keys, nil
}
