package aggregate

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// leaseNews is what replicas of a service tell each other: "I am new" at the start (everyone
// answers, and lets go of nothing yet), "I am here" once it hears its partitions' commands
// and then every leaseBeat, "I go" at the end, before it lets go. So a partition that changes
// hands has both owners for a moment, which the log's fence sorts out, and is never without.
type leaseNews struct {
	Replica string `json:"replica"`
	Hello   bool   `json:"hello,omitempty"`
	Bye     bool   `json:"bye,omitempty"`
}

const (
	// leaseBeat is how often a replica renews its lease.
	leaseBeat = 300 * time.Millisecond
	// leaseLife is how long a lease holds without being renewed.
	leaseLife = 1500 * time.Millisecond
	// leaseListen is how long a new replica listens before it takes partitions.
	leaseListen = 150 * time.Millisecond
	// leaseGap is the longest time between two renewals after which this process still
	// takes its lease for held: shorter than leaseLife, at the end of which others do not.
	leaseGap = leaseLife * 2 / 3
)

// lease tells the times apart that this process has held its lease without a gap, on one
// connection: what the server had handed out on another may never have arrived.
type lease struct{ held, connection uint64 }

// members knows which replicas of a service are live, and so which partitions are whose:
// the live replica with the highest hash of (replica, partition) owns it. Replicas may
// disagree for a moment; then the log's fence decides.
type members struct {
	bus     *bus.Bus
	subject string
	self    string
	log     *slog.Logger
	changed chan struct{} // holds one token when the set of live replicas has changed

	sub  *nats.Subscription
	quit chan struct{}
	wg   sync.WaitGroup

	mu    sync.Mutex
	seen  map[string]time.Time
	told  time.Time // when the lease was last renewed
	held  uint64    // counts the gaps
	since time.Time // the last of them; zero if there was none
}

func joinMembers(ctx context.Context, b *bus.Bus, service, self string, log *slog.Logger) (*members, error) {
	m := &members{
		bus: b, self: self, log: log, subject: subjects.Live(service, "owners", "lease"),
		changed: make(chan struct{}, 1), quit: make(chan struct{}), seen: map[string]time.Time{},
	}
	sub, err := b.Conn().Subscribe(m.subject, m.hear)
	if err != nil {
		return nil, err
	}
	m.sub = sub
	m.tell(leaseNews{Replica: self, Hello: true})
	t := time.NewTimer(leaseListen)
	defer t.Stop()
	select {
	case <-ctx.Done():
		_ = sub.Unsubscribe()
		return nil, ctx.Err()
	case <-t.C:
	}
	m.mu.Lock()
	m.told = time.Now()
	m.mu.Unlock()
	m.note()
	m.wg.Go(m.run)
	return m, nil
}

// tell reports whether the news went out.
func (m *members) tell(n leaseNews) bool {
	data, err := json.Marshal(n)
	if err == nil {
		err = m.bus.Conn().Publish(m.subject, data)
	}
	if err != nil {
		m.log.Log(context.Background(), lostLevel(m.bus), "lease not renewed", "err", err)
	}
	return err == nil
}

func (m *members) hear(msg *nats.Msg) {
	var n leaseNews
	if json.Unmarshal(msg.Data, &n) != nil || n.Replica == "" || n.Replica == m.self {
		return
	}
	if n.Hello {
		m.here()
	}
	m.mu.Lock()
	if n.Hello && !m.told.IsZero() {
		m.mu.Unlock()
		return // it will say when it is here; of two that are new neither has anything to let go of
	}
	_, known := m.seen[n.Replica]
	if n.Bye {
		delete(m.seen, n.Replica)
	} else {
		m.seen[n.Replica] = time.Now()
	}
	m.mu.Unlock()
	if known == n.Bye {
		m.note()
	}
}

// here tells the others that this replica hears its partitions' commands.
func (m *members) here() { m.tell(leaseNews{Replica: m.self}) }

func (m *members) note() {
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

func (m *members) run() {
	t := time.NewTicker(leaseBeat)
	defer t.Stop()
	for {
		select {
		case <-m.quit:
			return
		case <-t.C:
		}
		if m.tell(leaseNews{Replica: m.self}) && m.renew(time.Now()) {
			m.note()
		}
	}
}

// renew notes that the lease was renewed, and lets go of replicas that are silent. It
// reports whether anything changed.
func (m *members) renew(now time.Time) (changed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	stood := now.Sub(m.told) > leaseGap
	m.told = now
	if stood {
		m.held++
		m.since = now
		changed = true
	}
	for r, at := range m.seen {
		switch {
		case stood:
			// What this process did not hear while it stood still is not silence.
			m.seen[r] = now
		case now.Sub(at) > leaseLife:
			delete(m.seen, r)
			changed = true
		}
	}
	return changed
}

// reconnected has this process listen again for who is there.
func (m *members) reconnected() {
	m.mu.Lock()
	m.since = time.Now()
	m.mu.Unlock()
	m.note()
}

// lease gives the present lease. It is settled once there was time to hear who else is
// there.
func (m *members) lease() (l lease, settled bool) {
	connection := m.bus.Conn().Stats().Reconnects
	m.mu.Lock()
	defer m.mu.Unlock()
	return lease{m.held, connection}, m.since.IsZero() || time.Since(m.since) > 2*leaseBeat
}

// lapsed reports whether another replica may have taken over a partition that was owned
// under l.
func (m *members) lapsed(l lease, partition int) bool {
	if m.bus.Conn().Stats().Reconnects != l.connection {
		return true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.held != l.held || time.Since(m.told) > leaseGap || !m.best(partition)
}

// mine gives the partitions that this replica owns, as far as it knows.
func (m *members) mine(partitions int) map[int]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	own := map[int]bool{}
	for p := range partitions {
		if m.best(p) {
			own[p] = true
		}
	}
	return own
}

// best reports whether no live replica has a better claim on a partition. m.mu is held.
func (m *members) best(partition int) bool {
	self := weight(m.self, partition)
	for r := range m.seen {
		if w := weight(r, partition); w > self || w == self && r > m.self {
			return false
		}
	}
	return true
}

func weight(replica string, partition int) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(replica))
	_, _ = h.Write([]byte{byte(partition >> 8), byte(partition)})
	// FNV's last bytes barely reach its high bits; a finalizer spreads them.
	w := h.Sum64()
	w ^= w >> 33
	w *= 0xff51afd7ed558ccd
	w ^= w >> 33
	return w
}

// leave stops renewing and tells the others, who take over at once.
func (m *members) leave() {
	close(m.quit)
	m.wg.Wait()
	if err := m.sub.Unsubscribe(); err != nil {
		m.log.Debug("lease subscription", "err", err)
	}
	m.tell(leaseNews{Replica: m.self, Bye: true})
	if !m.bus.Conn().IsConnected() {
		return // nobody hears it
	}
	if err := m.bus.Conn().FlushTimeout(time.Second); err != nil {
		m.log.Debug("lease farewell", "err", err)
	}
}
