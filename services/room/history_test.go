package room

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/aggregate/aggregatetest"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/sqlite"
	"github.com/tuttihq/tutti/subjects"
)

// houses are several rooms on one clock, with their logs and their history.
type houses struct {
	t       *testing.T
	rooms   []*world
	journal *aggregatetest.Memory
	seqs    []uint64
	noted   []int // commits that are projected
	ask     played
}

func newHouses(t *testing.T, n int) *houses {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "rooms.db"), append(Tables(), Owned()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	h := &houses{t: t, journal: aggregatetest.NewMemory(), seqs: make([]uint64, n), noted: make([]int, n)}
	reader, err := aggregate.NewReader(h.journal, Fold{}, 16)
	if err != nil {
		t.Fatal(err)
	}
	h.ask = played{store: db, rooms: reader}
	for i := range n {
		w := newWorld(t)
		w.quick, w.id = true, roomID(fmt.Sprint("house", i))
		w.s = w.m.New(w.id)
		w.open(body{"name": fmt.Sprint("House ", i), "open": i%2 == 0, "tracks": []string{"a", "b", "c"}})
		w.ok("ana", "setQueue", body{"loop": true})
		for _, name := range []string{"ben", "cleo"} {
			w.ok("ana", "invite", about(name))
		}
		h.rooms = append(h.rooms, w)
	}
	return h
}

// project brings a room's last commits into the log, the seats and the history; some are
// noted again.
func (h *houses) project(i int, again bool) {
	h.t.Helper()
	w, from := h.rooms[i], h.noted[i]
	for n := range w.log[from:] {
		c := &w.log[from+n]
		raw, err := subjects.AppendCommit(nil, c)
		if err != nil {
			h.t.Fatal(err)
		}
		if h.seqs[i], err = h.journal.Append(h.t.Context(), w.id, raw, h.seqs[i]); err != nil {
			h.t.Fatal(err)
		}
	}
	if again && from > 0 {
		from--
	}
	var touched Touched
	for _, c := range w.log[from:] {
		if err := c.Each(func(e *subjects.Event, _ []string) error {
			ev, err := w.m.DecodeEvent(e.Type, e.Body)
			if err != nil {
				return err
			}
			touched.Note(ev)
			if joined, ok := ev.(*subjects.MemberJoined); ok {
				_, _, err = takeSeat(h.t.Context(), h.ask.store, joined.User, w.id, store.Version{Epoch: uint64(e.At), Rev: c.Rev})
			}
			return err
		}); err != nil {
			h.t.Fatal(err)
		}
	}
	h.noted[i] = len(w.log)
	version := store.Version{Epoch: 1, Fold: foldVersion, Rev: uint64(len(w.log))}
	writes, err := touched.Writes(w.s, version)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, d := range writes {
		d.Document.Version = version
		_ = h.ask.store.Put(h.t.Context(), d.Table, d.Document) // stale where nothing is new
	}
	f := &aggregate.Folded[*subjects.RoomState]{ID: w.id, State: w.s, Epoch: 1, Rev: uint64(len(w.log))}
	if err := touched.settle(h.t.Context(), h.ask.store, f); err != nil {
		h.t.Fatal(err)
	}
}

// want gives what a user has heard, by the logs.
func (h *houses) want(viewer, name string) []subjects.HeardTrack {
	type row struct {
		from int64
		subjects.HeardTrack
	}
	var rows []row
	for _, w := range h.rooms {
		if viewer != name && !w.s.Room.Options.Open {
			continue
		}
		visits := [][2]int64{}
		open := false
		for _, c := range w.log {
			_ = c.Each(func(e *subjects.Event, _ []string) error {
				var who struct {
					User string `json:"user"`
				}
				_ = json.Unmarshal(e.Body, &who)
				switch {
				case e.Type == subjects.EventMemberJoined && who.User == user(name):
					visits, open = append(visits, [2]int64{e.At, 1 << 60}), true
				case e.Type == subjects.EventMemberLeft && who.User == user(name), e.Type == subjects.EventRoomClosed && open:
					visits[len(visits)-1][1], open = e.At, false
				}
				return nil
			})
		}
		for _, p := range w.s.Plays() {
			for _, v := range visits {
				if v[0] < v[1] && p.EndedAt > v[0] && p.At < v[1] {
					rows = append(rows, row{v[0], subjects.HeardTrack{Track: p.Track, Room: w.id, RoomName: w.s.Room.Name, At: p.At}})
				}
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(b.from, a.from), cmp.Compare(b.Room, a.Room), cmp.Compare(b.At, a.At))
	})
	out := []subjects.HeardTrack{}
	for _, r := range rows {
		out = append(out, r.HeardTrack)
	}
	return out
}

// heard reads all pages.
func (h *houses) heard(viewer, name string, limit int) []subjects.HeardTrack {
	h.t.Helper()
	out := []subjects.HeardTrack{}
	req := subjects.HeardRequest{User: user(name), Viewer: user(viewer), Limit: limit}
	for pages := 0; ; pages++ {
		raw, err := json.Marshal(req)
		if err != nil {
			h.t.Fatal(err)
		}
		page, err := h.ask.heard(h.t.Context(), raw)
		if err != nil {
			h.t.Fatal(err)
		}
		if out = append(out, page.Plays...); page.Next == "" {
			return out
		}
		if len(page.Plays) > limit || pages > 1000 {
			h.t.Fatalf("page %d has %d plays of %d", pages, len(page.Plays), limit)
		}
		req.Cursor = page.Next
	}
}

func (h *houses) plays(room, cursor string, limit int) *subjects.PlaysAnswer {
	h.t.Helper()
	raw, err := json.Marshal(subjects.PlaysRequest{Room: room, Cursor: cursor, Limit: limit})
	if err != nil {
		h.t.Fatal(err)
	}
	page, err := h.ask.plays(h.t.Context(), raw)
	if err != nil {
		h.t.Fatal(err)
	}
	return page
}

// People walk through rooms that play. What they have heard, by page, is what the logs say,
// whatever was projected twice.
func TestHeardIsWhatTheLogsSay(t *testing.T) {
	seeds := uint64(6)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			h := newHouses(t, 4)
			names := []string{"ben", "cleo"}
			inside := map[string]int{"ben": -1, "cleo": -1}
			for range 200 {
				step := r.Int64N(2 * minute)
				for _, w := range h.rooms {
					w.later(step)
				}
				for i, w := range h.rooms {
					if w.s.Closed() || r.IntN(2) == 0 {
						continue
					}
					name := names[r.IntN(len(names))]
					switch r.IntN(8) {
					case 0:
						_ = w.send("ana", "play", struct{}{}) // or it plays
					case 1:
						_ = w.send("ana", "next", struct{}{})
					case 2:
						_ = w.send("ana", "pause", struct{}{})
					case 3, 4, 5: // as the seats have it: in one room at a time
						if at := inside[name]; at >= 0 && at != i {
							h.rooms[at].ok(name, "leave")
						}
						if w.send(name, "join", struct{}{}) == nil {
							inside[name] = i
						}
					case 6:
						if inside[name] == i {
							w.ok(name, "leave")
							inside[name] = -1
						}
					case 7:
						if r.IntN(40) == 0 {
							w.ok("ana", "close")
						}
					}
				}
				for i := range h.rooms {
					if r.IntN(3) == 0 {
						h.project(i, r.IntN(2) == 0)
					}
				}
			}
			for i := range h.rooms {
				h.project(i, false)
			}
			for _, name := range names {
				for _, viewer := range []string{name, "dan"} {
					want := h.want(viewer, name)
					if got := h.heard(viewer, name, 1+r.IntN(9)); !reflect.DeepEqual(got, want) {
						t.Errorf("%s sees that %s heard %d tracks, want %d: %.900v\n%.900v", viewer, name, len(got), len(want), fmt.Sprint(brief(got)), fmt.Sprint(brief(want)))
					}
				}
			}
			for _, w := range h.rooms {
				var got []subjects.PlayedTrack
				for cursor := ""; ; {
					page := h.plays(w.id, cursor, 7)
					got = append(got, page.Plays...)
					if cursor = page.Next; cursor == "" {
						break
					}
				}
				slices.Reverse(got)
				if int64(len(got)) != w.s.LastPlay() || !reflect.DeepEqual(got[max(0, len(got)-subjects.PlayedKept):], slices.Clone(w.s.Plays())) && len(got) > 0 {
					t.Errorf("%d plays are read of %d", len(got), w.s.LastPlay())
				}
			}
		})
	}
}

func brief(list []subjects.HeardTrack) (out []string) {
	for _, p := range list {
		out = append(out, fmt.Sprint(p.RoomName, " ", p.Track.ID, " ", p.At-dawn.UnixMilli()))
	}
	return out
}

// What a page costs is bounded, however often somebody came and went while nothing played.
func TestHeardPagesAreBounded(t *testing.T) {
	h := newHouses(t, 1)
	w := h.rooms[0]
	w.ok("ana", "play")
	w.ok("ben", "join")
	w.later(minute)
	w.ok("ana", "pause")
	w.ok("ben", "leave")
	w.ok("ana", "next")
	w.later(1)
	w.ok("ana", "remove", voteFor("c"))
	w.ok("ana", "remove", voteFor("a"))
	w.ok("ana", "setQueue", body{"loop": false})
	w.later(hour)
	for range 3 * heardVisits {
		w.ok("ben", "join")
		w.later(second)
		w.ok("ben", "leave")
	}
	h.project(0, false)
	raw, err := json.Marshal(subjects.HeardRequest{User: user("ben"), Viewer: user("ben")})
	if err != nil {
		t.Fatal(err)
	}
	page, err := h.ask.heard(t.Context(), raw)
	if err != nil || len(page.Plays) != 0 || page.Next == "" {
		t.Fatalf("%+v, %v", page, err)
	}
	if got := h.heard("ben", "ben", 50); len(got) != 1 || got[0].Track.ID != "a" {
		t.Fatalf("%v", brief(got))
	}
}

func TestHistoryRefusesWhatItCannotAnswer(t *testing.T) {
	h := newHouses(t, 1)
	for _, body := range []string{
		`{"user":"nobody"}`, `{}`, `{"user":"` + user("ben") + `","limit":101}`, `{"user":"` + user("ben") + `","limit":-1}`,
		`{"user":"` + user("ben") + `","cursor":"x"}`, `{"user":"` + user("ben") + `","cursor":"e30"}`, `{"who":1}`, `[]`,
	} {
		if _, err := h.ask.heard(t.Context(), []byte(body)); subjects.CodeOf(err) != subjects.CodeInvalid {
			t.Errorf("heard %s: %v", body, err)
		}
	}
	for _, body := range []string{
		`{"room":"x"}`, `{}`, `{"room":"` + h.rooms[0].id + `","limit":101}`, `{"room":"` + h.rooms[0].id + `","cursor":"x"}`, `{"user":1}`,
	} {
		if _, err := h.ask.plays(t.Context(), []byte(body)); subjects.CodeOf(err) != subjects.CodeInvalid {
			t.Errorf("plays %s: %v", body, err)
		}
	}
}
