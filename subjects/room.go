package subjects

import (
	"errors"
	"strings"
)

// KindVote is the kind of room in which the highest voted track plays next.
const KindVote = "vote"

// Phases of a room.
const (
	PhaseOpen   = "open"   // commands are taken
	PhaseClosed = "closed" // for good: only reading and an idempotent leave are left
)

// Why a room closed.
const (
	ClosedCreatorLeft = "creator_left" // its creator left on purpose
	ClosedByRequest   = "closed"       // somebody who may asked for it
)

// Who sounds.
const (
	ModeBroadcast = "broadcast" // every device
	ModeDirect    = "direct"    // one device for all
)

// How a room's document lists its members.
const (
	ListedInline = "inline" // every member by name, and the exact count
	ListedByPage = "paged"  // a count only, exact to a sixty-fourth; the roster is read by page
)

// Room is the public document of a room: what everybody who may see the room sees of
// it. It is folded from the public events of the room's log alone (Apply), and follows
// from the merge patches in it (ApplyPatch) just the same.
//
// The keys current, constraints, closedReason, queueOptions, turns, played, poll and
// readyCheck are absent when there is nothing to say; no value is ever null. Queue and
// members are maps, so that a change is one key: the queue's order is highest score first,
// then lowest seq, unless its options say otherwise (Ordered).
type Room struct {
	ID        string `json:"id"`
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Creator   string `json:"creator"`
	CreatedAt int64  `json:"createdAt"`
	// Phase is empty before the room was created, then PhaseOpen, then PhaseClosed.
	Phase        string           `json:"phase"`
	ClosedReason string           `json:"closedReason,omitempty"`
	Options      RoomOptions      `json:"options"`
	Constraints  *RoomConstraints `json:"constraints,omitempty"`
	Playback     Playback         `json:"playback"`
	// Current is the track that Playback speaks of. It is never in the queue as well.
	Current *Track `json:"current,omitempty"`
	// Queue holds what waits, by track id; at most MaxQueue.
	Queue map[string]QueueEntry `json:"queue"`
	// Roster is ListedInline or ListedByPage; by page, Members is empty.
	Roster string `json:"roster"`
	// Members lists who is in the room, by user id; at most RosterInline.
	Members     map[string]Member `json:"members"`
	MemberCount int               `json:"memberCount"`
	// Grants says what each role may do.
	Grants Grants `json:"grants"`
	// Skip counts the votes to skip the current track.
	Skip Skip `json:"skip"`
	// QueueOptions are how the queue works, absent until somebody sets them (Queueing).
	QueueOptions *QueueOptions `json:"queueOptions,omitempty"`
	// Turns are, in a queue whose order is fair, when each suggester last had a turn, by
	// user id: the higher, the later. At most MaxTurns.
	Turns map[string]int64 `json:"turns,omitempty"`
	// Played are the last PlayedListed plays, by their number in decimal (LastPlayed).
	Played map[string]PlayedTrack `json:"played,omitempty"`
	// Poll is the open poll or, until there is another, the last one's result.
	Poll *Poll `json:"poll,omitempty"`
	// ReadyCheck is the one under way or, until there is another, the last one's outcome.
	ReadyCheck *ReadyCheck `json:"readyCheck,omitempty"`
}

// RoomOptions are chosen when the room is created and stay.
type RoomOptions struct {
	// MinimumScore is the score a track needs to be played, 1 or more.
	MinimumScore int `json:"minimumScore"`
	// Open rooms are seen and joined by everyone; private ones by the invited.
	Open bool `json:"open"`
	// OnlyInvitedVote lets only the invited (and the creator) vote; open rooms only.
	OnlyInvitedVote bool `json:"onlyInvitedVote"`
	// Mode is ModeBroadcast or ModeDirect.
	Mode string `json:"mode"`
	// SkipShare is in percent: a track is skipped when more than this share of the
	// members who may vote to skip did (at 100, when all did).
	SkipShare int `json:"skipShare"`
}

// States of a constraint's time window.
const (
	WindowBefore = "before" // start lies ahead: no votes yet
	WindowOpen   = "open"   // votes are taken; always so where no time is set
	WindowOver   = "over"   // end has passed: no votes any more
)

// RoomConstraints say where and when votes are taken. At least one of place and time is
// set; start and end are set together.
type RoomConstraints struct {
	Place *Place `json:"place,omitempty"`
	// Start and End bound the time in which votes are taken, End excluded; 0 and absent
	// where no time is set.
	Start int64 `json:"start,omitempty"`
	End   int64 `json:"end,omitempty"`
	// Window is where the room's clock stands to Start and End.
	Window string `json:"window"`
}

// Place is a circle on the globe.
type Place struct {
	// Lat and Lng are degrees, WGS 84.
	Lat float64 `json:"lat"`
	Lng float64 `json:"lng"`
	// RadiusM is in metres, above zero.
	RadiusM float64 `json:"radiusM"`
}

// UnmarshalJSON wants all three: no place is guessed.
func (p *Place) UnmarshalJSON(data []byte) error {
	var in struct {
		Lat     *float64 `json:"lat"`
		Lng     *float64 `json:"lng"`
		RadiusM *float64 `json:"radiusM"`
	}
	if err := DecodeBody(data, &in); err != nil {
		var r *Refusal
		if errors.As(err, &r) && r.Field != "" {
			return RefuseField("constraints.place."+r.Field, "%s", r.Message)
		}
		return err
	}
	if in.Lat == nil || in.Lng == nil || in.RadiusM == nil {
		return RefuseField("constraints.place", "a place is lat, lng and radiusM")
	}
	p.Lat, p.Lng, p.RadiusM = *in.Lat, *in.Lng, *in.RadiusM
	return nil
}

// HasTime reports whether votes are bound to a time.
func (c *RoomConstraints) HasTime() bool { return c != nil && c.End != 0 }

// Playback tells where the current track is without anybody sending ticks.
type Playback struct {
	Playing bool `json:"playing"`
	// TrackID is the current track's id, "" if there is none.
	TrackID string `json:"trackId"`
	// PositionMs is the position in the track at the time AnchorAt.
	PositionMs int64 `json:"positionMs"`
	// AnchorAt is in server time. It may lie up to PlaybackLead ahead, so that every
	// device takes the same step at the same moment.
	AnchorAt int64 `json:"anchorAt"`
	// Rate is how fast the track plays; 1 is its own speed.
	Rate float64 `json:"rate"`
	// Ended is set while the room waits at a track's end for one that is eligible: it
	// then starts by itself.
	Ended bool `json:"ended"`
}

// PositionAt gives the position in milliseconds at a server time, within 0 and the
// track's duration. Before the anchor, and while paused, it is PositionMs.
func (p Playback) PositionAt(serverMs, durationMs int64) int64 {
	pos := p.PositionMs
	if p.Playing && serverMs > p.AnchorAt {
		pos += int64(float64(serverMs-p.AnchorAt) * p.Rate)
	}
	return max(0, min(pos, durationMs))
}

// EndsAt gives the server time at which the track of that duration ends; ok is false
// unless it plays.
func (p Playback) EndsAt(durationMs int64) (at int64, ok bool) {
	if !p.Playing || p.Rate <= 0 {
		return 0, false
	}
	left := max(0, durationMs-p.PositionMs)
	if p.Rate != 1 {
		left = int64(float64(left)/p.Rate + 0.999)
	}
	return p.AnchorAt + left, true
}

// QueueEntry is a track that waits to be played.
type QueueEntry struct {
	Track Track `json:"track"`
	// Score is the number of its votes.
	Score       int    `json:"score"`
	SuggestedBy string `json:"suggestedBy"`
	SuggestedAt int64  `json:"suggestedAt"`
	// Seq orders what nothing else orders: the lower comes first. It counts the room's
	// suggestions, and a shuffle deals the queued ones' seqs anew.
	Seq int64 `json:"seq"`
}

// Member is what everybody sees of somebody in the room.
type Member struct {
	Role     Role  `json:"role"`
	JoinedAt int64 `json:"joinedAt"`
	// Control is the permission to play, pause, seek and go to the next track, granted
	// to this member beyond what the role may do.
	Control bool `json:"control"`
}

// Skip counts the votes to skip the current track. Needed is the number that was needed
// when the count last changed, 0 while there are no votes.
type Skip struct {
	Votes  int `json:"votes"`
	Needed int `json:"needed"`
}

// Waiting reports whether the next track that becomes eligible becomes current at once:
// there is no current track, or the room waits at its end.
func (r *Room) Waiting() bool { return r.Current == nil || r.Playback.Ended }

// PositionAt gives the position in the current track at a server time, 0 if there is no
// current track.
func (r *Room) PositionAt(serverMs int64) int64 {
	if r.Current == nil {
		return 0
	}
	return r.Playback.PositionAt(serverMs, r.Current.DurationMs)
}

// EndsAt gives the server time at which the current track ends; ok is false unless one
// plays.
func (r *Room) EndsAt() (at int64, ok bool) {
	if r.Current == nil {
		return 0, false
	}
	return r.Playback.EndsAt(r.Current.DurationMs)
}

// RoomNameKey gives the form of a name in which two names count as the same and in
// which names are searched by prefix: lower case, every run of space one space.
func RoomNameKey(name string) string {
	return strings.ToLower(strings.Join(strings.Fields(name), " "))
}
