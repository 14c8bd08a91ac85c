package aggregate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// ErrBrokenLog is returned when an aggregate's log does not hold what a log must: commits
// that decode, with revisions that grow by one.
var ErrBrokenLog = errors.New("aggregate: broken log")

// Folded is an aggregate as its log makes it.
type Folded[S any] struct {
	ID    string
	State S
	// Epoch and Rev name the last commit; Rev is 0 for an empty log.
	Epoch, Rev uint64
	// Seq is the last commit's sequence in the stream, 0 for an empty log.
	Seq uint64
	// At is the last commit's time in Unix milliseconds.
	At int64
	// Unknown is set when the log holds an event that this release cannot fold: State is
	// then no basis for a decision.
	Unknown error

	memory *memory // nil for one who only looks
	// sinceSnapshot counts the commits folded on top of the last snapshot.
	sinceSnapshot int
	// erased says that an event since then took away what that snapshot may hold; see Eraser.
	erased bool
	// raised says that the epoch is higher than the log's last commit says.
	raised bool
}

// endsWith reports whether head is the commit that f ends with. A log that has lost its
// tail and grown anew may have another one at the same sequence.
func (f *Folded[S]) endsWith(head Entry) bool {
	if head.Seq != f.Seq || f.Seq == 0 {
		return head.Seq == f.Seq
	}
	// A raised epoch is known before it is in a commit.
	c, err := placeOf(head.Data)
	return err == nil && c.Rev == f.Rev && c.Epoch <= f.Epoch && c.At <= f.At
}

// placeOf reads epoch, rev and at of an encoded commit, and nothing else if it stands as
// subjects.AppendCommit writes it.
func placeOf(data []byte) (c subjects.Commit, err error) {
	rest, ok := data, true
	number := func(key string) (n uint64) {
		if ok = ok && bytes.HasPrefix(rest, []byte(key)); !ok {
			return 0
		}
		rest = rest[len(key):]
		i := 0
		for ; i < len(rest) && i < 19 && rest[i] >= '0' && rest[i] <= '9'; i++ {
			n = n*10 + uint64(rest[i]-'0')
		}
		ok = i > 0
		rest = rest[i:]
		return n
	}
	c.Epoch, c.Rev, c.At = number(`{"epoch":`), number(`,"rev":`), int64(number(`,"at":`))
	if ok = ok && bytes.HasPrefix(rest, []byte(`,"public":`)); ok {
		return c, nil
	}
	return subjects.DecodeCommit(data)
}

const (
	loadTries = 5
	loadPause = 20 * time.Millisecond
)

// Load folds an aggregate from its last snapshot and the log's tail, up to what was the
// log's head when it was called, or later. An aggregate without a log gives the state
// that fold.New gives, at revision 0.
func Load[S, E any](ctx context.Context, j Journal, fold Fold[S, E], id string) (*Folded[S], error) {
	// The snapshot before the head: what is in it was then in the log already.
	raw, err := j.LoadSnapshot(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("aggregate: load %s: %w", id, err)
	}
	head, err := j.Head(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("aggregate: load %s: %w", id, err)
	}
	var epoch uint64
	if raw != nil {
		snap, f, err := decodeSnapshot(fold, id, raw)
		switch {
		case snap.Seq > head.Seq:
			// The snapshot knows commits that the log has lost.
			epoch = snap.Epoch + 1
		case err != nil:
			// Damaged, or of another fold: the log says it all. Its epoch still counts.
			epoch = snap.Epoch
		default:
			err := fromSnapshot(ctx, j, fold, f, head)
			if err == nil {
				return f, nil
			}
			if !errors.Is(err, errForeignSnapshot) {
				return nil, err
			}
			epoch = snap.Epoch
		}
	}
	f := empty(fold, id)
	if err := catchUp(ctx, j, fold, f, head.Seq); err != nil {
		return nil, err
	}
	f.raised = epoch > f.Epoch
	f.Epoch = max(f.Epoch, epoch)
	return f, nil
}

func empty[S, E any](fold Fold[S, E], id string) *Folded[S] {
	return &Folded[S]{ID: id, State: fold.New(id), memory: newMemory()}
}

// errForeignSnapshot means that a snapshot is not of the log that is there.
var errForeignSnapshot = errors.New("aggregate: snapshot of another log")

// fromSnapshot brings f, which a snapshot holds, up to the head, and checks on the way
// that the snapshot belongs to this log.
func fromSnapshot[S, E any](ctx context.Context, j Journal, fold Fold[S, E], f *Folded[S], head Entry) error {
	if f.Seq == head.Seq {
		if !f.endsWith(head) {
			return errForeignSnapshot
		}
		return nil
	}
	first := true
	snapshotEpoch := f.Epoch
	return tail(ctx, j, f.ID, f.Seq+1, head.Seq, func(e Entry, c *subjects.Commit) error {
		if first && c != nil && (c.Rev != f.Rev+1 || c.Epoch != snapshotEpoch) {
			return errForeignSnapshot
		}
		first = first && c == nil
		if c == nil {
			f.Seq = e.Seq
			return nil
		}
		return apply(fold, f, e.Seq, c)
	}, func() uint64 { return f.Seq })
}

// catchUp folds what the log holds beyond f, at least up to sequence upTo.
func catchUp[S, E any](ctx context.Context, j Journal, fold Fold[S, E], f *Folded[S], upTo uint64) error {
	if f.Seq >= upTo {
		return nil
	}
	return tail(ctx, j, f.ID, f.Seq+1, upTo, func(e Entry, c *subjects.Commit) error {
		if c == nil {
			f.Seq = e.Seq
			return nil
		}
		return apply(fold, f, e.Seq, c)
	}, func() uint64 { return f.Seq })
}

// tail reads commits from a sequence on until at least upTo was seen, asking again for a
// moment when a lagging replica answered. f gets nil for an entry that is no commit:
// somebody who could write to the log has, and it must not harm the aggregate. Only its
// sequence counts. That no commit is missing is seen by the revisions.
func tail(ctx context.Context, j Journal, id string, from, upTo uint64, f func(Entry, *subjects.Commit) error, at func() uint64) error {
	for try := 1; ; try++ {
		err := j.Read(ctx, id, from, func(e Entry) error {
			c, err := subjects.DecodeCommit(e.Data)
			if err != nil {
				return f(e, nil)
			}
			return f(e, &c)
		})
		if err != nil {
			return err
		}
		if at() >= upTo {
			return nil
		}
		if try == loadTries {
			return fmt.Errorf("%w: the log of %s was read to %d, its head is at %d", ErrUnavailable, id, at(), upTo)
		}
		from = at() + 1
		t := time.NewTimer(loadPause << try)
		select {
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
		case <-t.C:
		}
	}
}

// apply folds one commit of the log.
func apply[S, E any](fold Fold[S, E], f *Folded[S], seq uint64, c *subjects.Commit) error {
	if c.Rev != f.Rev+1 {
		return fmt.Errorf("%w: %s: revision %d follows %d at sequence %d", ErrBrokenLog, f.ID, c.Rev, f.Rev, seq)
	}
	_, err := safely(func() (struct{}, error) { return struct{}{}, applyEvents(fold, f, c) })
	if errors.Is(err, errPanic) {
		err = fmt.Errorf("%w: %s: revision %d: %w", ErrBrokenLog, f.ID, c.Rev, err)
	}
	if err != nil {
		return err
	}
	f.Epoch, f.Rev, f.Seq, f.At = max(f.Epoch, c.Epoch), c.Rev, seq, max(f.At, c.At)
	f.sinceSnapshot++
	return nil
}

func applyEvents[S, E any](fold Fold[S, E], f *Folded[S], c *subjects.Commit) error {
	var last commandKey
	return c.Each(func(e *subjects.Event, to []string) error {
		if f.memory != nil {
			if k, err := keyOf(e.By, e.Cmd); err == nil && k != last {
				f.memory.add(k, first{epoch: c.Epoch, rev: c.Rev, at: c.At})
				last = k
			}
		}
		if f.Unknown != nil {
			return nil
		}
		ev, err := fold.DecodeEvent(e.Type, e.Body)
		if errors.Is(err, ErrUnknownEvent) {
			f.Unknown = fmt.Errorf("aggregate: %s: revision %d: %w", f.ID, c.Rev, err)
			return nil
		}
		if err == nil {
			err = fold.Evolve(f.State, subjects.Meta{By: e.By, Cmd: e.Cmd, At: e.At, To: to}, ev, nil)
		}
		if err != nil {
			return fmt.Errorf("%w: %s: revision %d, %s: %w", ErrBrokenLog, f.ID, c.Rev, e.Type, err)
		}
		f.erased = f.erased || erases(fold, e.Type)
		return nil
	})
}
