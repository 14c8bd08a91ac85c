package aggregate

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// Sink is told how one aggregate goes on. The follower holds the Locker while it changes
// the state and calls Reset, Commit or Lost; between the calls the sink may read the last
// given state under the same lock. The methods must not block: what comes after waits for
// them.
//
// Between two Resets the commits come each once, in order, and the revision grows by one.
type Sink[S any] interface {
	sync.Locker
	// Reset gives the state anew: at first, when what was given before does not go on
	// (the epoch was raised; the log was shortened, replaced or damaged), and after a Lost
	// that turned out to have missed nothing: then epoch and revision are the ones that
	// the sink has. f stays valid, and the follower changes it under the lock, until the
	// next Reset. An aggregate without a log has revision 0.
	Reset(f *Folded[S])
	// Commit gives the next commit, already folded into f, the one of the last Reset. data
	// are the bytes that the log holds; they are not changed any more and may be kept. With
	// f.Unknown set, the commit or one before it holds an event that this release cannot
	// fold: the commits go on, f.State stays where it was.
	Commit(f *Folded[S], data []byte, c *subjects.Commit)
	// Lost says that there is something in the log which cannot be read or folded now. It
	// is called once, then the follower goes on trying with a growing, bounded pause, and
	// the next Commit or Reset says that it is back. err wraps ErrUnavailable: the state
	// that was given stands, but is old; or ErrBrokenLog: it must not be used any more.
	Lost(err error)
}

// FollowOptions tunes a Follower. The zero value means the defaults.
type FollowOptions struct {
	// Log, default: discard.
	Log *slog.Logger
	// CheckEvery is how often the heads of all followed logs are compared with what was
	// folded. Default 5 s.
	CheckEvery time.Duration
	// FullEvery has every so manieth check look at every followed log. The others look
	// only at what the stream got since the one before, which costs what has changed.
	// Default 12. Every check after a lost connection is a full one.
	FullEvery int
	// Loads is how many aggregates are loaded or read on at once; the others wait. Default
	// 64.
	Loads int
	// Buffer is how many live commits of one aggregate wait to be folded. At more, they
	// are dropped and read from the log. Default 256.
	Buffer int
	// Retry is the pause before what failed is tried again; it doubles up to RetryMost.
	// Default 100 ms and 10 s.
	Retry, RetryMost time.Duration
	// Now is the log's clock, for the lag. Default: the bus's.
	Now func() time.Time
}

func (o FollowOptions) withDefaults() FollowOptions {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	for _, d := range []struct {
		v *time.Duration
		d time.Duration
	}{{&o.CheckEvery, 5 * time.Second}, {&o.Retry, 100 * time.Millisecond}, {&o.RetryMost, 10 * time.Second}} {
		if *d.v <= 0 {
			*d.v = d.d
		}
	}
	for _, n := range []struct {
		v *int
		n int
	}{{&o.FullEvery, 12}, {&o.Loads, 64}, {&o.Buffer, 256}} {
		if *n.v <= 0 {
			*n.v = n.n
		}
	}
	return o
}

// FollowStats counts what a Follower did since it was made.
type FollowStats struct {
	// Followed is the number of aggregates followed now, and Lost those among them whose
	// log cannot be followed at the moment.
	Followed, Lost int
	// Commits were given to sinks, Resets too; Losses counts the calls of Lost.
	Commits, Resets, Losses uint64
	// Gaps is how often live commits were missing and the log was read instead.
	Gaps uint64
	// Checks compared heads, FailedChecks could not.
	Checks, FailedChecks uint64
	// Lag is the time from a commit to its folding here, of the last commit, the largest
	// since the start, and the sum over all Commits. It holds the difference of two clocks
	// that are synchronised to some milliseconds; a negative one counts as 0.
	Lag, LagMost, LagSum time.Duration
}

// Follower keeps the folds of many aggregates of one service live: it hears their commits
// on the feed, reads from the log what the feed has lost, and compares now and then.
type Follower[S, E any] struct {
	j    Journal
	feed Feed
	fold Fold[S, E]
	opt  FollowOptions

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	loads  chan struct{}
	again  chan struct{} // cap 1: the connection was lost

	mu       sync.Mutex
	closed   bool
	followed map[*Following]struct{}

	stats followCounters
}

type followCounters struct {
	commits, resets, losses, gaps, checks, failed atomic.Uint64
	lost                                          atomic.Int64
	lag, lagMost, lagSum                          atomic.Int64 // milliseconds
}

// NewFollower makes a Follower of the aggregates that fold's service keeps on a bus. Close
// it before the bus.
func NewFollower[S, E any](b *bus.Bus, fold Fold[S, E], opt FollowOptions) *Follower[S, E] {
	if c := b.Clock(); opt.Now == nil && c != nil {
		opt.Now = c.Now
	}
	return NewFollowerOn(NewJournal(b, fold.Service()), NewFeed(b, fold.Service()), fold, opt)
}

// NewFollowerOn makes a Follower over any journal and the feed that belongs to it.
func NewFollowerOn[S, E any](j Journal, feed Feed, fold Fold[S, E], opt FollowOptions) *Follower[S, E] {
	opt = opt.withDefaults()
	w := &Follower[S, E]{
		j: j, feed: feed, fold: fold, opt: opt,
		loads: make(chan struct{}, opt.Loads), again: make(chan struct{}, 1),
		followed: map[*Following]struct{}{},
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	remove := feed.OnReconnect(func() {
		select {
		case w.again <- struct{}{}:
		default:
		}
	})
	w.wg.Go(func() {
		defer remove()
		w.watch()
	})
	return w
}

// Follow begins to follow an aggregate, whether it has a log yet or not. The same one may
// be followed several times. After Close it gives one that has ended.
func (w *Follower[S, E]) Follow(id string, sink Sink[S]) *Following {
	n := &Following{id: id, done: make(chan struct{}), poke: make(chan struct{}, 1)}
	n.ctx, n.cancel = context.WithCancel(w.ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		n.end()
		close(n.done)
		return n
	}
	w.followed[n] = struct{}{}
	g := &follow[S, E]{w: w, n: n, sink: sink}
	w.wg.Go(func() {
		defer close(n.done)
		g.run()
		w.mu.Lock()
		delete(w.followed, n)
		w.mu.Unlock()
	})
	return n
}

// Close ends all following and returns when no call to a sink is running or will come.
func (w *Follower[S, E]) Close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.cancel()
	w.wg.Wait()
}

// Stats tells what the Follower did. It is cheap.
func (w *Follower[S, E]) Stats() FollowStats {
	w.mu.Lock()
	followed := len(w.followed)
	w.mu.Unlock()
	c := &w.stats
	return FollowStats{
		Followed: followed, Lost: int(c.lost.Load()),
		Commits: c.commits.Load(), Resets: c.resets.Load(), Losses: c.losses.Load(), Gaps: c.gaps.Load(),
		Checks: c.checks.Load(), FailedChecks: c.failed.Load(),
		Lag:     time.Duration(c.lag.Load()) * time.Millisecond,
		LagMost: time.Duration(c.lagMost.Load()) * time.Millisecond,
		LagSum:  time.Duration(c.lagSum.Load()) * time.Millisecond,
	}
}

// lagged notes the lag of one commit.
func (c *followCounters) lagged(now time.Time, at int64) {
	lag := max(now.UnixMilli()-at, 0)
	c.lag.Store(lag)
	c.lagSum.Add(lag)
	for {
		most := c.lagMost.Load()
		if lag <= most || c.lagMost.CompareAndSwap(most, lag) {
			return
		}
	}
}
