package edge

import (
	"context"
	"sync"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// passAgain is after how long a pass is asked about again when nobody could tell.
const passAgain = 2 * time.Second

// passes lets those see something who may because they follow its creator (kind.host). That
// stands in no log: it is asked when they come, and again when whom they follow changes.
type passes[S any] struct {
	hub  *hub[S]
	wake chan struct{} // cap 1

	mu   sync.Mutex
	due  map[*listener]struct{} // to be asked about again; at most as many as there are listeners
	end  context.CancelFunc
	work sync.WaitGroup
}

func newPasses[S any](h *hub[S]) *passes[S] {
	p := &passes[S]{hub: h, wake: make(chan struct{}, 1), due: map[*listener]struct{}{}}
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
	l.pass, l.unpass = host, stop
	return nil
}

// drop ends what a pass has begun.
func (l *listener) drop() {
	if l.unpass != nil {
		l.unpass()
		l.unpass = nil
	}
}

func (p *passes[S]) again(l *listener) {
	p.mu.Lock()
	p.due[l] = struct{}{}
	p.mu.Unlock()
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
		due := p.due
		p.due = map[*listener]struct{}{}
		p.mu.Unlock()
		for l := range due {
			p.check(ctx, l)
		}
		t.Reset(passAgain)
	}
}

// check takes a listener out whose pass has ended.
func (p *passes[S]) check(ctx context.Context, l *listener) {
	t, ok := l.from.(*topic[S])
	if !ok {
		return
	}
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
			p.due[l] = struct{}{} // the timer comes back to it
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
