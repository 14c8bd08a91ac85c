package aggregate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// askPending bounds the commands of one partition that this process has received and not
// yet looked at; past it the newest are dropped, and their senders ask again.
const askPending = 65_536

// handover bounds how long a partition that goes to another replica is held on to.
const handover = 10 * time.Second

// Host runs a service's aggregates in this process: it shares the partitions with the
// other replicas of the service, hears the commands of its own, and lets go of those that
// another takes.
type Host[S, C, E any] struct {
	bus     *bus.Bus
	service string
	engine  *Engine[S, C, E]
	members *members
	log     *slog.Logger
	now     func() time.Time

	askOnly func(verb string) bool
	unhook  func()
	quit    chan struct{}
	wg      sync.WaitGroup
	breaks  *interruptions
	queues  sync.WaitGroup // a queue ends when the engine has answered what it took

	mu      sync.Mutex
	owned   map[int]*partition
	stopped bool
}

type partition struct {
	sub   *nats.Subscription
	queue *queue
	lease lease // under which queue was started
}

// StartHost joins the replicas of the machine's service and takes its share of the
// partitions. replica names this process among them, unique and new for each start.
func StartHost[S, C, E any](ctx context.Context, b *bus.Bus, m Machine[S, C, E], replica string, opt Options) (*Host[S, C, E], error) {
	if opt.Now == nil {
		opt.Now = b.Clock().Now
	}
	opt = opt.withDefaults()
	h := &Host[S, C, E]{
		bus: b, service: m.Service(), log: opt.Log, now: opt.Now,
		quit: make(chan struct{}), owned: map[int]*partition{}, breaks: newInterruptions(opt.Log),
	}
	mem, err := joinMembers(ctx, b, h.service, replica, opt.Log)
	if err != nil {
		return nil, fmt.Errorf("aggregate: join the %s replicas: %w", h.service, err)
	}
	h.members, h.askOnly = mem, opt.AskOnly
	h.engine = NewEngine(m, NewJournal(b, h.service), opt)
	h.unhook = b.OnReconnect(mem.reconnected)
	h.rebalance()
	h.members.here()
	h.wg.Go(h.run)
	return h, nil
}

// Engine gives the engine, for its Stats.
func (h *Host[S, C, E]) Engine() *Engine[S, C, E] { return h.engine }

// Partitions lists how many partitions this replica owns now.
func (h *Host[S, C, E]) Partitions() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.owned)
}

// Queued tells how many commands wait in the COMMANDS stream for this replica's
// partitions, and how many of theirs are being worked on. It asks the server once a
// partition; of a partition that is not being read just now it knows nothing.
func (h *Host[S, C, E]) Queued(ctx context.Context) (waiting uint64, flight int, err error) {
	h.mu.Lock()
	queues := make([]*queue, 0, len(h.owned))
	for _, p := range h.owned {
		queues = append(queues, p.queue)
	}
	h.mu.Unlock()
	for _, q := range queues {
		w, f, err := q.length(ctx)
		if err != nil {
			return 0, 0, err
		}
		waiting, flight = waiting+w, flight+f
	}
	return waiting, flight, nil
}

func (h *Host[S, C, E]) run() {
	retry := time.NewTicker(time.Second)
	defer retry.Stop()
	for {
		select {
		case <-h.quit:
			return
		case <-h.members.changed:
		case <-retry.C: // a partition that could not be taken is tried again
		}
		h.rebalance()
	}
}

// rebalance takes and lets go of partitions until this replica has what is its own.
func (h *Host[S, C, E]) rebalance() {
	h.mu.Lock()
	defer h.mu.Unlock()
	now, settled := h.members.lease()
	if h.stopped || !settled {
		return
	}
	want := h.members.mine(h.bus.Partitions())
	for p := range want {
		part := h.owned[p]
		if part != nil && part.lease != now {
			// This process stood still or was cut off: another may have carried the queue
			// on, and what the server had handed out may be lost. What was taken from there
			// is given up; what is left comes again, in its order.
			part.queue.close()
			part.lease, part.queue = now, h.startQueue(p, now)
		}
		if part != nil {
			continue
		}
		part, err := h.acquire(p, now)
		if err != nil {
			h.log.Warn("partition not taken", "partition", p, "err", err)
			continue
		}
		h.owned[p] = part
	}
	for p, part := range h.owned {
		if !want[p] {
			delete(h.owned, p)
			h.wg.Go(func() { h.release(p, part) })
		}
	}
}

func (h *Host[S, C, E]) acquire(p int, l lease) (*partition, error) {
	// In a queue group: while two replicas believe that they own the partition, each attempt
	// of a command still reaches one of them only. The log's fence would not do, since a
	// refusal leaves nothing there: one replica could refuse for good what the other then
	// carries out. A replica that is frozen stays in the group until the server misses its
	// pings; what it is handed is void when it wakes (subjects.HeaderDeadline).
	sub, err := h.bus.Conn().QueueSubscribe(subjects.PartitionWildcard(subjects.DoorAsk, h.service, p), "owner", h.ask)
	if err != nil {
		return nil, err
	}
	if err := sub.SetPendingLimits(askPending, 64<<20); err != nil {
		return nil, errors.Join(err, sub.Unsubscribe())
	}
	return &partition{sub: sub, queue: h.startQueue(p, l), lease: l}, nil
}

func (h *Host[S, C, E]) startQueue(p int, l lease) *queue {
	lapsed := func() bool { return h.members.lapsed(l, p) }
	q := startQueue(h.bus, h.service, p, h.engine.Submit, lapsed, h.askOnly, h.breaks, h.log)
	h.queues.Go(q.wait)
	return q
}

// release stops hearing a partition's commands and waits until those heard are answered.
func (h *Host[S, C, E]) release(p int, part *partition) {
	part.queue.close()
	h.unsubscribe(part.sub)
	ctx, cancel := context.WithTimeout(context.Background(), handover)
	defer cancel()
	err := h.engine.Release(ctx, func(id string) bool { return subjects.Partition(id, h.bus.Partitions()) == p })
	if err != nil {
		h.log.Warn("partition let go with commands under way", "partition", p)
	}
}

// unsubscribe lets go of a partition's subject. On a sound connection what has arrived is
// taken before.
func (h *Host[S, C, E]) unsubscribe(sub *nats.Subscription) {
	nc := h.bus.Conn()
	drained := make(chan struct{})
	sub.SetClosedHandler(func(string) { close(drained) })
	before := nc.Stats().Reconnects
	if !nc.IsConnected() || sub.Drain() != nil {
		if err := sub.Unsubscribe(); err != nil {
			h.log.Debug("partition's subscription", "err", err)
		}
		return
	}
	select {
	case <-drained:
	case <-time.After(handover):
		if err := sub.Unsubscribe(); err != nil {
			h.log.Debug("partition's subscription", "err", err)
		}
	}
	if nc.Stats().Reconnects != before {
		// The client has subscribed anew to what it was draining, and then forgotten it
		// without telling the server, which goes on to hand this process a share of the
		// partition's commands. Only another connection ends that.
		if err := nc.ForceReconnect(); err != nil {
			h.log.Debug("connection", "err", err)
		}
	}
}

// ask takes a command that somebody waits for.
func (h *Host[S, C, E]) ask(m *nats.Msg) {
	reply := m.Reply
	answer := func(a subjects.Answer) {
		if reply == "" {
			return
		}
		data, err := json.Marshal(a)
		if err == nil {
			err = h.bus.Reply(reply, data)
		}
		if err != nil && !errors.Is(err, nats.ErrConnectionClosed) && !errors.Is(err, bus.ErrNoInbox) {
			h.log.Warn("answer not sent", "err", err)
		}
	}
	_, part, to, err := subjects.ParseRouted(m.Subject)
	if err != nil || part != subjects.Partition(to.ID, h.bus.Partitions()) {
		// Somebody went past the mapping: another replica may own this aggregate.
		answer(subjects.Answer{Refusal: subjects.Refuse(subjects.CodeInvalid, "the subject is not a command's")})
		return
	}
	d := Delivery{To: to, Payload: m.Data, Again: m.Header.Get(subjects.HeaderAgain) != "", Answer: answer}
	d.Trace = m.Header.Get(subjects.HeaderTrace)
	if until, err := strconv.ParseInt(m.Header.Get(subjects.HeaderDeadline), 10, 64); err == nil {
		d.Stale = func() bool { return h.now().UnixMilli() > until }
	}
	h.engine.Submit(d)
}

// Stop tells the other replicas, lets go of every partition, and waits until what was
// heard is answered or ctx ends.
func (h *Host[S, C, E]) Stop(ctx context.Context) error {
	close(h.quit)
	h.unhook()
	h.members.leave()
	h.mu.Lock()
	h.stopped = true
	for p, part := range h.owned {
		delete(h.owned, p)
		h.wg.Go(func() { h.release(p, part) })
	}
	h.mu.Unlock()
	h.wg.Wait()
	err := h.engine.Close(ctx)
	h.queues.Wait()
	return err
}
