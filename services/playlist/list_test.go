package playlist

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/sqlite"
	"github.com/tuttihq/tutti/subjects"
)

// follows has dan follow ana, and nobody anybody else.
type follows struct{ err error }

func (f follows) Follows(_ context.Context, follower, followed string) (bool, error) {
	return follower == user("dan") && followed == user("ana"), f.err
}

// shelfOf is some playlists whose commits are written to a store.
type shelfOf struct {
	t      *testing.T
	db     store.Store
	worlds map[string]*world
	seen   map[string]int
}

func newShelf(t *testing.T) *shelfOf {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "playlists.db"), Tables())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return &shelfOf{t: t, db: db, worlds: map[string]*world{}, seen: map[string]int{}}
}

// of gives the playlist of a name, which who creates if it is not there.
func (s *shelfOf) of(name, who, visibility string) *world {
	s.t.Helper()
	if w, ok := s.worlds[name]; ok {
		return w
	}
	w := newWorld(s.t)
	w.id = subjects.DeriveID(subjects.PrefixPlaylist, dawn, name)
	w.s = w.m.New(w.id)
	w.ok(who, "create", body{"name": name, "visibility": visibility, "tracks": []string{"a", "b"}})
	s.worlds[name] = w
	return w
}

// write brings the store up to the logs.
func (s *shelfOf) write() {
	s.t.Helper()
	for name, w := range s.worlds {
		var touched Touched
		for _, c := range w.log[s.seen[name]:] {
			if err := c.Each(func(e *subjects.Event, _ []string) error {
				ev, err := w.m.DecodeEvent(e.Type, e.Body)
				touched.Note(ev)
				return err
			}); err != nil {
				s.t.Fatal(err)
			}
		}
		s.seen[name] = len(w.log)
		s.put(&touched, w, 1)
	}
}

func (s *shelfOf) put(touched *Touched, w *world, fold uint64) {
	s.t.Helper()
	writes, err := touched.Writes(w.s, store.Version{Epoch: 1, Fold: fold, Rev: uint64(len(w.log))})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, x := range writes {
		if err := s.db.Put(s.t.Context(), x.Table, x.Document); err != nil {
			s.t.Fatal(err)
		}
	}
}

// list gives the names on all pages of a list, in order.
func (s *shelfOf) list(f Follows, req subjects.PlaylistQuery) string {
	s.t.Helper()
	var names []string
	for {
		raw, err := json.Marshal(req)
		if err != nil {
			s.t.Fatal(err)
		}
		page, err := lister{s.db, f}.list(s.t.Context(), raw)
		if err != nil {
			s.t.Fatalf("%+v: %v", req, err)
		}
		for _, p := range page.Playlists {
			names = append(names, p.Name)
		}
		if page.Next == "" {
			return strings.Join(names, ", ")
		}
		req.Cursor = page.Next
	}
}

func TestLists(t *testing.T) {
	s := newShelf(t)
	s.of("Alps", "ana", "public")
	s.of("alto", "ben", "public").ok("cleo", "join")
	secret := s.of("Alto secrets", "ana", "private")
	secret.ok("ana", "invite", about("cleo"))
	circle := s.of("Among friends", "ana", "followers")
	circle.ok("ana", "invite", about("cleo"))
	circle.ok("cleo", "join")
	s.of("Another", "ben", "private")
	s.of("Twice", "ana", "public")
	s.write()

	expect := func(want, viewer, of, whose, prefix string) {
		t.Helper()
		for _, limit := range []int{1, 2, 50} {
			req := subjects.PlaylistQuery{Of: of, Prefix: prefix, Limit: limit}
			if viewer != "" {
				req.Viewer = user(viewer)
			}
			if whose != "" {
				req.User = user(whose)
			}
			if got := s.list(follows{}, req); got != want {
				t.Fatalf("%s lists %s of %q by %q, %d at a time: %q, want %q", viewer, of, whose, prefix, limit, got, want)
			}
		}
	}
	expect("Alps, alto, Twice", "", "all", "", "")
	expect("Alto secrets, Among friends, Alps, alto, Twice", "ana", "", "", "")
	expect("Alto secrets, Among friends, Alps, alto, Twice", "cleo", "all", "", "")
	expect("Another, Alps, alto, Twice", "ben", "all", "", "")
	expect("Alto secrets, alto", "cleo", "all", "", " ALTO")
	expect("alto", "dan", "all", "", "alto")

	expect("Alps, Alto secrets, Among friends, Twice", "ana", "mine", "", "")
	expect("alto, Among friends", "cleo", "mine", "", "")
	expect("alto, Another", "ben", "mine", "", "")
	expect("", "dan", "mine", "", "")

	expect("Alps, Twice", "", "user", "ana", "")
	expect("Alps, Twice", "ben", "user", "ana", "")
	expect("Alto secrets, Among friends, Alps, Twice", "cleo", "user", "ana", "")
	expect("Alto secrets, Among friends, Alps, Twice", "ana", "user", "ana", "")
	expect("Among friends, Alps, Twice", "dan", "user", "ana", "") // who follows her
	expect("alto", "dan", "user", "ben", "")

	// To whom both an invitation and following lead, they lead once.
	circle.ok("ana", "invite", about("dan"))
	s.write()
	expect("Among friends, Alps, Twice", "dan", "user", "ana", "")
	if got := s.list(NoFollows{}, subjects.PlaylistQuery{Viewer: user("dan"), Of: "user", User: user("ana")}); got != "Among friends, Alps, Twice" {
		t.Fatal(got)
	}

	// What is hidden, renamed or deleted, and who is uninvited.
	s.worlds["alto"].ok("ben", "setVisibility", shown("private", false))
	s.worlds["Twice"].ok("ana", "delete")
	secret.ok("ana", "withdraw", about("cleo"))
	circle.ok("ana", "rename", body{"name": "Friends"})
	s.write()
	expect("Friends, Alps", "cleo", "all", "", "")
	expect("Friends", "cleo", "mine", "", "")
	expect("alto, Another, Alps", "ben", "all", "", "")
	expect("Alps, Alto secrets, Friends", "ana", "mine", "", "")
}

func TestListsThatAreRefused(t *testing.T) {
	s := newShelf(t)
	s.of("A", "ana", "public")
	s.of("B", "ana", "public")
	s.write()
	refused := func(f Follows, req, field string, code subjects.Code) {
		t.Helper()
		_, err := lister{s.db, f}.list(t.Context(), json.RawMessage(req))
		var r *subjects.Refusal
		if !errors.As(err, &r) || r.Code != code || r.Field != field {
			t.Errorf("%s: %v, want %s of %q", req, err, code, field)
		}
	}
	refused(NoFollows{}, `[]`, "", subjects.CodeInvalid)
	refused(NoFollows{}, `{"of":"theirs"}`, "of", subjects.CodeInvalid)
	refused(NoFollows{}, `{"of":"mine"}`, "", subjects.CodeUnauthenticated)
	refused(NoFollows{}, `{"of":"user","user":"bob"}`, "user", subjects.CodeInvalid)
	refused(NoFollows{}, `{"cursor":"!"}`, "cursor", subjects.CodeInvalid)
	refused(NoFollows{}, `{"cursor":"cA"}`, "cursor", subjects.CodeInvalid) // of a viewer's stage
	refused(NoFollows{}, `{"cursor":"b2E"}`, "cursor", subjects.CodeInvalid)
	refused(NoFollows{}, `{"prefix":"`+strings.Repeat("x", 65)+`"}`, "prefix", subjects.CodeInvalid)
	asked := `{"of":"user","user":"` + user("ana") + `","viewer":"` + user("dan") + `"}`
	refused(follows{err: store.ErrUnavailable}, asked, "", subjects.CodeUnavailable)

	// A page holds at most listMost, whatever is asked for.
	page, err := lister{s.db, NoFollows{}}.list(t.Context(), json.RawMessage(`{"limit":1000}`))
	if err != nil || len(page.Playlists) != 2 || page.Next != "" {
		t.Fatalf("%+v, %v", page, err)
	}
}

func TestDocuments(t *testing.T) {
	s := newShelf(t)
	open, private := s.of("Open", "ana", "public"), s.of("Private", "ana", "private")
	private.ok("ana", "invite", about("ben"))
	open.ok("ana", "move", moving("b", 1, 0))
	s.write()

	row := func(w *world) (subjects.PlaylistRow, store.Document) {
		t.Helper()
		doc, err := s.db.Get(t.Context(), subjects.TablePlaylists, w.id)
		if err != nil {
			t.Fatal(err)
		}
		var row subjects.PlaylistRow
		if err := doc.Decode(&row); err != nil {
			t.Fatal(err)
		}
		return row, doc
	}
	got, doc := row(open)
	if got.PlaylistSummary != open.s.Playlist.Summary() || !slices.Equal(got.Tracks, []string{"b", "a"}) {
		t.Fatalf("%+v", got)
	}
	public, ok := PublicPlaylist(doc)
	if !ok || strings.Contains(string(public), `"tracks"`) || !strings.Contains(string(public), `"name":"Open"`) {
		t.Fatalf("%s, %v", public, ok)
	}
	if _, doc := row(private); func() bool { _, ok := PublicPlaylist(doc); return ok }() {
		t.Fatal("a private playlist is published")
	}
	person, err := s.db.Get(t.Context(), subjects.TablePlaylistPeople, subjects.PlaylistPersonID(user("ben"), private.id))
	if err != nil {
		t.Fatal(err)
	}
	if own, ok := OwnPerson(person); !ok || !strings.Contains(string(own), `"invited":true`) {
		t.Fatalf("%s, %v", own, ok)
	}
	if owner, ok := Projection().Owner(subjects.TablePlaylistPeople, person.ID); !ok || owner != private.id {
		t.Fatalf("%s, %v", owner, ok)
	}

	// A rebuild writes the same, and what is deleted is gone from every table.
	private.ok("ana", "delete")
	s.write()
	for _, w := range []*world{open, private} {
		var all Touched
		all.All(w.s)
		s.put(&all, w, 2)
		all.Reset()
		if writes, err := all.Writes(w.s, store.Version{Rev: 1}); err != nil || len(writes) != 0 {
			t.Fatalf("%v %v", writes, err)
		}
	}
	if again, _ := row(open); !slices.Equal(again.Tracks, got.Tracks) || again.PlaylistSummary != got.PlaylistSummary {
		t.Fatalf("%+v", again)
	}
	for table, id := range map[string]string{subjects.TablePlaylists: private.id, subjects.TablePlaylistPeople: person.ID} {
		if _, err := s.db.Get(t.Context(), table, id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s in %s: %v", id, table, err)
		}
	}
}
