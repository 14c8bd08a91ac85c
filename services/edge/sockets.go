package edge

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/contrib/websocket"
	"golang.org/x/time/rate"

	"github.com/tuttihq/tutti/subjects"
)

const (
	// sweepEvery is how often sockets are looked at for what has not happened in time.
	sweepEvery = time.Second
	// goodbye is how long a client may take to answer a close.
	goodbye = 2 * time.Second
	// tokenGrace is how long a socket stays open after its token expired.
	tokenGrace = 15 * time.Second
	// cutOffGrace is how long an edge keeps its sockets though it is cut off: longer than
	// its connection takes to find another server.
	cutOffGrace = 2 * time.Second

	prefixConnection = "con"
)

// sockets holds every socket of an edge: those that are open can be counted, looked after
// and closed.
type sockets struct {
	srv *Server

	mu     sync.Mutex
	open   map[*socket]struct{}
	byUser map[string]int // by user id, or by address for guests
	shut   bool

	serving sync.WaitGroup // handlers of sockets
	quit    chan struct{}
	swept   chan struct{}
}

func newSockets(s *Server) *sockets {
	r := &sockets{srv: s, open: map[*socket]struct{}{}, byUser: map[string]int{}, quit: make(chan struct{}), swept: make(chan struct{})}
	go r.sweep()
	return r
}

// serve runs one socket until it ends. The connection belongs to the library again
// afterwards, so everything that writes to it has stopped by then.
func (r *sockets) serve(c *websocket.Conn, from netip.Addr, request string) {
	k := &socket{
		srv: r.srv, conn: c, net: underneath(c.NetConn()), from: from, id: subjects.NewID(prefixConnection, time.Now()),
		subs: map[subjects.Channel]*listener{}, lanes: map[subjects.Channel][]func(){},
		malformed: rate.NewLimiter(10, 100), opened: time.Now(),
	}
	if f := r.srv.cfg.Socket.Frames; f.PerSecond > 0 {
		k.frames = rate.NewLimiter(rate.Limit(f.PerSecond), f.Burst)
	}
	k.ctx, k.cancel = context.WithCancel(r.srv.base)
	k.heard.Store(time.Now().UnixNano())
	cfg := r.srv.cfg.Socket
	k.out = outbox{conn: k.net, maxFrames: cfg.QueueFrames, maxBytes: cfg.QueueBytes, stall: cfg.WriteStall, metrics: r.srv.metrics, slow: func() {
		k.ended.CompareAndSwap(0, time.Now().UnixNano()) // the sweeper sees to the rest
	}}
	if code := r.add(k); code != 0 {
		k.end(code, "", true)
		k.out.stop(goodbye)
		k.cancel()
		return
	}
	defer r.serving.Done()
	r.srv.deps.Log.Debug("socket open", "connection", k.id, "request", request, "from", from.String())
	defer k.finish()
	defer func() {
		if p := recover(); p != nil {
			k.panicked(p)
		}
	}()
	k.read()
}

// underneath gives the connection itself: what the HTTP server hands out for a connection
// that it gave away does nothing when it is closed.
func underneath(c net.Conn) net.Conn {
	if u, ok := c.(interface{ UnsafeConn() net.Conn }); ok {
		return u.UnsafeConn()
	}
	return c
}

// full reports whether there are as many sockets as there may be.
func (r *sockets) full() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open) >= r.srv.cfg.MaxConnections
}

// add takes a socket in; otherwise it gives the code to close it with.
func (r *sockets) add(k *socket) subjects.CloseCode {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.shut:
		return subjects.CloseRestart
	case len(r.open) >= r.srv.cfg.MaxConnections:
		return subjects.CloseFull
	}
	r.open[k] = struct{}{}
	r.serving.Add(1)
	return 0
}

func (r *sockets) remove(k *socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, k)
	if k.counted == "" {
		return
	}
	if r.byUser[k.counted]--; r.byUser[k.counted] <= 0 {
		delete(r.byUser, k.counted)
	}
}

// count counts a socket as somebody's; false if they have too many.
func (r *sockets) count(k *socket) bool {
	who, most := k.user, r.srv.cfg.Socket.PerUser
	if who == "" {
		if r.srv.limits.isExempt(k.from) {
			return true
		}
		who, most = addressKey(k.from), r.srv.cfg.Socket.PerAddress
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byUser[who] >= most {
		return false
	}
	r.byUser[who]++
	k.counted = who
	return true
}

// sweep pings who is quiet and closes who is gone, expired or never said who they are.
func (r *sockets) sweep() {
	defer close(r.swept)
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	ping := control(opPing, "")
	for {
		select {
		case <-r.quit:
			return
		case now := <-t.C:
			all := r.all()
			if r.cutOff() && len(all) > 0 {
				r.srv.deps.Log.Warn("cut off; closing the sockets", "sockets", len(all))
				for _, k := range all {
					k.end(subjects.CloseRestart, "this edge is cut off", false)
				}
			}
			for _, k := range all {
				k.look(now, ping)
			}
		}
	}
}

// cutOff reports whether this edge has been out of reach of the services for long.
func (r *sockets) cutOff() bool {
	return r.srv.deps.CutOff != nil && r.srv.deps.CutOff() > cutOffGrace
}

func (r *sockets) all() []*socket {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*socket, 0, len(r.open))
	for k := range r.open {
		out = append(out, k)
	}
	return out
}

// close tells every client to come back elsewhere and waits until they have gone, or
// until ctx ends and they are cut off. No socket is opened afterwards.
func (r *sockets) close(ctx context.Context) error {
	r.mu.Lock()
	again := r.shut
	r.shut = true
	r.mu.Unlock()
	if !again {
		close(r.quit)
	}
	<-r.swept
	for _, k := range r.all() {
		k.end(subjects.CloseRestart, "the server restarts", false)
	}
	gone := make(chan struct{})
	go func() { r.serving.Wait(); close(gone) }()
	wait := time.NewTimer(goodbye)
	defer wait.Stop()
	var err error
	select {
	case <-gone:
		return nil
	case <-wait.C:
	case <-ctx.Done():
		err = fmt.Errorf("edge: sockets were cut off: %w", ctx.Err())
	}
	for _, k := range r.all() {
		k.cancel()
		_ = k.net.Close() // it is being given up
	}
	<-gone
	return err
}

// socketTimes are what sweep needs of a socket; the reader sets them.
type socketTimes struct {
	heard   atomic.Int64 // Unix nanoseconds of the last sign of life
	pinged  atomic.Int64
	ended   atomic.Int64 // when the close was queued, 0 before
	hello   atomic.Bool
	expires atomic.Int64 // of the token, Unix milliseconds of the log's clock; 0 for a guest
}
