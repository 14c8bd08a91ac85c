package edge

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// hub holds what of one kind somebody on this edge follows. What a commit costs depends on
// who follows its room, not on how many rooms there are.
type hub[S any] struct {
	srv    *Server
	kind   *kind[S]
	shared *shared

	mu     sync.Mutex
	topics map[string]*topic[S] // by id; over all hubs at most SocketConfig.Topics
	shut   bool
	drops  sync.WaitGroup // topics whose linger is over
	passes *passes[S]
	// owner has a topic be told who may not see what it belongs to; nil where it belongs to
	// nothing.
	owner func(id string, w ward) (stop func(), err error)
}

// shared is what the hubs of an edge are bounded by together.
type shared struct {
	kept   atomic.Int64 // bytes of commits that all topics keep
	topics atomic.Int64
	late   atomic.Int64 // who waits for what will be there in a moment
}

func newHub[S any](s *Server, k *kind[S], sh *shared) *hub[S] {
	h := &hub[S]{srv: s, kind: k, shared: sh, topics: map[string]*topic[S]{}}
	h.passes = newPasses(h)
	return h
}

const (
	// lateMost bounds how long somebody waits for what will be there in a moment, which is
	// looked for after lateFirst, then ever more rarely up to lateLast.
	lateMost  = 2 * time.Second
	lateFirst = 10 * time.Millisecond
	lateLast  = 250 * time.Millisecond
	// lateWaiters bounds who waits at once over the whole edge; further ones are sent away to
	// come again.
	lateWaiters = 256
)

// join makes a listener one of a topic: it is told where the topic is, or what it missed
// since a revision, and then every commit. What it is told is not older than the log was
// when join was called. Refusals: CodeNotFound, CodeBusy, CodeUpgrade, CodeFull,
// CodeUnavailable.
func (h *hub[S]) join(ctx context.Context, l *listener, id string, epoch, since uint64) error {
	if err := h.kind.reached(ctx, l.sock.user, id); err != nil {
		return err
	}
	err := h.enter(ctx, l, id, epoch, since)
	if h.kind.within == nil || subjects.CodeOf(err) != subjects.CodeNotFound {
		return err
	}
	if h.shared.late.Add(1) > lateWaiters {
		h.shared.late.Add(-1)
		return h.notYet()
	}
	defer h.shared.late.Add(-1)
	wait := lateFirst
	for until := time.Now().Add(lateMost); subjects.CodeOf(err) == subjects.CodeNotFound; wait = min(2*wait, lateLast) {
		if time.Now().After(until) {
			return h.notYet()
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
		err = h.enter(ctx, l, id, epoch, since)
	}
	return err
}

func (h *hub[S]) notYet() error {
	return subjects.Refuse(subjects.CodeUnavailable, "the %s is not there yet; follow it again", h.kind.noun)
}

func (h *hub[S]) enter(ctx context.Context, l *listener, id string, epoch, since uint64) error {
	if err := h.passes.ask(ctx, l, id); err != nil {
		return err
	}
	t := h.known(id)
	if t == nil {
		// Nothing is begun for what is not there, or not to be seen.
		err := h.kind.views.View(ctx, id, func(v View[S]) error { return h.kind.admits(v, l) })
		if err == nil {
			t, err = h.topic(id)
		}
		if err != nil {
			l.drop()
			return err
		}
	}
	l.from = t
	err := t.attach()
	if err == nil {
		err = t.following.Sync(ctx)
	}
	if err == nil {
		err = t.add(l, epoch, since)
	}
	if err != nil {
		h.release(t)
		l.drop()
		return err
	}
	if l.pass != "" {
		h.passes.joined(l, t)
	}
	// Who was put out of what this belongs to before they were a listener here was not found
	// among the listeners then.
	if err := h.kind.reached(ctx, l.sock.user, id); err != nil {
		t.putOut(l, err)
	}
	return nil
}

// known gives the topic of what is followed, held for the caller, or nil.
func (h *hub[S]) known(id string) *topic[S] {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[id]
	if t != nil {
		t.hold()
	}
	return t
}

// topic gives the topic of an id, held for the caller.
func (h *hub[S]) topic(id string) (*topic[S], error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t := h.topics[id]; t != nil {
		t.hold()
		return t, nil
	}
	if h.shut || h.shared.topics.Load() >= int64(h.srv.cfg.Socket.Topics) {
		return nil, subjects.Refuse(subjects.CodeBusy, "this edge follows as much as it can; another may take this one")
	}
	t := newTopic(h, id)
	if err := t.listen(); err != nil {
		return nil, err
	}
	t.hold()
	h.topics[id] = t
	h.shared.topics.Add(1)
	h.srv.metrics.topics.Inc()
	t.following = h.kind.live.Follow(id, t)
	return t, nil
}

// release lets go of a topic. One that nobody holds is followed for a while yet: people
// reload pages.
func (h *hub[S]) release(t *topic[S]) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t.holders--; t.holders == 0 && !h.shut {
		t.linger = time.AfterFunc(h.srv.cfg.Socket.Linger, func() { h.drop(t) })
	}
}

func (h *hub[S]) drop(t *topic[S]) {
	h.mu.Lock()
	if h.shut || t.holders > 0 || h.topics[t.id] != t {
		h.mu.Unlock()
		return
	}
	h.forget(t)
	h.drops.Add(1)
	h.mu.Unlock()
	defer h.drops.Done()
	t.close()
}

// forget takes a topic out; the caller closes it without the lock.
func (h *hub[S]) forget(t *topic[S]) {
	delete(h.topics, t.id)
	h.shared.topics.Add(-1)
	h.srv.metrics.topics.Dec()
}

// close ends all following. No socket is open any more.
func (h *hub[S]) close() {
	h.mu.Lock()
	h.shut = true
	rest := make([]*topic[S], 0, len(h.topics))
	for _, t := range h.topics {
		h.forget(t)
		if t.linger != nil {
			t.linger.Stop()
		}
		rest = append(rest, t)
	}
	h.mu.Unlock()
	for _, t := range rest {
		t.close()
	}
	h.drops.Wait()
	h.passes.close()
}

// hubs are those of an edge, one for each kind.
type hubs struct {
	rooms     *hub[*subjects.RoomState]
	playlists *hub[*subjects.PlaylistState]
	chats     *hub[*subjects.ChatState]
}

func newHubs(s *Server) hubs {
	sh := &shared{}
	h := hubs{newHub(s, s.kinds.room, sh), newHub(s, s.kinds.playlist, sh), newHub(s, s.kinds.chat, sh)}
	h.chats.owner = func(id string, w ward) (func(), error) {
		if s.kinds.room.is(id) {
			return h.rooms.watch(id, w)
		}
		return h.playlists.watch(id, w)
	}
	return h
}

func (h hubs) close() {
	h.chats.close()
	h.rooms.close()
	h.playlists.close()
}
