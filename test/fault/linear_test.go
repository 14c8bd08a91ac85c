package fault

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/tuttihq/tutti/subjects"
)

// judgeTime bounds the search for an order that explains one history.
const judgeTime = 30 * time.Second

// A history is linearizable if its commands can be put into one order, each at some moment
// between its sending and its answer, in which a plain sequential list, ballot or deck gives
// the same answers. Accepted commands must also stand in the order of the revisions that
// they were answered with, so the order that is found is one that the log can have. What got
// no answer may take effect at any moment after it was sent, or never.

// linearizable judges the histories of every thing that there is a model of, the ballots
// track by track. It gives what is wrong, how many commands were judged, and how many of
// those are in histories that are not explained.
func linearizable(ops []*op) (wrong []string, judged, odd int) {
	type part struct {
		of    string
		model porcupine.Model
		ops   []*op
	}
	parts := map[string]*part{}
	for _, o := range ops {
		var key string
		var model porcupine.Model
		switch {
		case o.outcome == refused && !judgeable(o.code):
			continue // it says nothing about the state
		case o.at.service == subjects.ServicePlaylist && slices.Contains(listVerbs, o.verb):
			key, model = o.at.String(), listModel
		case o.at.service == subjects.ServiceRoom && slices.Contains(ballotVerbs, o.verb) && !o.deck:
			key, model = o.at.String()+" "+o.track, ballotModel
		case o.at.service == subjects.ServiceRoom && slices.Contains(deckVerbs, o.verb) && o.deck:
			key, model = o.at.String(), deckModel
		default:
			continue
		}
		if parts[key] == nil {
			parts[key] = &part{of: key, model: model}
		}
		parts[key].ops = append(parts[key].ops, o)
		judged++
	}
	for _, p := range parts {
		switch porcupine.CheckOperationsTimeout(p.model, operations(p.ops), judgeTime) {
		case porcupine.Ok:
			continue
		case porcupine.Illegal:
			wrong = append(wrong, fmt.Sprintf("%s: no order explains its %d commands", p.of, len(p.ops)))
		default:
			wrong = append(wrong, fmt.Sprintf("%s: no order was found in %v that explains its %d commands, nor that there is none", p.of, judgeTime, len(p.ops)))
		}
		odd += len(p.ops)
	}
	slices.Sort(wrong)
	return wrong, judged, odd
}

// judgeable reports whether a refusal speaks of what the models look at.
func judgeable(c subjects.Code) bool {
	switch c {
	case subjects.CodeConflict, subjects.CodeNothingAccepted, subjects.CodeNoSuchTrack, subjects.CodeAlreadyVoted,
		subjects.CodeAlready, subjects.CodeNothingToPlay:
		return true
	}
	return false
}

func operations(ops []*op) []porcupine.Operation {
	out := make([]porcupine.Operation, len(ops))
	var first time.Time
	for i, o := range ops {
		if i == 0 || o.sent.Before(first) {
			first = o.sent
		}
	}
	for i, o := range ops {
		back := int64(math.MaxInt64)
		if o.outcome != unknown {
			back = int64(o.done.Sub(first))
		}
		out[i] = porcupine.Operation{ClientId: o.client, Input: o, Call: int64(o.sent.Sub(first)), Return: back}
	}
	return out
}

// moved gives the revision that the log is at after a command that had an effect; false if
// it was answered with one before what has happened already.
func moved(rev uint64, o *op) (uint64, bool) {
	if o.outcome == unknown {
		return rev, true
	}
	return o.rev, o.rev >= rev
}

var (
	listVerbs   = []string{subjects.VerbAdd, subjects.VerbRemove, subjects.VerbMove}
	ballotVerbs = []string{subjects.VerbSuggest, subjects.VerbVote, subjects.VerbRemove}
	deckVerbs   = []string{subjects.VerbPlay, subjects.VerbPause, subjects.VerbSeek, subjects.VerbSuggest}
)

// list is a playlist that began empty: the ids in their order, and the revision.
type list struct {
	tracks string
	rev    uint64
}

var listModel = porcupine.Model{
	Init: func() any { return list{} },
	Step: func(state, in, _ any) (bool, any) {
		s, o := state.(list), in.(*op)
		var tracks []string
		if s.tracks != "" {
			tracks = strings.Split(s.tracks, " ")
		}
		at, n := slices.Index(tracks, o.track), len(tracks)
		no := subjects.Code("") // what a refusal would be; "" if there is none
		switch o.verb {
		case subjects.VerbAdd:
			if at >= 0 {
				no = subjects.CodeNothingAccepted
			} else {
				tracks = append(tracks, o.track)
			}
		case subjects.VerbRemove:
			if at >= 0 {
				tracks = slices.Delete(tracks, at, at+1)
			}
		case subjects.VerbMove:
			if at < 0 || at != o.from || o.to >= n {
				no = subjects.CodeConflict
			} else {
				tracks = slices.Insert(slices.Delete(tracks, at, at+1), o.to, o.track)
			}
		}
		switch {
		case o.outcome == refused:
			return o.code == no, s
		case no != "":
			return o.outcome == unknown, s
		}
		after := list{strings.Join(tracks, " "), s.rev}
		ok := true
		if after.tracks != s.tracks {
			after.rev, ok = moved(s.rev, o)
		}
		return ok, after
	},
}

// ballot is what is known of one track in a room that began without it and never plays: is
// it queued, and which clients have voted for it.
type ballot struct {
	queued bool
	voters uint64 // a bit a client
	rev    uint64
}

var ballotModel = porcupine.Model{
	Init: func() any { return ballot{} },
	Step: func(state, in, _ any) (bool, any) {
		s, o := state.(ballot), in.(*op)
		me, after, no := uint64(1)<<o.client, s, subjects.Code("")
		switch {
		case o.verb == subjects.VerbRemove && s.queued:
			after = ballot{}
		case o.verb != subjects.VerbSuggest && !s.queued:
			no = subjects.CodeNoSuchTrack
		case o.verb == subjects.VerbSuggest && s.voters&me != 0:
			no = subjects.CodeNothingAccepted
		case s.voters&me != 0:
			no = subjects.CodeAlreadyVoted
		default:
			after.queued, after.voters = true, s.voters|me
		}
		switch {
		case o.outcome == refused:
			return o.code == no, s
		case no != "":
			return o.outcome == unknown, s
		}
		rev, ok := moved(s.rev, o)
		after.rev = rev
		return ok, after
	},
}

// deck is a room that began paused, with a current track. Its clock may let a track that
// plays end at any moment: the next one then plays, or the room waits for one.
type deck struct {
	playing, ended bool
	waiting        int // queued tracks
}

var deckModel = (&porcupine.NondeterministicModel{
	Init:  func() []any { return []any{deck{}} },
	Equal: func(a, b any) bool { return a == b },
	Step: func(state, in, _ any) []any {
		o := in.(*op)
		var out []any
		for s := state.(deck); ; {
			if next, ok := s.step(o); ok {
				out = append(out, next)
			}
			switch {
			case !s.playing:
				return out
			case s.waiting > 0:
				s.waiting--
			default:
				s.playing, s.ended = false, true
			}
		}
	},
}).ToModel()

func (s deck) step(o *op) (deck, bool) {
	after, no := s, subjects.Code("")
	switch {
	case o.verb == subjects.VerbSuggest && s.ended:
		after.playing, after.ended = true, false
	case o.verb == subjects.VerbSuggest:
		after.waiting++
		if o.outcome == refused { // it is there already
			return s, o.code == subjects.CodeNothingAccepted
		}
	case s.ended:
		no = subjects.CodeNothingToPlay
	case o.verb == subjects.VerbPlay && s.playing, o.verb == subjects.VerbPause && !s.playing:
		no = subjects.CodeAlready
	case o.verb == subjects.VerbPlay:
		after.playing = true
	case o.verb == subjects.VerbPause:
		after.playing = false
	}
	switch {
	case o.outcome == refused:
		return s, o.code == no
	case no != "":
		return s, o.outcome == unknown
	}
	return after, true
}
