package room

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/sqlite"
	"github.com/tuttihq/tutti/subjects"
)

func openStore(t *testing.T) store.Store {
	t.Helper()
	tables := append(Tables(), store.Table{Name: TableClaims, Durability: store.Hard})
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "rooms.db"), tables)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// town knows nicknames and which rooms there are.
type town struct {
	names map[string]string
	rooms map[string]bool
	err   error
}

func (w town) Nickname(_ context.Context, u string) (string, error) { return w.names[u], w.err }
func (w town) Created(_ context.Context, room string) (bool, error) { return w.rooms[room], w.err }

func roomID(name string) string { return subjects.DeriveID(subjects.PrefixRoom, dawn, name) }

func TestClaims(t *testing.T) {
	now := dawn
	w := town{names: map[string]string{user("ben"): "Benny"}, rooms: map[string]bool{}}
	c := &Claims{Store: openStore(t), Nicknames: w, Rooms: w, Now: func() time.Time { return now }}
	claim := func(room, name, who, want string) {
		t.Helper()
		got, err := c.Claim(t.Context(), roomID(room), name, user(who))
		if err != nil || got != want {
			t.Fatalf("%s asks for %q: %q, %v; want %q", room, name, got, err, want)
		}
	}
	claim("1", "Friday", "ana", "Friday")
	claim("1", "Friday", "ana", "Friday") // again
	w.rooms[roomID("1")] = true
	claim("2", "  FRIDAY", "ben", "  FRIDAY (Benny)")
	claim("2", "Friday", "ben", "Friday (Benny)")
	claim("3", "Friday", "ben", "Friday (Benny, "+tail(roomID("3"))+")")
	claim("3", "Friday", "ben", "Friday (Benny, "+tail(roomID("3"))+")")
	claim("4", "Friday", "cleo", "Friday ("+tail(user("cleo"))+")")

	// Room 1 exists, so its name stays for ever; the name of a room that never came
	// about is free after a minute.
	now = now.Add(claimGrace)
	claim("5", "Friday (Benny)", "dan", "Friday (Benny) ("+tail(user("dan"))+")")
	now = now.Add(time.Second)
	claim("6", "friday (benny)", "ben", "friday (benny)")
	claim("6", "Friday", "ben", "Friday (Benny)")

	// A release frees the name, once, and only for its room.
	if err := c.Release(t.Context(), roomID("2"), "Friday"); err != nil {
		t.Fatal(err)
	}
	claim("7", "Friday", "eve", "Friday ("+tail(user("eve"))+")")
	for range 2 {
		if err := c.Release(t.Context(), roomID("1"), "Friday"); err != nil {
			t.Fatal(err)
		}
	}
	claim("8", "Friday", "eve", "Friday")
	if err := c.Release(t.Context(), roomID("1"), "Friday"); err != nil {
		t.Fatal(err)
	}
	claim("8", "Friday", "eve", "Friday")

	// Where nobody can tell whether the other room exists, it is an error.
	c.Rooms = town{err: store.ErrUnavailable}
	now = now.Add(time.Hour)
	if _, err := c.Claim(t.Context(), roomID("9"), "Friday", user("ana")); !errors.Is(err, store.ErrUnavailable) {
		t.Fatal(err)
	}
}

func TestClaimsAtOnce(t *testing.T) {
	w := town{rooms: map[string]bool{}}
	c := &Claims{Store: openStore(t), Nicknames: w, Rooms: w}
	got := make([]string, 8)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			name, err := c.Claim(t.Context(), roomID(fmt.Sprint(i)), "Friday", user(fmt.Sprint(i)))
			if err != nil {
				t.Error(err)
			}
			got[i] = name
		})
	}
	wg.Wait()
	slices.Sort(got)
	if len(slices.Compact(slices.Clone(got))) != len(got) || got[0] != "Friday" {
		t.Fatalf("%q", got)
	}
}

type fullTown struct{}

func (fullTown) Claim(context.Context, string, string, string) (string, error) {
	return "", store.ErrUnavailable
}

func TestPrepare(t *testing.T) {
	m := New(shelf{}, fullTown{})
	call := aggregate.Call{ID: roomID("1"), Verb: "create", Principal: user("ana"), At: dawn.UnixMilli()}
	cmd, err := m.DecodeCommand("create", []byte(`{"kind":"vote","name":"x","tracks":["missing"]}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Prepare(t.Context(), call, cmd); subjects.CodeOf(err) != subjects.CodeNoSuchTrack {
		t.Fatalf("claims a name for a room without a track: %v", err)
	}
	if cmd, err = m.DecodeCommand("create", []byte(`{"kind":"vote","name":"x"}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Prepare(t.Context(), call, cmd); !errors.Is(err, store.ErrUnavailable) {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if cmd, err = m.DecodeCommand("suggest", []byte(`{"tracks":["a"]}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Prepare(gone, call, cmd); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.open(nil)
	if _, err := m.Decide(w.s, aggregate.Call{ID: w.id, Principal: user("ana"), At: w.now}, cmd); subjects.CodeOf(err) != subjects.CodeTrackUnavailable {
		t.Fatalf("unprepared: %v", err)
	}
}

// projected is a world whose commits are written to a store.
type projected struct {
	*world
	db store.Store
}

func (p projected) write(t *testing.T, from int) {
	t.Helper()
	var touched Touched
	for _, c := range p.log[from:] {
		if err := c.Each(func(e *subjects.Event, _ []string) error {
			ev, err := p.m.DecodeEvent(e.Type, e.Body)
			touched.Note(ev)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	writes, err := touched.Writes(p.s, store.Version{Epoch: 1, Fold: 1, Rev: uint64(len(p.log))})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range writes {
		if err := p.db.Put(t.Context(), w.Table, w.Document); err != nil {
			t.Fatal(err)
		}
	}
}

// found lists the names of the open rooms that a user finds by a prefix: public ones and
// those that they are invited to.
func (p projected) found(t *testing.T, who, prefix string) []string {
	t.Helper()
	out := []string{}
	key := subjects.RoomNameKey(prefix)
	public, err := p.db.Find(t.Context(), subjects.TableRooms, store.Query{Index: IndexRoomName, Equal: []any{subjects.PhaseOpen, false}, Prefix: key})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range public.Documents {
		var s subjects.RoomSummary
		if err := d.Decode(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s.Name)
	}
	private, err := p.db.Find(t.Context(), subjects.TableRoomInvites, store.Query{Index: IndexInviteName, Equal: []any{user(who)}, Prefix: key})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range private.Documents {
		var s subjects.RoomInvite
		if err := d.Decode(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s.Name)
	}
	return out
}

func TestProjection(t *testing.T) {
	db := openStore(t)
	open, private := projected{newWorld(t), db}, projected{newWorld(t), db}
	private.id = roomID("private")
	private.s = private.m.New(private.id)
	open.open(body{"name": "Friday Night", "tracks": []string{"a", "b"}})
	open.write(t, 0)
	private.open(body{"name": "Friday Secret", "open": false})
	private.ok("ana", "invite", about("ben"))
	private.write(t, 0)

	expect := func(who, prefix string, want ...string) {
		t.Helper()
		if got := open.found(t, who, prefix); !slices.Equal(got, want) && len(got)+len(want) > 0 {
			t.Fatalf("%s finds %q by %q, want %q", who, got, prefix, want)
		}
	}
	expect("ana", "fRI", "Friday Night", "Friday Secret")
	expect("ben", "friday  s", "Friday Secret")
	expect("cleo", "", "Friday Night")
	expect("cleo", "saturday")

	private.ok("ben", "join")
	n := len(private.log)
	private.ok("ana", "kick", about("ben"))
	private.write(t, n)
	expect("ben", "friday", "Friday Night")

	private.ok("ana", "invite", about("cleo"))
	private.ok("ana", "leave")
	private.write(t, n+1)
	expect("cleo", "friday", "Friday Night")
	expect("ana", "friday", "Friday Night")

	var rebuilt Touched
	rebuilt.All(private.s)
	if !rebuilt.Closed() {
		t.Fatal("a rebuild does not see that the room is closed")
	}
	rebuilt.Reset()
	if w, err := rebuilt.Writes(private.s, store.Version{Rev: 1}); err != nil || len(w) != 0 {
		t.Fatalf("%v %v", w, err)
	}
	doc, err := db.Get(t.Context(), subjects.TableRooms, open.id)
	if err != nil {
		t.Fatal(err)
	}
	var s subjects.RoomSummary
	if err := doc.Decode(&s); err != nil || s.Title != "Title of a" || s.QueueLength != 1 || s.MemberCount != 1 || s.Private {
		t.Fatalf("%+v %v", s, err)
	}
}
