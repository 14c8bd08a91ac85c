package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// EventKind says what an Event is.
type EventKind int

// The kinds of event.
const (
	// Updated: the document is new, or newer than what was reported.
	Updated EventKind = iota + 1
	// Removed: the document is deleted, or vanished with a table that was cleared. It
	// may be one that was never reported as Updated, deleted before the Watch began.
	// Its version is that of the tombstone, or the last one that was seen.
	Removed
	// Synced: all that the table held when the feed was last opened has been
	// reported. It comes again after each loss.
	Synced
)

// Event is what Watch reports.
type Event struct {
	Kind     EventKind
	Document Document // zero for Synced
}

// WatchOptions tune a Watch. The zero value is good.
type WatchOptions struct {
	// MinBackoff and MaxBackoff bound the wait before a lost feed is opened again: 50
	// ms doubling to 5 s unless set, with jitter, from the beginning after a Synced.
	MinBackoff, MaxBackoff time.Duration
	// OnLost, if set, hears of each loss before the wait.
	OnLost func(err error)
}

// Watch follows a table across losses of its feed, and calls handle for each event,
// one at a time. It returns when ctx ends, when handle fails (with its error), or
// when the store answers something final: it is closed, or the table is unknown.
//
// Whatever way the feed is lost, and however often: of each document only newer
// versions are reported, and what vanished during a gap is reported as Removed before
// Synced. States between two that are reported may be missed in a gap.
//
// It remembers the version of each id, so its memory grows with the number of ids in
// the table, tombstones included: about 100 bytes each. A handle that is slower than
// the writes for long makes the feed overflow, and the Watch begins anew: hand over
// to a queue of your own, keyed by id, if that can happen.
func Watch(ctx context.Context, s Store, table string, opts WatchOptions, handle func(context.Context, Event) error) error {
	if opts.MinBackoff <= 0 {
		opts.MinBackoff = 50 * time.Millisecond
	}
	if opts.MaxBackoff < opts.MinBackoff {
		opts.MaxBackoff = max(5*time.Second, opts.MinBackoff)
	}
	w := watcher{handle: handle, known: make(map[string]sighting)}
	wait := opts.MinBackoff
	for {
		synced, err := w.follow(ctx, s, table)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if failed := (*handlerError)(nil); errors.As(err, &failed) {
			return failed.err
		}
		if Final(err) {
			return err
		}
		if opts.OnLost != nil {
			opts.OnLost(err)
		}
		if synced {
			wait = opts.MinBackoff
		}
		timer := time.NewTimer(wait/2 + rand.N(wait/2+1))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		wait = min(2*wait, opts.MaxBackoff)
	}
}

type watcher struct {
	handle func(context.Context, Event) error
	known  map[string]sighting
	round  uint64
}

// sighting is what is remembered of a document: its newest version and in which
// round of initial values it was last seen.
type sighting struct {
	version Version
	round   uint64
	deleted bool
}

type handlerError struct{ err error }

func (e *handlerError) Error() string { return e.err.Error() }

// follow reports from one feed until it is lost, and whether it got to Synced.
func (w *watcher) follow(ctx context.Context, s Store, table string) (synced bool, err error) {
	feed, err := s.Changes(ctx, table)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, feed.Close()) }()
	w.round++
	for {
		change, err := feed.Next(ctx)
		if err != nil {
			return synced, err
		}
		if change.Kind == Ready {
			if err := w.sweep(ctx); err != nil {
				return synced, err
			}
			synced = true
			continue
		}
		if err := w.see(ctx, change); err != nil {
			return synced, err
		}
	}
}

func (w *watcher) see(ctx context.Context, change Change) error {
	doc := change.New
	if doc == nil { // a document that was removed for good
		if change.Old == nil {
			return nil
		}
		return w.forget(ctx, change.Old.ID)
	}
	last, known := w.known[doc.ID]
	if known && !doc.Version.Newer(last.version) {
		last.round = w.round
		w.known[doc.ID] = last
		return nil
	}
	w.known[doc.ID] = sighting{version: doc.Version, round: w.round, deleted: doc.Deleted}
	kind := Updated
	if doc.Deleted {
		kind = Removed
	}
	return w.report(ctx, Event{Kind: kind, Document: *doc})
}

// sweep reports what this round did not see, and then Synced.
func (w *watcher) sweep(ctx context.Context) error {
	for id, last := range w.known {
		if last.round != w.round {
			if err := w.forget(ctx, id); err != nil {
				return err
			}
		}
	}
	return w.report(ctx, Event{Kind: Synced})
}

func (w *watcher) forget(ctx context.Context, id string) error {
	last, known := w.known[id]
	delete(w.known, id)
	if !known || last.deleted {
		return nil
	}
	return w.report(ctx, Event{Kind: Removed, Document: Document{ID: id, Version: last.version, Deleted: true}})
}

func (w *watcher) report(ctx context.Context, e Event) error {
	if err := w.handle(ctx, e); err != nil {
		return &handlerError{err}
	}
	return nil
}
