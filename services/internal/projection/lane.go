package projection

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// task is one commit on its way into the documents.
type task struct {
	seq    uint64
	commit *subjects.Commit

	err  error
	done chan struct{} // closed when err is final
	lead chan struct{} // closed when its handler is to do the lane's work
}

// lane is what is kept of one aggregate. Its work is done by one of the handlers that
// wait in it, the leader; the others wait until their commit is part of what it wrote.
// The leader does one batch and hands over to one of those who came meanwhile.
type lane[S, E any] struct {
	id string

	// Guarded by the projector's mutex.
	waiting []*task // the leader's is among them until it takes them all
	leader  *task   // nil: nobody works here

	// Of the leader.
	fold    *aggregate.Folded[S]
	touched Touched[S, E]
	// wrote are documents that are in the store at version: they are not written again for
	// commits that were folded before they were delivered.
	wrote   map[place]struct{}
	version store.Version
	// unsynced is how many syncs had failed when wrote was begun: each may mean that the
	// documents are in the store no more.
	unsynced uint64
}

type place struct{ table, id string }

const (
	// wroteMax bounds lane.wrote; past it, a document may be written twice in vain.
	wroteMax = 64
	// laneWrites is how many documents of one aggregate are written at once.
	laneWrites = 8
)

// project brings a commit into the documents, by leading the lane or by waiting for who
// leads it.
func (p *Projector[S, E]) project(ctx context.Context, id string, t *task) error {
	l := p.join(id, t)
	select {
	case <-t.done:
		return t.err
	case <-t.lead:
	case <-ctx.Done():
		return p.leave(l, t, ctx.Err())
	}
	// While this one waits for its turn, others may come to its lane.
	select {
	case p.writers <- struct{}{}:
	case <-ctx.Done():
		return p.leave(l, t, ctx.Err())
	}
	batch := p.take(l)
	err := l.process(ctx, p, batch)
	<-p.writers
	p.handOver(l)
	for _, b := range batch {
		if b.err == nil {
			b.err = err
		}
		close(b.done)
	}
	return t.err
}

func (p *Projector[S, E]) join(id string, t *task) *lane[S, E] {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.busy[id]
	if l == nil {
		if idle, ok := p.idle.Peek(id); ok {
			p.idle.Remove(id)
			l = idle
		} else {
			l = &lane[S, E]{id: id, wrote: make(map[place]struct{})}
		}
		p.busy[id] = l
	}
	l.waiting = append(l.waiting, t)
	if l.leader == nil {
		l.leader = t
		close(t.lead)
	}
	return l
}

// leave takes a task back whose message is given up.
func (p *Projector[S, E]) leave(l *lane[S, E], t *task, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(l.waiting, t); i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
	}
	if l.leader == t {
		p.succeedLocked(l)
	}
	return err
}

func (p *Projector[S, E]) take(l *lane[S, E]) []*task {
	p.mu.Lock()
	defer p.mu.Unlock()
	batch := l.waiting
	l.waiting = nil
	return batch
}

func (p *Projector[S, E]) handOver(l *lane[S, E]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.succeedLocked(l)
}

// succeedLocked gives the lane its next leader, or puts it away.
func (p *Projector[S, E]) succeedLocked(l *lane[S, E]) {
	if len(l.waiting) > 0 {
		l.leader = l.waiting[0]
		close(l.leader.lead)
		return
	}
	l.leader = nil
	delete(p.busy, l.id)
	if l.fold != nil {
		p.idle.Add(l.id, l)
	}
}

// process folds a batch and writes the documents. The error is that of all whose task
// has none of its own.
func (l *lane[S, E]) process(ctx context.Context, p *Projector[S, E], batch []*task) (err error) {
	defer func() {
		if r := recover(); r != nil {
			l.fold = nil
			err = fmt.Errorf("projection: %s: panic: %v\n%s", l.id, r, debug.Stack())
		}
	}()
	if l.touched == nil {
		l.touched = p.spec.Touched()
	}
	slices.SortFunc(batch, func(a, b *task) int { return cmp.Compare(a.seq, b.seq) })
	good := 0
	for _, t := range batch {
		if t.err = l.include(ctx, p, t); t.err == nil {
			good++
		}
	}
	if good == 0 {
		return nil
	}
	if err := l.write(ctx, p); err != nil {
		return err
	}
	p.commits.Add(uint64(good))
	return nil
}

// include makes a commit part of the fold, and notes its events.
func (l *lane[S, E]) include(ctx context.Context, p *Projector[S, E], t *task) error {
	c := t.commit
	if f := l.fold; f != nil && f.Unknown == nil && (c.Epoch > f.Epoch || c.Rev <= f.Rev && t.seq > f.Seq) {
		// The log may have lost what was folded here. Whatever the lost commits touched is
		// written anew, from what the log holds now.
		l.touched.All(f.State)
		l.fold = nil
	}
	if f := l.fold; f != nil && t.seq > f.Seq && c.Rev == f.Rev+1 {
		err := apply(p.spec.Fold, f, t.seq, c, l.touched.Note)
		if err != nil {
			l.fold = nil
			return err
		}
		return l.usable()
	}
	if f := l.fold; f == nil || t.seq > f.Seq {
		if err := l.catchUp(ctx, p, t.seq); err != nil {
			return err
		}
	}
	if err := l.usable(); err != nil || t.seq > l.fold.Seq {
		return err // or the log no longer holds this commit, and it touches nothing
	}
	return noteAll(p.spec.Fold, c, l.touched.Note)
}

func (l *lane[S, E]) usable() error {
	if l.fold.Unknown != nil {
		return fmt.Errorf("%w: %w", errUpgrade, l.fold.Unknown)
	}
	return nil
}

// catchUp folds the log's tail, or all of it if that does not fit what is folded.
func (l *lane[S, E]) catchUp(ctx context.Context, p *Projector[S, E], upTo uint64) error {
	p.loads.Add(1)
	if f := l.fold; f != nil {
		l.fold = nil // of no use if this fails
		switch err := catchUp(ctx, p.journal, p.spec.Fold, f, upTo); {
		case err == nil:
			l.fold = f
			return nil
		case errors.Is(err, errUnavailable): // or the log lost its end: load tells
		case !errors.Is(err, ErrUndecodable):
			return err
		}
	}
	f, err := load(ctx, p.journal, p.spec.Fold, l.id)
	if err != nil {
		return err
	}
	l.fold = f
	return nil
}

// write puts the documents into the store that were touched since the last time.
func (l *lane[S, E]) write(ctx context.Context, p *Projector[S, E]) error {
	if l.fold == nil { // a later commit of the batch spoiled it
		if err := l.catchUp(ctx, p, 0); err != nil {
			return err
		}
	}
	// A later commit of the batch may be one that only a newer release can fold: what was
	// folded of it must not be written at its revision.
	if err := l.usable(); err != nil {
		return err
	}
	f := l.fold
	if f.Rev == 0 {
		return nil
	}
	version := p.spec.version(f)
	if unsynced := p.unsynced.Load(); version != l.version || unsynced != l.unsynced {
		clear(l.wrote)
		l.version, l.unsynced = version, unsynced
	}
	writes, err := documents(p.spec, l.touched, f)
	if err != nil {
		return err
	}
	writes = slices.DeleteFunc(writes, func(w Write) bool {
		_, there := l.wrote[place{w.Table, w.Document.ID}]
		return there
	})
	if err := putAll(ctx, p.store, p.opt.WriteTimeout, writes, &p.counters); err != nil {
		return err
	}
	if p.spec.Settle != nil {
		if err := p.spec.Settle(ctx, f, l.touched); err != nil {
			return unavailable(err)
		}
	}
	for _, w := range writes {
		if len(l.wrote) < wroteMax {
			l.wrote[place{w.Table, w.Document.ID}] = struct{}{}
		}
	}
	l.touched = nil
	return nil
}

// documents gives what is to be written, checked.
func documents[S, E any](spec Spec[S, E], t Touched[S, E], f *aggregate.Folded[S]) (writes []Write, err error) {
	defer guard(&err)
	version := spec.version(f)
	writes, err = t.Writes(f.State, version)
	if err != nil {
		return nil, fmt.Errorf("%w: documents of %s: %w", ErrUndecodable, f.ID, err)
	}
	for i := range writes {
		writes[i].Document.Version = version
		if err := spec.check(writes[i]); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUndecodable, err)
		}
	}
	return writes, nil
}

// putAll writes documents, several at once. One that is stale is done: the store holds
// the same or something newer.
func putAll(ctx context.Context, s store.Store, limit timeout, writes []Write, n *counters) error {
	put := func(w Write) error {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		err := s.Put(ctx, w.Table, w.Document)
		switch {
		case err == nil:
			n.writes.Add(1)
			return nil
		case errors.Is(err, store.ErrStale):
			n.stale.Add(1)
			return nil
		case errors.Is(err, store.ErrInvalid), errors.Is(err, store.ErrUnknownTable):
			return fmt.Errorf("%w: %s/%s: %w", ErrUndecodable, w.Table, w.Document.ID, err)
		}
		return unavailable(err)
	}
	if len(writes) == 1 {
		return put(writes[0])
	}
	var g errgroup.Group
	g.SetLimit(laneWrites)
	for _, w := range writes {
		g.Go(func() error { return put(w) })
	}
	return g.Wait()
}
