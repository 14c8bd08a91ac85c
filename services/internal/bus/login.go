package bus

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// loginPause is the longest pause between two tries while the server refuses the login.
	loginPause = 5 * time.Second
	// reconnectSpread is by how much a pause may be longer.
	reconnectSpread = 100 * time.Millisecond
	// loginTold is how often the log is told of a refusal that lasts.
	loginTold = time.Minute
)

// refusal is what Start answers, and the log is told later, when the server was reached and
// does not let this process in.
func (b *Bus) refusal(err error) error {
	return fmt.Errorf("%w of %s at %q: %w", ErrRefused, b.cfg.who(), RedactURL(b.cfg.URL), err)
}

// logins knows whether a connection that was lost is not let in again, as after a password was
// changed: the tries go on, since it may be put right on the server, but less often. It is safe
// for use by many goroutines.
type logins struct {
	log    *slog.Logger
	spread time.Duration // the processes of a deployment come back one after another within it

	mu   sync.Mutex
	last time.Time     // of the last refusal; zero if the login was taken since
	why  string        // what the log was told
	told time.Time     // when
	wait time.Duration // after that refusal
}

func newLogins(cfg Config, log *slog.Logger) *logins {
	l := &logins{log: log, spread: reconnectSpread}
	if cfg.CA != "" || cfg.Cert != "" { // TLS costs the server more
		l.spread = 5 * reconnectSpread
	}
	return l
}

// refused notes a refusal. The log hears of one that is new, and of others once a loginTold.
func (l *logins) refused(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.last, l.wait = now, min(2*max(l.wait, reconnectWait), loginPause)
	level := slog.LevelDebug
	if why := err.Error(); why != l.why || now.Sub(l.told) >= loginTold {
		l.why, l.told, level = why, now, slog.LevelError
	}
	l.log.Log(context.Background(), level, "nats login refused", "err", err)
}

// taken forgets refusals: this process was let in.
func (l *logins) taken() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last, l.why, l.told, l.wait = time.Time{}, "", time.Time{}, 0
}

// pause is how long the client waits before it tries its servers again. A refusal may reach
// refused a little after the client asks, so what counts is that one was not long ago: a server
// that is away for longer than that is tried as often as any other.
func (l *logins) pause(int) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait := reconnectWait
	if !l.last.IsZero() && time.Since(l.last) < 2*l.wait {
		wait = l.wait
	} else {
		l.wait = 0
	}
	return wait + rand.N(l.spread)
}
