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

// topic is one room and who listens to it. It is told of each commit once (RoomSink) and
// frames it once for all. Whoever follows the log holds its lock meanwhile; its order with
// other locks: hub, topic, socket or outbox.
type topic struct {
	hub       *hub
	room      string
	channel   subjects.Channel
	following Following

	// Of the hub, under its lock.
	holders int
	linger  *time.Timer

	mu        sync.Mutex
	view      RoomView
	listeners map[*listener]struct{}
	byUser    map[string]map[*listener]struct{} // without guests
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

func newTopic(h *hub, room string) *topic {
	return &topic{
		hub: h, room: room, channel: subjects.RoomChannel(room),
		listeners: map[*listener]struct{}{}, byUser: map[string]map[*listener]struct{}{},
	}
}

// Lock implements sync.Locker.
func (t *topic) Lock() { t.mu.Lock() }

// Unlock implements sync.Locker.
func (t *topic) Unlock() { t.mu.Unlock() }

// hold is called under the hub's lock.
func (t *topic) hold() {
	t.holders++
	if t.linger != nil {
		t.linger.Stop()
		t.linger = nil
	}
}

func (t *topic) close() {
	t.following.Stop()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.forgetKept()
	if t.empty != nil {
		t.empty.Stop()
	}
}

// Reset implements RoomSink.
func (t *topic) Reset(v RoomView) {
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
		t.dismissAll(tooNew())
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
func (t *topic) same(v RoomView) bool {
	if v.Epoch != t.view.Epoch || v.Rev != t.view.Rev || v.Unknown != nil || t.view.State == nil || v.State == nil {
		return false
	}
	was, err := json.Marshal(&t.view.State.Room)
	if err != nil {
		return false
	}
	is, err := json.Marshal(&v.State.Room)
	return err == nil && bytes.Equal(was, is)
}

func tooNew() *subjects.Refusal {
	return subjects.Refuse(subjects.CodeUpgrade, "the room was changed by a newer release than this process; follow it again, another may answer")
}

// Lost implements RoomSink. Listeners keep what they have while the follower goes on
// trying, unless the log itself is broken: then there is nothing true to tell them. New
// ones are refused by Sync.
func (t *topic) Lost(err error) {
	t.hub.srv.deps.Log.Warn("a room cannot be followed now; trying again", "room", t.room, "listeners", len(t.listeners), "err", err)
	if errors.Is(err, aggregate.ErrBrokenLog) {
		t.dismissAll(subjects.Refuse(subjects.CodeUnavailable, "the room's log cannot be read; follow it again later"))
	}
}

// fail ends what cannot be told: a defect.
func (t *topic) fail(err error) {
	t.hub.srv.deps.Log.Error("a room cannot be told", "room", t.room, "rev", t.view.Rev, "err", err)
	t.dismissAll(subjects.Refuse(subjects.CodeInternal, "something went wrong here"))
}

// Commit implements RoomSink.
func (t *topic) Commit(v RoomView, data []byte, c *subjects.Commit) {
	t.view = v
	if v.Unknown != nil {
		t.dismissAll(tooNew())
		return
	}
	t.expel(c)
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
func (t *topic) tell(public []byte, at int64) {
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
func (t *topic) tellLater() {
	if t.empty == nil {
		t.empty = time.AfterFunc(tellEmpty, t.tellEmpty)
	}
}

func (t *topic) tellEmpty() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.empty = nil
	if !t.closed && t.view.Unknown == nil {
		t.flush()
	}
}

// flush tells of revisions that were left out so far. It comes before every snapshot, so
// that what is told next follows on it.
func (t *topic) flush() {
	if t.view.Rev > t.sent {
		t.tell([]byte(`{"events":[],"patch":{}}`), t.view.At)
	}
}

// keep remembers a message for those that come back, within the bounds.
func (t *topic) keep(k keptCommit) {
	cfg, h := t.hub.srv.cfg.Socket, t.hub
	size := len(k.data)
	if size > cfg.KeepBytes || h.kept.Load()+int64(size) > cfg.KeepTotal {
		t.forgetKept() // a hole would be worse than nothing
		return
	}
	for len(t.kept) > 0 && (len(t.kept) >= cfg.KeepFrames || t.bytes+size > cfg.KeepBytes) {
		t.bytes -= len(t.kept[0].data)
		h.kept.Add(-int64(len(t.kept[0].data)))
		t.kept[0].data = nil
		t.kept = t.kept[1:]
	}
	t.kept = append(t.kept, k)
	t.bytes += size
	h.kept.Add(int64(size))
}

func (t *topic) forgetKept() {
	t.hub.kept.Add(-int64(t.bytes))
	t.kept, t.bytes = nil, 0
}

// since gives what leads from a revision to the present; ok is false if that is not known
// any more.
func (t *topic) since(rev uint64) (missed []message, ok bool) {
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

// add makes a listener one of the room's.
func (t *topic) add(l *listener, epoch, since uint64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := visible(t.view, l.sock.user); err != nil {
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
func (t *topic) leave(l *listener) {
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

func (t *topic) remove(l *listener) {
	delete(t.listeners, l)
	user := l.sock.user
	delete(t.byUser[user], l)
	if len(t.byUser[user]) == 0 {
		delete(t.byUser, user)
	}
}

// dismiss takes a listener out and tells it why.
func (t *topic) dismiss(l *listener, why *subjects.Refusal) {
	t.remove(l)
	l.sock.forget(l)
	l.sock.send(&subjects.ServerFrame{Type: subjects.FrameGone, Channel: t.channel, Refusal: why, Retry: !why.Code.Final()})
	t.hub.release(t)
}

// expel dismisses who may not see the room any more, and tells them first what the commit
// that did it has for them alone.
func (t *topic) expel(c *subjects.Commit) {
	if t.view.State != nil && t.view.State.Exists() && t.view.State.Room.Options.Open {
		return // everybody may
	}
	for user, all := range t.byUser {
		if t.view.State != nil && t.view.State.CanSee(user) {
			continue
		}
		if c != nil {
			t.tellSealedTo(user, c)
		}
		for l := range all {
			t.dismiss(l, noRoom())
		}
	}
	for l := range t.listeners {
		if l.sock.user == "" {
			t.dismiss(l, noRoom())
		}
	}
}

func (t *topic) dismissAll(why *subjects.Refusal) {
	for l := range t.listeners {
		t.dismiss(l, why)
	}
}

// fresh implements source.
func (t *topic) fresh(l *listener) []message {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.listeners[l]; !ok {
		return nil
	}
	t.flush()
	l.sock.out.caughtUp(l)
	return t.whole(l, subjects.SnapSlow)
}

// whole gives the room as it is, and what it says about the listener's user.
func (t *topic) whole(l *listener, reason string) []message {
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

func (t *topic) encode() error {
	if t.snap.state != nil && t.snap.epoch == t.view.Epoch && t.snap.rev == t.view.Rev {
		return nil
	}
	state, err := json.Marshal(&t.view.State.Room)
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
