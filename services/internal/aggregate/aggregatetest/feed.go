package aggregatetest

import (
	"context"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/tuttihq/tutti/services/internal/aggregate"
)

// Fate is what becomes of one live message on its way to one listener.
type Fate int

// The fates of Feed.Fate.
const (
	// Delivered once, in order.
	Delivered Fate = iota
	// Dropped without a trace.
	Dropped
	// Doubled comes twice.
	Doubled
	// Held comes after the aggregate's next message that is not held.
	Held
	// Foreign comes without the headers that the server writes, and then as it should.
	Foreign
)

// Feed is a Memory journal whose entries appear live, with the faults that a feed may have.
// Entries must be stored and taken away through the Feed for that.
type Feed struct {
	*Memory
	// Fate decides what becomes of a message for a listener; nil delivers all.
	Fate func(id string) Fate
	// Behind is how many entries of each log the replica lacks that answers Heads or Read;
	// nil means none.
	Behind func() int

	mu        sync.Mutex
	published map[string]uint64 // sequence
	listeners map[*listener]struct{}
	hooks     map[*func()]struct{}
}

var (
	_ aggregate.Feed    = (*Feed)(nil)
	_ aggregate.Journal = (*Feed)(nil)
)

// NewFeed makes an empty journal with a feed.
func NewFeed() *Feed {
	return &Feed{
		Memory: NewMemory(), published: map[string]uint64{},
		listeners: map[*listener]struct{}{}, hooks: map[*func()]struct{}{},
	}
}

type listener struct {
	of      *Feed
	id      string
	c       chan *nats.Msg
	dropped uint64
	held    []*nats.Msg
}

func (l *listener) C() <-chan *nats.Msg { return l.c }

func (l *listener) Dropped() uint64 {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	return l.dropped
}

func (l *listener) Close() {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	delete(l.of.listeners, l)
}

// Open implements aggregate.Feed.
func (f *Feed) Open(id string, buffer int) (aggregate.FeedChannel, error) {
	if err := f.begin(context.Background()); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	l := &listener{of: f, id: id, c: make(chan *nats.Msg, buffer)}
	f.listeners[l] = struct{}{}
	return l, nil
}

// Heads implements aggregate.Feed.
func (f *Feed) Heads(ctx context.Context, ids []string, since aggregate.Marks, each func(string, aggregate.Entry)) (aggregate.Marks, error) {
	if err := f.begin(ctx); err != nil {
		return nil, err
	}
	var above uint64
	if since != nil {
		above = since[0]
	}
	lag := 0
	if f.Behind != nil {
		lag = f.Behind()
	}
	f.Memory.mu.Lock()
	upTo := f.seq
	heads := map[string]aggregate.Entry{}
	for _, id := range ids {
		log := f.logs[id]
		if cut := log[max(len(log)-lag, 0):]; len(cut) > 0 {
			upTo = min(upTo, cut[0].Seq-1)
		}
		if log = log[:max(len(log)-lag, 0)]; len(log) > 0 && log[len(log)-1].Seq > above {
			heads[id] = log[len(log)-1]
		}
	}
	f.Memory.mu.Unlock()
	for id, e := range heads {
		each(id, e)
	}
	return aggregate.Marks{upTo}, nil
}

// Read implements aggregate.Journal.
func (f *Feed) Read(ctx context.Context, id string, from uint64, each func(aggregate.Entry) error) error {
	if f.Behind == nil {
		return f.Memory.Read(ctx, id, from, each)
	}
	if err := f.begin(ctx); err != nil {
		return err
	}
	log := f.Log(id)
	for _, e := range log[:max(len(log)-f.Behind(), 0)] {
		if e.Seq >= from {
			if err := each(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// OnReconnect implements aggregate.Feed.
func (f *Feed) OnReconnect(hook func()) func() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hooks[&hook] = struct{}{}
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.hooks, &hook)
	}
}

// Reconnect tells all that the connection was lost. What they had not taken is lost too.
func (f *Feed) Reconnect() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for l := range f.listeners {
		l.held = nil
		for len(l.c) > 0 {
			<-l.c
		}
	}
	for hook := range f.hooks {
		(*hook)()
	}
}

// Listeners is how many channels are open.
func (f *Feed) Listeners() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.listeners)
}

// Append implements aggregate.Journal.
func (f *Feed) Append(ctx context.Context, id string, data []byte, after uint64) (uint64, error) {
	seq, err := f.Memory.Append(ctx, id, data, after)
	f.publish(id)
	return seq, err
}

// Put stores an entry as it is.
func (f *Feed) Put(id string, data []byte) {
	f.Memory.Put(id, data)
	f.publish(id)
}

// Truncate drops the last n entries of an aggregate's log, as Memory does.
func (f *Feed) Truncate(id string, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Memory.Truncate(id, n)
	clear(f.published)
	for id, log := range f.Logs() {
		if len(log) > 0 {
			f.published[id] = log[len(log)-1].Seq
		}
	}
}

// publish sends what was not sent yet.
func (f *Feed) publish(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var last uint64
	for _, e := range f.Log(id) {
		if e.Seq > f.published[id] {
			f.published[id] = e.Seq
			for l := range f.listeners {
				if l.id == id {
					l.send(e, last)
				}
			}
		}
		last = e.Seq
	}
}

// Live sends an entry that need not be stored; last is the sequence of the one before it.
func (f *Feed) Live(id string, e aggregate.Entry, last uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for l := range f.listeners {
		if l.id == id {
			l.send(e, last)
		}
	}
}

func (l *listener) send(e aggregate.Entry, last uint64) {
	m := &nats.Msg{Data: e.Data, Header: nats.Header{
		"Nats-Sequence": {strconv.FormatUint(e.Seq, 10)}, "Nats-Last-Sequence": {strconv.FormatUint(last, 10)},
	}}
	fate := Delivered
	if l.of.Fate != nil {
		fate = l.of.Fate(l.id)
	}
	switch fate {
	case Dropped:
		return
	case Held:
		l.held = append(l.held, m)
		return
	case Doubled:
		l.put(m)
	case Foreign:
		l.put(&nats.Msg{Data: e.Data})
	}
	l.put(m)
	for _, m := range l.held {
		l.put(m)
	}
	l.held = nil
}

func (l *listener) put(m *nats.Msg) {
	select {
	case l.c <- m:
	default:
		l.dropped++
	}
}
