package playlist

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

const (
	listPage = 20
	listMost = 100
)

// Follows tells who follows whom. It is asked once for the first page and each further one
// of a list of somebody else's playlists, and when somebody joins a playlist for followers
// who is neither in it nor invited.
type Follows interface {
	// Follows reports whether follower follows followed; both are user ids. An error has
	// the list, or the joining, answered as unavailable.
	Follows(ctx context.Context, follower, followed string) (bool, error)
}

// NoFollows is a Follows where nobody can follow anybody: VisibilityFollowers then shows a
// playlist to no more people than VisibilityPrivate.
type NoFollows struct{}

// Follows is false.
func (NoFollows) Follows(context.Context, string, string) (bool, error) { return false, nil }

// A list goes through stages, one after the other; the cursor begins with the letter of
// the one that it is in.
const (
	stagePeople    = 'p' // rows of the viewer in TablePlaylistPeople
	stageFollowers = 'f' // playlists for followers
	stagePublic    = 'o' // public playlists
)

type stage struct {
	letter byte
	table  string
	query  store.Query
	// skip leaves out what another stage brings.
	skip subjects.Visibility
}

type lister struct {
	store   store.Store
	follows Follows
}

func (l lister) list(ctx context.Context, raw json.RawMessage) (*subjects.PlaylistPage, error) {
	var req subjects.PlaylistQuery
	if err := json.Unmarshal(raw, &req); err != nil {
		return nil, subjects.Refuse(subjects.CodeInvalid, "the request is not a JSON object of the right shape")
	}
	if req.Limit <= 0 {
		req.Limit = listPage
	}
	req.Limit = min(req.Limit, listMost)
	key := subjects.RoomNameKey(req.Prefix)
	if len(key) > store.MaxIndexString {
		return nil, subjects.RefuseField("prefix", "names are found by their first %d bytes", store.MaxIndexString)
	}
	stages, err := l.stages(ctx, req)
	if err != nil {
		return nil, err
	}
	cursor := ""
	if req.Cursor != "" {
		plain, err := base64.RawURLEncoding.DecodeString(req.Cursor)
		if err != nil || len(plain) == 0 {
			return nil, subjects.RefuseField("cursor", "not a cursor of this list")
		}
		for len(stages) > 0 && stages[0].letter != plain[0] {
			stages = stages[1:]
		}
		if len(stages) == 0 {
			return nil, subjects.RefuseField("cursor", "not a cursor of this list")
		}
		cursor = string(plain[1:])
	}
	out := &subjects.PlaylistPage{Playlists: []subjects.PlaylistSummary{}}
	for len(stages) > 0 && len(out.Playlists) < req.Limit {
		q := stages[0].query
		q.Prefix, q.Cursor, q.Limit = key, cursor, req.Limit-len(out.Playlists)
		page, err := l.store.Find(ctx, stages[0].table, q)
		if err == nil {
			err = l.take(ctx, stages[0], page, out)
		}
		if err != nil {
			return nil, listError(err)
		}
		if cursor = page.Next; cursor == "" {
			stages = stages[1:]
		}
	}
	if len(stages) > 0 {
		out.Next = base64.RawURLEncoding.EncodeToString(append([]byte{stages[0].letter}, cursor...))
	}
	return out, nil
}

// stages says where what a request asks for is found.
func (l lister) stages(ctx context.Context, req subjects.PlaylistQuery) ([]stage, error) {
	people := func(index string, equal ...any) stage {
		return stage{letter: stagePeople, table: subjects.TablePlaylistPeople, query: store.Query{Index: index, Equal: equal}}
	}
	rows := func(letter byte, index string, equal ...any) stage {
		return stage{letter: letter, table: subjects.TablePlaylists, query: store.Query{Index: index, Equal: equal}}
	}
	public := string(subjects.VisibilityPublic)
	switch req.Of {
	case "", subjects.ListAll:
		open := rows(stagePublic, IndexName, public)
		if req.Viewer == "" {
			return []stage{open}, nil
		}
		return []stage{people(IndexHidden, req.Viewer, true), open}, nil
	case subjects.ListMine:
		if req.Viewer == "" {
			return nil, subjects.Refuse(subjects.CodeUnauthenticated, "nobody is signed in whose playlists these could be")
		}
		return []stage{people(IndexInside, req.Viewer, true)}, nil
	case subjects.ListUser:
		if subjects.CheckID(subjects.PrefixUser, req.User) != nil {
			return nil, subjects.RefuseField("user", "not a user id")
		}
		open := rows(stagePublic, IndexCreator, req.User, public)
		if req.Viewer == "" {
			return []stage{open}, nil
		}
		hidden := people(IndexHiddenCreator, req.Viewer, req.User, true)
		if req.Viewer == req.User {
			return []stage{hidden, open}, nil
		}
		follows, err := l.follows.Follows(ctx, req.Viewer, req.User)
		if err != nil {
			return nil, subjects.Refuse(subjects.CodeUnavailable, "whom you follow is not known now")
		}
		if !follows {
			return []stage{hidden, open}, nil
		}
		hidden.skip = subjects.VisibilityFollowers
		return []stage{hidden, rows(stageFollowers, IndexCreator, req.User, string(subjects.VisibilityFollowers)), open}, nil
	}
	return nil, subjects.RefuseField("of", "a list is of %s, %s or %s", subjects.ListAll, subjects.ListMine, subjects.ListUser)
}

// take adds the playlists of a page. A row of a person and that of the playlist are written
// one after the other: where they do not fit together yet, the playlist is passed over.
func (l lister) take(ctx context.Context, s stage, page store.Page, out *subjects.PlaylistPage) error {
	for _, doc := range page.Documents {
		var person subjects.PlaylistPerson
		if s.table == subjects.TablePlaylistPeople {
			if err := doc.Decode(&person); err != nil {
				return err
			}
			if s.skip != "" && person.Visibility == s.skip {
				continue
			}
			var err error
			doc, err = l.store.Get(ctx, subjects.TablePlaylists, person.Playlist)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
		}
		var found subjects.PlaylistSummary
		if err := doc.Decode(&found); err != nil {
			return err
		}
		if person.Visibility != "" && person.Visibility != found.Visibility {
			continue
		}
		out.Playlists = append(out.Playlists, found)
	}
	return nil
}

func listError(err error) error {
	switch {
	case errors.Is(err, store.ErrUnavailable):
		return subjects.Refuse(subjects.CodeUnavailable, "playlists cannot be listed now")
	case errors.Is(err, store.ErrInvalid) && strings.Contains(err.Error(), "cursor"):
		return subjects.RefuseField("cursor", "not a cursor of this list")
	}
	return err
}
