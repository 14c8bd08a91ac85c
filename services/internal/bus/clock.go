package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

const (
	clockSamples = 5
	clockEvery   = time.Minute
)

// Clock tells the time of the leader of the COMMANDS stream, which is the one authority
// on time: the offset of this machine's clock to it is measured at start and every
// minute, as the best of several round trips. When the leader cannot be reached the last
// offset stays in use.
type Clock struct {
	bus    *Bus
	offset atomic.Int64 // nanoseconds to add to the local clock
	once   sync.Once
	quit   chan struct{}
	done   chan struct{}
}

func newClock(b *Bus) *Clock {
	c := &Clock{bus: b, quit: make(chan struct{}), done: make(chan struct{})}
	go c.run()
	return c
}

// Now is the present, by the log's clock.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

// Offset is what the local clock lacks to the log's.
func (c *Clock) Offset() time.Duration { return time.Duration(c.offset.Load()) }

func (c *Clock) run() {
	defer close(c.done)
	t := time.NewTicker(clockEvery)
	defer t.Stop()
	for {
		select {
		case <-c.quit:
			return
		case <-t.C:
			ctx, cancel := context.WithTimeout(context.Background(), connectWait)
			if err := c.measure(ctx); err != nil {
				c.bus.log.Warn("clock offset not measured; keeping the last", "err", err)
			}
			cancel()
		}
	}
}

func (c *Clock) stop() {
	c.once.Do(func() { close(c.quit) })
	<-c.done
}

func (c *Clock) measure(ctx context.Context) error {
	var best, offset time.Duration = -1, 0
	for range clockSamples {
		sent := time.Now()
		reply, err := c.bus.nc.RequestWithContext(withDefault(ctx), "$JS.API.STREAM.INFO."+subjects.StreamCommands, nil)
		if err != nil {
			return fmt.Errorf("bus: clock: %w", classify(err))
		}
		trip := time.Since(sent)
		var info struct {
			TS time.Time `json:"ts"`
		}
		if err := json.Unmarshal(reply.Data, &info); err != nil || info.TS.IsZero() {
			return fmt.Errorf("bus: clock: the server's answer holds no time")
		}
		if best < 0 || trip < best {
			best, offset = trip, info.TS.Sub(sent.Add(trip/2))
		}
	}
	c.offset.Store(int64(offset))
	return nil
}
