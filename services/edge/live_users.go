package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"sync"

	"github.com/tuttihq/tutti/subjects"
)

// usersMost bounds who is followed, summed over the sockets of the edge: what is kept is
// a profile for each different user and a few words for each that a socket follows.
const usersMost = 1_000_000

// users is the live query over profiles: of those users whom somebody on this edge follows,
// and of nobody else. One subscription hears every profile that changes; the profiles
// themselves are asked for when somebody begins to follow them, and again when changes may
// have been missed. A profile's Rev tells which of the two is the newer, so nothing is
// missed between them and nothing goes back.
type users struct {
	srv *Server

	mu     sync.Mutex
	people map[string]*followedUser
	stale  map[string]struct{} // of people: to be read
	looks  map[*listener]*look // as many as sockets that follow the channel
	pairs  int                 // users followed, summed over looks; at most usersMost

	wake chan struct{} // cap 1: stale is not empty
	stop context.CancelFunc
	work sync.WaitGroup
}

// followedUser is a user whom somebody follows.
type followedUser struct {
	read bool
	rev  uint64
	doc  json.RawMessage // nil: there is no such profile
	// heard counts what was heard of the profile, and that it may be old: what was asked for
	// before the last of it does not settle the matter.
	heard uint64
	looks map[*look]struct{}
}

// look is what one listener follows.
type look struct {
	who *listener
	ids []string
	// admitted is set once it was shown the profiles, refused if it will not be; until one
	// of them is it waits on done (cap 1).
	admitted, refused bool
	done              chan error
}

func newUsers(s *Server) *users {
	u := &users{
		srv: s, people: map[string]*followedUser{}, stale: map[string]struct{}{}, looks: map[*listener]*look{},
		wake: make(chan struct{}, 1),
	}
	ctx, cancel := context.WithCancel(context.Background())
	u.stop = cancel
	u.work.Go(func() { u.run(ctx) })
	u.work.Go(func() {
		if err := s.deps.Lists.Hear(ctx, subjects.TableProfiles, u.changed, u.begun); err != nil {
			s.deps.Log.Error("profiles are not kept up any more", "err", err)
		}
	})
	return u
}

func (u *users) close() {
	u.stop()
	u.work.Wait()
}

func (u *users) hint() {
	select {
	case u.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// join shows a listener the profiles of users and what becomes of them. The ids were
// checked; one that is nobody's shows when it becomes somebody's.
func (u *users) join(ctx context.Context, l *listener, ids []string) error {
	l.from = u
	k := &look{who: l, ids: slices.Compact(slices.Sorted(slices.Values(ids))), done: make(chan error, 1)}
	if err := u.enter(k); err != nil {
		return err
	}
	select {
	case err := <-k.done:
		return err
	case <-ctx.Done():
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if !k.admitted && !k.refused {
		u.refuse(k, subjects.Refuse(subjects.CodeUnavailable, "profiles cannot be read now; ask again"))
	}
	return <-k.done
}

// enter notes what is followed from now on, and has what is not there yet read.
func (u *users) enter(k *look) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.pairs+len(k.ids) > usersMost {
		return subjects.Refuse(subjects.CodeBusy, "too many users are followed here; ask again, or for their profiles with GET /v1/users")
	}
	u.pairs += len(k.ids)
	u.looks[k.who] = k
	for _, id := range k.ids {
		p := u.people[id]
		if p == nil {
			p = &followedUser{looks: map[*look]struct{}{}}
			u.people[id] = p
		}
		p.looks[k] = struct{}{}
		if !p.read {
			u.stale[id] = struct{}{}
		}
	}
	u.admit(k)
	if len(u.stale) > 0 {
		u.hint()
	}
	return nil
}

// admit shows the profiles to a listener that waits for them, if all are there.
func (u *users) admit(k *look) {
	if k.admitted || k.refused {
		return
	}
	for _, id := range k.ids {
		if !u.people[id].read {
			return
		}
	}
	m, err := u.docs(k)
	if err == nil && !k.who.sock.follow(k.who) {
		err = subjects.Refuse(subjects.CodeFull, "a connection follows at most %d channels", subjects.MaxChannels)
	}
	if err != nil {
		u.refuse(k, err)
		return
	}
	k.admitted = true
	k.who.sock.out.tell(k.who, m)
	u.srv.metrics.framesOut.Of(subjects.FrameDocs).Inc()
	k.done <- nil
}

// refuse ends the wait of a listener that was not admitted.
func (u *users) refuse(k *look, err error) {
	k.refused = true
	u.remove(k)
	k.done <- err
}

func (u *users) docs(k *look) (message, error) {
	docs := make(map[string]json.RawMessage, len(k.ids))
	for _, id := range k.ids {
		if p := u.people[id]; p.doc != nil {
			docs[id] = p.doc
		}
	}
	return docsMessage(subjects.ChannelUsers, docs)
}

// leave implements source.
func (u *users) leave(l *listener) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if k := u.looks[l]; k != nil {
		u.remove(k)
	}
}

func (u *users) remove(k *look) {
	delete(u.looks, k.who)
	u.pairs -= len(k.ids)
	for _, id := range k.ids {
		p := u.people[id]
		if delete(p.looks, k); len(p.looks) == 0 {
			delete(u.people, id)
			delete(u.stale, id)
		}
	}
}

// fresh implements source.
func (u *users) fresh(l *listener) []message {
	u.mu.Lock()
	defer u.mu.Unlock()
	k := u.looks[l]
	if k == nil || !k.admitted {
		return nil
	}
	l.sock.out.caughtUp(l)
	m, err := u.docs(k)
	if err != nil {
		u.srv.deps.Log.Error("documents not encoded", "err", err)
		return nil
	}
	return []message{m}
}

// changed takes in a profile that was heard of.
func (u *users) changed(id string, body json.RawMessage) {
	u.mu.Lock()
	defer u.mu.Unlock()
	p := u.people[id]
	if p == nil {
		return
	}
	var has struct {
		Rev uint64 `json:"rev"`
	}
	p.heard++
	if body == nil || json.Unmarshal(body, &has) != nil {
		u.stale[id] = struct{}{} // it went: who keeps profiles knows
		u.hint()
		return
	}
	u.take(id, p, has.Rev, body)
	for k := range p.looks {
		u.admit(k)
	}
}

// begun says that changes are heard from now on; what was read before may be old.
func (u *users) begun() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, p := range u.people {
		p.heard++
		u.stale[id] = struct{}{}
	}
	u.hint()
}

// take makes a profile what is shown, unless it is older, and tells who was shown another.
// A nil body, with rev 0, is for a profile that is not there.
func (u *users) take(id string, p *followedUser, rev uint64, body json.RawMessage) {
	if p.read && body != nil && rev <= p.rev {
		return
	}
	known := p.read && bytes.Equal(p.doc, body)
	p.read, p.rev, p.doc = true, rev, body
	if known {
		return
	}
	m, err := encode(&subjects.ServerFrame{Type: subjects.FrameDoc, Channel: subjects.ChannelUsers, DocID: id, Doc: body})
	if err != nil {
		u.srv.deps.Log.Error("document not encoded", "channel", string(subjects.ChannelUsers), "document", id, "err", err)
		return
	}
	told := 0
	for k := range p.looks {
		if k.admitted {
			k.who.sock.out.tell(k.who, m)
			told++
		}
	}
	u.srv.metrics.framesOut.Of(subjects.FrameDoc).Add(float64(told))
}
