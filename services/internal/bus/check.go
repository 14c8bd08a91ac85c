package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// verify compares the stream with the wanted configuration and changes nothing: ErrStreams
// if it is missing or holds other subjects, ErrPartitions and ErrShards if it was made for
// another deployment. What an operator may tune is not compared: replicas, placement, limits.
func (b *Bus) verify(ctx context.Context, want jetstream.StreamConfig) error {
	s, err := b.look(withDefault(ctx), want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("%w: there is no stream %s", ErrStreams, want.Name)
	}
	if err != nil {
		return fmt.Errorf("bus: stream %s: %w", want.Name, classify(err))
	}
	have := s.CachedInfo().Config
	if err := b.sameDeployment(have.Metadata); err != nil {
		return err
	}
	if !slices.Equal(slices.Sorted(slices.Values(have.Subjects)), slices.Sorted(slices.Values(want.Subjects))) {
		return fmt.Errorf("%w: stream %s holds %q, not %q", ErrStreams, want.Name, have.Subjects, want.Subjects)
	}
	if !sameRePublish(have.RePublish, want.RePublish) {
		return fmt.Errorf("%w: stream %s does not republish what it stores as it should", ErrStreams, want.Name)
	}
	if have.MaxMsgsPerSubject > 0 != (want.MaxMsgsPerSubject > 0) || have.AllowMsgSchedules != want.AllowMsgSchedules {
		return fmt.Errorf("%w: stream %s keeps other messages than it should", ErrStreams, want.Name)
	}
	return nil
}

// sameDeployment compares what is fixed when a deployment is made with what a stream
// remembers of it. One that remembers no shards is of a release that knew but one.
func (b *Bus) sameDeployment(have map[string]string) error {
	want := b.metadata()
	if p, ok := have[metaPartitions]; ok && p != want[metaPartitions] {
		return fmt.Errorf("%w: %s, this process is configured for %s", ErrPartitions, p, want[metaPartitions])
	}
	if s := cmp.Or(have[metaShards], "1"); s != want[metaShards] {
		return fmt.Errorf("%w: %s, this process is configured for %s", ErrShards, s, want[metaShards])
	}
	return nil
}

func sameRePublish(a, b *jetstream.RePublish) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Source == b.Source && a.Destination == b.Destination
}
