package playlist

import (
	"encoding/json"
	"fmt"

	"github.com/tuttihq/tutti/services/internal/projection"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// Indexes of the tables that playlists are listed by.
const (
	// IndexName is by visibility and nameKey: public playlists whose names begin so.
	IndexName = "by_name"
	// IndexCreator is by creator, visibility and nameKey: those of one user.
	IndexCreator = "by_creator"
	// IndexInside is by user, inside and nameKey: those that a user has joined.
	IndexInside = "by_inside"
	// IndexHidden is by user, hidden and nameKey: those that are not public and that a user
	// may see.
	IndexHidden = "by_hidden"
	// IndexHiddenCreator is by user, creator, hidden and nameKey: those of them that one
	// other user has made.
	IndexHiddenCreator = "by_hidden_creator"
)

// Tables describes the tables that playlists are projected to. Both are folded from the
// log and may be dropped and rebuilt.
func Tables() []store.Table {
	return []store.Table{
		{Name: subjects.TablePlaylists, Durability: store.Soft, Indexes: []store.Index{
			{Name: IndexName, Fields: []string{"visibility", "nameKey"}},
			{Name: IndexCreator, Fields: []string{"creator", "visibility", "nameKey"}},
		}},
		{Name: subjects.TablePlaylistPeople, Durability: store.Soft, Indexes: []store.Index{
			{Name: IndexInside, Fields: []string{"user", "inside", "nameKey"}},
			{Name: IndexHidden, Fields: []string{"user", "hidden", "nameKey"}},
			{Name: IndexHiddenCreator, Fields: []string{"user", "creator", "hidden", "nameKey"}},
		}},
	}
}

// Write is a document to put, or to delete if Deleted, in a table.
type Write = projection.Write

// Projection says how playlists become documents.
func Projection() projection.Spec[*subjects.PlaylistState, subjects.PlaylistEvent] {
	return projection.Spec[*subjects.PlaylistState, subjects.PlaylistEvent]{
		Fold:   Fold{},
		Tables: []string{subjects.TablePlaylists, subjects.TablePlaylistPeople},
		Touched: func() projection.Touched[*subjects.PlaylistState, subjects.PlaylistEvent] {
			return &Touched{}
		},
		Owner: func(table, document string) (string, bool) {
			if table == subjects.TablePlaylistPeople {
				_, playlist, ok := subjects.SplitPlaylistPersonID(document)
				return playlist, ok
			}
			return document, true
		},
	}
}

// PublicPlaylist gives what everybody may know of a document in TablePlaylists: the summary
// of a public playlist, nothing of another.
func PublicPlaylist(doc store.Document) (json.RawMessage, bool) {
	var s subjects.PlaylistSummary
	if doc.Deleted || doc.Decode(&s) != nil || s.Visibility != subjects.VisibilityPublic {
		return nil, false
	}
	body, err := json.Marshal(s)
	return body, err == nil
}

// OwnPerson gives what a user may know of their document in TablePlaylistPeople: all of it.
func OwnPerson(doc store.Document) (json.RawMessage, bool) { return doc.Body, !doc.Deleted }

// Touched collects what the documents of one playlist owe to the events folded since they
// were last written. Editing writes one document; a new name or visibility one more for
// each member and invited user. The zero value is ready. It holds at most one entry a user.
type Touched struct {
	users map[string]struct{}
	all   bool // every user's
	any   bool
}

// Note looks at an event, public or sealed, that was folded into the state.
func (t *Touched) Note(e subjects.PlaylistEvent) {
	t.any = true
	switch e := e.(type) {
	case *subjects.PlaylistCreated, *subjects.PlaylistRenamed, *subjects.VisibilityChanged, *subjects.PlaylistDeleted:
		t.all = true
	case *subjects.PlaylistJoined:
		t.user(e.User)
	case *subjects.PlaylistLeft:
		t.user(e.User)
	case *subjects.PlaylistInvited:
		t.user(e.User)
	case *subjects.PlaylistUninvited:
		t.user(e.User)
	case *subjects.PlaylistDeclined:
		t.user(e.User)
	}
}

func (t *Touched) user(id string) {
	if t.users == nil {
		t.users = make(map[string]struct{})
	}
	t.users[id] = struct{}{}
}

// All notes everything: what a rebuild writes.
func (t *Touched) All(*subjects.PlaylistState) { t.any, t.all = true, true }

// Writes gives what brings the documents up to the state, all at one version. Written
// twice, or out of order, they do no harm: the store keeps the newest.
func (t *Touched) Writes(s *subjects.PlaylistState, version store.Version) ([]Write, error) {
	if !t.any || !s.Exists() {
		return nil, nil
	}
	p := &s.Playlist
	write := func(table, id string, gone bool, body any) (Write, error) {
		w := Write{Table: table, Document: store.Document{ID: id, Version: version, Deleted: gone}}
		if gone {
			return w, nil
		}
		raw, err := json.Marshal(body)
		if err != nil {
			return w, fmt.Errorf("playlist: document of %s: %w", p.ID, err)
		}
		w.Document.Body = raw
		return w, nil
	}
	row, err := write(subjects.TablePlaylists, p.ID, s.Deleted(), subjects.PlaylistRow{PlaylistSummary: p.Summary(), Tracks: p.TrackIDs()})
	if err != nil {
		return nil, err
	}
	out := []Write{row}
	if t.all {
		for _, ids := range [][]string{s.MemberIDs(), s.InvitedIDs()} {
			for _, id := range ids {
				t.user(id)
			}
		}
	}
	for user := range t.users {
		person := subjects.PlaylistPerson{
			User: user, Playlist: p.ID, Name: p.Name, NameKey: subjects.RoomNameKey(p.Name), Creator: p.Creator,
			Visibility: p.Visibility, Hidden: p.Visibility != subjects.VisibilityPublic,
			Inside: s.IsMember(user), Invited: s.Invited(user),
		}
		gone := s.Deleted() || !person.Inside && !person.Invited
		w, err := write(subjects.TablePlaylistPeople, subjects.PlaylistPersonID(user, p.ID), gone, person)
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, nil
}

// Reset forgets what was noted, after it was written.
func (t *Touched) Reset() { *t = Touched{} }
