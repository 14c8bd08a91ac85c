package tutti

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

const (
	fuzzRoom = "room_01M7Z5CPH9YV35BGQ9F797KWPC"
	fuzzCmd  = "cmd_01M7Z5CPH9YV35BGQ9F797KWPC"
)

// Whatever a server sends, nothing panics, and what is followed stays in order: within an
// epoch revisions grow, other than by a snapshot that says that the room was read anew.
func FuzzFrames(f *testing.F) {
	room := subjects.Room{ID: fuzzRoom}
	if err := room.Apply(subjects.Meta{At: 1}, &subjects.RoomCreated{Kind: subjects.KindVote, Name: "Evening", Creator: "u"}, nil); err != nil {
		f.Fatal(err)
	}
	state, err := subjects.CanonicalOf(room)
	if err != nil {
		f.Fatal(err)
	}
	hash, err := subjects.Hash(state)
	if err != nil {
		f.Fatal(err)
	}
	ch := subjects.RoomChannel(fuzzRoom)
	snap, _ := json.Marshal(subjects.ServerFrame{Type: subjects.FrameSnap, Channel: ch, Epoch: 1, Rev: 1, State: state, Hash: hash})
	seeds := []subjects.ServerFrame{
		{Type: subjects.FrameEvt, Channel: ch, Epoch: 1, Prev: 1, Rev: 2, Public: &subjects.Public{
			Events: []subjects.Event{{Type: subjects.EventMemberJoined, Body: json.RawMessage(`{"user":"u","role":"member"}`)}}, Patch: json.RawMessage(`{"memberCount":1}`),
		}},
		{Type: subjects.FrameEvt, Channel: ch, Epoch: 1, Prev: 1, Rev: 3, Public: &subjects.Public{Events: []subjects.Event{{Type: "x.y"}}, Patch: json.RawMessage(`{"queue":null}`)}},
		{Type: subjects.FrameResumed, Channel: ch, Epoch: 1, Rev: 1},
		{Type: subjects.FrameGone, Channel: ch, Refusal: &subjects.Refusal{Code: subjects.CodeNotFound}},
		{Type: subjects.FrameSealed, Channel: ch, Rev: 2},
		{Type: subjects.FrameYou, Channel: ch, You: json.RawMessage(`{"member":true}`)},
		{Type: subjects.FrameDocs, Channel: subjects.ChannelRooms, Docs: map[string]json.RawMessage{"a": []byte("1")}},
		{Type: subjects.FrameDoc, Channel: subjects.ChannelRooms, DocID: "a"},
		{Type: subjects.FrameOK, ID: fuzzCmd, Rev: 7},
		{Type: subjects.FrameErr, ID: fuzzCmd, Retry: true, RetryMs: -1},
		{Type: subjects.FrameErr, ID: helloID},
		{Type: subjects.FramePong, Sent: 1e300, ServerTime: -1},
		{Type: subjects.FrameWelcome, User: "u", ExpiresAt: -5},
	}
	for i := range seeds {
		data, _ := json.Marshal(seeds[i])
		f.Add(snap, data)
	}
	chat := subjects.ChatChannel(fuzzRoom)
	said := json.RawMessage(`{"message":"msg_01M7Z5CPH9YV35BGQ9F797KWPC","user":"u","text":"hi"}`)
	state, err = subjects.CanonicalOf(subjects.Chat{ID: fuzzRoom, Messages: map[string]subjects.ChatMessage{}})
	if err != nil {
		f.Fatal(err)
	}
	if hash, err = subjects.Hash(state); err != nil {
		f.Fatal(err)
	}
	snap, _ = json.Marshal(subjects.ServerFrame{Type: subjects.FrameSnap, Channel: chat, Epoch: 1, Rev: 1, State: state, Hash: hash, You: json.RawMessage(`{"messages":{"m":{}}}`)})
	for _, seed := range []subjects.ServerFrame{
		{Type: subjects.FrameEvt, Channel: chat, Epoch: 1, Prev: 1, Rev: 2, Public: &subjects.Public{Events: []subjects.Event{{Type: subjects.EventMessageSent, By: "u", Body: said}}}},
		{Type: subjects.FrameSealed, Channel: chat, Epoch: 1, Rev: 2, Events: []subjects.Event{{Type: subjects.EventMessageSent, By: "u", Body: said}}},
		{Type: subjects.FrameSealed, Channel: chat, Epoch: 1, Rev: 2, Events: []subjects.Event{{Type: subjects.EventReactionAdded, Body: json.RawMessage(`{"message":"m","reaction":"like"}`)}}},
		{Type: subjects.FrameLive, Channel: chat, Kind: subjects.LiveTyping, User: "u"},
		{Type: subjects.FrameYou, Channel: chat, You: json.RawMessage(`[]`)},
		{Type: subjects.FrameDocs, Channel: subjects.ChannelUsers, Docs: map[string]json.RawMessage{"u": []byte(`{"rev":2}`)}},
		{Type: subjects.FrameDoc, Channel: subjects.ChannelUsers, DocID: "u", Doc: []byte(`7`)},
	} {
		data, _ := json.Marshal(seed)
		f.Add(snap, data)
	}
	f.Add([]byte(`{"type":"docs","channel":"rooms"}`), []byte(`{"type":"doc","channel":"rooms","docId":"","doc":{}}`))
	f.Add([]byte(`{`), []byte(`{"type":"snap","channel":"`+string(ch)+`","state":null,"hash":"`+hash+`"}`))

	f.Fuzz(func(t *testing.T, first, second []byte) {
		c := &Client{clock: newClock(), opt: defaultOptions(), kick: make(chan struct{}, 1), news: make(chan struct{})}
		c.ctx, c.cancel = context.WithCancel(context.Background())
		defer c.cancel()
		c.session = &session{client: c, changed: func() {}, save: func(subjects.Grant) {}}
		c.outbox, c.feeds = newOutbox(4), newFeeds(c)
		l := newLink(c, nil, "")
		defer l.cancel(nil)
		c.outbox.connected(l)
		c.feeds.connected(l)
		defer c.outbox.close()
		defer c.feeds.fail(ErrClosed)
		if err := c.outbox.add(&command{id: fuzzCmd, channel: ch, done: make(chan struct{})}); err != nil {
			t.Fatal(err)
		}
		feed := newDocFeed(roomKind)
		if _, err := c.feeds.follow(ch, func() follower { return feed }); err != nil {
			t.Fatal(err)
		}
		talk := newDocFeed(chatKind)
		if _, err := c.feeds.follow(chat, func() follower { return talk }); err != nil {
			t.Fatal(err)
		}
		c.profiles = newProfiles(c)
		c.profiles.users["u"] = 1
		if _, err := c.feeds.follow(subjects.ChannelUsers, func() follower { return c.profiles }); err != nil {
			t.Fatal(err)
		}
		list := newListFeed(LobbyQuery{})
		if _, err := c.feeds.follow(subjects.ChannelRooms, func() follower { return list }); err != nil {
			t.Fatal(err)
		}
		epoch, rev := uint64(0), uint64(0)
		for _, data := range [][]byte{first, second, first, second} {
			frame, err := decodeFrame(data)
			if err != nil || l.handle(frame) != nil {
				return // the connection is over
			}
			if talk.known {
				if view := talk.now(); len(view.Messages()) < len(view.Chat.Messages) {
					t.Fatalf("%d of %d messages are shown", len(view.Messages()), len(view.Chat.Messages))
				}
			}
			if !feed.known {
				continue
			}
			if feed.epoch < epoch || feed.epoch == epoch && feed.rev < rev && frame.Reason != subjects.SnapReplace {
				t.Fatalf("from %d.%d to %d.%d", epoch, rev, feed.epoch, feed.rev)
			}
			epoch, rev = feed.epoch, feed.rev
			if _, err := feed.now().Hash(); err != nil {
				t.Fatalf("a document without a hash: %v", err)
			}
		}
		_, _, _, _ = list.now()
	})
}
