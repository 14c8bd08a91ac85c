package edge

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

var (
	cem    = subjects.DeriveID(subjects.PrefixUser, noon, "cem")
	sunday = subjects.DeriveID(subjects.PrefixPlaylist, noon, "sunday")
)

// playlist adds a commit to a playlist's log; to nil is for everybody.
func (w *world) playlist(t testing.TB, by string, to []string, events ...subjects.PlaylistEvent) {
	t.Helper()
	var all []put[subjects.PlaylistEvent]
	for _, e := range events {
		all = append(all, put[subjects.PlaylistEvent]{e, to})
	}
	commitTo(t, w.playlists, sunday, by, func(s *subjects.PlaylistState) func([]string) (any, bool) { return s.Playlist.PatchValue }, all...)
}

// chat adds a commit to the chat of a room.
func (w *world) chat(t testing.TB, room, by string, to []string, events ...subjects.ChatEvent) {
	t.Helper()
	var all []put[subjects.ChatEvent]
	for _, e := range events {
		all = append(all, put[subjects.ChatEvent]{e, to})
	}
	commitTo(t, w.chats, room, by, func(s *subjects.ChatState) func([]string) (any, bool) { return s.Chat.PatchValue }, all...)
}

func begun(v subjects.Visibility) []subjects.PlaylistEvent {
	return []subjects.PlaylistEvent{
		&subjects.PlaylistCreated{Name: "Sunday", Creator: ada, Visibility: v},
		&subjects.PlaylistJoined{User: ada},
		&subjects.TracksAdded{User: ada, Tracks: []subjects.PlacedTrack{
			{Track: subjects.Track{ID: "demo:a", DurationMs: 1000}, Order: subjects.PlaylistOrderStep},
			{Track: subjects.Track{ID: "demo:b", DurationMs: 1000}, Order: 2 * subjects.PlaylistOrderStep},
		}},
	}
}

// learn has a chat hear of its room.
func (w *world) learn(t testing.TB, room string, facts ...subjects.ChatFact) {
	t.Helper()
	var all []put[subjects.ChatEvent]
	for i, f := range facts {
		f.Epoch, f.Rev = 1, uint64(i+1)
		all = append(all, put[subjects.ChatEvent]{&subjects.AccessChanged{ChatFact: f}, []string{subjects.AudienceService}})
		if f.Fact == subjects.FactCreated {
			all = append(all, put[subjects.ChatEvent]{&subjects.ChatOpened{}, nil})
		}
	}
	commitTo(t, w.chats, room, subjects.System, func(s *subjects.ChatState) func([]string) (any, bool) { return s.Chat.PatchValue }, all...)
}

func (w *world) openChat(t testing.TB, room string, isOpen bool) {
	t.Helper()
	w.learn(t, room, subjects.ChatFact{Fact: subjects.FactCreated, Creator: ada, Open: isOpen, Table: subjects.GrantTable},
		subjects.ChatFact{Fact: subjects.FactMember, User: ada, Role: subjects.RoleCreator},
		subjects.ChatFact{Fact: subjects.FactMember, User: bob, Role: subjects.RoleMember})
}

// A playlist is followed as a room is: a snapshot, each commit, what concerns one alone,
// and nothing once one may not see it.
func TestAPlaylistIsFollowed(t *testing.T) {
	w := newWorld()
	w.playlist(t, ada, nil, begun(subjects.VisibilityPrivate)...)
	s := w.listening(t, unlimited())
	ch := subjects.PlaylistChannel(sunday)

	c := s.open(t, bob)
	c.send(subjects.ClientFrame{Type: subjects.FrameSub, Channel: ch, ID: "1"})
	if f := c.next(subjects.FrameErr); f.Refusal.Code != subjects.CodeNotFound {
		t.Fatalf("a private playlist is shown: %+v", f)
	}
	w.playlist(t, ada, []string{bob}, &subjects.PlaylistInvited{User: bob, Name: "Sunday"})
	c.send(subjects.ClientFrame{Type: subjects.FrameSub, Channel: ch})
	if f := c.next(subjects.FrameSnap); f.Rev != 2 || !strings.Contains(string(f.State), `"demo:b"`) {
		t.Fatalf("got %+v", f)
	}
	if you := youIn[subjects.PlaylistYou](t, c.next(subjects.FrameYou)); !you.Invited || you.CannotEdit != subjects.CodeNotMember {
		t.Fatalf("you = %+v", you)
	}
	w.playlist(t, bob, nil, &subjects.PlaylistJoined{User: bob})
	c.next(subjects.FrameEvt)
	if you := youIn[subjects.PlaylistYou](t, c.next(subjects.FrameYou)); !you.Member || you.CannotEdit != "" {
		t.Fatalf("you = %+v", you)
	}
	w.playlist(t, ada, nil, &subjects.TrackMoved{Track: "demo:a", Order: 3 * subjects.PlaylistOrderStep})
	if f := c.next(subjects.FrameEvt); f.Rev != 4 || !strings.Contains(string(f.Public.Patch), `"demo:a"`) {
		t.Fatalf("got %+v", f)
	}
	w.playlist(t, ada, []string{bob}, &subjects.PlaylistUninvited{User: bob})
	if f := c.next(subjects.FrameSealed); f.Events[0].Type != subjects.EventPlaylistUninvited {
		t.Fatalf("got %+v", f)
	}
	if f := c.next(subjects.FrameGone); f.Refusal.Code != subjects.CodeNotFound {
		t.Fatalf("got %+v", f)
	}
}

// What is for followers is seen by who follows the creator, for as long as they do.
func TestFollowersSeeWhatIsForThem(t *testing.T) {
	var follows atomic.Bool
	w := newWorld()
	w.query = func(_ context.Context, service, endpoint string, req any) (any, error) {
		in, ok := req.(subjects.FollowRequest)
		if !ok || service != subjects.ServiceProfile || endpoint != subjects.ProfileFollows || in.Followed != ada {
			t.Errorf("asked %s.%s %+v", service, endpoint, req)
		}
		return subjects.FollowAnswer{Follows: follows.Load() && in.Follower == bob}, nil
	}
	w.playlist(t, ada, nil, begun(subjects.VisibilityFollowers)...)
	s := w.listening(t, unlimited())
	sub := subjects.ClientFrame{Type: subjects.FrameSub, Channel: subjects.PlaylistChannel(sunday)}

	stranger, guest, c := s.open(t, cem), s.open(t, ""), s.open(t, bob)
	for _, c := range []*wire{stranger, guest, c} {
		c.send(sub)
		if f := c.next(subjects.FrameErr); f.Refusal.Code != subjects.CodeNotFound {
			t.Fatalf("shown to who does not follow: %+v", f)
		}
	}
	follows.Store(true)
	c.send(sub)
	c.next(subjects.FrameSnap)
	if you := youIn[subjects.PlaylistYou](t, c.next(subjects.FrameYou)); you.Member || len(you.May) != 1 || you.May[0] != subjects.VerbJoin {
		t.Fatalf("you = %+v", you)
	}
	w.playlist(t, ada, nil, &subjects.TrackMoved{Track: "demo:a", Order: 3 * subjects.PlaylistOrderStep})
	c.next(subjects.FrameEvt) // and is not put out by it
	path := call{method: "GET", path: "/v1/playlists/" + sunday, as: bob}
	if r := s.do(t, path); r.status != 200 || !strings.Contains(string(r.body), `"may":["join"]`) {
		t.Errorf("over HTTP: %v", r)
	}

	follows.Store(false)
	w.hint(bob)
	if f := c.next(subjects.FrameGone); f.Refusal.Code != subjects.CodeNotFound {
		t.Fatalf("got %+v", f)
	}
	if r := s.do(t, path); r.status != 404 {
		t.Errorf("over HTTP: %v", r)
	}
	w.lists.Lock()
	left := len(w.hints)
	w.lists.Unlock()
	if left != 0 {
		t.Errorf("%d users are still listened for", left)
	}

	follows.Store(true)
	c.send(sub)
	c.next(subjects.FrameSnap)
	c.next(subjects.FrameYou)
	w.playlist(t, ada, nil, &subjects.VisibilityChanged{Visibility: subjects.VisibilityPrivate})
	c.next(subjects.FrameGone)
}

// hint says that a user's own documents may have changed.
func (w *world) hint(user string) {
	w.lists.Lock()
	f := w.hints[user]
	w.lists.Unlock()
	if f != nil {
		f()
	}
}

// Typing goes to the others who are here, from who may write, and is not repeated.
// A chat comes a moment after its room: who may see the room waits for it, anybody else is
// answered at once.
// What was deleted is not told again to who comes back.
// Commands reach the service that the channel names, and those of the platform none.
func TestCommandsGoWhereTheChannelSays(t *testing.T) {
	w := newWorld()
	w.playlist(t, ada, nil, begun(subjects.VisibilityPublic)...)
	s := w.listening(t, unlimited())
	c := s.open(t, bob)
	for i, x := range []struct {
		channel    subjects.Channel
		verb, body string
		service    string // that is asked
		code       subjects.Code
	}{
		{subjects.PlaylistChannel(sunday), subjects.VerbMove, `{"track":"demo:a","from":0,"to":1}`, subjects.ServicePlaylist, ""},
		{subjects.PlaylistChannel(sunday), subjects.VerbMove, `{"track":"demo:a","from":0}`, "", subjects.CodeInvalid},
		{subjects.PlaylistChannel(sunday), subjects.VerbCreate, `{"name":"x"}`, "", subjects.CodeInvalid},
		{subjects.PlaylistChannel(sunday), subjects.VerbWake, ``, "", subjects.CodeUnknownVerb},
		{subjects.PlaylistChannel(sunday), subjects.VerbRefused, `{}`, "", subjects.CodeUnknownVerb},
		{subjects.PlaylistChannel(sunday), subjects.VerbVote, `{"track":"demo:a"}`, "", subjects.CodeUnknownVerb},
		{subjects.ChatChannel(open), subjects.VerbSend, `{"text":"hello"}`, subjects.ServiceChat, ""},
		{subjects.ChatChannel(sunday), subjects.VerbSend, `{"text":"hello"}`, subjects.ServiceChat, ""},
		{subjects.ChatChannel(open), subjects.VerbSend, `{"text":"` + strings.Repeat("é", 1001) + `"}`, "", subjects.CodeTooLarge},
		{subjects.ChatChannel(open), subjects.VerbFollow, `{"fact":"member","rev":1,"user":"` + bob + `","role":"creator"}`, "", subjects.CodeUnknownVerb},
		{subjects.ChatChannel(open), subjects.VerbCreate, `{}`, "", subjects.CodeUnknownVerb},
		{subjects.ChannelPlaylists, subjects.VerbCreate, `{"name":"Mine"}`, subjects.ServicePlaylist, ""},
		{subjects.ChannelPlaylists, subjects.VerbCreate, `{"name":""}`, "", subjects.CodeInvalid},
		{subjects.ChannelPlaylists, subjects.VerbJoin, ``, "", subjects.CodeUnknownVerb},
	} {
		w.mu.Lock()
		w.asked = nil
		w.mu.Unlock()
		f := subjects.ClientFrame{Type: subjects.FrameCmd, ID: cmdID(x.verb + string(rune('a'+i))), Channel: x.channel, Verb: x.verb}
		if x.body != "" {
			f.Body = []byte(x.body)
		}
		c.send(f)
		got := c.next("")
		w.mu.Lock()
		asked := w.asked
		w.mu.Unlock()
		if x.code != "" {
			if got.Type != subjects.FrameErr || got.Refusal.Code != x.code || len(asked) != 0 {
				t.Errorf("%s %s: got %+v, asked %v", x.channel, x.verb, got, asked)
			}
			continue
		}
		if got.Type != subjects.FrameOK || len(asked) != 1 || asked[0].to.Service != x.service || asked[0].to.Principal != bob || asked[0].to.Verb != x.verb {
			t.Errorf("%s %s: got %+v, asked %v", x.channel, x.verb, got, asked)
		}
		if x.channel == subjects.ChannelPlaylists && (subjects.CheckID(subjects.PrefixPlaylist, got.Playlist) != nil || got.Playlist != asked[0].to.ID) {
			t.Errorf("the playlist's id is not told: %+v", got)
		}
	}
}

// Over HTTP what is hidden answers as what never was, in every byte but the request's id.
func TestHiddenPlaylistsAndChatsDoNotExist(t *testing.T) {
	w := newWorld()
	w.playlist(t, ada, nil, begun(subjects.VisibilityPrivate)...)
	w.openChat(t, inner, false)
	never := subjects.DeriveID(subjects.PrefixPlaylist, noon, "never")
	w.ask = func(context.Context, subjects.Command, subjects.Envelope) (subjects.Answer, error) {
		return subjects.Answer{Epoch: 1, Rev: 9, Refusal: subjects.Refuse(subjects.CodeNotFound, "there is nothing")}, nil
	}
	w.query = func(context.Context, string, string, any) (any, error) {
		return nil, subjects.Refuse(subjects.CodeNotFound, "no such chat")
	}
	s := w.edge(t, unlimited())
	strip := func(r reply, id string) string {
		text := strings.ReplaceAll(string(r.body), id, "ID")
		if i := strings.Index(text, `,"request_id"`); i > 0 {
			text = text[:i]
		}
		return text
	}
	for _, as := range []string{"", cem} {
		for _, x := range [][3]string{
			{"/v1/playlists/%s", sunday, never}, {"/v1/chats/%s", inner, gone}, {"/v1/chats/%s/messages", inner, gone},
		} {
			hidden := s.do(t, call{method: "GET", path: strings.Replace(x[0], "%s", x[1], 1), as: as})
			absent := s.do(t, call{method: "GET", path: strings.Replace(x[0], "%s", x[2], 1), as: as})
			if hidden.status != 404 || absent.status != 404 || strip(hidden, x[1]) != strip(absent, x[2]) {
				t.Errorf("%s as %q:\n%s\n%s", x[0], as, hidden.body, absent.body)
			}
		}
	}
	for _, x := range [][4]string{
		{"/v1/playlists/%s/commands", sunday, never, `{"verb":"join"}`},
		{"/v1/chats/%s/commands", inner, gone, `{"verb":"send","body":{"text":"x"}}`},
	} {
		post := func(id string) reply {
			return s.do(t, call{method: "POST", path: strings.Replace(x[0], "%s", id, 1), as: cem, body: x[3]})
		}
		hidden, absent := post(x[1]), post(x[2])
		if hidden.status != 404 || strip(hidden, x[1]) != strip(absent, x[2]) {
			t.Errorf("%s:\n%s\n%s", x[0], hidden.body, absent.body)
		}
	}
	r := s.do(t, call{method: "GET", path: "/v1/playlists/" + sunday, as: ada})
	if r.status != 200 || !strings.Contains(string(r.body), `"totalMs":2000`) {
		t.Fatalf("its creator: %v", r)
	}
	tag := r.header.Get("ETag")
	if r := s.do(t, call{method: "GET", path: "/v1/playlists/" + sunday, as: ada, header: map[string]string{"If-None-Match": tag}}); r.status != 304 {
		t.Errorf("unchanged: %v", r)
	}
	w.playlist(t, ada, nil, &subjects.PlaylistRenamed{Name: "Monday"})
	if r := s.do(t, call{method: "GET", path: "/v1/playlists/" + sunday, as: ada, header: map[string]string{"If-None-Match": tag}}); r.status != 200 {
		t.Errorf("renamed: %v", r)
	}
}

// The list of one's own playlists is live, and nobody else's.
func TestOwnPlaylistsAreLive(t *testing.T) {
	w := newWorld()
	s := w.listening(t, unlimited())
	g := s.open(t, "")
	g.send(subjects.ClientFrame{Type: subjects.FrameSub, Channel: subjects.ChannelPlaylists, ID: "1"})
	if f := g.next(subjects.FrameErr); f.Refusal.Code != subjects.CodeUnauthenticated {
		t.Fatalf("got %+v", f)
	}
	c := s.open(t, bob)
	c.send(subjects.ClientFrame{Type: subjects.FrameSub, Channel: subjects.ChannelPlaylists})
	if f := c.next(subjects.FrameDocs); f.Channel != subjects.ChannelPlaylists || len(f.Docs) != 0 {
		t.Fatalf("got %+v", f)
	}
	w.invite(bob, sunday)
	if f := c.next(subjects.FrameDoc); f.Channel != subjects.ChannelPlaylists || f.DocID != sunday {
		t.Fatalf("got %+v", f)
	}
}

// Who is put out of a private room reads nothing more of its chat, on any socket and over
// HTTP, though the chat has not heard of it yet; nor does who is late with following it.
// Somebody stops following while they are being let in: they are in for no longer than it
// takes to ask again.
func TestAPassDoesNotOutliveTheFollow(t *testing.T) {
	var follows, asked atomic.Bool
	follows.Store(true)
	w := newWorld()
	w.query = func(_ context.Context, _, _ string, req any) (any, error) {
		in, _ := req.(subjects.FollowRequest)
		answer := subjects.FollowAnswer{Follows: follows.Load() && in.Follower == bob}
		if asked.CompareAndSwap(false, true) { // after the row was read, before the answer is here
			follows.Store(false)
			w.hint(bob)
		}
		return answer, nil
	}
	w.playlist(t, ada, nil, begun(subjects.VisibilityFollowers)...)
	s := w.listening(t, unlimited())
	c := s.open(t, bob)
	c.send(subjects.ClientFrame{Type: subjects.FrameSub, Channel: subjects.PlaylistChannel(sunday)})
	c.next(subjects.FrameSnap)
	if f := c.until(subjects.FrameGone); f.Refusal.Code != subjects.CodeNotFound {
		t.Fatalf("got %+v", f)
	}
	p := s.hubs.playlists.passes
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.in)+len(p.due) != 0 {
		t.Errorf("%d passes and %d questions are left", len(p.in), len(p.due))
	}
}

// Whoever may take a change back is told that they may, and that they may not any more.
func TestUndoIsToldToWhoMayUndo(t *testing.T) {
	w := newWorld()
	w.commit(t, open, bob, joined(bob)...)
	s := w.listening(t, unlimited())
	a, b, other := s.open(t, ada), s.open(t, bob), s.open(t, cem)
	for _, c := range []*wire{a, b, other} {
		c.sub(open, false)
	}
	track := subjects.Track{ID: "demo:zz", Title: "z", DurationMs: 1000}
	w.commit(t, open, bob, public(&subjects.TrackSuggested{User: bob, Track: track, Seq: 99})...)
	for who, c := range map[string]*wire{"the creator": a, "who did it": b} {
		c.next(subjects.FrameEvt)
		if you := youIn[subjects.You](t, c.next(subjects.FrameYou)); you.Undo == nil {
			t.Errorf("%s is not told of what can be taken back", who)
		}
	}
	w.commit(t, open, ada, public(&subjects.TrackRemoved{Track: track.ID})...)
	b.next(subjects.FrameEvt)
	if you := youIn[subjects.You](t, b.next(subjects.FrameYou)); you.Undo != nil {
		t.Errorf("who did it may still undo %+v", you.Undo)
	}
	other.next(subjects.FrameEvt)
	other.next(subjects.FrameEvt)
	other.send(subjects.ClientFrame{Type: subjects.FramePing})
	other.until(subjects.FramePong)
}

// The answer to an export names what it makes, over HTTP and a socket alike.
func TestAnExportIsAnsweredWithWhatItMakes(t *testing.T) {
	w := newWorld()
	s := w.listening(t, unlimited())
	id, at := cmdID("export"), noon.UnixMilli()
	room, list := subjects.ExportedRoomID(sunday, bob, id, at), subjects.ExportedPlaylistID(open, bob, id, at)
	c := s.open(t, bob)
	c.send(subjects.ClientFrame{Type: subjects.FrameCmd, ID: id, Channel: subjects.PlaylistChannel(sunday), Verb: subjects.VerbExport, Body: []byte(`{}`)})
	if f := c.next(subjects.FrameOK); f.Room != room || f.Playlist != "" {
		t.Errorf("got %+v", f)
	}
	c.send(subjects.ClientFrame{Type: subjects.FrameCmd, ID: id, Channel: subjects.RoomChannel(open), Verb: subjects.VerbExportHistory, Body: []byte(`{}`)})
	if f := c.next(subjects.FrameOK); f.Playlist != list || f.Room != "" {
		t.Errorf("got %+v", f)
	}
	c.send(subjects.ClientFrame{Type: subjects.FrameCmd, ID: id, Channel: subjects.RoomChannel(open), Verb: subjects.VerbJoin, Body: []byte(`{}`)})
	if f := c.next(subjects.FrameOK); f.Playlist != "" || f.Room != "" {
		t.Errorf("joining made something: %+v", f)
	}
	r := s.do(t, call{method: "POST", path: "/v1/playlists/" + sunday + "/commands", as: bob, body: `{"id":"` + id + `","verb":"export"}`})
	if r.status != 200 || !strings.Contains(string(r.body), `"room":"`+room+`"`) {
		t.Errorf("over HTTP: %v", r)
	}
}
