package store

import (
	"fmt"
	"regexp"
	"strings"
)

// Durability says what a write that returned survives.
type Durability int

// The durabilities.
const (
	// Soft writes survive the death of the process that wrote them, but maybe not a power
	// cut, nor, where the database is a process of its own, its death within the second:
	// such a store is a [Syncer]. For what can be folded again from the log.
	Soft Durability = iota
	// Hard writes are on disk. For tables in which the store is the authority.
	Hard
)

// Table describes a table. Opening a store creates what is missing and rebuilds
// indexes whose definition changed; it never removes documents.
type Table struct {
	// Name is lower-case letters, digits and underscores, from a letter, at most 48.
	Name string
	// Durability of the writes to this table.
	Durability Durability
	// Indexes by which documents can be found, besides the id.
	Indexes []Index
}

// Index describes a secondary index: compound, not unique, ordered by its fields in
// turn and then by id.
//
// Values order as false < true < numbers < strings; strings compare by their bytes.
// A document in which a field is missing, null, an object or an array is not in the
// index. Of a string the index sees the first [MaxIndexString] bytes, cut to whole
// characters: longer ones sort there, are found by their prefix, and by equality
// never.
type Index struct {
	// Name is formed like that of a table.
	Name string
	// Fields are paths in the body, the names on the way joined by dots.
	Fields []string
	// Multi makes an index in which the first field is an array and the document is
	// found under each of its different elements. Elements that are not booleans,
	// numbers or strings are passed over.
	Multi bool
}

// Schema is a set of tables that has been checked.
type Schema struct {
	tables []Table
	byName map[string]int
}

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)

// NewSchema checks the tables. It reports everything that is wrong, as ErrInvalid.
func NewSchema(tables ...Table) (*Schema, error) {
	s := &Schema{byName: make(map[string]int, len(tables))}
	var problems []string
	report := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	for _, t := range tables {
		if !nameForm.MatchString(t.Name) {
			report("table %q: bad name", t.Name)
		}
		if _, twice := s.byName[t.Name]; twice {
			report("table %q: named twice", t.Name)
		}
		if t.Durability != Soft && t.Durability != Hard {
			report("table %q: unknown durability %d", t.Name, t.Durability)
		}
		indexes := make(map[string]bool, len(t.Indexes))
		for _, x := range t.Indexes {
			if !nameForm.MatchString(x.Name) {
				report("table %q: index %q: bad name", t.Name, x.Name)
			}
			if indexes[x.Name] {
				report("table %q: index %q: named twice", t.Name, x.Name)
			}
			indexes[x.Name] = true
			if len(x.Fields) == 0 || len(x.Fields) > MaxIndexFields {
				report("table %q: index %q: 1 to %d fields", t.Name, x.Name, MaxIndexFields)
			}
			for _, f := range x.Fields {
				if !validPath(f) {
					report("table %q: index %q: bad field %q", t.Name, x.Name, f)
				}
			}
		}
		s.byName[t.Name] = len(s.tables)
		s.tables = append(s.tables, t)
	}
	if len(problems) > 0 {
		return nil, invalid("schema: %s", strings.Join(problems, "; "))
	}
	return s, nil
}

// Tables returns the tables in the order they were given.
func (s *Schema) Tables() []Table { return s.tables }

// Table returns the table of that name, or ErrUnknownTable.
func (s *Schema) Table(name string) (Table, error) {
	i, ok := s.byName[name]
	if !ok {
		return Table{}, fmt.Errorf("%w: %q", ErrUnknownTable, name)
	}
	return s.tables[i], nil
}

// Index returns the table's index of that name, or ErrUnknownIndex.
func (t Table) Index(name string) (Index, error) {
	for _, x := range t.Indexes {
		if x.Name == name {
			return x, nil
		}
	}
	return Index{}, fmt.Errorf("%w: %q of table %q", ErrUnknownIndex, name, t.Name)
}

func validPath(path string) bool {
	if path == "" || len(path) > 256 {
		return false
	}
	for name := range strings.SplitSeq(path, ".") {
		if name == "" {
			return false
		}
	}
	return true
}
