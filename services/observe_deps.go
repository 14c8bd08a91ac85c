package services

import (
	"context"
	"errors"
	"time"

	"github.com/tuttihq/tutti/services/internal/catalog"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/telemetry"
)

// watchedStore counts what a store answers.
type watchedStore struct {
	store.Store
	calls *telemetry.Family[telemetry.Counter]
	took  *telemetry.Family[telemetry.Histogram]
}

// The names of a store's operations and of what it may answer.
const (
	opGet, opPut, opInsert, opDelete, opFind, opChanges, opClear, opSync = "get", "put", "insert", "delete", "find", "changes", "clear", "sync"

	outcomeOK = "ok"
)

// storeOutcomes names errors of a store, in the order in which they are looked for.
var storeOutcomes = []struct {
	err  error
	name string
}{
	{store.ErrNotFound, "not_found"}, {store.ErrExists, "exists"}, {store.ErrStale, "stale"},
	{store.ErrUnavailable, "unavailable"}, {store.ErrInvalid, "invalid"}, {store.ErrClosed, "closed"},
	{context.Canceled, "canceled"}, {context.DeadlineExceeded, "timeout"},
}

func watchStore(r *telemetry.Registry, s store.Store) store.Store {
	if r == nil {
		return s
	}
	op := telemetry.Label{Name: "op", Values: []string{opGet, opPut, opInsert, opDelete, opFind, opChanges, opClear, opSync}}
	outcome := telemetry.Label{Name: "outcome", Values: []string{outcomeOK}}
	for _, o := range storeOutcomes {
		outcome.Values = append(outcome.Values, o.name)
	}
	w := &watchedStore{
		Store: s,
		calls: r.CounterOf("tutti_store_operations_total", "Operations of the document store, by what it answered.", op, outcome),
		took:  r.HistogramOf("tutti_store_operation_seconds", "Time in which the document store answered.", telemetry.Seconds(), op),
	}
	if syncer, ok := s.(store.Syncer); ok {
		return &watchedSyncer{w, syncer}
	}
	return w
}

// watchedSyncer is a watchedStore of a store that has to be synced. Others must not look as
// if they had.
type watchedSyncer struct {
	*watchedStore
	syncer store.Syncer
}

// Sync implements store.Syncer.
func (w *watchedSyncer) Sync(ctx context.Context, tables ...string) (err error) {
	defer func(t time.Time) { w.told(opSync, t, err) }(time.Now())
	return w.syncer.Sync(ctx, tables...)
}

func (w *watchedStore) told(op string, begin time.Time, err error) {
	outcome := outcomeOK
	if err != nil {
		outcome = telemetry.Other
	}
	for _, o := range storeOutcomes {
		if errors.Is(err, o.err) {
			outcome = o.name
			break
		}
	}
	w.calls.Of(op, outcome).Inc()
	w.took.Of(op).Observe(time.Since(begin).Seconds())
}

// Get implements store.Store.
func (w *watchedStore) Get(ctx context.Context, table, id string) (d store.Document, err error) {
	defer func(t time.Time) { w.told(opGet, t, err) }(time.Now())
	return w.Store.Get(ctx, table, id)
}

// Put implements store.Store.
func (w *watchedStore) Put(ctx context.Context, table string, d store.Document) (err error) {
	defer func(t time.Time) { w.told(opPut, t, err) }(time.Now())
	return w.Store.Put(ctx, table, d)
}

// Insert implements store.Store.
func (w *watchedStore) Insert(ctx context.Context, table string, d store.Document) (err error) {
	defer func(t time.Time) { w.told(opInsert, t, err) }(time.Now())
	return w.Store.Insert(ctx, table, d)
}

// Delete implements store.Store.
func (w *watchedStore) Delete(ctx context.Context, table, id string, v store.Version) (err error) {
	defer func(t time.Time) { w.told(opDelete, t, err) }(time.Now())
	return w.Store.Delete(ctx, table, id, v)
}

// Find implements store.Store.
func (w *watchedStore) Find(ctx context.Context, table string, q store.Query) (p store.Page, err error) {
	defer func(t time.Time) { w.told(opFind, t, err) }(time.Now())
	return w.Store.Find(ctx, table, q)
}

// Changes implements store.Store; only the opening of the feed is counted.
func (w *watchedStore) Changes(ctx context.Context, table string) (f store.Feed, err error) {
	defer func(t time.Time) { w.told(opChanges, t, err) }(time.Now())
	return w.Store.Changes(ctx, table)
}

// Clear implements store.Store.
func (w *watchedStore) Clear(ctx context.Context, table string) (err error) {
	defer func(t time.Time) { w.told(opClear, t, err) }(time.Now())
	return w.Store.Clear(ctx, table)
}

// watchedTracks counts what the catalogue finds.
type watchedTracks struct {
	*catalog.Catalog
	lookups *telemetry.Family[telemetry.Counter]
	took    telemetry.Histogram
}

var catalogOutcomes = []struct {
	err  error
	name string
}{
	{catalog.ErrUnknown, "unknown"}, {catalog.ErrForbiddenAddress, "forbidden"}, {catalog.ErrTooLarge, "too_large"},
	{catalog.ErrNotMedia, "not_media"}, {catalog.ErrUnavailable, "unavailable"}, {catalog.ErrUnconfigured, "unconfigured"},
	{catalog.ErrClosed, "closed"}, {context.Canceled, "canceled"}, {context.DeadlineExceeded, "timeout"},
}

func watchTracks(r *telemetry.Registry, c *catalog.Catalog) *watchedTracks {
	outcome := telemetry.Label{Name: "outcome", Values: []string{outcomeOK}}
	for _, o := range catalogOutcomes {
		outcome.Values = append(outcome.Values, o.name)
	}
	return &watchedTracks{
		Catalog: c,
		lookups: r.CounterOf("tutti_catalog_lookups_total", "Tracks looked up, by what came of it.", outcome),
		took: r.Histogram("tutti_catalog_lookup_seconds", "Time in which the tracks of one command were looked up.",
			telemetry.Seconds()),
	}
}

// ResolveAll implements room.Catalog.
func (w *watchedTracks) ResolveAll(ctx context.Context, refs []string) []catalog.Result {
	begin := time.Now()
	out := w.Catalog.ResolveAll(ctx, refs)
	w.took.Observe(time.Since(begin).Seconds())
	for i := range out {
		outcome := outcomeOK
		if out[i].Err != nil {
			outcome = telemetry.Other
		}
		for _, o := range catalogOutcomes {
			if errors.Is(out[i].Err, o.err) {
				outcome = o.name
				break
			}
		}
		w.lookups.Of(outcome).Inc()
	}
	return out
}
