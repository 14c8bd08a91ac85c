package rethink_test

import (
	"net"
	"sync"
	"testing"
)

// proxy stands between a store and its server, and can lose what goes through.
type proxy struct {
	listener net.Listener
	target   string
	working  sync.WaitGroup

	mu      sync.Mutex
	turn    *sync.Cond
	refuses bool
	stalls  bool
	closed  bool
	conns   map[net.Conn]struct{}
}

func newProxy(t testing.TB, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, target: target, conns: make(map[net.Conn]struct{})}
	p.turn = sync.NewCond(&p.mu)
	p.working.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.set(func() { p.closed, p.stalls = true, false })
		p.cut()
		p.working.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.turn.Broadcast()
}

// cut breaks all connections, and refuses new ones until mended.
func (p *proxy) cut() {
	p.set(func() {
		p.refuses = true
		for c := range p.conns {
			_ = c.Close()
		}
	})
}

// stall holds back what both sides say, until mended.
func (p *proxy) stall() { p.set(func() { p.stalls = true }) }

func (p *proxy) mend() { p.set(func() { p.refuses, p.stalls = false, false }) }

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		if p.refuses || p.closed {
			_, _ = client.Close(), server.Close()
		} else {
			p.conns[client], p.conns[server] = struct{}{}, struct{}{}
			p.working.Go(func() { p.pump(client, server) })
			p.working.Go(func() { p.pump(server, client) })
		}
		p.mu.Unlock()
	}
}

func (p *proxy) pump(from, to net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		for p.stalls {
			p.turn.Wait()
		}
		p.mu.Unlock()
		if n > 0 {
			if _, failed := to.Write(buffer[:n]); failed != nil {
				err = failed
			}
		}
		if err != nil {
			break
		}
	}
	_, _ = from.Close(), to.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, from)
	delete(p.conns, to)
}
