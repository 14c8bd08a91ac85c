package aggregate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tuttihq/tutti/services/internal/telemetry"
	"github.com/tuttihq/tutti/subjects"
)

// lane holds back a principal's commands behind the first of them that is being
// prepared, so that none overtakes it; everybody else's go on. Both lists are sorted by
// arrival. There may be several under preparation: one that went ahead is decided again
// after a conflict, and may then need preparing itself. What is prepared goes back to the
// queue between two batches, not before: the present batch may hold commands that came
// later.
type lane[C any] struct {
	preparing []*item[C]
	waiting   []*item[C]
}

// first is the arrival of the lane's first command.
func (l *lane[C]) first() uint64 {
	first := ^uint64(0)
	if len(l.preparing) > 0 {
		first = l.preparing[0].arrival
	}
	if len(l.waiting) > 0 {
		first = min(first, l.waiting[0].arrival)
	}
	return first
}

func insert[C any](items []*item[C], it *item[C]) []*item[C] {
	i, _ := slices.BinarySearchFunc(items, it, func(a, b *item[C]) int { return cmp.Compare(a.arrival, b.arrival) })
	return slices.Insert(items, i, it)
}

// setAside puts a command into its principal's lane, if there is one with an earlier
// command in it.
func (a *actor[S, C, E]) setAside(it *item[C]) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	l, ok := a.lanes[it.call.Principal]
	if !ok || it.arrival < l.first() {
		return false
	}
	l.waiting = insert(l.waiting, it)
	a.waiting++
	return true
}

// prepare prepares a command beside the worker, with a lane behind it.
func (a *actor[S, C, E]) prepare(it *item[C]) {
	a.mu.Lock()
	if a.lanes == nil {
		a.lanes = map[string]*lane[C]{}
	}
	l := a.lanes[it.call.Principal]
	if l == nil {
		l = &lane[C]{}
		a.lanes[it.call.Principal] = l
	}
	l.preparing = insert(l.preparing, it)
	a.waiting++
	a.mu.Unlock()
	a.e.wg.Go(func() {
		cmd, err := a.runPrepare(it)
		var r *subjects.Refusal
		switch {
		case err == nil:
			it.cmd, it.prepared = cmd, true
		case errors.Is(err, errPanic):
			a.blame(it, err)
		default:
			if !errors.As(err, &r) {
				a.e.opt.Log.WarnContext(it.seen.span.In(a.e.ctx), "preparation failed",
					a.e.m.Service(), a.id, "verb", it.call.Verb, telemetry.KeyCommand, it.call.Command, "err", err)
				r = subjects.Refuse(subjects.CodeUnavailable, "what the command needs could not be had now")
			}
			it.refusal = r
		}
		a.rejoin(l, it)
	})
}

// rejoin has the worker put a prepared command, and what waited for it, back into the
// queue.
func (a *actor[S, C, E]) rejoin(l *lane[C], it *item[C]) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l.preparing = slices.DeleteFunc(l.preparing, func(o *item[C]) bool { return o == it })
	l.waiting = insert(l.waiting, it)
	a.ready = append(a.ready, it.call.Principal)
	a.start()
}

// merge puts what is prepared back into the queue, and what waited for it. What must
// still wait for an earlier one does. a.mu is held, by the worker between two batches.
func (a *actor[S, C, E]) merge() {
	for _, principal := range a.ready {
		l := a.lanes[principal]
		if l == nil {
			continue
		}
		free := len(l.waiting)
		if len(l.preparing) > 0 {
			first := l.preparing[0].arrival
			free, _ = slices.BinarySearchFunc(l.waiting, first, func(it *item[C], first uint64) int { return cmp.Compare(it.arrival, first) })
		} else {
			delete(a.lanes, principal)
		}
		a.waiting -= free
		a.enqueue(slices.Clone(l.waiting[:free]))
		l.waiting = slices.Delete(l.waiting, 0, free)
	}
	a.ready = a.ready[:0]
}

func (a *actor[S, C, E]) runPrepare(it *item[C]) (C, error) {
	var zero C
	select {
	case a.e.preps <- struct{}{}:
	case <-a.e.ctx.Done():
		return zero, fmt.Errorf("%w: stopping", ErrUnavailable)
	}
	defer func() { <-a.e.preps }()
	ctx, cancel := context.WithTimeout(it.seen.span.In(a.e.ctx), a.e.opt.PrepareTimeout)
	defer cancel()
	ctx, span := telemetry.Child(ctx, "prepare", telemetry.KindInternal)
	defer span.End()
	return safely(func() (C, error) { return a.e.m.Prepare(ctx, it.call, it.cmd) })
}
