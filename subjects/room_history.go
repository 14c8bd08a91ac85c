package subjects

import "strconv"

const (
	// TableRoomPlays holds every play of every room (RoomPlay). It is not public: who may
	// see a room asks its service.
	TableRoomPlays = "room_plays"
	// TableRoomVisits holds who was in which room from when to when (RoomVisit), once they
	// have left or the room has closed. It is not public.
	TableRoomVisits = "room_visits"
)

const (
	// PlaysPage is how many plays a page holds if nobody says.
	PlaysPage = 50
	// MaxPlaysPage is how many it holds at most.
	MaxPlaysPage = 100
)

// RoomPlay is a row of TableRoomPlays.
type RoomPlay struct {
	Room string `json:"room"`
	PlayedTrack
}

// RoomPlayID is the key of a row of TableRoomPlays.
func RoomPlayID(room string, n int64) string { return room + "." + strconv.FormatInt(n, 10) }

// RoomVisit is a row of TableRoomVisits.
type RoomVisit struct {
	User string `json:"user"`
	Room string `json:"room"`
	// From is when the user joined, To when they left, in Unix milliseconds.
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// RoomVisitID is the key of a row of TableRoomVisits.
func RoomVisitID(user, room string, from int64) string {
	return user + "." + room + "." + strconv.FormatInt(from, 10)
}

// PlaysRequest asks for what a room has played. Whoever asks has looked whether the room may
// be seen.
type PlaysRequest struct {
	Room   string `json:"room"`
	Cursor string `json:"cursor,omitempty"`
	// Limit is 1 to MaxPlaysPage, 0 for PlaysPage.
	Limit int `json:"limit,omitempty"`
}

// PlaysAnswer is a page of it, the newest first.
type PlaysAnswer struct {
	Plays []PlayedTrack `json:"plays"`
	// Next is the cursor of the following page, empty if this was the last.
	Next string `json:"next,omitempty"`
}

// HeardRequest asks for what a user has heard: what was played in a room while they were in
// it. Whoever asks has looked whether the viewer may know.
type HeardRequest struct {
	User string `json:"user"`
	// Viewer is a user id, empty for somebody without an account. Others than the user are
	// told of open rooms alone.
	Viewer string `json:"viewer,omitempty"`
	Cursor string `json:"cursor,omitempty"`
	// Limit is 1 to MaxPlaysPage, 0 for PlaysPage.
	Limit int `json:"limit,omitempty"`
}

// HeardTrack is a track that a user has heard.
type HeardTrack struct {
	Track Track  `json:"track"`
	Room  string `json:"room"`
	// RoomName is the room's, absent if the room's document is not there.
	RoomName string `json:"roomName,omitempty"`
	// At is when the track began.
	At int64 `json:"at"`
}

// HeardAnswer is a page of it: the last visit to a room first, and in it the last track.
type HeardAnswer struct {
	Plays []HeardTrack `json:"plays"`
	// Next is the cursor of the following page, empty if this was the last. A page may have
	// few plays, or none, and one after it.
	Next string `json:"next,omitempty"`
}
