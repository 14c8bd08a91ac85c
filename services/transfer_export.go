package services

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/transfer"
	"github.com/tuttihq/tutti/subjects"
)

// ExportOptions say what is exported and where to.
type ExportOptions struct {
	// To is a directory, or a file if it ends with .tar. Nothing may be there yet.
	To string
	// DocumentsOnly leaves the logs out: what is left is what a deployment cannot make anew
	// from its logs.
	DocumentsOnly bool
	Progress      Progress
}

// TransferReport tells what an export holds, or what an import did.
type TransferReport struct {
	// Export names the export.
	Export string
	// Commits of all logs, Documents, and Commands that waited.
	Commits, Documents, Commands uint64
	// There is how many of the commits and documents an import found in place already.
	There uint64
	// Woken is how many rooms an import set the clock for.
	Woken uint64
	// Rebuilt tells of the documents that an import made from the logs.
	Rebuilt RebuildReport
	// Finished is set if an import found that it had been finished before.
	Finished bool
}

const (
	// exportReads bounds how often the tail of a stream is asked for, and feedTries how often
	// a table is read that is written so fast that its feed is lost.
	exportReads = 5
	feedTries   = 5
)

// Export writes a deployment's data to files, readable by their owner alone: they hold
// password hashes and everything private. It changes nothing there, and the services may
// run. Of the logs it holds what was there when it began, and everything that was known by
// then of commands that were still waiting; documents are as of when they were read, so at
// least as new.
func Export(ctx context.Context, cfg Config, opt ExportOptions, log *slog.Logger) (TransferReport, error) {
	if err := cfg.mustExist("export"); err != nil {
		return TransferReport{}, err
	}
	cfg.AutoMigrate = cfg.AutoMigrate && cfg.NATS.URL == "" // what others share is only read
	s, st, err := attach(ctx, cfg, (*System).openStore, log)
	if err != nil {
		return TransferReport{}, err
	}
	report, err := s.export(ctx, st, opt)
	return report, errors.Join(err, s.detach(ctx, cfg))
}

func (s *System) export(ctx context.Context, st store.Store, opt ExportOptions) (TransferReport, error) {
	made := s.bus.Clock().Now()
	w, err := transfer.Create(opt.To)
	if err != nil {
		return TransferReport{}, err
	}
	x := exporter{System: s, store: st, out: w, progress: opt.Progress}
	if err := x.write(ctx, !opt.DocumentsOnly); err != nil {
		return TransferReport{}, errors.Join(err, w.Abort())
	}
	m, err := w.Finish(transfer.Manifest{
		ID: subjects.NewID("export", made), Made: made.UTC().Truncate(time.Millisecond), By: release(),
		Schema: SchemaVersion, Logs: !opt.DocumentsOnly,
	})
	if err != nil {
		return TransferReport{}, errors.Join(err, w.Abort())
	}
	x.report.Export = m.ID
	return x.report, nil
}

// release names this program's version.
func release() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}

// exporter writes one export.
type exporter struct {
	*System
	store    store.Store
	out      *transfer.Writer
	progress Progress
	report   TransferReport
}

// reading is a stream of a log and what was known of it when the export began.
type reading struct {
	log     subjects.Log
	shard   int
	end     uint64            // the last sequence
	readers map[string]uint64 // up to which sequence each has dealt with it
}

// write writes all members. The order is what makes the export of a running deployment whole:
// what a reader of a log had dealt with by then shows in the commands that wait after that, or
// in the logs, whose ends are noted last; and who did something that is in the logs is among
// the documents.
func (x *exporter) write(ctx context.Context, logs bool) error {
	if logs {
		var all []reading
		for _, service := range logKeepers() {
			l := x.bus.Log(service)
			for shard, stream := range l.Streams() {
				readers, err := x.bus.Readers(ctx, stream)
				if err != nil {
					return err
				}
				all = append(all, reading{log: l, shard: shard, readers: readers})
			}
		}
		if err := x.commands(ctx); err != nil {
			return err
		}
		for i := range all {
			state, err := x.bus.StreamState(ctx, all[i].log.Stream(all[i].shard))
			if err != nil {
				return err
			}
			all[i].end = state.LastSeq
		}
		for _, r := range all {
			if err := x.stream(ctx, r); err != nil {
				return err
			}
		}
	}
	for _, t := range moved() {
		if err := x.table(ctx, t.Name); err != nil {
			return err
		}
	}
	return nil
}

// commands writes what waits to be carried out, but for wakes: they are made again.
func (x *exporter) commands(ctx context.Context) error {
	r, err := x.out.Begin(transfer.Member{Name: "commands.jsonl.gz", Kind: kindCommands})
	if err != nil {
		return err
	}
	err = x.bus.Commands(ctx, func(to subjects.Command, payload []byte) error {
		if to.Verb == subjects.VerbWake && to.Principal == subjects.System {
			return nil
		}
		if !json.Valid(payload) {
			return nil // nobody can carry it out
		}
		x.report.Commands++
		return r.Write(waiting{to.Service, to.ID, to.Verb, to.Principal, payload})
	})
	if err != nil {
		return errors.Join(err, r.Discard())
	}
	return r.Close()
}

// stream writes one stream of a log, and in its place what was moved to the archive.
func (x *exporter) stream(ctx context.Context, from reading) error {
	service := from.log.Service
	r, err := x.out.Begin(transfer.Member{
		Name: fmt.Sprintf("log-%s-%d.jsonl.gz", service, from.shard), Kind: kindLog, Of: service,
		Handled: map[string]uint64{},
	})
	if err != nil {
		return err
	}
	l := logWriter{
		out: r, from: from, journal: aggregate.NewJournal(x.bus, service), last: map[string]uint64{}, handled: map[string]uint64{},
	}
	err = l.read(ctx, x.bus, func(seq uint64) { x.progress.tell("log of "+service+"s", seq, from.end) })
	if err != nil {
		return errors.Join(fmt.Errorf("export of the log of %ss: %w", service, err), r.Discard())
	}
	x.report.Commits += l.n
	for name := range from.readers {
		r.Handle(name, l.handled[name])
	}
	return r.Close()
}

// logWriter writes one stream of a log. It remembers the last revision of each aggregate.
type logWriter struct {
	out     *transfer.Records
	from    reading
	journal aggregate.Journal
	last    map[string]uint64
	handled map[string]uint64
	n       uint64
	buf     []byte
}

// read reads up to the noted end. Any replica may answer, and one may lack the newest.
func (l *logWriter) read(ctx context.Context, b *bus.Bus, told func(seq uint64)) error {
	at, stream := uint64(0), l.from.log.Stream(l.from.shard)
	step := max(1, l.from.end/1000)
	for try := 1; at < l.from.end; try++ {
		if try > exportReads {
			return fmt.Errorf("%w: %s was read to %d, and goes to %d", bus.ErrUnavailable, stream, at, l.from.end)
		}
		if try > 1 {
			if err := wait(ctx, 100*time.Millisecond<<try); err != nil {
				return err
			}
		}
		err := b.Read(ctx, stream, l.from.log.Wildcard(l.from.shard), at+1, func(e bus.Entry) error {
			if e.Seq > l.from.end {
				return errEnd
			}
			if err := l.entry(ctx, e); err != nil {
				return err
			}
			if e.Seq/step > at/step {
				told(e.Seq)
			}
			at = e.Seq
			return nil
		})
		if errors.Is(err, errEnd) {
			break
		}
		if err != nil && !errors.Is(err, bus.ErrUnavailable) {
			return err
		}
	}
	told(l.from.end)
	return nil
}

var errEnd = errors.New("the end as it was when the export began")

// entry writes one message, and before it what the archive holds of its aggregate. ErrBrokenLog if
// a revision is in neither.
func (l *logWriter) entry(ctx context.Context, e bus.Entry) error {
	_, id, err := subjects.ParseEvents(e.Subject)
	if err != nil {
		return nil //nolint:nilerr // no reader takes it for part of a log either
	}
	c, err := subjects.DecodeCommit(e.Data)
	if err != nil {
		return l.put(id, e) // no commit, but it was stored
	}
	last := l.last[id]
	if c.Rev > last+1 {
		err := l.journal.Read(ctx, id, 1, func(old aggregate.Entry) error {
			if old.Seq >= e.Seq {
				return errEnd
			}
			was, err := subjects.DecodeCommit(old.Data)
			if err != nil || was.Rev <= last {
				return nil //nolint:nilerr // it stands in the stream too, or is written already
			}
			last = was.Rev
			return l.put(id, bus.Entry{Seq: old.Seq, Time: time.UnixMilli(was.At).UTC(), Data: old.Data})
		})
		if err != nil && !errors.Is(err, errEnd) {
			return err
		}
		if c.Rev != last+1 {
			return fmt.Errorf("%w: %s: revision %d at sequence %d follows %d", aggregate.ErrBrokenLog, id, c.Rev, e.Seq, last)
		}
	}
	l.last[id] = c.Rev
	return l.put(id, e)
}

func (l *logWriter) put(id string, e bus.Entry) (err error) {
	if l.buf, err = appendEntry(l.buf[:0], id, e); err != nil {
		return err
	}
	// A reader has dealt with the records before the first that it has yet to see.
	for name, upTo := range l.from.readers {
		if e.Seq <= upTo && l.handled[name] == l.n {
			l.handled[name]++
		}
	}
	l.n++
	return l.out.WriteRaw(l.buf)
}

// table writes a table's documents and tombstones, from the beginning if its feed is lost.
func (x *exporter) table(ctx context.Context, name string) error {
	for try := 1; ; try++ {
		n, err := x.tableOnce(ctx, name)
		if err == nil {
			x.report.Documents += n
			return nil
		}
		if try == feedTries || store.Final(err) || ctx.Err() != nil {
			return fmt.Errorf("export of %s: %w", name, err)
		}
		if err := wait(ctx, time.Second); err != nil {
			return err
		}
	}
}

func (x *exporter) tableOnce(ctx context.Context, name string) (n uint64, err error) {
	r, err := x.out.Begin(transfer.Member{
		Name: "documents-" + name + ".jsonl.gz", Kind: kindDocuments, Of: name,
	})
	if err != nil {
		return 0, err
	}
	feed, err := x.store.Changes(ctx, name)
	if err != nil {
		return 0, errors.Join(err, r.Discard())
	}
	defer func() { _ = feed.Close() }() // it was only read
	for {
		change, err := feed.Next(ctx)
		if err != nil {
			return 0, errors.Join(err, r.Discard())
		}
		if change.Kind == store.Ready {
			x.progress.tell(name, n, n)
			return n, r.Close()
		}
		if change.New == nil {
			continue
		}
		if err := r.Write(change.New); err != nil {
			return 0, errors.Join(err, r.Discard())
		}
		if n++; n%1000 == 0 {
			x.progress.tell(name, n, 0)
		}
	}
}
