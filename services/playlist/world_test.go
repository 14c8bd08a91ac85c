package playlist

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
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
}

// dawn is when every world begins.
var dawn = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

const trackLen = int64(180_000) // of every track of the fake catalogue

// user gives the id of somebody called name; "sys" stays the platform.
func user(name string) string {
	if name == subjects.System {
		return name
	}
	return subjects.DeriveID(subjects.PrefixUser, dawn, name)
}

// shelf is a catalogue: "x" is a track of three minutes and so is "/x", "half-…" is one of half
// as many, "missing…" is unknown, "down…" does not answer and "odd…" says nothing of itself.
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
		case strings.HasPrefix(ref, "odd"):
			out[i].Track = subjects.Track{ID: ref}
		default:
			out[i].Track = track(strings.TrimPrefix(ref, "/"))
		}
	}
	return out
}

func track(id string) subjects.Track {
	t := subjects.Track{ID: id, Provider: "demo", Title: "Title of " + id, DurationMs: trackLen, URL: "/" + id}
	if strings.HasPrefix(id, "half-") {
		t.DurationMs /= 2
	}
	return t
}

// world is a playlist with its log, run as the kernel runs it. After every commit it checks
// what must always hold.
type world struct {
	t    failer
	m    *Machine
	id   string
	s    *subjects.PlaylistState
	now  int64
	doc  []byte // the public document as a client has it, by patches alone
	log  []subjects.Commit
	sent int

	bulk     bool            // many alike: only what comes after is checked
	fans     map[string]bool // by name, of whoever made the playlist
	deaf     error           // if set, nobody can say who follows whom
	admitted map[string]bool // by id, as the log tells: let in as followers and not gone
}

// Follows implements Follows.
func (w *world) Follows(_ context.Context, follower, followed string) (bool, error) {
	if followed != w.s.Playlist.Creator {
		return false, fmt.Errorf("asked about %s", followed)
	}
	for name := range w.fans {
		if user(name) == follower {
			return w.fans[name], w.deaf
		}
	}
	return false, w.deaf
}

func newWorld(t failer) *world {
	w := &world{
		t: t, id: subjects.DeriveID(subjects.PrefixPlaylist, dawn, "playlist"), now: dawn.UnixMilli(),
		fans: map[string]bool{}, admitted: map[string]bool{},
	}
	w.m = New(shelf{}, w)
	w.s = w.m.New(w.id)
	return w
}

func (w *world) call(name, verb string) aggregate.Call {
	w.sent++
	return aggregate.Call{
		ID: w.id, Verb: verb, Principal: user(name), At: w.now,
		Command: subjects.DeriveID(subjects.PrefixCommand, dawn, fmt.Sprint(w.sent)),
	}
}

// send lets somebody use a verb and gives the refusal, if any.
func (w *world) send(name, verb string, body any) error {
	w.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		w.t.Fatalf("body: %v", err)
	}
	call := w.call(name, verb)
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
	return w.decide(call, cmd)
}

func (w *world) decide(call aggregate.Call, cmd *Command) error {
	w.t.Helper()
	outs, err := w.m.Decide(w.s, call, cmd)
	if err != nil {
		if len(outs) > 0 {
			w.t.Fatalf("%s is refused and has events", call.Verb)
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
		switch e := o.Event.(type) {
		case *subjects.PlaylistAdmitted:
			w.admitted[e.User] = true
		case *subjects.PlaylistLeft:
			delete(w.admitted, e.User)
		}
		if o.To == nil {
			c.Public.Events, c.Order = append(c.Public.Events, e), c.Order+"p"
		} else {
			c.Sealed, c.Order = append(c.Sealed, subjects.Sealed{To: o.To, Event: e}), c.Order+"s"
		}
		if err := w.m.Evolve(w.s, subjects.Meta{By: e.By, Cmd: e.Cmd, At: e.At, To: o.To}, o.Event, &marks); err != nil {
			w.t.Fatalf("evolve %s: %v", e.Type, err)
		}
	}
	patch, err := w.m.Patch(w.s, &marks)
	if err != nil {
		w.t.Fatalf("patch: %v", err)
	}
	c.Public.Patch = patch
	w.log = append(w.log, c)
	if w.doc, err = subjects.ApplyPatch(w.doc, patch); err != nil {
		w.t.Fatalf("apply patch %s: %v", patch, err)
	}
	if !w.bulk {
		w.check()
	}
}

// check looks at what must hold after every commit.
func (w *world) check() {
	w.t.Helper()
	s, p := w.s, &w.s.Playlist
	typed, err := subjects.CanonicalOf(p)
	if err != nil {
		w.t.Fatalf("document: %v", err)
	}
	if !bytes.Equal(typed, w.doc) {
		w.t.Fatalf("the patches lead to another document:\n%.4000s\nwant\n%.4000s", w.doc, typed)
	}
	if bytes.Contains(typed, []byte("null")) {
		w.t.Fatalf("a null in the document: %s", typed)
	}
	keys, total := map[int64]bool{}, int64(0)
	for id, t := range p.Tracks {
		if t.Track.ID != id || keys[t.Order] || t.Order < -subjects.MaxPlaylistOrder || t.Order > subjects.MaxPlaylistOrder {
			w.t.Fatalf("%s stands as %+v", id, t)
		}
		keys[t.Order] = true
		total += t.Track.DurationMs
	}
	if p.TotalMs != total || p.TrackCount != len(p.Tracks) || p.MemberCount != len(p.Members) || len(p.Tracks) > subjects.MaxPlaylistTracks {
		w.t.Fatalf("counts %d tracks of %d ms and %d members in %+v", p.TrackCount, p.TotalMs, p.MemberCount, p)
	}
	for i, id := range p.TrackIDs() {
		if at, ok := p.IndexOf(id); !ok || at != i {
			w.t.Fatalf("%s stands at %d and is found at %d", id, i, at)
		}
	}
	if !s.IsMember(p.Creator) {
		w.t.Fatalf("the creator is not in it")
	}
	for _, id := range s.MemberIDs() {
		if p.Visibility != subjects.VisibilityPublic && id != p.Creator && !s.Invited(id) &&
			(p.Visibility != subjects.VisibilityFollowers || !w.admitted[id]) {
			w.t.Fatalf("%s is in a %s playlist and was not let in", id, p.Visibility)
		}
		if !s.CanSee(id) {
			w.t.Fatalf("%s is in it and cannot see it", id)
		}
	}
	if p.Options.OnlyInvitedEdit && p.Visibility == subjects.VisibilityPrivate {
		w.t.Fatalf("only the invited edit a %s playlist", p.Visibility)
	}
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

// no expects it to be refused with a code, and to change nothing.
func (w *world) no(code subjects.Code, name, verb string, body ...any) {
	w.t.Helper()
	n := len(w.log)
	if got := subjects.CodeOf(w.send(name, verb, one(body))); got != code || len(w.log) != n {
		w.t.Fatalf("%s %s %v: answered %q, want %q; %d commits", name, verb, body, got, code, len(w.log)-n)
	}
}

func one(body []any) any {
	if len(body) == 0 {
		return struct{}{}
	}
	return body[0]
}

// open lets ana create a public playlist of some tracks; opts are fields of the command.
func (w *world) open(opts body, ids ...string) {
	w.t.Helper()
	b := body{"name": "Road trip", "visibility": "public"}
	if len(ids) > 0 {
		b["tracks"] = ids
	}
	for k, v := range opts {
		b[k] = v
	}
	w.ok("ana", "create", b)
}

type body map[string]any

func tracks(ids ...string) body           { return body{"tracks": ids} }
func about(name string) body              { return body{"user": user(name)} }
func moving(id string, from, to int) body { return body{"track": id, "from": from, "to": to} }
func shown(v string, onlyInvited bool) body {
	return body{"visibility": v, "onlyInvitedEdit": onlyInvited}
}

// list expects the tracks, in order, as one word of one-letter names.
func (w *world) list(want string) {
	w.t.Helper()
	if got := strings.Join(w.s.Playlist.TrackIDs(), ""); got != want {
		w.t.Fatalf("the list is %q, want %q", got, want)
	}
}

// told expects that the last commit sealed an event of a type to exactly one user.
func (w *world) told(name, typ string, into any) {
	w.t.Helper()
	for _, s := range w.log[len(w.log)-1].Sealed {
		if s.Type == typ && slices.Equal(s.To, []string{user(name)}) {
			if err := json.Unmarshal(s.Body, into); err != nil {
				w.t.Fatalf("%v", err)
			}
			return
		}
	}
	w.t.Fatalf("%s was not told of %s in %+v", name, typ, w.log[len(w.log)-1])
}

// refold checks that the log, and a snapshot of the state, give the state again.
func (w *world) refold() {
	w.t.Helper()
	live, err := w.m.EncodeState(w.s)
	if err != nil {
		w.t.Fatalf("encode: %v", err)
	}
	fromSnapshot, err := w.m.DecodeState(w.id, live)
	if err != nil {
		w.t.Fatalf("decode: %v", err)
	}
	fromLog, client := w.m.New(w.id), subjects.Playlist{ID: w.id}
	for i := range w.log {
		raw, err := subjects.AppendCommit(nil, &w.log[i])
		if err != nil {
			w.t.Fatalf("commit: %v", err)
		}
		c, err := subjects.DecodeCommit(raw)
		if err != nil {
			w.t.Fatalf("commit: %v", err)
		}
		err = c.Each(func(e *subjects.Event, to []string) error {
			ev, err := w.m.DecodeEvent(e.Type, e.Body)
			if err != nil {
				return err
			}
			meta := subjects.Meta{By: e.By, Cmd: e.Cmd, At: e.At, To: to}
			if to == nil {
				if err := client.Apply(meta, ev, nil); err != nil {
					return err
				}
			}
			return w.m.Evolve(fromLog, meta, ev, nil)
		})
		if err != nil {
			w.t.Fatalf("refold: %v", err)
		}
	}
	for name, s := range map[string]*subjects.PlaylistState{"snapshot": fromSnapshot, "log": fromLog} {
		again, err := w.m.EncodeState(s)
		if err != nil {
			w.t.Fatalf("encode: %v", err)
		}
		if !bytes.Equal(again, live) {
			w.t.Fatalf("the state from the %s is\n%s\nwant\n%s", name, again, live)
		}
	}
	if !reflect.DeepEqual(client, w.s.Playlist) {
		w.t.Fatalf("public events alone give\n%+v\nwant\n%+v", client, w.s.Playlist)
	}
}

func scenario(t *testing.T, name string, f func(w *world)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		w := newWorld(t)
		f(w)
		w.refold()
	})
}
