package edge

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// ownEvery is how often a user's own documents are read without a hint: hints may be lost.
const ownEvery = time.Minute

// ownAgain is after how long they are read again after a hint, since any replica may
// answer, and one that lags has not heard of it; the first is for after an error too.
var ownAgain = []time.Duration{200 * time.Millisecond, 2 * time.Second}

// own is the live query over what concerns one user alone: their documents of one table,
// invitations say. It holds those of the users who look, and nobody else's.
type own struct {
	srv     *Server
	table   string
	channel subjects.Channel

	mu    sync.Mutex
	users map[string]*ownList // as many as users with sockets
	work  sync.WaitGroup
}

// ownList is one user's documents, and the sockets that show them. One goroutine reads
// them, so that what is shown never goes back to what was read before.
type ownList struct {
	own  *own
	user string
	wake chan struct{} // cap 1: a hint, or somebody arrives
	end  context.CancelFunc

	mu        sync.Mutex
	arriving  []*arrival // to be shown what is read next; as many as sockets of the user
	listeners map[*listener]struct{}
	shown     map[string]json.RawMessage
	loaded    bool
	over      bool
}

// arrival is a listener that waits for the documents.
type arrival struct {
	who  *listener
	done chan error // cap 1
}

func newOwn(s *Server, table string, ch subjects.Channel) *own {
	return &own{srv: s, table: table, channel: ch, users: map[string]*ownList{}}
}

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
	stop, err := o.srv.deps.Lists.OnOwn(o.table, user, list.hint)
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

func (l *ownList) hint() {
	select {
	case l.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// run reads the documents whenever they may have changed, until ctx ends.
func (l *ownList) run(ctx context.Context) {
	t := time.NewTimer(ownEvery)
	defer t.Stop()
	step := 0 // of ownAgain
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
			step = 0
		case <-t.C:
		}
		docs, err := l.read(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			l.own.srv.deps.Log.Warn("a user's own documents not read; trying again", "table", l.own.table, "user", l.user, "err", err)
			step = min(step, len(ownAgain)-1)
		}
		l.take(docs, err)
		next := ownEvery
		if step < len(ownAgain) {
			next = ownAgain[step]
			step++
		}
		t.Reset(next)
	}
}

func (l *ownList) read(ctx context.Context) (map[string]json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, l.own.srv.cfg.QueryTimeout)
	defer cancel()
	return l.own.srv.deps.Lists.Own(ctx, l.own.table, l.user)
}

// take tells the listeners what changed, and shows the documents to who arrived.
func (l *ownList) take(docs map[string]json.RawMessage, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	arrived := l.arriving
	l.arriving = nil
	if err == nil {
		l.show(docs)
	}
	for _, a := range arrived {
		if err == nil {
			a.done <- l.admit(a.who)
		} else {
			a.done <- err
		}
	}
}

// show tells the listeners what changed.
func (l *ownList) show(docs map[string]json.RawMessage) {
	if l.loaded {
		for _, m := range docChanges(l.own.srv, l.own.channel, l.shown, docs) {
			for k := range l.listeners {
				k.sock.out.tell(k, m)
			}
			l.own.srv.metrics.framesOut.Of(subjects.FrameDoc).Add(float64(len(l.listeners)))
		}
	}
	l.shown, l.loaded = docs, true
}

// admit makes a listener one of the list's.
func (l *ownList) admit(k *listener) error {
	m, err := docsMessage(l.own.channel, l.shown)
	if err != nil {
		return err
	}
	if !k.sock.follow(k) {
		return subjects.Refuse(subjects.CodeFull, "a connection follows at most %d channels", subjects.MaxChannels)
	}
	l.listeners[k] = struct{}{}
	k.sock.out.tell(k, m)
	l.own.srv.metrics.framesOut.Of(subjects.FrameDocs).Inc()
	return nil
}

// add has a listener be shown what is read next; again tells that the list has just ended.
func (l *ownList) add(ctx context.Context, k *listener) (again bool, err error) {
	a := &arrival{k, make(chan error, 1)}
	l.mu.Lock()
	if l.over {
		l.mu.Unlock()
		return true, nil
	}
	l.arriving = append(l.arriving, a)
	l.mu.Unlock()
	l.hint()
	select {
	case err := <-a.done:
		return false, err
	case <-ctx.Done():
	}
	l.mu.Lock()
	waiting := len(l.arriving)
	l.arriving = slices.DeleteFunc(l.arriving, func(o *arrival) bool { return o == a })
	gaveUp := len(l.arriving) < waiting
	l.mu.Unlock()
	if gaveUp {
		return false, ctx.Err()
	}
	return false, <-a.done // it came in the same moment
}

// leave implements source. A list that nobody listens to, or waits for, ends.
func (l *ownList) leave(k *listener) {
	l.own.mu.Lock()
	defer l.own.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.listeners, k)
	if len(l.listeners) == 0 && len(l.arriving) == 0 && !l.over {
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
	m, err := docsMessage(l.own.channel, l.shown)
	if err != nil {
		l.own.srv.deps.Log.Error("documents not encoded", "err", err)
		return nil
	}
	return []message{m}
}
