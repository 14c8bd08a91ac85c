package projection_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/projection"
	"github.com/tuttihq/tutti/subjects"
)

// publisher lets watermill's suite publish to a topic; it carries what the streams have no
// place for in an envelope, which unwrap opens.
type publisher struct{ bus *bus.Bus }

type envelope struct {
	UUID     string
	Metadata message.Metadata
	Payload  []byte
}

func (p publisher) Publish(topic string, messages ...*message.Message) error {
	for _, m := range messages {
		data, err := json.Marshal(envelope{m.UUID, m.Metadata, m.Payload})
		if err != nil {
			return err
		}
		if err := p.bus.Put(m.Context(), topic, data); err != nil {
			return err
		}
	}
	return nil
}

func (publisher) Close() error { return nil }

// opener opens the envelopes of a subscriber's messages. (Watermill's own decorator waits for
// a reader that has gone.)
type opener struct {
	*projection.Subscriber
	closing chan struct{}
	once    *sync.Once
	wg      *sync.WaitGroup
}

func (o opener) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	in, err := o.Subscriber.Subscribe(ctx, topic)
	if err != nil {
		return nil, err
	}
	out := make(chan *message.Message)
	o.wg.Go(func() {
		defer close(out)
		for m := range in {
			var e envelope
			if err := json.Unmarshal(m.Payload, &e); err == nil {
				m.UUID, m.Payload = e.UUID, e.Payload
				for k, v := range e.Metadata {
					m.Metadata.Set(k, v)
				}
			}
			select {
			case out <- m:
			case <-o.closing:
				m.Nack()
			}
		}
	})
	return out, nil
}

func (o opener) Close() error {
	o.once.Do(func() { close(o.closing) })
	err := o.Subscriber.Close()
	o.wg.Wait()
	return err
}

// TestTheSubscriberKeepsWatermillsContract runs watermill's own suite.
func TestTheSubscriberKeepsWatermillsContract(t *testing.T) {
	for name, c := range map[string]struct {
		inFlight int
		ordered  bool
	}{"many in flight": {64, false}, "one by one": {1, true}} {
		t.Run(name, func(t *testing.T) {
			w, outer := newWorld(t), t
			pair := func(_ *testing.T, group string) (message.Publisher, message.Subscriber) {
				sub := opener{projection.NewSubscriber(w.bus, projection.SubscriberConfig{
					Stream:   subjects.StreamEvents("box"),
					Durable:  func(topic string) string { return group + "-" + topic[len(subjects.Events("box", "")):] },
					InFlight: c.inFlight,
					AckWait:  2 * time.Second,
					Delay:    func(*message.Message) time.Duration { return 10 * time.Millisecond },
					Drain:    100 * time.Millisecond,
				}), make(chan struct{}), &sync.Once{}, &sync.WaitGroup{}}
				outer.Cleanup(func() { sub.Close() }) // the suite forgets some
				return publisher{w.bus}, sub
			}
			tests.TestPubSub(t, tests.Features{
				ConsumerGroups:                      true,
				GuaranteedOrder:                     c.ordered,
				GuaranteedOrderWithSingleSubscriber: true,
				Persistent:                          true,
				ForceShort:                          true,
				GenerateTopicFunc: func(c tests.TestContext) string {
					return subjects.Events("box", "topic-"+string(c.TestID))
				},
			}, func(t *testing.T) (message.Publisher, message.Subscriber) { return pair(t, "all") }, pair)
		})
	}
}

func TestAMessageInWorkStaysWithItsWorker(t *testing.T) {
	w := newWorld(t)
	sub := projection.NewSubscriber(w.bus, projection.SubscriberConfig{
		Stream: subjects.StreamEvents("box"), Durable: func(string) string { return "slow" }, InFlight: 2, AckWait: 600 * time.Millisecond,
	})
	defer sub.Close()
	w.commit("a", put("x", 1))
	messages, err := sub.Subscribe(t.Context(), subjects.EventsWildcard("box"))
	if err != nil {
		t.Fatal(err)
	}
	m := <-messages
	if m.Metadata.Get(projection.MetaSubject) != subjects.Events("box", "a") || m.Metadata.Get(projection.MetaSequence) != "1" || m.Metadata.Get(projection.MetaDelivered) != "1" {
		t.Fatalf("metadata %v", m.Metadata)
	}
	select {
	case again := <-messages:
		t.Fatalf("%v came twice", again.Metadata)
	case <-time.After(1500 * time.Millisecond): // longer than AckWait
	}
	m.Ack()
	w.commit("b", put("x", 1))
	m = <-messages
	m.Ack()
	if m.Metadata.Get(projection.MetaSequence) != "2" {
		t.Fatalf("metadata %v", m.Metadata)
	}
}

func TestAClosedSubscriberSubscribesToNothing(t *testing.T) {
	w := newWorld(t)
	sub := projection.NewSubscriber(w.bus, projection.SubscriberConfig{Stream: subjects.StreamEvents("box"), Durable: func(string) string { return "c" }})
	if err := sub.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := sub.Subscribe(context.Background(), subjects.EventsWildcard("box")); !errors.Is(err, projection.ErrSubscriberClosed) {
		t.Fatalf("got %v", err)
	}
}
