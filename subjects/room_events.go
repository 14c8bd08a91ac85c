package subjects

import (
	"encoding/json"
	"fmt"
	"slices"
)

// RoomEvent is one thing that happened in a room.
type RoomEvent interface {
	// EventType is the type's name in the log.
	EventType() string
}

// Event types of a room, beside those in room_queue_events.go. Those marked sealed reach
// only the user they speak of; the rest are public.
const (
	EventRoomCreated         = "room.created"
	EventRoomClosed          = "room.closed"
	EventRoomCounted         = "room.counted"
	EventRosterListed        = "roster.listed"
	EventRosterUnlisted      = "roster.unlisted"
	EventMemberJoined        = "member.joined" // sealed while the roster is paged
	EventMemberLeft          = "member.left"   // sealed while the roster is paged
	EventMemberReturned      = "member.returned"
	EventRoleChanged         = "role.changed"
	EventControlGranted      = "control.granted"
	EventControlRevoked      = "control.revoked"
	EventGrantsChanged       = "grants.changed"
	EventTrackSuggested      = "track.suggested"
	EventTrackVoted          = "track.voted"
	EventTrackRemoved        = "track.removed"
	EventTrackChosen         = "track.chosen"
	EventTracksRefused       = "tracks.refused" // sealed
	EventPlaybackStarted     = "playback.started"
	EventPlaybackPaused      = "playback.paused"
	EventPlaybackSought      = "playback.sought"
	EventPlaybackEnded       = "playback.ended"
	EventSkipVoted           = "skip.voted"
	EventSkipCounted         = "skip.counted"
	EventWindowOpened        = "window.opened"
	EventWindowClosed        = "window.closed"
	EventInvitationSent      = "invitation.sent"      // sealed
	EventInvitationWithdrawn = "invitation.withdrawn" // sealed
	EventUserBanned          = "user.banned"          // sealed
	EventUserUnbanned        = "user.unbanned"        // sealed
	EventPositionJudged      = "position.judged"      // sealed
)

// RoomCreated opens the room. The creator's membership and the initial tracks follow as
// events of their own.
type RoomCreated struct {
	Kind        string           `json:"kind"`
	Name        string           `json:"name"`
	Creator     string           `json:"creator"`
	Options     RoomOptions      `json:"options"`
	Constraints *RoomConstraints `json:"constraints,omitempty"`
	// Table is the edition of the grant table (GrantTable); absent in rooms older than
	// their chats.
	Table int `json:"table,omitempty"`
}

// RoomClosed closes it for good.
type RoomClosed struct {
	Reason string `json:"reason"`
}

// RoomCounted moves the public member count of a room whose roster is paged.
type RoomCounted struct {
	Count int `json:"count"`
}

// RosterUnlisted empties the public member list: it has grown past RosterInline.
type RosterUnlisted struct{}

// RosterListed fills it again: the room has shrunk.
type RosterListed struct {
	Members map[string]Member `json:"members"`
}

// MemberJoined puts a user into the room.
type MemberJoined struct {
	User string `json:"user"`
	Role Role   `json:"role"`
}

// Why a member left.
const (
	LeftByChoice = "left"   // asked for it
	LeftMoved    = "moved"  // the platform took the user out, who went elsewhere
	LeftKicked   = "kicked" // may come back
	LeftBanned   = "banned" // may not
)

// MemberReturned is a member's joining once more, which changes nothing in the room: it is
// sealed. It says that the member wants to be here now, to whoever compares with where
// else they joined.
type MemberReturned struct {
	User string `json:"user"`
}

// MemberLeft takes a user out. Their votes stay counted: what the room chose while they
// were in it does not change because they went.
type MemberLeft struct {
	User   string `json:"user"`
	Reason string `json:"reason"`
	// From and To are when they had joined and when they left; absent in older logs.
	From int64 `json:"from,omitempty"`
	To   int64 `json:"to,omitempty"`
}

// RoleChanged gives a member another role.
type RoleChanged struct {
	User string `json:"user"`
	Role Role   `json:"role"`
}

// ControlGranted gives a member the control permission.
type ControlGranted struct {
	User string `json:"user"`
}

// ControlRevoked takes it back.
type ControlRevoked struct {
	User string `json:"user"`
}

// GrantsChanged replaces a row of the grant table.
type GrantsChanged struct {
	Role  Role     `json:"role"`
	Verbs []string `json:"verbs"`
}

// TrackSuggested appends a track to the queue.
type TrackSuggested struct {
	User  string `json:"user"`
	Track Track  `json:"track"`
	Seq   int64  `json:"seq"`
	// Voted says that the suggestion counts as the user's vote. It does not where the
	// user may suggest and not vote: outside the constraints, for example.
	Voted bool `json:"voted"`
}

// TrackVoted adds the user's vote to a queued track.
type TrackVoted struct {
	User  string `json:"user"`
	Track string `json:"track"`
}

// TrackRemoved takes a track out of the queue, with its votes.
type TrackRemoved struct {
	Track string `json:"track"`
}

// TrackChosen makes a queued track the current one. Its votes go, and those to skip.
type TrackChosen struct {
	Track    string `json:"track"`
	Playing  bool   `json:"playing"`
	AnchorAt int64  `json:"anchorAt"`
}

// RefusedTrack is a track that was not accepted, and why.
type RefusedTrack struct {
	Ref    string `json:"ref"`
	Code   Code   `json:"code"`
	Reason string `json:"reason"`
}

// TracksRefused tells who suggested several tracks which of them were not accepted.
type TracksRefused struct {
	User   string         `json:"user"`
	Tracks []RefusedTrack `json:"tracks"`
}

// PlaybackStarted lets the current track play from a position.
type PlaybackStarted struct {
	PositionMs int64 `json:"positionMs"`
	AnchorAt   int64 `json:"anchorAt"`
}

// PlaybackPaused stops it at a position.
type PlaybackPaused struct {
	PositionMs int64 `json:"positionMs"`
	AnchorAt   int64 `json:"anchorAt"`
}

// PlaybackSought moves it to a position; it goes on playing, or being paused.
type PlaybackSought struct {
	PositionMs int64 `json:"positionMs"`
	AnchorAt   int64 `json:"anchorAt"`
}

// PlaybackEnded leaves the room waiting at the current track's end.
type PlaybackEnded struct {
	PositionMs int64 `json:"positionMs"`
	AnchorAt   int64 `json:"anchorAt"`
}

// SkipVoted adds the user's vote to skip the current track; the numbers are those after it.
type SkipVoted struct {
	User   string `json:"user"`
	Votes  int    `json:"votes"`
	Needed int    `json:"needed"`
}

// SkipCounted corrects the numbers after somebody left or came.
type SkipCounted struct {
	Votes  int `json:"votes"`
	Needed int `json:"needed"`
}

// WindowOpened says that the constraints' time has begun.
type WindowOpened struct{}

// WindowClosed says that it is over.
type WindowClosed struct{}

// InvitationSent invites a user. It carries what the invited needs to see what they are
// invited to.
type InvitationSent struct {
	User string `json:"user"`
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// InvitationWithdrawn takes an invitation back.
type InvitationWithdrawn struct {
	User string `json:"user"`
}

// UserBanned keeps a user out.
type UserBanned struct {
	User string `json:"user"`
}

// UserUnbanned lets a user in again.
type UserUnbanned struct {
	User string `json:"user"`
}

// PositionJudged records whether a user's position fits the room's place. Where the
// user was is not recorded.
type PositionJudged struct {
	User string `json:"user"`
	Fits bool   `json:"fits"`
}

// EventType is EventRoomCreated.
func (*RoomCreated) EventType() string { return EventRoomCreated }

// EventType is EventRoomClosed.
func (*RoomClosed) EventType() string { return EventRoomClosed }

// EventType is EventRoomCounted.
func (*RoomCounted) EventType() string { return EventRoomCounted }

// EventType is EventRosterUnlisted.
func (*RosterUnlisted) EventType() string { return EventRosterUnlisted }

// EventType is EventRosterListed.
func (*RosterListed) EventType() string { return EventRosterListed }

// EventType is EventMemberJoined.
func (*MemberJoined) EventType() string { return EventMemberJoined }

// EventType is EventMemberReturned.
func (*MemberReturned) EventType() string { return EventMemberReturned }

// EventType is EventMemberLeft.
func (*MemberLeft) EventType() string { return EventMemberLeft }

// EventType is EventRoleChanged.
func (*RoleChanged) EventType() string { return EventRoleChanged }

// EventType is EventControlGranted.
func (*ControlGranted) EventType() string { return EventControlGranted }

// EventType is EventControlRevoked.
func (*ControlRevoked) EventType() string { return EventControlRevoked }

// EventType is EventGrantsChanged.
func (*GrantsChanged) EventType() string { return EventGrantsChanged }

// EventType is EventTrackSuggested.
func (*TrackSuggested) EventType() string { return EventTrackSuggested }

// EventType is EventTrackVoted.
func (*TrackVoted) EventType() string { return EventTrackVoted }

// EventType is EventTrackRemoved.
func (*TrackRemoved) EventType() string { return EventTrackRemoved }

// EventType is EventTrackChosen.
func (*TrackChosen) EventType() string { return EventTrackChosen }

// EventType is EventTracksRefused.
func (*TracksRefused) EventType() string { return EventTracksRefused }

// EventType is EventPlaybackStarted.
func (*PlaybackStarted) EventType() string { return EventPlaybackStarted }

// EventType is EventPlaybackPaused.
func (*PlaybackPaused) EventType() string { return EventPlaybackPaused }

// EventType is EventPlaybackSought.
func (*PlaybackSought) EventType() string { return EventPlaybackSought }

// EventType is EventPlaybackEnded.
func (*PlaybackEnded) EventType() string { return EventPlaybackEnded }

// EventType is EventSkipVoted.
func (*SkipVoted) EventType() string { return EventSkipVoted }

// EventType is EventSkipCounted.
func (*SkipCounted) EventType() string { return EventSkipCounted }

// EventType is EventWindowOpened.
func (*WindowOpened) EventType() string { return EventWindowOpened }

// EventType is EventWindowClosed.
func (*WindowClosed) EventType() string { return EventWindowClosed }

// EventType is EventInvitationSent.
func (*InvitationSent) EventType() string { return EventInvitationSent }

// EventType is EventInvitationWithdrawn.
func (*InvitationWithdrawn) EventType() string { return EventInvitationWithdrawn }

// EventType is EventUserBanned.
func (*UserBanned) EventType() string { return EventUserBanned }

// EventType is EventUserUnbanned.
func (*UserUnbanned) EventType() string { return EventUserUnbanned }

// EventType is EventPositionJudged.
func (*PositionJudged) EventType() string { return EventPositionJudged }

var roomEvents = func() map[string]func() RoomEvent {
	m := map[string]func() RoomEvent{}
	for _, f := range append(slices.Clone(queueEvents),
		func() RoomEvent { return new(RoomCreated) },
		func() RoomEvent { return new(RoomClosed) },
		func() RoomEvent { return new(RoomCounted) },
		func() RoomEvent { return new(RosterUnlisted) },
		func() RoomEvent { return new(RosterListed) },
		func() RoomEvent { return new(MemberJoined) },
		func() RoomEvent { return new(MemberLeft) },
		func() RoomEvent { return new(MemberReturned) },
		func() RoomEvent { return new(RoleChanged) },
		func() RoomEvent { return new(ControlGranted) },
		func() RoomEvent { return new(ControlRevoked) },
		func() RoomEvent { return new(GrantsChanged) },
		func() RoomEvent { return new(TrackSuggested) },
		func() RoomEvent { return new(TrackVoted) },
		func() RoomEvent { return new(TrackRemoved) },
		func() RoomEvent { return new(TrackChosen) },
		func() RoomEvent { return new(TracksRefused) },
		func() RoomEvent { return new(PlaybackStarted) },
		func() RoomEvent { return new(PlaybackPaused) },
		func() RoomEvent { return new(PlaybackSought) },
		func() RoomEvent { return new(PlaybackEnded) },
		func() RoomEvent { return new(SkipVoted) },
		func() RoomEvent { return new(SkipCounted) },
		func() RoomEvent { return new(WindowOpened) },
		func() RoomEvent { return new(WindowClosed) },
		func() RoomEvent { return new(InvitationSent) },
		func() RoomEvent { return new(InvitationWithdrawn) },
		func() RoomEvent { return new(UserBanned) },
		func() RoomEvent { return new(UserUnbanned) },
		func() RoomEvent { return new(PositionJudged) },
	) {
		m[f().EventType()] = f
	}
	return m
}()

// RoomEventTypes lists the types that DecodeRoomEvent knows, sorted.
func RoomEventTypes() []string {
	out := make([]string, 0, len(roomEvents))
	for t := range roomEvents {
		out = append(out, t)
	}
	slices.Sort(out)
	return out
}

// DecodeRoomEvent reads an event's body; it wraps ErrUnknownEvent for a type that this
// release does not know. Fields that it does not know are skipped: a newer release may
// add what an older one can do without.
func DecodeRoomEvent(typ string, body []byte) (RoomEvent, error) {
	empty, ok := roomEvents[typ]
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrUnknownEvent, clip(typ))
	}
	e := empty()
	if err := json.Unmarshal(body, e); err != nil {
		return nil, fmt.Errorf("subjects: event %s: %w", typ, err)
	}
	return e, nil
}
