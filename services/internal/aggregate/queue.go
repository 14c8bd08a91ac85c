package aggregate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

const (
	// queueInFlight bounds the queued commands of one partition that are worked on at
	// once; the others wait in the stream.
	queueInFlight = 256
	// queueAckWait is longer than nearly any command takes here; a message that is still
	// worked on when it passes is handed out again and ignored. One whose acknowledgement
	// was lost holds one of queueInFlight places until then, or until nothing more comes
	// (see next); it is much less than subjects.CommandHorizon, in which the owner knows it
	// again.
	queueAckWait  = time.Minute
	queueRetryMin = 50 * time.Millisecond
	queueRetryMax = 5 * time.Second
	queueReopen   = time.Second
	// queueBegin is how long a new owner leaves the queue alone: until the one before has
	// heard of it, and does not read along any more.
	queueBegin = leaseListen
	// queueCheck is how long nothing comes before the server is asked whether it believes
	// to have handed something out; a new owner asks earlier, the first time after
	// queueCheckMin and then after twice as long each time.
	queueCheckMin = 500 * time.Millisecond
	queueCheck    = 10 * time.Second
	// queueLate is how long something may be under way that the server has handed out.
	queueLate = 250 * time.Millisecond
)

// errQueueGap means that the server has handed messages out that did not arrive here: a
// connection broke, or another replica reads along. Later ones must not overtake them.
var errQueueGap = errors.New("aggregate: queued commands went astray")

// errAcksLost means that the server waits for the acknowledgement of what is done: it comes
// again, is known again, and frees the place it took.
var errAcksLost = errors.New("aggregate: acknowledgements of queued commands were lost")

// queue carries out the commands of one partition that wait in the COMMANDS stream. Its
// consumer begins anew with every owner, and when a message went astray, so that what is
// unfinished comes again in the stream's order. One sender's commands to one aggregate go in one after
// another, each once the one before has its final answer.
type queue struct {
	bus       *bus.Bus
	service   string
	partition int
	askOnly   func(verb string) bool // nil: none
	submit    func(Delivery)
	lapsed    func() bool
	breaks    *interruptions
	log       *slog.Logger

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	before uint64 // the stream's last sequence when its consumer began anew

	reading atomic.Pointer[bus.Subscription] // nil while interrupted

	mu     sync.Mutex
	lanes  map[laneKey][]*queued // the first of each is being worked on
	flight map[uint64]struct{}   // by sequence in the stream
}

type laneKey struct{ id, principal string }

type queued struct {
	m     *bus.Message
	to    subjects.Command
	pause time.Duration
	// again is set if an owner may have had the command before, this one included.
	again bool
}

// startQueue begins to carry out a partition's queue; lapsed reports whether it may be
// another owner's by now.
func startQueue(b *bus.Bus, service string, partition int, submit func(Delivery), lapsed func() bool, askOnly func(string) bool, breaks *interruptions, log *slog.Logger) *queue {
	q := &queue{
		bus: b, service: service, partition: partition, submit: submit, lapsed: lapsed, askOnly: askOnly, breaks: breaks, log: log,
		lanes: map[laneKey][]*queued{}, flight: map[uint64]struct{}{},
	}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	q.wg.Go(q.run)
	return q
}

// close takes no more commands. Those under way end in the engine; what has no final
// answer then is left in the stream for the next owner.
func (q *queue) close() { q.cancel() }

// wait returns after close, once the engine has answered what it was given.
func (q *queue) wait() { q.wg.Wait() }

func (q *queue) run() {
	defer q.breaks.left(q)
	q.sleep(queueBegin)
	for q.ctx.Err() == nil {
		err := q.read()
		if q.ctx.Err() != nil {
			return
		}
		q.breaks.began(q, err)
		q.sleep(queueReopen)
	}
}

// lostLevel is how loudly to say what failed: without a connection everything does, and the
// bus has said so.
func lostLevel(b *bus.Bus) slog.Level {
	if b.DownFor() > 0 {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

func (q *queue) read() error {
	sub, err := q.bus.Consume(q.ctx, bus.ConsumerSpec{
		Stream:   subjects.StreamCommands,
		Name:     fmt.Sprintf("%s-%d", q.service, q.partition),
		Filters:  []string{subjects.PartitionWildcard(subjects.DoorQueue, q.service, q.partition)},
		InFlight: queueInFlight, AckWait: queueAckWait, Restart: true,
	})
	if err != nil {
		return err
	}
	defer sub.Stop()
	q.reading.Store(sub)
	defer q.reading.Store(nil)
	s, err := q.bus.StreamState(q.ctx, subjects.StreamCommands)
	if err != nil {
		return err
	}
	q.before = s.LastSeq
	q.breaks.ended(q)
	quiet := queueCheckMin
	for handed := uint64(0); ; handed++ {
		m, err := q.next(sub, handed, &quiet)
		if err != nil {
			return err
		}
		if m.Handed != handed+1 {
			return errQueueGap
		}
		q.take(m)
	}
}

// next waits for the next message; handed is the number of the last one. The server is asked
// after each time of quiet, which grows.
func (q *queue) next(sub *bus.Subscription, handed uint64, quiet *time.Duration) (*bus.Message, error) {
	within := func(d time.Duration) (m *bus.Message, silent bool, err error) {
		ctx, cancel := context.WithTimeout(q.ctx, d)
		defer cancel()
		m, err = sub.Next(ctx)
		return m, q.ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded), err
	}
	for {
		m, silent, err := within(*quiet)
		if !silent {
			return m, err
		}
		working := q.working()
		n, unacked, err := sub.Handed(q.ctx)
		if err != nil {
			return nil, errors.Join(err, errQueueGap)
		}
		if n != handed {
			if m, silent, err = within(queueLate); !silent {
				return m, err
			}
			return nil, errQueueGap
		}
		if *quiet == queueCheck && unacked > working { // nobody has taken the acknowledgements
			return nil, errAcksLost
		}
		*quiet = min(2**quiet, queueCheck)
	}
}

// working is how many commands have no final answer yet.
func (q *queue) working() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.flight)
}

func (q *queue) take(m *bus.Message) {
	_, part, to, err := subjects.ParseRouted(m.Subject)
	if err == nil && part != subjects.Partition(to.ID, q.bus.Partitions()) {
		err = subjects.Refuse(subjects.CodeInvalid, "the subject names another partition than the id's")
	}
	if err == nil && !ownTimer(m.Header(headerScheduler), to) {
		err = subjects.Refuse(subjects.CodeForbidden, "a schedule may wake its own aggregate and do nothing else")
	}
	if err == nil {
		_, err = subjects.DecodeEnvelope(m.Data)
	}
	if err != nil {
		q.bury(m, subjects.Answer{Refusal: asRefusal(err)})
		return
	}
	if q.askOnly != nil && q.askOnly(to.Verb) {
		// Not even among the dead letters: what it carries is not to be kept.
		a := subjects.Answer{Refusal: subjects.Refuse(subjects.CodeInvalid, "%s is not taken from the queue: ask for it", to.Verb)}
		if q.tell(m, to, a) {
			q.reply(m, a)
			q.ack(m)
		}
		return
	}
	it := &queued{m: m, to: to, pause: queueRetryMin, again: m.Seq <= q.before || m.Delivered > 1}
	key := laneKey{to.ID, to.Principal}
	q.mu.Lock()
	if _, dup := q.flight[m.Seq]; dup {
		q.mu.Unlock()
		return
	}
	q.flight[m.Seq] = struct{}{}
	lane := append(q.lanes[key], it)
	q.lanes[key] = lane
	q.mu.Unlock()
	if len(lane) == 1 {
		q.send(it)
	}
}

// headerScheduler is the server's mark on what a schedule stored: the schedule's subject.
const headerScheduler = "Nats-Scheduler"

// ownTimer reports whether a command may have come by the schedule, "" for none. The server
// checks what somebody may publish to, not what a schedule of theirs is to store: who may
// leave a schedule could otherwise speak as anybody.
func ownTimer(schedule string, to subjects.Command) bool {
	return schedule == "" || to.Verb == subjects.VerbWake && to.Principal == subjects.System &&
		strings.HasPrefix(schedule, subjects.Timers(to.Service, to.ID))
}

func (q *queue) send(it *queued) {
	q.wg.Add(1) // until it is answered
	q.submit(Delivery{To: it.to, Payload: it.m.Data, Queued: true, Stale: q.stale, Again: it.again, Trace: it.m.Header(subjects.HeaderTrace), Answer: func(a subjects.Answer) { q.answered(it, a) }})
}

// length is how many commands wait in the stream and how many are worked on; it asks the
// server.
func (q *queue) length(ctx context.Context) (waiting uint64, flight int, err error) {
	flight = q.working()
	if sub := q.reading.Load(); sub != nil {
		waiting, err = sub.Waiting(ctx)
	}
	return waiting, flight, err
}

// stale reports whether the next owner may be at this queue already.
func (q *queue) stale() bool { return q.ctx.Err() != nil || q.lapsed() }

// answered runs on the actor's goroutine: what takes time goes beside it.
func (q *queue) answered(it *queued, a subjects.Answer) {
	go func() {
		defer q.wg.Done()
		if a.Refusal == nil || a.Refusal.Code.Final() {
			q.finish(it, a)
			return
		}
		q.sleep(it.pause)
		it.pause = min(it.pause*2, queueRetryMax)
		it.again = it.again || a.Refusal.Code != subjects.CodeBusy
		if q.ctx.Err() == nil { // else the next owner will see to it
			q.send(it)
		}
	}()
}

func (q *queue) finish(it *queued, a subjects.Answer) {
	if !q.tell(it.m, it.to, a) {
		return // the next owner will see to it
	}
	if undecodable(a) {
		q.bury(it.m, a)
	} else {
		q.reply(it.m, a)
		q.ack(it.m)
	}
	key := laneKey{it.to.ID, it.to.Principal}
	q.mu.Lock()
	delete(q.flight, it.m.Seq)
	lane := q.lanes[key][1:]
	if len(lane) == 0 {
		delete(q.lanes, key)
	} else {
		q.lanes[key] = lane
	}
	q.mu.Unlock()
	if len(lane) > 0 && q.ctx.Err() == nil {
		q.send(lane[0])
	}
}

func (q *queue) ack(m *bus.Message) {
	if err := m.Ack(); err != nil {
		q.log.Warn("queued command not acknowledged; it will come again", "subject", m.Subject, "err", err)
	}
}

// undecodable reports whether a command was refused for what it is, and no state was
// looked at.
func undecodable(a subjects.Answer) bool {
	if a.Refusal == nil || a.Rev > 0 {
		return false
	}
	c := a.Refusal.Code
	return c == subjects.CodeInvalid || c == subjects.CodeUnknownVerb || c == subjects.CodeTooLarge
}

// bury puts what cannot be decoded among the dead letters, and only then lets go of it.
func (q *queue) bury(m *bus.Message, a subjects.Answer) {
	q.reply(m, a)
	for pause := queueRetryMin; q.ctx.Err() == nil; pause = min(pause*2, queueRetryMax) {
		err := q.bus.DeadLetter(q.ctx, q.service, m.Subject, a.Refusal.Error(), m.Data)
		if err == nil || errors.Is(err, bus.ErrTooLarge) {
			if err := m.Ack(); err != nil {
				q.log.Warn("dead letter not acknowledged; it will come again", "subject", m.Subject, "err", err)
			}
			return
		}
		q.sleep(pause)
	}
}

// reply answers a sender that named an inbox.
func (q *queue) reply(m *bus.Message, a subjects.Answer) {
	inbox := m.Header(subjects.HeaderReplyTo)
	if inbox == "" {
		return
	}
	data, err := json.Marshal(a)
	if err == nil {
		err = q.bus.Reply(inbox, data)
	}
	if err != nil && !errors.Is(err, bus.ErrNoInbox) {
		q.log.Warn("answer to a queued command not sent", "err", err)
	}
}

func (q *queue) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-q.ctx.Done():
	case <-t.C:
	}
}
