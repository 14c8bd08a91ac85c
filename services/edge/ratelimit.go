package edge

import (
	"math"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"

	"github.com/tuttihq/tutti/subjects"
)

// class is a kind of request that has a limit of its own.
type class string

const (
	classCommands  class = "commands"
	classReads     class = "reads"
	classAnonymous class = "anonymous"
	classAccounts  class = "accounts"
	classLogins    class = "logins"
	classNone      class = "" // not limited: health checks
)

// client is who a bucket belongs to: a user, or an address.
type client struct {
	class class
	who   string
}

// limiter holds a token bucket for each client.
type limiter struct {
	rates  map[class]Rate
	exempt []netip.Prefix

	mu      sync.Mutex
	buckets *simplelru.LRU[client, *rate.Limiter]
}

// newLimiter makes a limiter; cfg was validated.
func newLimiter(cfg Limits) (*limiter, error) {
	exempt, err := parseNetworks(cfg.Exempt)
	if err != nil {
		return nil, err
	}
	buckets, err := simplelru.NewLRU[client, *rate.Limiter](cfg.Clients, nil)
	if err != nil {
		return nil, err
	}
	return &limiter{
		rates: map[class]Rate{
			classCommands: cfg.Commands, classReads: cfg.Reads, classAnonymous: cfg.Anonymous,
			classAccounts: cfg.Accounts, classLogins: cfg.Logins,
		},
		exempt: exempt, buckets: buckets,
	}, nil
}

// state is where a client stands with its limit.
type state struct {
	limited   bool // whether there is a limit at all
	ok        bool
	rate      Rate
	remaining int           // requests that may be made at once now
	wait      time.Duration // until the next one may be made; 0 if ok
}

// take uses one request of the client's limit, if there is one left.
func (l *limiter) take(c client, now time.Time) state {
	r := l.rates[c.class]
	if r.PerSecond == 0 {
		return state{ok: true}
	}
	l.mu.Lock()
	b, ok := l.buckets.Get(c)
	if !ok {
		b = rate.NewLimiter(rate.Limit(r.PerSecond), r.Burst)
		l.buckets.Add(c, b)
	}
	l.mu.Unlock()
	s := state{limited: true, ok: b.AllowN(now, 1), rate: r}
	tokens := b.TokensAt(now)
	s.remaining = max(0, int(tokens))
	if !s.ok {
		s.wait = time.Duration(max(0, 1-tokens) / r.PerSecond * float64(time.Second))
	}
	return s
}

func (l *limiter) isExempt(a netip.Addr) bool { return contains(l.exempt, a) }

// addressKey is what of an address makes a client: one IPv6 subscriber has a whole /64.
func addressKey(a netip.Addr) string {
	if a.Is4() || !a.IsValid() {
		return a.String()
	}
	p, err := a.Prefix(64)
	if err != nil {
		return a.String()
	}
	return p.String()
}

// limit uses up one request of a class by who, and says so in the answer's headers
// (RateLimit and RateLimit-Policy as the IETF's HTTPAPI group drafts them). Past the limit
// it returns a refusal of CodeRateLimited.
func (r *request) limit(c class, who string) error {
	if c == classNone || r.srv.limits.isExempt(r.from) {
		return nil
	}
	s := r.srv.limits.take(client{c, who}, time.Now())
	if !s.limited {
		return nil
	}
	window := int(math.Ceil(float64(s.rate.Burst) / s.rate.PerSecond))
	name := `"` + string(c) + `"`
	r.Set("RateLimit-Policy", name+";q="+strconv.Itoa(s.rate.Burst)+";w="+strconv.Itoa(window))
	seconds := 0
	if !s.ok {
		seconds = max(1, int(math.Ceil(s.wait.Seconds())))
		r.Set(fiber.HeaderRetryAfter, strconv.Itoa(seconds))
	}
	r.Set("RateLimit", name+";r="+strconv.Itoa(s.remaining)+";t="+strconv.Itoa(seconds))
	if s.ok {
		return nil
	}
	r.srv.metrics.limited.Of(string(c)).Inc()
	return subjects.Refuse(subjects.CodeRateLimited, "too many requests; the next one is welcome in %d s", seconds)
}
