package aggregate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// Send is a command that a reaction sends, through the COMMANDS stream.
type Send struct {
	To   subjects.Command
	Body []byte
	// Refused has the aggregate whose event is the cause told (subjects.VerbRefused) if the
	// command is refused for good.
	Refused bool
}

// Cause is an event with its place, as a reaction sees it.
type Cause struct {
	// ID is the aggregate's.
	ID string
	// Seq orders the events of all aggregates of one shard of the service's log.
	Seq        uint64
	Epoch, Rev uint64
	Event      *subjects.Event
	// To is the audience of a sealed event, nil for a public one.
	To []string
}

// Reaction turns the events of one service into commands to others.
type Reaction struct {
	// Service whose events are the cause, and Name of the reaction, unique and stable: it
	// names the durable consumer.
	Service, Name string
	// React gives the commands that follow from an event. It is called at least once for
	// each event; an error is tried again for as long as it takes. The ids of the commands
	// are derived from the event, so they take effect once. It is called for the shards of
	// the log side by side. The events of one come in its order, but for what a process had fetched and not handled when it ended: that comes
	// again at once if it was stopped, and after reactionAckWait if it was killed, when
	// newer ones may have gone ahead.
	React func(ctx context.Context, c Cause) ([]Send, error)
}

const (
	// reactionInFlight is how many commits of a shard are fetched ahead.
	reactionInFlight = 64
	// reactionAckWait is how long the fetched commits of a killed process are held back.
	reactionAckWait  = 5 * time.Second
	reactionRetryMin = 100 * time.Millisecond
	reactionRetryMax = 10 * time.Second
)

// StartReaction runs a reaction until the returned function is called, which waits for
// it. A commit that cannot be decoded goes to the dead letters.
func StartReaction(b *bus.Bus, r Reaction, log *slog.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, stream := range b.Log(r.Service).Streams() {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := r.run(ctx, b, stream); err != nil && ctx.Err() == nil {
					log.Warn("reaction interrupted", "stream", stream, "reaction", r.Name, "err", err)
					pause(ctx, time.Second)
				}
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}

func (r Reaction) run(ctx context.Context, b *bus.Bus, stream string) error {
	sub, err := b.Consume(ctx, bus.ConsumerSpec{
		Stream: stream, Name: r.Name, InFlight: reactionInFlight, AckWait: reactionAckWait,
	})
	if err != nil {
		return err
	}
	defer sub.Return()
	for {
		m, err := sub.Next(ctx)
		if err != nil {
			return err
		}
		if err := r.handle(ctx, b, m); err != nil {
			return errors.Join(err, m.Nak(0))
		}
	}
}

func (r Reaction) handle(ctx context.Context, b *bus.Bus, m *bus.Message) error {
	_, id, err := subjects.ParseEvents(m.Subject)
	var c subjects.Commit
	if err == nil {
		c, err = subjects.DecodeCommit(m.Data)
	}
	if err != nil {
		if err := b.DeadLetter(ctx, r.Service, m.Subject, err.Error(), m.Data); err != nil {
			return err
		}
		return m.Ack()
	}
	n := 0
	err = c.Each(func(e *subjects.Event, to []string) error {
		n++
		cause := Cause{ID: id, Seq: m.Seq, Epoch: c.Epoch, Rev: c.Rev, Event: e, To: to}
		return r.cause(ctx, b, m, cause, n)
	})
	if err != nil {
		return err
	}
	return m.Ack()
}

// cause carries out what follows from one event, again and again until it is done.
func (r Reaction) cause(ctx context.Context, b *bus.Bus, m *bus.Message, c Cause, n int) error {
	for wait := reactionRetryMin; ; wait = min(wait*2, reactionRetryMax) {
		sends, err := r.React(ctx, c)
		for i := 0; err == nil && i < len(sends); i++ {
			cmd := subjects.DeriveID(subjects.PrefixCommand, time.UnixMilli(c.Event.At),
				r.Name, c.ID, fmt.Sprint(c.Epoch, c.Rev, n, i))
			env := subjects.Envelope{ID: cmd, Body: sends[i].Body}
			if sends[i].Refused {
				env.Refused = &subjects.Origin{Service: r.Service, ID: c.ID}
			}
			err = b.Send(ctx, sends[i].To, env)
		}
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := m.InProgress(); err != nil {
			return err
		}
		pause(ctx, wait)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
