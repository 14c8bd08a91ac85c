package projection

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// Options tune a Projector. The zero value is good.
type Options struct {
	// InFlight bounds the commits that are taken from the log and not yet in the
	// store, over all replicas of the service; its shards share it evenly. Default 512.
	InFlight int
	// Writers is how many aggregates are folded and written at once. Default 16.
	Writers int
	// Aggregates is how many folded ones are kept beside those in work; the one that was
	// not needed the longest goes first, and is loaded when it is needed again. Default 1024.
	Aggregates int
	// AckWait is how long the commits of a process that died stay with it, and may hold up all
	// others if they fill InFlight. Default 10 s.
	AckWait time.Duration
	// WriteTimeout is after how long a store that does not answer counts as unavailable.
	// Default 10 s.
	WriteTimeout time.Duration
	// RetryMin and RetryMax bound the pauses between tries while the store or NATS is
	// unavailable. Default 50 ms and 2 s.
	RetryMin, RetryMax time.Duration
	// SyncEvery is how often, at most, a store that is a store.Syncer is asked to bring to
	// disk what was written; commits are acknowledged after that. InFlight bounds how many
	// wait for it. Default 200 ms.
	SyncEvery time.Duration
	// Hold is how long a commit is tried here before it is given back, for this replica
	// or another to try on. Default 30 s.
	Hold time.Duration
	// Deliveries is how often a commit is tried that fails for another reason than that
	// something is unavailable, before it goes to the dead letters. Default 20: about seven
	// minutes, time for a newer release to come up.
	Deliveries uint64
	Log        *slog.Logger
}

func (o Options) withDefaults() Options {
	set := func(n *int, def int) {
		if *n <= 0 {
			*n = def
		}
	}
	wait := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	set(&o.InFlight, 512)
	set(&o.Writers, 16)
	set(&o.Aggregates, 1024)
	wait(&o.AckWait, 10*time.Second)
	wait(&o.WriteTimeout, 10*time.Second)
	wait(&o.RetryMin, 50*time.Millisecond)
	wait(&o.RetryMax, 2*time.Second)
	wait(&o.SyncEvery, 200*time.Millisecond)
	wait(&o.Hold, 30*time.Second)
	if o.Deliveries == 0 {
		o.Deliveries = 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Stats counts what a Projector did since it was made.
type Stats struct {
	// Commits that are in the store.
	Commits uint64
	// Writes of documents that took effect, and Stale ones that were there already.
	Writes, Stale uint64
	// Loads from the log, whole or of a tail.
	Loads uint64
	// Retries of commits while something was unavailable.
	Retries uint64
	// Syncs of a store.Syncer, and Unsynced ones that failed: their commits come again.
	Syncs, Unsynced uint64
	// DeadLetters is how many commits could not be projected.
	DeadLetters uint64
	// Working is how many commits are taken from the stream and not yet in the store.
	Working uint64
	// Lag is how old the last commit that came into the store was then, by the log's
	// clock.
	Lag time.Duration
	// Waits is set while something is unavailable that the projector waits for.
	Waits bool
}

type counters struct {
	commits, writes, stale, loads, retries, syncs, unsynced, deadLetters atomic.Uint64
	working, lag                                                         atomic.Int64
}

type timeout = time.Duration

// Projector folds every commit of a service into its documents.
type Projector[S, E any] struct {
	bus     *bus.Bus
	store   store.Store
	journal aggregate.Journal
	log     subjects.Log
	spec    Spec[S, E]
	opt     Options
	outage  outage
	adrift  outage        // of syncs
	writers chan struct{} // one token for each that works
	counters

	mu   sync.Mutex
	busy map[string]*lane[S, E] // at most InFlight
	idle *lru.Cache[string, *lane[S, E]]
}

// New makes a Projector. It does nothing until Run.
func New[S, E any](b *bus.Bus, s store.Store, spec Spec[S, E], opt Options) (*Projector[S, E], error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	opt = opt.withDefaults()
	idle, err := lru.New[string, *lane[S, E]](opt.Aggregates)
	if err != nil {
		return nil, fmt.Errorf("projection: %w", err)
	}
	return &Projector[S, E]{
		bus: b, store: s, journal: aggregate.NewJournal(b, spec.Fold.Service()), log: b.Log(spec.Fold.Service()), spec: spec, opt: opt,
		outage: outage{log: opt.Log}, adrift: outage{log: opt.Log},
		writers: make(chan struct{}, opt.Writers), busy: make(map[string]*lane[S, E]), idle: idle,
	}, nil
}

// Stats gives the counters.
func (p *Projector[S, E]) Stats() Stats {
	return Stats{
		Commits: p.commits.Load(), Writes: p.writes.Load(), Stale: p.stale.Load(),
		Loads: p.loads.Load(), Retries: p.retries.Load(),
		Syncs: p.syncs.Load(), Unsynced: p.unsynced.Load(), DeadLetters: p.deadLetters.Load(),
		Working: uint64(max(0, p.working.Load())), Lag: time.Duration(p.lag.Load()),
		Waits: p.outage.under() || p.adrift.under(),
	}
}

// Behind asks the server how many commits wait in the log that no projector of the
// service has taken yet.
func (p *Projector[S, E]) Behind(ctx context.Context) (behind uint64, err error) {
	for _, stream := range p.log.Streams() {
		n, err := p.bus.ConsumerWaiting(ctx, stream, Consumer(p.log.Service))
		if err != nil {
			return 0, err
		}
		behind += n
	}
	return behind, nil
}

// Consumer names the durable consumer, of each shard of the log, that the projectors of a
// service share.
func Consumer(service string) string { return "project-" + service }

// Run projects until ctx ends, and then returns nil once the writes under way are done.
// An error is one that waiting does not mend: the service has no stream, or the store
// lacks a table.
func (p *Projector[S, E]) Run(ctx context.Context) error {
	for wait := p.opt.RetryMin; ; wait = min(2*wait, p.opt.RetryMax) {
		err := p.check(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil
		}
		if !transient(err) {
			return fmt.Errorf("projection of %s: %w", p.spec.Fold.Service(), err)
		}
		p.outage.begin(err)
		if !pause(ctx, wait) {
			return nil
		}
	}
	p.outage.end()
	return p.route(ctx)
}

// check looks for what no waiting would mend.
func (p *Projector[S, E]) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.opt.WriteTimeout)
	defer cancel()
	if _, err := p.bus.LogState(ctx, p.log.Service); err != nil {
		return err
	}
	for _, t := range p.spec.Tables {
		if _, err := p.store.Get(ctx, t, "-"); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return p.spec.sync(ctx, p.store) // the first one, which begins to watch the store
}

// route runs the router until ctx ends.
func (p *Projector[S, E]) route(ctx context.Context) error {
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: p.opt.WriteTimeout + 5*time.Second}, quiet{p.opt.Log})
	if err != nil {
		return err
	}
	router.AddMiddleware(p.deadLetter, middleware.Retry{
		MaxRetries:      math.MaxInt32,
		InitialInterval: p.opt.RetryMin, MaxInterval: p.opt.RetryMax, Multiplier: 1.5, RandomizationFactor: 0.5,
		MaxElapsedTime:      p.opt.Hold,
		ResetContextOnRetry: true,
		ShouldRetry: func(r middleware.RetryParams) bool {
			if !transient(r.Err) || ctx.Err() != nil {
				return false
			}
			p.retries.Add(1)
			p.outage.begin(r.Err)
			return true
		},
	}.Middleware, middleware.Recoverer)
	// The router gets a context of its own: the end of ctx shall not cut the writes that
	// are under way.
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	onDisk := p.barrier(run, ctx.Done())
	subs := make([]*Subscriber, p.log.Len())
	for shard, stream := range p.log.Streams() {
		subs[shard] = p.subscriber(stream, onDisk)
		router.AddConsumerHandler("project-"+stream, p.log.Wildcard(shard), subs[shard], p.handle)
	}

	ended := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-router.Running(): // closing it earlier would wait for handlers that never start
		case <-ended:
			return
		}
		select {
		case <-ctx.Done():
		case <-ended:
			return
		}
		if err := router.Close(); err != nil {
			p.opt.Log.Warn("projection did not stop in time", "err", err)
			cancel()
		}
	})
	err = router.Run(run)
	close(ended)
	wg.Wait()
	for _, sub := range subs {
		err = errors.Join(err, sub.Close())
	}
	cancel()
	if onDisk != nil {
		onDisk.wg.Wait()
	}
	return err
}

// barrier is what the messages of all shards wait for, nil if the store needs none.
func (p *Projector[S, E]) barrier(owner context.Context, hurry <-chan struct{}) *barrier {
	if _, ok := p.store.(store.Syncer); !ok {
		return nil
	}
	return &barrier{
		owner: owner, hurry: hurry, every: p.opt.SyncEvery, limit: p.opt.WriteTimeout,
		sync:  func(ctx context.Context) error { return p.spec.sync(ctx, p.store) },
		fails: &p.unsynced,
		told: func(err error) {
			p.syncs.Add(1)
			if err == nil {
				p.adrift.end()
			} else if owner.Err() == nil {
				p.adrift.begin(err)
			}
		},
	}
}

// subscriber reads one shard of the log.
func (p *Projector[S, E]) subscriber(stream string, onDisk *barrier) *Subscriber {
	return NewSubscriber(p.bus, SubscriberConfig{
		Stream: stream, Durable: func(string) string { return Consumer(p.log.Service) },
		InFlight: max(1, p.opt.InFlight/p.log.Len()), AckWait: p.opt.AckWait, Drain: p.opt.WriteTimeout, Log: p.opt.Log, barrier: onDisk,
		Delay: func(m *message.Message) time.Duration {
			if m.Metadata.Get(metaWaiting) != "" {
				return p.opt.RetryMax
			}
			return backOff(m)
		},
	})
}

// handle projects one commit.
func (p *Projector[S, E]) handle(m *message.Message) error {
	m.Metadata.Set(metaUnsynced, strconv.FormatUint(p.unsynced.Load(), 10)) // at each try anew
	_, id, err := subjects.ParseEvents(m.Metadata.Get(MetaSubject))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUndecodable, err)
	}
	seq, err := parseUint(m.Metadata.Get(MetaSequence))
	if err != nil {
		return err
	}
	c, err := subjects.DecodeCommit(m.Payload)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUndecodable, err)
	}
	t := &task{seq: seq, commit: &c, done: make(chan struct{}), lead: make(chan struct{})}
	if err := p.project(m.Context(), id, t); err != nil {
		return err
	}
	p.lag.Store(int64(p.bus.Clock().Now().Sub(time.UnixMilli(c.At))))
	p.outage.end()
	return nil
}

// metaWaiting marks a commit that is given back because something is unavailable: it is
// soon tried again, however often it was.
const metaWaiting = "waiting"

// metaUnsynced is how many syncs had failed when the commit was last tried.
const metaUnsynced = "unsynced"

func unsyncedBefore(m *message.Message) uint64 {
	n, err := parseUint(m.Metadata.Get(metaUnsynced))
	if err != nil {
		return math.MaxUint64 // nothing tells what was written before
	}
	return n
}

// deadLetter takes out of the way what cannot be projected, and keeps it for people to
// look at.
func (p *Projector[S, E]) deadLetter(next message.HandlerFunc) message.HandlerFunc {
	return func(m *message.Message) ([]*message.Message, error) {
		p.working.Add(1) // here, around all tries of it
		defer p.working.Add(-1)
		out, err := next(m)
		if err == nil || m.Context().Err() != nil {
			return out, err
		}
		if transient(err) {
			m.Metadata.Set(metaWaiting, "yes")
			return nil, err
		}
		delivered, _ := parseUint(m.Metadata.Get(MetaDelivered))
		if !errors.Is(err, ErrUndecodable) && delivered < p.opt.Deliveries {
			return nil, err
		}
		subject := m.Metadata.Get(MetaSubject)
		reason := clip(err.Error())
		if err := p.bus.DeadLetter(m.Context(), p.spec.Fold.Service(), subject, reason, m.Payload); err != nil {
			m.Metadata.Set(metaWaiting, "yes")
			return nil, unavailable(err)
		}
		p.deadLetters.Add(1)
		p.opt.Log.Error("commit cannot be projected; it is among the dead letters", "subject", subject,
			"sequence", m.Metadata.Get(MetaSequence), "err", err)
		return nil, nil
	}
}
