package services

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/rethink"
)

// MigrateOptions say what Migrate does besides what is needed, or leaves.
type MigrateOptions struct {
	// DryRun changes nothing, but for the tables of an embedded store, which are made
	// whenever it is opened.
	DryRun bool
	// DropOldIndexes drops the indexes of a RethinkDB store that this release does not ask
	// for: when no replica of an older release runs any more, which would query them.
	DropOldIndexes bool
}

// MigrateReport tells what Migrate did, or would do.
type MigrateReport struct {
	// Missing tells, for streams and tables, what was not in place; it is made or changed.
	Missing []string
	// Old tells the indexes that this release does not ask for. They are kept, or were dropped
	// if the options say so. A dry run that finds something missing in the store looks no
	// further, and tells none.
	Old []string
	// From is the version of the documents that was found, 0 for a new store, and To that of
	// this release.
	From, To int
	// Steps names the migrations between them.
	Steps []string
}

// Migrate makes what a deployment lacks and brings up to date what an older release has made:
// streams, tables with their indexes, and documents. It needs the rights for that, which
// services need not have (auto_migrate false). Of several at once one does it, the others
// wait. It also enters into the indexes what replicas of another release have written
// meanwhile.
//
// Errors: ErrNewerSchema, bus.ErrPartitions and bus.ErrShards, with nothing changed.
func Migrate(ctx context.Context, cfg Config, opt MigrateOptions, progress Progress, log *slog.Logger) (MigrateReport, error) {
	report := MigrateReport{To: SchemaVersion}
	if err := cfg.Validate(); err != nil {
		return report, err
	}
	cfg, err := cfg.withPasswords()
	if err != nil {
		return report, err
	}
	if _, err := os.Stat(cfg.Data); opt.DryRun && cfg.embedded() && err != nil {
		report.Missing = []string{"data directory: " + err.Error()}
		report.steps(migrations())
		return report, nil
	}
	if err := report.look(ctx, cfg, log); err != nil || opt.DryRun {
		return report, err
	}
	progress.tell("streams", 0, 0)
	cfg.AutoMigrate = true
	bc := cfg.bus()
	bc.Listen = ""
	b, err := bus.Start(ctx, bc, logKeepers(), log)
	if err != nil {
		return report, err
	}
	s := &System{log: log, bus: b}
	s.onStop("bus", func(ctx context.Context) error { b.Close(ctx); return nil })
	err = s.migrateStore(ctx, cfg, opt, &report, progress)
	return report, errors.Join(err, s.detach(ctx, cfg))
}

// migrateStore makes the tables and runs the migrations.
func (s *System) migrateStore(ctx context.Context, cfg Config, opt MigrateOptions, report *MigrateReport, progress Progress) error {
	progress.tell("tables", 0, 0)
	st, err := s.openTablesAnd(ctx, cfg, opt.DropOldIndexes)
	if err != nil {
		return err
	}
	report.Old = oldIndexes(st)
	m := newMigrator(st, migrations(), s.log)
	report.Steps = nil
	m.done = func(step Migration) {
		report.Steps = append(report.Steps, fmt.Sprintf("%d: %s", step.Version, step.Name))
		progress.tell("documents", uint64(step.Version), SchemaVersion)
	}
	report.From, err = m.run(ctx, true)
	return err
}

// openTables opens the store that the configuration names, whatever is in it.
func (s *System) openTables(ctx context.Context, cfg Config) (store.Store, error) {
	return s.openTablesAnd(ctx, cfg, false)
}

// openTablesAnd opens them, and drops indexes that are not asked for if it is to.
func (s *System) openTablesAnd(ctx context.Context, cfg Config, dropOld bool) (store.Store, error) {
	open := s.openSQLite
	if cfg.Store.Kind == StoreRethinkDB {
		open = func(ctx context.Context, cfg Config) (store.Store, error) {
			rc := cfg.rethink(s.log)
			rc.DropOld = dropOld
			return s.openRethinkDBAs(ctx, cfg, rc)
		}
	}
	st, err := open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s.onStop("store", func(context.Context) error { return st.Close() })
	return st, nil
}

// oldIndexes lists the indexes of a store that this release does not ask for. An embedded
// store keeps none.
func oldIndexes(st store.Store) []string {
	if shared, ok := st.(*rethink.Store); ok {
		return shared.Old()
	}
	return nil
}

// look finds out what is missing, and changes nothing.
func (r *MigrateReport) look(ctx context.Context, cfg Config, log *slog.Logger) (err error) {
	cfg.AutoMigrate = false
	s := &System{log: log}
	defer func() { err = errors.Join(err, s.detach(ctx, cfg)) }()
	bc := cfg.bus()
	bc.Listen = ""
	b, err := bus.Start(ctx, bc, logKeepers(), log)
	switch {
	case errors.Is(err, bus.ErrStreams):
		r.Missing = append(r.Missing, "streams ("+strings.TrimPrefix(err.Error(), bus.ErrStreams.Error()+": ")+")")
	case err != nil:
		return err
	default:
		s.onStop("bus", func(ctx context.Context) error { b.Close(ctx); return nil })
	}
	st, err := s.openTables(ctx, cfg)
	if errors.Is(err, rethink.ErrUnprepared) {
		r.Missing = append(r.Missing, "tables and indexes ("+strings.TrimPrefix(err.Error(), rethink.ErrUnprepared.Error()+": ")+")")
		r.steps(migrations())
		return nil
	}
	if err != nil {
		return err
	}
	r.Old = oldIndexes(st)
	m := newMigrator(st, migrations(), log)
	have, _, err := m.read(ctx)
	if err != nil {
		return err
	}
	r.From = have.Version
	r.steps(m.pending(have.Version))
	if err := m.look(have); errors.Is(err, ErrNewerSchema) {
		return err
	}
	return nil
}

func (r *MigrateReport) steps(pending []Migration) {
	r.Steps = nil
	for _, step := range pending {
		r.Steps = append(r.Steps, fmt.Sprintf("%d: %s", step.Version, step.Name))
	}
}
