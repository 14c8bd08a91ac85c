package edge

import (
	"context"
	"net/http"

	"github.com/tuttihq/tutti/subjects"
)

func (s *Server) history(r *request) error {
	limit, err := r.limitParam(subjects.ChatPage, subjects.MaxChatHistory)
	if err != nil {
		return err
	}
	out, err := s.chatHistory(r.ctx, subjects.ChatHistory{
		Chat: r.Params("id"), Viewer: r.who.UserID, Before: r.Query("before"), After: r.Query("after"), Limit: limit,
	})
	if err != nil {
		return err
	}
	return r.json(http.StatusOK, out)
}

// chatHistory reads a page of a chat. The chat service looks at who asks.
func (s *Server) chatHistory(ctx context.Context, in subjects.ChatHistory) (subjects.ChatHistoryPage, error) {
	out := subjects.ChatHistoryPage{Messages: []subjects.ChatEntry{}}
	if !s.kinds.chat.is(in.Chat) {
		return out, s.kinds.chat.missing()
	}
	if err := s.kinds.chat.reached(ctx, in.Viewer, in.Chat); err != nil {
		return out, err
	}
	err := s.deps.Queries.Query(ctx, subjects.ServiceChat, subjects.QueryChatHistory, in, &out)
	if subjects.CodeOf(err) == subjects.CodeNotFound {
		err = s.kinds.chat.missing()
	}
	return out, err
}
