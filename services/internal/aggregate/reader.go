package aggregate

import (
	"context"
	"errors"
	"fmt"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/tuttihq/tutti/subjects"
)

// Reader folds aggregates for somebody who only looks, such as an edge: it keeps the last
// used ones and brings one up to the log's head each time it is asked for, so that what
// it shows is never older than what was accepted before the call.
type Reader[S, E any] struct {
	j    Journal
	fold Fold[S, E]

	mu    sync.Mutex
	cache *lru.Cache[string, *readerEntry[S]]
}

type readerEntry[S any] struct {
	mu sync.RWMutex
	f  *Folded[S]
}

// NewReader makes a Reader that keeps at most size aggregates and forgets the one that
// was not asked for the longest.
func NewReader[S, E any](j Journal, fold Fold[S, E], size int) (*Reader[S, E], error) {
	cache, err := lru.New[string, *readerEntry[S]](size)
	if err != nil {
		return nil, fmt.Errorf("aggregate: reader: %w", err)
	}
	return &Reader[S, E]{j: j, fold: fold, cache: cache}, nil
}

// View calls look with the aggregate as of the log's head, or newer. look must not keep
// the state or change it, and must not block: others wait for it. An aggregate without a
// log has revision 0. The error wraps ErrUnavailable or ErrBrokenLog, or is look's own.
func (r *Reader[S, E]) View(ctx context.Context, id string, look func(*Folded[S]) error) error {
	r.mu.Lock()
	e, ok := r.cache.Get(id)
	if !ok {
		e = &readerEntry[S]{}
		r.cache.Add(id, e)
	}
	r.mu.Unlock()

	head, err := r.j.Head(ctx, id)
	if err != nil {
		return fmt.Errorf("aggregate: view %s: %w", id, err)
	}
	e.mu.RLock()
	if e.f != nil && e.f.endsWith(head) {
		defer e.mu.RUnlock()
		return look(e.f)
	}
	e.mu.RUnlock()

	e.mu.Lock()
	defer e.mu.Unlock()
	if err := r.refresh(ctx, e, id, head); err != nil {
		e.f = nil
		return fmt.Errorf("aggregate: view %s: %w", id, err)
	}
	if e.f.Rev == 0 {
		// Nothing is there: not worth a place in the cache.
		r.mu.Lock()
		r.cache.Remove(id)
		r.mu.Unlock()
	}
	return look(e.f)
}

// refresh brings the entry up to at least head. A log that is not the continuation of
// what was folded has lost its tail: everything is folded anew.
func (r *Reader[S, E]) refresh(ctx context.Context, e *readerEntry[S], id string, head Entry) error {
	if e.f != nil && e.f.Seq > head.Seq {
		// Another caller has folded further meanwhile, or the log is shorter than it was.
		var err error
		if head, err = r.j.Head(ctx, id); err != nil {
			return err
		}
	}
	if e.f != nil && e.f.endsWith(head) {
		return nil
	}
	if e.f != nil && e.f.Seq < head.Seq {
		err := r.follow(ctx, e.f, head.Seq)
		if err == nil || !errors.Is(err, ErrBrokenLog) && !errors.Is(err, errForeignSnapshot) {
			return err
		}
	}
	f, err := Load(ctx, r.j, r.fold, id)
	if err != nil {
		return err
	}
	f.memory = nil
	e.f = f
	return nil
}

// follow folds what the log holds beyond f, at least up to a sequence.
func (r *Reader[S, E]) follow(ctx context.Context, f *Folded[S], upTo uint64) error {
	return tail(ctx, r.j, f.ID, f.Seq+1, upTo, func(e Entry, c *subjects.Commit) error {
		if c.Epoch != f.Epoch && f.Rev > 0 {
			return errForeignSnapshot
		}
		return apply(r.fold, f, e.Seq, c)
	}, func() uint64 { return f.Seq })
}
