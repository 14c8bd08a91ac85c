package subjects

import (
	"encoding/json"
	"fmt"
	"slices"
)

// PlaylistEvent is one thing that happened in a playlist.
type PlaylistEvent interface {
	// EventType is the type's name in the log.
	EventType() string
}

// Event types of a playlist. Those marked sealed reach only the user they speak of; the
// rest are public. Beside them a playlist's log holds TracksRefused (EventTracksRefused,
// sealed). A name may also be a room's, with another body.
const (
	EventPlaylistCreated   = "playlist.created"
	EventPlaylistDeleted   = "playlist.deleted"
	EventPlaylistRenamed   = "playlist.renamed"
	EventVisibilityChanged = "visibility.changed"
	EventTracksAdded       = "tracks.added"
	EventTracksRemoved     = "tracks.removed"
	EventTrackMoved        = "track.moved"
	EventTracksRenumbered  = "tracks.renumbered"
	EventPlaylistJoined    = "member.joined"
	EventPlaylistLeft      = "member.left"
	EventPlaylistInvited   = "invitation.sent"      // sealed
	EventPlaylistUninvited = "invitation.withdrawn" // sealed
	EventPlaylistDeclined  = "invitation.declined"  // sealed
	EventPlaylistAdmitted  = "follower.admitted"    // sealed
	EventPlaylistExported  = "playlist.exported"    // sealed
	EventExportFailed      = "export.failed"        // sealed
)

// PlaylistCreated begins the playlist. The creator's membership and the first tracks
// follow as events of their own.
type PlaylistCreated struct {
	Name       string          `json:"name"`
	Creator    string          `json:"creator"`
	Visibility Visibility      `json:"visibility"`
	Options    PlaylistOptions `json:"options"`
}

// PlaylistDeleted ends it for good; its tracks are gone.
type PlaylistDeleted struct{}

// PlaylistRenamed gives it another name.
type PlaylistRenamed struct {
	Name string `json:"name"`
}

// VisibilityChanged shows it to others, and says who edits from now on.
type VisibilityChanged struct {
	Visibility Visibility      `json:"visibility"`
	Options    PlaylistOptions `json:"options"`
}

// PlacedTrack is a track with its order key.
type PlacedTrack struct {
	Track Track `json:"track"`
	Order int64 `json:"order"`
}

// TracksAdded appends tracks, none of which is in the playlist.
type TracksAdded struct {
	User   string        `json:"user"`
	Tracks []PlacedTrack `json:"tracks"`
}

// TracksRemoved takes tracks out.
type TracksRemoved struct {
	Tracks []string `json:"tracks"`
}

// TrackMoved gives a track another place.
type TrackMoved struct {
	Track string `json:"track"`
	// From and To are its indexes before and after.
	From int `json:"from"`
	To   int `json:"to"`
	// Order is its key from now on.
	Order int64 `json:"order"`
}

// TracksRenumbered gives every track a new order key and leaves it where it is; see
// Playlist.
type TracksRenumbered struct{}

// PlaylistJoined puts a user into the playlist.
type PlaylistJoined struct {
	User string `json:"user"`
}

// Why somebody is not in a playlist any more, beside LeftByChoice.
const (
	LeftUninvited = "uninvited" // the invitation to a playlist that is not public was withdrawn
	LeftHidden    = "hidden"    // it ceased to be public, and the user was not invited
)

// PlaylistLeft takes a user out. What they added stays.
type PlaylistLeft struct {
	User   string `json:"user"`
	Reason string `json:"reason"`
}

// PlaylistInvited invites a user. It carries what the invited needs to see what they are
// invited to.
type PlaylistInvited struct {
	User string `json:"user"`
	Name string `json:"name"`
}

// PlaylistUninvited takes an invitation back, or the leave that a follower had to be in the
// playlist. Until they are invited again the user cannot come in as a follower.
type PlaylistUninvited struct {
	User string `json:"user"`
}

// PlaylistDeclined gives an invitation back, by the invited, who is not in the playlist. They
// may be invited again, or come in as everybody may. Sealed to them and to the creator.
type PlaylistDeclined struct {
	User string `json:"user"`
}

// PlaylistAdmitted lets a user join uninvited, because they followed the creator when they
// asked. It holds for as long as they stay.
type PlaylistAdmitted struct {
	User string `json:"user"`
}

// PlaylistExported has a room made of the playlist as it is, for the user, who creates it.
// The platform opens the room a moment later, once, whatever dies meanwhile.
type PlaylistExported struct {
	User string `json:"user"`
	// Room is the id of the room. It is known before the room is there.
	Room string `json:"room"`
	// Create is how the room is opened, without its tracks.
	Create CreateRoom `json:"create"`
	// Tracks names the playlist's tracks in their order.
	Tracks []TrackRef `json:"tracks"`
}

// ExportFailed tells that the room of an export was refused, or some of its tracks.
type ExportFailed struct {
	User string `json:"user"`
	// Room is the id that PlaylistExported gave.
	Room string `json:"room"`
	// Part says that the room is there, and the tracks that one command could not hold are
	// missing in part.
	Part bool `json:"part"`
	// Code and Reason are what the room's owner answered.
	Code   Code   `json:"code"`
	Reason string `json:"reason"`
}

// EventType is EventPlaylistCreated.
func (*PlaylistCreated) EventType() string { return EventPlaylistCreated }

// EventType is EventPlaylistDeleted.
func (*PlaylistDeleted) EventType() string { return EventPlaylistDeleted }

// EventType is EventPlaylistRenamed.
func (*PlaylistRenamed) EventType() string { return EventPlaylistRenamed }

// EventType is EventVisibilityChanged.
func (*VisibilityChanged) EventType() string { return EventVisibilityChanged }

// EventType is EventTracksAdded.
func (*TracksAdded) EventType() string { return EventTracksAdded }

// EventType is EventTracksRemoved.
func (*TracksRemoved) EventType() string { return EventTracksRemoved }

// EventType is EventTrackMoved.
func (*TrackMoved) EventType() string { return EventTrackMoved }

// EventType is EventTracksRenumbered.
func (*TracksRenumbered) EventType() string { return EventTracksRenumbered }

// EventType is EventPlaylistJoined.
func (*PlaylistJoined) EventType() string { return EventPlaylistJoined }

// EventType is EventPlaylistLeft.
func (*PlaylistLeft) EventType() string { return EventPlaylistLeft }

// EventType is EventPlaylistInvited.
func (*PlaylistInvited) EventType() string { return EventPlaylistInvited }

// EventType is EventPlaylistUninvited.
func (*PlaylistUninvited) EventType() string { return EventPlaylistUninvited }

// EventType is EventPlaylistDeclined.
func (*PlaylistDeclined) EventType() string { return EventPlaylistDeclined }

// EventType is EventPlaylistAdmitted.
func (*PlaylistAdmitted) EventType() string { return EventPlaylistAdmitted }

// EventType is EventExportFailed.
func (*ExportFailed) EventType() string { return EventExportFailed }

// EventType is EventPlaylistExported.
func (*PlaylistExported) EventType() string { return EventPlaylistExported }

var playlistEvents = map[string]func() PlaylistEvent{
	EventPlaylistCreated:   func() PlaylistEvent { return new(PlaylistCreated) },
	EventPlaylistDeleted:   func() PlaylistEvent { return new(PlaylistDeleted) },
	EventPlaylistRenamed:   func() PlaylistEvent { return new(PlaylistRenamed) },
	EventVisibilityChanged: func() PlaylistEvent { return new(VisibilityChanged) },
	EventTracksAdded:       func() PlaylistEvent { return new(TracksAdded) },
	EventTracksRemoved:     func() PlaylistEvent { return new(TracksRemoved) },
	EventTrackMoved:        func() PlaylistEvent { return new(TrackMoved) },
	EventTracksRenumbered:  func() PlaylistEvent { return new(TracksRenumbered) },
	EventPlaylistJoined:    func() PlaylistEvent { return new(PlaylistJoined) },
	EventPlaylistLeft:      func() PlaylistEvent { return new(PlaylistLeft) },
	EventPlaylistInvited:   func() PlaylistEvent { return new(PlaylistInvited) },
	EventPlaylistUninvited: func() PlaylistEvent { return new(PlaylistUninvited) },
	EventPlaylistDeclined:  func() PlaylistEvent { return new(PlaylistDeclined) },
	EventPlaylistAdmitted:  func() PlaylistEvent { return new(PlaylistAdmitted) },
	EventPlaylistExported:  func() PlaylistEvent { return new(PlaylistExported) },
	EventExportFailed:      func() PlaylistEvent { return new(ExportFailed) },
	EventTracksRefused:     func() PlaylistEvent { return new(TracksRefused) },
}

// PlaylistEventTypes lists the types that DecodePlaylistEvent knows, sorted.
func PlaylistEventTypes() []string {
	out := make([]string, 0, len(playlistEvents))
	for t := range playlistEvents {
		out = append(out, t)
	}
	slices.Sort(out)
	return out
}

// DecodePlaylistEvent reads an event's body; it wraps ErrUnknownEvent for a type that this
// release does not know. Fields that it does not know are skipped.
func DecodePlaylistEvent(typ string, body []byte) (PlaylistEvent, error) {
	empty, ok := playlistEvents[typ]
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrUnknownEvent, clip(typ))
	}
	e := empty()
	if err := json.Unmarshal(body, e); err != nil {
		return nil, fmt.Errorf("subjects: event %s: %w", typ, err)
	}
	return e, nil
}
