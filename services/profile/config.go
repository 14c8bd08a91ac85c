package profile

import (
	"errors"
	"fmt"
	"time"
)

// Config tunes the service.
type Config struct {
	// Patience is how long a request for one's own profile waits for it to be created.
	Patience time.Duration
	// RetryMin and RetryMax bound the pause before a write is tried again while the store
	// does not answer; it doubles from one to the other.
	RetryMin, RetryMax time.Duration
	// AckWait is how long the server waits for an acknowledgement before it gives a
	// message to another replica: how late a profile may be after a replica died.
	AckWait time.Duration
	// InFlight bounds the messages that this replica holds unacknowledged.
	InFlight int
}

// Defaults gives the configuration of a laptop, good for production as well.
func Defaults() Config {
	return Config{
		Patience: 2 * time.Second,
		RetryMin: 50 * time.Millisecond, RetryMax: 2 * time.Second,
		AckWait: 5 * time.Second, InFlight: 32,
	}
}

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("profile: "+format, args...)) }
	if c.Patience < 0 || c.Patience > 4*time.Second {
		bad("patience is %v; it must be between 0 and 4s, since a request is given up soon after", c.Patience)
	}
	if c.RetryMin <= 0 || c.RetryMax < c.RetryMin {
		bad("retry pauses are %v to %v; they must be above 0 and in order", c.RetryMin, c.RetryMax)
	}
	if c.AckWait < 2*c.RetryMax {
		bad("ack wait is %v; it must be at least twice the longest retry pause, %v", c.AckWait, c.RetryMax)
	}
	if c.InFlight < 1 || c.InFlight > 10_000 {
		bad("in flight is %d; it must be between 1 and 10000", c.InFlight)
	}
	return errors.Join(errs...)
}
