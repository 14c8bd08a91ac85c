package edge

import (
	"bytes"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/subjects"
)

// tellEmpty is how long listeners may be behind in revisions that have no public part.
const tellEmpty = time.Second

// topic is one room, playlist or chat and who listens to it. It is told of each commit once
// (Sink) and frames it once for all. Whoever follows the log holds its lock meanwhile; its order with
// other locks: topic, hub, socket or outbox.
type topic[S any] struct {
	hub       *hub[S]
	kind      *kind[S]
	id        string
	channel   subjects.Channel
	following Following
	deaf      func() // ends hearing what is not logged

	owning sync.Mutex
	detach func() // ends being somebody's ward

	// Of the hub, under its lock.
	holders int
	linger  *time.Timer

	mu        sync.Mutex
	view      View[S]
	listeners map[*listener]struct{}
	byUser    map[string]map[*listener]struct{} // without guests
	wards     map[ward]struct{}                 // one: a room's or a playlist's chat
	// sent is the revision that listeners were told last: the next one's prev.
	sent   uint64
	kept   []keptCommit
	bytes  int // of kept
	snap   snapshot
	empty  *time.Timer // runs while revisions without a public part are untold
	closed bool
}

// keptCommit is a message for those that come back.
type keptCommit struct {
	prev, rev uint64
	data      message
}

// snapshot is the document of a revision, encoded once for all who ask for it.
type snapshot struct {
	epoch, rev uint64
	state      []byte
	hash       string
	messages   map[string]message // by reason: one for all listeners
}

func newTopic[S any](h *hub[S], id string) *topic[S] {
	return &topic[S]{
		hub: h, kind: h.kind, id: id, channel: h.kind.channel(id), deaf: func() {},
		listeners: map[*listener]struct{}{}, byUser: map[string]map[*listener]struct{}{}, wards: map[ward]struct{}{},
	}
}

// Lock implements sync.Locker.
func (t *topic[S]) Lock() { t.mu.Lock() }

// Unlock implements sync.Locker.
func (t *topic[S]) Unlock() { t.mu.Unlock() }

// hold is called under the hub's lock.
func (t *topic[S]) hold() {
	t.holders++
	if t.linger != nil {
		t.linger.Stop()
		t.linger = nil
	}
}

func (t *topic[S]) close() {
	t.following.Stop()
	t.deaf()
	if t.detach != nil {
		t.detach()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.forgetKept()
	if t.empty != nil {
		t.empty.Stop()
	}
}

// Reset implements Sink.
func (t *topic[S]) Reset(v View[S]) {
	reason := subjects.SnapReplace
	if v.Epoch != t.view.Epoch {
		reason = subjects.SnapEpoch
	}
	if t.same(v) { // it goes on where it was lost
		t.view = v
		t.expel(nil)
		for l := range t.listeners {
			t.tellOne(l)
		}
		return
	}
	t.view, t.sent, t.snap = v, v.Rev, snapshot{}
	t.forgetKept()
	if v.Unknown != nil {
		t.dismissAll(t.kind.tooNew())
		return
	}
	t.expel(nil)
	for l := range t.listeners {
		if l.sock.out.behind(l) {
			continue
		}
		for _, m := range t.whole(l, reason) {
			l.sock.out.tell(l, m)
		}
	}
}

// same reports whether a room that is given anew has the document that was told last. That
// epoch and revision are the same does not say so: a log may have lost its end and grown
// again.
func (t *topic[S]) same(v View[S]) bool {
	if v.Epoch != t.view.Epoch || v.Rev != t.view.Rev || v.Unknown != nil || v.Rev == 0 {
		return false
	}
	was, err := json.Marshal(t.kind.document(t.view.State))
	if err != nil {
		return false
	}
	is, err := json.Marshal(t.kind.document(v.State))
	return err == nil && bytes.Equal(was, is)
}

// Lost implements Sink. Listeners keep what they have while the follower goes on
// trying, unless the log itself is broken: then there is nothing true to tell them. New
// ones are refused by Sync.
func (t *topic[S]) Lost(err error) {
	t.hub.srv.deps.Log.Warn("a log cannot be followed now; trying again", t.kind.noun, t.id, "listeners", len(t.listeners), "err", err)
	if errors.Is(err, aggregate.ErrBrokenLog) {
		t.dismissAll(subjects.Refuse(subjects.CodeUnavailable, "the %s's log cannot be read; follow it again later", t.kind.noun))
	}
}

// fail ends what cannot be told: a defect.
func (t *topic[S]) fail(err error) {
	t.hub.srv.deps.Log.Error("a commit cannot be told", t.kind.noun, t.id, "rev", t.view.Rev, "err", err)
	t.dismissAll(subjects.Refuse(subjects.CodeInternal, "something went wrong here"))
}

// Commit implements Sink.
func (t *topic[S]) Commit(v View[S], data []byte, c *subjects.Commit) {
	t.view = v
	if v.Unknown != nil {
		t.dismissAll(t.kind.tooNew())
		return
	}
	t.expel(c)
	if t.kind.erases != nil && t.kind.erases(c) {
		t.forgetKept() // what it takes back is told to nobody any more
	}
	if len(c.Public.Events) == 0 && bytes.Equal(c.Public.Patch, []byte("{}")) {
		t.tellLater()
	} else {
		public, err := subjects.PublicPart(data)
		if err != nil { // of another layout than ours: then it is written anew
			if public, err = json.Marshal(c.Public); err != nil {
				t.fail(err)
				return
			}
		}
		t.tell(public, c.At)
	}
	t.tellSealed(c)
	t.tellYou(c)
	metrics := t.hub.srv.metrics
	metrics.fanout.Observe(float64(len(t.listeners)))
	metrics.fanoutSeconds.Observe(max(0, t.hub.srv.deps.Clock.Now().Sub(time.UnixMilli(c.At)).Seconds()))
}

// tell sends the public part of what leads from the revision told last to the present one.
func (t *topic[S]) tell(public []byte, at int64) {
	m := eventMessage(t.channel, t.view.Epoch, t.sent, t.view.Rev, at, public)
	t.keep(keptCommit{t.sent, t.view.Rev, m})
	t.sent = t.view.Rev
	for l := range t.listeners {
		l.sock.out.tell(l, m)
	}
	t.hub.srv.metrics.framesOut.Of(subjects.FrameEvt).Add(float64(len(t.listeners)))
}

// tellLater has listeners learn of revisions that have nothing for them, several at once.
// In a big room each join is such a revision.
func (t *topic[S]) tellLater() {
	if t.empty == nil {
		t.empty = time.AfterFunc(tellEmpty, t.tellEmpty)
	}
}

func (t *topic[S]) tellEmpty() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.empty = nil
	if !t.closed && t.view.Unknown == nil {
		t.flush()
	}
}

// flush tells of revisions that were left out so far. It comes before every snapshot, so
// that what is told next follows on it.
func (t *topic[S]) flush() {
	if t.view.Rev > t.sent {
		t.tell([]byte(`{"events":[],"patch":{}}`), t.view.At)
	}
}

// keep remembers a message for those that come back, within the bounds.
func (t *topic[S]) keep(k keptCommit) {
	cfg, shared := t.hub.srv.cfg.Socket, t.hub.shared
	size := len(k.data)
	if size > cfg.KeepBytes || shared.kept.Load()+int64(size) > cfg.KeepTotal {
		t.forgetKept() // a hole would be worse than nothing
		return
	}
	for len(t.kept) > 0 && (len(t.kept) >= cfg.KeepFrames || t.bytes+size > cfg.KeepBytes) {
		t.bytes -= len(t.kept[0].data)
		shared.kept.Add(-int64(len(t.kept[0].data)))
		t.kept[0].data = nil
		t.kept = t.kept[1:]
	}
	t.kept = append(t.kept, k)
	t.bytes += size
	shared.kept.Add(int64(size))
}

func (t *topic[S]) forgetKept() {
	t.hub.shared.kept.Add(-int64(t.bytes))
	t.kept, t.bytes = nil, 0
}

// since gives what leads from a revision to the present; ok is false if that is not known
// any more.
func (t *topic[S]) since(rev uint64) (missed []message, ok bool) {
	if rev >= t.sent {
		return nil, rev <= t.view.Rev
	}
	for i, k := range t.kept {
		if k.rev <= rev {
			continue
		}
		if k.prev > rev {
			return nil, false
		}
		for _, k := range t.kept[i:] {
			missed = append(missed, k.data)
		}
		return missed, true
	}
	return nil, false
}

// add makes a listener one of the topic's.
func (t *topic[S]) add(l *listener, epoch, since uint64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.kind.admits(t.view, l); err != nil {
		return err
	}
	if !l.sock.follow(l) {
		return subjects.Refuse(subjects.CodeFull, "a connection follows at most %d channels", subjects.MaxChannels)
	}
	t.flush()
	t.listeners[l] = struct{}{}
	if user := l.sock.user; user != "" {
		if t.byUser[user] == nil {
			t.byUser[user] = map[*listener]struct{}{}
		}
		t.byUser[user][l] = struct{}{}
	}
	reason := subjects.SnapNew
	if since > 0 {
		reason = subjects.SnapTooOld
		if epoch != t.view.Epoch {
			reason = subjects.SnapEpoch
		} else if missed, ok := t.since(since); ok {
			l.sock.send(&subjects.ServerFrame{Type: subjects.FrameResumed, Channel: t.channel, Epoch: epoch, Rev: since})
			for _, m := range missed {
				l.sock.out.tell(l, m)
			}
			if m := t.you(l); m != nil {
				l.sock.out.tell(l, m)
			}
			return nil
		}
	}
	for _, m := range t.whole(l, reason) {
		l.sock.out.tell(l, m)
	}
	return nil
}

// leave implements source.
func (t *topic[S]) leave(l *listener) {
	t.mu.Lock()
	_, there := t.listeners[l]
	if there {
		t.remove(l)
	}
	t.mu.Unlock()
	if there {
		t.hub.release(t)
	}
}

func (t *topic[S]) remove(l *listener) {
	l.drop()
	delete(t.listeners, l)
	user := l.sock.user
	delete(t.byUser[user], l)
	if len(t.byUser[user]) == 0 {
		delete(t.byUser, user)
	}
}

// dismiss takes a listener out and tells it why.
func (t *topic[S]) dismiss(l *listener, why *subjects.Refusal) {
	t.remove(l)
	l.sock.forget(l)
	l.sock.send(&subjects.ServerFrame{Type: subjects.FrameGone, Channel: t.channel, Refusal: why, Retry: !why.Code.Final()})
	t.hub.release(t)
}

// expel dismisses who may not see it any more, and tells them first what the commit that
// did it has for them alone.
func (t *topic[S]) expel(c *subjects.Commit) {
	if t.kind.open(t.view.State) {
		return // everybody may
	}
	for user, all := range t.byUser {
		if t.kind.sees(t.view.State, user) {
			continue
		}
		told := c == nil
		for l := range all {
			if t.kind.admits(t.view, l) == nil {
				continue // as somebody who follows its creator
			}
			if !told {
				told = true
				t.tellSealedTo(user, c)
			}
			t.dismiss(l, t.kind.missing())
		}
	}
	for l := range t.listeners {
		if l.sock.user == "" {
			t.dismiss(l, t.kind.missing())
		}
	}
	t.guardWards()
}

func (t *topic[S]) dismissAll(why *subjects.Refusal) {
	for l := range t.listeners {
		t.dismiss(l, why)
	}
}

// fresh implements source.
func (t *topic[S]) fresh(l *listener) []message {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.listeners[l]; !ok {
		return nil
	}
	t.flush()
	l.sock.out.caughtUp(l)
	return t.whole(l, subjects.SnapSlow)
}

// whole gives the document as it is, and what the state says about the listener's user.
func (t *topic[S]) whole(l *listener, reason string) []message {
	if err := t.encode(); err != nil {
		t.fail(err)
		return nil
	}
	m := t.snap.messages[reason]
	if m == nil {
		var err error
		if m, err = encode(&subjects.ServerFrame{
			Type: subjects.FrameSnap, Channel: t.channel, Epoch: t.view.Epoch, Rev: t.view.Rev, At: t.view.At,
			Reason: reason, Hash: t.snap.hash, State: t.snap.state,
		}); err != nil {
			t.fail(err)
			return nil
		}
		t.snap.messages[reason] = m
	}
	t.hub.srv.metrics.framesOut.Of(subjects.FrameSnap).Inc()
	out := []message{m}
	l.you = 0
	if you := t.you(l); you != nil {
		out = append(out, you)
	}
	return out
}

func (t *topic[S]) encode() error {
	if t.snap.state != nil && t.snap.epoch == t.view.Epoch && t.snap.rev == t.view.Rev {
		return nil
	}
	state, err := json.Marshal(t.kind.document(t.view.State))
	if err != nil {
		return err
	}
	hash, err := subjects.Hash(state)
	if err != nil {
		return err
	}
	t.snap = snapshot{t.view.Epoch, t.view.Rev, state, hash, map[string]message{}}
	return nil
}
