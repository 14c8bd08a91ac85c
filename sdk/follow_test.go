package tutti_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	tutti "github.com/tuttihq/tutti/sdk"
	"github.com/tuttihq/tutti/subjects"
)

// reader collects a room's updates.
type reader struct {
	ups  chan tutti.Update
	end  chan error
	stop context.CancelFunc
}

func read(t *testing.T, room *tutti.Room) *reader {
	ctx, cancel := context.WithCancel(t.Context())
	r := &reader{ups: make(chan tutti.Update, 100), end: make(chan error, 1), stop: cancel}
	go func() {
		for u, err := range room.Updates(ctx) {
			if err != nil {
				r.end <- err
				break
			}
			r.ups <- u
		}
		close(r.ups)
	}()
	return r
}

// took gives what arrived so far, as "snapshot reason rev", "commit prev-rev", "sealed rev".
func (r *reader) took() string {
	synctest.Wait()
	out := ""
	for {
		select {
		case u, ok := <-r.ups:
			if !ok {
				return out + "end."
			}
			switch u.Kind {
			case tutti.SnapshotUpdate:
				out += fmt.Sprintf("snapshot %s %d. ", u.Reason, u.Rev)
			case tutti.CommitUpdate:
				out += fmt.Sprintf("commit %d-%d. ", u.Prev, u.Rev)
			case tutti.SealedUpdate:
				out += fmt.Sprintf("sealed %d. ", u.Rev)
			}
		default:
			return out
		}
	}
}

func (s *fake) vote(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commit(id, "", &subjects.TrackVoted{User: "somebody", Track: "demo:a"})
}

func TestFollowingNoticesWhatIsNotContinuous(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		id := s.room("demo:a")
		c := s.user(t, "ada")
		defer c.Close()
		room := c.Room(id)
		r := read(t, room)
		defer r.stop()
		want := func(what, updates string) {
			t.Helper()
			if got := r.took(); got != updates {
				t.Errorf("%s: %q, want %q", what, got, updates)
			}
			v, err := room.View(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if h, _ := v.Hash(); h != s.hash(id) {
				t.Errorf("%s: another document than the server's, at %d", what, v.Rev)
			}
		}
		want("at first", "snapshot first 1. ")
		s.vote(id)
		want("a commit", "commit 1-2. ")
		s.send(s.rooms[id].commits[1])
		want("a repeat", "")
		s.do(func() { // a commit gets lost
			for k := range s.conns {
				k.subs = map[subjects.Channel]bool{}
			}
			s.commit(id, "", &subjects.TrackVoted{Track: "demo:a"})
			for k := range s.conns {
				k.subs[subjects.RoomChannel(id)] = true
			}
		})
		s.vote(id)
		want("a gap", "commit 2-3. commit 3-4. ")
		s.cut(subjects.CloseRestart)
		s.vote(id)
		pass(time.Minute)
		want("a new connection", "commit 4-5. ")
		s.do(func() { s.rooms[id].kept = 100 })
		s.cut(0)
		s.vote(id)
		pass(time.Minute)
		want("what is not kept", "snapshot too_old 6. ")
		s.do(func() {
			s.rooms[id].epoch = 2
			s.rooms[id].commits = s.rooms[id].commits[:4]
			s.rooms[id].doc.Queue["demo:a"] = subjects.QueueEntry{Track: fakeTrack("demo:a"), Score: 77}
			snap := s.snap(id, subjects.SnapEpoch)
			for k := range s.conns {
				k.push(snap)
			}
		})
		want("an epoch", "snapshot epoch 4. ")
		old := s.rooms[id].commits[3] // of the epoch before
		s.send(old)
		want("a commit of an epoch that is over", "")
		s.vote(id)
		want("on from there", "commit 4-5. ")
		s.do(func() {
			stale := s.snap(id, subjects.SnapNew)
			stale.Rev = 3
			for k := range s.conns {
				k.push(stale)
			}
		})
		s.vote(id)
		want("an edge that is behind", "commit 5-6. ")
		s.send(subjects.ServerFrame{Type: subjects.FrameSealed, Channel: subjects.RoomChannel(id), Epoch: 2, Rev: 6, Events: []subjects.Event{{Type: subjects.EventMemberReturned}}})
		want("sealed", "sealed 6. ")
		s.send(subjects.ServerFrame{Type: "of a newer release", Channel: subjects.RoomChannel(id)})
		want("a frame of a newer release", "")
		if n, ok := room.Counts(); !ok || n.Gaps != 1 || n.Repeats != 3 || n.Resumed != 2 || n.Snapshots != 3 {
			t.Errorf("counts: %+v, %v", n, ok)
		}
	})
}

// A server that cannot replay what is missing, and says that it did, is asked for a snapshot.
func TestAGapThatIsNotFilledEndsInASnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		id := s.room("demo:a")
		c := s.dial(t)
		defer c.Close()
		r := read(t, c.Room(id))
		defer r.stop()
		r.took()
		s.onSub = func(f subjects.ClientFrame) *subjects.ServerFrame {
			if f.Since == 0 {
				return nil
			}
			return &subjects.ServerFrame{Type: subjects.FrameResumed, Channel: f.Channel, Epoch: f.Epoch, Rev: f.Since}
		}
		s.do(func() { s.rooms[id].commits = append(s.rooms[id].commits, subjects.ServerFrame{}) }) // lost
		for range 4 {
			s.vote(id)
			pass(time.Minute)
		}
		if got := r.took(); got != "snapshot new 4. commit 4-5. commit 5-6. " {
			t.Errorf("updates: %s", got)
		}
	})
}

func TestEventsOfANewerReleaseAreFollowedByTheirPatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		id := s.room("demo:a", "demo:b")
		c := s.dial(t)
		defer c.Close()
		room := c.Room(id)
		r := read(t, room)
		defer r.stop()
		r.took()
		s.do(func() {
			s.rooms[id].doc.Name = "Renamed"
			s.publish(s.rooms[id].fakeLog, &subjects.Public{
				Events: []subjects.Event{{Type: "room.renamed", Body: json.RawMessage(`{"name":"Renamed"}`)}}, Patch: json.RawMessage(`{"name":"Renamed"}`),
			}, 1)
		})
		s.vote(id)
		if got := r.took(); got != "commit 1-2. commit 2-3. " {
			t.Errorf("updates: %s", got)
		}
		v, err := room.View(t.Context())
		if err != nil || v.Room.Name != "Renamed" || v.Room.Queue["demo:a"].Score != 1 {
			t.Fatalf("%+v, %v", v, err)
		}
		if h, _ := v.Hash(); h != s.hash(id) {
			t.Error("another document than the server's")
		}
		// A field that this release does not know is kept for the hash.
		state := json.RawMessage(`{"id":"` + id + `","mood":"blue","queue":{},"members":{}}`)
		hash, err := subjects.Hash(state)
		if err != nil {
			t.Fatal(err)
		}
		s.send(subjects.ServerFrame{Type: subjects.FrameSnap, Channel: subjects.RoomChannel(id), Epoch: 2, Rev: 1, State: state, Hash: hash})
		s.send(subjects.ServerFrame{Type: subjects.FrameEvt, Channel: subjects.RoomChannel(id), Epoch: 2, Prev: 1, Rev: 4, Public: &subjects.Public{Patch: json.RawMessage(`{"mood":"red"}`)}})
		r.took()
		v, err = room.View(t.Context())
		if err != nil || v.Rev != 4 {
			t.Fatalf("%+v, %v", v, err)
		}
		want, _ := subjects.Hash([]byte(`{"id":"` + id + `","mood":"red","queue":{},"members":{}}`))
		if h, _ := v.Hash(); h != want {
			t.Error("what is not known got lost")
		}
	})
}

func TestWhatCannotBeRightEndsTheConnection(t *testing.T) {
	for name, f := range map[string]func(s *fake, id string) []byte{
		"no JSON":        func(*fake, string) []byte { return []byte("{") },
		"no type":        func(*fake, string) []byte { return []byte("{}") },
		"a wrong hash":   func(s *fake, id string) []byte { m := s.snap(id, "slow"); m.Hash = "00"; return frame(m) },
		"no room":        func(s *fake, id string) []byte { m := s.snap(id, "slow"); m.State = []byte(`[1]`); return frame(m) },
		"an older epoch": func(s *fake, id string) []byte { m := s.snap(id, "slow"); m.Epoch = 0; return frame(m) },
		"a commit without a public part": func(_ *fake, id string) []byte {
			return frame(subjects.ServerFrame{Type: subjects.FrameEvt, Channel: subjects.RoomChannel(id), Epoch: 1, Prev: 1, Rev: 2})
		},
		"an event that is none": func(_ *fake, id string) []byte {
			return frame(subjects.ServerFrame{
				Type: subjects.FrameEvt, Channel: subjects.RoomChannel(id), Epoch: 1, Prev: 1, Rev: 2,
				Public: &subjects.Public{Events: []subjects.Event{{Type: subjects.EventTrackVoted, Body: json.RawMessage(`[]`)}}},
			})
		},
		"somebody else's welcome": func(*fake, string) []byte {
			return frame(subjects.ServerFrame{Type: subjects.FrameWelcome, User: "eve"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFake(t)
				id := s.room("demo:a")
				c := s.user(t, "ada")
				defer c.Close()
				r := read(t, c.Room(id))
				defer r.stop()
				r.took()
				s.do(func() {
					for k := range s.conns {
						k.raw(f(s, id))
					}
				})
				synctest.Wait()
				if now := c.Connection(); now.State == tutti.Identified || !errors.Is(now.Err, tutti.ErrProtocol) {
					t.Errorf("%+v", now)
				}
				s.vote(id)
				pass(time.Minute)
				r.took()
				if v, err := c.Room(id).View(t.Context()); err != nil || v.Rev != 2 {
					t.Errorf("afterwards: %+v, %v", v, err)
				}
			})
		})
	}
}

func frame(f subjects.ServerFrame) []byte {
	data, err := json.Marshal(f)
	if err != nil {
		panic(err)
	}
	return data
}

func TestGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		id := s.room("demo:a")
		c := s.user(t, "ada")
		defer c.Close()
		r := read(t, c.Room(id))
		r.took()
		ch := subjects.RoomChannel(id)
		s.send(subjects.ServerFrame{Type: subjects.FrameGone, Channel: ch, Refusal: subjects.Refuse(subjects.CodeUnavailable, "later"), Retry: true, RetryMs: 500})
		s.vote(id)
		pass(10 * time.Second)
		if got := r.took(); got != "commit 1-2. " {
			t.Errorf("gone for a while: %q", got)
		}
		s.send(subjects.ServerFrame{Type: subjects.FrameGone, Channel: ch, Refusal: subjects.Refuse(subjects.CodeNotFound, "not for you")})
		if got := r.took(); got != "end." {
			t.Errorf("gone for good: %q", got)
		}
		if err := <-r.end; subjects.CodeOf(err) != subjects.CodeNotFound {
			t.Errorf("gone for good: %v", err)
		}
		if v, err := c.Room(id).View(t.Context()); err != nil || v.Rev != 2 {
			t.Errorf("followed again: %+v, %v", v, err)
		}
		busy := 0
		s.onSub = func(f subjects.ClientFrame) *subjects.ServerFrame {
			if busy++; busy > 3 {
				return nil
			}
			return &subjects.ServerFrame{Type: subjects.FrameErr, ID: f.ID, Refusal: subjects.Refuse(subjects.CodeBusy, "later"), Retry: true}
		}
		if v, err := c.Room(id).View(t.Context()); err != nil || v.Rev != 2 || busy != 4 {
			t.Errorf("refused %d times: %+v, %v", busy-1, v, err)
		}
	})
}

func TestASlowReaderGetsASnapshotInstead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		id := s.room("demo:a")
		c := s.dial(t, tutti.WithUpdates(5))
		defer c.Close()
		n := 0
		var got []string
		for u, err := range c.Room(id).Updates(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(u.Kind, u.Reason, u.Rev))
			if n++; n == 1 {
				for range 20 {
					s.vote(id)
				}
				synctest.Wait()
				continue
			}
			if n == 2 {
				s.vote(id)
				continue
			}
			break
		}
		if fmt.Sprint(got) != "[1first1 1lagged21 222]" {
			t.Errorf("got %v", got)
		}
		count := 0
		for v, err := range c.Room(id).Views(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if count++; v.Rev == 32 {
				break
			}
			for range 10 {
				s.vote(id)
			}
			synctest.Wait()
		}
		if count != 2 {
			t.Errorf("%d views of ten votes that came at once", count)
		}
	})
}
