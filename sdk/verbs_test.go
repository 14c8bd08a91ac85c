package tutti_test

import (
	"context"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// call is a typed call, and what the server is to read from it.
type call struct {
	do   func(ctx context.Context) error
	verb string
	body any // a pointer, as it is after the server has checked it
}

// sent makes each call and gives what arrived; each must be a command as decode wants it.
func sent[C any](t *testing.T, s *fake, ch subjects.Channel, calls []call, decode func(verb string, body []byte) (C, error)) (verbs []string) {
	t.Helper()
	var got subjects.ClientFrame
	s.do(func() { s.onCommand = func(f subjects.ClientFrame) verdict { got = f; return verdict{} } })
	for _, c := range calls {
		got = subjects.ClientFrame{}
		if err := c.do(t.Context()); err != nil {
			t.Errorf("%s: %v", c.verb, err)
			continue
		}
		if got.Channel != ch || got.Verb != c.verb {
			t.Errorf("%s: %s arrived on %s", c.verb, got.Verb, got.Channel)
			continue
		}
		verbs = append(verbs, got.Verb)
		body, err := decode(got.Verb, got.Body)
		if err != nil {
			t.Errorf("%s: %s: %v", c.verb, got.Body, err)
			continue
		}
		if !reflect.DeepEqual(any(body), c.body) {
			t.Errorf("%s: the server reads %+v, not %+v", c.verb, body, c.body)
		}
	}
	return verbs
}

// accepted carries every command out without doing anything.
func accepted(_ string, _ subjects.ClientFrame, ok subjects.ServerFrame) subjects.ServerFrame {
	ok.Rev = 1
	return ok
}

// platform are the verbs that no client sends, or not to a thing that is there.
var platform = []string{subjects.VerbCreate, subjects.VerbWake, subjects.VerbFollow, subjects.VerbRefused}

// withoutCalls gives the verbs for which there is no typed call.
func withoutCalls(all, called []string) []string {
	return slices.DeleteFunc(all, func(v string) bool { return slices.Contains(called, v) || slices.Contains(platform, v) })
}

const (
	anna     = "user_01M7Z5CPH9YV35BGQ9F797KWPC"
	bob      = "user_01M7Z5CPH9YV35BGQ9F797KWPD"
	aMessage = "msg_01M7Z5CPH9YV35BGQ9F797KWPC"
)

func TestCallsOfPlaylists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		l := s.playlist("demo:a")
		l.carryOut = accepted
		c := s.user(t, "ada")
		defer c.Close()
		id, _ := l.channel.Playlist()
		p := c.Playlist(id)
		verbs := sent(t, s, l.channel, []call{
			{p.Join, "join", &subjects.JoinPlaylist{}},
			{p.Leave, "leave", &subjects.LeavePlaylist{}},
			{func(ctx context.Context) error { return p.Add(ctx, "demo:a", "https://x.example/a.mp3") }, "add", &subjects.AddTracks{Tracks: []subjects.TrackRef{"demo:a", "https://x.example/a.mp3"}}},
			{func(ctx context.Context) error { return p.Remove(ctx, "demo:a") }, "remove", &subjects.RemoveTracks{Tracks: []string{"demo:a"}}},
			{func(ctx context.Context) error { return p.Move(ctx, "demo:a", 0, 3) }, "move", &subjects.MoveTrack{Track: "demo:a", To: 3}},
			{func(ctx context.Context) error { return p.Invite(ctx, anna) }, "invite", &subjects.InviteUser{User: anna}},
			{func(ctx context.Context) error { return p.Withdraw(ctx, anna) }, "withdraw", &subjects.WithdrawInvitation{User: anna}},
			{func(ctx context.Context) error { return p.Rename(ctx, "Mix") }, "rename", &subjects.RenamePlaylist{Name: "Mix"}},
			{
				func(ctx context.Context) error { return p.SetVisibility(ctx, subjects.VisibilityPublic, true) }, "setVisibility",
				&subjects.SetVisibility{Visibility: subjects.VisibilityPublic, OnlyInvitedEdit: true},
			},
			{p.Delete, "delete", &subjects.DeletePlaylist{}},
		}, subjects.DecodePlaylistCommand)
		if left := withoutCalls(subjects.PlaylistVerbs(), append(verbs, subjects.VerbExport)); len(left) > 0 {
			t.Errorf("no calls for %v", left)
		}
		if err := c.Playlist(s.room()).Join(t.Context()); subjects.CodeOf(err) != subjects.CodeNotFound {
			t.Errorf("the id of a room: %v", err)
		}
	})
}

func TestCallsOfChats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		id, l := s.chat()
		l.carryOut = accepted
		c := s.user(t, "ada")
		defer c.Close()
		chat := c.Room(id).Chat()
		user := func(f func(context.Context, string) error) func(context.Context) error {
			return func(ctx context.Context) error { return f(ctx, anna) }
		}
		two := func(f func(context.Context, string, string) error, text string) func(context.Context) error {
			return func(ctx context.Context) error { return f(ctx, aMessage, text) }
		}
		seven := int64(7)
		verbs := sent(t, s, l.channel, []call{
			{func(ctx context.Context) error { return chat.Send(ctx, " hello ") }, "send", &subjects.SendMessage{Text: "hello"}},
			{two(chat.Edit, "hallo"), "edit", &subjects.EditMessage{Message: aMessage, Text: "hallo"}},
			{func(ctx context.Context) error { return chat.Delete(ctx, aMessage) }, "delete", &subjects.DeleteMessage{Message: aMessage}},
			{two(chat.React, "like"), "react", &subjects.React{Message: aMessage, Reaction: "like"}},
			{two(chat.Unreact, "like"), "unreact", &subjects.Unreact{Message: aMessage, Reaction: "like"}},
			{func(ctx context.Context) error { return chat.SetSlowMode(ctx, 7) }, "setSlowMode", &subjects.SetSlowMode{Seconds: &seven}},
			{user(chat.Mute), "mute", &subjects.MuteUser{User: anna}},
			{user(chat.Unmute), "unmute", &subjects.UnmuteUser{User: anna}},
			{user(chat.ShadowMute), "shadowMute", &subjects.ShadowMuteUser{User: anna}},
			{user(chat.Unshadow), "unshadow", &subjects.UnshadowUser{User: anna}},
		}, subjects.DecodeChatCommand)
		if left := withoutCalls(subjects.ChatVerbs(), verbs); len(left) > 0 {
			t.Errorf("no calls for %v", left)
		}
	})
}

func TestCallsOfRooms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		id := s.room("demo:a")
		c := s.user(t, "ada")
		defer c.Close()
		s.rooms[id].carryOut = accepted
		r := c.Room(id)
		user := func(f func(context.Context, string) error) func(context.Context) error {
			return func(ctx context.Context) error { return f(ctx, anna) }
		}
		fair, loop := subjects.OrderFair, true
		sent(t, s, subjects.RoomChannel(id), []call{
			{r.Join, "join", &subjects.JoinRoom{}},
			{r.Leave, "leave", &subjects.LeaveRoom{}},
			{func(ctx context.Context) error { return r.Suggest(ctx, "demo:a", "demo:b") }, "suggest", &subjects.SuggestTracks{Tracks: []subjects.TrackRef{"demo:a", "demo:b"}}},
			{func(ctx context.Context) error { return r.Vote(ctx, "demo:a") }, "vote", &subjects.VoteTrack{Track: "demo:a"}},
			{func(ctx context.Context) error { return r.Remove(ctx, "demo:a") }, "remove", &subjects.RemoveTrack{Track: "demo:a"}},
			{r.Skip, "skip", &subjects.VoteSkip{}},
			{r.Play, "play", &subjects.Play{}},
			{r.Pause, "pause", &subjects.Pause{}},
			{func(ctx context.Context) error { return r.Seek(ctx, 3*time.Second) }, "seek", &subjects.Seek{PositionMs: 3000}},
			{r.Next, "next", &subjects.Next{}},
			{user(r.Invite), "invite", &subjects.InviteUser{User: anna}},
			{user(r.Kick), "kick", &subjects.KickUser{User: anna}},
			{user(r.Ban), "ban", &subjects.BanUser{User: anna}},
			{user(r.GrantControl), "grantControl", &subjects.GrantControl{User: anna}},
			{r.Close, "close", &subjects.CloseRoom{}},
			{func(ctx context.Context) error { return r.Undo(ctx, 4) }, "undo", &subjects.Undo{Change: 4}},
			{r.Shuffle, "shuffle", &subjects.Shuffle{}},
			{
				func(ctx context.Context) error {
					return r.SetQueue(ctx, subjects.SetQueue{Order: &fair, Loop: &loop})
				}, "setQueue", &subjects.SetQueue{Order: &fair, Loop: &loop},
			},
			{
				func(ctx context.Context) error {
					return r.Poll(ctx, "Louder?", []string{"yes", "no"}, 5500*time.Millisecond)
				}, "poll", &subjects.OpenPoll{Question: "Louder?", Options: []string{"yes", "no"}, Seconds: 6},
			},
			{func(ctx context.Context) error { return r.Answer(ctx, 1, 0) }, "answer", &subjects.AnswerPoll{Poll: 1}},
			{r.ClosePoll, "closePoll", &subjects.ClosePoll{}},
			{func(ctx context.Context) error { return r.ReadyCheck(ctx, time.Minute) }, "readyCheck", &subjects.AskReady{Seconds: 60}},
			{func(ctx context.Context) error { return r.Ready(ctx, false) }, "ready", &subjects.AnswerReady{}},
		}, subjects.DecodeRoomCommand)
	})
}

// What a command makes follows from the command and its answer.
func TestExports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		l, id := s.playlist("demo:a"), s.room("demo:a")
		var sent string
		carry := func(_ string, f subjects.ClientFrame, ok subjects.ServerFrame) subjects.ServerFrame {
			sent, ok.At = f.ID, 1_700_000_000_000
			return ok
		}
		l.carryOut, s.rooms[id].carryOut = carry, carry
		c := s.user(t, "ada")
		defer c.Close()
		playlist, _ := l.channel.Playlist()
		user := c.Account().User()
		r, answer, err := c.Playlist(playlist).Export(t.Context(), subjects.ExportPlaylist{Name: "Live"})
		if err != nil || r.ID() != subjects.ExportedRoomID(playlist, user, sent, 1_700_000_000_000) || answer.Command != sent {
			t.Errorf("exported: %+v, %+v, %v", r, answer, err)
		}
		p, answer, err := c.Room(id).ExportHistory(t.Context(), subjects.ExportHistory{})
		if err != nil || p.ID() != subjects.ExportedPlaylistID(id, user, sent, 1_700_000_000_000) || answer.Command != sent {
			t.Errorf("history exported: %+v, %+v, %v", p, answer, err)
		}
		s.do(func() {
			s.onCommand = func(subjects.ClientFrame) verdict {
				return verdict{refusal: subjects.Refuse(subjects.CodeNotMember, "join first")}
			}
		})
		if _, _, err := c.Playlist(playlist).Export(t.Context(), subjects.ExportPlaylist{}); subjects.CodeOf(err) != subjects.CodeNotMember {
			t.Errorf("refused: %v", err)
		}
	})
}
