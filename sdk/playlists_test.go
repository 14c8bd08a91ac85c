package tutti_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	tutti "github.com/tuttihq/tutti/sdk"
	"github.com/tuttihq/tutti/subjects"
)

func TestCreateAndFollowAPlaylist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c := s.user(t, "ada")
		defer c.Close()
		p, answer, err := c.CreatePlaylist(t.Context(), subjects.CreatePlaylist{Name: "Mix"})
		if err != nil || answer.Rev != 1 {
			t.Fatalf("%+v, %v", answer, err)
		}
		l := s.logs[subjects.PlaylistChannel(p.ID())]
		step := 0
		for v, err := range p.Views(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if h, _ := v.Hash(); h != s.hashOf(l) {
				t.Errorf("another document than the server's, at %d", v.Rev)
			}
			step++
			switch step {
			case 1:
				if v.Playlist.Creator != "ada" || v.You == nil || !v.You.Member || len(v.Playlist.Ordered()) != 0 {
					t.Errorf("at first: %+v", v)
				}
				s.happen(l, &subjects.TracksAdded{User: "ada", Tracks: []subjects.PlacedTrack{{Track: fakeTrack("demo:a"), Order: 1}, {Track: fakeTrack("demo:b"), Order: 2}}})
			case 2:
				s.happen(l, &subjects.TrackMoved{Track: "demo:b", From: 1, To: 0, Order: 0})
			case 3:
				if got := v.Playlist.TrackIDs(); !slices.Equal(got, []string{"demo:b", "demo:a"}) || v.Playlist.TotalMs != 120_000 {
					t.Errorf("moved: %v", got)
				}
			}
			if step == 3 {
				break
			}
		}
		if p.Chat().ID() != p.ID() {
			t.Error("its chat has another id")
		}
		s.do(func() {
			s.onCommand = func(f subjects.ClientFrame) verdict {
				return verdict{refusal: subjects.Refuse(subjects.CodeConflict, "demo:a stands elsewhere")}
			}
		})
		if err := p.Move(t.Context(), "demo:a", 0, 1); subjects.CodeOf(err) != subjects.CodeConflict {
			t.Errorf("a stale move: %v", err)
		}
	})
}

// Whatever breaks in between, a follower of a playlist, and one of a chat, ends with the
// server's document, and each commit is told once or stands in a snapshot.
func TestDocumentsEqualWhateverBreaks(t *testing.T) {
	for seed := range uint64(25) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 3))
			s := newFake(t)
			list := s.playlist("demo:a", "demo:b", "demo:c")
			chatID, chat := s.chat()
			c := s.user(t, "ada", tutti.WithUpdates(8))
			defer c.Close()
			id, _ := list.channel.Playlist()
			quit, done := make(chan struct{}), make(chan struct{}, 2)
			go func() { continuous(t, c.Playlist(id).Updates, quit); done <- struct{}{} }()
			go func() { continuous(t, c.Chat(chatID).Updates, quit); done <- struct{}{} }()
			sent := int64(0)
			for range 120 {
				switch rng.IntN(12) {
				case 0:
					s.cut(0)
				case 1:
					s.do(func() { list.kept, chat.kept = len(list.commits), len(chat.commits) })
				case 2:
					pass(time.Duration(rng.IntN(2000)) * time.Millisecond)
				case 3, 4, 5:
					sent++
					s.happen(chat, &subjects.MessageSent{Message: messageID(sent), User: "user", Text: fmt.Sprint(sent)})
				case 6:
					if sent > 0 {
						s.happen(chat, &subjects.MessageDeleted{Message: messageID(1 + rng.Int64N(sent)), Author: "user"})
					}
				case 7:
					if sent > 0 {
						s.happen(chat, &subjects.ReactionAdded{Message: messageID(1 + rng.Int64N(sent)), User: "user", Reaction: "like"})
					}
				case 8:
					s.happen(list, &subjects.TracksAdded{User: "user", Tracks: []subjects.PlacedTrack{{Track: fakeTrack(fmt.Sprint("demo:", rng.IntN(20))), Order: rng.Int64N(1e9)}}})
				case 9:
					s.happen(list, &subjects.TracksRemoved{Tracks: []string{fmt.Sprint("demo:", rng.IntN(20))}})
				case 10:
					s.happen(list, &subjects.TrackMoved{Track: "demo:a", Order: rng.Int64N(1e9)})
				case 11:
					s.happen(list, &subjects.TracksRenumbered{})
				}
			}
			pass(2 * time.Minute)
			v, err := c.Playlist(id).View(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if h, _ := v.Hash(); h != s.hashOf(list) {
				t.Errorf("seed %d: another playlist than the server's", seed)
			}
			w, err := c.Chat(chatID).View(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if h, _ := w.Hash(); h != s.hashOf(chat) || w.Chat.Total != sent {
				t.Errorf("seed %d: another chat than the server's", seed)
			}
			close(quit)
			<-done
			<-done
		})
	}
}

func TestListsOfPlaylists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c := s.user(t, "ada")
		defer c.Close()
		s.onHTTP = func(_, path string) *tutti.Response {
			r := answer(200, subjects.PlaylistPage{Playlists: []subjects.PlaylistSummary{{ID: path}}, Next: "more"})
			return &r
		}
		for want, q := range map[string]tutti.PlaylistQuery{
			"/v1/playlists":         {},
			"/v1/playlists?of=mine": {Of: subjects.ListMine},
			"/v1/playlists?cursor=x%26y&limit=7&of=user&prefix=fri&user=" + bob: {Of: subjects.ListUser, User: bob, Prefix: "fri", Cursor: "x&y", Limit: 7},
		} {
			page, err := c.Playlists(t.Context(), q)
			if err != nil || len(page.Playlists) != 1 || page.Playlists[0].ID != want || page.Next != "more" {
				t.Errorf("%+v: %+v, %v", q, page, err)
			}
		}
		s.do(func() { s.onHTTP = nil })
		mine := subjects.PlaylistPerson{Playlist: "b", NameKey: "b"}
		s.onSub = func(f subjects.ClientFrame) *subjects.ServerFrame {
			return &subjects.ServerFrame{Type: subjects.FrameDocs, Channel: f.Channel, Docs: map[string]json.RawMessage{"b": answer(200, mine).Body}}
		}
		step := 0
		for list, err := range c.MyPlaylists(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if step++; step == 1 {
				s.send(subjects.ServerFrame{Type: subjects.FrameDoc, Channel: subjects.ChannelPlaylists, DocID: "a", Doc: answer(200, subjects.PlaylistPerson{Playlist: "a", NameKey: "a", Invited: true}).Body})
				continue
			}
			if len(list) != 2 || list[0].Playlist != "a" || !list[0].Invited || list[1].Playlist != "b" {
				t.Errorf("invited to one more: %+v", list)
			}
			break
		}
		s.do(func() {
			s.onSub = func(f subjects.ClientFrame) *subjects.ServerFrame {
				return &subjects.ServerFrame{Type: subjects.FrameErr, ID: f.ID, Refusal: subjects.Refuse(subjects.CodeUnauthenticated, "log in")}
			}
		})
		for _, err := range c.MyPlaylists(t.Context()) {
			if !errors.Is(err, &subjects.Refusal{Code: subjects.CodeUnauthenticated}) {
				t.Errorf("refused: %v", err)
			}
		}
	})
}
