package aggregate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tuttihq/tutti/subjects"
)

// lane holds back a principal's commands behind the first of them that is being
// prepared, so that none overtakes it; everybody else's go on. Both lists are sorted by
// arrival. There may be several under preparation: one that went ahead is decided again
// after a conflict, and may then need preparing itself.
type lane[C any] struct {
	preparing []*item[C]
	waiting   []*item[C]
}

func insert[C any](items []*item[C], it *item[C]) []*item[C] {
	i, _ := slices.BinarySearchFunc(items, it, func(a, b *item[C]) int {
		if a.arrival < b.arrival {
			return -1
		}
		return 1
	})
	return slices.Insert(items, i, it)
}

// setAside puts a command behind its principal's preparation, if an earlier one is under
// way.
func (a *actor[S, C, E]) setAside(it *item[C]) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	l, ok := a.lanes[it.call.Principal]
	if !ok || it.arrival < l.preparing[0].arrival {
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
		switch {
		case err == nil:
			it.cmd, it.prepared = cmd, true
		default:
			var r *subjects.Refusal
			if !errors.As(err, &r) {
				a.e.opt.Log.Warn("preparation failed", "service", a.e.m.Service(), "id", a.id, "verb", it.call.Verb, "err", err)
				r = subjects.Refuse(subjects.CodeUnavailable, "what the command needs could not be had now")
			}
			it.refusal = r
		}
		a.rejoin(l, it)
	})
}

// rejoin puts a prepared command, and what waited for it, back into the queue. What must
// still wait for an earlier one does.
func (a *actor[S, C, E]) rejoin(l *lane[C], it *item[C]) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l.preparing = slices.DeleteFunc(l.preparing, func(o *item[C]) bool { return o == it })
	l.waiting = insert(l.waiting, it)
	free := len(l.waiting)
	if len(l.preparing) > 0 {
		first := l.preparing[0].arrival
		free = 0
		for free < len(l.waiting) && l.waiting[free].arrival < first {
			free++
		}
	} else {
		delete(a.lanes, it.call.Principal)
	}
	a.waiting -= free
	a.enqueue(slices.Clone(l.waiting[:free]))
	l.waiting = slices.Delete(l.waiting, 0, free)
	if free > 0 {
		a.start()
	}
}

func (a *actor[S, C, E]) runPrepare(it *item[C]) (C, error) {
	var zero C
	select {
	case a.e.preps <- struct{}{}:
	case <-a.e.ctx.Done():
		return zero, fmt.Errorf("%w: stopping", ErrUnavailable)
	}
	defer func() { <-a.e.preps }()
	ctx, cancel := context.WithTimeout(a.e.ctx, a.e.opt.PrepareTimeout)
	defer cancel()
	return safely(func() (C, error) { return a.e.m.Prepare(ctx, it.call, it.cmd) })
}
