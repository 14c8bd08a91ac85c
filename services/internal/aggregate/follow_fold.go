package aggregate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// follow folds one aggregate for one sink. All but n belongs to its goroutine; f is
// changed under the sink's lock.
type follow[S, E any] struct {
	w    *Follower[S, E]
	n    *Following
	sink Sink[S]

	live    FeedChannel
	dropped uint64 // by live, as far as it was seen to
	f       *Folded[S]
	at      tip // what f ends with
	// behind says that the log holds more than f, or something else.
	behind bool
	// need is a sequence that was heard of and not folded since the log was last asked.
	need uint64
	// doubt says that the log may hold another entry where f ends: nothing is folded on top
	// of it before the log was asked.
	doubt bool
	// anew says that f is not what the log holds, and must be loaded.
	anew bool
	// lost is what the sink was told, nil while all is well.
	lost  error
	pause time.Duration
	due   time.Time
}

func (g *follow[S, E]) run() {
	defer g.n.end()
	defer func() {
		if g.live != nil {
			g.live.Close()
		}
		if g.lost != nil {
			g.w.stats.lost.Add(-1)
		}
	}()
	g.behind, g.anew = true, true
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		var news <-chan *nats.Msg
		if g.live != nil && !g.behind {
			news = g.live.C()
		}
		select {
		case <-g.n.ctx.Done():
			return
		case m := <-news:
			g.hear(m)
		case <-g.n.poke:
		case <-t.C:
		}
		g.step()
		if g.behind {
			t.Reset(time.Until(g.due))
		} else {
			t.Stop()
		}
	}
}

// step does what there is to do: it folds what has come, and reads the log where that is
// not enough or somebody wants to be sure.
func (g *follow[S, E]) step() {
	o := g.n.take()
	if !g.anew {
		g.doubt = g.doubt || o.doubt
		g.drain()
		g.behind = g.behind || g.doubt || o.look || o.want > g.at.seq
	}
	if o.hurry {
		g.pause, g.due = 0, time.Time{}
	}
	try := g.behind && !time.Now().Before(g.due)
	switch {
	case len(o.syncs) == 0 && !try:
		return
	case !try && errors.Is(g.lost, ErrBrokenLog):
		// Reading all of it again for each who asks would be of no use.
		g.answer(o.syncs, g.lost)
		return
	}
	known := g.behind
	err := g.catchUp(g.n.ctx)
	switch {
	case g.n.ctx.Err() != nil:
		err = errNotFollowed(g.n.id)
	case err == nil:
		// What was heard of meanwhile may be newer than what was read.
		g.behind, g.doubt, g.pause, g.due = g.need > g.at.seq, false, 0, time.Time{}
		g.back()
	case known || g.behind || g.anew:
		g.behind = true
		if try || g.pause == 0 {
			g.pause = min(max(g.pause*2, g.w.opt.Retry), g.w.opt.RetryMost)
			g.due = time.Now().Add(g.pause)
		}
		g.tellLost(err)
	}
	g.answer(o.syncs, err)
}

func (g *follow[S, E]) answer(syncs []chan error, err error) {
	for _, s := range syncs {
		s <- err
	}
}

// drain folds the live commits that wait, so many as there are now.
func (g *follow[S, E]) drain() {
	c := g.live.C()
	for range len(c) {
		select {
		case m := <-c:
			g.hear(m)
		default:
		}
	}
	if d := g.live.Dropped(); d > g.dropped {
		g.dropped = d
		g.missed(g.at.seq + 1)
	}
}

// hear takes one live commit.
func (g *follow[S, E]) hear(m *nats.Msg) {
	e, ok := bus.ParseLive(m)
	entry := Entry{Seq: e.Seq, Data: e.Data}
	switch {
	case !ok, g.doubt, g.anew:
		g.missed(max(e.Seq, g.at.seq+1)) // whatever it is: look into the log
	case e.Seq < g.at.seq:
		// Old, unless the log lost its tail.
		if c, err := placeOf(e.Data); err == nil && c.Epoch > g.f.Epoch {
			g.missed(g.at.seq + 1)
			g.doubt = true
		}
	case e.Seq == g.at.seq:
		if tipOf(entry) != g.at {
			g.missed(g.at.seq + 1)
			g.doubt = true
		}
	case e.Previous == g.at.seq:
		c, err := subjects.DecodeCommit(entry.Data)
		if err == nil {
			err = g.take(entry, &c)
		} else {
			err = g.take(entry, nil)
		}
		if err != nil {
			g.missed(e.Seq)
		}
	case e.Previous < g.at.seq:
		// The entry that f ends with is not in the log any more.
		g.missed(e.Seq)
		g.anew = true
	default:
		if !g.behind {
			g.w.stats.gaps.Add(1)
		}
		g.missed(e.Seq)
	}
}

// missed notes that the log has to be asked.
func (g *follow[S, E]) missed(seq uint64) {
	g.need, g.behind = max(g.need, seq), true
}

// take folds the log's next entry; c is nil for one that is no commit. When that is not
// possible, anew is set.
func (g *follow[S, E]) take(e Entry, c *subjects.Commit) error {
	if c == nil { // see tail
		g.sink.Lock()
		g.f.Seq = e.Seq
		g.sink.Unlock()
		g.moved(e)
		return nil
	}
	if f := g.f; c.Rev != f.Rev+1 || c.Epoch != f.Epoch && f.Rev > 0 {
		g.anew = true
		return errForeignSnapshot
	}
	if err := g.commit(e, c); err != nil {
		g.anew = true
		return err
	}
	g.moved(e)
	g.w.stats.commits.Add(1)
	g.w.stats.lagged(g.w.opt.Now(), c.At)
	return nil
}

func (g *follow[S, E]) commit(e Entry, c *subjects.Commit) error {
	g.sink.Lock()
	defer g.sink.Unlock()
	if err := apply(g.w.fold, g.f, e.Seq, c); err != nil {
		// The state may be half changed: nobody may see it without knowing.
		g.setLost(err)
		return err
	}
	g.found()
	g.sink.Commit(g.f, e.Data, c)
	return nil
}

func (g *follow[S, E]) moved(e Entry) {
	g.at = tipOf(e)
	g.n.setPlace(g.at)
}

// tellLost tells the sink of the first error of a row, and of one that is worse.
func (g *follow[S, E]) tellLost(err error) {
	if g.lost != nil && (errors.Is(g.lost, ErrBrokenLog) || !errors.Is(err, ErrBrokenLog)) {
		return
	}
	g.sink.Lock()
	defer g.sink.Unlock()
	g.setLost(err)
}

// setLost does so with the sink's lock held.
func (g *follow[S, E]) setLost(err error) {
	if g.lost == nil {
		g.w.stats.lost.Add(1)
	}
	g.lost = err
	g.w.stats.losses.Add(1)
	level := slog.LevelDebug // an outage has many
	if errors.Is(err, ErrBrokenLog) {
		level = slog.LevelError
	}
	g.w.opt.Log.Log(g.n.ctx, level, "aggregate cannot be followed", "of", g.w.fold.Service(), "id", g.n.id, "err", err)
	g.sink.Lost(err)
}

// found notes that the sink is told of success. Its lock is held.
func (g *follow[S, E]) found() {
	if g.lost != nil {
		g.lost = nil
		g.w.stats.lost.Add(-1)
	}
}

// back tells the sink that a loss is over, if nothing else has.
func (g *follow[S, E]) back() {
	if g.lost == nil {
		return
	}
	g.sink.Lock()
	defer g.sink.Unlock()
	g.reset()
}

// reset gives the sink the state. Its lock is held.
func (g *follow[S, E]) reset() {
	g.found()
	g.w.stats.resets.Add(1)
	g.sink.Reset(g.f)
}

const (
	// confirmTries and confirmPause are how often, and after which pause at first, a log
	// that seems to have lost its tail is looked at again: a leader that was just elected
	// may not have applied everything yet.
	confirmTries = 3
	confirmPause = 50 * time.Millisecond
)

// catchUp brings the sink to where the log's leader is.
func (g *follow[S, E]) catchUp(ctx context.Context) error {
	if g.live == nil {
		// Before the log is read, so that nothing is missed in between.
		live, err := g.w.feed.Open(g.n.id, g.w.opt.Buffer)
		if err != nil {
			return err
		}
		g.live = live
	}
	for try := 0; !g.anew; try++ {
		before := g.at
		g.need = 0 // the leader knows of all that was heard
		e, err := g.w.j.Head(ctx, g.n.id)
		if err != nil {
			return err
		}
		head := tipOf(e)
		switch {
		case head == before:
			return nil
		case head.seq > before.seq:
			return g.readOn(ctx, head.seq)
		case head.seq == before.seq || try == confirmTries:
			g.anew = true
		default:
			pause(ctx, confirmPause<<try)
		}
	}
	return g.load(ctx)
}

// readOn folds up to a sequence: from what has come live meanwhile, or from the log.
func (g *follow[S, E]) readOn(ctx context.Context, upTo uint64) error {
	g.drain()
	if !g.anew && (g.doubt || g.at.seq < upTo) {
		if err := g.read(ctx, upTo); err != nil && !g.anew {
			return err
		}
	}
	if g.anew {
		return g.load(ctx)
	}
	return nil
}

// read folds up to a sequence from the log. It reads the entry that f ends with once more:
// if that is another one, the log is another, and anew is set.
func (g *follow[S, E]) read(ctx context.Context, upTo uint64) error {
	release, err := g.slot(ctx)
	if err != nil {
		return err
	}
	defer release()
	same := g.at.seq == 0
	at := func() uint64 {
		if same {
			return g.at.seq
		}
		return g.at.seq - 1
	}
	return tail(ctx, g.w.j, g.n.id, at()+1, upTo, func(e Entry, c *subjects.Commit) error {
		if same {
			return g.take(e, c)
		}
		if same = tipOf(e) == g.at; !same {
			g.anew = true
			return errForeignSnapshot
		}
		g.doubt = false
		return nil
	}, at)
}

// slot waits for its turn to read much.
func (g *follow[S, E]) slot(ctx context.Context) (release func(), err error) {
	select {
	case g.w.loads <- struct{}{}:
		return func() { <-g.w.loads }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
}

// load folds the aggregate from its log and gives it to the sink.
func (g *follow[S, E]) load(ctx context.Context) error {
	release, err := g.slot(ctx)
	if err != nil {
		return err
	}
	defer release()
	g.need = 0 // as in catchUp
	j := &tipped{Journal: g.w.j}
	f, err := safely(func() (*Folded[S], error) { return Load(ctx, j, g.w.fold, g.n.id) })
	if errors.Is(err, errPanic) {
		err = fmt.Errorf("%w: %s: %w", ErrBrokenLog, g.n.id, err)
	}
	if err != nil {
		return err
	}
	f.memory = nil
	g.sink.Lock()
	g.f = f
	g.reset()
	g.sink.Unlock()
	g.at = j.last
	g.n.setPlace(g.at)
	g.anew, g.doubt = false, false
	return nil
}
