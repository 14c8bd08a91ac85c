package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tuttihq/tutti/subjects"
)

const (
	// refillFlight and refillBytes bound what a Refill has sent and not seen stored.
	refillFlight = 512
	refillBytes  = 8 << 20
)

// Refill fills a stream with messages from elsewhere, each at the sequence that it is meant to
// have and nowhere else, so that nothing is stored twice and nothing moves. One goroutine uses
// it.
type Refill struct {
	bus    *Bus
	stream string
	next   uint64 // what the stream's last sequence will be when all that was sent is stored
	flight []refilled
	bytes  int
}

type refilled struct {
	ack   jetstream.PubAckFuture
	bytes int
}

// Refill begins to fill a stream whose last sequence is after.
func (b *Bus) Refill(stream string, after uint64) *Refill {
	return &Refill{bus: b, stream: stream, next: after}
}

// Add sends a message; it waits while too much is under way. After an error the Refill is of no
// more use, and what was under way may have been stored or not, though each only at its own
// place: ErrFenced if another message is at one of them, ErrTooLarge, ErrFull, ErrUnavailable.
func (r *Refill) Add(ctx context.Context, subject string, data []byte) error {
	for len(r.flight) > 0 && (len(r.flight) >= refillFlight || r.bytes+len(data) > refillBytes) {
		if err := r.settle(ctx); err != nil {
			return err
		}
	}
	if len(data) > r.bus.MaxPayload()-4096 { // room for headers
		return fmt.Errorf("bus: refill %s: %w: %d bytes under %s", r.stream, ErrTooLarge, len(data), subject)
	}
	m := &nats.Msg{Subject: subject, Data: data, Header: nats.Header{
		jetstream.ExpectedLastSeqHeader: {strconv.FormatUint(r.next, 10)},
		jetstream.ExpectedStreamHeader:  {r.stream},
	}}
	ack, err := r.bus.js.PublishMsgAsync(m, jetstream.WithStallWait(appendWait))
	if err != nil {
		return fmt.Errorf("bus: refill %s: %w", r.stream, classify(err))
	}
	r.next++
	r.bytes += len(data)
	r.flight = append(r.flight, refilled{ack, len(data)})
	return nil
}

// Flush waits until everything that was sent is stored.
func (r *Refill) Flush(ctx context.Context) error {
	for len(r.flight) > 0 {
		if err := r.settle(ctx); err != nil {
			return err
		}
	}
	return nil
}

// settle waits for the oldest message that is under way.
func (r *Refill) settle(ctx context.Context) error {
	ctx, cancel := r.bus.bounded(ctx, 2*appendWait)
	defer cancel()
	oldest := r.flight[0]
	select {
	case <-oldest.ack.Ok():
	case err := <-oldest.ack.Err():
		return fmt.Errorf("bus: refill %s: %w", r.stream, classify(err))
	case <-ctx.Done():
		return fmt.Errorf("bus: refill %s: %w", r.stream, classify(ctx.Err()))
	}
	r.flight, r.bytes = r.flight[1:], r.bytes-oldest.bytes
	return nil
}

// Readers tells of each durable consumer of a stream up to which sequence it has acknowledged
// everything. ErrUnavailable if one of them does not say.
func (b *Bus) Readers(ctx context.Context, stream string) (map[string]uint64, error) {
	last, all, err := b.durables(withDefault(ctx), stream)
	if err != nil {
		return nil, err
	}
	out := map[string]uint64{}
	for _, c := range all {
		out[c.Name] = last
		if c.NumPending > 0 || c.NumAckPending > 0 {
			out[c.Name] = min(last, c.AckFloor.Stream)
		}
	}
	return out, nil
}

// Advance has a durable consumer of a whole stream, which is made if it is not there, go on
// behind a sequence. What it had handed out and was not acknowledged does not count any more.
func (b *Bus) Advance(ctx context.Context, stream, name string, behind uint64) error {
	ctx = withDefault(ctx)
	_, err := b.js.Consumer(ctx, stream, name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		// Consume gives it the settings that its reader wants.
		_, err = b.js.CreateConsumer(ctx, stream, jetstream.ConsumerConfig{
			Durable: name, AckPolicy: jetstream.AckExplicitPolicy, DeliverPolicy: jetstream.DeliverAllPolicy,
		})
	}
	if err == nil {
		_, err = b.js.ResetConsumerToSequence(ctx, stream, name, behind+1)
	}
	if err != nil {
		return fmt.Errorf("bus: consumer %s of %s: %w", name, stream, classify(err))
	}
	return nil
}

// Commands calls f for every command that waits in the COMMANDS stream, in order, until none
// is left; it takes none away. It stops at the first error of f and returns it.
func (b *Bus) Commands(ctx context.Context, f func(to subjects.Command, payload []byte) error) error {
	s, err := b.js.Stream(withDefault(ctx), subjects.StreamCommands)
	if err != nil {
		return fmt.Errorf("bus: commands: %w", classify(err))
	}
	for seq := uint64(1); ; seq++ {
		m, err := s.GetMsg(withDefault(ctx), seq, jetstream.WithGetMsgSubject(subjects.AllRouted(subjects.DoorQueue)))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("bus: commands: %w", classify(err))
		}
		seq = m.Sequence
		_, _, to, err := subjects.ParseRouted(m.Subject)
		if err != nil {
			continue // nobody can carry it out
		}
		if err := f(to, m.Data); err != nil {
			return err
		}
	}
}
