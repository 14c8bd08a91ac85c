package aggregate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

var errFarEnough = errors.New("aggregate: far enough")

// LoadAsOf folds an aggregate from the beginning of its log up to a revision, or to the
// log's end if that comes first.
func LoadAsOf[S, E any](ctx context.Context, j Journal, fold Fold[S, E], id string, rev uint64) (*Folded[S], error) {
	f := empty(fold, id)
	err := j.Read(ctx, id, 1, func(e Entry) error {
		if f.Rev >= rev {
			return errFarEnough
		}
		c, err := subjects.DecodeCommit(e.Data)
		if err != nil {
			return nil // no commit; see tail
		}
		return apply(fold, f, e.Seq, &c)
	})
	if err != nil && !errors.Is(err, errFarEnough) {
		return nil, err
	}
	return f, nil
}

// tailCheck is how often Tail compares what it saw with the log: live messages may be
// lost with a server.
const tailCheck = 5 * time.Second

// Tail calls f for every commit of an aggregate in order, first those in the log and then,
// if follow is set, those that come, until ctx ends. It misses none and repeats none.
func Tail(ctx context.Context, b *bus.Bus, service, id string, follow bool, f func(seq uint64, c subjects.Commit) error) error {
	// Subscribe first: what comes while the log is read is then a hint to read on.
	news := make(chan *nats.Msg, 1)
	if follow {
		sub, err := b.Conn().Subscribe(subjects.Feed(service, id), func(m *nats.Msg) {
			select {
			case news <- m:
			default:
			}
		})
		if err != nil {
			return fmt.Errorf("aggregate: tail: %w", err)
		}
		defer func() { _ = sub.Unsubscribe() }()
	}
	j := NewJournal(b, service)
	next := uint64(1)
	t := time.NewTicker(tailCheck)
	defer t.Stop()
	for {
		err := j.Read(ctx, id, next, func(e Entry) error {
			next = e.Seq + 1
			c, err := subjects.DecodeCommit(e.Data)
			if err != nil {
				return nil // no commit; see tail
			}
			return f(e.Seq, c)
		})
		if err != nil && (!follow || !errors.Is(err, ErrUnavailable)) {
			return err
		}
		if !follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-news:
		case <-t.C:
		}
	}
}
