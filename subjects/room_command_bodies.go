package subjects

import "slices"

// JoinRoom enters the room.
type JoinRoom struct{}

// LeaveRoom leaves it.
type LeaveRoom struct {
	// User is whom the platform takes out (who joined another vote room, for example);
	// nobody else may set it.
	User string `json:"user,omitempty"`
	// JoinedBefore, in Unix milliseconds, keeps a membership that began at that time or
	// later: the platform's command may come late. 0 keeps none; only the platform sets it.
	JoinedBefore int64 `json:"joinedBefore,omitempty"`
}

// SuggestTracks puts tracks into the queue.
type SuggestTracks struct {
	Tracks []TrackRef `json:"tracks"`
}

// VoteTrack votes for a queued track.
type VoteTrack struct {
	Track string `json:"track"`
}

// VoteSkip votes to skip the current track.
type VoteSkip struct{}

// Play starts or resumes the current track.
type Play struct{}

// Pause stops it where it is.
type Pause struct{}

// Seek goes to another position in it.
type Seek struct {
	// PositionMs is at least 0 and less than the track's duration.
	PositionMs int64 `json:"positionMs"`
}

// UnmarshalJSON wants the position: without one it is not known where to.
func (c *Seek) UnmarshalJSON(data []byte) error {
	var in struct {
		PositionMs *int64 `json:"positionMs"`
	}
	if err := DecodeBody(data, &in); err != nil {
		return err
	}
	if in.PositionMs == nil {
		return RefuseField("positionMs", "say where to, in milliseconds")
	}
	c.PositionMs = *in.PositionMs
	return nil
}

// Next plays the next eligible track.
type Next struct{}

// RemoveTrack takes a track out of the queue.
type RemoveTrack struct {
	Track string `json:"track"`
}

// InviteUser invites somebody.
type InviteUser struct {
	User string `json:"user"`
}

// ReportPosition says where the sender's device is. The coordinates are compared and
// forgotten: only whether they fit is recorded.
type ReportPosition struct {
	Lat *float64 `json:"lat"`
	Lng *float64 `json:"lng"`
}

// GrantControl gives a member the control permission.
type GrantControl struct {
	User string `json:"user"`
}

// RevokeControl takes it back.
type RevokeControl struct {
	User string `json:"user"`
}

// SetRole gives a member a role (any but creator).
type SetRole struct {
	User string `json:"user"`
	Role Role   `json:"role"`
}

// SetGrants replaces the row of a role (any but creator) in the grant table.
type SetGrants struct {
	Role  Role     `json:"role"`
	Verbs []string `json:"verbs"`
}

// KickUser takes a member out of the room.
type KickUser struct {
	User string `json:"user"`
}

// BanUser takes somebody out and keeps them out.
type BanUser struct {
	User string `json:"user"`
}

// UnbanUser lifts a ban.
type UnbanUser struct {
	User string `json:"user"`
}

// CloseRoom closes the room for good.
type CloseRoom struct{}

// Wake makes the room look at the clock; the platform sends it.
type Wake struct{}

// Verb is VerbJoin.
func (*JoinRoom) Verb() string { return VerbJoin }

// Verb is VerbLeave.
func (*LeaveRoom) Verb() string { return VerbLeave }

// Verb is VerbSuggest.
func (*SuggestTracks) Verb() string { return VerbSuggest }

// Verb is VerbVote.
func (*VoteTrack) Verb() string { return VerbVote }

// Verb is VerbSkip.
func (*VoteSkip) Verb() string { return VerbSkip }

// Verb is VerbPlay.
func (*Play) Verb() string { return VerbPlay }

// Verb is VerbPause.
func (*Pause) Verb() string { return VerbPause }

// Verb is VerbSeek.
func (*Seek) Verb() string { return VerbSeek }

// Verb is VerbNext.
func (*Next) Verb() string { return VerbNext }

// Verb is VerbRemove.
func (*RemoveTrack) Verb() string { return VerbRemove }

// Verb is VerbInvite.
func (*InviteUser) Verb() string { return VerbInvite }

// Verb is VerbPosition.
func (*ReportPosition) Verb() string { return VerbPosition }

// Verb is VerbGrantControl.
func (*GrantControl) Verb() string { return VerbGrantControl }

// Verb is VerbRevokeControl.
func (*RevokeControl) Verb() string { return VerbRevokeControl }

// Verb is VerbSetRole.
func (*SetRole) Verb() string { return VerbSetRole }

// Verb is VerbSetGrants.
func (*SetGrants) Verb() string { return VerbSetGrants }

// Verb is VerbKick.
func (*KickUser) Verb() string { return VerbKick }

// Verb is VerbBan.
func (*BanUser) Verb() string { return VerbBan }

// Verb is VerbUnban.
func (*UnbanUser) Verb() string { return VerbUnban }

// Verb is VerbClose.
func (*CloseRoom) Verb() string { return VerbClose }

// Verb is VerbWake.
func (*Wake) Verb() string { return VerbWake }

// Check finds nothing wrong with an empty body.
func (*JoinRoom) Check() error { return nil }

// Check looks at the user, if one is named.
func (c *LeaveRoom) Check() error {
	if c.User == "" {
		return nil
	}
	return checkUser(c.User)
}

// Check wants 1 to MaxTracksPerCommand tracks, each named.
func (c *SuggestTracks) Check() error {
	if len(c.Tracks) == 0 {
		return RefuseField("tracks", "name at least one track")
	}
	return checkRefs(c.Tracks)
}

// Check wants a track id.
func (c *VoteTrack) Check() error { return checkTrackID(c.Track) }

// Check finds nothing wrong with an empty body.
func (*VoteSkip) Check() error { return nil }

// Check finds nothing wrong with an empty body.
func (*Play) Check() error { return nil }

// Check finds nothing wrong with an empty body.
func (*Pause) Check() error { return nil }

// Check wants a position that is not negative.
func (c *Seek) Check() error {
	if c.PositionMs < 0 {
		return RefuseField("positionMs", "a position is 0 or more milliseconds")
	}
	return nil
}

// Check finds nothing wrong with an empty body.
func (*Next) Check() error { return nil }

// Check wants a track id.
func (c *RemoveTrack) Check() error { return checkTrackID(c.Track) }

// Check wants a user id.
func (c *InviteUser) Check() error { return checkUser(c.User) }

// Check wants coordinates that are on the globe.
func (c *ReportPosition) Check() error {
	if c.Lat == nil || c.Lng == nil {
		return RefuseField("lat", "a position has lat and lng, in degrees")
	}
	return checkDegrees("", *c.Lat, *c.Lng)
}

// Check wants a user id.
func (c *GrantControl) Check() error { return checkUser(c.User) }

// Check wants a user id.
func (c *RevokeControl) Check() error { return checkUser(c.User) }

// Check wants a user id and a role that can be given.
func (c *SetRole) Check() error {
	if err := checkUser(c.User); err != nil {
		return err
	}
	return checkGivenRole(c.Role)
}

// Check wants a role that can be given and verbs that can be granted; it puts them in
// the table's order, each once.
func (c *SetGrants) Check() error {
	if c.Verbs == nil {
		return RefuseField("verbs", "name the verbs that the role may use; an empty list takes all away")
	}
	if err := checkGivenRole(c.Role); err != nil {
		return err
	}
	row := make([]string, 0, min(len(c.Verbs), len(grantable)))
	for _, v := range c.Verbs {
		if !slices.Contains(grantable, v) {
			return RefuseField("verbs", "the grant table has no verb %q", clip(v))
		}
		if CreatorOnly(v) {
			return RefuseField("verbs", "%s stays with the creator", v)
		}
	}
	for _, v := range grantable {
		if slices.Contains(c.Verbs, v) {
			row = append(row, v)
		}
	}
	c.Verbs = row
	return nil
}

// Check wants a user id.
func (c *KickUser) Check() error { return checkUser(c.User) }

// Check wants a user id.
func (c *BanUser) Check() error { return checkUser(c.User) }

// Check wants a user id.
func (c *UnbanUser) Check() error { return checkUser(c.User) }

// Check finds nothing wrong with an empty body.
func (*CloseRoom) Check() error { return nil }

// Check finds nothing wrong with an empty body.
func (*Wake) Check() error { return nil }

func checkGivenRole(r Role) error {
	if !r.Valid() || r == RoleCreator {
		return RefuseField("role", "the role is %s, %s, %s or %s", RoleModerator, RoleSpeaker, RoleMember, RoleGuest)
	}
	return nil
}

func checkUser(id string) error {
	if CheckID(PrefixUser, id) != nil {
		return RefuseField("user", "not a user id")
	}
	return nil
}

func checkTrackID(id string) error {
	if !TrackIDValid(id) {
		return RefuseField("track", "not a track id")
	}
	return nil
}

// TrackIDValid reports whether id may name a track: 1 to MaxTrackID bytes of letters,
// digits, ':', '_' and '-'.
func TrackIDValid(id string) bool {
	if id == "" || len(id) > MaxTrackID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-', c == ':':
		default:
			return false
		}
	}
	return true
}
