package subjects

import (
	"strings"
	"time"
)

// Undo takes a change of the queue back.
type Undo struct {
	// Change is the one meant, as You.Undo and ChangeUndone name it; 0 or absent: the last
	// that the sender may take back.
	Change int64 `json:"change,omitempty"`
}

// Shuffle puts tracks that nothing else orders into an order by chance: those of equal
// score.
type Shuffle struct{}

// SetQueue changes how the queue works; what is absent stays.
type SetQueue struct {
	// Order is OrderVotes or OrderFair.
	Order *string `json:"order,omitempty"`
	Loop  *bool   `json:"loop,omitempty"`
	// PerUser is 0 (no limit) to MaxQueueLimit, PerTrack 0 to MaxPlayLimit.
	PerUser  *int `json:"perUser,omitempty"`
	PerTrack *int `json:"perTrack,omitempty"`
}

// ExportHistory begins a playlist of the sender's with the tracks that the room has played:
// of its last PlayedKept plays, each track once, the oldest first. The event
// HistoryExported tells the sender the playlist's id at once; the playlist is there a moment
// later. Should its owner refuse it, since none of its first tracks can be had any more for
// example, the event HistoryFailed says so.
type ExportHistory struct {
	// Name of the playlist, the room's if absent.
	Name string `json:"name,omitempty"`
	// Visibility is VisibilityPrivate if absent.
	Visibility Visibility `json:"visibility,omitempty"`
}

// ExportedPlaylistID gives the playlist that an export of a room's history begins, from what
// its sender knows once it is answered: the command's id, and the answer's time in Unix
// milliseconds.
func ExportedPlaylistID(room, user, command string, at int64) string {
	return DeriveID(PrefixPlaylist, time.UnixMilli(at), "history", room, user, command)
}

// Verb is VerbUndo.
func (*Undo) Verb() string { return VerbUndo }

// Verb is VerbShuffle.
func (*Shuffle) Verb() string { return VerbShuffle }

// Verb is VerbSetQueue.
func (*SetQueue) Verb() string { return VerbSetQueue }

// Verb is VerbExportHistory.
func (*ExportHistory) Verb() string { return VerbExportHistory }

// Check wants a change's number.
func (c *Undo) Check() error {
	if c.Change < 0 {
		return RefuseField("change", "not the number of a change")
	}
	return nil
}

// Check finds nothing wrong with an empty body.
func (*Shuffle) Check() error { return nil }

// Check wants one option at least, and each within its bounds.
func (c *SetQueue) Check() error {
	if c.Order == nil && c.Loop == nil && c.PerUser == nil && c.PerTrack == nil {
		return RefuseField("order", "name what to set: order, loop, perUser or perTrack")
	}
	if c.Order != nil && *c.Order != OrderVotes && *c.Order != OrderFair {
		return RefuseField("order", "the order is %q or %q", OrderVotes, OrderFair)
	}
	if c.PerUser != nil && (*c.PerUser < 0 || *c.PerUser > MaxQueueLimit) {
		return RefuseField("perUser", "the limit is 1 to %d tracks, or 0 for none", MaxQueueLimit)
	}
	if c.PerTrack != nil && (*c.PerTrack < 0 || *c.PerTrack > MaxPlayLimit) {
		return RefuseField("perTrack", "the limit is 1 to %d plays, or 0 for none", MaxPlayLimit)
	}
	return nil
}

// On gives the options that the command makes of others.
func (c *SetQueue) On(o QueueOptions) QueueOptions {
	if c.Order != nil {
		o.Order = *c.Order
	}
	if c.Loop != nil {
		o.Loop = *c.Loop
	}
	if c.PerUser != nil {
		o.PerUser = *c.PerUser
	}
	if c.PerTrack != nil {
		o.PerTrack = *c.PerTrack
	}
	return o
}

// Check trims the name, fills in the visibility and refuses what a playlist cannot have.
func (c *ExportHistory) Check() error {
	c.Name = strings.TrimSpace(c.Name)
	if c.Name != "" {
		if err := CheckPlaylistName(c.Name); err != nil {
			return err
		}
	}
	if c.Visibility == "" {
		c.Visibility = VisibilityPrivate
	}
	return checkVisibility(c.Visibility, false)
}
