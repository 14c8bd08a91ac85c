package room

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/catalog"
	"github.com/tuttihq/tutti/subjects"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// failer is what *testing.T and *rapid.T have in common here.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// dawn is when every world begins.
var dawn = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

const (
	second   = int64(1000)
	minute   = 60 * second
	hour     = 60 * minute
	trackLen = 3 * minute // of every track of the fake catalogue
	lead     = 250        // subjects.PlaybackLead in milliseconds
)

// user gives the id of somebody called name; "sys" stays the platform.
func user(name string) string {
	if name == subjects.System {
		return name
	}
	return subjects.DeriveID(subjects.PrefixUser, dawn, name)
}

// shelf is a catalogue: "x" is a track of three minutes, "missing…" is unknown and
// "down…" does not answer.
type shelf struct{}

func (shelf) ResolveAll(_ context.Context, refs []string) []catalog.Result {
	out := make([]catalog.Result, len(refs))
	for i, ref := range refs {
		out[i].Ref = ref
		switch {
		case strings.HasPrefix(ref, "missing"):
			out[i].Err = fmt.Errorf("%w: nobody has it", catalog.ErrUnknown)
		case strings.HasPrefix(ref, "down"):
			out[i].Err = fmt.Errorf("%w: no answer", catalog.ErrUnavailable)
		default:
			out[i].Track = track(ref)
		}
	}
	return out
}

func track(id string) subjects.Track {
	return subjects.Track{ID: id, Provider: "demo", Title: "Title of " + id, DurationMs: trackLen, URL: "/" + id}
}

// sameNames lets every room have the name it wants.
type sameNames struct{}

func (sameNames) Claim(_ context.Context, _, wanted, _ string) (string, error) { return wanted, nil }

// world is a room with its log, run as the kernel runs it. After every commit it checks
// what must always hold.
type world struct {
	t     failer
	m     *Machine
	id    string
	s     *subjects.RoomState
	now   int64
	doc   []byte // the public document as a client has it, by patches alone
	log   []subjects.Commit
	sent  int
	quick bool // skip the checks after each commit,
	blind bool // and the client's document too

	undoable map[string]subjects.Undoable // by user, as of the last check
}

func newWorld(t failer) *world {
	w := &world{t: t, m: New(shelf{}, sameNames{}), id: subjects.DeriveID(subjects.PrefixRoom, dawn, "room"), now: dawn.UnixMilli()}
	w.s = w.m.New(w.id)
	return w
}

// send lets somebody use a verb and gives the refusal, if any.
func (w *world) send(name, verb string, body any) error {
	w.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		w.t.Fatalf("body: %v", err)
	}
	w.sent++
	call := aggregate.Call{
		ID: w.id, Verb: verb, Principal: user(name), At: w.now,
		Command: subjects.DeriveID(subjects.PrefixCommand, dawn, fmt.Sprint(w.sent)),
	}
	cmd, err := w.m.DecodeCommand(verb, raw)
	if err != nil {
		return err
	}
	prepare, err := w.m.Admit(w.s, call, cmd)
	if err != nil {
		return err
	}
	if prepare {
		if cmd, err = w.m.Prepare(context.Background(), call, cmd); err != nil {
			return err
		}
	}
	outs, err := w.m.Decide(w.s, call, cmd)
	if err != nil {
		if len(outs) > 0 {
			w.t.Fatalf("%s is refused and has events", verb)
		}
		return err
	}
	if len(outs) > 0 {
		w.commit(call, outs)
	}
	return nil
}

func (w *world) commit(call aggregate.Call, outs []Out) {
	w.t.Helper()
	c := subjects.Commit{Epoch: 1, Rev: uint64(len(w.log)) + 1, At: call.At}
	var marks subjects.Marks
	for _, o := range outs {
		body, err := json.Marshal(o.Event)
		if err != nil {
			w.t.Fatalf("event: %v", err)
		}
		e := subjects.Event{Type: w.m.EventType(o.Event), By: call.Principal, At: call.At, Cmd: call.Command, Body: body}
		if o.To == nil {
			c.Public.Events, c.Order = append(c.Public.Events, e), c.Order+"p"
		} else {
			c.Sealed, c.Order = append(c.Sealed, subjects.Sealed{To: o.To, Event: e}), c.Order+"s"
		}
		meta := subjects.Meta{By: e.By, Cmd: e.Cmd, At: e.At, To: o.To}
		if err := w.m.Evolve(w.s, meta, o.Event, &marks); err != nil {
			w.t.Fatalf("evolve %s: %v", e.Type, err)
		}
	}
	patch, err := w.m.Patch(w.s, &marks)
	if err != nil {
		w.t.Fatalf("patch: %v", err)
	}
	c.Public.Patch = patch
	w.log = append(w.log, c)
	if w.blind {
		return
	}
	if w.doc, err = subjects.ApplyPatch(w.doc, patch); err != nil {
		w.t.Fatalf("apply patch %s: %v", patch, err)
	}
	if !w.quick {
		w.check()
	}
}

// check looks at what must hold after every commit.
func (w *world) check() {
	w.t.Helper()
	s, r := w.s, &w.s.Room
	typed, err := subjects.CanonicalOf(r)
	if err != nil {
		w.t.Fatalf("document: %v", err)
	}
	if !bytes.Equal(typed, w.doc) {
		w.t.Fatalf("the patches lead to another document:\n%.4000s\nwant\n%.4000s", w.doc, typed)
	}
	if bytes.Contains(typed, []byte("null")) {
		w.t.Fatalf("a null in the document: %s", typed)
	}
	for id, e := range r.Queue {
		if e.Score != s.VotesFor(id) {
			w.t.Fatalf("%s has score %d and %d votes", id, e.Score, s.VotesFor(id))
		}
		if r.Current != nil && r.Current.ID == id {
			w.t.Fatalf("the current track %s is in the queue", id)
		}
	}
	order := r.Ordered()
	for i := 1; i < len(order); i++ {
		a, b := order[i-1], order[i]
		if r.Queueing().Order == subjects.OrderVotes && (a.Score < b.Score || a.Score == b.Score && a.Seq > b.Seq) {
			w.t.Fatalf("%s stands before %s", a.Track.ID, b.Track.ID)
		}
	}
	if next, ok := r.NextEligible(); ok {
		first := slices.IndexFunc(order, func(e subjects.QueueEntry) bool { return e.Score >= r.Options.MinimumScore })
		if first < 0 || next.Track.ID != order[first].Track.ID {
			w.t.Fatalf("%s is next, not the first eligible of %v", next.Track.ID, order)
		}
		if r.Waiting() && r.Phase == subjects.PhaseOpen {
			w.t.Fatalf("the room waits and %s is eligible", next.Track.ID)
		}
	}
	if r.Roster == subjects.ListedInline {
		if len(r.Members) != s.MemberTotal() || r.MemberCount != s.MemberTotal() {
			w.t.Fatalf("lists %d and counts %d of %d members", len(r.Members), r.MemberCount, s.MemberTotal())
		}
		for id, m := range r.Members {
			if own, ok := s.Member(id); !ok || own != m {
				w.t.Fatalf("%s is listed as %+v and is %+v", id, m, own)
			}
		}
	} else if len(r.Members) > 0 || drifted(s.MemberTotal(), r.MemberCount) {
		w.t.Fatalf("lists %d and counts %d of %d members", len(r.Members), r.MemberCount, s.MemberTotal())
	}
	voters := 0
	for _, id := range s.MemberIDs() {
		if s.CanSkip(id) {
			voters++
		}
	}
	if voters != s.SkipVoters() {
		w.t.Fatalf("%d may skip, counted as %d", voters, s.SkipVoters())
	}
	if r.Skip.Votes != s.SkipVotes() {
		w.t.Fatalf("%d votes to skip are shown of %d", r.Skip.Votes, s.SkipVotes())
	}
	if r.Playback.Playing && (r.Playback.Ended || r.Current == nil) || r.Phase == subjects.PhaseClosed && r.Playback.Playing {
		w.t.Fatalf("plays nothing: %+v", r.Playback)
	}
	if (r.Current == nil) != (r.Playback.TrackID == "") || r.Current != nil && r.Playback.TrackID != r.Current.ID {
		w.t.Fatalf("playback speaks of %q", r.Playback.TrackID)
	}
	w.checkHistory()
	w.checkAsks()
	w.checkUndoers()
}

// ok expects the command to be accepted.
func (w *world) ok(name, verb string, body ...any) {
	w.t.Helper()
	if err := w.send(name, verb, one(body)); err != nil {
		w.t.Fatalf("%s %s %v: %v", name, verb, body, err)
	}
}

// nothing expects it to be accepted and to change nothing.
func (w *world) nothing(name, verb string, body ...any) {
	w.t.Helper()
	n := len(w.log)
	w.ok(name, verb, body...)
	if len(w.log) != n {
		w.t.Fatalf("%s %s %v: has events: %+v", name, verb, body, w.log[n])
	}
}

// no expects it to be refused with a code.
func (w *world) no(code subjects.Code, name, verb string, body ...any) {
	w.t.Helper()
	if got := subjects.CodeOf(w.send(name, verb, one(body))); got != code {
		w.t.Fatalf("%s %s %v: answered %q, want %q", name, verb, body, got, code)
	}
}

func one(body []any) any {
	if len(body) == 0 {
		return struct{}{}
	}
	return body[0]
}

// later moves the clock, waking the room whenever it asked for it.
func (w *world) later(ms int64) {
	w.t.Helper()
	end := w.now + ms
	for {
		at, ok := w.m.NextTimer(w.s)
		if !ok || at > end {
			break
		}
		w.now = max(w.now, at)
		w.ok("sys", "wake")
		if again, ok := w.m.NextTimer(w.s); ok && again <= w.now {
			w.t.Fatalf("asks to be woken at %d, after a wake at %d", again, w.now)
		}
	}
	w.now = end
}

// outage moves the clock while nobody looks.
func (w *world) outage(ms int64) { w.now += ms }

// open lets ana open a room; opts are fields of the command.
func (w *world) open(opts body) {
	w.t.Helper()
	b := body{"kind": "vote", "name": "Friday", "open": true}
	for k, v := range opts {
		b[k] = v
	}
	w.ok("ana", "create", b)
}

type body map[string]any

func tracks(ids ...string) body       { return body{"tracks": ids} }
func voteFor(id string) body          { return body{"track": id} }
func about(name string) body          { return body{"user": user(name)} }
func withRole(name, role string) body { return body{"user": user(name), "role": role} }

// queue expects the queue, in order, as "id:score".
func (w *world) queue(want ...string) {
	w.t.Helper()
	got := []string{}
	for _, e := range w.s.Room.Ordered() {
		got = append(got, fmt.Sprintf("%s:%d", e.Track.ID, e.Score))
	}
	if !slices.Equal(got, want) && len(got)+len(want) > 0 {
		w.t.Fatalf("queue %v, want %v", got, want)
	}
}

// stage expects what is on: "a playing", "a paused", "a ended" or "nothing", at a
// position in milliseconds.
func (w *world) stage(want string, position int64) {
	w.t.Helper()
	r := &w.s.Room
	got := "nothing"
	if r.Current != nil {
		got = r.Current.ID
		switch {
		case r.Playback.Playing:
			got += " playing"
		case r.Playback.Ended:
			got += " ended"
		default:
			got += " paused"
		}
	}
	if got != want || r.PositionAt(w.now) != position {
		w.t.Fatalf("%s at %d ms, want %s at %d ms", got, r.PositionAt(w.now), want, position)
	}
}

// told expects that the last commit sealed an event of a type to exactly one user.
func (w *world) told(name, typ string) subjects.Sealed {
	w.t.Helper()
	for _, s := range w.log[len(w.log)-1].Sealed {
		if s.Type == typ && slices.Equal(s.To, []string{user(name)}) {
			return s
		}
	}
	w.t.Fatalf("%s was not told of %s in %+v", name, typ, w.log[len(w.log)-1])
	return subjects.Sealed{}
}

func scenario(t *testing.T, name string, f func(w *world)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		w := newWorld(t)
		f(w)
		w.refold()
	})
}

// question is the body of a poll.
func question() body {
	return body{"question": "What next?", "options": []string{"Waltz", "Tango", "Polka"}}
}
