package rethink

import (
	"context"
	"errors"
	"sync"
	"time"
)

// freshFor is how long a link may have lain idle before it is asked for a sign of life.
const freshFor = time.Second

var errBusy = errors.New("all connections are in use")

// pool lends links, each to one caller at a time, so that a caller who gives up can
// break his off without harming another's query.
type pool struct {
	dialer *dialer
	tokens chan struct{} // one for each link that is lent

	mu     sync.Mutex
	idle   []*link // the last used at the end
	closed bool
}

func newPool(d *dialer, most int) *pool {
	return &pool{dialer: d, tokens: make(chan struct{}, most)}
}

// get lends a link, and makes one if none is idle.
func (p *pool) get(ctx context.Context) (*link, error) {
	select {
	case p.tokens <- struct{}{}:
	case <-ctx.Done():
		return nil, errBusy
	}
	for l := p.pop(); l != nil; l = p.pop() {
		if time.Since(l.used) < freshFor || l.alive(ctx) {
			return l, nil
		}
		l.close()
	}
	l, err := p.dialer.dial(ctx)
	if err != nil {
		<-p.tokens
		return nil, err
	}
	return l, nil
}

func (p *pool) pop() *link {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	l := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	return l
}

// put takes a link back that is as good as it was.
func (p *pool) put(l *link) {
	l.used = time.Now()
	p.mu.Lock()
	if p.closed {
		l.close()
	} else {
		p.idle = append(p.idle, l)
	}
	p.mu.Unlock()
	<-p.tokens
}

// discard ends a link that may be in the midst of something. If it broke by itself,
// those that lie idle have most likely broken too.
func (p *pool) discard(l *link, broke bool) {
	l.close()
	if broke {
		p.drain()
	}
	<-p.tokens
}

func (p *pool) drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.idle {
		l.close()
	}
	p.idle = nil
}

// close ends the idle links. Those that are lent end when they come back.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.drain()
}
