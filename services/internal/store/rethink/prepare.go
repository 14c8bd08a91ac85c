package rethink

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	r "gopkg.in/rethinkdb/rethinkdb-go.v6"

	"github.com/tuttihq/tutti/services/internal/store"
)

// poll is how often something slow is asked whether it is done.
const poll = 50 * time.Millisecond

// prepare brings the database to the schema, or checks that it is there.
func (s *Store) prepare(ctx context.Context, schema *store.Schema) error {
	tables := make([]*table, 0, len(s.tables))
	for _, t := range schema.Tables() {
		tables = append(tables, s.tables[t.Name])
	}
	missing, err := s.missing(ctx, tables)
	if err != nil {
		return err
	}
	switch {
	case len(missing) > 0 && !s.config.Create:
		return fmt.Errorf("%w: there is no %s", ErrUnprepared, strings.Join(missing, ", no "))
	case len(missing) > 0:
		s.config.Log.Info("preparing the database", "database", s.config.Database, "missing", missing)
		if err := s.makeAll(ctx, tables); err != nil {
			return err
		}
	}
	for _, t := range tables {
		if err := s.wait(ctx, t); err != nil {
			return err
		}
		if err := s.repair(ctx, t); err != nil {
			return fmt.Errorf("enter the documents of table %q into its indexes: %w", t.Name, err)
		}
	}
	for _, t := range tables {
		if err := s.settle(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// settle notes the indexes of a table that this release does not ask for, and drops them if
// it is to.
func (s *Store) settle(ctx context.Context, t *table) error {
	built, err := s.built(ctx, t)
	if err != nil {
		return err
	}
	others := t.others(built)
	if len(others) == 0 {
		return nil
	}
	if !s.config.DropOld {
		s.config.Log.Info("indexes of another release are kept", "table", t.Name, "indexes", others)
	}
	for _, name := range others {
		if s.config.DropOld {
			if err := s.drop(ctx, t, name); err != nil {
				return err
			}
		}
		s.old = append(s.old, fmt.Sprintf("index %q of table %q", name, t.Name))
	}
	return nil
}

func (s *Store) built(ctx context.Context, t *table) ([]string, error) {
	var names []string
	err := s.one(ctx, t.term.IndexList(), r.RunOpts{}, &names)
	return names, err
}

// drop drops an index. It is well if somebody else has.
func (s *Store) drop(ctx context.Context, t *table, name string) error {
	s.config.Log.Info("dropping an index", "table", t.Name, "index", name)
	err := s.one(ctx, t.term.IndexDrop(name), r.RunOpts{}, new(any))
	if err != nil && !strings.Contains(err.Error(), "does not exist") {
		return fmt.Errorf("drop index %q of table %q: %w", name, t.Name, err)
	}
	return nil
}

// missing lists what the tables need and the database lacks.
func (s *Store) missing(ctx context.Context, tables []*table) ([]string, error) {
	var have []string
	if err := s.one(ctx, r.DBList(), r.RunOpts{}, &have); err != nil {
		return nil, err
	}
	if !slices.Contains(have, s.config.Database) {
		return []string{fmt.Sprintf("database %q", s.config.Database)}, nil
	}
	if err := s.one(ctx, r.DB(s.config.Database).TableList(), r.RunOpts{}, &have); err != nil {
		return nil, err
	}
	var missing []string
	for _, name := range []string{metaTable, beatTable} {
		if !slices.Contains(have, name) {
			missing = append(missing, fmt.Sprintf("table %q", name))
		}
	}
	for _, t := range tables {
		if !slices.Contains(have, t.Name) {
			missing = append(missing, fmt.Sprintf("table %q", t.Name))
			continue
		}
		built, err := s.built(ctx, t)
		if err != nil {
			return nil, err
		}
		for _, x := range t.Indexes {
			if !slices.Contains(built, t.indexes[x.Name]) {
				missing = append(missing, fmt.Sprintf("index %q of table %q", x.Name, t.Name))
			}
		}
		if s.config.Create && !slices.Contains(built, t.stale()) {
			missing = append(missing, fmt.Sprintf("index %q of table %q", t.stale(), t.Name))
		}
	}
	return missing, nil
}

// makeAll makes what is missing. Of several processes one does it at a time: the
// database would make two tables of one name for two who ask at once.
func (s *Store) makeAll(ctx context.Context, tables []*table) error {
	db := r.DB(s.config.Database)
	if err := s.make(ctx, r.DBCreate(s.config.Database)); err != nil {
		return err
	}
	if err := s.make(ctx, db.TableCreate(metaTable, s.tableOpts(1, "hard"))); err != nil {
		return err
	}
	release, err := s.claim(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := s.make(ctx, db.TableCreate(beatTable, s.tableOpts(1, "soft"))); err != nil {
		return err
	}
	row := db.Table(beatTable).Insert(map[string]any{"id": beatTable}, r.InsertOpts{Conflict: "replace"})
	if err := s.one(ctx, row, r.RunOpts{}, new(any)); err != nil {
		return err
	}
	for _, t := range tables {
		if err := s.make(ctx, db.TableCreate(t.Name, s.tableOpts(s.config.Shards, t.durability()))); err != nil {
			return err
		}
		if err := s.wait(ctx, t); err != nil {
			return err
		}
		if err := s.makeIndexes(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) tableOpts(shards int, durability string) r.TableCreateOpts {
	return r.TableCreateOpts{Shards: shards, Replicas: s.config.Replicas, Durability: durability}
}

// make executes a term that makes something. It is well if that is there already.
func (s *Store) make(ctx context.Context, term r.Term) error {
	err := s.one(ctx, term, r.RunOpts{}, new(any))
	if err != nil && ctx.Err() == nil && strings.Contains(err.Error(), "already exists") {
		return nil
	}
	return err
}

// makeIndexes makes the indexes that are missing. Those of other releases stay, since their
// replicas may run and query them, but for their marks of stale rows: only an Open reads
// these, and two releases that each had one would rewrite all rows in turns.
func (s *Store) makeIndexes(ctx context.Context, t *table) error {
	built, err := s.built(ctx, t)
	if err != nil {
		return err
	}
	for _, name := range built {
		if isStale(name) && name != t.stale() {
			if err := s.drop(ctx, t, name); err != nil {
				return err
			}
		}
	}
	for _, x := range t.Indexes {
		name := t.indexes[x.Name]
		places := func(row r.Term) any { return row.Field("x").Field(name) }
		if err := s.make(ctx, t.term.IndexCreateFunc(name, places, r.IndexCreateOpts{Multi: x.Multi})); err != nil {
			return err
		}
	}
	// A row for which the function fails is not in the index: this one is empty, but
	// for what another release writes.
	stale := func(row r.Term) any {
		return r.Branch(row.Field("s").Default("").Eq(t.stamp), r.Error("current"), true)
	}
	return s.make(ctx, t.term.IndexCreateFunc(t.stale(), stale))
}

// wait waits until the table takes writes and its indexes are built.
func (s *Store) wait(ctx context.Context, t *table) error {
	ready := t.term.Wait(r.WaitOpts{WaitFor: "ready_for_writes", Timeout: s.config.Patience.Seconds()})
	if err := s.one(ctx, ready, r.RunOpts{}, new(any)); err != nil {
		return fmt.Errorf("table %q: %w", t.Name, err)
	}
	for {
		var indexes []struct {
			Ready bool `json:"ready"`
		}
		if err := s.one(ctx, t.term.IndexStatus(), r.RunOpts{}, &indexes); err != nil {
			return err
		}
		building := false
		for _, x := range indexes {
			building = building || !x.Ready
		}
		if !building {
			return nil
		}
		if !sleep(ctx, poll) {
			return ctx.Err()
		}
	}
}

// repairStep is how many rows are repaired in one query, and repairBytes how many bytes
// of them, give or take one.
const (
	repairStep  = 200
	repairBytes = 4 << 20
)

// repair rewrites the rows that were written for other definitions of the indexes: by
// an older release, or by a newer one that was taken back. Their documents and versions
// stay as they are, and so do their places in the indexes of other releases, which are right
// as long as the document is the same; feeds do not hear of it. If it is cut short the next
// Open goes on; so it does with what an older release that still runs writes meanwhile, beyond
// as much again as there was.
func (s *Store) repair(ctx context.Context, t *table) error {
	most, err := s.countStale(ctx, t)
	if err != nil {
		return err
	}
	total := 0
	for total <= 2*most+repairStep {
		rows, others, err := s.staleRows(ctx, t)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			break
		}
		term := r.Expr(rows).ForEach(func(stored r.Term) any {
			return t.term.Get(stored.Field("id")).Replace(func(old r.Term) any {
				return r.Branch(old.Eq(nil).Or(old.Field("v").Ne(stored.Field("v"))), old, kept(old, others).Merge(stored))
			}, r.ReplaceOpts{Durability: t.durability()})
		})
		var result writeResult
		if err := s.one(ctx, term, r.RunOpts{}, &result); err != nil {
			return err
		}
		if result.Errors > 0 {
			return fmt.Errorf("%w: %s", store.ErrUnavailable, result.FirstError)
		}
		total += len(rows)
	}
	if total > 0 {
		s.config.Log.Info("documents were entered into indexes", "table", t.Name, "documents", total)
	}
	return nil
}

// kept is what a row says of its places in the indexes of other releases.
func kept(old r.Term, others []string) r.Term {
	if len(others) == 0 {
		return r.Expr(map[string]any{})
	}
	return old.Pluck(map[string]any{"x": others})
}

// countStale counts the rows that were written for other definitions of the indexes.
func (s *Store) countStale(ctx context.Context, t *table) (n int, err error) {
	built, err := s.built(ctx, t)
	if err != nil || !slices.Contains(built, t.stale()) {
		return 0, err
	}
	err = s.one(ctx, t.term.GetAll(true).OptArgs(r.GetAllOpts{Index: t.stale()}).Count(), r.RunOpts{}, &n)
	return n, err
}

// staleRows gives some rows as they are to be, without the places that they have in the
// indexes of other releases, and lists those.
func (s *Store) staleRows(ctx context.Context, t *table) (rows []any, others []string, err error) {
	built, err := s.built(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	if !slices.Contains(built, t.stale()) {
		return nil, nil, nil // a newer release has taken over, and asks other things of rows
	}
	size := 0
	term := t.term.GetAll(true).OptArgs(r.GetAllOpts{Index: t.stale()}).Limit(repairStep).Without("x", "s")
	err = s.each(ctx, term, r.RunOpts{ReadMode: majority}, func(text json.RawMessage) error {
		if size >= repairBytes {
			return nil // next time
		}
		doc, err := parseRow(text)
		if err != nil {
			return err
		}
		stored, err := t.rowTerm(doc)
		if err != nil {
			return fmt.Errorf("document %q: %w", doc.ID, err)
		}
		rows = append(rows, stored)
		size += len(doc.Body)
		return nil
	})
	return rows, t.others(built), err
}
