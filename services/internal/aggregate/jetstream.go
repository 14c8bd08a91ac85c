package aggregate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// jetStream is the Journal over a bus: EVENTS of the service, SNAPSHOTS and COMMANDS.
type jetStream struct {
	bus     *bus.Bus
	log     subjects.Log
	streams []string // of the log, by shard
}

// NewJournal gives the Journal of a service's aggregates on JetStream.
func NewJournal(b *bus.Bus, service string) Journal {
	l := b.Log(service)
	return &jetStream{bus: b, log: l, streams: l.Streams()}
}

// stream names the one that holds id's log.
func (j *jetStream) stream(id string) string { return j.streams[j.log.Shard(id)] }

func (j *jetStream) Append(ctx context.Context, id string, data []byte, after uint64) (uint64, error) {
	if len(data) > j.bus.MaxPayload()-4096 { // room for headers
		return 0, ErrTooLarge
	}
	seq, err := j.bus.Append(ctx, j.log.Subject(id), data, after)
	return seq, translate(err)
}

func (j *jetStream) Head(ctx context.Context, id string) (Entry, error) {
	e, err := j.bus.Head(ctx, j.stream(id), j.log.Subject(id))
	if errors.Is(err, bus.ErrNoMessage) {
		return Entry{}, nil
	}
	return Entry{Seq: e.Seq, Data: e.Data}, translate(err)
}

func (j *jetStream) LoadSnapshot(ctx context.Context, id string) ([]byte, error) {
	e, err := j.bus.Last(ctx, subjects.StreamSnapshots, subjects.Snapshot(j.log.Service, id))
	if errors.Is(err, bus.ErrNoMessage) {
		return nil, nil
	}
	return e.Data, translate(err)
}

func (j *jetStream) SaveSnapshot(ctx context.Context, id string, data []byte) error {
	if len(data) > j.bus.MaxPayload()-4096 {
		return ErrTooLarge
	}
	return translate(j.bus.Put(ctx, subjects.Snapshot(j.log.Service, id), data))
}

func (j *jetStream) Schedule(ctx context.Context, id string, at time.Time) error {
	second := at.Unix()
	if at.Nanosecond() > 0 {
		second++
	}
	target, err := subjects.Command{
		Service: j.log.Service, ID: id, Verb: subjects.VerbWake, Principal: subjects.System,
	}.Routed(subjects.DoorQueue, j.bus.Partitions())
	if err != nil {
		return err
	}
	data, err := json.Marshal(subjects.Envelope{
		ID: subjects.DeriveID(subjects.PrefixCommand, time.Unix(second, 0), id, subjects.VerbWake),
	})
	if err != nil {
		return err
	}
	return translate(j.bus.Schedule(ctx, subjects.Timer(j.log.Service, id, second), target, time.Unix(second, 0), data))
}

func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, bus.ErrFenced):
		return ErrFenced
	case errors.Is(err, bus.ErrTooLarge):
		return ErrTooLarge
	case errors.Is(err, bus.ErrFull):
		return fmt.Errorf("%w: %w: %w", ErrFull, ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
