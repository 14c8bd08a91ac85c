package store

import (
	"bytes"
	"encoding/json"
	"iter"
	"strconv"
	"strings"
)

// The functions here find single values in a JSON text that is known to be valid,
// without building the rest of it: a few fields of a large body are read on every
// write and for every condition of a query.

// lookup returns the raw value at a dotted path, nil if there is none.
func lookup(body []byte, path string) []byte {
	for path != "" && body != nil {
		var name string
		name, path, _ = strings.Cut(path, ".")
		body = member(body, name)
	}
	return body
}

// member returns the raw value of an object's member, nil if text is no object or
// has none of that name. Of members with the same name the last counts, as it does
// for encoding/json.
func member(text []byte, name string) []byte {
	i := space(text, 0)
	if i >= len(text) || text[i] != '{' {
		return nil
	}
	var found []byte
	for i = space(text, i+1); i < len(text) && text[i] == '"'; {
		end := stringEnd(text, i)
		same := isString(text[i:end], name)
		i = space(text, end) // the colon
		i = space(text, i+1) // the value
		end = valueEnd(text, i)
		if same {
			found = text[i:end]
		}
		i = space(text, end) // comma or brace
		if i < len(text) && text[i] == ',' {
			i = space(text, i+1)
		}
	}
	return found
}

// elements yields the raw elements of an array, nothing if text is no array.
func elements(text []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		i := space(text, 0)
		if i >= len(text) || text[i] != '[' {
			return
		}
		for i = space(text, i+1); i < len(text) && text[i] != ']'; {
			end := valueEnd(text, i)
			if !yield(text[i:end]) {
				return
			}
			i = space(text, end)
			if i < len(text) && text[i] == ',' {
				i = space(text, i+1)
			}
		}
	}
}

// scalar decodes a raw bool, number or string. Everything else is not ok, and so is a
// number that a float64 cannot hold.
func scalar(raw []byte) (any, bool) {
	if len(raw) == 0 {
		return nil, false
	}
	switch raw[0] {
	case 't':
		return true, true
	case 'f':
		return false, true
	case '"':
		return unquote(raw)
	case '{', '[', 'n':
		return nil, false
	default:
		f, err := strconv.ParseFloat(string(raw), 64)
		return f + 0, err == nil // -0 is 0
	}
}

func unquote(raw []byte) (any, bool) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), true
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err == nil
}

func isString(raw []byte, s string) bool {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1:len(raw)-1]) == s
	}
	v, ok := unquote(raw)
	return ok && v == s
}

func space(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r') {
		i++
	}
	return i
}

// stringEnd returns the index behind the string that begins at i.
func stringEnd(text []byte, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// valueEnd returns the index behind the value that begins at i.
func valueEnd(text []byte, i int) int {
	depth := 0
	for i < len(text) {
		switch text[i] {
		case '"':
			i = stringEnd(text, i)
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // behind a bare number or word
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return len(text)
}
