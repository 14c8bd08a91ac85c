package subjects

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// PlaylistState is all there is to know about a playlist: the public document, and what is
// not public. It is folded from the whole log, sealed events included, by the playlist's
// owner and by every edge, which answers from it who may see and do what.
//
// It is bounded by MaxPlaylistTracks, MaxPlaylistMembers and MaxPlaylistInvitations; a
// command past one is refused with CodeFull. Of those who were taken out it remembers the last
// MaxPlaylistInvitations, of exports the last MaxPlaylistExports. In a private playlist every
// member is the creator or invited; in one for followers a member may also have been let in as
// one.
//
// A PlaylistState is not safe for concurrent use while it is changed.
type PlaylistState struct {
	// Playlist is the public document.
	Playlist Playlist

	invited   map[string]int64
	withdrawn map[string]int64 // who was taken out and not invited since
	exports   []playlistExport // whose rooms may still be refused, the oldest first
}

// playlistExport is an export whose end is not known.
type playlistExport struct {
	User string `json:"user"`
	Room string `json:"room"`
}

// MaxPlaylistExports bounds how many exports a playlist remembers to tell their senders what
// the rooms' owners refuse; the oldest is forgotten, and its sender is then not told.
const MaxPlaylistExports = 64

// NewPlaylistState gives the state of a playlist whose log is empty.
func NewPlaylistState(id string) *PlaylistState {
	return &PlaylistState{Playlist: Playlist{ID: id}, invited: map[string]int64{}, withdrawn: map[string]int64{}}
}

// Exists reports whether the playlist was created.
func (s *PlaylistState) Exists() bool { return s.Playlist.Phase != "" }

// Deleted reports whether it was deleted.
func (s *PlaylistState) Deleted() bool { return s.Playlist.Phase == PhaseDeleted }

// CanSee reports whether somebody may know of the playlist by what its log says: everybody of
// a public one; of another the creator, the invited, and who was let in as a follower and is
// in it. The platform sees every playlist that exists. To whom it is false the playlist does
// not exist, but for a follower of the creator where FollowersMaySee.
func (s *PlaylistState) CanSee(principal string) bool {
	switch {
	case !s.Exists():
		return false
	case s.Playlist.Visibility == VisibilityPublic, principal == System, principal == s.Playlist.Creator:
		return true
	case s.Playlist.Visibility == VisibilityFollowers && s.IsMember(principal):
		return true
	default:
		return s.Invited(principal)
	}
}

// FollowersMaySee reports whether whoever follows the creator may see the playlist and join
// it, besides those to whom CanSee is true. Who follows whom is not in the state: whoever
// shows a playlist asks for it.
func (s *PlaylistState) FollowersMaySee() bool {
	return s.Exists() && s.Playlist.Visibility == VisibilityFollowers
}

// Withdrawn reports whether somebody was taken out of the playlist, or their invitation back,
// and they were not invited since: following the creator does not let them join.
func (s *PlaylistState) Withdrawn(user string) bool { _, ok := s.withdrawn[user]; return ok }

// Exporting reports whether a user's export to a room is remembered.
func (s *PlaylistState) Exporting(user, room string) bool {
	return slices.Contains(s.exports, playlistExport{user, room})
}

// IsMember reports whether somebody has joined.
func (s *PlaylistState) IsMember(user string) bool { _, ok := s.Playlist.Members[user]; return ok }

// Invited reports whether somebody is invited.
func (s *PlaylistState) Invited(user string) bool { _, ok := s.invited[user]; return ok }

// Invitations gives the number of invitations that stand.
func (s *PlaylistState) Invitations() int { return len(s.invited) }

// InvitedIDs lists the invited, sorted. Its cost is their number.
func (s *PlaylistState) InvitedIDs() []string { return slices.Sorted(maps.Keys(s.invited)) }

// MemberIDs lists the members, sorted. Its cost is their number.
func (s *PlaylistState) MemberIDs() []string { return slices.Sorted(maps.Keys(s.Playlist.Members)) }

// CannotEdit returns why somebody cannot add, remove and move tracks, nil if they can:
// CodeNotMember or CodeNotInvited. Who may see the playlist is not asked here.
func (s *PlaylistState) CannotEdit(user string) *Refusal {
	switch {
	case !s.IsMember(user):
		return Refuse(CodeNotMember, "join the playlist first")
	case user == s.Playlist.Creator, !s.Playlist.Options.OnlyInvitedEdit, s.Invited(user):
		return nil
	}
	return Refuse(CodeNotInvited, "only the invited edit this playlist")
}

// Allows reports whether somebody may use a verb now, as far as that depends on who they
// are. The platform may take tracks and invitations away, rename, hide and delete.
func (s *PlaylistState) Allows(principal, verb string) bool {
	if !s.CanSee(principal) || s.Deleted() {
		return false
	}
	creator := principal == s.Playlist.Creator
	switch verb {
	case VerbJoin:
		return principal != System && !s.IsMember(principal)
	case VerbLeave:
		return !creator && (s.IsMember(principal) || s.Invited(principal))
	case VerbAdd, VerbMove:
		return s.CannotEdit(principal) == nil
	case VerbRemove:
		return principal == System || s.CannotEdit(principal) == nil
	case VerbExport:
		return s.IsMember(principal)
	case VerbInvite:
		return creator
	case VerbWithdraw, VerbRename, VerbSetVisibility, VerbDelete:
		return creator || principal == System
	}
	return false
}

// PlaylistYou is what one viewer may know about themselves in a playlist.
type PlaylistYou struct {
	Creator bool `json:"creator"`
	Member  bool `json:"member"`
	Invited bool `json:"invited"`
	// May lists the verbs that the viewer may use now, in a fixed order; empty in a
	// deleted playlist.
	May []string `json:"may"`
	// CannotEdit is empty if the viewer may add, remove and move, and otherwise the code
	// that they would be refused with.
	CannotEdit Code `json:"cannotEdit"`
	// InvitedUsers lists, for the creator alone, whose invitations stand, sorted; empty for
	// everybody else, and in a deleted playlist.
	InvitedUsers []string `json:"invitedUsers"`
}

// askedOfPlaylists are the verbs that PlaylistYou lists, in its order.
var askedOfPlaylists = []string{
	VerbJoin, VerbLeave, VerbAdd, VerbRemove, VerbMove, VerbExport,
	VerbInvite, VerbWithdraw, VerbRename, VerbSetVisibility, VerbDelete,
}

// You gives what the playlist's state says about a viewer.
func (s *PlaylistState) You(principal string) PlaylistYou {
	y := PlaylistYou{
		Creator: s.Exists() && principal == s.Playlist.Creator, Member: s.IsMember(principal), Invited: s.Invited(principal),
		May: []string{}, InvitedUsers: []string{},
	}
	if y.Creator && !s.Deleted() {
		y.InvitedUsers = listed(s.InvitedIDs())
	}
	for _, v := range askedOfPlaylists {
		if s.Allows(principal, v) {
			y.May = append(y.May, v)
		}
	}
	switch r := s.CannotEdit(principal); {
	case !s.CanSee(principal):
		y.CannotEdit = CodeNotFound
	case s.Deleted():
		y.CannotEdit = CodeClosed
	case r != nil:
		y.CannotEdit = r.Code
	}
	return y
}

// FollowerYou gives what You gives, for a viewer who follows the creator.
func (s *PlaylistState) FollowerYou(principal string) PlaylistYou {
	y := s.You(principal)
	if s.CanSee(principal) || !s.FollowersMaySee() {
		return y
	}
	switch {
	case s.Deleted():
		y.CannotEdit = CodeClosed
	case s.Withdrawn(principal):
		y.CannotEdit = CodeNotInvited
	default:
		y.May, y.CannotEdit = []string{VerbJoin}, CodeNotMember
	}
	return y
}

// Apply changes the state by one event of the log, public or sealed (meta.To), and marks
// what it touched in the public document. It never refuses: an event in the log has
// happened. It returns an error that wraps ErrUnknownEvent for a type it does not know.
func (s *PlaylistState) Apply(meta Meta, ev PlaylistEvent, m *Marks) error {
	if meta.To == nil {
		if _, ok := ev.(*PlaylistCreated); ok {
			s.invited, s.withdrawn, s.exports = map[string]int64{}, map[string]int64{}, nil
		}
		return s.Playlist.Apply(meta, ev, m)
	}
	switch e := ev.(type) {
	case *PlaylistInvited:
		s.invited[e.User] = meta.At
		delete(s.withdrawn, e.User)
	case *PlaylistUninvited:
		delete(s.invited, e.User)
		s.withdraw(e.User, meta.At)
	case *PlaylistDeclined:
		delete(s.invited, e.User)
	case *PlaylistExported:
		s.exports = append(s.exports, playlistExport{e.User, e.Room})
		s.exports = s.exports[max(0, len(s.exports)-MaxPlaylistExports):]
	case *ExportFailed:
		if i := slices.Index(s.exports, playlistExport{e.User, e.Room}); i >= 0 && !e.Part {
			s.exports = append(s.exports[:i:i], s.exports[i+1:]...)
		}
	case *PlaylistAdmitted, *TracksRefused:
		// For the one who asked: being in it says the rest.
	default:
		return fmt.Errorf("%w: %T is not a sealed event of a playlist", ErrUnknownEvent, ev)
	}
	return nil
}

// withdraw remembers that a user was taken out, and forgets the first if they are too many.
func (s *PlaylistState) withdraw(user string, at int64) {
	s.withdrawn[user] = at
	if len(s.withdrawn) <= MaxPlaylistInvitations {
		return
	}
	first := user
	for other, then := range s.withdrawn {
		if then < s.withdrawn[first] || then == s.withdrawn[first] && other < first {
			first = other
		}
	}
	delete(s.withdrawn, first)
}

// playlistStateJSON is a PlaylistState in a snapshot.
type playlistStateJSON struct {
	Playlist  Playlist         `json:"playlist"`
	Invited   map[string]int64 `json:"invited"`
	Withdrawn map[string]int64 `json:"withdrawn"`
	Exports   []playlistExport `json:"exports"`
}

// EncodePlaylistState writes a snapshot's state. Equal states give equal bytes.
func EncodePlaylistState(s *PlaylistState) ([]byte, error) {
	in := playlistStateJSON{Playlist: s.Playlist, Invited: s.invited, Withdrawn: s.withdrawn, Exports: s.exports}
	if len(in.Exports) == 0 {
		in.Exports = []playlistExport{}
	}
	out, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("subjects: encode playlist: %w", err)
	}
	return out, nil
}

// DecodePlaylistState reads what EncodePlaylistState wrote of the playlist with this id.
func DecodePlaylistState(id string, data []byte) (*PlaylistState, error) {
	var in playlistStateJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("subjects: decode playlist: %w", err)
	}
	if in.Playlist.ID != id {
		return nil, fmt.Errorf("subjects: decode playlist: the state is of %q, not of %q", clip(in.Playlist.ID), id)
	}
	s := NewPlaylistState(id)
	s.Playlist = in.Playlist
	maps.Copy(s.invited, in.Invited)
	maps.Copy(s.withdrawn, in.Withdrawn)
	s.exports = append(s.exports, in.Exports...)
	return s, nil
}
