package bus

import (
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
)

// Live is a subscription to what a stream republishes under one subject.
type Live struct {
	sub *nats.Subscription
	ch  chan *nats.Msg
}

// LiveEntry is a message as it was republished after being stored.
type LiveEntry struct {
	// Subject under which it is stored, and Seq, its sequence there.
	Subject string
	Seq     uint64
	// Previous is the sequence of the message before it under the same subject, 0 if it
	// was the first.
	Previous uint64
	Data     []byte
}

// Listen subscribes to the destination of a republishing stream. Of what nobody takes it
// holds buffer messages; more are dropped and counted. A republished message may be lost
// without a trace (with its server, with the connection): the log holds it.
func (b *Bus) Listen(subject string, buffer int) (*Live, error) {
	l := &Live{ch: make(chan *nats.Msg, buffer)}
	sub, err := b.nc.ChanSubscribe(subject, l.ch)
	if err != nil {
		return nil, fmt.Errorf("bus: listen: %w", classify(err))
	}
	l.sub = sub
	return l, nil
}

// C gives the messages in the order in which they came; it is never closed. Parse reads
// one.
func (l *Live) C() <-chan *nats.Msg { return l.ch }

// Dropped counts the messages that found no room.
func (l *Live) Dropped() uint64 {
	n, err := l.sub.Dropped()
	if err != nil { // closed: nothing comes any more
		return 0
	}
	return uint64(max(n, 0))
}

// Close ends the subscription.
func (l *Live) Close() { _ = l.sub.Unsubscribe() }

// ParseLive reads a republished message; ok is false for one that the server did not
// republish.
func ParseLive(m *nats.Msg) (e LiveEntry, ok bool) {
	seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	if err != nil || seq == 0 {
		return LiveEntry{}, false
	}
	prev, err := strconv.ParseUint(m.Header.Get("Nats-Last-Sequence"), 10, 64)
	if err != nil {
		return LiveEntry{}, false
	}
	return LiveEntry{Subject: m.Header.Get("Nats-Subject"), Seq: seq, Previous: prev, Data: m.Data}, true
}
