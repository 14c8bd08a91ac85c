package cluster

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

const (
	// proxyConns bounds the connections through one proxy; a further one is closed.
	proxyConns = 64
	proxyDial  = 5 * time.Second
	proxyBytes = 32 << 10
)

// flow is what a proxy lets through.
type flow int

const (
	flowing flow = iota
	stalled      // nothing, silently
	parted       // nothing, and everybody is told
)

func (p *proxy) dial(address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(p.ctx, proxyDial)
	defer cancel()
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

// proxy stands between one process and the NATS servers, with a door for each of them.
type proxy struct {
	log   *slog.Logger
	doors []net.Listener
	wg    sync.WaitGroup
	// ctx ends with close.
	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	flow   flow
	open   chan struct{} // closed unless stalled
	conns  map[net.Conn]struct{}
	closed bool
}

func newProxy(log *slog.Logger) *proxy {
	open := make(chan struct{})
	close(open)
	ctx, cancel := context.WithCancel(context.Background())
	return &proxy{log: log, ctx: ctx, cancel: cancel, open: open, conns: map[net.Conn]struct{}{}}
}

// door has the proxy pass on what connects to l to address.
func (p *proxy) door(l net.Listener, address string) {
	p.doors = append(p.doors, l)
	p.wg.Go(func() {
		for {
			in, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				p.log.Warn("proxy", "err", err)
				select { // too many open files
				case <-time.After(100 * time.Millisecond):
				case <-p.ctx.Done():
				}
				continue
			}
			if !p.add(in) {
				continue
			}
			p.wg.Go(func() { p.pass(in, address) })
		}
	})
}

// add notes a connection, unless none may be there.
func (p *proxy) add(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.flow == parted || len(p.conns) >= 2*proxyConns {
		reset(c)
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *proxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	_ = c.Close()
}

func (p *proxy) pass(in net.Conn, address string) {
	defer p.drop(in)
	if !p.wait() {
		return
	}
	out, err := p.dial(address)
	if err != nil {
		reset(in) // as the server's own port would
		return
	}
	if !p.add(out) {
		return
	}
	defer p.drop(out)
	var back sync.WaitGroup
	back.Go(func() { p.copy(in, out) })
	p.copy(out, in)
	back.Wait()
}

// copy passes bytes on until either side ends, and ends the other.
func (p *proxy) copy(to, from net.Conn) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buf := make([]byte, proxyBytes)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if !p.wait() {
				return
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				p.log.Debug("proxy", "err", err)
			}
			p.wait() // an end does not get through either
			return
		}
	}
}

// wait returns once things flow, or false if the proxy closes or parts.
func (p *proxy) wait() bool {
	p.mu.Lock()
	open := p.open
	p.mu.Unlock()
	<-open
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.closed && p.flow == flowing
}

// set changes what flows.
func (p *proxy) set(f flow) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.flow == f {
		return
	}
	was := p.flow
	p.flow = f
	if f == stalled {
		p.open = make(chan struct{})
	} else if was == stalled {
		close(p.open)
	}
	if f == parted {
		p.resetAll()
	}
}

func (p *proxy) resetAll() {
	for c := range p.conns {
		reset(c)
	}
	clear(p.conns)
}

// close ends every connection and waits.
func (p *proxy) close() {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		p.cancel()
		if p.flow == stalled {
			close(p.open)
		}
		for _, l := range p.doors {
			_ = l.Close()
		}
		p.resetAll()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

// reset ends a connection so that the other end is told at once.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}
