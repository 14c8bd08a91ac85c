package playlist

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tuttihq/tutti/subjects"
)

var (
	people = []string{"ana", "ben", "cleo", "dan", "sys"}
	// hidden are invited and never do anything: no public byte names them.
	hidden = []string{"hid1", "hid2"}
	songs  = []string{"a", "b", "c", "d", "e", "f", "/a", "/f", "missing", "down", "odd"}
)

// TestHistories runs arbitrary histories. After every commit the world checks what must
// always hold (world.check), and a second list, kept by nothing but insertion and deletion,
// has the same order; at the end log, snapshot and live state must agree.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		h := &history{w: w, t: t}
		b := body{"name": "Road trip", "tracks": h.songs(), "visibility": h.visibility()}
		b["onlyInvitedEdit"] = b["visibility"] == "public" && rapid.Bool().Draw(t, "only invited")
		_ = h.try("ana", "create", b)
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			h.step()
		}
		w.refold()
		h.sealed()
	})
}

type history struct {
	w    *world
	t    *rapid.T
	list []string // the order, as the events tell it
	seen int      // commits that list knows of
}

func (h *history) songs() []string {
	return rapid.SliceOfN(rapid.SampledFrom(songs), 0, 4).Draw(h.t, "songs")
}

func (h *history) visibility() string {
	return string(rapid.SampledFrom(subjects.Visibilities()).Draw(h.t, "visibility"))
}

// try sends a command; any typed refusal will do, whatever else is a defect.
func (h *history) try(who, verb string, body any) error {
	before := len(h.w.log)
	err := h.w.send(who, verb, body)
	var r *subjects.Refusal
	if err != nil && (!errors.As(err, &r) || r.Code == subjects.CodeInternal || r.Message == "") {
		h.t.Fatalf("%s %s %v: %v", who, verb, body, err)
	}
	if err != nil && len(h.w.log) != before {
		h.t.Fatalf("%s %s is refused and has happened", who, verb)
	}
	h.follow()
	return err
}

// follow brings the second list up to the log.
func (h *history) follow() {
	for ; h.seen < len(h.w.log); h.seen++ {
		for _, e := range h.w.log[h.seen].Public.Events {
			var err error
			if h.list, err = listed(h.list, &e); err != nil {
				h.t.Fatalf("%v", err)
			}
		}
	}
	if got := h.w.s.Playlist.TrackIDs(); !slices.Equal(got, h.list) {
		h.t.Fatalf("the order is %v, the events tell %v", got, h.list)
	}
}

func (h *history) step() {
	w, t := h.w, h.t
	who := rapid.SampledFrom(people).Draw(t, "who")
	someone := rapid.SampledFrom(append(slices.Clone(people[:4]), hidden...)).Draw(t, "whom")
	w.now += rapid.Int64Range(0, 1000).Draw(t, "ms")
	verbs := append(subjects.PlaylistVerbs(), "add", "add", "move", "move", "move", "move", "join", "join")
	if name := rapid.SampledFrom(people[:4]).Draw(t, "fan"); rapid.IntRange(0, 4).Draw(t, "turns") == 0 {
		w.fans[name] = !w.fans[name]
	}
	switch verb := rapid.SampledFrom(verbs).Draw(t, "verb"); verb {
	case "add", "remove":
		_ = h.try(who, verb, tracks(h.songs()...))
	case "move":
		h.move(who)
	case "invite", "withdraw":
		_ = h.try(who, verb, about(someone))
	case "rename":
		_ = h.try(who, verb, body{"name": rapid.SampledFrom([]string{"x", "y"}).Draw(t, "name")})
	case "setVisibility":
		_ = h.try(who, verb, shown(h.visibility(), rapid.Bool().Draw(t, "only invited")))
	case "delete":
		if rapid.IntRange(0, 9).Draw(t, "really") == 0 {
			_ = h.try(who, verb, body{})
		}
	case "join":
		h.join(who)
	case "refused":
		h.refused(who)
	case "create":
		_ = h.try(who, verb, body{"name": "again"})
	default:
		_ = h.try(who, verb, body{})
	}
}

// join is taken if and only if the playlist shows itself to the sender, who was not taken out
// of it.
func (h *history) join(who string) {
	s := h.w.s
	follows := s.FollowersMaySee() && h.w.fans[who]
	may := who != "sys" && !s.Deleted() && (s.CanSee(user(who)) || follows && !s.Withdrawn(user(who)))
	told := s.FollowerYou(user(who))
	if !follows {
		told = s.You(user(who))
	}
	if err := h.try(who, "join", body{}); may != (err == nil) {
		h.t.Fatalf("%s, who may join: %v, joins a %s playlist: %v", who, may, s.Playlist.Visibility, err)
	} else if code := subjects.CodeOf(err); code != "" && who != "sys" && code != told.CannotEdit {
		h.t.Fatalf("%s is told %q and answered %v", who, told.CannotEdit, err)
	}
}

// refused is told to whose export it was, and to nobody else.
func (h *history) refused(who string) {
	b := subjects.CommandRefused{
		Command: subjects.DeriveID(subjects.PrefixCommand, dawn, "create"), Service: subjects.ServiceRoom, ID: roomOf(h.w),
		Asked:     rapid.SampledFrom([]string{subjects.VerbCreate, subjects.VerbSuggest}).Draw(h.t, "asked"),
		Principal: user(rapid.SampledFrom(people[:4]).Draw(h.t, "whose")), Code: subjects.CodeNoSuchTrack, Message: "no",
	}
	known, before := h.w.s.Exporting(b.Principal, b.ID), len(h.w.log)
	if err := h.try(who, "refused", b); (err == nil) != (who == "sys") {
		h.t.Fatalf("%s: %v", who, err)
	}
	if told := len(h.w.log) > before; told != (known && who == "sys") {
		h.t.Fatalf("told: %v, of an export that is known: %v", told, known)
	}
	if known && who == "sys" && h.w.s.Exporting(b.Principal, b.ID) == (b.Asked == subjects.VerbCreate) {
		h.t.Fatalf("after %s was refused the export is remembered wrongly", b.Asked)
	}
}

// roomOf gives the room of the last export in the log, one that was never exported if there
// is none.
func roomOf(w *world) string {
	for i := len(w.log) - 1; i >= 0; i-- {
		for _, s := range w.log[i].Sealed {
			var e subjects.PlaylistExported
			if s.Type == subjects.EventPlaylistExported && json.Unmarshal(s.Body, &e) == nil {
				return e.Room
			}
		}
	}
	return subjects.DeriveID(subjects.PrefixRoom, dawn, "none")
}

// move is taken if and only if the list says so and the sender may.
func (h *history) move(who string) {
	id := rapid.SampledFrom(songs[:6]).Draw(h.t, "song")
	from := rapid.IntRange(0, 6).Draw(h.t, "from")
	if at := slices.Index(h.list, id); at >= 0 && rapid.IntRange(0, 3).Draw(h.t, "knows") > 0 {
		from = at
	}
	to := rapid.IntRange(0, 6).Draw(h.t, "to")
	fits := from < len(h.list) && h.list[from] == id && to < len(h.list)
	may := h.w.s.Allows(user(who), subjects.VerbMove)
	err := h.try(who, "move", moving(id, from, to))
	switch code := subjects.CodeOf(err); {
	case may && fits && err != nil, may && !fits && code != subjects.CodeConflict, !may && err == nil:
		h.t.Fatalf("%s, who may move: %v, moves %s from %d to %d in %v: %v", who, may, id, from, to, h.list, err)
	case err == nil && h.list[to] != id:
		h.t.Fatalf("%s was moved to %d and the list is %v", id, to, h.list)
	}
}

// sealed checks that what is sealed reaches the user it speaks of, beside the creator where an
// invitation is given back, and stays out of the rest.
func (h *history) sealed() {
	for i := range h.w.log {
		c := &h.w.log[i]
		public, err := json.Marshal(c.Public)
		if err != nil {
			h.t.Fatalf("%v", err)
		}
		for _, name := range hidden {
			if bytes.Contains(public, []byte(user(name))) {
				h.t.Fatalf("%s is named in public: %s", name, public)
			}
		}
		for _, s := range c.Sealed {
			also := 0
			if s.Type == subjects.EventPlaylistDeclined {
				also = 1
			}
			if len(s.To) != 1+also || also == 1 && s.To[1] != h.w.s.Playlist.Creator || !bytes.Contains(s.Body, []byte(`"`+s.To[0]+`"`)) {
				h.t.Fatalf("sealed to %v: %s", s.To, s.Body)
			}
		}
		for _, e := range c.Public.Events {
			if strings.HasPrefix(e.Type, "invitation.") || e.Type == subjects.EventTracksRefused || e.Type == subjects.EventPlaylistExported ||
				e.Type == subjects.EventPlaylistAdmitted || e.Type == subjects.EventExportFailed {
				h.t.Fatalf("%s is public", e.Type)
			}
		}
	}
}

// listed gives the order after an event, by insertion and deletion alone: it knows nothing
// of order keys. It returns an error for an event that does not fit the list.
func listed(list []string, e *subjects.Event) ([]string, error) {
	ev, err := subjects.DecodePlaylistEvent(e.Type, e.Body)
	if err != nil {
		return nil, err
	}
	list = slices.Clone(list)
	switch ev := ev.(type) {
	case *subjects.TracksAdded:
		for _, t := range ev.Tracks {
			if slices.Contains(list, t.Track.ID) {
				return nil, errors.New(t.Track.ID + " is added and there already")
			}
			list = append(list, t.Track.ID)
		}
	case *subjects.TracksRemoved:
		for _, id := range ev.Tracks {
			i := slices.Index(list, id)
			if i < 0 {
				return nil, errors.New(id + " is removed and not there")
			}
			list = slices.Delete(list, i, i+1)
		}
	case *subjects.TrackMoved:
		if ev.From >= len(list) || ev.To >= len(list) || list[ev.From] != ev.Track {
			return nil, errors.New(ev.Track + " is moved and does not stand there")
		}
		list = slices.Insert(slices.Delete(list, ev.From, ev.From+1), ev.To, ev.Track)
	case *subjects.PlaylistDeleted:
		list = nil
	}
	return list, nil
}

// FuzzBodies sends arbitrary bytes to every verb of a living playlist: typed refusals, or
// events that keep what must hold.
func FuzzBodies(f *testing.F) {
	for i := range subjects.PlaylistVerbs() {
		f.Add(i, []byte(`{}`))
	}
	f.Add(0, []byte(`{"tracks":["c",{"id":"d"},{"url":"/e"},{},null]}`))
	f.Add(6, []byte(`{"track":"a","from":0,"to":1}`))
	f.Add(3, []byte(`{"constraints":{"start":-1,"end":1e300}}`))
	f.Fuzz(func(t *testing.T, verb int, raw []byte) {
		w := newWorld(t)
		w.open(nil, "a", "b")
		verbs := subjects.PlaylistVerbs()
		v := verbs[((verb%len(verbs))+len(verbs))%len(verbs)]
		for _, who := range []string{"ana", "ben", "sys"} {
			if !json.Valid(raw) {
				if _, err := subjects.DecodePlaylistCommand(v, raw); err != nil && subjects.CodeOf(err) == subjects.CodeInternal {
					t.Fatalf("%v", err)
				}
				continue
			}
			if err := w.send(who, v, json.RawMessage(raw)); subjects.CodeOf(err) == subjects.CodeInternal {
				t.Fatalf("%s: %v", v, err)
			}
		}
		w.refold()
	})
}
