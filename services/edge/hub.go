package edge

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// hub holds the rooms that somebody on this edge follows. What a commit costs depends on
// who follows its room, not on how many rooms there are.
type hub struct {
	srv  *Server
	kept atomic.Int64 // bytes of commits that all topics keep

	mu     sync.Mutex
	topics map[string]*topic // by room id, at most SocketConfig.Topics
	shut   bool
	drops  sync.WaitGroup // topics whose linger is over
}

func newHub(s *Server) *hub { return &hub{srv: s, topics: map[string]*topic{}} }

// join makes a listener one of a room: it is told where the room is, or what it missed
// since a revision, and then every commit. What it is told is not older than the log was
// when join was called. Refusals: CodeNotFound, CodeBusy, CodeUpgrade, CodeFull.
func (h *hub) join(ctx context.Context, l *listener, room string, epoch, since uint64) error {
	t := h.known(room)
	if t == nil {
		// Nothing is begun for a room that is not there, or not to be seen.
		err := h.srv.deps.Rooms.View(ctx, room, func(v RoomView) error { return visible(v, l.sock.user) })
		if err != nil {
			return err
		}
		if t, err = h.topic(room); err != nil {
			return err
		}
	}
	l.from = t
	err := t.following.Sync(ctx)
	if err == nil {
		err = t.add(l, epoch, since)
	}
	if err != nil {
		h.release(t)
	}
	return err
}

// visible refuses a room that somebody may not see, or that cannot be shown.
func visible(v RoomView, user string) error {
	if v.State == nil || !v.State.CanSee(user) {
		return noRoom()
	}
	if v.Unknown != nil {
		return subjects.Refuse(subjects.CodeUpgrade, "the room was changed by a newer release than this process; ask again, another may answer")
	}
	return nil
}

// known gives the topic of a room that is followed, held for the caller, or nil.
func (h *hub) known(room string) *topic {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[room]
	if t != nil {
		t.hold()
	}
	return t
}

// topic gives the topic of a room, held for the caller.
func (h *hub) topic(room string) (*topic, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t := h.topics[room]; t != nil {
		t.hold()
		return t, nil
	}
	if h.shut || len(h.topics) >= h.srv.cfg.Socket.Topics {
		return nil, subjects.Refuse(subjects.CodeBusy, "this edge follows as many rooms as it can; another may take this one")
	}
	t := newTopic(h, room)
	t.hold()
	h.topics[room] = t
	h.srv.metrics.topics.Inc()
	t.following = h.srv.deps.Live.Follow(room, t)
	return t, nil
}

// release lets go of a topic. One that nobody holds is followed for a while yet: people
// reload pages.
func (h *hub) release(t *topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t.holders--; t.holders == 0 && !h.shut {
		t.linger = time.AfterFunc(h.srv.cfg.Socket.Linger, func() { h.drop(t) })
	}
}

func (h *hub) drop(t *topic) {
	h.mu.Lock()
	if h.shut || t.holders > 0 || h.topics[t.room] != t {
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
func (h *hub) forget(t *topic) {
	delete(h.topics, t.room)
	h.srv.metrics.topics.Dec()
}

// close ends all following. No socket is open any more.
func (h *hub) close() {
	h.mu.Lock()
	h.shut = true
	rest := make([]*topic, 0, len(h.topics))
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
}
