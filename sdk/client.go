package tutti

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"sync"
)

// Client speaks to one system: over HTTP, and over one socket that it opens when something
// needs it, makes again when it breaks, and resumes. Create it with Dial and Close it. It is
// safe for use by several goroutines.
type Client struct {
	http     HTTP
	own      *netHTTP // closed with the client; nil for a gateway that was handed in
	dialer   Dialer
	opt      options
	clock    *Clock
	session  *session
	outbox   *outbox
	feeds    *feeds
	profiles *profiles

	// ctx ends with Close; all goroutines of the client are in tasks.
	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	closed bool // no task is started any more
	tasks  sync.WaitGroup
	state  Connection
	news   chan struct{} // closed and replaced at each change of state
	wanted bool          // something needs the socket
	// kick is signalled when the loop should look again: the socket is wanted, or somebody
	// else is signed in.
	kick chan struct{}
	link *link // the socket that is open now, if one is
}

// Dial makes a client of the system at an address, "http://HOST:PORT" or "https://HOST".
// It asks for the time there, within ctx, and fails if that is not answered: the error then
// wraps ErrUnreachable. After that the client lives until Close, whatever becomes of the
// server.
func Dial(ctx context.Context, address string, opts ...Option) (*Client, error) {
	o := defaultOptions()
	o.server(address)
	for _, opt := range opts {
		opt(&o)
	}
	if err := o.err(); err != nil {
		return nil, err
	}
	c := &Client{
		opt: o, http: o.http, dialer: o.dialer, clock: newClock(),
		news: make(chan struct{}), kick: make(chan struct{}, 1),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	edges := &servers{bases: o.servers}
	if c.http == nil || c.dialer == nil {
		c.own = newNetHTTP(edges)
	}
	if c.http == nil {
		c.http = c.own
	}
	if c.dialer == nil {
		c.dialer = wsDialer{servers: edges, client: c.own.client}
	}
	c.session = &session{client: c, changed: c.renew, save: o.onGrant}
	c.outbox = newOutbox(o.outbox)
	c.feeds, c.profiles = newFeeds(c), newProfiles(c)
	if o.grant != nil {
		c.session.take(*o.grant, true)
	}
	if err := c.readTime(ctx); err != nil {
		c.Close()
		return nil, err
	}
	c.spawn(c.run)
	return c, nil
}

// readTime sets the clock, and shows that there is a server.
func (c *Client) readTime(ctx context.Context) error {
	var last error
	for range max(1, len(c.opt.servers)) {
		var out struct {
			ServerTime int64 `json:"serverTime"`
		}
		sent := c.clock.local()
		r, err := c.http.Send(ctx, http.MethodGet, "/v1/time", "", nil)
		if err == nil {
			_, err = answerOf(r, &out)
		}
		if err == nil && out.ServerTime <= 0 {
			err = ErrProtocol
		}
		if err == nil {
			c.clock.measured(sent, out.ServerTime)
			return nil
		}
		last = err
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, last)
}

// Close says goodbye, ends everything that the client does and waits for it. Commands that
// have no answer yet come back with ErrClosed.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.tasks.Wait()
	c.outbox.close()
	c.feeds.fail(ErrClosed)
	if c.own != nil {
		c.own.close()
	}
}

// Clock gives the server's time.
func (c *Client) Clock() *Clock { return c.clock }

// spawn runs f in a goroutine that Close waits for; false if the client is closed.
func (c *Client) spawn(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.tasks.Go(f)
	return true
}

// State is where a client's connection is.
type State int

// The states of a connection. It starts in Offline and goes from each to the next; from
// any of the first four it falls back to Offline when the socket breaks.
const (
	// Offline: there is no socket: none was needed yet, or the last one broke and the next
	// is tried after a pause.
	Offline State = iota
	// Connecting: a socket is being opened.
	Connecting
	// Connected: it is open, and the server has not said yet whose it takes it for.
	Connected
	// Identified: the server has said so. Channels are followed and commands are sent.
	Identified
	// Closed: the server does not want the client back as it is, or the client was closed.
	// In the first case what waited for the socket has come back with the reason, and what
	// needs it next tries again: after signing in, say.
	Closed
)

// String names the state.
func (s State) String() string {
	switch s {
	case Offline:
		return "offline"
	case Connecting:
		return "connecting"
	case Connected:
		return "connected"
	case Identified:
		return "identified"
	case Closed:
		return "closed"
	}
	return "unknown"
}

// Connection is what a client's connection is at a moment.
type Connection struct {
	State State
	// User is whose the connection is, in Identified; "" for a guest.
	User string
	// Err says why the last socket ended, in Offline and Closed: a *CloseError where the
	// server gave a code, nil if there was none before.
	Err error
	// Count is how many sockets were identified so far.
	Count int
}

// Connection gives what the connection is now.
func (c *Client) Connection() Connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// Connections yields what the connection is now and then what it becomes, until ctx ends or
// the client is closed, which is the last that is yielded. Who is slow misses the states in
// between, never the last.
func (c *Client) Connections(ctx context.Context) iter.Seq[Connection] {
	return func(yield func(Connection) bool) {
		for {
			c.mu.Lock()
			now, news := c.state, c.news
			c.mu.Unlock()
			if !yield(now) || errors.Is(now.Err, ErrClosed) {
				return
			}
			select {
			case <-news:
			case <-ctx.Done():
				return
			}
		}
	}
}

// Connect opens the socket if it is not open, and waits until it is identified. There is no
// need to: what needs the socket opens it.
func (c *Client) Connect(ctx context.Context) error {
	c.want()
	for now := range c.Connections(ctx) {
		switch now.State {
		case Identified:
			return nil
		case Closed:
			return now.Err
		}
	}
	return ctx.Err()
}

// become changes the state and tells who watches. f runs under the client's lock.
func (c *Client) become(f func(*Connection)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.state)
	close(c.news)
	c.news = make(chan struct{})
}

// want has the socket opened.
func (c *Client) want() {
	c.mu.Lock()
	before := c.wanted
	c.wanted = true
	c.mu.Unlock()
	if before {
		return
	}
	c.become(func(s *Connection) {
		if s.State == Closed && !c.closed {
			s.State = Offline
		}
	})
	c.look()
}

func (c *Client) look() {
	select {
	case c.kick <- struct{}{}:
	default: // it will look
	}
}

// renew has the socket made again, for another user than before.
func (c *Client) renew() {
	c.mu.Lock()
	l := c.link
	c.mu.Unlock()
	c.outbox.fail(ErrAccountChanged)
	if l != nil && l.user != c.session.user() {
		l.part(ErrAccountChanged)
	}
	c.look()
}
