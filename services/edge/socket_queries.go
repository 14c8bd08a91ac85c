package edge

import (
	"context"
	"encoding/json"

	"github.com/tuttihq/tutti/subjects"
)

// query answers a question in a lane of its own, with what the HTTP path would answer.
func (k *socket) query(f subjects.ClientFrame) {
	if wait, err := k.limit(classReads); err != nil {
		k.refuse(f, err, wait)
		return
	}
	f.Channel = "" // queries have no channel: one lane for all
	k.lane(f, k.srv.cfg.QueryTimeout, subjects.FrameResult, func(ctx context.Context) (*subjects.ServerFrame, error) {
		answer, err := k.answer(ctx, f.Query, f.Body)
		if err != nil {
			return nil, err
		}
		result, err := json.Marshal(answer)
		return &subjects.ServerFrame{Result: result}, err
	})
}

func (k *socket) answer(ctx context.Context, query string, body json.RawMessage) (any, error) {
	var in struct {
		Prefix string   `json:"prefix"`
		Query  string   `json:"query"`
		Room   string   `json:"room"`
		Cursor string   `json:"cursor"`
		Limit  int      `json:"limit"`
		IDs    []string `json:"ids"`
	}
	if err := subjects.DecodeBody(body, &in); err != nil {
		return nil, err
	}
	var err error
	switch query {
	case subjects.QueryRooms:
		if in.Limit, err = pageLimit(in.Limit, searchPage, searchPageMost); err != nil {
			return nil, err
		}
		return k.srv.findRooms(ctx, roomSearch{Viewer: k.user, Prefix: in.Prefix, Cursor: in.Cursor, Limit: in.Limit})
	case subjects.QueryMembers:
		if in.Limit, err = pageLimit(in.Limit, membersPage, membersPageMost); err != nil {
			return nil, err
		}
		return k.srv.rosterPage(ctx, k.user, in.Room, in.Cursor, in.Limit)
	case subjects.QueryTracks:
		if in.Limit, err = pageLimit(in.Limit, tracksPage, tracksPageMost); err != nil {
			return nil, err
		}
		return k.srv.findTracks(ctx, in.Query, in.Limit)
	case subjects.QueryUsers:
		return k.srv.findUsers(ctx, k.user, in.IDs)
	}
	return nil, subjects.RefuseField("query", "there is no query %q", clip(query))
}
