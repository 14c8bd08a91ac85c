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
	// ChannelPlaylists is which playlists the connection's user is in or invited to, a live
	// query of PlaylistPerson documents by playlist id.
	ChannelPlaylists Channel = "playlists"
	// ChannelUsers is the profiles of the users that a sub names, a live query of Profile
	// documents by user id: a nickname that changes shows wherever it is followed.
	ChannelUsers Channel = "users"

	channelRoom     = "room."
	channelPlaylist = "playlist."
	channelChat     = "chat."
)

// RoomChannel is the channel of one room.
func RoomChannel(id string) Channel { return Channel(channelRoom + id) }

// PlaylistChannel is the channel of one playlist.
func PlaylistChannel(id string) Channel { return Channel(channelPlaylist + id) }

// ChatChannel is the channel of one chat, which has the id of the room or the playlist that
// it belongs to.
func ChatChannel(id string) Channel { return Channel(channelChat + id) }

// Room gives the id of the room that the channel is of; ok is false for any other channel.
func (c Channel) Room() (id string, ok bool) { return c.of(channelRoom, PrefixRoom) }

// Playlist gives the id of the playlist that the channel is of; ok is false for any other
// channel.
func (c Channel) Playlist() (id string, ok bool) { return c.of(channelPlaylist, PrefixPlaylist) }

// Chat gives the id of the chat that the channel is of; ok is false for any other channel.
func (c Channel) Chat() (id string, ok bool) {
	if id, ok = c.of(channelChat, PrefixRoom); ok {
		return id, true
	}
	return c.of(channelChat, PrefixPlaylist)
}

// Aggregate gives the service and the id of the room, playlist or chat that the channel is
// of; ok is false for a live query's channel.
func (c Channel) Aggregate() (service, id string, ok bool) {
	if id, ok = c.Room(); ok {
		return ServiceRoom, id, true
	}
	if id, ok = c.Playlist(); ok {
		return ServicePlaylist, id, true
	}
	if id, ok = c.Chat(); ok {
		return ServiceChat, id, true
	}
	return "", "", false
}

func (c Channel) of(channel, prefix string) (id string, ok bool) {
	id, ok = strings.CutPrefix(string(c), channel)
	return id, ok && CheckID(prefix, id) == nil
}

// Check returns a Refusal of CodeInvalid for what is no channel.
func (c Channel) Check() error {
	switch c {
	case ChannelRooms, ChannelMe, ChannelPlaylists, ChannelUsers:
		return nil
	}
	if _, _, ok := c.Aggregate(); ok {
		return nil
	}
	return RefuseField("channel", "there is no channel %q: use room.<id>, playlist.<id>, chat.<id of a room or playlist>, rooms, playlists, users or me", clip(string(c)))
}
