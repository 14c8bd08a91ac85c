package tutti

import (
	"sync"
	"time"
)

const (
	// clockSamples bounds the measurements that are compared.
	clockSamples = 8
	// clockDrift is how far two clocks may run apart: what a measurement loses with age.
	clockDrift = 100e-6
)

// Clock tells the server's time, which positions in tracks and command ids are given in.
// It is measured when the client dials, again and again over the socket, and taken from
// the measurement with the shortest round trip of the last few. It does not follow the
// local wall clock when that is set. Create it with Dial; it is safe for use by several
// goroutines.
type Clock struct {
	start time.Time // local and monotonic

	mu      sync.Mutex
	samples []clockSample // at most clockSamples, the oldest first
	best    clockSample
}

type clockSample struct {
	at     time.Duration // since start, half way through the round trip
	server time.Time     // the server's time then
	error  time.Duration // half the round trip
}

func newClock() *Clock {
	now := time.Now()
	return &Clock{start: now, best: clockSample{server: now, error: time.Hour}}
}

// Now is the server's time. It may go back by what a better measurement corrects.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.best.server.Add(c.local() - c.best.at).Round(0)
}

// Uncertainty is how far Now may be off, as far as the round trip and the time since tell.
func (c *Clock) Uncertainty() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.best.uncertain(c.local())
}

// local is the time since the clock was made; it never goes back.
func (c *Clock) local() time.Duration { return time.Since(c.start) }

// measured takes a round trip: sent at a local time and answered now with the server's.
func (c *Clock) measured(sent time.Duration, serverMs int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.local()
	if sent < 0 || sent > now {
		return // of another clock
	}
	half := (now - sent) / 2
	// The server cuts its time to milliseconds: half of one is lost on average.
	server := time.UnixMilli(serverMs).Add(time.Millisecond / 2)
	if len(c.samples) == clockSamples {
		c.samples = append(c.samples[:0], c.samples[1:]...)
	}
	c.samples = append(c.samples, clockSample{at: sent + half, server: server, error: half + time.Millisecond/2})
	c.best = c.samples[0]
	for _, s := range c.samples[1:] {
		if s.uncertain(now) <= c.best.uncertain(now) {
			c.best = s
		}
	}
}

func (s clockSample) uncertain(now time.Duration) time.Duration {
	return s.error + time.Duration(float64(now-s.at)*clockDrift)
}
