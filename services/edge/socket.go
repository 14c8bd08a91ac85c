package edge

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/contrib/websocket"
	"golang.org/x/time/rate"

	"github.com/tuttihq/tutti/subjects"
)

// floods is how many frames past the limit close a socket.
const floods = 1000

// socket is one client's connection. Its reader is the handler's goroutine: it decides
// what a frame is and whether it is taken now. What takes time goes into lanes, one for
// each channel, so that a channel's commands are carried out in the order sent.
type socket struct {
	socketTimes
	srv    *Server
	id     string
	conn   *websocket.Conn
	net    net.Conn // what is below conn
	from   netip.Addr
	opened time.Time
	out    outbox
	// ctx ends with the socket.
	ctx    context.Context
	cancel context.CancelFunc

	// user is empty for a guest. It is set before anything that reads it begins, and stays.
	user    string
	counted string

	// Of the reader alone.
	frames    *rate.Limiter // nil: not limited
	malformed *rate.Limiter
	flooded   int

	mu    sync.Mutex
	subs  map[subjects.Channel]*listener
	lanes map[subjects.Channel][]func() // what waits; an entry without any is at work on its last
	tasks int
	over  bool
	work  sync.WaitGroup // goroutines of lanes
}

// source is what a channel's messages come from.
type source interface {
	// leave takes a listener out: it is told nothing more.
	leave(*listener)
	// fresh gives what puts a listener where the channel is now, and marks it as caught up;
	// nothing if it is a listener no more.
	fresh(*listener) []message
}

// listener is one socket's place in one channel.
type listener struct {
	sock    *socket
	channel subjects.Channel
	from    source
	// lagging: what the channel says is left out until the fresh start that is queued.
	// Guarded by the outbox's lock.
	lagging bool
	// you is the digest of the last you frame; guarded by the topic's lock.
	you uint64
	// pass is whose follower the listener is admitted as, empty if it needs none; unpass
	// ends hearing whether it still is. Guarded by the topic's lock once it has joined.
	pass   string
	unpass func()
	// signalled is when its last live frame was passed on; of the socket's reader alone.
	signalled time.Time
	// query is what of the lobby is shown; docs what was shown last, by id. Guarded by the
	// lobby's lock.
	query lobbyQuery
}

func (k *socket) read() {
	c := k.conn
	c.SetReadLimit(subjects.MaxFrameBytes)
	c.SetPingHandler(func(payload string) error {
		k.alive()
		k.out.say(control(opPong, payload))
		return nil
	})
	c.SetPongHandler(func(string) error { k.alive(); return nil })
	c.SetCloseHandler(func(code int, _ string) error {
		if code == websocket.CloseNoStatusReceived {
			code = int(subjects.CloseNormal)
		}
		k.out.end(subjects.CloseCode(code), "", false)
		return nil
	})
	for {
		kind, data, err := c.ReadMessage()
		if err != nil {
			if errors.Is(err, websocket.ErrReadLimit) {
				k.end(subjects.CloseTooLarge, "a frame is at most 65 KiB", true)
			}
			return
		}
		k.alive()
		if k.ended.Load() != 0 {
			continue // only the client's goodbye is waited for
		}
		if kind != websocket.TextMessage {
			k.refuseMalformed("", subjects.Refuse(subjects.CodeInvalid, "a frame is a text message"))
			continue
		}
		k.take(data)
	}
}

func (k *socket) alive() { k.heard.Store(time.Now().UnixNano()) }

// end closes the socket with a code; what is queued is written first unless atOnce.
func (k *socket) end(code subjects.CloseCode, reason string, atOnce bool) {
	if k.ended.CompareAndSwap(0, time.Now().UnixNano()) {
		k.out.end(code, reason, atOnce)
	}
}

// look is the sweeper's: what has not happened in time.
func (k *socket) look(now time.Time, ping message) {
	cfg := k.srv.cfg.Socket
	if ended := k.ended.Load(); ended != 0 {
		if now.UnixNano()-ended > int64(goodbye) {
			_ = k.net.Close() // the reader ends, and with it the socket
		}
		return
	}
	quiet := now.UnixNano() - k.heard.Load()
	expires := k.expires.Load()
	switch {
	case quiet > int64(cfg.Silence):
		k.end(subjects.CloseSilent, "nothing was heard of you", true)
	case !k.hello.Load() && now.Sub(k.opened) > cfg.HelloTimeout:
		k.end(subjects.CloseNoHello, "say hello first", false)
	case expires != 0 && k.srv.deps.Clock.Now().UnixMilli() > expires+tokenGrace.Milliseconds():
		k.end(subjects.CloseExpired, "the access token has expired", false)
	case quiet > int64(cfg.PingEvery) && now.UnixNano()-k.pinged.Load() > int64(cfg.PingEvery):
		k.pinged.Store(now.UnixNano())
		k.out.say(ping)
	}
}

// finish ends everything that the socket began.
func (k *socket) finish() {
	k.cancel()
	k.mu.Lock()
	k.over = true
	subs := make([]*listener, 0, len(k.subs))
	for _, l := range k.subs {
		subs = append(subs, l)
	}
	k.mu.Unlock()
	for _, l := range subs {
		k.unfollow(l)
	}
	k.work.Wait()
	k.out.stop(goodbye)
	if k.hello.Load() {
		k.srv.metrics.connections.Of(k.kind()).Dec()
	}
	k.srv.sockets.remove(k)
	k.srv.deps.Log.Debug("socket closed", "connection", k.id, "user", k.user, "open", time.Since(k.opened))
}

func (k *socket) kind() string {
	if k.user == "" {
		return kindGuest
	}
	return kindUser
}

// follow notes that a channel is followed; false if there are too many, or the socket is
// over.
func (k *socket) follow(l *listener) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, had := k.subs[l.channel]; k.over || !had && len(k.subs) >= subjects.MaxChannels {
		return false
	}
	k.subs[l.channel] = l
	k.srv.metrics.subscriptions.Of(followed(l.channel)).Inc()
	return true
}

// unfollow takes the listener out of its channel.
func (k *socket) unfollow(l *listener) {
	if k.forget(l) {
		l.from.leave(l)
	}
}

// forget notes that a channel is not followed any more; false if it was not.
func (k *socket) forget(l *listener) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.subs[l.channel] != l {
		return false
	}
	delete(k.subs, l.channel)
	k.srv.metrics.subscriptions.Of(followed(l.channel)).Dec()
	return true
}

func (k *socket) listener(ch subjects.Channel) *listener {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.subs[ch]
}

// followed gives the label of a channel in metrics.
func followed(ch subjects.Channel) string {
	switch ch {
	case subjects.ChannelRooms, subjects.ChannelMe, subjects.ChannelPlaylists, subjects.ChannelUsers:
		return string(ch)
	}
	before, _, _ := strings.Cut(string(ch), ".")
	return before
}

// later runs a task in a channel's lane, after those that were put there before; false if
// too many tasks of the socket wait already.
func (k *socket) later(lane subjects.Channel, task func()) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over || k.tasks >= k.srv.cfg.Socket.Waiting {
		return false
	}
	k.tasks++
	waiting, busy := k.lanes[lane]
	k.lanes[lane] = append(waiting, task)
	if !busy {
		k.work.Add(1)
		go k.run(lane)
	}
	return true
}

// carryOut runs a task; a panic in it ends the socket and nothing else.
func (k *socket) carryOut(task func()) {
	defer func() {
		if p := recover(); p != nil {
			k.panicked(p)
		}
	}()
	task()
}

// panicked ends the socket after a panic in something of its own.
func (k *socket) panicked(p any) {
	k.srv.deps.Log.Error("panic in a socket", "connection", k.id, "panic", p, "stack", string(debug.Stack()))
	k.end(subjects.CloseInternal, "something went wrong here", true)
}

func (k *socket) run(lane subjects.Channel) {
	defer k.work.Done()
	for {
		k.mu.Lock()
		waiting := k.lanes[lane]
		if len(waiting) == 0 {
			delete(k.lanes, lane)
			k.mu.Unlock()
			return
		}
		k.lanes[lane] = waiting[1:]
		k.mu.Unlock()
		k.carryOut(waiting[0])
		k.mu.Lock()
		k.tasks--
		k.mu.Unlock()
	}
}
