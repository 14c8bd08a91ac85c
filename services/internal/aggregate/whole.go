package aggregate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// The old part of a log may have been moved to the archive, before a reading or in the middle
// of it: what is left in the stream is an end of the log that holds its last entry at least.
// Revisions have no gaps, and so show where something is missing.

// thread is how far the log of one aggregate was given.
type thread struct {
	// seq is the last sequence that was given, or that was not asked for.
	seq uint64
	// rev is the revision of the last commit up to there, if known.
	rev   uint64
	known bool
}

// from gives the thread of a reading that begins at a sequence.
func from(seq uint64) thread {
	if seq <= 1 {
		return thread{known: true}
	}
	return thread{seq: seq - 1}
}

// follows reports whether e is what comes next in the log. What is no commit is not known to.
func (t *thread) follows(e Entry) bool {
	if e.Seq == t.seq+1 {
		return true
	}
	c, err := placeOf(e.Data)
	return err == nil && t.known && c.Rev == t.rev+1
}

func (t *thread) note(e Entry) {
	t.seq = e.Seq
	if c, err := placeOf(e.Data); err == nil {
		t.rev, t.known = c.Rev, true
	}
}

// stop is an error of who is read to.
type stop struct{ err error }

func (s stop) Error() string { return s.err.Error() }

// give gives an entry of the stream, after what the archive holds between it and the one
// before. ErrBrokenLog if a revision is missing then: the entry was not given. An error of f is
// a stop.
func (j *jetStream) give(ctx context.Context, id string, t *thread, e Entry, f func(Entry) error) error {
	if !t.follows(e) {
		err := j.archived(ctx, id, t.seq, func(old archivedEntry) error {
			if old.Seq <= t.seq || old.Seq >= e.Seq {
				return nil
			}
			t.note(old.Entry)
			if err := f(old.Entry); err != nil {
				return stop{err}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if c, err := placeOf(e.Data); err == nil && t.known && !t.follows(e) {
			return fmt.Errorf("%w: %s: revision %d at sequence %d follows %d at %d, and the archive holds none between",
				ErrBrokenLog, id, c.Rev, e.Seq, t.rev, t.seq)
		}
	}
	t.note(e)
	if err := f(e); err != nil {
		return stop{err}
	}
	return nil
}

func (j *jetStream) Read(ctx context.Context, id string, seq uint64, f func(Entry) error) error {
	t := from(seq)
	// It begins with the entry before, if the caller knows of one: as long as that is there,
	// so is what comes after it.
	err := j.bus.Read(ctx, j.stream(id), j.log.Subject(id), max(seq, 2)-1, func(e bus.Entry) error {
		entry := Entry{Seq: e.Seq, Data: e.Data}
		if e.Seq < seq {
			t.note(entry)
			return nil
		}
		return j.give(ctx, id, &t, entry, f)
	})
	return stopped(err)
}

// stopped gives the caller's own error, or what the bus says in the terms of a Journal.
func stopped(err error) error {
	var s stop
	if errors.As(err, &s) {
		return s.err
	}
	if errors.Is(err, ErrUnavailable) || errors.Is(err, ErrBrokenLog) {
		return err
	}
	return translate(err)
}

// archived calls f with what the archive holds of id's log, in order, unless it ends at or
// before a sequence.
func (j *jetStream) archived(ctx context.Context, id string, after uint64, f func(archivedEntry) error) error {
	stream, subject := subjects.StreamArchive(j.log.Service), subjects.Archived(j.log.Service, id)
	last, err := archiveEnd(ctx, j.bus, stream, subject)
	if err != nil || last.to <= after {
		return err
	}
	var to uint64
	err = j.bus.Read(ctx, stream, subject, 1, func(e bus.Entry) error {
		p, err := decodePack(e.Data)
		if err != nil {
			return fmt.Errorf("%w: the archive of %s at sequence %d: %w", ErrBrokenLog, id, e.Seq, err)
		}
		for _, old := range p {
			if err := f(old); err != nil {
				return err
			}
			to = old.Seq
		}
		return nil
	})
	if err != nil {
		return err
	}
	if to < last.to {
		return fmt.Errorf("%w: the archive of %s was read to %d, it goes to %d", ErrUnavailable, id, to, last.to)
	}
	return nil
}

// end is where the archive of an aggregate's log ends.
type end struct {
	// seq is that of the last pack in the archive's stream, to and rev those of the last entry
	// in it. All are 0 if nothing is archived.
	seq, to, rev uint64
	// pack is the last one.
	pack bus.Entry
}

// archiveEnd asks the archive's leader.
func archiveEnd(ctx context.Context, b *bus.Bus, stream, subject string) (end, error) {
	e, err := b.Head(ctx, stream, subject)
	switch {
	case errors.Is(err, bus.ErrNoMessage), errors.Is(err, bus.ErrNoStream):
		return end{}, nil
	case err != nil:
		return end{}, translate(err)
	}
	p, err := decodePack(e.Data)
	if err != nil {
		return end{}, fmt.Errorf("%w: the end of the archive %s: %w", ErrBrokenLog, subject, err)
	}
	out := end{seq: e.Seq, pack: e}
	for _, old := range p {
		out.to = old.Seq
		if c, err := placeOf(old.Data); err == nil {
			out.rev = c.Rev
		}
	}
	return out, nil
}

// ReadAll calls f for every entry of the logs of all aggregates of a service that there is when
// it is called, the archived ones among them. The entries of one aggregate come in order,
// whatever is archived meanwhile; those of different ones come in no order. It stops at f's first
// error and returns it; other errors wrap ErrUnavailable, or ErrBrokenLog if some log lacks
// revisions: it tells so at the end, having given all there is. It keeps some 100 bytes in memory
// for each aggregate.
func ReadAll(ctx context.Context, b *bus.Bus, service string, f func(id string, e Entry) error) error {
	j := &jetStream{bus: b, log: b.Log(service)}
	streams := j.log.Streams()
	ends := make([]uint64, len(streams))
	for shard, stream := range streams {
		var err error
		if ends[shard], err = streamEnd(ctx, b, stream, j.log.Wildcard(shard)); err != nil {
			return err
		}
	}
	var broken error
	for shard, stream := range streams {
		lacks, err := j.readShard(ctx, stream, j.log.Wildcard(shard), ends[shard], f)
		if err != nil {
			return err
		}
		if broken == nil {
			broken = lacks
		}
	}
	return broken
}

// streamEnd asks a stream's leader for the sequence of its last message; 0 if there is none.
// What comes last of all is never purged, so who has not read up to there, or beyond, was
// answered by a replica that lags.
func streamEnd(ctx context.Context, b *bus.Bus, stream, wildcard string) (uint64, error) {
	e, err := b.Head(ctx, stream, ">") // which the server has at hand
	if errors.Is(err, bus.ErrNoMessage) {
		e, err = b.Head(ctx, stream, wildcard) // somebody has deleted the last one
	}
	if errors.Is(err, bus.ErrNoMessage) {
		return 0, nil
	}
	return e.Seq, translate(err)
}

// readShard reads a stream up to an end that its leader named. broken is the first log in it
// that lacks revisions.
func (j *jetStream) readShard(ctx context.Context, stream, wildcard string, end uint64, f func(id string, e Entry) error) (broken, err error) {
	threads := map[string]*thread{}
	at := uint64(0)
	for try := 0; at < end; try++ {
		if try == readTries {
			return broken, fmt.Errorf("%w: %s was read to %d, and goes to %d", ErrUnavailable, stream, at, end)
		}
		if try > 0 {
			pause(ctx, readPause<<try)
		}
		err := j.bus.Read(ctx, stream, wildcard, at+1, func(e bus.Entry) error {
			if e.Seq > end {
				return errFarEnough
			}
			at = e.Seq
			_, id, err := subjects.ParseEvents(e.Subject)
			if err != nil {
				return nil //nolint:nilerr // not an aggregate's: nobody reads it
			}
			t := threads[id]
			if t == nil {
				t = &thread{known: true}
				threads[id] = t
			}
			entry, give := Entry{Seq: e.Seq, Data: e.Data}, func(e Entry) error { return f(id, e) }
			err = j.give(ctx, id, t, entry, give)
			var s stop
			if errors.As(err, &s) || !errors.Is(err, ErrBrokenLog) {
				return err
			}
			if broken == nil {
				broken = err
			}
			t.note(entry)
			if err := f(id, entry); err != nil {
				return stop{err}
			}
			return nil
		})
		if errors.Is(err, errFarEnough) {
			return broken, nil
		}
		if err != nil {
			return broken, stopped(err)
		}
	}
	return broken, nil
}

// A replica that lags is asked so often, with growing pauses: 6 s in all.
const (
	readTries = 7
	readPause = 50 * time.Millisecond
)
