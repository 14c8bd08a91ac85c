package edge

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// Config says where an edge listens and within what bounds it serves. Start from
// Defaults: the zero value is not valid.
type Config struct {
	// Listen is "HOST:PORT"; port 0 takes any free one. Default "127.0.0.1:8080".
	Listen string `koanf:"listen"`
	// CertFile and KeyFile hold a certificate chain and its key in PEM; both or none. They
	// are read at start: a renewed certificate needs a restart. Default none: plain HTTP,
	// for this machine or behind a proxy that speaks TLS.
	CertFile string `koanf:"cert_file"`
	KeyFile  string `koanf:"key_file"`

	// AllowedOrigins lists the web origins ("https://app.example") whose pages may call the
	// API from a browser; "*" alone allows all. Default none: pages of this origin only.
	AllowedOrigins []string `koanf:"allowed_origins"`
	// TrustedProxies lists the addresses and networks of proxies whose X-Forwarded-For and
	// X-Forwarded-Proto are believed. Default none.
	TrustedProxies []string `koanf:"trusted_proxies"`

	// MaxConnections bounds the open connections, and by itself the sockets among them; a
	// further one is answered 503 and closed. Default 65,536.
	MaxConnections int `koanf:"max_connections"`
	// MaxHeaderBytes bounds request line and headers together; above it 431. Each
	// socket keeps a buffer of this size. Default 8 KiB.
	MaxHeaderBytes int `koanf:"max_header_bytes"`
	// MaxBodyBytes bounds a request's body; above it 413. It leaves room for the largest
	// command. Default 128 KiB.
	MaxBodyBytes int `koanf:"max_body_bytes"`

	// ReadTimeout bounds the time to read one whole request; then 408 and the connection is
	// closed. Default 10 s.
	ReadTimeout time.Duration `koanf:"read_timeout"`
	// WriteTimeout bounds the time to write one answer, then the connection is closed. A
	// demo track of 5 MB must fit. Default 60 s.
	WriteTimeout time.Duration `koanf:"write_timeout"`
	// IdleTimeout bounds how long a connection waits for its next request. Default 75 s.
	IdleTimeout time.Duration `koanf:"idle_timeout"`
	// QueryTimeout bounds the time to find an answer to a request that is no command; then
	// 503 unavailable. Default 5 s.
	QueryTimeout time.Duration `koanf:"query_timeout"`
	// CommandTimeout bounds how long a command waits for its turn and its answer; then 503
	// unavailable, and the same id may be sent again. Default 10 s.
	CommandTimeout time.Duration `koanf:"command_timeout"`
	// CommandWaiters bounds how many commands of one sender to one room wait for the one
	// before them; a further one is refused as busy. Default 32.
	CommandWaiters int `koanf:"command_waiters"`
	// DrainDelay is how long Shutdown goes on taking connections after /readyz has turned
	// to 503, for load balancers to notice. Default 0.
	DrainDelay time.Duration `koanf:"drain_delay"`

	// AccessLog writes a line for each request. Requests that fail for the server's reasons
	// are logged either way. Default true.
	AccessLog bool `koanf:"access_log"`

	Limits Limits       `koanf:"limits"`
	Socket SocketConfig `koanf:"socket"`
}

// Limits bounds how many requests a client may make; past a limit it is answered 429 with
// Retry-After. A client is a user where there is a token and else an address (an IPv6
// address counts by its /64 network). Each edge counts for itself.
type Limits struct {
	// Commands is for what changes something, per user. Default 100 a second, 400 at once.
	Commands Rate `koanf:"commands"`
	// Reads is for what does not, per user. Default 100 a second, 400 at once.
	Reads Rate `koanf:"reads"`
	// Anonymous is for requests without a token, or with one that is not valid, per
	// address. Default 50 a second, 400 at once.
	Anonymous Rate `koanf:"anonymous"`
	// Accounts is for registering, logging in, refreshing and logging out, per address.
	// Default 5 a second, 100 at once.
	Accounts Rate `koanf:"accounts"`
	// Logins is for attempts to log in to one account from one address. Default 0.2 a
	// second, 10 at once.
	Logins Rate `koanf:"logins"`
	// Clients bounds how many clients are remembered, about 200 bytes each. Past it the one
	// unseen for longest is forgotten, and starts afresh if it comes again. Default
	// 100,000.
	Clients int `koanf:"clients"`
	// Exempt lists addresses and networks that are not limited: a load test, a monitor.
	// Default none.
	Exempt []string `koanf:"exempt"`
}

// Rate is a number of requests a second, and how many may come at once after a pause.
// Zero a second means no limit.
type Rate struct {
	PerSecond float64 `koanf:"per_second"`
	Burst     int     `koanf:"burst"`
}

// Defaults gives the configuration of a laptop.
func Defaults() Config {
	return Config{
		Listen:         "127.0.0.1:8080",
		MaxConnections: 1 << 16,
		MaxHeaderBytes: 8 << 10,
		MaxBodyBytes:   128 << 10,
		ReadTimeout:    10 * time.Second,
		WriteTimeout:   60 * time.Second,
		IdleTimeout:    75 * time.Second,
		QueryTimeout:   5 * time.Second,
		CommandTimeout: 10 * time.Second,
		CommandWaiters: 32,
		AccessLog:      true,
		Limits: Limits{
			Commands:  Rate{PerSecond: 100, Burst: 400},
			Reads:     Rate{PerSecond: 100, Burst: 400},
			Anonymous: Rate{PerSecond: 50, Burst: 400},
			Accounts:  Rate{PerSecond: 5, Burst: 100},
			Logins:    Rate{PerSecond: 0.2, Burst: 10},
			Clients:   100_000,
		},
		Socket: socketDefaults(),
	}
}

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("edge."+format, args...)) }
	if err := checkListen(c.Listen); err != nil {
		bad("listen: %q is not HOST:PORT: %w", c.Listen, err)
	}
	switch {
	case (c.CertFile == "") != (c.KeyFile == ""):
		bad("cert_file, edge.key_file: give both for TLS or leave out both")
	case c.CertFile != "":
		for _, f := range [...]struct{ name, path string }{{"cert_file", c.CertFile}, {"key_file", c.KeyFile}} {
			if _, err := os.Stat(f.path); err != nil {
				bad("%s: %w", f.name, err)
			}
		}
	}
	for i, o := range c.AllowedOrigins {
		if o == "*" && len(c.AllowedOrigins) > 1 {
			bad("allowed_origins[%d]: \"*\" allows every origin: leave out the others, or leave out \"*\"", i)
		} else if o != "*" && !isOrigin(o) {
			bad("allowed_origins[%d]: %q is not an origin such as https://app.example (scheme, host and port, no path)", i, o)
		}
	}
	for _, l := range [...]struct {
		name string
		list []string
	}{{"trusted_proxies", c.TrustedProxies}, {"limits.exempt", c.Limits.Exempt}} {
		if _, err := parseNetworks(l.list); err != nil {
			bad("%s: %w", l.name, err)
		}
	}
	for _, n := range [...]struct {
		name      string
		v, lo, hi int
	}{
		{"max_connections", c.MaxConnections, 1, 1 << 24},
		{"max_header_bytes", c.MaxHeaderBytes, 4 << 10, 1 << 20},
		{"max_body_bytes", c.MaxBodyBytes, subjects.MaxCommandBytes + 4<<10, 16 << 20},
		{"command_waiters", c.CommandWaiters, 0, 10_000},
		{"limits.clients", c.Limits.Clients, 1, 1 << 24},
	} {
		if n.v < n.lo || n.v > n.hi {
			bad("%s: %d is not between %d and %d", n.name, n.v, n.lo, n.hi)
		}
	}
	for _, d := range [...]struct {
		name      string
		v, lo, hi time.Duration
	}{
		{"read_timeout", c.ReadTimeout, 100 * time.Millisecond, 10 * time.Minute},
		{"write_timeout", c.WriteTimeout, 100 * time.Millisecond, time.Hour},
		{"idle_timeout", c.IdleTimeout, 100 * time.Millisecond, time.Hour},
		{"query_timeout", c.QueryTimeout, 10 * time.Millisecond, 10 * time.Minute},
		{"command_timeout", c.CommandTimeout, 10 * time.Millisecond, 10 * time.Minute},
		{"drain_delay", c.DrainDelay, 0, 10 * time.Minute},
	} {
		if d.v < d.lo || d.v > d.hi {
			bad("%s: %v is not between %v and %v", d.name, d.v, d.lo, d.hi)
		}
	}
	for _, r := range [...]struct {
		name string
		rate Rate
	}{
		{"commands", c.Limits.Commands}, {"reads", c.Limits.Reads}, {"anonymous", c.Limits.Anonymous},
		{"accounts", c.Limits.Accounts}, {"logins", c.Limits.Logins},
	} {
		if err := r.rate.check(); err != nil {
			bad("limits.%s.%w", r.name, err)
		}
	}
	c.Socket.validate(bad)
	return errors.Join(errs...)
}

func checkListen(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("port %q is not a number from 0 to 65535", port)
	}
	return nil
}

// isOrigin reports whether s is what a browser writes into an Origin header.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme != "" && u.Host != "" && s == u.Scheme+"://"+u.Host && s == strings.ToLower(s)
}

// parseNetworks reads addresses ("10.0.0.1") and networks ("10.0.0.0/8").
func parseNetworks(list []string) ([]netip.Prefix, error) {
	out := make([]netip.Prefix, 0, len(list))
	for _, s := range list {
		if p, err := netip.ParsePrefix(s); err == nil {
			out = append(out, p.Masked())
			continue
		}
		a, err := netip.ParseAddr(s)
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", s)
		}
		a = a.Unmap()
		out = append(out, netip.PrefixFrom(a, a.BitLen()))
	}
	return out, nil
}
