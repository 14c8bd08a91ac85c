package services

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/transfer"
	"github.com/tuttihq/tutti/services/room"
	"github.com/tuttihq/tutti/subjects"
)

// logs brings the logs of all services, and has their readers go on where they were.
func (m *importer) logs(ctx context.Context, x transfer.Manifest) error {
	if !m.logged {
		return nil
	}
	for _, service := range logKeepers() {
		var members []transfer.Member
		for _, member := range x.Members {
			if member.Kind == kindLog && member.Of == service {
				members = append(members, member)
			}
		}
		var f *filling
		for try := 1; ; try++ {
			var err error
			if f, err = m.fill(ctx, service, members); err == nil {
				break
			}
			if !transient(err) || try == importTries || ctx.Err() != nil {
				return fmt.Errorf("import of the log of %ss: %w", service, err)
			}
			m.log.Warn("import waits for what is unavailable", "service", service, "err", err)
			// What was sent and not acknowledged may yet arrive.
			if err := wait(ctx, time.Second<<try); err != nil {
				return err
			}
		}
		m.report.Commits += f.n
		m.report.There += f.there
		for _, s := range f.shards {
			for name, behind := range s.readers {
				if err := m.bus.Advance(ctx, s.name, name, behind); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// filling is the log of one service on its way into the streams of this deployment. The
// streams get the records in the export's order, each those of its own aggregates: so the last
// sequence of a stream tells how many it has.
type filling struct {
	log    subjects.Log
	shards []*shard
	// n counts all records, there those that were in place.
	n, there uint64
}

// shard is one stream of it.
type shard struct {
	name string
	// had is the last sequence that was there, seq that of the present record.
	had, seq uint64
	refill   *bus.Refill
	sum      hash.Hash // of the records
	// readers tells for each reader behind which sequence it is to go on.
	readers map[string]uint64
}

// fill brings what is missing.
func (m *importer) fill(ctx context.Context, service string, members []transfer.Member) (*filling, error) {
	f := &filling{log: m.bus.Log(service)}
	states, err := m.bus.LogState(ctx, service)
	if err != nil {
		return nil, err
	}
	for _, s := range states {
		f.shards = append(f.shards, &shard{
			name: s.Name, had: s.LastSeq, refill: m.bus.Refill(s.Name, s.LastSeq), readers: map[string]uint64{}, sum: sha256.New(),
		})
	}
	var total uint64
	names := map[string]bool{}
	for _, member := range members {
		total += member.Records
		for name := range member.Handled {
			names[name] = true
		}
	}
	step := max(1, total/1000)
	for _, member := range members {
		var i uint64
		for line, err := range m.in.Records(member) {
			if err == nil {
				err = m.put(ctx, f, line, func(s *shard) {
					for name := range names {
						if _, stops := s.readers[name]; !stops && i >= member.Handled[name] {
							s.readers[name] = s.seq - 1 // it has yet to see this record
						}
					}
				})
			}
			if err != nil {
				return nil, err
			}
			i++
			if f.n++; f.n%step == 0 {
				m.progress.tell("log of "+service+"s", f.n, total)
			}
		}
	}
	for i, s := range f.shards {
		if err := s.refill.Flush(ctx); err != nil {
			return nil, err
		}
		if s.had > s.seq {
			return nil, fmt.Errorf("%w: stream %s holds %d messages that are not of this export", ErrNotEmpty, s.name, s.had-s.seq)
		}
		if err := m.verify(ctx, f.log, i, s); err != nil {
			return nil, err
		}
		for name := range names {
			if _, stops := s.readers[name]; !stops {
				s.readers[name] = s.seq
			}
		}
	}
	m.progress.tell("log of "+service+"s", total, total)
	return f, nil
}

// put stores one record, unless it is there, and tells of its place.
func (m *importer) put(ctx context.Context, f *filling, line []byte, at func(*shard)) error {
	id, data, err := decodeEntry(line)
	if err != nil {
		return err
	}
	if !subjects.Token(id) {
		return fmt.Errorf("%w: %q is no aggregate's id", ErrExportDamaged, id)
	}
	s := f.shards[f.log.Shard(id)]
	s.seq++
	at(s)
	note(s.sum, f.log.Subject(id), data)
	switch {
	case s.seq < s.had:
		f.there++
		return nil
	case s.seq == s.had:
		// The last that is there: it tells whether the stream is what was imported so far.
		f.there++
		return m.same(ctx, s, f.log.Subject(id), data)
	}
	return s.refill.Add(ctx, f.log.Subject(id), data)
}

// note adds a message to a sum.
func note(sum hash.Hash, subject string, data []byte) {
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(len(data)))
	_, _ = sum.Write([]byte(subject)) // a sum takes everything
	_, _ = sum.Write(size[:])
	_, _ = sum.Write(data)
}

// verify reads a stream back and compares it with the records: somebody who wrote to it while
// it was filled has taken the place of one of them.
func (m *importer) verify(ctx context.Context, log subjects.Log, i int, s *shard) error {
	sum, at := sha256.New(), uint64(0)
	for try := 1; at < s.seq; try++ { // any replica may answer, and one may lack the newest
		if try > importTries {
			return fmt.Errorf("%w: %s was read to %d, and goes to %d", bus.ErrUnavailable, s.name, at, s.seq)
		}
		if try > 1 {
			if err := wait(ctx, 100*time.Millisecond<<try); err != nil {
				return err
			}
		}
		err := m.bus.Read(ctx, s.name, log.Wildcard(i), at+1, func(e bus.Entry) error {
			at = e.Seq
			note(sum, e.Subject, e.Data)
			return nil
		})
		if err != nil && !errors.Is(err, bus.ErrUnavailable) {
			return err
		}
	}
	if at != s.seq || !bytes.Equal(sum.Sum(nil), s.sum.Sum(nil)) {
		return fmt.Errorf("%w: stream %s is not what was imported: somebody else has written to it", ErrNotEmpty, s.name)
	}
	return nil
}

// same compares the last message of a stream with the record that should be there.
func (m *importer) same(ctx context.Context, s *shard, subject string, data []byte) error {
	e, err := m.bus.Head(ctx, s.name, subject) // of the leader: other replicas may lack the newest
	if err != nil && !errors.Is(err, bus.ErrNoMessage) {
		return err
	}
	if err != nil || e.Seq != s.had || !bytes.Equal(e.Data, data) {
		return fmt.Errorf("%w: message %d of stream %s is not that of this export", ErrNotEmpty, s.had, s.name)
	}
	return nil
}

// clockLoads is how many rooms are folded at once to see when they want to be woken.
const clockLoads = 8

// clocks has every open room woken in which something is due by time: a track's end, a
// poll's. Its owner would do that on load, but nobody may come to a room that plays alone.
func (m *importer) clocks(ctx context.Context) error {
	journal := aggregate.NewJournal(m.bus, subjects.ServiceRoom)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(clockLoads)
	var woken atomic.Uint64
	var failed error
	for doc, err := range store.All(ctx, m.store, subjects.TableRooms, store.Query{Limit: store.MaxLimit}) {
		if err != nil {
			failed = err
			break
		}
		var r subjects.RoomSummary
		if err := doc.Decode(&r); err != nil || r.Phase != subjects.PhaseOpen {
			continue
		}
		g.Go(func() error {
			f, err := aggregate.Load(ctx, journal, room.Fold{}, doc.ID)
			if errors.Is(err, aggregate.ErrBrokenLog) {
				return nil // the rebuild has told
			}
			if err != nil {
				return err
			}
			due, ok := (*room.Machine)(nil).NextTimer(f.State)
			if !ok {
				return nil
			}
			at := time.UnixMilli(due)
			if soon := m.bus.Clock().Now().Add(2 * time.Second); at.Before(soon) {
				at = soon
			}
			woken.Add(1)
			return journal.Schedule(ctx, doc.ID, at)
		})
	}
	err := g.Wait()
	m.report.Woken = woken.Load()
	return errors.Join(failed, err)
}
