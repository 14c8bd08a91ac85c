package services

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// Where a store was lost and NATS was not, the STATE stream knows more than the documents of an
// export: later versions, and documents that the export has not. Whoever publishes documents
// leaves alone what is newer than his own, so those would stay for ever, and what is changed
// after the import would not show. So imported documents get an epoch above all that the
// stream holds, and what the store lacks is retracted.

// restated is a moved table whose documents are on the STATE stream.
type restated struct {
	table, wildcard string
	// id gives a document's id in the store.
	id func(bus.Document) string
}

func restatedTables() []restated {
	same := func(d bus.Document) string { return d.ID }
	return []restated{
		{subjects.TableAccounts, subjects.StateWildcard(subjects.TableAccounts), same},
		{subjects.TableProfiles, subjects.StateWildcard(subjects.TableProfiles), same},
		{subjects.TableFollows, subjects.OwnWildcard(subjects.TableFollows, "*"), func(d bus.Document) string { return subjects.FollowID(d.Owner, d.ID) }},
	}
}

// isRestated reports whether a table's documents are on the STATE stream.
func isRestated(table string) bool {
	for _, r := range restatedTables() {
		if r.table == table {
			return true
		}
	}
	return false
}

// epochAbove gives an epoch that is above all that was ever published of the moved tables, 0
// if nothing was.
func (m *importer) epochAbove(ctx context.Context) (uint64, error) {
	var above uint64
	for _, r := range restatedTables() {
		err := m.eachState(ctx, r.wildcard, func(e bus.Entry) error {
			d, err := bus.DecodeState(e.Subject, e.Data)
			if err != nil {
				return nil //nolint:nilerr // whoever publishes the document replaces it
			}
			above = max(above, d.Version.Epoch+1)
			return nil
		})
		if err != nil {
			return 0, fmt.Errorf("import: what is published of %s: %w", r.table, err)
		}
	}
	return above, nil
}

// retract takes from the STATE stream what the store knows nothing of.
func (m *importer) retract(ctx context.Context, r restated) error {
	var gone atomic.Uint64
	g, work := errgroup.WithContext(ctx)
	g.SetLimit(importWrites)
	err := m.eachState(work, r.wildcard, func(e bus.Entry) error {
		d, err := bus.DecodeState(e.Subject, e.Data)
		if err != nil {
			return nil //nolint:nilerr // as in epochAbove
		}
		g.Go(func() error {
			have, err := m.store.Get(work, r.table, r.id(d))
			if !errors.Is(err, store.ErrNotFound) {
				return err
			}
			if !have.Version.IsZero() {
				return nil // a tombstone: who publishes the table retracts it
			}
			gone.Add(1)
			return m.vanish(work, d)
		})
		return nil
	})
	// What failed in the group ends the reading with it.
	if gerr := g.Wait(); gerr != nil {
		err = gerr
	}
	if err != nil {
		return fmt.Errorf("import: what is published of %s: %w", r.table, err)
	}
	if n := gone.Load(); n > 0 {
		m.log.Info("documents that the export has not are published no more", "table", r.table, "documents", n)
	}
	return nil
}

// vanish tells whoever listens that a document is gone, and then forgets its version: one that
// is made anew under its id begins with the first.
func (m *importer) vanish(ctx context.Context, d bus.Document) error {
	if !d.Deleted {
		d.Version, d.Deleted, d.Body = bus.StateVersion{Epoch: max(m.epoch, d.Version.Epoch), Rev: d.Version.Rev + 1, Fold: d.Version.Fold}, true, nil
		if err := m.bus.PutState(ctx, d); err != nil && !errors.Is(err, bus.ErrStale) {
			return err
		}
	}
	head, err := m.bus.Head(ctx, subjects.StreamState, d.Subject())
	if errors.Is(err, bus.ErrNoMessage) {
		return nil
	}
	if err != nil {
		return err
	}
	return m.bus.Purge(ctx, subjects.StreamState, d.Subject(), head.Seq+1)
}

// eachState calls f with the last message of each subject of the STATE stream that a wildcard
// matches. A replica that lacks the newest may answer: it goes on until the stream's leader has
// no more.
func (m *importer) eachState(ctx context.Context, wildcard string, f func(bus.Entry) error) error {
	at := uint64(0)
	for try := 1; ; try++ {
		err := m.bus.Read(ctx, subjects.StreamState, wildcard, at+1, func(e bus.Entry) error {
			if err := f(e); err != nil {
				return err
			}
			at = e.Seq
			return nil
		})
		if err == nil {
			var head bus.Entry
			head, err = m.bus.Head(ctx, subjects.StreamState, wildcard)
			if errors.Is(err, bus.ErrNoMessage) || err == nil && head.Seq <= at {
				return nil
			}
			if err == nil {
				err = fmt.Errorf("%w: %s was read to %d, and goes to %d", bus.ErrUnavailable, subjects.StreamState, at, head.Seq)
			}
		}
		if !transient(err) || try == importTries || ctx.Err() != nil {
			return err
		}
		if err := wait(ctx, 100*time.Millisecond<<try); err != nil {
			return err
		}
	}
}
