package aggregate

import (
	"context"
	"time"
)

// A live commit may be lost with a server or a connection, and nothing shows it until the
// aggregate's next one. So the heads of all followed logs are compared now and then, a few
// hundred in one request.

// watch checks at intervals, and at once after a lost connection.
func (w *Follower[S, E]) watch() {
	t := time.NewTicker(w.opt.CheckEvery)
	defer t.Stop()
	var since Marks // what the log holds up to here was looked at
	for n := 1; ; n++ {
		lost := false
		select {
		case <-w.ctx.Done():
			return
		case <-t.C:
		case <-w.again:
			lost = true
		}
		from := since
		if lost || n%w.opt.FullEvery == 0 {
			from = nil
		}
		upTo, err := w.check(from, lost)
		switch {
		case w.ctx.Err() != nil:
			return
		case err != nil:
			w.stats.failed.Add(1)
			w.opt.Log.Warn("heads not compared", "of", w.fold.Service(), "err", err)
			since = nil
		case upTo.behind(since):
			// A replica that lags, or a stream that is shorter than it was.
			since = nil
		default:
			since = upTo
		}
	}
}

// check compares the heads of all followed logs, or of those among them that have grown
// beyond since.
func (w *Follower[S, E]) check(since Marks, hurry bool) (upTo Marks, err error) {
	before := map[*Following]tip{}
	byID := map[string][]*Following{}
	w.mu.Lock()
	for n := range w.followed {
		byID[n.id] = append(byID[n.id], n)
	}
	w.mu.Unlock()
	ids := make([]string, 0, len(byID))
	for id, all := range byID {
		ids = append(ids, id)
		for _, n := range all {
			if at, loaded := n.place(); loaded {
				before[n] = at
			} else {
				n.look(hurry)
			}
		}
	}
	w.stats.checks.Add(1)
	if len(ids) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(w.ctx, max(w.opt.CheckEvery, 10*time.Second))
	defer cancel()
	upTo, err = w.feed.Heads(ctx, ids, since, func(id string, e Entry) {
		head := tipOf(e)
		for _, n := range byID[id] {
			if at, ok := before[n]; ok {
				n.compare(at, head, hurry)
				delete(before, n)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	if since == nil {
		for n, at := range before { // no head: the log is empty
			n.compare(at, tip{}, hurry)
		}
	}
	return upTo, nil
}
