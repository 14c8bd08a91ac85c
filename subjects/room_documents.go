package subjects

import "strings"

// TableRoomInvites holds who is invited to which private room (RoomInvite). It is not
// public: an invitation is seen by the invited alone.
const TableRoomInvites = "room_invites"

// RoomSummary is the document of a room in the table TableRooms: what a list or a search
// shows. Its size does not depend on how many members or tracks the room has.
type RoomSummary struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
	Name string `json:"name"`
	// NameKey is RoomNameKey of the name; searches go by its beginning.
	NameKey   string `json:"nameKey"`
	Creator   string `json:"creator"`
	CreatedAt int64  `json:"createdAt"`
	// Phase is PhaseOpen or PhaseClosed.
	Phase string `json:"phase"`
	// Private rooms are listed for the invited only; see TableRoomInvites.
	Private bool `json:"private"`
	// MemberCount is the document's: exact in a small room.
	MemberCount int `json:"memberCount"`
	// QueueLength is the number of tracks that wait.
	QueueLength int `json:"queueLength"`
	// Title and Artist are the current track's, empty if there is none.
	Title   string `json:"title"`
	Artist  string `json:"artist"`
	Playing bool   `json:"playing"`
}

// Summary gives the room's summary.
func (r *Room) Summary() RoomSummary {
	s := RoomSummary{
		ID: r.ID, Kind: r.Kind, Name: r.Name, NameKey: RoomNameKey(r.Name),
		Creator: r.Creator, CreatedAt: r.CreatedAt, Phase: r.Phase, Private: !r.Options.Open,
		MemberCount: r.MemberCount, QueueLength: len(r.Queue), Playing: r.Playback.Playing,
	}
	if r.Current != nil {
		s.Title, s.Artist = r.Current.Title, r.Current.Artist
	}
	return s
}

// RoomInvite is a row of TableRoomInvites: one for each invited user of a private room
// that is open, and one for its creator.
type RoomInvite struct {
	User    string `json:"user"`
	Room    string `json:"room"`
	Name    string `json:"name"`
	NameKey string `json:"nameKey"`
}

// RoomInviteID is the key of a row of TableRoomInvites.
func RoomInviteID(user, room string) string { return user + "." + room }

// SplitRoomInviteID takes it apart; ok is false for another key.
func SplitRoomInviteID(key string) (user, room string, ok bool) { return strings.Cut(key, ".") }
