package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	tutti "github.com/tuttihq/tutti/sdk"
	"github.com/tuttihq/tutti/subjects"
)

// until gives the first view of a room that f is content with.
func until(ctx context.Context, t *testing.T, room *tutti.Room, what string, f func(*tutti.RoomView) bool) *tutti.RoomView {
	t.Helper()
	for v, err := range room.Views(ctx) {
		if err != nil {
			t.Fatalf("waiting for %s: %v", what, err)
		}
		if f(v) {
			return v
		}
	}
	t.Fatalf("%s does not come", what)
	return nil
}

// A private evening, from the Go client alone: invited, in, seen by nobody else, put out.
func TestPrivateRoomOverSockets(t *testing.T) {
	t.Parallel()
	p := start(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ann, bob, eve := dial(ctx, t, p, "ann"), dial(ctx, t, p, "bob"), dial(ctx, t, p, "eve")
	guest := dial(ctx, t, p, "")
	user := bob.client.Account().User()

	room, _, err := ann.client.CreateRoom(ctx, subjects.CreateRoom{Kind: subjects.KindVote, Name: "Quiet", Tracks: []subjects.TrackRef{"demo:aurora", "demo:night-tram"}})
	must(t, err)
	for who, c := range map[string]*caller{"a stranger": eve, "a guest": guest, "the one who will be invited": bob} {
		_, err := c.client.Room(room.ID()).View(ctx)
		equal(t, "seen by "+who, subjects.CodeOf(err), subjects.CodeNotFound)
	}
	invited := make(chan []subjects.RoomInvite, 1)
	go func() {
		for list, err := range bob.client.Invitations(ctx) {
			if err != nil || len(list) > 0 {
				invited <- list
				return
			}
		}
	}()
	must(t, room.Invite(ctx, user))
	select {
	case list := <-invited:
		if len(list) != 1 || list[0].Room != room.ID() || list[0].Name != "Quiet" {
			t.Fatalf("invited to %+v", list)
		}
	case <-ctx.Done():
		t.Fatal("the invitation does not come")
	}
	theirs := bob.client.Room(room.ID())
	must(t, theirs.Join(ctx))
	must(t, theirs.Vote(ctx, "demo:night-tram"))
	equal(t, "a second vote", subjects.CodeOf(theirs.Vote(ctx, "demo:night-tram")), subjects.CodeAlreadyVoted)
	must(t, room.GrantControl(ctx, user))
	must(t, theirs.Play(ctx))
	sought, err := theirs.Do(ctx, subjects.VerbSeek, subjects.Seek{PositionMs: 5000})
	must(t, err)
	v := until(ctx, t, theirs, "what was done", func(v *tutti.RoomView) bool {
		return v.Rev >= sought.Rev && v.You != nil && v.You.Control && slices.Contains(v.You.Voted, "demo:night-tram")
	})
	equal(t, "playing", v.Room.Playback.Playing, true)
	if at := v.Room.PositionAt(bob.client.Clock().Now().UnixMilli()); at < 5000 || at > 20_000 {
		t.Errorf("the track is at %d ms", at)
	}
	hers := until(ctx, t, room, "what was done", func(h *tutti.RoomView) bool { return h.Rev >= v.Rev })
	mine, err := v.Hash()
	must(t, err)
	other, err := hers.Hash()
	must(t, err)
	equal(t, "revision that both see", hers.Rev, v.Rev)
	equal(t, "hash that both see", other, mine)

	ended := make(chan error, 1)
	go func() {
		var last error
		for _, err := range theirs.Updates(ctx) {
			last = err
		}
		ended <- last
	}()
	must(t, room.Kick(ctx, user))
	equal(t, "following after being put out", subjects.CodeOf(<-ended), subjects.CodeNotFound)
	equal(t, "joining again", subjects.CodeOf(theirs.Join(ctx)), subjects.CodeNotFound)
	must(t, room.Close(ctx))
	equal(t, "a command to a closed room", subjects.CodeOf(room.Pause(ctx)), subjects.CodeClosed)
	for _, c := range []*caller{ann, bob, eve, guest} {
		for _, fault := range c.watch.Faults() {
			t.Error(fault)
		}
	}
}

func TestLobbyOverSockets(t *testing.T) {
	t.Parallel()
	p := start(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	guest := dial(ctx, t, p, "")
	ann, bob := dial(ctx, t, p, "ann"), dial(ctx, t, p, "bob")
	var first, second *tutti.Room
	step := 0
	for rooms, err := range guest.client.Lobby(ctx, tutti.LobbyQuery{Prefix: "fri"}) {
		must(t, err)
		switch {
		case step == 0:
			equal(t, "rooms at first", len(rooms), 0)
			for who, to := range map[*caller]**tutti.Room{ann: &first, bob: &second} {
				*to, _, err = who.client.CreateRoom(ctx, subjects.CreateRoom{Kind: subjects.KindVote, Name: "Friday", Open: true})
				must(t, err)
			}
			_, _, err = dial(ctx, t, p, "cat").client.CreateRoom(ctx, subjects.CreateRoom{Kind: subjects.KindVote, Name: "Monday", Open: true})
			must(t, err)
			step = 1
		case step == 1 && len(rooms) == 2:
			must(t, dial(ctx, t, p, "dan").client.Room(second.ID()).Join(ctx))
			step = 2
		case step == 2 && rooms[0].ID == second.ID() && rooms[0].MemberCount == 2:
			must(t, first.Leave(ctx)) // the creator's leaving closes it
			step = 3
		}
		if step == 3 && len(rooms) == 1 {
			return
		}
	}
	t.Fatalf("the lobby stops at step %d", step)
}

// Sockets outlive their access tokens, and sessions that end take their sockets along.
func TestSocketsOutliveTheirTokens(t *testing.T) {
	t.Parallel()
	p := start(t, "AUTH__ACCESS_LIFE=3s")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ann := dial(ctx, t, p, "ann")
	room, _, err := ann.client.CreateRoom(ctx, subjects.CreateRoom{Kind: subjects.KindVote, Name: "Long", Open: true, Tracks: []subjects.TrackRef{"demo:aurora"}})
	must(t, err)
	verbs := []func(context.Context) error{room.Play, room.Pause}
	for i := range 20 {
		must(t, verbs[i%2](ctx))
		select {
		case <-time.After(400 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		}
	}
	equal(t, "sockets", ann.watch.Counts().Sockets, 1)
	must(t, ann.client.Account().Logout(ctx))
	equal(t, "a command after logging out", subjects.CodeOf(room.Play(ctx)), subjects.CodeUnauthenticated)
	v, err := room.View(ctx) // as a guest
	must(t, err)
	if v.You != nil && v.You.Member {
		t.Errorf("a guest is told %+v", v.You)
	}
	for _, fault := range ann.watch.Faults() {
		t.Error(fault)
	}
}

// youSays reads what a room says about the user.
func youSays(t *testing.T, f subjects.ServerFrame) (you subjects.You) {
	t.Helper()
	if err := json.Unmarshal(f.You, &you); err != nil {
		t.Fatalf("%v in %s", err, f.You)
	}
	return you
}
