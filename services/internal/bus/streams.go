package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tuttihq/tutti/subjects"
)

// The stream metadata that remembers what is fixed for a deployment.
const (
	metaPartitions = "tutti-partitions"
	metaShards     = "tutti-shards"
)

// metadata is what every stream of this deployment remembers.
func (b *Bus) metadata() map[string]string {
	return map[string]string{
		metaPartitions: strconv.Itoa(b.cfg.Partitions),
		metaShards:     strconv.Itoa(max(b.cfg.Shards, 1)),
	}
}

// streams gives every stream of a deployment with these services. The list is data:
// ensure makes the server agree with it.
func streams(services []string, shards, replicas int) []jetstream.StreamConfig {
	ownFrom, ownTo := subjects.OwnFeedMapping()
	list := []jetstream.StreamConfig{
		{
			Name:        subjects.StreamCommands,
			Description: "Commands that wait for their aggregate's owner, and the timers' schedules. An entry goes when it was carried out.",
			Subjects:    []string{subjects.AllRouted(subjects.DoorQueue), subjects.TimerWildcard()},
			Retention:   jetstream.WorkQueuePolicy,
			// The server refuses a limit on a stream with schedules: a MaxAge would delete
			// those due later, and a full stream could only drop its oldest entries. What
			// Send leaves here carries a TTL instead; what bounds the rest is the account's
			// store limit, at which a sender is told that nothing was stored.
			AllowMsgSchedules: true,
			AllowMsgTTL:       true,
		},
		{
			Name:              subjects.StreamSnapshots,
			Description:       "The last snapshot of each aggregate. May be deleted: it is made again from the log.",
			Subjects:          []string{subjects.SnapshotWildcard()},
			MaxMsgsPerSubject: 1,
			AllowDirect:       true,
		},
		{
			Name:              subjects.StreamState,
			Description:       "The last version of each document that everybody, or one user, may know. May be deleted: it is published again from the store.",
			Subjects:          []string{subjects.StateWildcard("*"), subjects.OwnWildcard("*", "*")},
			MaxMsgsPerSubject: 1,
			AllowDirect:       true,
			AllowMsgTTL:       true,
			RePublish:         &jetstream.RePublish{Source: ownFrom, Destination: ownTo},
		},
		{
			Name:        subjects.StreamDLQ,
			Description: "What could not be decoded, with the reason; the oldest goes first.",
			Subjects:    []string{subjects.DLQWildcard()},
			MaxBytes:    256 << 20,
			MaxAge:      30 * 24 * time.Hour,
			AllowDirect: true,
		},
	}
	for _, name := range services {
		log := subjects.Log{Service: name, Shards: shards}
		for i, stream := range log.Streams() {
			src, dst := log.FeedMapping(i)
			list = append(list, jetstream.StreamConfig{
				Name:        stream,
				Description: "What happened to every " + name + ": the authority. Kept for ever, here or in the archive.",
				Subjects:    []string{log.Wildcard(i)},
				AllowDirect: true,
				// If an operator sets a limit: what is new is refused. The default would
				// forget what is old.
				Discard:   jetstream.DiscardNew,
				RePublish: &jetstream.RePublish{Source: src, Destination: dst},
			})
		}
	}
	for i := range list {
		list[i].Storage = jetstream.FileStorage
		list[i].Replicas = replicas
	}
	return list
}

// replicasToMake is what a stream that is made gets if Config.Replicas does not say: three
// where at least three servers are named, which makes a cluster.
func (c Config) replicasToMake() int {
	if c.Replicas > 0 {
		return c.Replicas
	}
	if strings.Count(c.URL, ",") >= 2 {
		return 3
	}
	return 1
}

// ensure creates the stream or updates it to the wanted configuration. It returns
// ErrPartitions or ErrShards if the deployment was made with another number of them.
func (b *Bus) ensure(ctx context.Context, want jetstream.StreamConfig) error {
	ctx = withDefault(ctx)
	want.Metadata = b.metadata()
	have, err := b.look(ctx, want.Name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		_, err := b.js.CreateStream(ctx, want)
		if err == nil || !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // made meanwhile by another release
			return wrapped("bus: stream "+want.Name, err)
		}
	case err != nil:
		return fmt.Errorf("bus: stream %s: %w", want.Name, classify(err))
	default:
		there := have.CachedInfo().Config
		if err := b.sameDeployment(there.Metadata); err != nil {
			return err
		}
		want = b.cfg.keeping(want, there)
		if kept(there, want) {
			return nil // who may not change streams need not
		}
	}
	_, err = b.js.UpdateStream(ctx, want)
	return wrapped("bus: stream "+want.Name, err)
}

// look finds a stream. A cluster that has no leader yet does not answer at all, so it is not
// waited for as long as for other answers: who looks does so again.
func (b *Bus) look(ctx context.Context, name string) (jetstream.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, lookWait)
	defer cancel()
	return b.js.Stream(ctx, name)
}

func wrapped(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, classify(err))
}

// kept reports whether a stream is as wanted already.
func kept(there, want jetstream.StreamConfig) bool {
	for key, value := range want.Metadata {
		if there.Metadata[key] != value {
			return false
		}
	}
	return there.Description == want.Description && slices.Equal(there.Subjects, want.Subjects) && sameRePublish(there.RePublish, want.RePublish) &&
		there.Retention == want.Retention && there.Discard == want.Discard && there.MaxAge == want.MaxAge && there.Replicas == want.Replicas &&
		max(there.MaxBytes, 0) == max(want.MaxBytes, 0) && max(there.MaxMsgsPerSubject, 0) == max(want.MaxMsgsPerSubject, 0) &&
		there.AllowDirect == want.AllowDirect && there.AllowMsgTTL == want.AllowMsgTTL && there.AllowMsgSchedules == want.AllowMsgSchedules
}

// keeping gives what a stream is to be: as wanted, but for what an operator has set on the one
// that is there.
func (c Config) keeping(want, there jetstream.StreamConfig) jetstream.StreamConfig {
	want.Placement, want.Compression = there.Placement, there.Compression
	if want.MaxBytes == 0 {
		want.MaxBytes = there.MaxBytes
	}
	if c.Replicas == 0 {
		want.Replicas = there.Replicas
	}
	return want
}

// StreamState tells the state of a stream.
type StreamState struct {
	Name string `json:"name"`
	// Created is when the stream was made: one that was lost and made again has another.
	Created  time.Time `json:"-"`
	Messages uint64    `json:"messages"`
	Bytes    uint64    `json:"bytes"`
	LastSeq  uint64    `json:"lastSeq"`
}

// StreamState reads the state of a stream by name.
func (b *Bus) StreamState(ctx context.Context, name string) (StreamState, error) {
	s, err := b.js.Stream(withDefault(ctx), name)
	if err != nil {
		return StreamState{}, fmt.Errorf("bus: stream %s: %w", name, classify(err))
	}
	st := s.CachedInfo().State
	return StreamState{Name: name, Created: s.CachedInfo().Created, Messages: st.Msgs, Bytes: st.Bytes, LastSeq: st.LastSeq}, nil
}
