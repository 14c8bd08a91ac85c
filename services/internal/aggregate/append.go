package aggregate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// settle makes the batch's verdicts stand: it appends the commit, if there is one, and
// otherwise confirms that the state they were given on is the log's head.
func (a *actor[S, C, E]) settle(d *draft[C]) error {
	ctx := a.e.ctx
	if len(d.order) == 0 && !a.bars(d) {
		return a.confirm(ctx, d)
	}
	if len(d.commit.Public.Events) > 0 && len(d.commit.Sealed) > 0 {
		// The order is spelled only where it is not "public, then sealed".
		if i := bytes.IndexByte(d.order, 's'); bytes.IndexByte(d.order[i:], 'p') >= 0 {
			d.commit.Order = string(d.order)
		}
	}
	d.commit.Public.Patch = noPatch
	if len(d.order) > 0 {
		if err := a.patch(d); err != nil {
			return err
		}
	}
	var err error
	if a.buf, err = subjects.AppendCommit(a.buf[:0], &d.commit); err != nil {
		return fmt.Errorf("%w: encode: %w", errPoison, err)
	}
	if err := a.schedule(); err != nil {
		return err
	}
	begin := time.Now()
	span := appending(&a.e.opt, d, a.e.m.Service())
	seq, err := a.append(ctx, d, a.buf)
	appended(span, err)
	if err != nil {
		return err
	}
	a.e.commits.Add(1)
	if m := a.e.opt.Metrics; m != nil {
		m.committed(d.accepted(), len(d.order), len(a.buf), time.Since(begin))
	}
	a.f.Epoch, a.f.Rev, a.f.Seq, a.f.At = d.commit.Epoch, d.commit.Rev, seq, d.commit.At
	a.f.sinceSnapshot++
	if cap(a.buf) > 1<<20 {
		a.buf = nil // an outlier is not kept for ever
	}
	return nil
}

// bars reports whether the batch, which has no events, must be confirmed by an empty
// commit (see Delivery.Again). An aggregate that is not there is not brought into being
// by that: then the head must do.
func (a *actor[S, C, E]) bars(d *draft[C]) bool {
	for i := range d.verdicts {
		if v := &d.verdicts[i]; v.it.again && !v.proven && a.f.Rev > 0 {
			return true
		}
	}
	return false
}

var noPatch = json.RawMessage("{}")

func (a *actor[S, C, E]) patch(d *draft[C]) (err error) {
	d.commit.Public.Patch, err = safely(func() (json.RawMessage, error) { return a.e.m.Patch(a.f.State, &a.marks) })
	if err != nil {
		return fmt.Errorf("%w: patch: %w", errPoison, err)
	}
	return nil
}

// confirm makes sure that answers which left no trace were given on the log's head.
func (a *actor[S, C, E]) confirm(ctx context.Context, d *draft[C]) error {
	woken, open := false, false
	for _, v := range d.verdicts {
		woken = woken || v.it.scheduled()
		open = open || !v.proven
	}
	if woken {
		// The schedule that brought this wake is gone once it is answered.
		if err := a.schedule(); err != nil {
			return err
		}
	}
	if !open || a.fresh { // a load has read the head
		return nil
	}
	head, err := a.e.j.Head(ctx, a.id)
	if err != nil {
		return err
	}
	if !a.f.endsWith(head) {
		return ErrFenced
	}
	return nil
}

// append stores the commit and finds out what became of it: an append without an answer
// is looked up at the log's head, and made again, at the same place, if it is not there.
// The fence lets only one of them in. When a command in it has gone stale meanwhile, it
// is not made again.
func (a *actor[S, C, E]) append(ctx context.Context, d *draft[C], data []byte) (uint64, error) {
	if d.gone() {
		return 0, ErrFenced // nothing was sent: decide again without it
	}
	seq, err := a.e.j.Append(ctx, a.id, data, a.f.Seq)
	if err == nil || errors.Is(err, ErrTooLarge) || errors.Is(err, ErrFull) {
		return seq, err
	}
	deadline := time.Now().Add(a.e.opt.Resolve)
	for pause := 10 * time.Millisecond; ; pause = min(pause*2, time.Second) {
		head, herr := a.e.j.Head(ctx, a.id)
		if herr == nil {
			switch {
			case head.Seq > a.f.Seq && bytes.Equal(head.Data, data):
				return head.Seq, nil // it is ours, whichever try it was
			case !a.f.endsWith(head):
				a.e.conflicts.Add(1)
				return 0, ErrFenced
			case d.gone():
				return 0, fmt.Errorf("%w: an append was not answered in time: %w", ErrUnavailable, err)
			}
			// It is not there, or the refusal was an old answer. Try again.
			if seq, err = a.e.j.Append(ctx, a.id, data, a.f.Seq); err == nil {
				return seq, nil
			}
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return 0, fmt.Errorf("%w: outcome of an append is not known: %w", ErrUnavailable, err)
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
}

// gone reports whether another owner may have one of the accepted commands by now.
func (d *draft[C]) gone() bool {
	for i := range d.verdicts {
		if d.verdicts[i].accepted && d.verdicts[i].it.gone() {
			return true
		}
	}
	return false
}
