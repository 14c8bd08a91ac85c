package edge

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

func summary(t testing.TB, id, name string, members int, change func(*subjects.RoomSummary)) json.RawMessage {
	t.Helper()
	s := subjects.RoomSummary{ID: id, Name: name, NameKey: subjects.RoomNameKey(name), Phase: subjects.PhaseOpen, MemberCount: members, CreatedAt: 1}
	if change != nil {
		change(&s)
	}
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (w *wire) lobby(prefix string, limit int) map[string]json.RawMessage {
	w.t.Helper()
	w.send(subjects.ClientFrame{Type: subjects.FrameSub, Channel: subjects.ChannelRooms, Prefix: prefix, Limit: limit})
	return w.next(subjects.FrameDocs).Docs
}

func fastLobby() Config {
	cfg := unlimited()
	cfg.Socket.LobbyEvery = 5 * time.Millisecond
	return cfg
}

// The lobby shows the rooms with most members first, as many as asked for, and what of
// them changes, comes and goes.
func TestLobby(t *testing.T) {
	w := newWorld()
	for i := range 5 {
		id := fmt.Sprintf("room_%d", i)
		w.docs[id] = summary(t, id, fmt.Sprintf("Evening %d", i), i, nil)
	}
	w.docs["closed"] = summary(t, "closed", "Evening over", 9, func(s *subjects.RoomSummary) { s.Phase = subjects.PhaseClosed })
	w.docs["private"] = summary(t, "private", "Evening alone", 9, func(s *subjects.RoomSummary) { s.Private = true })
	w.docs["strange"] = json.RawMessage(`{"phase":7}`)
	w.docs["other"] = summary(t, "other", "Morning", 1, nil)
	s := w.listening(t, fastLobby())
	c := s.open(t, "")
	docs := c.lobby("  EVENING ", 3)
	if len(docs) != 3 || docs["room_4"] == nil || docs["room_3"] == nil || docs["room_2"] == nil {
		t.Fatalf("%s", docs)
	}
	apply := func(n int) {
		t.Helper()
		for range n {
			f := c.next(subjects.FrameDoc)
			if len(f.Doc) == 0 {
				delete(docs, f.DocID)
			} else {
				docs[f.DocID] = f.Doc
			}
		}
	}
	w.doc("other", summary(t, "other", "Morning", 99, nil)) // of no concern
	w.doc("room_0", summary(t, "room_0", "Evening 0", 50, nil))
	apply(2) // in comes one, out goes another
	if len(docs) != 3 || docs["room_0"] == nil || docs["room_2"] != nil {
		t.Errorf("%s", docs)
	}
	w.doc("room_4", nil)
	apply(2)
	if len(docs) != 3 || docs["room_2"] == nil || docs["room_4"] != nil {
		t.Errorf("%s", docs)
	}
	w.doc("room_3", summary(t, "room_3", "Evening 3", 3, func(s *subjects.RoomSummary) { s.Private = true }))
	apply(2)
	if docs["room_3"] != nil || docs["room_1"] == nil {
		t.Errorf("%s", docs)
	}
	if all := s.open(t, bob).lobby("", 0); len(all) != 4 {
		t.Errorf("%s", all)
	}
}

// After a loss the documents come anew; those that went meanwhile go.
func TestLobbyAfterALoss(t *testing.T) {
	w := newWorld()
	w.docs["stays"], w.docs["went"] = summary(t, "stays", "A", 1, nil), summary(t, "went", "B", 1, nil)
	c := w.listening(t, fastLobby()).open(t, "")
	c.lobby("", 0)
	w.lists.Lock()
	w.again()
	w.changed("stays", w.docs["stays"])
	w.loaded()
	w.lists.Unlock()
	if got := c.next(subjects.FrameDoc); got.DocID != "went" || len(got.Doc) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestLobbyKeepsTheLargestRooms(t *testing.T) {
	cfg := fastLobby()
	cfg.Socket.LobbyRooms = 32
	w := newWorld()
	s := w.listening(t, cfg)
	c := s.open(t, "")
	c.lobby("", 0)
	for i := range 200 {
		w.doc(fmt.Sprint(i), summary(t, fmt.Sprint(i), "R", i, nil))
	}
	s.lobby.mu.Lock()
	n, ranked := len(s.lobby.rooms), len(s.lobby.ranked)
	s.lobby.mu.Unlock()
	if n != 32 || ranked != n {
		t.Errorf("%d rooms are kept, %d ranked", n, ranked)
	}
	if docs := s.open(t, "").lobby("", 0); docs["199"] == nil || docs["0"] != nil {
		t.Errorf("%d rooms are shown", len(docs))
	}
}

// Invitations reach every socket of the invited, and nobody else's.
func TestInvitationsReachTheirUser(t *testing.T) {
	w := newWorld()
	w.invite(bob, inner)
	s := w.listening(t, fastLobby())
	one, two, other := s.open(t, bob), s.open(t, bob), s.open(t, ada)
	for c, n := range map[*wire]int{one: 1, two: 1, other: 0} {
		c.send(subjects.ClientFrame{Type: subjects.FrameSub, Channel: subjects.ChannelMe})
		if docs := c.next(subjects.FrameDocs).Docs; len(docs) != n {
			t.Fatalf("%s", docs)
		}
	}
	w.invite(bob, open)
	for _, c := range []*wire{one, two} {
		if got := c.next(subjects.FrameDoc); got.DocID != open || got.Channel != subjects.ChannelMe {
			t.Errorf("%+v", got)
		}
	}
	other.send(subjects.ClientFrame{Type: subjects.FramePing})
	other.next(subjects.FramePong)
	_ = one.conn.Close()
	_ = two.conn.Close()
	_ = other.conn.Close()
	wait(t, "nobody's documents are kept", func() bool {
		s.own.mu.Lock()
		defer s.own.mu.Unlock()
		return len(s.own.users) == 0
	})
}
