package catalog

import (
	"context"
	"sync"
)

// hostPlaces bounds the resolutions under way at once on one host, so that neither a
// server that never finishes its answers nor a long list of its files keeps the others'
// places, and so that no server is asked for more than it is polite to ask.
const hostPlaces = 2

// Local is a Source that answers from memory. Its resolutions take no place.
type Local interface {
	Source
	// Local marks the source.
	Local()
}

// Hosted is a Source that goes to the server which the text names.
type Hosted interface {
	Source
	// Host names the server that Resolve of ref would ask; Match took ref before. Two
	// texts with the same host share that host's places. Empty if none would be asked.
	Host(ref string) string
}

// places is the room for resolutions under way. Who finds none waits until
// its context ends.
type places struct {
	all chan struct{} // one token per resolution under way

	mu    sync.Mutex
	hosts map[string]*host // those that somebody is at or waits for, so no more than resolutions
}

type host struct {
	tokens chan struct{}
	users  int // at it or waiting; guarded by places.mu
}

func newPlaces(n int) *places {
	return &places{all: make(chan struct{}, n), hosts: map[string]*host{}}
}

// take waits for a place at a host (if it is not empty), then for one among all: who waits
// for a busy host keeps nobody else waiting. It returns what gives both back, or ctx's
// error.
func (p *places) take(ctx context.Context, name string) (leave func(), err error) {
	if name == "" {
		return p.enter(ctx, func() {})
	}
	p.mu.Lock()
	h := p.hosts[name]
	if h == nil {
		h = &host{tokens: make(chan struct{}, hostPlaces)}
		p.hosts[name] = h
	}
	h.users++
	p.mu.Unlock()
	forget := func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if h.users--; h.users == 0 {
			delete(p.hosts, name)
		}
	}
	select {
	case h.tokens <- struct{}{}:
		return p.enter(ctx, func() { <-h.tokens; forget() })
	case <-ctx.Done():
		forget()
		return nil, ctx.Err()
	}
}

func (p *places) enter(ctx context.Context, after func()) (leave func(), err error) {
	select {
	case p.all <- struct{}{}:
		return func() { <-p.all; after() }, nil
	case <-ctx.Done():
		after()
		return nil, ctx.Err()
	}
}
