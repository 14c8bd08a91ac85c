package tutti

import (
	"context"
	"maps"

	"github.com/tuttihq/tutti/subjects"
)

// Room is one room, which need not exist. It holds nothing and costs nothing.
type Room struct {
	aggregate[subjects.Room, subjects.You, RoomView]
}

// RoomView is a room at a revision. It is shared by who asked for it: do not change it.
type RoomView struct {
	Version
	Room subjects.Room
	// You is what the room says about the client's user; it may be a moment behind Rev.
	// Nil for a guest, and in a snapshot of Updates that came before it was said.
	You *subjects.You
}

var roomKind = &kind[subjects.Room, subjects.You, RoomView]{
	noun: "room", prefixes: []string{subjects.PrefixRoom}, channel: subjects.RoomChannel,
	fold: folding(subjects.DecodeRoomEvent, (*subjects.Room).Apply),
	keep: func(r subjects.Room) subjects.Room {
		r.Queue, r.Members = maps.Clone(r.Queue), maps.Clone(r.Members)
		r.Turns, r.Played = maps.Clone(r.Turns), maps.Clone(r.Played)
		return r
	},
	view: func(v Version, r subjects.Room, you *subjects.You) *RoomView {
		return &RoomView{Version: v, Room: r, You: you}
	},
}

// Room gives the room of an id.
func (c *Client) Room(id string) *Room {
	return &Room{aggregate[subjects.Room, subjects.You, RoomView]{client: c, id: id, kind: roomKind}}
}

// CreateRoom opens a room, with the client's user in it.
func (c *Client) CreateRoom(ctx context.Context, in subjects.CreateRoom) (*Room, subjects.Answer, error) {
	id, answer, err := c.create(ctx, subjects.ChannelRooms, subjects.PrefixRoom, in)
	if err != nil {
		return nil, answer, err
	}
	return c.Room(id), answer, nil
}
