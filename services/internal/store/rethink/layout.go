package rethink

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	r "gopkg.in/rethinkdb/rethinkdb-go.v6"

	"github.com/tuttihq/tutti/services/internal/store"
)

// layout is part of every index's name: raise it when the form of keys changes, and all
// indexes are built anew.
const layout = "1"

// Names that no table of a schema has, since those begin with a letter.
const (
	metaTable  = "_meta"  // who is making tables just now
	beatTable  = "_beat"  // one row, which feeds read as a sign of life
	staleIndex = "_stale" // with a hash behind it: rows without all keys of this release
)

// table is a table of the schema, and how it is called in the database.
type table struct {
	store.Table

	term    r.Term
	indexes map[string]string // names in the database, by names in the schema
	stamp   string            // of the definitions of all indexes; in every row
}

func newTable(database string, t store.Table) *table {
	own := &table{Table: t, term: r.DB(database).Table(t.Name), indexes: make(map[string]string)}
	for _, x := range t.Indexes {
		own.indexes[x.Name] = x.Name + "_" + digest(x)
	}
	own.stamp = digest(own.indexes) // which JSON sorts
	return own
}

// stale is the name of the index of rows that were written for other definitions.
func (t *table) stale() string { return staleIndex + "_" + t.stamp }

// others picks, of the indexes that a table has, those that belong to other releases. Their
// marks of stale rows are not among them: no replica that runs reads those.
func (t *table) others(built []string) []string {
	own := slices.Collect(maps.Values(t.indexes))
	return slices.DeleteFunc(slices.Clone(built), func(name string) bool {
		return slices.Contains(own, name) || isStale(name)
	})
}

// isStale tells whether an index is the one of stale rows, of whatever release.
func isStale(name string) bool { return strings.HasPrefix(name, staleIndex+"_") }

func digest(v any) string {
	text, err := json.Marshal([]any{layout, v})
	if err != nil {
		panic(err) // only strings and booleans
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:5])
}

// row is a document as it lies in the database.
type row struct {
	ID string `json:"id"`
	// Version is epoch, fold and rev, so that the database compares it as we do.
	Version [3]uint64 `json:"v"`
	Deleted bool      `json:"d"`
	// Body is JSON text. As an object the database would take it apart: it reads
	// "$reql_type$" as a type of its own, refuses numbers beyond float64 and arrays of
	// more than 100,000, and we should have to put it together again.
	Body string `json:"b"`
}

func (w *row) document() store.Document {
	doc := store.Document{
		ID: w.ID, Deleted: w.Deleted,
		Version: store.Version{Epoch: w.Version[0], Fold: w.Version[1], Rev: w.Version[2]},
	}
	if !w.Deleted {
		doc.Body = json.RawMessage(w.Body)
	}
	return doc
}

var errStrangeRow = errors.New("a row that no Tutti wrote")

func parseRow(text []byte) (*store.Document, error) {
	var w row
	if err := json.Unmarshal(text, &w); err != nil {
		return nil, fmt.Errorf("%w: %w", errStrangeRow, err)
	}
	doc := w.document()
	if doc.ID == "" || doc.Version.IsZero() {
		return nil, errStrangeRow
	}
	return &doc, nil
}

func versionTerm(v store.Version) []any { return []any{v.Epoch, v.Fold, v.Rev} }

// rowTerm returns what is stored for a document: besides the row's own fields "x", its
// places in the indexes by their names in the database, and "s", the stamp. A place is
// the key with the id behind it, so that places order as Find does, without ties.
func (t *table) rowTerm(doc *store.Document) (map[string]any, error) {
	stored := map[string]any{"id": doc.ID, "v": versionTerm(doc.Version), "d": doc.Deleted, "s": t.stamp}
	if doc.Deleted {
		return stored, nil
	}
	stored["b"] = string(doc.Body)
	places := make(map[string]any)
	for _, x := range t.Indexes {
		keys, err := x.Keys(doc.Body)
		if err != nil {
			return nil, err
		}
		all := make([]any, len(keys))
		for i, key := range keys {
			all[i] = append([]any(key), doc.ID)
		}
		switch {
		case len(all) == 0:
		case x.Multi:
			places[t.indexes[x.Name]] = all
		default:
			places[t.indexes[x.Name]] = all[0]
		}
	}
	if len(places) > 0 {
		stored["x"] = places
	}
	return stored, nil
}
