package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tuttihq/tutti/subjects"
)

// ArchiveOptions say how the stream of an archive is kept, when it is made.
type ArchiveOptions struct {
	// Replicas, 1 to 5. Default: as the other streams.
	Replicas int
	// Tag places it on servers that carry this tag; empty: anywhere.
	Tag string
}

// EnsureArchive makes the stream that holds the old part of the logs of a service, unless it
// is there: then it stays as it is.
func (b *Bus) EnsureArchive(ctx context.Context, service string, opt ArchiveOptions) error {
	ctx = withDefault(ctx)
	name := subjects.StreamArchive(service)
	_, err := b.js.Stream(ctx, name)
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		if err != nil {
			return fmt.Errorf("bus: stream %s: %w", name, classify(err))
		}
		return nil
	}
	cfg := jetstream.StreamConfig{
		Name:        name,
		Description: "The old part of what happened to every " + service + ": no less the authority than the log. Kept for ever.",
		Subjects:    []string{subjects.ArchivedWildcard(service)},
		Storage:     jetstream.FileStorage,
		Compression: jetstream.S2Compression,
		Replicas:    max(opt.Replicas, b.cfg.Replicas, 1),
		AllowDirect: true,
		Discard:     jetstream.DiscardNew,
		Metadata:    b.metadata(),
	}
	if opt.Replicas > 0 {
		cfg.Replicas = opt.Replicas
	}
	if opt.Tag != "" {
		cfg.Placement = &jetstream.Placement{Tags: []string{opt.Tag}}
	}
	if _, err := b.js.CreateStream(ctx, cfg); err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return fmt.Errorf("bus: stream %s: %w", name, classify(err))
	}
	return nil
}

// EachLast calls f with the last message of every subject that a wildcard matches, as of a
// moment during the call. It stops at the first error of f and returns it.
func (b *Bus) EachLast(ctx context.Context, stream, wildcard string, f func(Entry) error) error {
	return b.through(ctx, stream, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{wildcard}, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy,
		InactiveThreshold: lastInactive,
	}, f)
}

// Purge deletes the messages of a subject with a sequence below the given one. What was
// deleted before is no error.
func (b *Bus) Purge(ctx context.Context, stream, subject string, below uint64) error {
	ctx, cancel := context.WithTimeout(ctx, appendWait)
	defer cancel()
	s, err := b.js.Stream(ctx, stream)
	if err == nil {
		err = s.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(below))
	}
	if err != nil {
		return fmt.Errorf("bus: purge: %w", classify(err))
	}
	return nil
}

// Acknowledged gives the sequence up to which every durable consumer of a stream has
// acknowledged all it wants, and the one that is the furthest behind, empty if there is none.
func (b *Bus) Acknowledged(ctx context.Context, stream string) (upTo uint64, last string, err error) {
	ctx, cancel := context.WithTimeout(ctx, listWait)
	defer cancel()
	s, err := b.js.Stream(ctx, stream)
	if err != nil {
		return 0, "", fmt.Errorf("bus: stream %s: %w", stream, classify(err))
	}
	upTo = s.CachedInfo().State.LastSeq // before the consumers: what comes later is not counted
	list := s.ListConsumers(ctx)
	for c := range list.Info() {
		if c.Config.Durable == "" || c.NumPending == 0 && c.NumAckPending == 0 {
			continue
		}
		if c.AckFloor.Stream < upTo || last == "" {
			upTo, last = min(upTo, c.AckFloor.Stream), c.Name
		}
	}
	if err := list.Err(); err != nil {
		return 0, "", fmt.Errorf("bus: consumers of %s: %w", stream, classify(err))
	}
	return upTo, last, nil
}

const (
	listWait     = 30 * time.Second
	longInactive = 10 * time.Second
	// lastInactive is how long f may take for what was fetched ahead: a consumer that is made
	// anew would give every message.
	lastInactive = 10 * time.Minute
)
