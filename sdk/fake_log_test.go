package tutti_test

import (
	"encoding/json"
	"fmt"

	"github.com/tuttihq/tutti/subjects"
)

// fakeLog is the log of a room, a playlist or a chat, and the document folded from it. Its
// functions are called under the fake's lock.
type fakeLog struct {
	channel subjects.Channel
	epoch   uint64
	commits []subjects.ServerFrame
	kept    int // commits below it are not kept
	you     any // what every snapshot says about the user; nil for nothing

	document func() any
	apply    func(subjects.Meta, any, *subjects.Marks) error
	value    func([]string) (any, bool)
	// carryOut carries a command out; ok is the answer to fill in. Nil: as a room does.
	carryOut func(user string, f subjects.ClientFrame, ok subjects.ServerFrame) subjects.ServerFrame
}

type fakeRoom struct {
	*fakeLog
	doc subjects.Room
}

type event interface{ EventType() string }

// newRoom makes an empty room.
func (s *fake) newRoom(id string) {
	r := &fakeRoom{doc: subjects.Room{ID: id}}
	r.fakeLog = s.newLog(subjects.RoomChannel(id), &subjects.You{Member: true, May: []string{}, Voted: []string{}})
	r.document, r.value = func() any { return r.doc }, func(path []string) (any, bool) { return r.doc.PatchValue(path) }
	r.apply = func(m subjects.Meta, e any, marks *subjects.Marks) error {
		return r.doc.Apply(m, e.(subjects.RoomEvent), marks)
	}
	s.rooms[id] = r
}

// newPlaylist makes an empty playlist.
func (s *fake) newPlaylist(id string) *fakeLog {
	doc := &subjects.Playlist{ID: id}
	l := s.newLog(subjects.PlaylistChannel(id), &subjects.PlaylistYou{Member: true, May: []string{}})
	l.document, l.value = func() any { return doc }, doc.PatchValue
	l.apply = func(m subjects.Meta, e any, marks *subjects.Marks) error {
		return doc.Apply(m, e.(subjects.PlaylistEvent), marks)
	}
	return l
}

// newChat makes an empty chat.
func (s *fake) newChat(id string) *fakeLog {
	doc := &subjects.Chat{ID: id}
	l := s.newLog(subjects.ChatChannel(id), &subjects.ChatYou{Member: true, MaySend: true})
	l.document, l.value = func() any { return doc }, doc.PatchValue
	l.apply = func(m subjects.Meta, e any, marks *subjects.Marks) error {
		return doc.Apply(m, e.(subjects.ChatEvent), marks)
	}
	return l
}

func (s *fake) newLog(ch subjects.Channel, you any) *fakeLog {
	l := &fakeLog{channel: ch, epoch: 1, you: you}
	s.logs[ch] = l
	return l
}

// room makes a room with some tracks.
func (s *fake) room(tracks ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := subjects.NewID(subjects.PrefixRoom, s.now())
	s.newRoom(id)
	events := []subjects.RoomEvent{&subjects.RoomCreated{
		Kind: subjects.KindVote, Name: "Evening", Creator: "user", Options: subjects.RoomOptions{MinimumScore: 1, Open: true, Mode: subjects.ModeBroadcast, SkipShare: 50},
	}}
	for i, tr := range tracks {
		events = append(events, &subjects.TrackSuggested{User: "user", Track: fakeTrack(tr), Seq: int64(i)})
	}
	s.commit(id, "", events...)
	return id
}

// playlist makes a playlist with some tracks.
func (s *fake) playlist(tracks ...string) *fakeLog {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.newPlaylist(subjects.NewID(subjects.PrefixPlaylist, s.now()))
	added := &subjects.TracksAdded{User: "user"}
	for i, tr := range tracks {
		added.Tracks = append(added.Tracks, subjects.PlacedTrack{Track: fakeTrack(tr), Order: int64(i+1) * subjects.PlaylistOrderStep})
	}
	s.append(l, "", &subjects.PlaylistCreated{Name: "Mix", Creator: "user", Visibility: subjects.VisibilityPublic}, added)
	return l
}

// chat makes a chat of a room.
func (s *fake) chat() (id string, l *fakeLog) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id = subjects.NewID(subjects.PrefixRoom, s.now())
	l = s.newChat(id)
	s.append(l, "", &subjects.ChatOpened{})
	return id, l
}

func fakeTrack(id string) subjects.Track {
	return subjects.Track{ID: id, Provider: "demo", Title: id, DurationMs: 60_000, URL: "/x"}
}

// messageID is that of the n-th message of a chat.
func messageID(n int64) string {
	return subjects.MessageID("chat", "user", fmt.Sprint(n), 1000*n, n)
}

// commit appends to a room's log and tells who follows it. The caller holds the lock.
func (s *fake) commit(id, cmd string, events ...subjects.RoomEvent) uint64 {
	all := make([]event, len(events))
	for i, e := range events {
		all[i] = e
	}
	return s.append(s.rooms[id].fakeLog, cmd, all...)
}

// happen appends to a log.
func (s *fake) happen(l *fakeLog, events ...event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.append(l, "", events...)
}

// append appends to a log and tells who follows it. The caller holds the lock.
func (s *fake) append(l *fakeLog, cmd string, events ...event) uint64 {
	var m subjects.Marks
	pub := &subjects.Public{}
	at := s.now().UnixMilli()
	for _, e := range events {
		if err := l.apply(subjects.Meta{At: at, Cmd: cmd}, e, &m); err != nil {
			s.t.Error(err)
		}
		pub.Events = append(pub.Events, logged(e, cmd, at))
	}
	pub.Patch, _ = m.Patch(l.value)
	return s.publish(l, pub, at)
}

// logged gives an event as it stands in a log. What says who did it is by them.
func logged(e event, cmd string, at int64) subjects.Event {
	body, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	var by struct {
		User string `json:"user"`
	}
	if err := json.Unmarshal(body, &by); err != nil {
		panic(err)
	}
	return subjects.Event{Type: e.EventType(), By: by.User, At: at, Cmd: cmd, Body: body}
}

func (s *fake) publish(l *fakeLog, pub *subjects.Public, at int64) uint64 {
	rev := uint64(len(l.commits) + 1)
	f := subjects.ServerFrame{Type: subjects.FrameEvt, Channel: l.channel, Epoch: l.epoch, Prev: rev - 1, Rev: rev, At: at, Public: pub}
	l.commits = append(l.commits, f)
	s.tell(f)
	return rev
}

// seal tells who follows a log of sealed events at the next revision, which has no public
// part. The caller holds the lock.
func (s *fake) seal(l *fakeLog, cmd string, events ...event) uint64 {
	at := s.now().UnixMilli()
	rev := s.publish(l, &subjects.Public{Events: []subjects.Event{}, Patch: json.RawMessage("{}")}, at)
	f := subjects.ServerFrame{Type: subjects.FrameSealed, Channel: l.channel, Epoch: l.epoch, Rev: rev, At: at}
	for _, e := range events {
		f.Events = append(f.Events, logged(e, cmd, at))
	}
	s.tell(f)
	return rev
}

// tell puts a frame on the connections that follow its channel. The caller holds the lock.
func (s *fake) tell(f subjects.ServerFrame) {
	for c := range s.conns {
		if c.subs[f.Channel] {
			c.push(f)
		}
	}
}

// snap makes a log's snapshot. The caller holds the lock.
func (l *fakeLog) snap(reason string) subjects.ServerFrame {
	state, _ := subjects.CanonicalOf(l.document())
	hash, _ := subjects.Hash(state)
	f := subjects.ServerFrame{
		Type: subjects.FrameSnap, Channel: l.channel, Epoch: l.epoch, Rev: uint64(len(l.commits)),
		Reason: reason, State: state, Hash: hash,
	}
	if l.you != nil {
		f.You = answer(200, l.you).Body
	}
	return f
}

// snap makes a room's snapshot. The caller holds the lock.
func (s *fake) snap(id, reason string) subjects.ServerFrame { return s.rooms[id].fakeLog.snap(reason) }

func (s *fake) hash(id string) string { return s.hashOf(s.rooms[id].fakeLog) }

func (s *fake) hashOf(l *fakeLog) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return l.snap("").Hash
}
