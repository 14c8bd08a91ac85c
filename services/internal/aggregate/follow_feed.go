package aggregate

import (
	"context"
	"hash/maphash"

	"github.com/nats-io/nats.go"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// Feed is where the commits of one service's aggregates appear live, after they were
// stored. It may lose them, without a trace: the Journal beside it holds them all. It is
// safe for use by many goroutines.
type Feed interface {
	// Open begins to hear an aggregate. What is stored after Open has returned appears on
	// the channel or is lost; what was there before does not appear.
	Open(id string, buffer int) (FeedChannel, error)
	// Heads calls f with the last entry of the logs that have one above since; nil asks for
	// all. A replica that lags may answer. upTo is how far every one of them was looked at.
	// An error wraps ErrUnavailable.
	Heads(ctx context.Context, ids []string, since Marks, f func(id string, e Entry)) (upTo Marks, err error)
	// OnReconnect calls f, which does not block, after a moment at which what all channels
	// carry may have been lost, until remove is called.
	OnReconnect(f func()) (remove func())
}

// FeedChannel carries the live commits of one aggregate.
type FeedChannel interface {
	// C gives the messages as bus.ParseLive reads them. It is never closed.
	C() <-chan *nats.Msg
	// Dropped counts those for which the buffer had no room.
	Dropped() uint64
	Close()
}

// Marks say how far the logs of a service were looked at: a sequence for each of its shards,
// 0 where that is not known. nil: nowhere.
type Marks []uint64

// of gives the mark of a shard.
func (m Marks) of(shard int) uint64 {
	if m == nil {
		return 0
	}
	return m[shard]
}

// behind reports whether m lacks in any shard what o has.
func (m Marks) behind(o Marks) bool {
	for shard, seq := range o {
		if m.of(shard) < seq {
			return true
		}
	}
	return false
}

// NewFeed gives the Feed of a service's aggregates on a bus: what their stream republishes.
func NewFeed(b *bus.Bus, service string) Feed { return &busFeed{bus: b, log: b.Log(service)} }

type busFeed struct {
	bus *bus.Bus
	log subjects.Log
}

func (f *busFeed) Open(id string, buffer int) (FeedChannel, error) {
	live, err := f.bus.Listen(subjects.Feed(f.log.Service, id), buffer)
	if err != nil {
		return nil, translate(err)
	}
	return live, nil
}

func (f *busFeed) Heads(ctx context.Context, ids []string, since Marks, each func(string, Entry)) (Marks, error) {
	names := make([][]string, f.log.Len())
	for _, id := range ids {
		shard := f.log.Shard(id)
		names[shard] = append(names[shard], f.log.Subject(id))
	}
	upTo := make(Marks, len(names))
	for shard := range names {
		// Where nothing is asked for, nothing new is known.
		upTo[shard] = since.of(shard)
		if len(names[shard]) == 0 {
			continue
		}
		var err error
		upTo[shard], err = f.bus.LastEach(ctx, f.log.Stream(shard), names[shard], since.of(shard), func(e bus.Entry) {
			if _, id, err := subjects.ParseEvents(e.Subject); err == nil {
				each(id, Entry{Seq: e.Seq, Data: e.Data})
			}
		})
		if err != nil {
			return nil, translate(err)
		}
	}
	return upTo, nil
}

func (f *busFeed) OnReconnect(g func()) func() { return f.bus.OnReconnect(g) }

// tip is the last entry of a log: its sequence and a sum of its bytes, since a log that
// has lost its tail and grown anew may have another entry there. The sums of one process
// are comparable.
type tip struct{ seq, sum uint64 }

var tipSeed = maphash.MakeSeed()

func tipOf(e Entry) tip {
	if e.Seq == 0 {
		return tip{}
	}
	return tip{e.Seq, maphash.Bytes(tipSeed, e.Data)}
}

// tipped is a Journal that remembers the last entry that it gave.
type tipped struct {
	Journal
	last tip
}

func (j *tipped) note(e Entry) {
	if e.Seq >= j.last.seq {
		j.last = tipOf(e)
	}
}

func (j *tipped) Head(ctx context.Context, id string) (Entry, error) {
	e, err := j.Journal.Head(ctx, id)
	if err == nil {
		j.note(e)
	}
	return e, err
}

func (j *tipped) Read(ctx context.Context, id string, from uint64, f func(Entry) error) error {
	return j.Journal.Read(ctx, id, from, func(e Entry) error {
		j.note(e)
		return f(e)
	})
}
