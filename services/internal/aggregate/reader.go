package aggregate

import (
	"context"
	"errors"
	"fmt"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
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
	if e.f != nil && e.f.Seq == head.Seq {
		defer e.mu.RUnlock()
		return look(e.f)
	}
	e.mu.RUnlock()

	e.mu.Lock()
	defer e.mu.Unlock()
	if err := r.refresh(ctx, e, id, head.Seq); err != nil {
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

// refresh brings the entry up to at least seq. A log that is shorter than what was folded
// has lost its tail: everything is folded anew.
func (r *Reader[S, E]) refresh(ctx context.Context, e *readerEntry[S], id string, seq uint64) error {
	if e.f != nil && e.f.Seq < seq {
		err := catchUp(ctx, r.j, r.fold, e.f, seq)
		if !errors.Is(err, ErrBrokenLog) {
			return err
		}
		// The log may have lost its tail and grown anew: fold it from the beginning.
		e.f = nil
	}
	if e.f != nil {
		head, err := r.j.Head(ctx, id)
		if err != nil {
			return err
		}
		if head.Seq >= e.f.Seq {
			return nil // another caller has folded further meanwhile
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
