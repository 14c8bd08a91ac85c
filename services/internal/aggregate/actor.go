package aggregate

import (
	"errors"
	"fmt"
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
	// prepared is set once Prepare has run.
	prepared bool
	// refusal is set where the command is refused without a decision.
	refusal *subjects.Refusal
	// conflicts counts the appends that were fenced with this command in them.
	conflicts int
	reply     func(subjects.Answer)
}

// maxConflicts is how often a command is decided anew because another owner appended
// meanwhile, before it is answered unavailable.
const maxConflicts = 20

const (
	// owedPause is how long a wake that failed waits before it is tried again.
	owedPause = time.Second
	// overduePause is the shortest time between two wakes.
	overduePause = 2 * time.Millisecond
)

// actor is one live aggregate. Commands queue up under mu; a worker goroutine exists only
// while there are some, and alone touches what stands below it.
type actor[S, C, E any] struct {
	e  *Engine[S, C, E]
	id string

	mu      sync.Mutex
	queue   []*item[C]
	lanes   map[string][]*item[C] // per principal, what waits behind a preparation
	waiting int                   // items in lanes, and those being prepared
	running bool
	retired bool
	lastUse time.Time
	timer   *time.Timer
	// owed is set while a timer has fired and could not be carried out.
	owed bool

	// The worker's own.
	f         *Folded[S]
	recent    recent
	fresh     bool  // f was loaded after the present batch had arrived
	scheduled int64 // the second for which a wake was last scheduled
	marks     subjects.Marks
	buf       []byte
}

// push queues a command; false if there are too many. The engine's mu is held, so the
// actor is not retired.
func (a *actor[S, C, E]) push(it *item[C]) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue)+a.waiting >= a.e.opt.Queue {
		return false
	}
	a.queue = append(a.queue, it)
	a.start()
	return true
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
	return a.lastUse, !a.running && a.waiting == 0 && len(a.queue) == 0
}

// retire ends the actor if it has nothing to do, and had nothing since before (if set).
func (a *actor[S, C, E]) retire(before time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running || a.waiting > 0 || len(a.queue) > 0 || (a.owed && a.e.ctx.Err() == nil && !before.IsZero()) || (!before.IsZero() && a.lastUse.After(before)) {
		return false
	}
	a.retired = true
	if a.timer != nil {
		a.timer.Stop()
	}
	return true
}

// work decides what has queued up, batch after batch, and ends when nothing is left.
func (a *actor[S, C, E]) work() {
	for {
		a.mu.Lock()
		if len(a.queue) == 0 {
			a.running = false
			a.lastUse = time.Now()
			a.arm()
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
		if err := a.load(); err != nil {
			a.e.opt.Log.Warn("aggregate not loaded", "service", a.e.m.Service(), "id", a.id, "err", err)
			code := subjects.CodeUnavailable
			if errors.Is(err, ErrBrokenLog) {
				a.e.opt.Log.Error("broken log", "service", a.e.m.Service(), "id", a.id, "err", err)
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
		a.e.opt.Log.Warn("commit failed", "service", a.e.m.Service(), "id", a.id, "err", err)
	}
}

// load folds the aggregate from its log.
func (a *actor[S, C, E]) load() error {
	select {
	case a.e.loads <- struct{}{}:
	case <-a.e.ctx.Done():
		return fmt.Errorf("%w: stopping", ErrUnavailable)
	}
	defer func() { <-a.e.loads }()
	f, err := safely(func() (*Folded[S], error) { return Load(a.e.ctx, a.e.j, a.e.m, a.id) })
	if err != nil {
		return err
	}
	a.e.counters.loads.Add(1)
	a.f, a.scheduled, a.fresh = f, 0, true
	if f.Unknown == nil {
		// A wake that an earlier owner scheduled may be lost with its server.
		if err := a.schedule(); err != nil {
			a.f = nil
			return err
		}
	}
	if f.raised || f.sinceSnapshot >= a.e.opt.SnapshotEvery {
		a.snapshot()
	}
	return nil
}

// requeue puts commands back in front, in their order; those that were in too many
// conflicts are answered unavailable.
func (a *actor[S, C, E]) requeue(items []*item[C]) {
	keep := make([]*item[C], 0, len(items))
	for _, it := range items {
		if it.conflicts++; it.conflicts > maxConflicts || a.e.ctx.Err() != nil {
			a.refuse(it, subjects.Refuse(subjects.CodeUnavailable, "another owner is at work here"))
			continue
		}
		keep = append(keep, it)
	}
	a.mu.Lock()
	a.queue = append(keep, a.queue...)
	a.mu.Unlock()
}

func (a *actor[S, C, E]) refuse(it *item[C], r *subjects.Refusal) {
	ans := subjects.Answer{Command: it.call.Command, Refusal: r}
	if a.f != nil {
		ans.Epoch, ans.Rev, ans.At = a.f.Epoch, a.f.Rev, a.f.At
	}
	if it.reply == nil && !r.Code.Final() {
		a.mu.Lock()
		a.owed = true
		a.mu.Unlock()
	}
	a.e.answer(it, ans)
}

func (a *actor[S, C, E]) refuseAll(items []*item[C], r *subjects.Refusal) {
	for _, it := range items {
		a.refuse(it, r)
	}
}

// schedule has the server wake the aggregate at its next timer.
func (a *actor[S, C, E]) schedule() error {
	at, ok := a.e.m.NextTimer(a.f.State)
	if !ok {
		return nil
	}
	second := (at + 999) / 1000
	if second == a.scheduled || at <= a.now() {
		return nil
	}
	if err := a.e.j.Schedule(a.e.ctx, a.id, time.Unix(second, 0)); err != nil {
		return fmt.Errorf("aggregate: timer of %s: %w", a.id, err)
	}
	a.scheduled = second
	return nil
}

func (a *actor[S, C, E]) now() int64 { return a.e.opt.Now().UnixMilli() }

// arm sets the timer of this process. a.mu is held and no worker runs.
func (a *actor[S, C, E]) arm() {
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
	if a.owed {
		a.timer = time.AfterFunc(owedPause, a.fire)
		return
	}
	if a.f == nil || a.f.Unknown != nil {
		return
	}
	at, ok := a.e.m.NextTimer(a.f.State)
	if !ok {
		return
	}
	d := time.Duration(at-a.now()) * time.Millisecond
	if d > a.e.opt.Idle*2 {
		return // asleep by then; the scheduled wake comes through the queue
	}
	a.timer = time.AfterFunc(max(d, overduePause), a.fire)
}

// fire queues a wake, unless the actor has gone.
func (a *actor[S, C, E]) fire() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.retired {
		return
	}
	a.owed = false
	id := subjects.NewID(subjects.PrefixCommand, a.e.opt.Now())
	key, err := keyOf(subjects.System, id)
	if err != nil {
		return
	}
	a.queue = append(a.queue, &item[C]{
		call: Call{ID: a.id, Verb: subjects.VerbWake, Principal: subjects.System, Command: id},
		cmd:  a.e.m.Wake(), key: key, queued: true,
	})
	a.start()
}

// safely turns a panic of f into an error.
func safely[T any](f func() (T, error)) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("aggregate: panic: %v", p)
		}
	}()
	return f()
}
