package subjects

import (
	"cmp"
	"slices"
	"strings"
)

// Visibility says who may see a playlist.
type Visibility string

// The visibilities. The creator and the invited see a playlist whatever it is.
const (
	// VisibilityPublic shows it to everybody; everybody may join.
	VisibilityPublic Visibility = "public"
	// VisibilityFollowers shows it to those who follow the creator: they find it in lists, see
	// it and may join. To everybody else it is as private as a private one.
	VisibilityFollowers Visibility = "followers"
	// VisibilityPrivate keeps it to the creator and the invited.
	VisibilityPrivate Visibility = "private"
)

// Visibilities lists every visibility, the widest first.
func Visibilities() []Visibility {
	return []Visibility{VisibilityPublic, VisibilityFollowers, VisibilityPrivate}
}

// PhaseDeleted is the phase of a playlist that is gone for good; see PhaseOpen.
const PhaseDeleted = "deleted"

// Order keys of a playlist's tracks.
const (
	// PlaylistOrderStep lies between the keys of neighbours when tracks are appended or
	// numbered anew, so that about 24 moves fit into one gap before all are numbered anew.
	PlaylistOrderStep = 1 << 24
	// MaxPlaylistOrder bounds a key, above and below zero: it is exact as a JSON number.
	MaxPlaylistOrder = 1 << 52
)

// Playlist is the public document of a playlist: what everybody who may see it sees of
// it. It is folded from the public events of its log alone (Apply), and follows from the
// merge patches in it (ApplyPatch) just the same.
//
// All keys are there from the first commit on; no value is ever null. Tracks and members
// are maps, so that a change is one key. The order of the tracks is that of their order
// keys, lowest first (Ordered). A move changes the key of the track that is moved, to one
// between those of its new neighbours. Where none is left between two, or a key would pass
// MaxPlaylistOrder, all tracks are numbered anew in their present order, the k-th (from 1)
// as k times PlaylistOrderStep.
type Playlist struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Creator   string `json:"creator"`
	CreatedAt int64  `json:"createdAt"`
	// Phase is empty before the playlist was created, then PhaseOpen, then PhaseDeleted.
	Phase      string          `json:"phase"`
	Visibility Visibility      `json:"visibility"`
	Options    PlaylistOptions `json:"options"`
	// Tracks by track id; at most MaxPlaylistTracks, none once it is deleted.
	Tracks     map[string]PlaylistTrack `json:"tracks"`
	TrackCount int                      `json:"trackCount"`
	// TotalMs is how long all tracks are, in milliseconds.
	TotalMs int64 `json:"totalMs"`
	// Members lists who has joined, by user id; at most MaxPlaylistMembers. The creator is
	// always one of them.
	Members     map[string]PlaylistMember `json:"members"`
	MemberCount int                       `json:"memberCount"`
}

// PlaylistOptions say who edits.
type PlaylistOptions struct {
	// OnlyInvitedEdit lets only the creator and the invited edit; not in a private playlist,
	// since in one all are invited.
	OnlyInvitedEdit bool `json:"onlyInvitedEdit"`
}

// PlaylistTrack is a track and its place.
type PlaylistTrack struct {
	Track Track `json:"track"`
	// Order is the track's key: no two tracks of a playlist have the same.
	Order   int64  `json:"order"`
	AddedBy string `json:"addedBy"`
	AddedAt int64  `json:"addedAt"`
}

func (t PlaylistTrack) before(o PlaylistTrack) int {
	return cmp.Or(cmp.Compare(t.Order, o.Order), strings.Compare(t.Track.ID, o.Track.ID))
}

// PlaylistMember is what everybody sees of somebody in a playlist.
type PlaylistMember struct {
	JoinedAt int64 `json:"joinedAt"`
}

// Ordered gives the tracks in their order.
func (p *Playlist) Ordered() []PlaylistTrack {
	out := make([]PlaylistTrack, 0, len(p.Tracks))
	for _, t := range p.Tracks {
		out = append(out, t)
	}
	slices.SortFunc(out, PlaylistTrack.before)
	return out
}

// TrackIDs gives the ids of the tracks in their order.
func (p *Playlist) TrackIDs() []string {
	ordered := p.Ordered()
	out := make([]string, len(ordered))
	for i, t := range ordered {
		out[i] = t.Track.ID
	}
	return out
}

// IndexOf gives the place of a track, from 0, and false if it is not in the playlist.
func (p *Playlist) IndexOf(track string) (int, bool) {
	t, ok := p.Tracks[track]
	if !ok {
		return 0, false
	}
	i := 0
	for _, o := range p.Tracks {
		if o.before(t) < 0 {
			i++
		}
	}
	return i, true
}

// TablePlaylistPeople holds who is in, or invited to, which playlist (PlaylistPerson). It
// is not public: a row is seen by its user alone.
const TablePlaylistPeople = "playlist_people"

// PlaylistSummary is what a list shows of a playlist. Its size does not depend on how many
// tracks or members there are.
type PlaylistSummary struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// NameKey is RoomNameKey of the name; lists go by its beginning. Names need not be
	// unique.
	NameKey         string     `json:"nameKey"`
	Creator         string     `json:"creator"`
	CreatedAt       int64      `json:"createdAt"`
	Visibility      Visibility `json:"visibility"`
	OnlyInvitedEdit bool       `json:"onlyInvitedEdit"`
	TrackCount      int        `json:"trackCount"`
	TotalMs         int64      `json:"totalMs"`
	MemberCount     int        `json:"memberCount"`
}

// PlaylistRow is the document of a playlist in the table TablePlaylists: the summary, and
// which tracks it holds. There is none of a playlist that was deleted.
type PlaylistRow struct {
	PlaylistSummary
	// Tracks lists the ids in their order.
	Tracks []string `json:"tracks"`
}

// Summary gives the playlist's summary.
func (p *Playlist) Summary() PlaylistSummary {
	return PlaylistSummary{
		ID: p.ID, Name: p.Name, NameKey: RoomNameKey(p.Name), Creator: p.Creator, CreatedAt: p.CreatedAt,
		Visibility: p.Visibility, OnlyInvitedEdit: p.Options.OnlyInvitedEdit,
		TrackCount: p.TrackCount, TotalMs: p.TotalMs, MemberCount: p.MemberCount,
	}
}

// PlaylistPerson is a row of TablePlaylistPeople: one for each member and each invited user
// of a playlist that was not deleted.
type PlaylistPerson struct {
	User     string `json:"user"`
	Playlist string `json:"playlist"`
	Name     string `json:"name"`
	NameKey  string `json:"nameKey"`
	// Creator is who made the playlist.
	Creator    string     `json:"creator"`
	Visibility Visibility `json:"visibility"`
	// Hidden says that the playlist is not public: only rows like this one lead to it.
	Hidden bool `json:"hidden"`
	// Inside says that the user has joined.
	Inside bool `json:"inside"`
	// Invited says that the user is invited.
	Invited bool `json:"invited"`
}

// PlaylistPersonID is the key of a row of TablePlaylistPeople.
func PlaylistPersonID(user, playlist string) string { return user + "." + playlist }

// SplitPlaylistPersonID takes it apart; ok is false for another key.
func SplitPlaylistPersonID(key string) (user, playlist string, ok bool) {
	return strings.Cut(key, ".")
}
