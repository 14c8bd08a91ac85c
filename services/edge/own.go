package edge

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// ownEvery is how often a user's own documents are read without a hint: hints may be lost.
const ownEvery = time.Minute

// own is the live query over what concerns one user alone: invitations. It holds the
// documents of the users who look, and nobody else's.
type own struct {
	srv *Server

	mu    sync.Mutex
	users map[string]*ownList // as many as users with sockets
	work  sync.WaitGroup
}

// ownList is one user's documents, and the sockets that show them.
type ownList struct {
	own  *own
	user string
	wake chan struct{}
	end  context.CancelFunc

	mu        sync.Mutex
	listeners map[*listener]struct{}
	shown     map[string]json.RawMessage
	loaded    bool
	over      bool
}

func newOwn(s *Server) *own { return &own{srv: s, users: map[string]*ownList{}} }

// join shows a listener its user's documents and what becomes of them.
func (o *own) join(ctx context.Context, l *listener) error {
	for {
		list, err := o.list(l.sock.user)
		if err != nil {
			return err
		}
		l.from = list
		again, err := list.add(ctx, l)
		if err != nil {
			list.leave(l)
		}
		if !again {
			return err
		}
	}
}

// list gives a user's list, and begins it where there is none.
func (o *own) list(user string) (*ownList, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if list := o.users[user]; list != nil {
		return list, nil
	}
	list := &ownList{own: o, user: user, wake: make(chan struct{}, 1), listeners: map[*listener]struct{}{}}
	stop, err := o.srv.deps.Lists.OnOwn(subjects.TableRoomInvites, user, func() {
		select {
		case list.wake <- struct{}{}:
		default: // it will look anyway
		}
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(o.srv.base)
	list.end = cancel
	o.users[user] = list
	o.work.Go(func() {
		defer stop()
		list.run(ctx)
	})
	return list, nil
}

// close ends all lists. No socket is open any more.
func (o *own) close() {
	o.mu.Lock()
	for _, list := range o.users {
		list.end()
	}
	o.mu.Unlock()
	o.work.Wait()
}

// run reads the documents again whenever they may have changed.
func (l *ownList) run(ctx context.Context) {
	t := time.NewTicker(ownEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-t.C:
		}
		docs, err := l.read(ctx)
		if err != nil {
			l.own.srv.deps.Log.Warn("invitations not read; trying again", "user", l.user, "err", err)
			continue
		}
		l.mu.Lock()
		l.show(docs)
		l.mu.Unlock()
	}
}

func (l *ownList) read(ctx context.Context) (map[string]json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, l.own.srv.cfg.QueryTimeout)
	defer cancel()
	return l.own.srv.deps.Lists.Own(ctx, subjects.TableRoomInvites, l.user)
}

// show tells the listeners what changed.
func (l *ownList) show(docs map[string]json.RawMessage) {
	if l.loaded {
		for _, m := range docChanges(l.own.srv, subjects.ChannelMe, l.shown, docs) {
			for k := range l.listeners {
				k.sock.out.tell(k, m)
			}
			l.own.srv.metrics.framesOut.Of(subjects.FrameDoc).Add(float64(len(l.listeners)))
		}
	}
	l.shown, l.loaded = docs, true
}

// add makes a listener one of the list's; again tells that the list has just ended.
func (l *ownList) add(ctx context.Context, k *listener) (again bool, err error) {
	docs, err := l.read(ctx)
	if err != nil {
		return false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return true, nil
	}
	l.show(docs)
	m, err := docsMessage(subjects.ChannelMe, l.shown)
	if err != nil {
		return false, err
	}
	if !k.sock.follow(k) {
		return false, subjects.Refuse(subjects.CodeFull, "a connection follows at most %d channels", subjects.MaxChannels)
	}
	l.listeners[k] = struct{}{}
	k.sock.out.tell(k, m)
	l.own.srv.metrics.framesOut.Of(subjects.FrameDocs).Inc()
	return false, nil
}

// leave implements source. A list that nobody listens to ends.
func (l *ownList) leave(k *listener) {
	l.own.mu.Lock()
	defer l.own.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.listeners, k)
	if len(l.listeners) == 0 && !l.over {
		l.over = true
		l.end()
		delete(l.own.users, l.user)
	}
}

// fresh implements source.
func (l *ownList) fresh(k *listener) []message {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.listeners[k]; !ok {
		return nil
	}
	k.sock.out.caughtUp(k)
	m, err := docsMessage(subjects.ChannelMe, l.shown)
	if err != nil {
		l.own.srv.deps.Log.Error("documents not encoded", "err", err)
		return nil
	}
	return []message{m}
}
