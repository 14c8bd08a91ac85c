package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tuttihq/tutti/subjects"
)

// Log says in which streams and under which subjects a service's commits are kept.
func (b *Bus) Log(service string) subjects.Log {
	return subjects.Log{Service: service, Shards: b.cfg.Shards}
}

// findShards asks the server for the number of shards that the deployment was made with.
// Where there are no streams yet it is 1.
func (b *Bus) findShards(ctx context.Context) (int, error) {
	s, err := b.js.Stream(withDefault(ctx), subjects.StreamCommands)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 1, nil
	}
	if err != nil {
		return 0, fmt.Errorf("bus: stream %s: %w", subjects.StreamCommands, classify(err))
	}
	text, ok := s.CachedInfo().Config.Metadata[metaShards]
	if !ok {
		return 1, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > subjects.MaxShards {
		return 0, fmt.Errorf("%w: %q is not a number of them", ErrShards, text)
	}
	return n, nil
}

// LogState reads the state of each of the streams that hold a service's commits, by shard:
// the sequences of one count apart from those of the others.
func (b *Bus) LogState(ctx context.Context, service string) ([]StreamState, error) {
	names := b.Log(service).Streams()
	out := make([]StreamState, len(names))
	for i, name := range names {
		var err error
		if out[i], err = b.StreamState(ctx, name); err != nil {
			return nil, err
		}
	}
	return out, nil
}
