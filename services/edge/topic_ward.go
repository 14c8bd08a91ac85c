package edge

import (
	"github.com/tuttihq/tutti/subjects"
)

// ward is the topic of something that belongs to another: a chat to its room. What may be
// seen of it follows from the other's log, of which its own hears a moment later; so the
// other's topic tells it at once.
//
// The other's lock is held meanwhile, so the order of locks is: owner's topic, ward's topic.
type ward interface {
	// guard takes out who may not see the owner any more.
	guard(may func(user string) bool)
}

// watch has a ward be told of what it belongs to, until stop.
func (h *hub[S]) watch(id string, w ward) (stop func(), err error) {
	t, err := h.topic(id)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	t.wards[w] = struct{}{}
	t.mu.Unlock()
	return func() {
		t.mu.Lock()
		delete(t.wards, w)
		t.mu.Unlock()
		h.release(t)
	}, nil
}

// attach makes the topic its owner's ward, once. It takes the owner's hub's lock: no topic's
// lock is held.
func (t *topic[S]) attach() error {
	if t.hub.owner == nil {
		return nil
	}
	t.owning.Lock()
	defer t.owning.Unlock()
	if t.detach != nil {
		return nil
	}
	stop, err := t.hub.owner(t.id, t)
	t.detach = stop
	return err
}

// guardWards tells the wards who may not see this any more.
func (t *topic[S]) guardWards() {
	for w := range t.wards {
		w.guard(func(user string) bool { return t.kind.sees(t.view.State, user) })
	}
}

// guard implements ward.
func (t *topic[S]) guard(may func(user string) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for user, all := range t.byUser {
		if may(user) {
			continue
		}
		for l := range all {
			t.dismiss(l, t.kind.missing())
		}
	}
	if may("") {
		return
	}
	for l := range t.listeners {
		if l.sock.user == "" {
			t.dismiss(l, t.kind.missing())
		}
	}
}

// putOut takes a listener out, if it is one.
func (t *topic[S]) putOut(l *listener, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, there := t.listeners[l]; !there {
		return
	}
	why, _ := refusalOf(err)
	if subjects.CodeOf(err) == subjects.CodeNotFound {
		t.dismiss(l, t.kind.missing())
		return
	}
	t.dismiss(l, why.Refusal)
}
