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

// question is the body of a query: what the HTTP path beside it takes.
type question struct {
	Prefix string   `json:"prefix"`
	Query  string   `json:"query"`
	Room   string   `json:"room"`
	User   string   `json:"user"`
	Of     string   `json:"of"`
	Chat   string   `json:"chat"`
	Before string   `json:"before"`
	After  string   `json:"after"`
	Cursor string   `json:"cursor"`
	Limit  int      `json:"limit"`
	IDs    []string `json:"ids"`
}

// pageSizes are those of the queries that answer by page: the usual one and the largest.
var pageSizes = map[string][2]int{
	subjects.QueryRooms:     {searchPage, searchPageMost},
	subjects.QueryMembers:   {membersPage, membersPageMost},
	subjects.QueryTracks:    {tracksPage, tracksPageMost},
	subjects.QueryPlaylists: {playlistsPage, playlistsPageMost},
	subjects.QueryHistory:   {subjects.ChatPage, subjects.MaxChatHistory},
	subjects.QueryPeople:    {peoplePage, subjects.MaxPeople},
	subjects.QueryFollowers: {peoplePage, subjects.MaxPeople},
	subjects.QueryFollowing: {peoplePage, subjects.MaxPeople},
	subjects.QueryPlays:     {subjects.PlaysPage, subjects.MaxPlaysPage},
	subjects.QueryHeard:     {subjects.PlaysPage, subjects.MaxPlaysPage},
}

func (k *socket) answer(ctx context.Context, query string, body json.RawMessage) (any, error) {
	var in question
	if err := subjects.DecodeBody(body, &in); err != nil {
		return nil, err
	}
	if size, ok := pageSizes[query]; ok {
		var err error
		if in.Limit, err = pageLimit(in.Limit, size[0], size[1]); err != nil {
			return nil, err
		}
	}
	s := k.srv
	switch query {
	case subjects.QueryRooms:
		return s.findRooms(ctx, roomSearch{Viewer: k.user, Prefix: in.Prefix, Cursor: in.Cursor, Limit: in.Limit})
	case subjects.QueryMembers:
		return s.rosterPage(ctx, k.user, in.Room, in.Cursor, in.Limit)
	case subjects.QueryTracks:
		return s.findTracks(ctx, in.Query, in.Limit)
	case subjects.QueryUsers:
		return s.findUsers(ctx, k.user, in.IDs)
	case subjects.QueryPlaylists:
		return s.findPlaylists(ctx, subjects.PlaylistQuery{
			Viewer: k.user, Of: in.Of, User: in.User, Prefix: in.Prefix, Cursor: in.Cursor, Limit: in.Limit,
		})
	case subjects.QueryHistory:
		return s.chatHistory(ctx, subjects.ChatHistory{Chat: in.Chat, Viewer: k.user, Before: in.Before, After: in.After, Limit: in.Limit})
	case subjects.QueryPeople:
		return s.findPeople(ctx, k.user, in.Prefix, in.Cursor, in.Limit)
	case subjects.QueryUser:
		return s.person(ctx, k.user, in.User)
	case subjects.QueryFollowers:
		return s.followers(ctx, k.user, in.User, in.Cursor, in.Limit)
	case subjects.QueryFollowing:
		return s.following(ctx, k.user, in.User, in.Cursor, in.Limit)
	case subjects.QueryPlays:
		return s.plays(ctx, k.user, in.Room, in.Cursor, in.Limit)
	case subjects.QueryHeard:
		return s.heard(ctx, k.user, in.User, in.Cursor, in.Limit)
	}
	return nil, subjects.RefuseField("query", "there is no query %q", clip(query))
}
