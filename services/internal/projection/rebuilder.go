package projection

import (
	"context"
	"errors"
	"hash/maphash"
	"math"
	"slices"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/errgroup"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// rebuilder folds the aggregates of one worker.
type rebuilder[S, E any] struct {
	*rebuild[S, E]
	folds *lru.Cache[string, *aggregate.Folded[S]]
	// known tells up to which sequence an aggregate is done that was taken to its log's head.
	known *lru.Cache[string, uint64]
	// evicted are those that folds had no room for.
	evicted []*aggregate.Folded[S]
}

func newRebuilder[S, E any](r *rebuild[S, E]) (*rebuilder[S, E], error) {
	w := &rebuilder[S, E]{rebuild: r}
	var err error
	w.folds, err = lru.NewWithEvict(max(1, r.opt.Aggregates/r.opt.Workers), func(_ string, f *aggregate.Folded[S]) {
		w.evicted = append(w.evicted, f)
	})
	if err == nil {
		w.known, err = lru.New[string, uint64](knownMax)
	}
	return w, err
}

// run folds what comes and writes what is done. Writes wait for the store most of the time, so
// many go on beside the folding.
func (w *rebuilder[S, E]) run(ctx context.Context, entries <-chan bus.Entry) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, w.opt.Writers/w.opt.Workers)) // one more waits here
	err := w.take(ctx, entries, g)
	for _, f := range w.folds.Values() {
		if err == nil {
			g.Go(func() error { return w.write(ctx, f) })
		}
	}
	if werr := g.Wait(); werr != nil {
		return werr
	}
	return err
}

// take folds what comes, and hands over what there is no room for.
func (w *rebuilder[S, E]) take(ctx context.Context, entries <-chan bus.Entry, g *errgroup.Group) error {
	for e := range entries {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		f, err := w.entry(ctx, e)
		if err != nil {
			return err
		}
		if f != nil {
			g.Go(func() error { return w.write(ctx, f) })
		}
		out := w.evicted
		w.evicted = nil
		for _, f := range out {
			g.Go(func() error { return w.finish(ctx, f) })
		}
	}
	return nil
}

// entry folds one commit. What it gives is to be written. Its error ends the rebuild.
func (w *rebuilder[S, E]) entry(ctx context.Context, e bus.Entry) (*aggregate.Folded[S], error) {
	_, id, err := subjects.ParseEvents(e.Subject)
	if err != nil {
		w.broken(e.Subject, err)
		return nil, nil
	}
	if seq, ok := w.known.Get(id); ok && e.Seq <= seq {
		return nil, nil
	}
	f, ok := w.folds.Get(id)
	c, err := subjects.DecodeCommit(e.Data)
	if err != nil {
		if ok { // no commit, and no part of the log
			f.Seq = e.Seq
		}
		return nil, nil
	}
	switch {
	case !ok && c.Rev == 1:
		f = &aggregate.Folded[S]{ID: id, State: w.spec.Fold.New(id)}
		w.folds.Add(id, f)
	case !ok:
		return w.load(ctx, id)
	case c.Rev != f.Rev+1: // the log lost its tail once, and this is what came instead, or a part was archived meanwhile
		return w.load(ctx, id)
	}
	if err := apply(w.spec.Fold, f, e.Seq, &c, nil); err != nil {
		w.giveUp(id, err)
	}
	return nil, nil
}

// finish takes a fold that has no room to the head of its log, so that each aggregate is
// written once: of what is written at an earlier commit, a later one may have to delete.
func (w *rebuilder[S, E]) finish(ctx context.Context, f *aggregate.Folded[S]) error {
	w.loads.Add(1)
	err := w.patiently(ctx, func() error {
		head, err := w.journal.Head(ctx, f.ID)
		if err != nil {
			return err
		}
		return catchUp(ctx, w.journal, w.spec.Fold, f, head.Seq)
	})
	if errors.Is(err, ErrUndecodable) {
		w.passOver(f.ID, err)
		return nil
	}
	if err != nil {
		return err
	}
	w.known.Add(f.ID, f.Seq)
	return w.write(ctx, f)
}

// forget drops a fold without having it written.
func (w *rebuilder[S, E]) forget(id string) {
	w.folds.Remove(id)
	w.evicted = slices.DeleteFunc(w.evicted, func(f *aggregate.Folded[S]) bool { return f.ID == id })
}

// load folds an aggregate up to its head by itself: what the pass has yet to read of it
// is then done. It is nil if that cannot be done.
func (w *rebuilder[S, E]) load(ctx context.Context, id string) (*aggregate.Folded[S], error) {
	w.forget(id)
	w.loads.Add(1)
	f, err := w.fold(ctx, id)
	if errors.Is(err, ErrUndecodable) {
		w.passOver(id, err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	w.known.Add(id, f.Seq)
	return f, nil
}

// fold folds an aggregate from its log alone.
func (r *rebuild[S, E]) fold(ctx context.Context, id string) (f *aggregate.Folded[S], err error) {
	err = r.patiently(ctx, func() error {
		f, err = load(ctx, logOnly{r.journal}, r.spec.Fold, id)
		return err
	})
	return f, err
}

// logOnly is a journal without snapshots.
type logOnly struct{ aggregate.Journal }

func (logOnly) LoadSnapshot(context.Context, string) ([]byte, error) { return nil, nil }

// write writes all documents of an aggregate.
func (w *rebuilder[S, E]) write(ctx context.Context, f *aggregate.Folded[S]) error {
	if f.Unknown != nil {
		w.passOver(f.ID, f.Unknown)
		return nil
	}
	if f.Rev == 0 {
		return nil
	}
	t, writes, err := w.all(f)
	if err == nil {
		err = w.patiently(ctx, func() error {
			if err := putAll(ctx, w.store, w.opt.WriteTimeout, writes, &w.counters); err != nil {
				return err
			}
			if w.spec.Settle == nil {
				return nil
			}
			if err := w.spec.Settle(ctx, f, t); err != nil {
				return unavailable(err)
			}
			return nil
		})
	}
	if errors.Is(err, ErrUndecodable) {
		w.passOver(f.ID, err)
		return nil
	}
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range writes {
		if !d.Document.Deleted {
			w.written[w.hash(d.Table, d.Document.ID)] = struct{}{}
		}
	}
	return nil
}

// giveUp drops a fold, and passes over the aggregate from now on.
func (w *rebuilder[S, E]) giveUp(id string, err error) {
	w.forget(id)
	w.passOver(id, err)
}

// passOver passes over an aggregate from now on, of which there is no fold.
func (w *rebuilder[S, E]) passOver(id string, err error) {
	w.known.Add(id, math.MaxUint64)
	w.broken(id, err)
}

// all gives every document of an aggregate.
func (r *rebuild[S, E]) all(f *aggregate.Folded[S]) (t Touched[S, E], _ []Write, err error) {
	defer guard(&err)
	t = r.spec.Touched()
	t.All(f.State)
	writes, err := documents(r.spec, t, f)
	return t, writes, err
}

func (r *rebuild[S, E]) hash(table, id string) uint64 {
	var h maphash.Hash
	h.SetSeed(r.seed)
	_, _ = h.WriteString(table)
	_ = h.WriteByte(0)
	_, _ = h.WriteString(id)
	return h.Sum64()
}
