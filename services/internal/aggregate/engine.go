package aggregate

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tuttihq/tutti/services/internal/telemetry"
	"github.com/tuttihq/tutti/subjects"
)

// Options bounds an Engine. The zero value of a field means its default.
type Options struct {
	// Now is the log's clock; default time.Now.
	Now func() time.Time
	// Log gets what an operator should know, and says of which service itself; default none.
	Log *slog.Logger
	// Queue is how many commands of one aggregate may wait; a further one is answered
	// busy. Default 4096.
	Queue int
	// Batch is how many commands one commit may hold. Default 512.
	Batch int
	// BatchBytes is how many bytes of events a commit may hold before the next command
	// has to wait for the following one. Default 256 KiB.
	BatchBytes int
	// Live is how many aggregates may be awake; when all are at work, a command for
	// another is answered busy. Default 20,000.
	Live int
	// Loads is how many aggregates may be loaded at once; further ones wait. Default 32.
	Loads int
	// Prepares is how many preparations may run at once; further ones wait. Default 64.
	Prepares int
	// PrepareTimeout bounds one preparation. Default 15 s.
	PrepareTimeout time.Duration
	// Resolve is how long an append with an unknown outcome is looked into before its
	// commands are answered unavailable. Default 10 s.
	Resolve time.Duration
	// Idle is how long an aggregate stays awake with nothing to do. Default 30 s.
	Idle time.Duration
	// StayUp is how far ahead an aggregate's timer may lie for it to stay awake until
	// then, so that the timer is exact; one that wakes for its timer is up to a second
	// late. When there are too many awake, those go to sleep too. Default 15 min.
	StayUp time.Duration
	// AskOnly reports the verbs that a Host does not take from the queue: what they carry
	// is not to be kept anywhere. Nil: none.
	AskOnly func(verb string) bool
	// SnapshotEvery is how many commits lie between two snapshots. Default 200.
	SnapshotEvery int
	// Metrics is told of every command and commit; nil: nobody.
	Metrics *Metrics
	// Tracer follows commands to their commit; nil follows none.
	Tracer *telemetry.Tracer
}

func (o Options) withDefaults() Options {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	defD := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&o.Queue, 4096)
	def(&o.Batch, 512)
	def(&o.BatchBytes, 256<<10)
	def(&o.Live, 20_000)
	def(&o.Loads, 32)
	def(&o.Prepares, 64)
	def(&o.SnapshotEvery, 200)
	defD(&o.PrepareTimeout, 15*time.Second)
	defD(&o.Resolve, 10*time.Second)
	defD(&o.Idle, 30*time.Second)
	defD(&o.StayUp, 15*time.Minute)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Delivery is a command as it arrived.
type Delivery struct {
	To      subjects.Command
	Payload []byte
	// Queued says that it came through the queue, where it may have waited for long: its
	// age is then measured against what the aggregate remembers, not against the present.
	Queued bool
	// Stale reports whether another owner may have been given the command by now, so that
	// deciding it here could contradict what that one said: nobody waits for this
	// delivery's answer any more, or the partition was lost. It is then answered
	// unavailable, unless the log holds the answer. Nil means never.
	Stale func() bool
	// Again says that the command was given to an owner before, perhaps another one, and
	// that what became of it is not known. Where it leaves no trace, that is confirmed by
	// an append and not by a look at the log: what the other has decided, and not stored
	// yet, can then not be stored any more.
	Again bool
	// Trace is the W3C trace context of the sender, empty if there is none.
	Trace string
	// Answer is called exactly once, from any goroutine; it must not block.
	Answer func(subjects.Answer)
}

// Stats counts what an Engine has done since it was made.
type Stats struct {
	Commands  uint64 // deliveries answered
	Commits   uint64 // appends that succeeded
	Conflicts uint64 // appends that were fenced
	Loads     uint64 // aggregates folded from the log
	Refused   uint64 // final refusals
	Repeats   uint64 // commands that were answered from memory
	Snapshots uint64
	Wakes     uint64 // timers that went off in this process
	Scheduled uint64 // timers left with the server
	Live      int    // aggregates awake now
	Waiting   int    // commands taken in and not answered yet, own wakes among them
	Loading   int    // aggregates being folded from the log now
	Preparing int    // preparations under way now
}

type counters struct {
	taken, commands, commits, conflicts, loads, refused, repeats, snapshots, wakes, scheduled atomic.Uint64
}

// Engine runs the aggregates of one service in this process: one command at a time each,
// all of them beside each other. It is safe for use by many goroutines.
type Engine[S, C, E any] struct {
	m   Machine[S, C, E]
	j   Journal
	opt Options
	counters

	ctx    context.Context // ends when Close gives up waiting
	cancel context.CancelFunc
	loads  chan struct{}
	preps  chan struct{}
	wg     sync.WaitGroup // workers, preparations, snapshots and the sweeper

	mu     sync.Mutex
	actors map[string]*actor[S, C, E]
	closed bool
	quit   chan struct{}
}

// NewEngine makes an engine and starts its sweeper. Close it.
func NewEngine[S, C, E any](m Machine[S, C, E], j Journal, opt Options) *Engine[S, C, E] {
	opt = opt.withDefaults()
	e := &Engine[S, C, E]{
		m: m, j: j, opt: opt,
		loads:  make(chan struct{}, opt.Loads),
		preps:  make(chan struct{}, opt.Prepares),
		actors: map[string]*actor[S, C, E]{},
		quit:   make(chan struct{}),
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.wg.Go(e.sweep)
	return e
}

// Submit takes a command in. It does not block: what is wrong with the command, or with
// the moment (subjects.CodeBusy, subjects.CodeUnavailable), is said through d.Answer.
func (e *Engine[S, C, E]) Submit(d Delivery) {
	e.taken.Add(1)
	it := e.read(d)
	if it.refusal != nil {
		// It cannot be read, so it never was nor will be accepted: no state is asked.
		e.answer(it, subjects.Answer{Command: it.call.Command, Refusal: it.refusal})
		return
	}
	e.mu.Lock()
	a, code := e.wake(d.To.ID)
	if a == nil {
		e.mu.Unlock()
		e.answer(it, subjects.Answer{Command: it.call.Command, Refusal: subjects.Refuse(code, "the server is at its limit or stopping")})
		return
	}
	ok := a.push(it)
	e.mu.Unlock()
	if !ok {
		e.answer(it, subjects.Answer{Command: it.call.Command, Refusal: subjects.Refuse(subjects.CodeBusy, "too many commands wait here")})
	}
}

// read decodes a delivery; what cannot be read has its refusal in the item.
func (e *Engine[S, C, E]) read(d Delivery) *item[C] {
	it := &item[C]{
		call:   Call{ID: d.To.ID, Verb: d.To.Verb, Principal: d.To.Principal},
		queued: d.Queued, stale: d.Stale, again: d.Again, reply: d.Answer,
	}
	env, err := subjects.DecodeEnvelope(d.Payload)
	it.call.Command = env.ID
	it.seen = e.opt.watch(&it.call, &d)
	if err != nil {
		it.refusal = asRefusal(err)
		return it
	}
	if it.key, err = keyOf(d.To.Principal, env.ID); err != nil {
		it.refusal = asRefusal(err)
		return it
	}
	if d.To.Verb == subjects.VerbWake && d.To.Principal == subjects.System {
		it.cmd = e.m.Wake()
		return it
	}
	it.cmd, err = e.decode(d.To.Verb, env.Body)
	if err != nil {
		it.refusal = asRefusal(err)
	}
	return it
}

// decode calls the machine's decoder; a panic in it refuses the command.
func (e *Engine[S, C, E]) decode(verb string, body []byte) (cmd C, err error) {
	defer func() {
		if p := recover(); p != nil {
			e.opt.Log.Error("decoding a command panicked", "verb", verb, "panic", p)
			err = subjects.Refuse(subjects.CodeInternal, "the command could not be read")
		}
	}()
	return e.m.DecodeCommand(verb, body)
}

// wake gives the actor of an aggregate, made if it sleeps. e.mu is held.
func (e *Engine[S, C, E]) wake(id string) (*actor[S, C, E], subjects.Code) {
	if e.closed {
		return nil, subjects.CodeUnavailable
	}
	if a, ok := e.actors[id]; ok {
		return a, ""
	}
	if len(e.actors) >= e.opt.Live && !e.makeRoom() {
		return nil, subjects.CodeBusy
	}
	a := &actor[S, C, E]{e: e, id: id, lastUse: time.Now()}
	e.actors[id] = a
	return a, ""
}

// makeRoom puts one idle aggregate to sleep, the longest idle of a few. e.mu is held.
func (e *Engine[S, C, E]) makeRoom() bool {
	const probes = 32
	var oldest *actor[S, C, E]
	var since time.Time
	seen := 0
	for _, a := range e.actors {
		if seen++; seen > probes && oldest != nil || seen > len(e.actors) {
			break
		}
		if at, idle := a.idleSince(); idle && (oldest == nil || at.Before(since)) {
			oldest, since = a, at
		}
	}
	return oldest != nil && e.sleep(oldest, time.Time{})
}

// sleep forgets an aggregate that has nothing to do, and had nothing since before, if
// that is set. e.mu is held.
func (e *Engine[S, C, E]) sleep(a *actor[S, C, E], before time.Time) bool {
	if !a.retire(before) {
		return false
	}
	delete(e.actors, a.id)
	return true
}

// sweep puts idle aggregates to sleep.
func (e *Engine[S, C, E]) sweep() {
	t := time.NewTicker(max(e.opt.Idle/4, 10*time.Millisecond))
	defer t.Stop()
	for {
		select {
		case <-e.quit:
			return
		case <-t.C:
		}
		before := time.Now().Add(-e.opt.Idle)
		e.mu.Lock()
		for _, a := range e.actors {
			e.sleep(a, before)
		}
		e.mu.Unlock()
	}
}

// Release lets go of the aggregates that match: it waits until their commands are
// answered, and puts them to sleep. Nothing must be submitted for them any more. It
// returns ctx's error if that ends first.
func (e *Engine[S, C, E]) Release(ctx context.Context, match func(id string) bool) error {
	t := time.NewTicker(time.Millisecond)
	defer t.Stop()
	for {
		left := 0
		e.mu.Lock()
		for id, a := range e.actors {
			if match(id) && !e.sleep(a, time.Time{}) {
				left++
			}
		}
		e.mu.Unlock()
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
}

// Close takes no more commands, waits until those that it has are answered, and stops.
// When ctx ends first it gives up on them: they are answered unavailable.
func (e *Engine[S, C, E]) Close(ctx context.Context) error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		e.wg.Wait()
		return nil
	}
	e.closed = true
	close(e.quit)
	e.mu.Unlock()
	err := e.Release(ctx, func(string) bool { return true })
	e.cancel()
	if err != nil {
		// Workers end by themselves now that their context has.
		err = errors.Join(err, e.Release(context.Background(), func(string) bool { return true }))
	}
	e.wg.Wait()
	return err
}

// Stats reads the counters.
func (e *Engine[S, C, E]) Stats() Stats {
	e.mu.Lock()
	live := len(e.actors)
	e.mu.Unlock()
	done := e.commands.Load() // before taken, so that what waits is never less than none
	return Stats{
		Commands: done, Commits: e.commits.Load(), Conflicts: e.conflicts.Load(),
		Loads: e.counters.loads.Load(), Refused: e.refused.Load(), Repeats: e.repeats.Load(),
		Snapshots: e.snapshots.Load(), Wakes: e.wakes.Load(), Scheduled: e.scheduled.Load(),
		Live: live, Waiting: int(e.taken.Load() - done), Loading: len(e.loads), Preparing: len(e.preps),
	}
}

func (e *Engine[S, C, E]) answer(it *item[C], a subjects.Answer) {
	e.commands.Add(1)
	if a.Refusal != nil && a.Refusal.Code.Final() {
		e.refused.Add(1)
	}
	e.opt.answered(&it.seen, it.call.Verb, &a)
	if it.reply != nil {
		it.reply(a)
	}
}

func asRefusal(err error) *subjects.Refusal {
	var r *subjects.Refusal
	if errors.As(err, &r) {
		return r
	}
	return subjects.Refuse(subjects.CodeInvalid, "%v", err)
}
