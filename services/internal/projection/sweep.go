package projection

import (
	"context"
	"errors"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// sweep deletes the documents of a table that the log knows nothing of.
func (r *rebuild[S, E]) sweep(ctx context.Context, table string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	feed, err := r.store.Changes(ctx, table)
	if err != nil {
		return err
	}
	defer func() { _ = feed.Close() }() // it was only read
	for {
		change, err := feed.Next(ctx)
		if err != nil {
			return err
		}
		if change.Kind == store.Ready {
			return nil
		}
		d := change.New
		if change.Kind != store.Initial || d == nil || d.Deleted {
			continue // what is written meanwhile is the projector's
		}
		if _, ok := r.written[r.hash(table, d.ID)]; ok {
			continue
		}
		if err := r.orphan(ctx, table, *d); err != nil {
			return err
		}
	}
}

// orphan deletes a document that this rebuild did not write, unless it belongs to an
// aggregate after all: one that came into being meanwhile, or is broken.
func (r *rebuild[S, E]) orphan(ctx context.Context, table string, d store.Document) error {
	version := d.Version.Next()
	if id, ok := r.spec.owner(table, d.ID); ok && subjects.Token(id) {
		f, err := r.fold(ctx, id)
		if errors.Is(err, ErrUndecodable) {
			return nil
		}
		if err != nil {
			return err
		}
		if f.Unknown != nil {
			return nil
		}
		if f.Rev > 0 {
			_, writes, err := r.all(f)
			if err != nil {
				return nil //nolint:nilerr // reported when the pass came by
			}
			for _, w := range writes {
				if w.Table == table && w.Document.ID == d.ID && !w.Document.Deleted {
					return nil
				}
			}
			if v := r.spec.version(f); v.Newer(d.Version) {
				version = v
			}
		}
	}
	err := r.store.Delete(ctx, table, d.ID, version)
	if errors.Is(err, store.ErrStale) {
		return nil // somebody knows better
	}
	if err == nil {
		r.report.Deleted++
	}
	return err
}

// sweepState retracts published documents that the store knows nothing of: a table that
// was cleared left no tombstones which the changefeed could tell of.
func (r *rebuild[S, E]) sweepState(ctx context.Context, table string) error {
	if !subjects.Token(table) {
		return nil
	}
	return r.bus.Read(ctx, subjects.StreamState, subjects.StateWildcard(table), 1, func(e bus.Entry) error {
		d, err := bus.DecodeState(e.Subject, e.Data)
		if err != nil || d.Deleted {
			return nil //nolint:nilerr // whoever publishes it next replaces it
		}
		have, err := r.store.Get(ctx, table, d.ID)
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if !have.Version.IsZero() {
			return nil // a tombstone: the changefeed tells
		}
		d.Version.Rev++
		d.Deleted, d.Body = true, nil
		if err := r.bus.PutState(ctx, d); err != nil && !errors.Is(err, bus.ErrStale) {
			return err
		}
		r.report.Deleted++
		return nil
	})
}
