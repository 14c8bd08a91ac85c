package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/subjects"
)

func joined(user string) []happen {
	return public(&subjects.MemberJoined{User: user, Role: subjects.RoleMember})
}

// A listener gets the document at N, then each commit above N once, with the bytes of the
// log; patches and events lead to the same document.
func TestASubscriberGetsASnapshotThenEveryCommit(t *testing.T) {
	w := newWorld()
	s := w.listening(t, unlimited())
	c := s.open(t, bob)
	snap := c.sub(open, false)
	doc := snap.State
	if h, err := subjects.Hash(doc); err != nil || h != snap.Hash || snap.Epoch != 1 || snap.Rev != 5 || snap.Channel != subjects.RoomChannel(open) {
		t.Fatalf("snapshot %+v: %v", snap, err)
	}
	for i := range 20 {
		track := subjects.Track{ID: fmt.Sprintf("demo:new%d", i), Title: "N <b>&", DurationMs: 1000}
		want := w.commit(t, open, ada, public(&subjects.TrackSuggested{User: ada, Track: track, Seq: int64(100 + i), Voted: true})...)
		got := c.next(subjects.FrameEvt)
		if got.Epoch != 1 || got.Prev != want.Rev-1 || got.Rev != want.Rev || got.At != want.At || len(got.Public.Events) != 1 {
			t.Fatalf("%+v", got)
		}
		var err error
		if doc, err = subjects.ApplyPatch(doc, got.Public.Patch); err != nil {
			t.Fatal(err)
		}
	}
	w.mu.Lock()
	state, err := json.Marshal(&w.rooms[open].State.Room)
	w.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	want, err := subjects.Hash(state)
	if err != nil {
		t.Fatal(err)
	}
	if have, err := subjects.Hash(doc); err != nil || have != want {
		t.Errorf("the patches lead to %s, the log to %s (%v)", have, want, err)
	}
}

// What somebody missed is replayed while it is kept; otherwise a snapshot says why.
func TestResume(t *testing.T) {
	cfg := unlimited()
	cfg.Socket.KeepFrames = 4
	w := newWorld()
	s := w.listening(t, cfg)
	c := s.open(t, bob)
	c.sub(open, false)
	for range 10 { // up to revision 15
		w.commit(t, open, ada, public(&subjects.PlaybackSought{PositionMs: 1})...)
		c.next(subjects.FrameEvt)
	}
	for _, q := range []struct {
		epoch, since uint64
		reason       string // of a snapshot; empty: resumed
		missed       int
	}{
		{1, 15, "", 0}, {1, 14, "", 1}, {1, 11, "", 4},
		{1, 10, subjects.SnapTooOld, 0}, {1, 1, subjects.SnapTooOld, 0}, {1, 16, subjects.SnapTooOld, 0},
		{2, 15, subjects.SnapEpoch, 0}, {0, 15, subjects.SnapEpoch, 0}, {1, 0, subjects.SnapNew, 0},
	} {
		back := s.open(t, bob)
		back.send(subjects.ClientFrame{Type: subjects.FrameSub, Channel: subjects.RoomChannel(open), Epoch: q.epoch, Since: q.since})
		first := back.next("")
		if q.reason != "" {
			if first.Type != subjects.FrameSnap || first.Reason != q.reason || first.Rev != 15 {
				t.Errorf("since %d: %+v", q.since, first)
			}
			continue
		}
		if first.Type != subjects.FrameResumed || first.Rev != q.since || first.Epoch != q.epoch {
			t.Errorf("since %d: %+v", q.since, first)
			continue
		}
		for i := range q.missed {
			if e := back.next(subjects.FrameEvt); e.Rev != q.since+uint64(i)+1 || e.Prev != e.Rev-1 {
				t.Errorf("since %d: %+v", q.since, e)
			}
		}
		back.next(subjects.FrameYou)
	}
}

// A sealed fact reaches its audience alone, whoever else listens.
func TestSealedEventsReachTheirAudience(t *testing.T) {
	w := newWorld()
	s := w.listening(t, unlimited())
	b, b2, a, guest := s.open(t, bob), s.open(t, bob), s.open(t, ada), s.open(t, "")
	for _, c := range []*wire{b, b2, a} {
		c.sub(open, false)
	}
	guest.sub(open, true)
	w.commit(t, open, ada, happen{&subjects.UserBanned{User: bob}, []string{bob, subjects.AudienceService}},
		happen{event: &subjects.PlaybackSought{PositionMs: 3}})
	for _, c := range []*wire{b, b2} {
		c.next(subjects.FrameEvt)
		if got := c.next(subjects.FrameSealed); got.Rev != 6 || len(got.Events) != 1 || got.Events[0].Type != subjects.EventUserBanned {
			t.Errorf("%+v", got)
		}
		if you := c.next(subjects.FrameYou); !youIn[subjects.You](t, you).Banned || you.Rev != 6 {
			t.Errorf("%s", you.You)
		}
	}
	for _, c := range []*wire{a, guest} {
		c.next(subjects.FrameEvt)
		c.send(subjects.ClientFrame{Type: subjects.FramePing})
		c.next(subjects.FramePong) // and nothing else
	}
}

// Commits without a public part are not told one by one, but the next revision that is
// told follows on the last, and so does a snapshot's.
func TestCommitsWithoutAPublicPart(t *testing.T) {
	w := newWorld()
	s := w.listening(t, unlimited())
	c := s.open(t, "")
	c.sub(open, true)
	sealed := happen{&subjects.MemberReturned{User: ada}, []string{subjects.AudienceService}}
	w.commit(t, open, ada, sealed)
	w.commit(t, open, ada, sealed)
	w.commit(t, open, ada, public(&subjects.PlaybackSought{PositionMs: 3})...)
	if got := c.next(subjects.FrameEvt); got.Prev != 5 || got.Rev != 8 || len(got.Public.Events) != 1 {
		t.Errorf("%+v", got)
	}
	w.commit(t, open, ada, sealed)
	late := s.open(t, "")
	if snap := late.sub(open, true); snap.Rev != 9 {
		t.Errorf("%+v", snap)
	}
	w.commit(t, open, ada, sealed)
	for _, q := range []struct {
		c    *wire
		want [][2]uint64
	}{{c, [][2]uint64{{8, 9}, {9, 10}}}, {late, [][2]uint64{{9, 10}}}} {
		for _, want := range q.want { // within a second, by itself
			if got := q.c.next(subjects.FrameEvt); got.Prev != want[0] || got.Rev != want[1] || len(got.Public.Events) != 0 {
				t.Errorf("%+v, want %v", got, want)
			}
		}
	}
}

// Who may not see a private room any more is told so at once, and hears nothing after it.
func TestAccessIsCheckedAfterEachCommit(t *testing.T) {
	w := newWorld()
	s := w.listening(t, unlimited())
	c := s.open(t, bob)
	refused := func(room string) *subjects.Refusal {
		t.Helper()
		c.send(subjects.ClientFrame{Type: subjects.FrameSub, Channel: subjects.RoomChannel(room), Epoch: 1, Since: 2})
		got := c.next(subjects.FrameErr)
		if len(got.State) > 0 || got.Rev != 0 || got.Epoch != 0 {
			t.Errorf("the refusal tells of the room: %+v", got)
		}
		return got.Refusal
	}
	hidden, missing := refused(inner), refused(gone)
	if hidden.Code != subjects.CodeNotFound || *hidden != *missing {
		t.Errorf("a hidden room answers %v, a missing one %v", hidden, missing)
	}
	if len(w.followed[inner])+len(w.followed[gone]) != 0 {
		t.Error("a room is followed for somebody who may not see it")
	}
	w.commit(t, inner, ada, happen{&subjects.InvitationSent{User: bob}, []string{bob}})
	w.commit(t, inner, bob, joined(bob)...)
	c.sub(inner, false)
	a := s.open(t, ada)
	a.sub(inner, false)
	w.commit(t, inner, ada, happen{&subjects.InvitationWithdrawn{User: bob}, []string{bob}},
		happen{event: &subjects.MemberLeft{User: bob, Reason: subjects.LeftKicked}})
	if got := c.next(subjects.FrameSealed); got.Events[0].Type != subjects.EventInvitationWithdrawn {
		t.Errorf("why: %+v", got)
	}
	if got := c.next(subjects.FrameGone); got.Refusal.Code != subjects.CodeNotFound || got.Retry || got.Channel != subjects.RoomChannel(inner) {
		t.Errorf("%+v", got)
	}
	w.commit(t, inner, ada, public(&subjects.PlaybackSought{PositionMs: 3})...)
	a.next(subjects.FrameEvt)
	a.next(subjects.FrameEvt)
	c.send(subjects.ClientFrame{Type: subjects.FramePing})
	c.next(subjects.FramePong)
	if again := refused(inner); again.Code != subjects.CodeNotFound {
		t.Errorf("%v", again)
	}
}

// When the log is another than it was, everybody starts anew.
func TestALogThatIsReplaced(t *testing.T) {
	w := newWorld()
	s := w.listening(t, unlimited())
	c := s.open(t, bob)
	c.sub(open, false)
	w.commit(t, open, ada, public(&subjects.PlaybackSought{PositionMs: 3})...)
	c.next(subjects.FrameEvt)
	w.replace(open, RoomView{Epoch: 2, Rev: 4, At: noon.UnixMilli(), State: room(open, ada, true, 1)})
	if got := c.next(subjects.FrameSnap); got.Epoch != 2 || got.Rev != 4 || got.Reason != subjects.SnapEpoch {
		t.Errorf("%+v", got)
	}
	c.next(subjects.FrameYou)
	w.replace(open, RoomView{Epoch: 2, Rev: 4, At: noon.UnixMilli(), State: room(open, ada, true, 1)}) // the same: nothing to tell
	w.commit(t, open, ada, public(&subjects.PlaybackSought{PositionMs: 4})...)
	if got := c.next(subjects.FrameEvt); got.Prev != 4 || got.Rev != 5 || got.Epoch != 2 {
		t.Errorf("%+v", got)
	}
}

// A room that a newer release has changed is given up, so that another edge can show it.
func TestARoomOfANewerRelease(t *testing.T) {
	w := newWorld()
	s := w.listening(t, unlimited())
	c := s.open(t, bob)
	c.sub(open, false)
	w.mu.Lock()
	v := w.rooms[open]
	v.Unknown = errors.New("an event of tomorrow")
	w.rooms[open] = v
	w.mu.Unlock()
	w.commit(t, open, ada, public(&subjects.PlaybackSought{PositionMs: 3})...)
	if got := c.next(subjects.FrameGone); got.Refusal.Code != subjects.CodeUpgrade || !got.Retry {
		t.Errorf("%+v", got)
	}
	c.send(subjects.ClientFrame{Type: subjects.FrameSub, Channel: subjects.RoomChannel(open)})
	if got := c.next(subjects.FrameErr); got.Refusal.Code != subjects.CodeUpgrade || !got.Retry {
		t.Errorf("%+v", got)
	}
}

func TestALogThatCannotBeReadNow(t *testing.T) {
	w := newWorld()
	s := w.listening(t, unlimited())
	c := s.open(t, bob)
	w.mu.Lock()
	w.unreadable = fmt.Errorf("%w: not now", aggregate.ErrUnavailable)
	w.mu.Unlock()
	c.send(subjects.ClientFrame{Type: subjects.FrameSub, ID: "s", Channel: subjects.RoomChannel(open)})
	if got := c.next(subjects.FrameErr); got.ID != "s" || got.Refusal.Code != subjects.CodeUnavailable || !got.Retry {
		t.Errorf("%+v", got)
	}
	w.mu.Lock()
	w.unreadable = nil
	w.mu.Unlock()
	c.sub(open, false)
}

// A room is followed once however many listen, and given up a while after the last left.
func TestARoomIsFollowedOnce(t *testing.T) {
	cfg := unlimited()
	cfg.Socket.Linger, cfg.Socket.Topics = time.Millisecond, 1
	w := newWorld()
	s := w.listening(t, cfg)
	var all []*wire
	for range 5 {
		c := s.open(t, bob)
		c.sub(open, false)
		all = append(all, c)
	}
	followers := func() int {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.followed[open])
	}
	if n := followers(); n != 1 {
		t.Fatalf("followed %d times", n)
	}
	other := s.open(t, ada)
	other.send(subjects.ClientFrame{Type: subjects.FrameSub, Channel: subjects.RoomChannel(inner)})
	if got := other.next(subjects.FrameErr); got.Refusal.Code != subjects.CodeBusy || !got.Retry {
		t.Errorf("one room too many: %+v", got)
	}
	for i, c := range all {
		if i%2 == 0 {
			_ = c.conn.Close()
			continue
		}
		c.send(subjects.ClientFrame{Type: subjects.FrameUnsub, ID: "u", Channel: subjects.RoomChannel(open)})
		if got := c.next(subjects.FrameOK); got.ID != "u" {
			t.Errorf("%+v", got)
		}
	}
	wait(t, "the room is given up", func() bool { return followers() == 0 && s.hubs.rooms.shared.kept.Load() == 0 })
	other.sub(inner, false)
}

// wait fails the test unless ok comes true.
func wait(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not so: %s", what)
		}
	}
}

func TestTooManyChannels(t *testing.T) {
	w := newWorld()
	for i := range subjects.MaxChannels + 1 {
		id := subjects.DeriveID(subjects.PrefixRoom, noon, fmt.Sprint(i))
		w.rooms[id] = RoomView{Epoch: 1, Rev: 1, At: noon.UnixMilli(), State: room(id, ada, true, 0)}
	}
	c := w.listening(t, unlimited()).open(t, bob)
	for i := range subjects.MaxChannels + 1 {
		c.send(subjects.ClientFrame{Type: subjects.FrameSub, Channel: subjects.RoomChannel(subjects.DeriveID(subjects.PrefixRoom, noon, fmt.Sprint(i)))})
	}
	for range subjects.MaxChannels {
		c.next(subjects.FrameSnap)
		c.next(subjects.FrameYou)
	}
	if got := c.next(subjects.FrameErr); got.Refusal.Code != subjects.CodeFull || !strings.Contains(got.Refusal.Message, "64") {
		t.Errorf("%+v", got)
	}
}
