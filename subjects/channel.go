package subjects

import "strings"

// Channel names something that a socket can follow.
type Channel string

const (
	// ChannelRooms is the lobby, a live query: the open rooms that most people are in, as
	// RoomSummary documents.
	ChannelRooms Channel = "rooms"
	// ChannelMe is what concerns the connection's user alone: the invitations to private
	// rooms, and the private rooms of their own, as RoomInvite documents by room id.
	ChannelMe Channel = "me"

	channelRoom = "room."
)

// RoomChannel is the channel of one room.
func RoomChannel(id string) Channel { return Channel(channelRoom + id) }

// Room gives the id of the room that the channel is of; ok is false for any other channel.
func (c Channel) Room() (id string, ok bool) {
	id, ok = strings.CutPrefix(string(c), channelRoom)
	return id, ok && CheckID(PrefixRoom, id) == nil
}

// Check returns a Refusal of CodeInvalid for what is no channel.
func (c Channel) Check() error {
	if _, ok := c.Room(); ok || c == ChannelRooms || c == ChannelMe {
		return nil
	}
	return RefuseField("channel", "there is no channel %q: use room.<id of a room>, rooms or me", clip(string(c)))
}
