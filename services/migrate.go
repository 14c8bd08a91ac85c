package services

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// SchemaVersion is the version of the stored documents that this release reads and writes:
// that of the last of its migrations.
const SchemaVersion = 1

var (
	// ErrNewerSchema is returned when a newer release has migrated the store: this one might
	// misread what it finds. Nothing was changed.
	ErrNewerSchema = errors.New("the store was migrated by a newer release")
	// ErrNotMigrated is returned when the store is not migrated to this release's schema and
	// this process was told not to do that (auto_migrate).
	ErrNotMigrated = errors.New("the store is not migrated")
)

// Migration is one step from a version of the stored documents to the next.
type Migration struct {
	// Version that the documents have once it is done; each is one above the one before.
	Version int
	// Name says what it does, for the log and for operators.
	Name string
	// Run does it. A process may be killed in the middle: then it runs again, over what was
	// done already, so it must look at what it finds. Documents that follow from the log need
	// none: their fold's version rises, or they are rebuilt.
	Run func(ctx context.Context, st store.Store) error
}

// migrations lists every step, the oldest first. A new one goes to the end and raises
// SchemaVersion; a released one never changes.
func migrations() []Migration {
	return []Migration{
		{Version: 1, Name: "the tables as they are when they are made", Run: func(context.Context, store.Store) error { return nil }},
	}
}

const (
	// tableMeta holds what a deployment knows of its store itself.
	tableMeta = "tutti_meta"
	// schemaID is the document with the schema's version.
	schemaID = "schema"
	// claimLife is how long a migrating process may be silent before another takes over, and
	// claimRenew how often it says that it is still there.
	claimLife  = 10 * time.Second
	claimRenew = claimLife / 4
	// claimPoll is how often one that waits looks.
	claimPoll = 250 * time.Millisecond
)

// metaTables lists the tables of the store itself.
func metaTables() []store.Table { return []store.Table{{Name: tableMeta, Durability: store.Hard}} }

// schema is the body of the document with the schema's version.
type schema struct {
	Version int `json:"version"`
	// Claim names the process that is migrating, empty if none is.
	Claim string `json:"claim,omitempty"`
}

// checkSchema brings the store to this release's schema, or with auto unset only looks:
// ErrNewerSchema, ErrNotMigrated, or what the store says.
func checkSchema(ctx context.Context, st store.Store, auto bool) error {
	return migrate(ctx, st, auto, slog.New(slog.DiscardHandler))
}

// migrate is checkSchema with a log of what is done. ErrHalfImported: an import into the store
// was begun and not finished. Of processes that migrate at once one
// does it and the others wait; if that one dies, another takes over after claimLife.
func migrate(ctx context.Context, st store.Store, auto bool, log *slog.Logger) error {
	if _, err := newMigrator(st, migrations(), log).run(ctx, auto); err != nil {
		return err
	}
	return checkImported(ctx, st)
}

// migrator runs migrations against a store.
type migrator struct {
	store store.Store
	steps []Migration
	self  string
	log   *slog.Logger
	// done hears of each step that was done here, if it is set.
	done func(Migration)
}

func newMigrator(st store.Store, steps []Migration, log *slog.Logger) *migrator {
	return &migrator{store: st, steps: steps, self: subjects.NewID("node", time.Now()), log: log}
}

// latest is the version that the steps lead to.
func (m *migrator) latest() int {
	if len(m.steps) == 0 {
		return 0
	}
	return m.steps[len(m.steps)-1].Version
}

// pending gives the steps that a version lacks.
func (m *migrator) pending(version int) []Migration {
	for i, s := range m.steps {
		if s.Version > version {
			return m.steps[i:]
		}
	}
	return nil
}

// read gives the stored schema; version 0 if there is none.
func (m *migrator) read(ctx context.Context) (schema, store.Version, error) {
	doc, err := m.store.Get(ctx, tableMeta, schemaID)
	if errors.Is(err, store.ErrNotFound) {
		return schema{}, doc.Version, nil
	}
	if err != nil {
		return schema{}, store.Version{}, fmt.Errorf("schema: %w", err)
	}
	var s schema
	if err := doc.Decode(&s); err != nil {
		return schema{}, store.Version{}, err
	}
	return s, doc.Version, nil
}

// write replaces the schema that was read at a version: store.ErrStale if somebody else has.
func (m *migrator) write(ctx context.Context, s schema, over store.Version) (store.Version, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return over, fmt.Errorf("schema: %w", err)
	}
	if err := m.store.Put(ctx, tableMeta, store.Document{ID: schemaID, Version: over.Next(), Body: body}); err != nil {
		return over, fmt.Errorf("schema: %w", err)
	}
	return over.Next(), nil
}

// look gives the stored version and an error if this release cannot use it as it is.
func (m *migrator) look(s schema) error {
	switch {
	case s.Version > m.latest():
		return fmt.Errorf("%w: its schema has version %d, this release knows %d", ErrNewerSchema, s.Version, m.latest())
	case s.Version < m.latest():
		return fmt.Errorf("%w: its schema has version %d, this release needs %d", ErrNotMigrated, s.Version, m.latest())
	}
	return nil
}

// run brings the store to the latest version, or only looks, and gives the version that it
// found.
func (m *migrator) run(ctx context.Context, auto bool) (found int, err error) {
	first := true
	var seen store.Version // of another's claim
	var since time.Time
	for {
		s, at, err := m.read(ctx)
		if err != nil {
			return found, err
		}
		if first {
			found, first = s.Version, false
		}
		if err := m.look(s); err == nil || !auto || errors.Is(err, ErrNewerSchema) {
			return found, err
		}
		if s.Claim != "" && s.Claim != m.self {
			// A claim that is renewed shows by its version, whatever the clocks say.
			if seen != at {
				seen, since = at, time.Now()
				m.log.Info("another process migrates the store; waiting for it")
			}
			if time.Since(since) < claimLife {
				if err := wait(ctx, claimPoll); err != nil {
					return found, err
				}
				continue
			}
			m.log.Warn("the process that migrated the store is silent; taking over")
		}
		s.Claim = m.self
		at, err = m.write(ctx, s, at)
		if err == nil {
			err = m.carryOut(ctx, s, at)
		}
		if !errors.Is(err, store.ErrStale) {
			return found, err
		}
		// Somebody else was quicker: look again.
	}
}

// carryOut runs what is pending under the claim that was written at a version, and gives it
// up. store.ErrStale: the claim was lost to another.
func (m *migrator) carryOut(ctx context.Context, s schema, at store.Version) error {
	for _, step := range m.pending(s.Version) {
		m.log.Info("migrating the store", "version", step.Version, "step", step.Name)
		var err error
		if at, err = m.claimed(ctx, s, at, step); err != nil {
			return m.giveUp(ctx, s, at, err)
		}
		s.Version = step.Version
		if step.Version == m.latest() {
			s.Claim = ""
		}
		if at, err = m.write(ctx, s, at); err != nil {
			return err
		}
		if m.done != nil {
			m.done(step)
		}
	}
	return nil
}

// giveUp lets go of the claim after an error, so that the next try need not wait for it.
func (m *migrator) giveUp(ctx context.Context, s schema, at store.Version, err error) error {
	if errors.Is(err, store.ErrStale) {
		return err
	}
	s.Claim = ""
	_, rerr := m.write(context.WithoutCancel(ctx), s, at)
	if errors.Is(rerr, store.ErrStale) {
		rerr = nil // somebody has it already
	}
	return errors.Join(err, rerr)
}

// claimed runs a step and renews the claim meanwhile; the step's context ends when the claim
// is lost.
func (m *migrator) claimed(ctx context.Context, s schema, at store.Version, step Migration) (store.Version, error) {
	work, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		t := time.NewTicker(claimRenew)
		defer t.Stop()
		for {
			select {
			case <-done:
				return
			case <-work.Done():
				return
			case <-t.C:
			}
			// One that fails for another reason is tried again; the final write tells whether
			// the claim held.
			renewed, err := m.write(work, s, at)
			if errors.Is(err, store.ErrStale) {
				cancel(err)
				return
			}
			at = renewed
		}
	})
	err := step.Run(work, m.store)
	close(done)
	wg.Wait()
	if lost := context.Cause(work); lost != nil && errors.Is(lost, store.ErrStale) {
		return at, lost
	}
	if err != nil {
		return at, fmt.Errorf("migration %d (%s): %w", step.Version, step.Name, err)
	}
	return at, nil
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
