package subjects

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Marks collects which parts of a document a fold touched, so that a merge patch costs
// what changed and not what the document holds. A nil *Marks collects nothing.
//
// A path is a list of keys from the document's root. What stands at a marked path is
// either a scalar, a list, or an object without optional or dynamic keys: then putting
// the whole new value into a merge patch replaces the old one.
type Marks struct {
	paths [][]string
	seen  map[string]struct{}
}

// Mark notes that the value at path changed, came or went.
func (m *Marks) Mark(path ...string) {
	if m == nil {
		return
	}
	key := strings.Join(path, "\x00")
	if _, ok := m.seen[key]; ok {
		return
	}
	if m.seen == nil {
		m.seen = make(map[string]struct{}, 4)
	}
	m.seen[key] = struct{}{}
	m.paths = append(m.paths, path)
}

// Empty reports whether nothing was marked.
func (m *Marks) Empty() bool { return m == nil || len(m.paths) == 0 }

// Reset forgets all marks and keeps the memory.
func (m *Marks) Reset() {
	clear(m.seen)
	m.paths = m.paths[:0]
}

// Patch builds the merge patch: for every marked path the present value that lookup
// gives, or null where lookup reports that there is none. Where one marked path leads
// through another, the shorter one speaks for both.
func (m *Marks) Patch(lookup func(path []string) (any, bool)) (json.RawMessage, error) {
	if m.Empty() {
		return json.RawMessage("{}"), nil
	}
	paths := slices.Clone(m.paths)
	slices.SortStableFunc(paths, func(a, b []string) int { return len(a) - len(b) })
	root := map[string]any{}
next:
	for _, path := range paths {
		at := root
		for _, key := range path[:len(path)-1] {
			child, ok := at[key]
			if !ok {
				child = branch{}
				at[key] = child
			}
			b, ok := child.(branch)
			if !ok {
				continue next
			}
			at = b
		}
		v, ok := lookup(path)
		if !ok {
			v = nil
		}
		at[path[len(path)-1]] = v
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(root); err != nil {
		return nil, fmt.Errorf("subjects: encode patch: %w", err)
	}
	return bytes.TrimRight(buf.Bytes(), "\n"), nil
}

// branch tells a level that Patch made from a value that lookup gave.
type branch = map[string]any

// ApplyPatch applies an RFC 7396 merge patch to a JSON document and returns the new
// document in canonical form. An empty document counts as {}.
func ApplyPatch(doc, patch []byte) ([]byte, error) {
	if len(doc) == 0 {
		doc = []byte("{}")
	}
	d, err := decodeAny(doc)
	if err != nil {
		return nil, fmt.Errorf("subjects: document: %w", err)
	}
	p, err := decodeAny(patch)
	if err != nil {
		return nil, fmt.Errorf("subjects: patch: %w", err)
	}
	return appendCanonical(nil, merge(d, p))
}

func merge(target, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	t, ok := target.(map[string]any)
	if !ok {
		t = map[string]any{}
	}
	for k, v := range p {
		if v == nil {
			delete(t, k)
			continue
		}
		t[k] = merge(t[k], v)
	}
	return t
}

func decodeAny(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return v, nil
}
