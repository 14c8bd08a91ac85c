package projection

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/store"
)

// RebuildOptions tune a Rebuild. The zero value rebuilds in place.
type RebuildOptions struct {
	// Drop clears the tables first. It mends documents that were changed by hand or come
	// from a higher fold version, and readers find fewer documents until it is done.
	// Otherwise the documents stay, and are replaced where the fold has a newer version.
	Drop bool
	// Workers fold side by side. Default 4.
	Workers int
	// Writers is how many aggregates are written at once, over all workers. Default 64.
	Writers int
	// Aggregates is how many are kept folded at once, over all workers. Default 4096. One
	// whose commits are spread wider over the log is loaded once by itself.
	Aggregates int
	// Progress hears of each part of a thousandth that was read, from one goroutine: how
	// many of the log's sequences are done, and of how many, over all its shards.
	Progress func(done, total uint64)
	// WriteTimeout is as in Options.
	WriteTimeout time.Duration
	Log          *slog.Logger
}

// Report tells what a Rebuild did.
type Report struct {
	// Commits read, and Loads of aggregates that did not fit into memory at once.
	Commits, Loads uint64
	// Written documents, Stale ones that were there already, Deleted ones that belong to
	// nothing in the log.
	Written, Stale, Deleted uint64
	// Broken lists aggregates whose log this release cannot fold, at most 100 of them;
	// their documents stay as they are, unless they were dropped. BrokenCount counts all.
	Broken      []string
	BrokenCount uint64
}

// ErrIncomplete is returned by Rebuild, beside the report, if some aggregates are broken.
var ErrIncomplete = errors.New("projection: some aggregates cannot be folded")

const (
	brokenMax = 100
	// knownMax bounds, for each worker, what is remembered of aggregates that are done.
	knownMax      = 100_000
	rebuildQueue  = 256
	rebuildTries  = 8
	progressParts = 1000
)

// Rebuild folds the documents of a service anew, from the first commit of the log on,
// and deletes those that belong to nothing there. A Projector may run meanwhile, and the
// published documents follow through the changefeed. It can be repeated; one that was
// interrupted leaves documents as they were or as they should be, unless it dropped them.
// It returns nil when they are on disk; if the store may have lost some, that is an error that
// wraps store.ErrUnavailable: repeat it.
//
// Memory is bounded by the options but for eight bytes a document that was written.
func Rebuild[S, E any](ctx context.Context, b *bus.Bus, s store.Store, spec Spec[S, E], opt RebuildOptions) (Report, error) {
	if err := spec.Validate(); err != nil {
		return Report{}, err
	}
	if opt.Workers <= 0 {
		opt.Workers = 4
	}
	if opt.Writers <= 0 {
		opt.Writers = 64
	}
	if opt.Aggregates <= 0 {
		opt.Aggregates = 4096
	}
	if opt.WriteTimeout <= 0 {
		opt.WriteTimeout = 10 * time.Second
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	r := &rebuild[S, E]{
		bus: b, store: s, journal: aggregate.NewJournal(b, spec.Fold.Service()), spec: spec, opt: opt,
		seed: maphash.MakeSeed(), written: make(map[uint64]struct{}),
	}
	err := r.run(ctx)
	r.report.Written, r.report.Stale, r.report.Loads = r.writes.Load(), r.stale.Load(), r.loads.Load()
	slices.Sort(r.report.Broken)
	if err != nil {
		return r.report, fmt.Errorf("projection: rebuild of %s: %w", spec.Fold.Service(), err)
	}
	if r.report.BrokenCount > 0 {
		return r.report, fmt.Errorf("%w: %d of %s", ErrIncomplete, r.report.BrokenCount, spec.Fold.Service())
	}
	return r.report, nil
}

type rebuild[S, E any] struct {
	bus     *bus.Bus
	store   store.Store
	journal aggregate.Journal
	spec    Spec[S, E]
	opt     RebuildOptions
	seed    maphash.Seed
	counters

	mu      sync.Mutex
	written map[uint64]struct{} // hashes of the places that were written
	report  Report
}

func (r *rebuild[S, E]) run(ctx context.Context) error {
	sync := func() error { return r.spec.sync(ctx, r.store) }
	if err := r.patiently(ctx, sync); err != nil { // the first one, which begins to watch the store
		return err
	}
	if r.opt.Drop {
		for _, t := range r.spec.Tables {
			if err := r.patiently(ctx, func() error { return r.store.Clear(ctx, t) }); err != nil {
				return err
			}
		}
	}
	if err := r.pass(ctx); err != nil {
		return err
	}
	sweep := r.sweep
	if r.opt.Drop {
		sweep = r.sweepState
	}
	for _, t := range r.spec.Tables {
		if err := r.patiently(ctx, func() error { return sweep(ctx, t) }); err != nil {
			return err
		}
	}
	// Not patiently: a sync that failed tells that documents may be lost, and the next one
	// would not.
	return sync()
}

// pass reads the log once, in order, and has the workers fold it: each aggregate has one.
func (r *rebuild[S, E]) pass(ctx context.Context) error {
	log := r.bus.Log(r.spec.Fold.Service())
	states, err := r.bus.LogState(ctx, log.Service) // after Clear: what comes later is the projector's
	if err != nil {
		return err
	}
	var total uint64
	for _, s := range states {
		total += s.LastSeq
	}
	progress := func(done uint64) {
		if r.opt.Progress != nil {
			r.opt.Progress(min(done, total), total)
		}
	}
	progress(0)
	work, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	workers := make([]*rebuilder[S, E], r.opt.Workers)
	for i := range workers {
		if workers[i], err = newRebuilder(r); err != nil {
			return err
		}
	}
	queues := make([]chan bus.Entry, len(workers))
	var wg sync.WaitGroup
	for i, w := range workers {
		queues[i] = make(chan bus.Entry, rebuildQueue)
		wg.Go(func() {
			if err := w.run(work, queues[i]); err != nil {
				cancel(err)
			}
		})
	}
	var before, next uint64 // sequences in the shards that are done, and when to tell
	step := max(1, total/progressParts)
	for shard := 0; shard < len(states) && err == nil; shard++ {
		err = r.shard(work, states[shard], log.Wildcard(shard), func(e bus.Entry) error {
			select {
			case queues[maphash.String(r.seed, e.Subject)%uint64(len(queues))] <- e:
			case <-work.Done():
				return context.Cause(work)
			}
			r.report.Commits++
			if before+e.Seq >= next {
				next = before + e.Seq + step
				progress(before + e.Seq)
			}
			return nil
		})
		before += states[shard].LastSeq
	}
	if err != nil {
		cancel(err)
	}
	for _, q := range queues {
		close(q)
	}
	wg.Wait()
	if cause := context.Cause(work); cause != nil {
		return cause
	}
	progress(total)
	return nil
}

// shard reads one stream of the log up to its end as it was noted. Any replica may answer, and
// one may lack the newest: where a reading ends before that, the stream's leader tells whether
// there is more.
func (r *rebuild[S, E]) shard(ctx context.Context, noted bus.StreamState, wildcard string, f func(bus.Entry) error) error {
	last := uint64(0)
	return r.patiently(ctx, func() error {
		err := r.bus.Read(ctx, noted.Name, wildcard, last+1, func(e bus.Entry) error {
			if e.Seq > noted.LastSeq {
				return errPassed
			}
			if err := f(e); err != nil {
				return err
			}
			last = e.Seq
			return nil
		})
		if errors.Is(err, errPassed) || err == nil && last >= noted.LastSeq {
			return nil
		}
		if err != nil {
			return err
		}
		// What was the last may have gone to the archive meanwhile.
		head, err := r.bus.Head(ctx, noted.Name, wildcard)
		if errors.Is(err, bus.ErrNoMessage) || err == nil && head.Seq <= last {
			return nil
		}
		if err != nil {
			return err
		}
		return fmt.Errorf("%w: %s was read to %d, and goes to %d", bus.ErrUnavailable, noted.Name, last, head.Seq)
	})
}

var errPassed = errors.New("the end as it was when the rebuild began")

// patiently tries again while something is unavailable, up to half a minute or so.
func (r *rebuild[S, E]) patiently(ctx context.Context, f func() error) error {
	for try := 0; ; try++ {
		err := f()
		if err == nil || !transient(err) || ctx.Err() != nil || try == rebuildTries {
			return err
		}
		r.opt.Log.Warn("rebuild waits for what is unavailable", "err", err)
		if !pause(ctx, 100*time.Millisecond<<try) {
			return err
		}
	}
}

// broken notes an aggregate that cannot be folded.
func (r *rebuild[S, E]) broken(id string, err error) {
	r.opt.Log.Error("aggregate cannot be folded; its documents stay as they are", "service", r.spec.Fold.Service(), "id", id, "err", err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.BrokenCount++
	if len(r.report.Broken) < brokenMax {
		r.report.Broken = append(r.report.Broken, id)
	}
}
