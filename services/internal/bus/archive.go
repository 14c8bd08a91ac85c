package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tuttihq/tutti/subjects"
)

// ErrReplicas is returned where an archive has, or would have, fewer replicas than the log whose
// old part it holds.
var ErrReplicas = errors.New("bus: the archive has fewer replicas than the log")

// ArchiveOptions say how the stream of an archive is kept.
type ArchiveOptions struct {
	// Replicas, up to 5. Default: as the log's streams have; fewer are refused with ErrReplicas.
	Replicas int
	// Tag places it on servers that carry this tag, when it is made; empty: anywhere.
	Tag string
}

// EnsureArchive makes the stream that holds the old part of the logs of a service, unless it
// is there. One that is there with fewer replicas gets more, and stays as it is otherwise.
func (b *Bus) EnsureArchive(ctx context.Context, service string, opt ArchiveOptions) error {
	ctx = withDefault(ctx)
	replicas, err := b.logReplicas(ctx, service)
	if err != nil {
		return err
	}
	if opt.Replicas > 0 && opt.Replicas < replicas {
		return fmt.Errorf("%w: %d, and %d of the log of %s", ErrReplicas, opt.Replicas, replicas, service)
	}
	replicas = max(opt.Replicas, replicas)
	name := subjects.StreamArchive(service)
	s, err := b.js.Stream(ctx, name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
	case err != nil:
		return fmt.Errorf("bus: stream %s: %w", name, classify(err))
	default:
		cfg := s.CachedInfo().Config
		if cfg.Replicas >= replicas {
			return nil
		}
		cfg.Replicas = replicas
		if _, err := b.js.UpdateStream(ctx, cfg); err != nil {
			return fmt.Errorf("bus: stream %s with %d replicas: %w", name, replicas, classify(err))
		}
		return nil
	}
	cfg := jetstream.StreamConfig{
		Name:        name,
		Description: "The old part of what happened to every " + service + ": no less the authority than the log. Kept for ever.",
		Subjects:    []string{subjects.ArchivedWildcard(service)},
		Storage:     jetstream.FileStorage,
		Compression: jetstream.S2Compression,
		Replicas:    replicas,
		AllowDirect: true,
		Discard:     jetstream.DiscardNew,
		Metadata:    b.metadata(),
	}
	if opt.Tag != "" {
		cfg.Placement = &jetstream.Placement{Tags: []string{opt.Tag}}
	}
	if _, err := b.js.CreateStream(ctx, cfg); err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return fmt.Errorf("bus: stream %s: %w", name, classify(err))
	}
	return nil
}

// logReplicas is how many replicas the streams of a service's log have, the most of them.
func (b *Bus) logReplicas(ctx context.Context, service string) (n int, err error) {
	for _, name := range b.Log(service).Streams() {
		s, err := b.js.Stream(ctx, name)
		if err != nil {
			return 0, fmt.Errorf("bus: stream %s: %w", name, classify(err))
		}
		n = max(n, s.CachedInfo().Config.Replicas)
	}
	return n, nil
}

// ArchiveKept returns nil if what the archive of a service holds is kept as well as in the log:
// ErrReplicas if it has fewer replicas, ErrUnavailable if most of those do not have all of it
// now, as when they were added just before.
func (b *Bus) ArchiveKept(ctx context.Context, service string) error {
	ctx = withDefault(ctx)
	want, err := b.logReplicas(ctx, service)
	if err != nil {
		return err
	}
	name := subjects.StreamArchive(service)
	s, err := b.js.Stream(ctx, name)
	if err != nil {
		return fmt.Errorf("bus: stream %s: %w", name, classify(err))
	}
	info := s.CachedInfo()
	if info.Config.Replicas < want {
		return fmt.Errorf("%w: %d of %s, and %d of the log", ErrReplicas, info.Config.Replicas, name, want)
	}
	whole := 1 // the leader, who answers
	if info.Cluster != nil {
		for _, r := range info.Cluster.Replicas {
			if r.Current && !r.Offline {
				whole++
			}
		}
	}
	if 2*whole <= info.Config.Replicas {
		return fmt.Errorf("%w: %d of the %d replicas of %s have all of it", ErrUnavailable, whole, info.Config.Replicas, name)
	}
	return nil
}

// EachLast calls f with the last message of every subject that a wildcard matches, as of a
// moment during the call. It stops at the first error of f and returns it. ErrUnavailable if
// the connection was lost in between: what the server would give then is not the last.
func (b *Bus) EachLast(ctx context.Context, stream, wildcard string, f func(Entry) error) error {
	var given uint64
	_, err := b.through(ctx, stream, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{wildcard}, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy,
		InactiveThreshold: lastInactive,
	}, func(e Entry, meta *jetstream.MsgMetadata) error {
		if given++; meta.Sequence.Consumer != given {
			return fmt.Errorf("%w: the consumer was lost after %d messages of %s", ErrUnavailable, given-1, stream)
		}
		return f(e)
	})
	return err
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
// ErrUnavailable if one of them does not say.
func (b *Bus) Acknowledged(ctx context.Context, stream string) (upTo uint64, last string, err error) {
	ctx, cancel := context.WithTimeout(ctx, listWait)
	defer cancel()
	upTo, all, err := b.durables(ctx, stream)
	if err != nil {
		return 0, "", err
	}
	for _, c := range all {
		if c.NumPending == 0 && c.NumAckPending == 0 {
			continue
		}
		if c.AckFloor.Stream < upTo || last == "" {
			upTo, last = min(upTo, c.AckFloor.Stream), c.Name
		}
	}
	return upTo, last, nil
}

// durables asks each durable consumer of a stream how far it is, and gives the stream's last
// sequence as of before that. The server's list of what they say leaves out those that do not
// answer, as one without a leader, so it is not asked for.
func (b *Bus) durables(ctx context.Context, stream string) (last uint64, all []*jetstream.ConsumerInfo, err error) {
	s, err := b.js.Stream(ctx, stream)
	if err != nil {
		return 0, nil, fmt.Errorf("bus: stream %s: %w", stream, classify(err))
	}
	last = s.CachedInfo().State.LastSeq
	names, err := consumerNames(ctx, s)
	if err != nil {
		return 0, nil, fmt.Errorf("bus: consumers of %s: %w", stream, err)
	}
	var gone []string
	for _, name := range names {
		c, err := s.Consumer(ctx, name)
		switch {
		case errors.Is(err, jetstream.ErrConsumerNotFound):
			gone = append(gone, name)
			continue
		case errors.Is(err, jetstream.ErrNotPullConsumer):
			continue // nobody's of this system, whose durable ones are all pulled
		case err != nil:
			return 0, nil, fmt.Errorf("bus: consumer %s of %s: %w", name, stream, errors.Join(ErrUnavailable, err))
		}
		if info := c.CachedInfo(); info.Config.Durable != "" {
			all = append(all, info)
		}
	}
	if len(gone) == 0 {
		return last, all, nil
	}
	// Those of readings come and go. One that is listed still is there, and cannot be asked.
	if names, err = consumerNames(ctx, s); err != nil {
		return 0, nil, fmt.Errorf("bus: consumers of %s: %w", stream, err)
	}
	for _, name := range gone {
		if slices.Contains(names, name) {
			return 0, nil, fmt.Errorf("bus: %w: consumer %s of %s is listed and not found", ErrUnavailable, name, stream)
		}
	}
	return last, all, nil
}

func consumerNames(ctx context.Context, s jetstream.Stream) (names []string, err error) {
	list := s.ConsumerNames(ctx)
	for name := range list.Name() {
		names = append(names, name)
	}
	return names, classify(list.Err())
}

const (
	listWait     = 30 * time.Second
	longInactive = 10 * time.Second
	// lastInactive is how long f may take for what was fetched ahead: one that is made anew
	// ends the call.
	lastInactive = 10 * time.Minute
)
