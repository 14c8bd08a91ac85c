package subjects

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

const (
	// PlayedListed is how many plays a room's document lists: the last ones.
	PlayedListed = 20
	// PlayedKept is how many plays a room's state keeps, for exports and for the limit of
	// plays a track. All of them are read by page (TableRoomPlays).
	PlayedKept = 200
	// MaxChanges bounds the changes of the queue that can still be taken back; past it the
	// oldest stays for good.
	MaxChanges = 20
	// MaxTurns bounds the suggesters whose last turn a fair queue remembers; the one whose
	// turn was the longest ago is forgotten, and comes first again.
	MaxTurns = 256
	// MaxHistoryExports bounds the exports that a room remembers, to tell their senders if one
	// is refused; of the oldest nobody is told any more.
	MaxHistoryExports = 100
	// MaxQueueLimit is the highest limit that setQueue takes for the tracks of one user.
	MaxQueueLimit = MaxQueue
	// MaxPlayLimit is the highest limit that it takes for the plays of one track.
	MaxPlayLimit = PlayedKept
)

// Orders of a queue.
const (
	// OrderVotes plays the highest score first, of equals the lowest seq.
	OrderVotes = "votes"
	// OrderFair plays the suggesters' best tracks in turn: see FairOrder.
	OrderFair = "fair"
)

// QueueOptions are how a room's queue works; setQueue changes them. A document without
// them has DefaultQueueOptions.
type QueueOptions struct {
	// Order is OrderVotes or OrderFair.
	Order string `json:"order"`
	// Loop puts a track that leaves the stage at the end of the queue.
	Loop bool `json:"loop"`
	// PerUser is how many queued tracks one user may have suggested, 0 for no limit.
	PerUser int `json:"perUser"`
	// PerTrack is how often a track may be among the last PlayedKept plays and still be
	// queued, less one: so often it is played at most. 0 for no limit.
	PerTrack int `json:"perTrack"`
}

// DefaultQueueOptions are those of a room in which nobody has set any.
func DefaultQueueOptions() QueueOptions { return QueueOptions{Order: OrderVotes} }

// Queueing gives the room's queue options.
func (r *Room) Queueing() QueueOptions {
	if r.QueueOptions == nil {
		return DefaultQueueOptions()
	}
	return *r.QueueOptions
}

// PlayedTrack is one time that a track was played.
type PlayedTrack struct {
	// N counts the plays of the room, from 1.
	N     int64 `json:"n"`
	Track Track `json:"track"`
	// By suggested it.
	By string `json:"by"`
	// At is when it began to sound, EndedAt when it left the stage, later than At.
	At      int64 `json:"at"`
	EndedAt int64 `json:"endedAt"`
}

// playKey is a play's key in the document.
func playKey(n int64) string { return strconv.FormatInt(n, 10) }

// LastPlayed gives the plays that the document lists, the newest last.
func (r *Room) LastPlayed() []PlayedTrack {
	out := slices.Collect(maps.Values(r.Played))
	slices.SortFunc(out, func(a, b PlayedTrack) int { return cmp.Compare(a.N, b.N) })
	return out
}

// Ordered gives the queue in the order in which it will be played, by the room's queue
// options. Tracks that lack the minimum score stand in it too and are passed over.
func (r *Room) Ordered() []QueueEntry {
	out := make([]QueueEntry, 0, len(r.Queue))
	for _, e := range r.Queue {
		out = append(out, e)
	}
	if r.Queueing().Order == OrderFair {
		return FairOrder(out, r.Turns)
	}
	slices.SortFunc(out, QueueEntry.before)
	return out
}

// NextEligible gives the track that would be played next: the first of the queue whose
// score suffices.
func (r *Room) NextEligible() (QueueEntry, bool) {
	if r.Queueing().Order == OrderFair {
		for _, e := range r.Ordered() {
			if e.Score >= r.Options.MinimumScore {
				return e, true
			}
		}
		return QueueEntry{}, false
	}
	var best QueueEntry
	found := false
	for _, e := range r.Queue {
		if e.Score >= r.Options.MinimumScore && (!found || e.before(best) < 0) {
			best, found = e, true
		}
	}
	return best, found
}

// FairOrder gives a queue in rounds: each suggester's best track in turn, then each one's
// second, and so on. It reorders entries in place of a copy.
//
//   - A suggester's tracks stand by score, highest first, of equals the lowest seq first,
//     then by id, bytewise.
//   - In every round the suggesters come in the same order: who had a turn longest ago
//     first (turns, where who is absent counts as 0), of equals whose best track would come
//     first by the rule above.
//   - A round leaves out who has no track left.
func FairOrder(entries []QueueEntry, turns map[string]int64) []QueueEntry {
	slices.SortFunc(entries, QueueEntry.before)
	lists := map[string][]QueueEntry{}
	var suggesters []string // by their best tracks
	for _, e := range entries {
		if _, seen := lists[e.SuggestedBy]; !seen {
			suggesters = append(suggesters, e.SuggestedBy)
		}
		lists[e.SuggestedBy] = append(lists[e.SuggestedBy], e)
	}
	slices.SortStableFunc(suggesters, func(a, b string) int { return cmp.Compare(turns[a], turns[b]) })
	out := make([]QueueEntry, 0, len(entries))
	for round := 0; len(out) < len(entries); round++ {
		for _, user := range suggesters {
			if list := lists[user]; round < len(list) {
				out = append(out, list[round])
			}
		}
	}
	return out
}

// takeTurn notes that a suggester's track was chosen.
func (r *Room) takeTurn(user string, m *Marks) {
	last, oldest := int64(0), ""
	for u, turn := range r.Turns {
		last = max(last, turn)
		if oldest == "" || turn < r.Turns[oldest] || turn == r.Turns[oldest] && u < oldest {
			oldest = u
		}
	}
	if _, known := r.Turns[user]; !known && len(r.Turns) >= MaxTurns {
		delete(r.Turns, oldest)
		m.Mark("turns", oldest)
	}
	if r.Turns == nil {
		r.Turns = map[string]int64{}
	}
	r.Turns[user] = last + 1
	m.Mark("turns", user)
}

// before is the order of a queue by votes.
func (e QueueEntry) before(o QueueEntry) int {
	return cmp.Or(cmp.Compare(o.Score, e.Score), cmp.Compare(e.Seq, o.Seq), strings.Compare(e.Track.ID, o.Track.ID))
}
