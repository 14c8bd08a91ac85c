package subjects

// Event types of a room's queue, history, polls and ready-checks. Those marked sealed reach
// only the user they speak of; the rest are public.
const (
	EventTrackPlayed     = "track.played"
	EventTrackRequeued   = "track.requeued"
	EventTrackRestored   = "track.restored"
	EventTrackUnvoted    = "track.unvoted"
	EventQueueShuffled   = "queue.shuffled"
	EventQueueSet        = "queue.set"
	EventChangeUndone    = "change.undone"
	EventHistoryExported = "history.exported" // sealed
	EventHistoryFailed   = "history.failed"   // sealed
	EventPollOpened      = "poll.opened"
	EventPollAnswered    = "poll.answered" // sealed
	EventPollCounted     = "poll.counted"
	EventPollClosed      = "poll.closed"
	EventReadyAsked      = "ready.asked"
	EventReadyAnswered   = "ready.answered" // sealed
	EventReadyCounted    = "ready.counted"
	EventReadyFinished   = "ready.finished"
)

// TrackPlayed says that the current track, which has sounded, leaves the stage. What comes
// instead follows as an event of its own.
type TrackPlayed struct {
	PlayedTrack
}

// TrackRequeued puts the current track, which leaves the stage, at the end of the queue.
type TrackRequeued struct {
	// User suggested it, and keeps it.
	User  string `json:"user"`
	Track string `json:"track"`
	Seq   int64  `json:"seq"`
	// Voted says that it comes back with the user's vote, as if it were suggested now.
	Voted bool `json:"voted"`
}

// TrackRestored puts a track back that was taken out of the queue, with its place and the
// votes it had.
type TrackRestored struct {
	// Change took it out.
	Change int64      `json:"change"`
	Entry  QueueEntry `json:"entry"`
}

// TrackUnvoted takes a user's vote for a queued track back.
type TrackUnvoted struct {
	User  string `json:"user"`
	Track string `json:"track"`
}

// QueueShuffled gives queued tracks other seqs.
type QueueShuffled struct {
	Seqs map[string]int64 `json:"seqs"`
}

// QueueSet changes how the queue works.
type QueueSet struct {
	QueueOptions
}

// ChangeUndone says that a change of the queue is taken back; what that means for the queue
// follows as events of their own.
type ChangeUndone struct {
	Change int64 `json:"change"`
	// Verb is what had made it, User who.
	Verb string `json:"verb"`
	User string `json:"user"`
}

// HistoryExported has a playlist made of what the room has played. It holds all that the
// playlist needs.
type HistoryExported struct {
	User     string `json:"user"`
	Playlist string `json:"playlist"`
	// Create begins it, without tracks; Tracks are all of them, the oldest play first.
	Create CreatePlaylist `json:"create"`
	Tracks []TrackRef     `json:"tracks"`
}

// HistoryFailed tells that the playlist of an export was refused, or some of its tracks.
type HistoryFailed struct {
	User string `json:"user"`
	// Playlist is the id that HistoryExported gave.
	Playlist string `json:"playlist"`
	// Part says that the playlist is there, and the tracks that one command could not hold
	// are missing in part.
	Part bool `json:"part"`
	// Code and Reason are what the playlist's owner answered.
	Code   Code   `json:"code"`
	Reason string `json:"reason"`
}

// PollOpened asks the room a question.
type PollOpened struct {
	Poll     int64    `json:"poll"`
	Question string   `json:"question"`
	Options  []string `json:"options"`
	// EndsAt is 0 for a poll that does not close by itself.
	EndsAt int64 `json:"endsAt"`
}

// PollAnswered is a user's answer, in place of an earlier one.
type PollAnswered struct {
	User   string `json:"user"`
	Poll   int64  `json:"poll"`
	Option int    `json:"option"`
}

// PollCounted moves the public counts.
type PollCounted struct {
	Poll   int64 `json:"poll"`
	Counts []int `json:"counts"`
}

// PollClosed ends a poll. The counts are exact.
type PollClosed struct {
	Poll   int64 `json:"poll"`
	Counts []int `json:"counts"`
	At     int64 `json:"at"`
}

// ReadyAsked begins a ready-check.
type ReadyAsked struct {
	Check  int64 `json:"check"`
	EndsAt int64 `json:"endsAt"`
	// Of is how many may answer.
	Of int `json:"of"`
}

// ReadyAnswered is a user's answer, in place of an earlier one.
type ReadyAnswered struct {
	User  string `json:"user"`
	Check int64  `json:"check"`
	Ready bool   `json:"ready"`
}

// ReadyCounted moves the public numbers.
type ReadyCounted struct {
	Check int64 `json:"check"`
	Ready int   `json:"ready"`
	Of    int   `json:"of"`
	// Users are the ready ones, sorted; empty in a room whose roster is paged.
	Users []string `json:"users"`
}

// ReadyFinished ends a ready-check: everybody is ready, or its time is up. The numbers are
// exact.
type ReadyFinished struct {
	Check int64    `json:"check"`
	Ready int      `json:"ready"`
	Of    int      `json:"of"`
	Users []string `json:"users"`
	At    int64    `json:"at"`
}

// EventType is EventTrackPlayed.
func (*TrackPlayed) EventType() string { return EventTrackPlayed }

// EventType is EventTrackRequeued.
func (*TrackRequeued) EventType() string { return EventTrackRequeued }

// EventType is EventTrackRestored.
func (*TrackRestored) EventType() string { return EventTrackRestored }

// EventType is EventTrackUnvoted.
func (*TrackUnvoted) EventType() string { return EventTrackUnvoted }

// EventType is EventQueueShuffled.
func (*QueueShuffled) EventType() string { return EventQueueShuffled }

// EventType is EventQueueSet.
func (*QueueSet) EventType() string { return EventQueueSet }

// EventType is EventChangeUndone.
func (*ChangeUndone) EventType() string { return EventChangeUndone }

// EventType is EventHistoryExported.
func (*HistoryExported) EventType() string { return EventHistoryExported }

// EventType is EventHistoryFailed.
func (*HistoryFailed) EventType() string { return EventHistoryFailed }

// EventType is EventPollOpened.
func (*PollOpened) EventType() string { return EventPollOpened }

// EventType is EventPollAnswered.
func (*PollAnswered) EventType() string { return EventPollAnswered }

// EventType is EventPollCounted.
func (*PollCounted) EventType() string { return EventPollCounted }

// EventType is EventPollClosed.
func (*PollClosed) EventType() string { return EventPollClosed }

// EventType is EventReadyAsked.
func (*ReadyAsked) EventType() string { return EventReadyAsked }

// EventType is EventReadyAnswered.
func (*ReadyAnswered) EventType() string { return EventReadyAnswered }

// EventType is EventReadyCounted.
func (*ReadyCounted) EventType() string { return EventReadyCounted }

// EventType is EventReadyFinished.
func (*ReadyFinished) EventType() string { return EventReadyFinished }

var queueEvents = []func() RoomEvent{
	func() RoomEvent { return new(TrackPlayed) },
	func() RoomEvent { return new(TrackRequeued) },
	func() RoomEvent { return new(TrackRestored) },
	func() RoomEvent { return new(TrackUnvoted) },
	func() RoomEvent { return new(QueueShuffled) },
	func() RoomEvent { return new(QueueSet) },
	func() RoomEvent { return new(ChangeUndone) },
	func() RoomEvent { return new(HistoryExported) },
	func() RoomEvent { return new(HistoryFailed) },
	func() RoomEvent { return new(PollOpened) },
	func() RoomEvent { return new(PollAnswered) },
	func() RoomEvent { return new(PollCounted) },
	func() RoomEvent { return new(PollClosed) },
	func() RoomEvent { return new(ReadyAsked) },
	func() RoomEvent { return new(ReadyAnswered) },
	func() RoomEvent { return new(ReadyCounted) },
	func() RoomEvent { return new(ReadyFinished) },
}
