package services

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/transfer"
	"github.com/tuttihq/tutti/subjects"
)

// ImportOptions say what is imported.
type ImportOptions struct {
	// From is the directory or file that Export wrote.
	From string
	// DocumentsOnly leaves out the logs that an export has: for a deployment that has lost its
	// store and not its logs.
	DocumentsOnly bool
	Progress      Progress
}

const (
	// importWrites is how many documents are written at once.
	importWrites = 32
	// importTries bounds how often a log is gone on with while NATS is unavailable.
	importTries = 5
	// leaseListening is longer than the services of a deployment are ever silent.
	leaseListening = 1200 * time.Millisecond
)

// Import writes an export into a deployment that is empty, or holds a part of this very
// export: one that was interrupted goes on where it was, and nothing is there twice. No
// service of the deployment may run. It checks the export before it writes anything, brings
// logs and documents, makes the documents that follow from the logs, has the rooms' clocks go
// on, and leaves the commands that waited. The number of partitions and shards, the kind of
// store and the release may differ from those that the export is from.
//
// Errors, with nothing changed: ErrExportDamaged, ErrExportIncomplete, ErrExportNewer,
// ErrNewerSchema, ErrRunning, and ErrNotEmpty unless somebody wrote to the deployment while it was
// imported into. ErrRebuildIncomplete comes with the report: all is
// there, but some logs cannot be folded.
func Import(ctx context.Context, cfg Config, opt ImportOptions, log *slog.Logger) (TransferReport, error) {
	in, err := transfer.Open(ctx, opt.From, func(done, total int64) { opt.Progress.tell("checking", uint64(done), uint64(total)) })
	if err != nil {
		return TransferReport{}, err
	}
	defer func() { _ = in.Close() }() // it was only read
	if v := in.Manifest().Schema; v > SchemaVersion {
		return TransferReport{}, fmt.Errorf("import: %w: the export has schema %d, this release knows %d", ErrNewerSchema, v, SchemaVersion)
	}
	s, st, err := attach(ctx, cfg, (*System).openBare, log)
	if err != nil {
		return TransferReport{}, err
	}
	m := importer{
		System: s, store: st, in: in, logged: in.Manifest().Logs && !opt.DocumentsOnly, progress: opt.Progress,
		report: TransferReport{Export: in.Manifest().ID},
	}
	err = m.run(ctx, cfg)
	return m.report, errors.Join(err, s.detach(ctx, cfg))
}

// openBare is openStore, for a store that an import may have been begun into.
func (s *System) openBare(ctx context.Context, cfg Config) (store.Store, error) {
	st, err := s.openTables(ctx, cfg)
	if err != nil {
		return nil, err
	}
	_, err = newMigrator(st, migrations(), s.log).run(ctx, cfg.AutoMigrate)
	return st, err
}

// importer reads one export.
type importer struct {
	*System
	store  store.Store
	in     *transfer.Reader
	logged bool // the logs come too
	// epoch, unless it is 0, is the least that documents get which are on the STATE stream.
	epoch    uint64
	progress Progress
	report   TransferReport
}

func (m *importer) run(ctx context.Context, cfg Config) error {
	if err := m.stopped(ctx, cfg); err != nil {
		return err
	}
	x := m.in.Manifest()
	have, at, err := readMark(ctx, m.store)
	if err != nil {
		return err
	}
	made, err := m.streams(ctx)
	if err != nil {
		return err
	}
	switch {
	case at.IsZero():
		if err := m.empty(ctx); err != nil {
			return err
		}
		if m.epoch, err = m.epochAbove(ctx); err != nil {
			return err
		}
	case !have.of(x):
		return fmt.Errorf("%w: it holds export %s, this is %s", ErrNotEmpty, have.Export, x.ID)
	case m.logged && !have.sameStreams(made):
		return have.otherStreams()
	case have.Finished:
		m.report.Finished = true
		return nil
	default:
		m.epoch = have.Epoch
	}
	begun := mark{Export: x.ID, Sum: x.Sum, Epoch: m.epoch}
	if m.logged {
		begun.Streams = made
	}
	if at, err = writeMark(ctx, m.store, begun, at); err != nil {
		return err
	}
	incomplete, err := m.bring(ctx, x)
	if err != nil {
		return err
	}
	finished := begun
	finished.Finished = true
	_, err = writeMark(ctx, m.store, finished, at)
	return errors.Join(incomplete, err)
}

// bring does the work. Each part finds out what is there already. incomplete is
// ErrRebuildIncomplete, if it is not nil.
func (m *importer) bring(ctx context.Context, x transfer.Manifest) (incomplete, err error) {
	if m.logged {
		if err := m.forgetSnapshots(ctx); err != nil {
			return nil, fmt.Errorf("import: old snapshots: %w", err)
		}
	}
	if err := m.logs(ctx, x); err != nil {
		return nil, err
	}
	for _, member := range x.Members {
		if member.Kind != kindDocuments {
			continue
		}
		if err := m.documents(ctx, member); err != nil {
			return nil, fmt.Errorf("import of %s: %w", member.Of, err)
		}
	}
	for _, r := range restatedTables() {
		if err := m.retract(ctx, r); err != nil {
			return nil, err
		}
	}
	for _, step := range newMigrator(m.store, migrations(), m.log).pending(x.Schema) {
		if err := step.Run(ctx, m.store); err != nil {
			return nil, fmt.Errorf("import: migration %d (%s): %w", step.Version, step.Name, err)
		}
	}
	m.report.Rebuilt, err = m.rebuild(ctx, m.store, false, func(done, total uint64) { m.progress.tell("folding the logs", done, total) })
	if errors.Is(err, ErrRebuildIncomplete) {
		incomplete, err = err, nil
	}
	if err != nil {
		return nil, err
	}
	if err := m.clocks(ctx); err != nil {
		return nil, fmt.Errorf("import: the rooms' clocks: %w", err)
	}
	return incomplete, m.commands(ctx, x)
}

// documents writes a table. What is stale is there already.
func (m *importer) documents(ctx context.Context, member transfer.Member) error {
	var there, n atomic.Uint64
	raise := isRestated(member.Of)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(importWrites)
	for line, err := range m.in.Records(member) {
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		if ctx.Err() != nil {
			break // Wait tells why
		}
		var doc store.Document
		if err := json.Unmarshal(line, &doc); err != nil {
			return errors.Join(fmt.Errorf("%w: a document: %w", ErrExportDamaged, err), g.Wait())
		}
		if raise {
			doc.Version.Epoch = max(doc.Version.Epoch, m.epoch)
		}
		g.Go(func() error {
			err := m.store.Put(ctx, member.Of, doc)
			if errors.Is(err, store.ErrStale) {
				there.Add(1)
				err = m.sameDocument(ctx, member.Of, doc)
			}
			if done := n.Add(1); done%500 == 0 || done == member.Records {
				m.progress.tell(member.Of, done, member.Records)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	m.report.Documents += n.Load()
	m.report.There += there.Load()
	return nil
}

// sameDocument refuses a document that is there in place of one of the export's: somebody else
// has written it. What a migration has made of one, in an import that was interrupted, is newer.
func (m *importer) sameDocument(ctx context.Context, table string, want store.Document) error {
	if table == tableKeys {
		return nil // the deployment's own
	}
	have, err := m.store.Get(ctx, table, want.ID)
	if err != nil && !(errors.Is(err, store.ErrNotFound) && have.Deleted) {
		return err
	}
	same := have.Version == want.Version && have.Deleted == want.Deleted
	if same && !have.Deleted {
		was, err := subjects.Canonical(have.Body)
		if err != nil {
			return err
		}
		is, err := subjects.Canonical(want.Body)
		if err != nil {
			return fmt.Errorf("%w: %s %s: %w", ErrExportDamaged, table, want.ID, err)
		}
		same = bytes.Equal(was, is)
	}
	if same || have.Version.Newer(want.Version) && m.in.Manifest().Schema < SchemaVersion {
		return nil
	}
	return fmt.Errorf("%w: document %q of table %s is not that of this export", ErrNotEmpty, want.ID, table)
}

// commands leaves what waited to be carried out. One that was left before is the same
// command: it takes effect once.
func (m *importer) commands(ctx context.Context, x transfer.Manifest) error {
	for _, member := range x.Members {
		if member.Kind != kindCommands || !m.logged {
			continue
		}
		for line, err := range m.in.Records(member) {
			if err != nil {
				return err
			}
			var w waiting
			if err := json.Unmarshal(line, &w); err != nil {
				return fmt.Errorf("%w: a command: %w", ErrExportDamaged, err)
			}
			env, err := subjects.DecodeEnvelope(w.Envelope)
			if err != nil {
				m.log.Warn("a command that waited is not moved: nobody could carry it out", "service", w.Service, "verb", w.Verb, "err", err)
				continue
			}
			to := subjects.Command{Service: w.Service, ID: w.ID, Verb: w.Verb, Principal: w.Principal}
			if err := m.bus.Send(ctx, to, env); err != nil && !errors.Is(err, subjects.ErrBadSubject) {
				return fmt.Errorf("import of commands: %w", err)
			}
			m.report.Commands++
		}
	}
	return nil
}

// transient reports whether an error is one that another try may mend.
func transient(err error) bool {
	return errors.Is(err, bus.ErrUnavailable) || errors.Is(err, bus.ErrFenced) || errors.Is(err, store.ErrUnavailable)
}
