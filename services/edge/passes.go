package edge

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tuttihq/tutti/subjects"
)

// passAgain is after how long a pass is asked about again when nobody could tell.
const passAgain = 2 * time.Second

// passesAsked bounds how many passes are asked about at once.
const passesAsked = 16

// passes lets those see something who may because they follow its creator (kind.host). That
// stands in no log: it is asked when they come, and again when whom they follow changes.
type passes[S any] struct {
	hub  *hub[S]
	wake chan struct{} // cap 1

	mu   sync.Mutex
	in   map[*listener]*topic[S] // who has joined with a pass
	due  map[*listener]struct{}  // of them: to be asked about again
	end  context.CancelFunc
	work sync.WaitGroup
}

func newPasses[S any](h *hub[S]) *passes[S] {
	p := &passes[S]{hub: h, wake: make(chan struct{}, 1), in: map[*listener]*topic[S]{}, due: map[*listener]struct{}{}}
	ctx, cancel := context.WithCancel(context.Background())
	p.end = cancel
	if h.kind.host != nil {
		p.work.Go(func() { p.run(ctx) })
	}
	return p
}

// close ends the asking. No socket is open any more.
func (p *passes[S]) close() {
	p.end()
	p.work.Wait()
}

// hostOf gives whose followers may see something that the user may not see otherwise.
func (k *kind[S]) hostOf(ctx context.Context, id, user string) (host string, err error) {
	if k.host == nil || user == "" {
		return "", nil
	}
	err = k.views.View(ctx, id, func(v View[S]) error {
		if !k.sees(v.State, user) {
			host = k.host(v.State)
		}
		return nil
	})
	return host, err
}

// admits refuses what a listener may not see, or what cannot be shown.
func (k *kind[S]) admits(v View[S], l *listener) error {
	if l.pass != "" && k.host(v.State) == l.pass && v.Unknown == nil {
		return nil
	}
	return k.visible(v, l.sock.user)
}

// ask gives a listener who is about to join its pass, if it needs and may have one.
func (p *passes[S]) ask(ctx context.Context, l *listener, id string) error {
	host, err := p.hub.kind.hostOf(ctx, id, l.sock.user)
	if err != nil || host == "" {
		return err
	}
	// The hint is asked for first: what changes between is heard of.
	stop, err := p.hub.srv.deps.Lists.OnOwn(subjects.TableFollows, l.sock.user, func() { p.again(l) })
	if err != nil {
		return err
	}
	ok, err := p.hub.srv.follows(ctx, l.sock.user, host)
	if err != nil || !ok {
		stop()
		return err
	}
	l.pass, l.unpass = host, func() {
		stop()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.in, l)
		delete(p.due, l)
	}
	return nil
}

// drop ends what a pass has begun.
func (l *listener) drop() {
	if l.unpass != nil {
		l.unpass()
		l.unpass = nil
	}
}

// joined notes whom a pass let in. It is asked about once more: what was answered before may
// have changed before they were in.
func (p *passes[S]) joined(l *listener, t *topic[S]) {
	t.mu.Lock()
	_, there := t.listeners[l]
	if there {
		p.mu.Lock()
		p.in[l] = t
		p.mu.Unlock()
	}
	t.mu.Unlock()
	if there {
		p.again(l)
	}
}

func (p *passes[S]) again(l *listener) {
	p.mu.Lock()
	_, in := p.in[l]
	if in {
		p.due[l] = struct{}{}
	}
	p.mu.Unlock()
	if !in {
		return // asked about when they are
	}
	select {
	case p.wake <- struct{}{}:
	default: // it will look anyway
	}
}

func (p *passes[S]) run(ctx context.Context) {
	t := time.NewTimer(passAgain)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		case <-t.C:
		}
		p.mu.Lock()
		due := make(map[*listener]*topic[S], len(p.due))
		for l := range p.due {
			due[l] = p.in[l]
		}
		clear(p.due)
		p.mu.Unlock()
		var asking errgroup.Group
		asking.SetLimit(passesAsked)
		for l, t := range due {
			asking.Go(func() error { p.check(ctx, l, t); return nil })
		}
		_ = asking.Wait() // none fails
		t.Reset(passAgain)
	}
}

// check takes a listener out whose pass has ended.
func (p *passes[S]) check(ctx context.Context, l *listener, t *topic[S]) {
	t.mu.Lock()
	_, there := t.listeners[l]
	host := l.pass
	t.mu.Unlock()
	if !there || host == "" {
		return
	}
	ask, cancel := context.WithTimeout(ctx, p.hub.srv.cfg.QueryTimeout)
	defer cancel()
	ok, err := p.hub.srv.follows(ask, l.sock.user, host)
	if err != nil {
		if ctx.Err() == nil {
			p.hub.srv.deps.Log.Warn("whom somebody follows cannot be read; asking again", "user", l.sock.user, "err", err)
			p.mu.Lock()
			if _, in := p.in[l]; in {
				p.due[l] = struct{}{} // the timer comes back to it
			}
			p.mu.Unlock()
		}
		return
	}
	if ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, there := t.listeners[l]; !there {
		return
	}
	l.pass = ""
	l.drop()
	if err := t.kind.admits(t.view, l); err != nil {
		t.dismiss(l, t.kind.missing())
	}
}
