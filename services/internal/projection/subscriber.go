package projection

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/tuttihq/tutti/services/internal/bus"
)

// Keys of the metadata that a Subscriber gives a message.
const (
	// MetaSubject is the subject under which the message is stored.
	MetaSubject = "subject"
	// MetaSequence is its sequence in the stream.
	MetaSequence = "sequence"
	// MetaDelivered counts its deliveries, from 1.
	MetaDelivered = "delivered"
)

// SubscriberConfig names the durable consumers of a Subscriber.
type SubscriberConfig struct {
	// Stream to read.
	Stream string
	// Durable names the consumer of a topic. Subscribers of one name, in this process or
	// others, share the topic's messages.
	Durable func(topic string) string
	// InFlight bounds the messages of a topic that are handed out and neither acked nor
	// nacked, over all who share the consumer; the server holds back the rest. Default 512.
	InFlight int
	// AckWait is how long a message stays with a process that died, 30 s unless set. One
	// that is worked on stays for as long as it takes.
	AckWait time.Duration
	// Delay is how long a nacked message is held back. Default: half a second, doubling
	// with each delivery up to 30 s.
	Delay func(m *message.Message) time.Duration
	// Drain is how long Close waits for the handlers of messages that are out. Default 5 s.
	Drain time.Duration
	Log   *slog.Logger

	// barrier, unless it is nil, stands between the ack of a message and telling the server;
	// where it fails, the message is held back as if it were nacked.
	barrier *barrier
}

func (c SubscriberConfig) withDefaults() SubscriberConfig {
	if c.InFlight <= 0 {
		c.InFlight = 512
	}
	if c.AckWait <= 0 {
		c.AckWait = 30 * time.Second
	}
	if c.Delay == nil {
		c.Delay = backOff
	}
	if c.Drain <= 0 {
		c.Drain = 5 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// backOff is the default of SubscriberConfig.Delay.
func backOff(m *message.Message) time.Duration {
	delivered, err := parseUint(m.Metadata.Get(MetaDelivered))
	if err != nil || delivered == 0 {
		delivered = 1
	}
	return min(500*time.Millisecond<<min(delivered-1, 6), 30*time.Second)
}

// Subscriber is a watermill subscriber over durable consumers of a stream; a topic is a
// subject, which may hold wildcards. Messages come at least once, and go out without
// waiting for each other's ack, in the stream's order except where one comes again. An
// ack or nack reaches the server at some later moment; if it gets lost the message comes
// again.
//
// When the server is away, or the consumer was deleted, a subscription opens it again
// until it succeeds.
type Subscriber struct {
	bus *bus.Bus
	cfg SubscriberConfig

	closing chan struct{} // closed by Close: no more messages go out
	wg      sync.WaitGroup

	mu     sync.Mutex
	closed bool
}

var _ message.Subscriber = (*Subscriber)(nil)

// NewSubscriber makes a Subscriber. Close it before the bus.
func NewSubscriber(b *bus.Bus, cfg SubscriberConfig) *Subscriber {
	return &Subscriber{bus: b, cfg: cfg.withDefaults(), closing: make(chan struct{})}
}

// ErrSubscriberClosed is returned by Subscribe after Close.
var ErrSubscriberClosed = errors.New("projection: subscriber is closed")

// Subscribe implements message.Subscriber. It fails only after Close. When ctx ends, the
// messages that are out are given back at once.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrSubscriberClosed
	}
	t := &subscription{
		s: s, topic: topic, out: make(chan *message.Message), held: make(map[uint64]*delivery),
	}
	// pull ends with Close; ctx, and the messages with it, only after the handlers did.
	ctx, cancel := context.WithCancel(ctx)
	pull, stop := context.WithCancel(ctx)
	s.wg.Go(func() {
		select {
		case <-s.closing:
		case <-pull.Done():
		}
		stop()
	})
	s.wg.Go(func() {
		defer cancel()
		defer stop()
		t.pump(pull, ctx)
		close(t.out)
		t.drain(ctx, cancel)
	})
	return t.out, nil
}

// Close implements message.Subscriber: no more messages go out, those that are out may
// still be acked for a while (SubscriberConfig.Drain), the rest is given back.
func (s *Subscriber) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	s.mu.Unlock()
	s.wg.Wait()
	return nil
}

// subscription is one topic of a Subscriber.
type subscription struct {
	s     *Subscriber
	topic string
	out   chan *message.Message
	wg    sync.WaitGroup // of the deliveries

	mu   sync.Mutex
	held map[uint64]*delivery // by sequence; at most InFlight
}

func (t *subscription) open(ctx context.Context) (*bus.Subscription, error) {
	ctx, cancel := context.WithTimeout(ctx, openWait)
	defer cancel()
	return t.s.bus.Consume(ctx, bus.ConsumerSpec{
		Stream: t.s.cfg.Stream, Name: t.s.cfg.Durable(t.topic), Filters: []string{t.topic},
		InFlight: t.s.cfg.InFlight, AckWait: t.s.cfg.AckWait,
	})
}

const (
	openWait  = 10 * time.Second
	reopenMin = 100 * time.Millisecond
	reopenMax = 5 * time.Second
	// givenBack is long enough for the server to see that the old reader is gone.
	givenBack = 200 * time.Millisecond
)

// pump hands out messages until pull ends.
func (t *subscription) pump(pull, ctx context.Context) {
	for wait := reopenMin; ; wait = min(2*wait, reopenMax) {
		handed, err := t.read(pull, ctx)
		if handed {
			wait = reopenMin
		}
		if pull.Err() == nil {
			t.s.cfg.Log.Debug("consumer interrupted; it is opened again", "topic", t.topic, "err", err)
		}
		if !pause(pull, wait) {
			return
		}
	}
}

// read hands out messages until the consumer is interrupted, and whether there were any.
func (t *subscription) read(pull, ctx context.Context) (handed bool, err error) {
	sub, err := t.open(pull)
	if err != nil {
		return false, err
	}
	// What was asked of a server before the connection broke may be forgotten there, and
	// the client notices only after missed heartbeats.
	reading, interrupt := context.WithCancel(pull)
	defer interrupt()
	defer t.s.bus.OnReconnect(interrupt)()
	for {
		m, err := sub.Next(reading)
		if err != nil {
			if pull.Err() != nil {
				giveBack(sub, t.s.cfg.InFlight)
			}
			sub.Stop()
			return handed, err
		}
		handed = true
		t.deliver(pull, ctx, m)
	}
}

// giveBack returns what was delivered to this process and not yet read, so that nobody
// needs to wait until it is missed. It takes no time when the server is away.
func giveBack(sub *bus.Subscription, most int) {
	for range most {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		m, err := sub.Next(ctx)
		cancel()
		if err != nil || m.Nak(givenBack) != nil {
			return
		}
	}
}

// delivery is a message that is out.
type delivery struct {
	msg    *message.Message
	cancel context.CancelFunc

	mu   sync.Mutex
	from *bus.Message // the last delivery of it
}

func (d *delivery) last() *bus.Message {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.from
}

func (t *subscription) deliver(pull, ctx context.Context, m *bus.Message) {
	t.mu.Lock()
	if d := t.held[m.Seq]; d != nil {
		// The server gave up waiting for us. Whoever works on it goes on.
		d.mu.Lock()
		d.from = m
		d.mu.Unlock()
		t.mu.Unlock()
		return
	}
	seq := strconv.FormatUint(m.Seq, 10)
	ctx, cancel := context.WithCancel(ctx)
	msg := message.NewMessageWithContext(ctx, t.s.cfg.Stream+"."+seq, m.Data)
	msg.Metadata.Set(MetaSubject, m.Subject)
	msg.Metadata.Set(MetaSequence, seq)
	msg.Metadata.Set(MetaDelivered, strconv.FormatUint(m.Delivered, 10))
	d := &delivery{msg: msg, cancel: cancel, from: m}
	t.held[m.Seq] = d
	t.mu.Unlock()
	t.wg.Go(func() { t.await(ctx, m.Seq, d) })
	select {
	case t.out <- msg:
	case <-pull.Done():
		msg.Nack()
	}
}

// await passes the fate of a message on to the server.
func (t *subscription) await(ctx context.Context, seq uint64, d *delivery) {
	defer d.cancel()
	acked := t.outcome(ctx, seq, d)
	t.mu.Lock()
	delete(t.held, seq)
	t.mu.Unlock()
	m := d.last()
	var err error
	if acked {
		err = m.Ack()
	} else {
		var delay time.Duration
		if ctx.Err() == nil {
			delay = t.s.cfg.Delay(d.msg)
		}
		err = m.Nak(delay)
	}
	if err != nil {
		t.s.cfg.Log.Debug("ack not sent; the message comes again", "sequence", seq, "err", err)
	}
}

// outcome waits for the fate of a message, and reports whether it is to be acked. One that
// is acked when ctx ends still crosses the barrier, whose owner sees to it that this ends.
func (t *subscription) outcome(ctx context.Context, seq uint64, d *delivery) bool {
	beat := time.NewTicker(t.s.cfg.AckWait / 3)
	defer beat.Stop()
	acked, gone := d.msg.Acked(), ctx.Done()
	var through *crossing
	var crossed <-chan struct{} // of through
	for {
		select {
		case <-beat.C:
			if err := d.last().InProgress(); err != nil {
				t.s.cfg.Log.Debug("no sign of progress sent", "sequence", seq, "err", err)
			}
		case <-acked:
			if t.s.cfg.barrier == nil {
				return true
			}
			through = t.s.cfg.barrier.join(unsyncedBefore(d.msg))
			acked, crossed = nil, through.done
		case <-crossed:
			if through.err != nil {
				d.msg.Metadata.Set(metaWaiting, "yes")
			}
			return through.err == nil
		case <-d.msg.Nacked():
			return false
		case <-gone:
			if !isDone(d.msg.Acked()) {
				return false
			}
			gone = nil
		}
	}
}

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// drain waits until what is out is settled, then gives the rest back.
func (t *subscription) drain(ctx context.Context, cancel context.CancelFunc) {
	settled := make(chan struct{})
	go func() {
		t.wg.Wait()
		close(settled)
	}()
	timer := time.NewTimer(t.s.cfg.Drain)
	defer timer.Stop()
	select {
	case <-settled:
	case <-ctx.Done():
	case <-timer.C:
	}
	cancel()
	<-settled
}

// pause waits, and reports whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func parseUint(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("projection: message without a number: %w", err)
	}
	return n, nil
}
