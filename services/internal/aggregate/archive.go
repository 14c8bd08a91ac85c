package aggregate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// ArchiveOptions tune Archive. The zero value means the defaults.
type ArchiveOptions struct {
	// Idle is for how long an aggregate must have had no commit. Default 30 days; below zero,
	// none.
	Idle time.Duration
	// Settle is how old a copy must be before what was copied is purged: longer than the server
	// takes to write it to disk for sure (sync_interval, two minutes unless set otherwise), so
	// that a power cut cannot take both. Default 5 minutes; below zero, none.
	Settle time.Duration
	// NoWait leaves to the next run what was copied in this one, instead of waiting for Settle.
	NoWait bool
	// Now is the log's clock. Default: the bus's, or this machine's.
	Now func() time.Time
	// Phase hears what is being done: "copy", "wait", "purge"; Progress how many aggregates were
	// looked at in it, from one goroutine.
	Phase    func(name string)
	Progress func(looked uint64)
	Log      *slog.Logger

	// at is called after each step on an aggregate; its error ends the run there.
	at func(step, id string) error
	// packBytes is the size of a pack at which the next one is begun.
	packBytes int
}

// ArchiveReport tells what Archive did.
type ArchiveReport struct {
	// Aggregates looked at, in the copying phase, and Idle ones among them.
	Aggregates, Idle uint64
	// Copied entries, their CopiedBytes, and Purged ones.
	Copied, CopiedBytes, Purged uint64
	// Unsettled aggregates have copies that are too young to rely on: run it again later.
	Unsettled uint64
	// Held aggregates have entries that the consumer HeldBy of their stream has yet to see.
	Held   uint64
	HeldBy string
	// Differ lists aggregates whose archive is not of the log that is there, at most 100 of
	// them; nothing was changed. DifferCount counts all.
	Differ      []string
	DifferCount uint64
}

// ErrArchiveDiffers is returned by Archive, beside the report, if the archive of some aggregate
// is not of its log.
var ErrArchiveDiffers = errors.New("aggregate: the archive is of another log")

const (
	archiveIdle    = 30 * 24 * time.Hour
	archiveSettle  = 5 * time.Minute
	archivePack    = 256 << 10
	archiveDiffers = 100
	// archiveAsk is how old what the consumers of a stream have said may be.
	archiveAsk = time.Second
	// settleMore is what a server's clock may lack to the archiver's.
	settleMore = time.Second
)

func (o ArchiveOptions) withDefaults(b *bus.Bus) ArchiveOptions {
	for _, d := range []struct {
		v   *time.Duration
		def time.Duration
	}{{&o.Idle, archiveIdle}, {&o.Settle, archiveSettle}} {
		switch {
		case *d.v == 0:
			*d.v = d.def
		case *d.v < 0:
			*d.v = 0
		}
	}
	if o.Now == nil {
		o.Now = time.Now
		if c := b.Clock(); c != nil {
			o.Now = c.Now
		}
	}
	if o.Phase == nil {
		o.Phase = func(string) {}
	}
	if o.Progress == nil {
		o.Progress = func(uint64) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.at == nil {
		o.at = func(string, string) error { return nil }
	}
	if o.packBytes == 0 {
		o.packBytes = archivePack
	}
	return o
}

// Archive moves what lies before the last commit of a service's idle aggregates into its archive,
// which bus.EnsureArchive has made; docs/adr/0019 tells how and why. It may run beside the
// service, and beside another Archive. One that ends in the middle, in whatever way, has harmed
// nothing, and the next one goes on where it was.
func Archive(ctx context.Context, b *bus.Bus, service string, opt ArchiveOptions) (ArchiveReport, error) {
	a := &archiver{bus: b, log: b.Log(service), opt: opt.withDefaults(b)}
	a.stream = subjects.StreamArchive(service)
	err := a.run(ctx)
	slices.Sort(a.report.Differ)
	if err != nil {
		return a.report, fmt.Errorf("aggregate: archive of %s: %w", service, err)
	}
	if a.report.DifferCount > 0 {
		return a.report, fmt.Errorf("%w: %d of %s", ErrArchiveDiffers, a.report.DifferCount, service)
	}
	return a.report, nil
}

type archiver struct {
	bus    *bus.Bus
	log    subjects.Log
	stream string // of the archive
	opt    ArchiveOptions
	report ArchiveReport

	// acknowledged is how far the stream's consumers are, lastBy the last of them, as of asked.
	acknowledged uint64
	lastBy       string
	asked        time.Time
}

// source is the log of one aggregate as the stream has it.
type source struct {
	id, stream, subject string
	// head is its last entry, and upTo the sequence up to which it may be archived, and purged.
	head Entry
	upTo uint64
}

func (a *archiver) run(ctx context.Context) error {
	a.opt.Phase("copy")
	if err := a.each(ctx, a.copy); err != nil {
		return err
	}
	if err := a.purgeAll(ctx); err != nil || a.report.Unsettled == 0 || a.opt.NoWait {
		return err
	}
	a.opt.Phase("wait")
	if pause(ctx, a.opt.Settle+2*settleMore); ctx.Err() != nil {
		return ctx.Err()
	}
	return a.purgeAll(ctx)
}

// purgeAll purges what is copied, if it is kept as well there.
func (a *archiver) purgeAll(ctx context.Context) error {
	a.opt.Phase("purge")
	if err := a.bus.ArchiveKept(ctx, a.log.Service); err != nil {
		return fmt.Errorf("nothing is purged: %w", err)
	}
	return a.each(ctx, a.purge)
}

// ask asks the consumers of a stream how far they are.
func (a *archiver) ask(ctx context.Context, stream string) (err error) {
	a.acknowledged, a.lastBy, err = a.bus.Acknowledged(ctx, stream)
	a.asked = time.Now()
	return err
}

// each calls f with the idle aggregates.
func (a *archiver) each(ctx context.Context, f func(context.Context, source) error) error {
	a.report.Aggregates, a.report.Idle, a.report.Unsettled, a.report.Held, a.report.HeldBy = 0, 0, 0, 0, ""
	for shard, stream := range a.log.Streams() {
		if err := a.ask(ctx, stream); err != nil {
			return err
		}
		err := a.bus.EachLast(ctx, stream, a.log.Wildcard(shard), func(e bus.Entry) error {
			_, id, err := subjects.ParseEvents(e.Subject)
			if err != nil {
				return nil //nolint:nilerr // not an aggregate's: nobody reads it
			}
			a.report.Aggregates++
			a.opt.Progress(a.report.Aggregates)
			if a.opt.Now().Sub(lastAt(e)) < a.opt.Idle {
				return nil
			}
			a.report.Idle++
			// One may have been made, or sent back, since.
			if time.Since(a.asked) > archiveAsk {
				if err := a.ask(ctx, stream); err != nil {
					return err
				}
			}
			s := source{id: id, stream: stream, subject: e.Subject, head: Entry{Seq: e.Seq, Data: e.Data}, upTo: e.Seq - 1}
			if s.upTo > a.acknowledged {
				a.report.Held++
				a.report.HeldBy = stream + "/" + a.lastBy
				s.upTo = a.acknowledged
			}
			err = f(ctx, s)
			if errors.Is(err, ErrArchiveDiffers) {
				a.differs(id, err)
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// lastAt is when a commit happened; for what is none, when it was stored.
func lastAt(e bus.Entry) time.Time {
	if c, err := placeOf(e.Data); err == nil && c.At > 0 {
		return time.UnixMilli(c.At)
	}
	return e.Time
}

func (a *archiver) differs(id string, err error) {
	a.opt.Log.Error("archive and log disagree; nothing is changed", "service", a.log.Service, "id", id, "err", err)
	if slices.Contains(a.report.Differ, id) {
		return // the other phase has said so
	}
	a.report.DifferCount++
	if len(a.report.Differ) < archiveDiffers {
		a.report.Differ = append(a.report.Differ, id)
	}
}

// copy appends to the archive what it lacks of a log.
func (a *archiver) copy(ctx context.Context, s source) error {
	if c, err := placeOf(s.head.Data); err == nil && c.Rev <= 1 {
		return nil // there is nothing before it: most are like this
	}
	at, err := archiveEnd(ctx, a.bus, a.stream, subjects.Archived(a.log.Service, s.id))
	if err != nil || at.to == s.upTo {
		return err
	}
	if _, err := a.same(ctx, s, at, at.to); err != nil {
		return err
	}
	var pack []byte
	flush := func() error {
		if len(pack) == 0 {
			return nil
		}
		seq, err := a.bus.Append(ctx, subjects.Archived(a.log.Service, s.id), pack, at.seq)
		if err != nil {
			return err
		}
		a.report.CopiedBytes += uint64(len(pack))
		at.seq, pack = seq, nil
		return a.opt.at("copied", s.id)
	}
	first := true
	err = a.bus.Read(ctx, s.stream, s.subject, at.to+1, func(e bus.Entry) error {
		if e.Seq > s.upTo {
			return errFarEnough
		}
		if c, err := placeOf(e.Data); first && err == nil && c.Rev != at.rev+1 {
			return fmt.Errorf("%w: revision %d at sequence %d follows %d", ErrArchiveDiffers, c.Rev, e.Seq, at.rev)
		}
		first = false
		if len(pack) > 0 && len(pack)+len(e.Data)+packEntryMost > a.opt.packBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		pack = appendPacked(pack, archivedEntry{Entry{Seq: e.Seq, Data: e.Data}, e.Time})
		a.report.Copied++
		return nil
	})
	if err == nil || errors.Is(err, errFarEnough) {
		err = flush()
	}
	if errors.Is(err, bus.ErrFenced) {
		return nil // another archiver is at it
	}
	return err
}

// purge deletes from the stream what the archive holds for sure, and all consumers have seen.
func (a *archiver) purge(ctx context.Context, s source) error {
	if c, err := placeOf(s.head.Data); err == nil && c.Rev <= 1 {
		return nil
	}
	at, err := archiveEnd(ctx, a.bus, a.stream, subjects.Archived(a.log.Service, s.id))
	if err != nil || at.to == 0 {
		return err
	}
	if a.opt.Settle > 0 && a.opt.Now().Sub(at.pack.Time) < a.opt.Settle+settleMore {
		a.report.Unsettled++ // it may have been purged before, but nobody looks now
		return nil
	}
	to := min(at.to, s.upTo)
	n, err := a.same(ctx, s, at, to)
	if err != nil || n == 0 {
		return err
	}
	if err := a.opt.at("verified", s.id); err != nil {
		return err
	}
	if err := a.bus.Purge(ctx, s.stream, s.subject, to+1); err != nil {
		return err
	}
	a.report.Purged += n
	return a.opt.at("purged", s.id)
}

// digest is an entry of the stream, to be found in the archive.
type digest struct {
	seq uint64
	sum [sha256.Size]byte
}

// same compares what the stream still has of the archived part of a log with the archive, up to
// a sequence, and counts it: from the first entry there on, both must hold the same.
func (a *archiver) same(ctx context.Context, s source, at end, to uint64) (n uint64, err error) {
	if to == 0 {
		return 0, nil
	}
	if at.to >= s.head.Seq {
		head, err := a.bus.Head(ctx, s.stream, s.subject)
		if err != nil {
			return 0, err
		}
		if head.Seq > s.head.Seq {
			return 0, nil // it has grown since it was looked at, and another archiver was at it
		}
		return 0, fmt.Errorf("%w: it goes to %d, the log to %d", ErrArchiveDiffers, at.to, s.head.Seq)
	}
	var have []digest // 40 bytes an entry
	err = a.bus.Read(ctx, s.stream, s.subject, 1, func(e bus.Entry) error {
		if e.Seq > to {
			return errFarEnough
		}
		have = append(have, digest{e.Seq, sha256.Sum256(e.Data)})
		return nil
	})
	if err == nil { // the head at least comes after what is archived
		err = fmt.Errorf("%w: the replica that answers for %s lacks its end", ErrUnavailable, s.subject)
	}
	if !errors.Is(err, errFarEnough) {
		return 0, err
	}
	if len(have) == 0 {
		return 0, nil
	}
	i := 0
	j := &jetStream{bus: a.bus, log: a.log}
	err = j.archived(ctx, s.id, 0, func(e archivedEntry) error {
		if e.Seq < have[0].seq || e.Seq > to {
			return nil
		}
		if i == len(have) || have[i].seq != e.Seq {
			return fmt.Errorf("%w: the log has no entry at sequence %d", ErrArchiveDiffers, e.Seq)
		}
		if sum := sha256.Sum256(e.Data); !bytes.Equal(sum[:], have[i].sum[:]) {
			return fmt.Errorf("%w: at sequence %d", ErrArchiveDiffers, e.Seq)
		}
		i++
		return nil
	})
	if err == nil && i < len(have) {
		err = fmt.Errorf("%w: it lacks sequence %d", ErrArchiveDiffers, have[i].seq)
	}
	return uint64(len(have)), err
}
