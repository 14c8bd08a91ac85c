package natsconf

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	tutti "github.com/tuttihq/tutti/sdk"
	"github.com/tuttihq/tutti/subjects"
)

// person is somebody with a client.
type person struct {
	t       *testing.T
	name    string
	address string
	token   string // of their own HTTP requests, beside the client's
	*tutti.Client
}

func password8(name string) string { return "correct horse of " + name }

// register makes an account and a client.
func register(t *testing.T, address, name string) *person {
	t.Helper()
	p := dial(t, address, name)
	must(t, "register "+name, p.within(func(ctx context.Context) error {
		_, err := p.Account().Register(ctx, name+"@example.org", name, password8(name))
		return err
	}))
	return p
}

// dial makes a client of somebody who has an account, without logging in.
func dial(t *testing.T, address, name string) *person {
	t.Helper()
	p := &person{t: t, name: name, address: address}
	must(t, "dial", p.within(func(ctx context.Context) (err error) {
		p.Client, err = tutti.Dial(ctx, address)
		return err
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *person) within(do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	return do(ctx)
}

func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// request speaks HTTP for what the client has no method for.
func (p *person) request(method, path string, in, out any) error {
	return p.within(func(ctx context.Context) error {
		body, err := json.Marshal(in)
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, method, p.address+path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		if p.token != "" {
			req.Header.Set("Authorization", "Bearer "+p.token)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode >= http.StatusBadRequest {
			return fmt.Errorf("%s %s: %s", method, path, resp.Status)
		}
		if out == nil || resp.StatusCode == http.StatusNoContent {
			return nil
		}
		return json.NewDecoder(resp.Body).Decode(out)
	})
}

// login gets a token of one's own.
func (p *person) login() {
	p.t.Helper()
	var g struct {
		Token string `json:"access_token"`
	}
	must(p.t, "log in", p.request(http.MethodPost, "/v1/auth/login",
		map[string]string{"email": p.name + "@example.org", "password": password8(p.name)}, &g))
	p.token = g.Token
}

// until waits for a view that is as wanted.
func until[V any](t *testing.T, what string, views func(context.Context) func(func(*V, error) bool), ok func(*V) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for v, err := range views(ctx) {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if ok(v) {
			return
		}
	}
	t.Fatalf("%s: it did not come", what)
}

// eventually asks again and again until there is no complaint.
func eventually(t *testing.T, what string, look func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := look()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(20 * time.Millisecond) // between two looks
	}
}

// party is what a scenario leaves behind, for the next to go on with.
type party struct {
	room, playlist, ann, ben string
}

// begin uses what there is once: accounts, rooms, playlists, chats, people, and what
// services tell each other of them.
func begin(t *testing.T, address string) party {
	ann, ben := register(t, address, "ann"), register(t, address, "ben")
	ann.login()
	ben.login()
	p := party{ann: ann.Account().User(), ben: ben.Account().User()}
	people(t, ann, p)
	room := vote(t, ann, ben)
	p.room = room.ID()
	talk(t, room.Chat(), ben.Room(p.room).Chat())
	p.playlist = edit(t, ann, ben)
	export(t, ann, ben, p)
	must(t, "invite", ann.within(func(ctx context.Context) error {
		private, _, err := ben.CreateRoom(ctx, subjects.CreateRoom{Kind: subjects.KindVote, Name: "Behind the curtain"})
		if err != nil {
			return err
		}
		return private.Invite(ctx, p.ann)
	}))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for invited, err := range ann.Invitations(ctx) {
		must(t, "invitations", err)
		if len(invited) == 1 {
			break
		}
	}
	must(t, "invited", ctx.Err())
	return p
}

// people has one follow another and be called something else.
func people(t *testing.T, ann *person, p party) {
	t.Helper()
	eventually(t, "the profile", func() error { return ann.request(http.MethodGet, "/v1/users/"+p.ben, nil, nil) })
	must(t, "follow", ann.request(http.MethodPut, "/v1/users/"+p.ben+"/follow", map[string]string{}, nil))
	must(t, "profile", ann.request(http.MethodPatch, "/v1/me/profile", map[string]string{"bio": "plays"}, nil))
	eventually(t, "followers", func() error {
		return ann.within(func(ctx context.Context) error {
			page, err := ann.Followers(ctx, p.ben, "", 10)
			if err == nil && len(page.Profiles) != 1 {
				err = fmt.Errorf("%d follow", len(page.Profiles))
			}
			return err
		})
	})
	eventually(t, "search", func() error {
		return ann.within(func(ctx context.Context) error {
			page, err := ann.SearchPeople(ctx, "be", "", 10)
			if err == nil && len(page.Profiles) == 0 {
				err = fmt.Errorf("nobody found")
			}
			return err
		})
	})
}

// vote opens a room, fills it and plays.
func vote(t *testing.T, ann, ben *person) *tutti.Room {
	t.Helper()
	score := 2
	var room *tutti.Room
	must(t, "vote", ann.within(func(ctx context.Context) (err error) {
		room, _, err = ann.CreateRoom(ctx, subjects.CreateRoom{
			Kind: subjects.KindVote, Name: "Friday", Open: true, MinimumScore: &score,
			Tracks: []subjects.TrackRef{"demo:aurora", "demo:night-tram"},
		})
		if err != nil {
			return err
		}
		his := ben.Room(room.ID())
		for _, do := range []func(context.Context) error{
			his.Join,
			func(ctx context.Context) error { return his.Vote(ctx, "demo:aurora") },
			func(ctx context.Context) error { return his.Suggest(ctx, "demo:paper-boats") },
			func(ctx context.Context) error { return his.Vote(ctx, "demo:night-tram") },
			room.Play,
			func(ctx context.Context) error { return sound(ctx, ann, room) },
			room.Next,
		} {
			if err := do(ctx); err != nil {
				return err
			}
		}
		return nil
	}))
	until(t, "the second track", func(ctx context.Context) func(func(*tutti.RoomView, error) bool) {
		return ben.Room(room.ID()).Views(ctx)
	}, func(v *tutti.RoomView) bool { return v.Room.Current != nil && v.Room.Current.ID == "demo:night-tram" })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	listed := false
	for rooms, err := range ben.Lobby(ctx, tutti.LobbyQuery{}) {
		must(t, "lobby", err)
		if listed = len(rooms) > 0; listed {
			break
		}
	}
	if !listed {
		t.Fatal("the lobby does not list the room")
	}
	eventually(t, "search", func() error {
		var page struct {
			Rooms []any `json:"rooms"`
		}
		err := ann.request(http.MethodGet, "/v1/rooms?prefix=fri", nil, &page)
		if err == nil && len(page.Rooms) != 1 {
			err = fmt.Errorf("%d rooms", len(page.Rooms))
		}
		return err
	})
	return room
}

// sound waits until a track that was started is heard: what is not does not count as played.
func sound(ctx context.Context, p *person, room *tutti.Room) error {
	for v, err := range room.Views(ctx) {
		switch {
		case err != nil:
			return err
		case v.Room.Playback.Playing:
			select { // the clock is an estimate, a rough one on a machine with much to do
			case <-time.After(time.UnixMilli(v.Room.Playback.AnchorAt).Add(time.Second / 2).Sub(p.Clock().Now())):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return ctx.Err()
}

// talk says something and has the other hear it, and see who types.
func talk(t *testing.T, hers, his *tutti.Chat) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	eventually(t, "send", func() error { return hers.Send(ctx, "Hello.") })
	until(t, "hear", func(ctx context.Context) func(func(*tutti.ChatView, error) bool) { return his.Views(ctx) },
		func(v *tutti.ChatView) bool { return len(v.Chat.Messages) > 0 })
	following, enough := context.WithCancel(ctx)
	typed := make(chan bool, 1)
	var both sync.WaitGroup
	both.Go(func() {
		for _, err := range hers.Views(following) { // who types follows the chat
			if err != nil {
				return
			}
		}
	})
	both.Go(func() {
		for who, err := range his.Typists(following) {
			if err != nil || len(who) > 0 {
				typed <- err == nil
				return
			}
		}
	})
	eventually(t, "typing", func() error {
		select {
		case ok := <-typed:
			if !ok {
				t.Error("nobody can be seen to type")
			}
			return nil
		default:
			return errors.Join(errors.New("nobody is seen to type"), hers.Typing())
		}
	})
	enough()
	both.Wait()
	page, err := his.History(ctx, tutti.HistoryQuery{})
	must(t, "history", err)
	if len(page.Messages) == 0 {
		t.Fatal("the history is empty")
	}
}

// edit has two people edit a playlist for followers.
func edit(t *testing.T, ann, ben *person) string {
	t.Helper()
	var id string
	must(t, "playlist", ben.within(func(ctx context.Context) error {
		list, _, err := ben.CreatePlaylist(ctx, subjects.CreatePlaylist{
			Name: "Travelling", Visibility: subjects.VisibilityFollowers, Tracks: []subjects.TrackRef{"demo:aurora", "demo:paper-boats"},
		})
		if err != nil {
			return err
		}
		id = list.ID()
		eventually(t, "a follower is let in", func() error { return ann.Playlist(id).Join(ctx) })
		if err := ann.Playlist(id).Add(ctx, "demo:night-tram"); err != nil {
			return err
		}
		return ann.Playlist(id).Move(ctx, "demo:night-tram", 2, 0)
	}))
	until(t, "the order", func(ctx context.Context) func(func(*tutti.PlaylistView, error) bool) {
		return ben.Playlist(id).Views(ctx)
	}, func(v *tutti.PlaylistView) bool {
		at, ok := v.Playlist.IndexOf("demo:night-tram")
		return ok && at == 0
	})
	talk(t, ben.Playlist(id).Chat(), ann.Playlist(id).Chat())
	eventually(t, "lists", func() error {
		return ann.within(func(ctx context.Context) error {
			page, err := ann.Playlists(ctx, tutti.PlaylistQuery{User: ben.Account().User()})
			if err == nil && len(page.Playlists) != 1 {
				err = fmt.Errorf("%d playlists", len(page.Playlists))
			}
			return err
		})
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	mine := false
	for rows, err := range ann.MyPlaylists(ctx) {
		must(t, "my playlists", err)
		if mine = len(rows) == 1; mine {
			break
		}
	}
	if !mine {
		t.Fatal("the playlist is not among hers")
	}
	return id
}

// export has a playlist become a room and a room's history a playlist. Opening the one room
// leaves the other, by a command of the platform.
func export(t *testing.T, ann, ben *person, p party) {
	t.Helper()
	must(t, "export", ann.within(func(ctx context.Context) error {
		list, _, err := ann.Room(p.room).ExportHistory(ctx, subjects.ExportHistory{Name: "What we heard"})
		if err != nil {
			return err
		}
		eventually(t, "the history as a playlist", func() error { _, err := list.View(ctx); return err })
		room, _, err := ben.Playlist(p.playlist).Export(ctx, subjects.ExportPlaylist{Name: "On the road", Open: true})
		if err != nil {
			return err
		}
		eventually(t, "the playlist as a room", func() error { _, err := room.View(ctx); return err })
		until(t, "he left the room before", func(ctx context.Context) func(func(*tutti.RoomView, error) bool) {
			return ann.Room(p.room).Views(ctx)
		}, func(v *tutti.RoomView) bool { return v.Room.MemberCount == 1 })
		return nil
	}))
	eventually(t, "what was played", func() error {
		return ann.within(func(ctx context.Context) error {
			page, err := ann.Room(p.room).Plays(ctx, "", 10)
			if err == nil && len(page.Plays) == 0 {
				err = fmt.Errorf("nothing")
			}
			return err
		})
	})
}

// resume finds everything there after a restart, and goes on. It may be done again.
func resume(t *testing.T, address string, p party) {
	t.Helper()
	ann := dial(t, address, "ann")
	eventually(t, "log in", func() error {
		return ann.within(func(ctx context.Context) error {
			_, err := ann.Account().Login(ctx, "ann@example.org", password8("ann"))
			return err
		})
	})
	room := ann.Room(p.room)
	for _, is := range []struct {
		playing bool
		do      func(context.Context) error
	}{{false, room.Pause}, {true, room.Play}} {
		must(t, "go on", ann.within(is.do))
		until(t, "playback", func(ctx context.Context) func(func(*tutti.RoomView, error) bool) { return room.Views(ctx) },
			func(v *tutti.RoomView) bool { return v.Room.Playback.Playing == is.playing })
	}
	must(t, "go on", ann.within(func(ctx context.Context) error {
		if err := room.Chat().Send(ctx, "Back again."); err != nil {
			return err
		}
		return ann.Playlist(p.playlist).Remove(ctx, "demo:night-tram")
	}))
}
