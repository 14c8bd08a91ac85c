package subjects

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// The verbs of a playlist, as they stand in a command, beside those that a room has too.
// Whoever may not see the playlist is answered not_found, whatever the verb, as if it did
// not exist; one that was deleted refuses everything but leave and delete with closed.
//
//	verb           body                                 who              what it does, and what it is refused with
//	create         {name, …} see CreatePlaylist         anybody          begins the playlist; the creator is in it. exists, no_such_track, track_unavailable
//	join           {}                                   everybody, the   enters; again is nothing. full, not_invited (who was taken out)
//	                                                    creator's followers,
//	                                                    or the invited
//	leave          {}                                   member, or       leaves; again is nothing. forbidden for the creator.
//	                                                    the invited      who is not in it gives the invitation back, and may be invited again
//	add            {"tracks": [ref, …]}                 editor           appends what is new; what is there already is dropped.
//	                                                                     nothing_accepted, no_such_track, track_unavailable, full
//	remove         {"tracks": [id, …]}                  editor           takes tracks out; what is gone is gone
//	move           {"track": id, "from": i, "to": j}    editor           moves a track that stands at index i, so that it stands at j.
//	                                                                     conflict: it does not stand at i, or there is no j
//	invite         {"user": id}                         creator          again is nothing. invalid (oneself), full
//	withdraw       {"user": id}                         creator          takes an invitation back; from a playlist that is not public the user goes too,
//	                                                                     and comes back only invited
//	rename         {"name": text}                       creator
//	setVisibility  {"visibility": v,                    creator          shows or hides it, and says who edits; hidden, it keeps only the invited
//	                "onlyInvitedEdit": bool}
//	export         {…} see ExportPlaylist               member           opens a room with its tracks. invalid
//	delete         {}                                   creator          for good; again is nothing
//	refused        CommandRefused                       the platform     tells the exporter what the room's owner refused
//	wake           {}                                   the platform     does nothing
//
// An editor is a member who is the creator or invited, or any member unless only the
// invited edit. A ref is a track id, an address, or an object {"id": …} or {"url": …}.
const (
	VerbAdd           = "add"
	VerbMove          = "move"
	VerbWithdraw      = "withdraw"
	VerbRename        = "rename"
	VerbSetVisibility = "setVisibility"
	VerbExport        = "export"
)

// PlaylistCommand is the decoded body of a command to a playlist.
type PlaylistCommand interface {
	// Verb is the verb that the body belongs to.
	Verb() string
	// Check returns a *Refusal of CodeInvalid or CodeTooLarge that names the field that
	// cannot be right, whatever the playlist's state.
	Check() error
}

// playlistVerbs makes an empty body for each verb.
var playlistVerbs = map[string]func() PlaylistCommand{
	VerbCreate:        func() PlaylistCommand { return new(CreatePlaylist) },
	VerbJoin:          func() PlaylistCommand { return new(JoinPlaylist) },
	VerbLeave:         func() PlaylistCommand { return new(LeavePlaylist) },
	VerbAdd:           func() PlaylistCommand { return new(AddTracks) },
	VerbRemove:        func() PlaylistCommand { return new(RemoveTracks) },
	VerbMove:          func() PlaylistCommand { return new(MoveTrack) },
	VerbInvite:        func() PlaylistCommand { return new(InviteUser) },
	VerbWithdraw:      func() PlaylistCommand { return new(WithdrawInvitation) },
	VerbRename:        func() PlaylistCommand { return new(RenamePlaylist) },
	VerbSetVisibility: func() PlaylistCommand { return new(SetVisibility) },
	VerbExport:        func() PlaylistCommand { return new(ExportPlaylist) },
	VerbDelete:        func() PlaylistCommand { return new(DeletePlaylist) },
	VerbRefused:       func() PlaylistCommand { return new(CommandRefused) },
	VerbWake:          func() PlaylistCommand { return new(Wake) },
}

// PlaylistVerbs lists the verbs of a playlist, sorted.
func PlaylistVerbs() []string {
	out := make([]string, 0, len(playlistVerbs))
	for v := range playlistVerbs {
		out = append(out, v)
	}
	slices.Sort(out)
	return out
}

// DecodePlaylistCommand reads and checks the body of a verb. Every error is a *Refusal:
// CodeUnknownVerb, CodeInvalid or CodeTooLarge.
func DecodePlaylistCommand(verb string, body []byte) (PlaylistCommand, error) {
	empty, ok := playlistVerbs[verb]
	if !ok {
		return nil, Refuse(CodeUnknownVerb, "a playlist has no command %q", clip(verb))
	}
	cmd := empty()
	if err := DecodeBody(body, cmd); err != nil {
		return nil, err
	}
	if err := cmd.Check(); err != nil {
		return nil, err
	}
	return cmd, nil
}

// CreatePlaylist begins a playlist.
type CreatePlaylist struct {
	// Name is 1 to MaxPlaylistName characters after trimming. Two playlists may have the
	// same.
	Name string `json:"name"`
	// Visibility is VisibilityPrivate if absent.
	Visibility Visibility `json:"visibility,omitempty"`
	// OnlyInvitedEdit needs VisibilityPublic or VisibilityFollowers.
	OnlyInvitedEdit bool `json:"onlyInvitedEdit,omitempty"`
	// Tracks are the first ones, at most MaxTracksPerCommand.
	Tracks []TrackRef `json:"tracks,omitempty"`
}

// JoinPlaylist enters the playlist.
type JoinPlaylist struct{}

// LeavePlaylist leaves it.
type LeavePlaylist struct{}

// AddTracks appends tracks.
type AddTracks struct {
	Tracks []TrackRef `json:"tracks"`
}

// RemoveTracks takes tracks out.
type RemoveTracks struct {
	// Tracks are track ids, at most MaxTracksPerCommand.
	Tracks []string `json:"tracks"`
}

// MoveTrack gives a track another place. Both indexes count from 0; To is where the track
// stands afterwards.
type MoveTrack struct {
	Track string `json:"track"`
	From  int    `json:"from"`
	To    int    `json:"to"`
}

// UnmarshalJSON wants both places: none is guessed.
func (c *MoveTrack) UnmarshalJSON(data []byte) error {
	var in struct {
		Track string `json:"track"`
		From  *int   `json:"from"`
		To    *int   `json:"to"`
	}
	if err := DecodeBody(data, &in); err != nil {
		return err
	}
	if in.From == nil {
		return RefuseField("from", "say at which index the track was seen")
	}
	if in.To == nil {
		return RefuseField("to", "say at which index the track shall stand")
	}
	*c = MoveTrack{Track: in.Track, From: *in.From, To: *in.To}
	return nil
}

// WithdrawInvitation takes an invitation back.
type WithdrawInvitation struct {
	User string `json:"user"`
}

// RenamePlaylist gives the playlist another name; see CreatePlaylist.
type RenamePlaylist struct {
	Name string `json:"name"`
}

// SetVisibility says who sees the playlist and who edits it.
type SetVisibility struct {
	Visibility Visibility `json:"visibility"`
	// OnlyInvitedEdit needs VisibilityPublic or VisibilityFollowers; false if absent.
	OnlyInvitedEdit bool `json:"onlyInvitedEdit,omitempty"`
}

// ExportPlaylist opens a vote room with the playlist's tracks, which the sender creates:
// as for any room that one creates, they leave the vote room they are in. The fields are
// those of CreateRoom.
//
// The event PlaylistExported tells the sender the room's id at once; the room is there a
// moment later. Should its owner refuse it, since none of its first tracks can be had any more
// for example, the event ExportFailed says so.
type ExportPlaylist struct {
	// Kind of the room, KindVote if absent. No other kind can be opened.
	Kind string `json:"kind,omitempty"`
	// Name of the room, the playlist's if absent.
	Name            string            `json:"name,omitempty"`
	MinimumScore    *int              `json:"minimumScore,omitempty"`
	Open            bool              `json:"open,omitempty"`
	OnlyInvitedVote bool              `json:"onlyInvitedVote,omitempty"`
	Mode            string            `json:"mode,omitempty"`
	SkipShare       *int              `json:"skipShare,omitempty"`
	Constraints     *ConstraintsAsked `json:"constraints,omitempty"`
}

// Room gives the command that opens the room, without tracks.
func (c *ExportPlaylist) Room(name string) CreateRoom {
	if c.Name != "" {
		name = c.Name
	}
	kind := c.Kind
	if kind == "" {
		kind = KindVote
	}
	return CreateRoom{
		Kind: kind, Name: name, MinimumScore: c.MinimumScore, Open: c.Open, OnlyInvitedVote: c.OnlyInvitedVote,
		Mode: c.Mode, SkipShare: c.SkipShare, Constraints: c.Constraints,
	}
}

// ExportedRoomID gives the room that an export of a playlist opens, from what its sender knows
// once it is answered: the command's id, and the answer's time in Unix milliseconds.
func ExportedRoomID(playlist, user, command string, at int64) string {
	return DeriveID(PrefixRoom, time.UnixMilli(at), "export", playlist, user, command)
}

// DeletePlaylist ends the playlist for good.
type DeletePlaylist struct{}

// Verb is VerbCreate.
func (*CreatePlaylist) Verb() string { return VerbCreate }

// Verb is VerbJoin.
func (*JoinPlaylist) Verb() string { return VerbJoin }

// Verb is VerbLeave.
func (*LeavePlaylist) Verb() string { return VerbLeave }

// Verb is VerbAdd.
func (*AddTracks) Verb() string { return VerbAdd }

// Verb is VerbRemove.
func (*RemoveTracks) Verb() string { return VerbRemove }

// Verb is VerbMove.
func (*MoveTrack) Verb() string { return VerbMove }

// Verb is VerbWithdraw.
func (*WithdrawInvitation) Verb() string { return VerbWithdraw }

// Verb is VerbRename.
func (*RenamePlaylist) Verb() string { return VerbRename }

// Verb is VerbSetVisibility.
func (*SetVisibility) Verb() string { return VerbSetVisibility }

// Verb is VerbExport.
func (*ExportPlaylist) Verb() string { return VerbExport }

// Verb is VerbDelete.
func (*DeletePlaylist) Verb() string { return VerbDelete }

// Check trims the name, fills in the default and refuses what cannot be right.
func (c *CreatePlaylist) Check() error {
	c.Name = strings.TrimSpace(c.Name)
	if err := CheckPlaylistName(c.Name); err != nil {
		return err
	}
	if c.Visibility == "" {
		c.Visibility = VisibilityPrivate
	}
	if err := checkVisibility(c.Visibility, c.OnlyInvitedEdit); err != nil {
		return err
	}
	return checkRefs(c.Tracks)
}

// Check finds nothing wrong with an empty body.
func (*JoinPlaylist) Check() error { return nil }

// Check finds nothing wrong with an empty body.
func (*LeavePlaylist) Check() error { return nil }

// Check wants 1 to MaxTracksPerCommand tracks, each named.
func (c *AddTracks) Check() error {
	if len(c.Tracks) == 0 {
		return RefuseField("tracks", "name at least one track")
	}
	return checkRefs(c.Tracks)
}

// Check wants 1 to MaxTracksPerCommand track ids.
func (c *RemoveTracks) Check() error {
	if len(c.Tracks) == 0 {
		return RefuseField("tracks", "name at least one track")
	}
	if len(c.Tracks) > MaxTracksPerCommand {
		return Refuse(CodeTooLarge, "tracks: at most %d at once", MaxTracksPerCommand)
	}
	for i, id := range c.Tracks {
		if !TrackIDValid(id) {
			return RefuseField(fmt.Sprintf("tracks.%d", i), "not a track id")
		}
	}
	return nil
}

// Check wants a track id and two places that a playlist can have.
func (c *MoveTrack) Check() error {
	if err := checkTrackID(c.Track); err != nil {
		return err
	}
	if c.From < 0 || c.From >= MaxPlaylistTracks {
		return RefuseField("from", "an index is 0 to %d", MaxPlaylistTracks-1)
	}
	if c.To < 0 || c.To >= MaxPlaylistTracks {
		return RefuseField("to", "an index is 0 to %d", MaxPlaylistTracks-1)
	}
	return nil
}

// Check wants a user id.
func (c *WithdrawInvitation) Check() error { return checkUser(c.User) }

// Check trims the name and looks at it.
func (c *RenamePlaylist) Check() error {
	c.Name = strings.TrimSpace(c.Name)
	return CheckPlaylistName(c.Name)
}

// Check wants a visibility, and not the private one where only the invited edit.
func (c *SetVisibility) Check() error { return checkVisibility(c.Visibility, c.OnlyInvitedEdit) }

// Check refuses what CreateRoom would refuse.
func (c *ExportPlaylist) Check() error {
	c.Name = strings.TrimSpace(c.Name)
	room := c.Room("playlist")
	if err := room.Check(); err != nil {
		return err
	}
	c.MinimumScore, c.Mode, c.SkipShare = room.MinimumScore, room.Mode, room.SkipShare
	return nil
}

// Check finds nothing wrong with an empty body.
func (*DeletePlaylist) Check() error { return nil }

// CheckPlaylistName refuses a name that is empty, longer than MaxPlaylistName characters,
// or holds what cannot be seen.
func CheckPlaylistName(name string) error {
	if name == "" {
		return RefuseField("name", "a playlist needs a name")
	}
	if utf8.RuneCountInString(name) > MaxPlaylistName {
		return RefuseField("name", "a playlist's name has at most %d characters", MaxPlaylistName)
	}
	if !utf8.ValidString(name) || strings.ContainsFunc(name, invisible) {
		return RefuseField("name", "a playlist's name holds no control characters and none that cannot be seen")
	}
	return nil
}

func checkVisibility(v Visibility, onlyInvitedEdit bool) error {
	if !slices.Contains(Visibilities(), v) {
		return RefuseField("visibility", "the visibility is %s, %s or %s", VisibilityPublic, VisibilityFollowers, VisibilityPrivate)
	}
	if onlyInvitedEdit && v == VisibilityPrivate {
		return RefuseField("onlyInvitedEdit", "not in a private playlist: in one all are invited")
	}
	return nil
}
