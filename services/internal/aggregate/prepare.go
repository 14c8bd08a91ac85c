package aggregate

import (
	"context"
	"errors"
	"fmt"

	"github.com/tuttihq/tutti/subjects"
)

// A principal's commands queue in a lane while one of them is being prepared, so that
// none overtakes it; everybody else's go on.

// setAside puts a command behind its principal's preparation, if one is under way.
func (a *actor[S, C, E]) setAside(it *item[C]) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	lane, ok := a.lanes[it.call.Principal]
	if !ok {
		return false
	}
	a.lanes[it.call.Principal] = append(lane, it)
	a.waiting++
	return true
}

// prepare opens a lane for the command's principal and prepares the command beside the
// worker; then the command and its lane go back to the front of the queue.
func (a *actor[S, C, E]) prepare(it *item[C]) {
	a.mu.Lock()
	if a.lanes == nil {
		a.lanes = map[string][]*item[C]{}
	}
	a.lanes[it.call.Principal] = nil
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
		a.mu.Lock()
		lane := a.lanes[it.call.Principal]
		delete(a.lanes, it.call.Principal)
		a.waiting -= 1 + len(lane)
		a.queue = append(append([]*item[C]{it}, lane...), a.queue...)
		a.start()
		a.mu.Unlock()
	})
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
