package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tuttihq/tutti/services/internal/store"
)

// format is the layout of the database that this release writes.
const format = 1

// ErrNewer says that the database was written by a newer release, which keeps it in a
// form that this one does not know. Nothing was touched.
var ErrNewer = errors.New("sqlite: the database was written by a newer release")

// layout creates what format 1 is. All tables share these: a document is one row of
// documents, and for each of its places in an index there is one row of entries,
// whose key (see key.go) sorts as the index does.
//
// seq numbers writes; it is what lets a feed tell what it has read from what it has
// yet to hear of.
const layout = `
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tables (num INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS indexes (
	num INTEGER PRIMARY KEY, tbl INTEGER NOT NULL, name TEXT NOT NULL, definition TEXT NOT NULL,
	UNIQUE (tbl, name));
CREATE TABLE IF NOT EXISTS documents (
	num INTEGER PRIMARY KEY, tbl INTEGER NOT NULL, id TEXT NOT NULL,
	epoch INTEGER NOT NULL, fold INTEGER NOT NULL, rev INTEGER NOT NULL, deleted INTEGER NOT NULL,
	seq INTEGER NOT NULL, body BLOB NOT NULL,
	UNIQUE (tbl, id));
CREATE TABLE IF NOT EXISTS entries (
	idx INTEGER NOT NULL, key BLOB NOT NULL, doc INTEGER NOT NULL,
	PRIMARY KEY (idx, key)) WITHOUT ROWID;
`

// table is a table of the schema with its numbers in the database.
type table struct {
	store.Table
	num     int64
	indexes []int64 // by position in Table.Indexes
}

func (t *table) index(name string) int64 {
	for i, x := range t.Indexes {
		if x.Name == name {
			return t.indexes[i]
		}
	}
	return 0
}

// prepare brings the database to the schema, and returns its tables and the number
// that the next write gets.
func prepare(ctx context.Context, conn *sql.Conn, schema *store.Schema) (map[string]*table, int64, error) {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	run, err := begin(ctx, tx)
	if err != nil {
		return nil, 0, err
	}
	tables := make(map[string]*table)
	for _, t := range schema.Tables() {
		own := &table{Table: t}
		if own.num, err = ensureTable(ctx, tx, t.Name); err != nil {
			return nil, 0, err
		}
		if own.indexes, err = ensureIndexes(ctx, tx, own); err != nil {
			return nil, 0, err
		}
		tables[t.Name] = own
	}
	// Writes are numbered upwards from here, above all of earlier runs.
	return tables, run << 40, tx.Commit()
}

// begin checks the format, and counts the times the database was opened.
func begin(ctx context.Context, tx *sql.Tx) (run int64, err error) {
	var found int64
	var has bool
	if err := tx.QueryRowContext(ctx, `SELECT count(*) > 0 FROM sqlite_schema WHERE name = 'meta'`).Scan(&has); err != nil {
		return 0, err
	}
	if has {
		err := tx.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = 'format'`).Scan(&found)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return 0, err
		}
	}
	if found > format {
		return 0, fmt.Errorf("%w: it has format %d, this release knows %d; start the newer release, or give this one another data directory",
			ErrNewer, found, format)
	}
	if _, err := tx.ExecContext(ctx, layout); err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO meta VALUES ('format', ?) ON CONFLICT DO UPDATE SET value = excluded.value`, format); err != nil {
		return 0, err
	}
	err = tx.QueryRowContext(ctx,
		`INSERT INTO meta VALUES ('run', 1) ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value`).Scan(&run)
	return run, err
}

func ensureTable(ctx context.Context, tx *sql.Tx, name string) (num int64, err error) {
	if _, err := tx.ExecContext(ctx, `INSERT INTO tables (name) VALUES (?) ON CONFLICT DO NOTHING`, name); err != nil {
		return 0, err
	}
	err = tx.QueryRowContext(ctx, `SELECT num FROM tables WHERE name = ?`, name).Scan(&num)
	return num, err
}

// ensureIndexes drops the indexes that are no longer wanted, builds those that are new
// or changed, and returns the numbers of all.
func ensureIndexes(ctx context.Context, tx *sql.Tx, t *table) ([]int64, error) {
	had, err := knownIndexes(ctx, tx, t.num)
	if err != nil {
		return nil, err
	}
	nums := make([]int64, 0, len(t.Indexes))
	for _, x := range t.Indexes {
		text, err := json.Marshal(x)
		if err != nil {
			return nil, err
		}
		if old, ok := had[x.Name]; ok && old.definition == string(text) {
			nums = append(nums, old.num)
			delete(had, x.Name)
			continue
		}
		if err := dropIndex(ctx, tx, had[x.Name].num); err != nil {
			return nil, err
		}
		delete(had, x.Name)
		made, err := tx.ExecContext(ctx, `INSERT INTO indexes (tbl, name, definition) VALUES (?, ?, ?)`, t.num, x.Name, string(text))
		if err != nil {
			return nil, err
		}
		num, err := made.LastInsertId()
		if err != nil {
			return nil, err
		}
		if err := build(ctx, tx, t.num, num, x); err != nil {
			return nil, fmt.Errorf("build index %q of table %q: %w", x.Name, t.Name, err)
		}
		nums = append(nums, num)
	}
	for _, old := range had {
		if err := dropIndex(ctx, tx, old.num); err != nil {
			return nil, err
		}
	}
	return nums, nil
}

type knownIndex struct {
	num        int64
	definition string
}

func knownIndexes(ctx context.Context, tx *sql.Tx, tbl int64) (map[string]knownIndex, error) {
	rows, err := tx.QueryContext(ctx, `SELECT num, name, definition FROM indexes WHERE tbl = ?`, tbl)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	had := make(map[string]knownIndex)
	for rows.Next() {
		var x knownIndex
		var name string
		if err := rows.Scan(&x.num, &name, &x.definition); err != nil {
			return nil, err
		}
		had[name] = x
	}
	return had, rows.Err()
}

func dropIndex(ctx context.Context, tx *sql.Tx, num int64) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM entries WHERE idx = ?`, num); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM indexes WHERE num = ?`, num)
	return err
}

// build enters every document of the table into the index.
func build(ctx context.Context, tx *sql.Tx, tbl, idx int64, x store.Index) error {
	enter, err := tx.PrepareContext(ctx, insertEntry)
	if err != nil {
		return err
	}
	defer func() { _ = enter.Close() }()
	rows, err := tx.QueryContext(ctx, `SELECT num, id, body FROM documents WHERE tbl = ? AND deleted = 0`, tbl)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var num int64
		var id string
		var body sql.RawBytes
		if err := rows.Scan(&num, &id, &body); err != nil {
			return err
		}
		keys, err := x.Keys(body)
		if err != nil {
			return fmt.Errorf("document %q: %w", id, err)
		}
		for _, key := range keys {
			if _, err := enter.ExecContext(ctx, idx, entry(key, id), num); err != nil {
				return err
			}
		}
	}
	return rows.Err()
}
