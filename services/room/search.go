package room

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
	searchPage = 20
	searchMost = 100
)

// searchRequest asks for rooms by the beginning of their name.
type searchRequest struct {
	// Viewer is a user id, empty for somebody without an account.
	Viewer string `json:"viewer"`
	// Prefix is what the name begins with, in whatever case; empty finds all.
	Prefix string `json:"prefix"`
	Cursor string `json:"cursor"`
	Limit  int    `json:"limit"`
}

type searchAnswer struct {
	Rooms []json.RawMessage `json:"rooms"`
	// Next is the cursor of the following page, empty if this was the last.
	Next string `json:"next,omitempty"`
}

// A search pages through the open rooms, and then through the private ones that the
// viewer was invited to. The cursor says in which of the two it is.
const (
	cursorOpen    = "o"
	cursorPrivate = "p"
)

func search(ctx context.Context, st store.Store, raw json.RawMessage) (*searchAnswer, error) {
	var req searchRequest
	if err := json.Unmarshal(raw, &req); err != nil {
		return nil, subjects.Refuse(subjects.CodeInvalid, "the search is not a JSON object of the right shape")
	}
	if req.Limit <= 0 {
		req.Limit = searchPage
	}
	req.Limit = min(req.Limit, searchMost)
	stage, cursor := cursorOpen, ""
	if req.Viewer != "" {
		stage = cursorPrivate // one's own invitations come first
	}
	if req.Cursor != "" {
		plain, err := base64.RawURLEncoding.DecodeString(req.Cursor)
		if err != nil || len(plain) == 0 {
			return nil, subjects.RefuseField("cursor", "not a cursor of this search")
		}
		stage, cursor = string(plain[:1]), string(plain[1:])
		if stage != cursorOpen && (stage != cursorPrivate || req.Viewer == "") {
			return nil, subjects.RefuseField("cursor", "not a cursor of this search")
		}
	}
	out := &searchAnswer{Rooms: []json.RawMessage{}}
	key := subjects.RoomNameKey(req.Prefix)
	for len(out.Rooms) < req.Limit {
		var page store.Page
		var err error
		if stage == cursorPrivate {
			page, err = invitedTo(ctx, st, req.Viewer, key, cursor, req.Limit-len(out.Rooms), out)
		} else {
			page, err = open(ctx, st, key, cursor, req.Limit-len(out.Rooms), out)
		}
		if err != nil {
			return nil, searchError(err)
		}
		cursor = page.Next
		if cursor == "" {
			if stage == cursorOpen {
				return out, nil
			}
			stage = cursorOpen
		}
	}
	out.Next = base64.RawURLEncoding.EncodeToString([]byte(stage + cursor))
	return out, nil
}

func open(ctx context.Context, st store.Store, key, cursor string, limit int, out *searchAnswer) (store.Page, error) {
	page, err := st.Find(ctx, subjects.TableRooms, store.Query{
		Index: IndexRoomName, Equal: []any{subjects.PhaseOpen, false}, Prefix: key, Cursor: cursor, Limit: limit,
	})
	for _, d := range page.Documents {
		out.Rooms = append(out.Rooms, d.Body)
	}
	return page, err
}

// invitedTo finds the private rooms that a viewer may see. The invitation's row and the
// room's are written one after the other, so a row without its room is passed over.
func invitedTo(ctx context.Context, st store.Store, viewer, key, cursor string, limit int, out *searchAnswer) (store.Page, error) {
	page, err := st.Find(ctx, subjects.TableRoomInvites, store.Query{
		Index: IndexInviteName, Equal: []any{viewer}, Prefix: key, Cursor: cursor, Limit: limit,
	})
	if err != nil {
		return page, err
	}
	for _, d := range page.Documents {
		var row subjects.RoomInvite
		if err := d.Decode(&row); err != nil {
			return page, err
		}
		room, err := st.Get(ctx, subjects.TableRooms, row.Room)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return page, err
		}
		out.Rooms = append(out.Rooms, room.Body)
	}
	return page, nil
}

func searchError(err error) error {
	switch {
	case errors.Is(err, store.ErrUnavailable):
		return subjects.Refuse(subjects.CodeUnavailable, "rooms cannot be searched now")
	case errors.Is(err, store.ErrInvalid) && strings.Contains(err.Error(), "cursor"):
		return subjects.RefuseField("cursor", "not a cursor of this search")
	}
	return err
}
