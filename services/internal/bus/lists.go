package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tuttihq/tutti/subjects"
)

const (
	// maxOwn bounds the documents of one user that Own gives; those stored first are given.
	maxOwn = 1000
	// maxOwnRead bounds how many it looks at, those that went among them.
	maxOwnRead = 20_000
)

var errOwnEnough = errors.New("bus: enough")

// watchPause is how long Watch waits before it begins again.
const watchPause = 500 * time.Millisecond

// Watch calls changed with every live document of a public table, then ready, then changed
// with each that comes, changes or goes (body nil), in order, from one goroutine, until
// ctx ends; then it returns nil. After the connection was lost it begins anew: it calls
// again, then changed with every live document there is, then ready. Documents that are
// undecodable are passed over.
func (b *Bus) Watch(ctx context.Context, table string, changed func(id string, body json.RawMessage), ready, again func()) error {
	return b.watchDocuments(ctx, table, b.there, changed, ready, again)
}

// Hear calls changed with each document of a public table that comes, changes or goes (body
// nil) from now on, in order, from one goroutine, until ctx ends; then it returns nil. It
// calls begun when it has begun to hear: what is read after that lacks nothing that is not
// heard. After the connection was lost it begins anew, and calls begun again: what changed
// meanwhile was not heard. Documents that are undecodable are passed over.
func (b *Bus) Hear(ctx context.Context, table string, changed func(id string, body json.RawMessage), begun func()) error {
	return b.watchDocuments(ctx, table, b.toCome, changed, begun, func() {})
}

// start says from where on documents are delivered.
type start func(context.Context) (jetstream.OrderedConsumerConfig, error)

// there is from the last of every document on.
func (*Bus) there(context.Context) (jetstream.OrderedConsumerConfig, error) {
	return jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy}, nil
}

// toCome is from now on. It names the sequence rather than ask for what is new: a consumer
// that is lost before it delivered anything begins again where it began.
func (b *Bus) toCome(ctx context.Context) (jetstream.OrderedConsumerConfig, error) {
	s, err := b.StreamState(ctx, subjects.StreamState)
	if err != nil {
		return jetstream.OrderedConsumerConfig{}, err
	}
	return jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: s.LastSeq + 1}, nil
}

func (b *Bus) watchDocuments(ctx context.Context, table string, from start, changed func(string, json.RawMessage), ready, again func()) error {
	lost := make(chan struct{}, 1)
	remove := b.OnReconnect(func() {
		select {
		case lost <- struct{}{}:
		default:
		}
	})
	defer remove()
	for first := true; ctx.Err() == nil; first = false {
		if !first {
			again()
		}
		if err := b.watchOnce(ctx, lost, table, from, changed, ready); err != nil && ctx.Err() == nil {
			b.log.Warn("watching documents was interrupted; beginning again", "table", table, "err", err)
			sleep(ctx, watchPause)
		}
	}
	return nil
}

// watchOnce watches until ctx ends or the connection was lost.
func (b *Bus) watchOnce(ctx context.Context, lost <-chan struct{}, table string, from start, changed func(string, json.RawMessage), ready func()) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	cfg, err := from(withDefault(inner))
	if err != nil {
		return fmt.Errorf("bus: watch: %w", err)
	}
	cfg.FilterSubjects, cfg.MaxResetAttempts = []string{subjects.StateWildcard(table)}, resetAttempts
	c, err := b.js.OrderedConsumer(withDefault(inner), subjects.StreamState, cfg)
	if err != nil {
		return fmt.Errorf("bus: watch: %w", classify(err))
	}
	info, err := c.Info(withDefault(inner))
	if err != nil {
		return fmt.Errorf("bus: watch: %w", classify(err))
	}
	it, err := c.Messages(jetstream.PullHeartbeat(5 * time.Second))
	if err != nil {
		return fmt.Errorf("bus: watch: %w", classify(err))
	}
	defer it.Stop()
	// A Stop while the iterator puts itself right after a loss stops what it had before, and
	// Next goes on with what it has then; so the wait is ended as well.
	waiting, enough := context.WithCancel(inner)
	defer enough()
	broken := make(chan struct{})
	go func() {
		defer close(broken)
		select {
		case <-lost:
			enough()
		case <-inner.Done():
		}
	}()
	defer func() { cancel(); <-broken }()

	complete := info.NumPending == 0
	if complete {
		ready()
	}
	for {
		m, err := it.Next(jetstream.NextContext(waiting))
		if err != nil {
			if waiting.Err() != nil {
				return nil
			}
			return classify(err)
		}
		if d, err := DecodeState(m.Subject(), m.Data()); err == nil {
			if d.Deleted {
				d.Body = nil
			}
			changed(d.ID, d.Body)
		}
		if complete {
			continue
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("bus: watch: %w", err)
		}
		if complete = meta.NumPending == 0; complete {
			ready()
		}
	}
}

// Own reads a user's documents of a table that concerns single users, by the rest of their
// id. Any replica may answer, so it may be a little old: ask again after a moment where
// that matters, and see OnOwn.
func (b *Bus) Own(ctx context.Context, table, user string) (map[string]json.RawMessage, error) {
	if !subjects.Token(table) || !subjects.Token(user) {
		return nil, fmt.Errorf("bus: own documents of %q in %q: not names", user, table)
	}
	out := map[string]json.RawMessage{}
	seen := 0
	err := b.Read(ctx, subjects.StreamState, subjects.OwnWildcard(table, user), 1, func(e Entry) error {
		if seen++; seen > maxOwnRead {
			return errOwnEnough
		}
		if d, err := DecodeState(e.Subject, e.Data); err == nil && !d.Deleted {
			out[d.ID] = d.Body
		}
		if len(out) == maxOwn {
			return errOwnEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errOwnEnough) {
		return nil, fmt.Errorf("bus: own documents: %w", err)
	}
	return out, nil
}

// OnOwn calls f when a user's documents may have changed: after one was stored, and after
// the connection was lost. f must not block. Stop ends it.
func (b *Bus) OnOwn(table, user string, f func()) (stop func(), err error) {
	sub, err := b.nc.Subscribe(subjects.OwnFeed(table, user), func(*nats.Msg) { f() })
	if err != nil {
		return nil, fmt.Errorf("bus: own documents: %w", classify(err))
	}
	remove := b.OnReconnect(f)
	return func() {
		remove()
		_ = sub.Unsubscribe()
	}, nil
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
