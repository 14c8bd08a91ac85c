package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// returnWait bounds giving back what was fetched.
const returnWait = time.Second

// ConsumerSpec names a durable reader of a stream.
type ConsumerSpec struct {
	Stream string
	// Name of the durable consumer; readers with the same name share its messages.
	Name string
	// Filters are the subjects to read; empty means all of the stream.
	Filters []string
	// InFlight bounds the messages that are handed out and not yet acknowledged.
	InFlight int
	// AckWait is how long a message may be worked on before the server hands it out
	// again; 0 means 30 s.
	AckWait time.Duration
	// Restart deletes the consumer first: what was not acknowledged comes again from the
	// beginning, in the stream's order. Only for streams whose acknowledged messages go.
	Restart bool
	// LastPerSubject begins with the newest message of each subject instead of the oldest
	// of all; it counts when the consumer is made.
	LastPerSubject bool
}

// Subscription hands out a consumer's messages in order.
type Subscription struct {
	it       jetstream.MessagesContext
	consumer jetstream.Consumer
}

// Message is one delivery. Exactly one of Ack, Nak or Term ends it.
type Message struct {
	Entry
	// Pending is how many messages wait behind it.
	Pending uint64
	// Delivered counts the deliveries of this message, from 1.
	Delivered uint64
	// Handed counts the messages that the consumer has handed out, this one included, from
	// 1 when it was made. A reader that misses a number has lost a message, or shares the
	// consumer with another.
	Handed uint64
	m      jetstream.Msg
}

// Header gives a header's value, empty if it is missing.
func (m *Message) Header(key string) string { return m.m.Headers().Get(key) }

// Ack says that the message is done.
func (m *Message) Ack() error { return classify(m.m.Ack()) }

// AckSync says so and waits until the server has noted it.
func (m *Message) AckSync(ctx context.Context) error { return classify(m.m.DoubleAck(ctx)) }

// Nak asks for the message again after a while; at once, before others, if that is 0.
func (m *Message) Nak(after time.Duration) error {
	if after == 0 {
		return classify(m.m.Nak())
	}
	return classify(m.m.NakWithDelay(after))
}

// InProgress says that the message is still worked on and starts AckWait anew.
func (m *Message) InProgress() error { return classify(m.m.InProgress()) }

// Consume creates or updates the durable consumer and begins to read.
func (b *Bus) Consume(ctx context.Context, spec ConsumerSpec) (*Subscription, error) {
	ctx = withDefault(ctx)
	if spec.Restart {
		err := b.js.DeleteConsumer(ctx, spec.Stream, spec.Name)
		if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return nil, fmt.Errorf("bus: consumer %s: %w", spec.Name, classify(err))
		}
	}
	cfg := jetstream.ConsumerConfig{
		Durable:        spec.Name,
		FilterSubjects: spec.Filters,
		AckPolicy:      jetstream.AckExplicitPolicy,
		AckWait:        spec.AckWait,
		MaxAckPending:  spec.InFlight,
		DeliverPolicy:  jetstream.DeliverAllPolicy,
	}
	if cfg.AckWait == 0 {
		cfg.AckWait = 30 * time.Second
	}
	if spec.LastPerSubject {
		cfg.DeliverPolicy = jetstream.DeliverLastPerSubjectPolicy
	}
	c, err := b.js.CreateOrUpdateConsumer(ctx, spec.Stream, cfg)
	for try := 1; spec.Restart && try < remakeTries && notMade(err); try++ {
		// The server may still be removing the files of the one that was deleted, and takes
		// those of the new one with them.
		select {
		case <-ctx.Done():
		case <-time.After(remakePause):
		}
		c, err = b.js.CreateOrUpdateConsumer(ctx, spec.Stream, cfg)
	}
	if err != nil {
		return nil, fmt.Errorf("bus: consumer %s: %w", spec.Name, classify(err))
	}
	if ctx.Err() != nil { // what is handed out to somebody who has gone would be held back
		return nil, fmt.Errorf("bus: consumer %s: %w", spec.Name, classify(ctx.Err()))
	}
	it, err := c.Messages(jetstream.PullMaxMessages(max(1, spec.InFlight)), jetstream.PullExpiry(30*time.Second), jetstream.PullHeartbeat(5*time.Second))
	if err != nil {
		return nil, fmt.Errorf("bus: consumer %s: %w", spec.Name, classify(err))
	}
	return &Subscription{it: it, consumer: c}, nil
}

const (
	remakeTries = 5
	remakePause = 50 * time.Millisecond
)

// notMade reports whether the server failed to make a consumer, for no reason of the caller's.
func notMade(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == codeConsumerCreate
}

// Next waits for the next message. Missed heartbeats are not an error: it goes on until
// the server is back. ErrConsumerLost: open it again. When ctx ends it returns ctx.Err().
func (s *Subscription) Next(ctx context.Context) (*Message, error) {
	for {
		m, err := s.it.Next(jetstream.NextContext(ctx))
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, jetstream.ErrNoHeartbeat):
			// The server is away, or the consumer is: then no request will ever be answered.
			if s.deleted(ctx) {
				return nil, fmt.Errorf("%w: %w", ErrConsumerLost, err)
			}
			continue
		case errors.Is(err, jetstream.ErrConsumerDeleted), errors.Is(err, jetstream.ErrConsumerNotFound),
			errors.Is(err, jetstream.ErrMsgIteratorClosed):
			return nil, fmt.Errorf("%w: %w", ErrConsumerLost, err)
		default:
			return nil, classify(err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return nil, fmt.Errorf("bus: message without metadata: %w", err)
		}
		return &Message{
			Entry:     Entry{Subject: m.Subject(), Seq: meta.Sequence.Stream, Time: meta.Timestamp, Data: m.Data()},
			Pending:   meta.NumPending,
			Delivered: meta.NumDelivered,
			Handed:    meta.Sequence.Consumer,
			m:         m,
		}, nil
	}
}

// deleted reports whether the server says that the consumer is not there.
func (s *Subscription) deleted(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	_, err := s.consumer.Info(ctx)
	return errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrConsumerDeleted) ||
		errors.Is(err, jetstream.ErrStreamNotFound)
}

// Handed asks the server how many messages the consumer has handed out so far, and how many
// of them it waits for the acknowledgement of.
func (s *Subscription) Handed(ctx context.Context) (handed uint64, unacked int, err error) {
	info, err := s.consumer.Info(withDefault(ctx))
	if err != nil {
		return 0, 0, fmt.Errorf("bus: consumer: %w", classify(err))
	}
	return info.Delivered.Consumer, info.NumAckPending, nil
}

// Waiting asks the server how many messages the consumer has not handed out yet.
func (s *Subscription) Waiting(ctx context.Context) (uint64, error) {
	info, err := s.consumer.Info(withDefault(ctx))
	if err != nil {
		return 0, fmt.Errorf("bus: consumer: %w", classify(err))
	}
	return info.NumPending, nil
}

// ConsumerWaiting asks the server how many messages a durable consumer has not handed out
// yet.
func (b *Bus) ConsumerWaiting(ctx context.Context, stream, name string) (uint64, error) {
	c, err := b.js.Consumer(withDefault(ctx), stream, name)
	if err != nil {
		return 0, fmt.Errorf("bus: consumer %s: %w", name, classify(err))
	}
	return c.CachedInfo().NumPending, nil
}

// Return ends the reading as Stop does, and gives back what was fetched and not handed
// out, so that the next reader has it at once and in order. Without a connection nothing is
// given back: it waits for returnWait at most.
func (s *Subscription) Return() {
	ctx, cancel := context.WithTimeout(context.Background(), returnWait)
	defer cancel()
	s.it.Drain()
	for {
		m, err := s.it.Next(jetstream.NextContext(ctx))
		if err != nil {
			s.it.Stop()
			return
		}
		_ = m.Nak() // if it does not arrive, the server's AckWait does the same
	}
}

// Stop ends the reading. Messages not acknowledged come again to the next reader.
func (s *Subscription) Stop() { s.it.Stop() }
