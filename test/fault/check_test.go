package fault

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/tuttihq/tutti/subjects"
)

// evidence is all that is known after a trial.
type evidence struct {
	ops    []*op
	faults []string
	logs   map[thing]*folded
	// views is what each client showed of each thing in the end.
	views []view
	// documents are what was found outside the log, and what the log makes of it.
	documents []document
}

// view is what a client showed in the end.
type view struct {
	client     int
	of         thing
	epoch, rev uint64
	hash       string
	err        error // why there is none
}

// document is one that follows from a log, and that somebody else keeps.
type document struct {
	where     string // "search of rooms", "STATE"
	of        thing
	got, want []byte // canonical JSON
}

// report is what check found.
type report struct {
	sent, acknowledged, refused, unknown int
	// found counts the acknowledged commands that are in the log, duplicated those that are
	// there more than once, lost those that are not. Commands that may leave no trace count
	// as found where they have one.
	found, duplicated, lost, traceless int
	converged                          int // views and documents that are as the log makes them
	wrong                              []string
}

// mostWrong bounds what a report tells; the first are the telling ones.
const mostWrong = 25

func (r *report) fail(format string, args ...any) {
	if len(r.wrong) < mostWrong {
		r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
	}
}

// effects says, for each verb, by which events it is known. A command that was accepted and
// is not silent has exactly one of them.
var effects = map[string][]string{
	subjects.ServiceRoom + " " + subjects.VerbCreate:       {subjects.EventRoomCreated},
	subjects.ServiceRoom + " " + subjects.VerbJoin:         {subjects.EventMemberJoined, subjects.EventMemberReturned},
	subjects.ServiceRoom + " " + subjects.VerbLeave:        {subjects.EventMemberLeft},
	subjects.ServiceRoom + " " + subjects.VerbSuggest:      {subjects.EventTrackSuggested, subjects.EventTrackVoted},
	subjects.ServiceRoom + " " + subjects.VerbVote:         {subjects.EventTrackVoted},
	subjects.ServiceRoom + " " + subjects.VerbRemove:       {subjects.EventTrackRemoved},
	subjects.ServiceRoom + " " + subjects.VerbPlay:         {subjects.EventPlaybackStarted},
	subjects.ServiceRoom + " " + subjects.VerbPause:        {subjects.EventPlaybackPaused},
	subjects.ServiceRoom + " " + subjects.VerbSeek:         {subjects.EventPlaybackSought},
	subjects.ServiceRoom + " " + subjects.VerbGrantControl: {subjects.EventControlGranted},
	subjects.ServicePlaylist + " " + subjects.VerbCreate:   {subjects.EventPlaylistCreated},
	subjects.ServicePlaylist + " " + subjects.VerbJoin:     {subjects.EventPlaylistJoined},
	subjects.ServicePlaylist + " " + subjects.VerbAdd:      {subjects.EventTracksAdded},
	subjects.ServicePlaylist + " " + subjects.VerbRemove:   {subjects.EventTracksRemoved},
	subjects.ServicePlaylist + " " + subjects.VerbMove:     {subjects.EventTrackMoved},
	subjects.ServiceChat + " " + subjects.VerbSend:         {subjects.EventMessageSent},
}

// check holds everything against the logs:
//
//   - an acknowledged command is in the log exactly once, at the revision that its answer
//     names; one that was refused for good is not in it; one whose outcome is not known is
//     there once at most;
//   - nothing in the log is in the name of one of the senders that they did not send;
//   - what was sent after something else was acknowledged comes after it in the log;
//   - every client shows what the log folds to, and so does every document.
//
// That revisions have no gap, and that events and patches agree, is looked at by fold.
func check(e evidence) *report {
	r := &report{}
	for _, f := range e.faults {
		r.fail("%s", f)
	}
	r.commands(e)
	r.invented(e)
	r.order(e)
	r.views(e)
	for _, d := range e.documents {
		if bytes.Equal(d.got, d.want) {
			r.converged++
			continue
		}
		r.fail("%s: %s holds %s, the log makes %s", d.of, d.where, short(d.got), short(d.want))
	}
	return r
}

func (r *report) commands(e evidence) {
	for _, o := range e.ops {
		r.sent++
		log := e.logs[o.at]
		if log == nil {
			r.fail("%s: there is no log", o)
			continue
		}
		there := log.found[[2]string{o.user, o.cmd}]
		types, known := effects[o.at.service+" "+o.verb]
		if !known {
			r.fail("%s: it is not said by what events it is known", o)
			continue
		}
		n, twice := 0, false
		for _, f := range there {
			if slices.Contains(types, f.typ) {
				n++
			}
			twice = twice || f.rev != there[0].rev
		}
		if n > 1 || twice {
			r.duplicated++
			r.fail("%s: it is in the log %d times: %+v", o, n, there)
		}
		switch o.outcome {
		case unknown:
			r.unknown++
		case refused:
			r.refused++
			if len(there) > 0 {
				r.fail("%s: it is in the log: %+v", o, there)
			}
			if o.code == subjects.CodeInternal || o.code == subjects.CodeExpired || o.code == "" {
				r.fail("%s: nothing that was sent deserves this", o)
			}
		case accepted:
			r.acknowledged++
			switch {
			case n > 0 && (there[0].epoch != o.epoch || there[0].rev != o.rev):
				r.found++
				r.fail("%s: it is in the log at %d.%d", o, there[0].epoch, there[0].rev)
			case n > 0:
				r.found++
			case o.silent && len(there) == 0:
				r.traceless++
			default:
				r.lost++
				r.fail("%s: it is not in the log", o)
			}
		}
	}
}

// invented looks for events in a sender's name that the sender knows nothing of.
func (r *report) invented(e evidence) {
	users, sent := map[string]bool{}, map[[2]string]thing{}
	for _, o := range e.ops {
		users[o.user] = true
		sent[[2]string{o.user, o.cmd}] = o.at
	}
	for of, log := range e.logs {
		for k, there := range log.found {
			if !users[k[0]] {
				continue // the platform's own
			}
			if at, ok := sent[k]; !ok {
				r.fail("%s: revision %d holds %s of %s, which nobody sent", of, there[0].rev, k[1], k[0])
			} else if at != of {
				r.fail("%s: revision %d holds %s of %s, which was sent to %s", of, there[0].rev, k[1], k[0], at)
			}
		}
	}
}

// order: if one command was answered before another was sent, the log has them in that
// order. The revision of a commit that both are in is one, and they would have been under
// way together.
func (r *report) order(e evidence) {
	by := map[thing][]*op{}
	for _, o := range e.ops {
		if o.outcome == accepted && e.logs[o.at] != nil && len(e.logs[o.at].found[[2]string{o.user, o.cmd}]) > 0 {
			by[o.at] = append(by[o.at], o)
		}
	}
	for of, ops := range by {
		log := e.logs[of]
		place := func(o *op) uint64 { return log.found[[2]string{o.user, o.cmd}][0].rev }
		sent, done := slices.Clone(ops), slices.Clone(ops)
		slices.SortStableFunc(sent, func(a, b *op) int { return a.sent.Compare(b.sent) })
		slices.SortStableFunc(done, func(a, b *op) int { return a.done.Compare(b.done) })
		var last *op // the latest in the log of those that were answered so far
		i := 0
		for _, o := range sent {
			for ; i < len(done) && done[i].done.Before(o.sent); i++ {
				if last == nil || place(done[i]) > place(last) {
					last = done[i]
				}
			}
			if last != nil && place(last) >= place(o) {
				r.fail("%s was answered before %s was sent, and the log has them at %d and %d", last, o, place(last), place(o))
			}
		}
	}
}

func (r *report) views(e evidence) {
	for _, v := range e.views {
		log := e.logs[v.of]
		switch {
		case log == nil:
			r.fail("client %d shows %s, of which there is no log", v.client, v.of)
		case v.err != nil:
			r.fail("client %d does not show %s as of %d: %v", v.client, v.of, log.public, v.err)
		case v.epoch != log.epoch || v.rev < log.public || v.rev > log.rev || v.hash != log.hash:
			r.fail("client %d shows %s at %d.%d with hash %.12s; the log is at %d.%d with %.12s", v.client, v.of, v.epoch, v.rev, v.hash, log.epoch, log.rev, log.hash)
		default:
			r.converged++
		}
	}
}

func short(b []byte) string {
	const most = 300
	if len(b) > most {
		return strings.ToValidUTF8(string(b[:most]), "") + "…"
	}
	return string(b)
}
