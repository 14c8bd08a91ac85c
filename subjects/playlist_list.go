package subjects

// QueryPlaylistList is the endpoint of the playlist service that lists playlists
// (PlaylistQuery, PlaylistPage).
const QueryPlaylistList = "list"

// Which playlists a list holds.
const (
	ListAll  = "all"  // all that the viewer may find: hidden ones they were let into, then public ones
	ListMine = "mine" // those that the viewer has joined, their own among them
	ListUser = "user" // those that one user has made, as far as the viewer may find them
)

// PlaylistQuery asks for a page of playlists in the order of their names.
type PlaylistQuery struct {
	// Viewer is a user id, empty for somebody without an account.
	Viewer string `json:"viewer"`
	// Of is ListAll if empty.
	Of string `json:"of"`
	// User is whose playlists ListUser asks for.
	User string `json:"user"`
	// Prefix is what the name begins with, in whatever case; empty finds all.
	Prefix string `json:"prefix"`
	Cursor string `json:"cursor"`
	Limit  int    `json:"limit"`
}

// PlaylistPage answers a PlaylistQuery.
type PlaylistPage struct {
	Playlists []PlaylistSummary `json:"playlists"`
	// Next is the cursor of the following page, empty if this was the last.
	Next string `json:"next,omitempty"`
}
