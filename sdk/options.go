package tutti

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// Option changes how a client works. Dial reports every option that is wrong.
type Option func(*options)

type options struct {
	servers []string // base addresses without a slash at the end
	http    HTTP
	dialer  Dialer

	grant   *subjects.Grant
	onGrant func(subjects.Grant)

	outbox   int
	updates  int
	pause    time.Duration // the first pause before connecting again
	maxPause time.Duration
	errs     []error
}

func defaultOptions() options {
	return options{
		onGrant: func(subjects.Grant) {},
		outbox:  256, updates: 1024,
		pause: 250 * time.Millisecond, maxPause: 20 * time.Second,
	}
}

// WithServers names more edges of the same system. A connection that breaks is made again
// to the next of them.
func WithServers(addresses ...string) Option {
	return func(o *options) {
		for _, a := range addresses {
			o.server(a)
		}
	}
}

// WithHTTP gives the gateway for requests. Close does not close it.
func WithHTTP(g HTTP) Option { return func(o *options) { o.http = g } }

// WithDialer gives the gateway for sockets.
func WithDialer(d Dialer) Option { return func(o *options) { o.dialer = d } }

// WithGrant goes on with a session that a program kept. Its access token may have expired;
// its refresh token must not have been used since.
func WithGrant(g subjects.Grant) Option { return func(o *options) { o.grant = &g } }

// WithGrantSaver calls save with every grant that the client gets: after registering,
// logging in and each refresh, and with the zero Grant when the session is over. A program
// that wants to go on after a restart keeps the last one. Calls come one at a time and must
// return soon.
func WithGrantSaver(save func(subjects.Grant)) Option {
	return func(o *options) {
		if save != nil {
			o.onGrant = save
		}
	}
}

// WithOutbox bounds how many commands wait to be sent or answered, over all rooms. Default
// 256; one more is refused with ErrOutboxFull.
func WithOutbox(commands int) Option {
	return func(o *options) {
		o.outbox = commands
		o.positive("outbox", commands)
	}
}

// WithUpdates bounds how many updates wait for one reader of Room.Updates. Default 1,024;
// a reader that is further behind gets a snapshot instead of what it missed.
func WithUpdates(waiting int) Option {
	return func(o *options) {
		o.updates = waiting
		o.positive("updates", waiting)
	}
}

// WithPauses sets the pauses before connecting again: a random time up to first, then up to
// twice as long each time, up to longest. Default 250 ms and 20 s.
func WithPauses(first, longest time.Duration) Option {
	return func(o *options) {
		o.pause, o.maxPause = first, longest
		if first <= 0 || longest < first {
			o.errs = append(o.errs, fmt.Errorf("tutti: pauses from %v to %v: want 0 < first <= longest", first, longest))
		}
	}
}

func (o *options) positive(name string, n int) {
	if n <= 0 {
		o.errs = append(o.errs, fmt.Errorf("tutti: %s of %d: must be above zero", name, n))
	}
}

func (o *options) server(address string) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		o.errs = append(o.errs, fmt.Errorf("tutti: %q is no address: %w", address, err))
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.RawQuery != "", u.Fragment != "", u.User != nil:
		o.errs = append(o.errs, fmt.Errorf("tutti: %q is no address of a server: want http://HOST:PORT or https://HOST", address))
	default:
		o.servers = append(o.servers, strings.TrimRight(u.String(), "/"))
	}
}

func (o *options) err() error { return errors.Join(o.errs...) }
