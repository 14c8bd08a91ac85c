package aggregate

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// item is one command on its way through an actor.
type item[C any] struct {
	call   Call
	cmd    C
	key    commandKey
	queued bool
	// arrival numbers the commands of an actor in the order in which they came. Whatever
	// way a command takes through the actor, it is decided in this order among those of
	// its principal.
	arrival uint64
	// own marks the kernel's own wake, which nobody waits for.
	own bool
	// prepared is set once Prepare has run.
	prepared bool
	// alone has its events committed in an entry of their own: with others it did not
	// work, and only alone can be told whose fault that is.
	alone bool
	// refusal is set where the command is refused without a decision.
	refusal *subjects.Refusal
	// conflicts counts the appends that were fenced with this command in them.
	conflicts int
	stale     func() bool
	again     bool
	reply     func(subjects.Answer)
	seen      seen
}

// scheduled reports whether the item is a wake that the server delivered.
func (it *item[C]) scheduled() bool {
	return it.call.Verb == subjects.VerbWake && it.call.System() && !it.own
}

// gone reports whether another owner may have the command by now.
func (it *item[C]) gone() bool { return it.stale != nil && it.stale() }

// maxConflicts is how often a command is decided anew because another owner appended
// meanwhile, before it is answered unavailable.
const maxConflicts = 20

// actor is one live aggregate. Commands queue up under mu; a worker goroutine exists only
// while there are some, and alone touches what stands below it.
type actor[S, C, E any] struct {
	e  *Engine[S, C, E]
	id string

	mu       sync.Mutex
	arrivals uint64
	queue    []*item[C]          // by arrival
	lanes    map[string]*lane[C] // by principal, while a command of his is being prepared
	waiting  int                 // items in lanes
	ready    []string            // principals with something prepared in their lane
	running  bool
	retired  bool
	lastUse  time.Time
	alarm    alarm
	saver    saver

	// The worker's own.
	f         *Folded[S]
	recent    recent
	fresh     bool  // f was loaded after the present batch had arrived
	lost      place // where the log was when f was last dropped
	scheduled int64 // the second for which a wake was last scheduled
	marks     subjects.Marks
	buf       []byte
}

// place is a log's end, as an owner knew it.
type place struct{ seq, epoch uint64 }

// push queues a command; false if there are too many. The engine's mu is held, so the
// actor is not retired.
func (a *actor[S, C, E]) push(it *item[C]) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue)+a.waiting >= a.e.opt.Queue {
		return false
	}
	a.enter(it)
	return true
}

// enter puts a new command at the queue's end. a.mu is held.
func (a *actor[S, C, E]) enter(it *item[C]) {
	a.arrivals++
	it.arrival = a.arrivals
	a.queue = append(a.queue, it)
	a.start()
}

// enqueue puts commands, sorted by arrival, back to where they belong. a.mu is held.
func (a *actor[S, C, E]) enqueue(items []*item[C]) {
	if len(items) == 0 {
		return
	}
	if len(a.queue) == 0 || items[len(items)-1].arrival < a.queue[0].arrival {
		a.queue = append(items[:len(items):len(items)], a.queue...)
		return
	}
	merged := make([]*item[C], 0, len(items)+len(a.queue))
	for q := a.queue; ; {
		switch {
		case len(items) == 0:
			a.queue = append(merged, q...)
			return
		case len(q) == 0 || items[0].arrival < q[0].arrival:
			merged, items = append(merged, items[0]), items[1:]
		default:
			merged, q = append(merged, q[0]), q[1:]
		}
	}
}

// start starts the worker if none runs. a.mu is held.
func (a *actor[S, C, E]) start() {
	a.lastUse = time.Now()
	if !a.running {
		a.running = true
		a.e.wg.Go(a.work)
	}
}

// idleSince tells whether the actor has nothing to do, and since when.
func (a *actor[S, C, E]) idleSince() (time.Time, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lastUse, !a.running && a.waiting == 0 && len(a.queue) == 0 && !a.alarm.owed && !a.saver.saving
}

// retire ends the actor if it has nothing to do, and had nothing since before (if set). What
// is being stored is stored before.
func (a *actor[S, C, E]) retire(before time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running || a.waiting > 0 || len(a.queue) > 0 || a.saver.saving {
		return false
	}
	if !before.IsZero() && (a.alarm.owed || a.alarm.timer != nil || a.lastUse.After(before)) {
		return false
	}
	a.retired = true
	a.alarm.stop()
	return true
}

// work decides what has queued up, batch after batch, and ends when nothing is left.
func (a *actor[S, C, E]) work() {
	for {
		a.mu.Lock()
		a.merge()
		a.arm()
		if len(a.queue) == 0 {
			a.running = false
			a.lastUse = time.Now()
			a.mu.Unlock()
			return
		}
		n := min(len(a.queue), a.e.opt.Batch)
		batch := a.queue[:n:n]
		a.queue = a.queue[n:]
		if len(a.queue) == 0 {
			a.queue = nil
		}
		a.mu.Unlock()
		a.run(batch)
	}
}

// run brings one batch to its answers.
func (a *actor[S, C, E]) run(batch []*item[C]) {
	if a.f == nil {
		if err := a.load(batch); err != nil {
			a.e.opt.Log.Warn("aggregate not loaded", a.e.m.Service(), a.id, "err", err)
			code := subjects.CodeUnavailable
			if errors.Is(err, ErrBrokenLog) {
				a.e.opt.Log.Error("broken log", a.e.m.Service(), a.id, "err", err)
				code = subjects.CodeInternal
			}
			a.refuseAll(batch, subjects.Refuse(code, "the %s could not be loaded", a.e.m.Service()))
			return
		}
	}
	rest, err := a.commit(batch)
	a.fresh = false
	if len(rest) > 0 {
		a.requeue(rest)
	}
	if err != nil && !errors.Is(err, ErrFenced) {
		a.e.opt.Log.Warn("commit failed", a.e.m.Service(), a.id, "err", err)
	}
}

// load folds the aggregate from its log, for a batch.
func (a *actor[S, C, E]) load(batch []*item[C]) error {
	select {
	case a.e.loads <- struct{}{}:
	case <-a.e.ctx.Done():
		return fmt.Errorf("%w: stopping", ErrUnavailable)
	}
	defer func() { <-a.e.loads }()
	begin := time.Now()
	f, err := safely(func() (*Folded[S], error) { return Load(a.e.ctx, a.e.j, a.e.m, a.id) })
	if err != nil {
		return err
	}
	a.e.counters.loads.Add(1)
	a.e.opt.Metrics.loaded(time.Since(begin))
	if f.Seq < a.lost.seq && f.Epoch <= a.lost.epoch {
		// This owner has seen more of the log than there is now.
		f.Epoch, f.raised = a.lost.epoch+1, true
	}
	a.f, a.scheduled, a.fresh = f, 0, true
	if !slices.ContainsFunc(batch, (*item[C]).scheduled) {
		// A wake that an earlier owner scheduled may be lost with its server, or have been
		// delivered too early to be of use. With one in the batch it is seen to later.
		if err := a.schedule(); err != nil {
			a.drop()
			return err
		}
	}
	if f.raised || f.erased || f.sinceSnapshot >= a.e.opt.SnapshotEvery {
		a.snapshot()
	}
	return nil
}

// drop forgets the state: it is not what the log holds, or is not known to be.
func (a *actor[S, C, E]) drop() {
	if a.f != nil {
		a.lost = place{a.f.Seq, a.f.Epoch}
	}
	a.f = nil
}

// requeue puts commands back to be decided again; those that were in too many conflicts
// are answered unavailable.
func (a *actor[S, C, E]) requeue(items []*item[C]) {
	keep := make([]*item[C], 0, len(items))
	for _, it := range items {
		if it.conflicts > maxConflicts || a.e.ctx.Err() != nil {
			a.refuse(it, subjects.Refuse(subjects.CodeUnavailable, "another owner is at work here"))
			continue
		}
		keep = append(keep, it)
	}
	a.mu.Lock()
	a.enqueue(keep)
	a.mu.Unlock()
}

func (a *actor[S, C, E]) refuse(it *item[C], r *subjects.Refusal) {
	ans := subjects.Answer{Command: it.call.Command, Refusal: r}
	if a.f != nil {
		ans.Epoch, ans.Rev, ans.At = a.f.Epoch, a.f.Rev, a.f.At
	}
	a.answer(it, ans)
}

func (a *actor[S, C, E]) refuseAll(items []*item[C], r *subjects.Refusal) {
	for _, it := range items {
		a.refuse(it, r)
	}
}

func (a *actor[S, C, E]) answer(it *item[C], ans subjects.Answer) {
	if it.own {
		a.woken()
	}
	a.e.answer(it, ans)
}

func (a *actor[S, C, E]) now() int64 { return a.e.opt.Now().UnixMilli() }

// errPanic is what safely makes of a panic.
var errPanic = errors.New("aggregate: panic")

// safely turns a panic of f into an error.
func safely[T any](f func() (T, error)) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	return f()
}
