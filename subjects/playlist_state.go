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
// command past one is refused with CodeFull. In a playlist that is not public every member
// is the creator or invited.
//
// A PlaylistState is not safe for concurrent use while it is changed.
type PlaylistState struct {
	// Playlist is the public document.
	Playlist Playlist

	invited map[string]int64
}

// NewPlaylistState gives the state of a playlist whose log is empty.
func NewPlaylistState(id string) *PlaylistState {
	return &PlaylistState{Playlist: Playlist{ID: id}, invited: map[string]int64{}}
}

// Exists reports whether the playlist was created.
func (s *PlaylistState) Exists() bool { return s.Playlist.Phase != "" }

// Deleted reports whether it was deleted.
func (s *PlaylistState) Deleted() bool { return s.Playlist.Phase == PhaseDeleted }

// CanSee reports whether somebody may know of the playlist: everybody of a public one; of
// another the creator and the invited. The platform sees every playlist that exists. To
// whom it is false the playlist does not exist.
func (s *PlaylistState) CanSee(principal string) bool {
	switch {
	case !s.Exists():
		return false
	case s.Playlist.Visibility == VisibilityPublic, principal == System, principal == s.Playlist.Creator:
		return true
	default:
		return s.Invited(principal)
	}
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
		return !creator && s.IsMember(principal)
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
		May: []string{},
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

// Apply changes the state by one event of the log, public or sealed (meta.To), and marks
// what it touched in the public document. It never refuses: an event in the log has
// happened. It returns an error that wraps ErrUnknownEvent for a type it does not know.
func (s *PlaylistState) Apply(meta Meta, ev PlaylistEvent, m *Marks) error {
	if meta.To == nil {
		if _, ok := ev.(*PlaylistCreated); ok {
			s.invited = map[string]int64{}
		}
		return s.Playlist.Apply(meta, ev, m)
	}
	switch e := ev.(type) {
	case *PlaylistInvited:
		s.invited[e.User] = meta.At
	case *PlaylistUninvited:
		delete(s.invited, e.User)
	case *PlaylistExported, *TracksRefused:
		// For the one who asked; the playlist does not change.
	default:
		return fmt.Errorf("%w: %T is not a sealed event of a playlist", ErrUnknownEvent, ev)
	}
	return nil
}

// playlistStateJSON is a PlaylistState in a snapshot.
type playlistStateJSON struct {
	Playlist Playlist         `json:"playlist"`
	Invited  map[string]int64 `json:"invited"`
}

// EncodePlaylistState writes a snapshot's state. Equal states give equal bytes.
func EncodePlaylistState(s *PlaylistState) ([]byte, error) {
	out, err := json.Marshal(playlistStateJSON{Playlist: s.Playlist, Invited: s.invited})
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
	return s, nil
}
