package chat

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// cachedChats is how many folded chats are kept for those who read their history.
const cachedChats = 1000

// Reader shows chats as their log has them.
type Reader = aggregate.Reader[*subjects.ChatState, subjects.ChatEvent]

// history answers pages of a chat: access and the last page from its log, what is older
// from the archive.
type history struct {
	chats *Reader
	past  *Archive
}

// scope is what a page needs of a chat's state.
type scope struct {
	epoch  uint64 // of its log, and
	seq    uint64 // the last commit that it was folded from
	total  int64
	recent []subjects.ChatEntry // the last page, the oldest first
	own    []subjects.ChatEntry // what only the viewer sees
}

func (h *history) answer(ctx context.Context, raw json.RawMessage) (*subjects.ChatHistoryPage, error) {
	var req subjects.ChatHistory
	if err := subjects.DecodeBody(raw, &req); err != nil {
		return nil, err
	}
	if err := checkHistory(&req); err != nil {
		return nil, err
	}
	var sc scope
	err := h.chats.View(ctx, req.Chat, func(f *aggregate.Folded[*subjects.ChatState]) error {
		switch {
		case f.Unknown != nil:
			return subjects.Refuse(subjects.CodeUpgrade, "the chat needs a newer release")
		case !f.State.CanSee(req.Viewer):
			return subjects.Refuse(subjects.CodeNotFound, "there is no such chat")
		}
		sc = scope{epoch: f.Epoch, seq: f.Seq, total: f.State.Chat.Total, recent: f.State.Chat.Ordered(), own: f.State.OwnSealed(req.Viewer)}
		return nil
	})
	if errors.Is(err, aggregate.ErrUnavailable) {
		return nil, subjects.Refuse(subjects.CodeUnavailable, "the chat cannot be read now")
	}
	if err != nil {
		return nil, err
	}
	page, err := h.page(ctx, &req, &sc)
	if errors.Is(err, ErrBehind) || errors.Is(err, store.ErrUnavailable) {
		return nil, subjects.Refuse(subjects.CodeUnavailable, "the chat's history cannot be read now")
	}
	return page, err
}

func checkHistory(req *subjects.ChatHistory) error {
	if !subjects.Token(req.Chat) {
		return subjects.RefuseField("chat", "not the id of a chat")
	}
	if req.Viewer == subjects.System {
		return subjects.RefuseField("viewer", "not a user id")
	}
	if req.Before != "" && req.After != "" {
		return subjects.RefuseField("after", "a page lies before a message or after one, not both")
	}
	for field, id := range map[string]string{"before": req.Before, "after": req.After} {
		if id != "" && subjects.CheckID(subjects.PrefixMessage, id) != nil {
			return subjects.RefuseField(field, "not a message id")
		}
	}
	if req.Limit < 0 || req.Limit > subjects.MaxChatHistory {
		return subjects.RefuseField("limit", "a page has 1 to %d messages", subjects.MaxChatHistory)
	}
	if req.Limit == 0 {
		req.Limit = subjects.ChatPage
	}
	return nil
}

// page reads one message more than was asked for on the far side, to know whether there is
// any.
func (h *history) page(ctx context.Context, req *subjects.ChatHistory, sc *scope) (*subjects.ChatHistoryPage, error) {
	limit := int64(req.Limit)
	from, to := max(1, sc.total-limit), sc.total
	within := func(string) bool { return true }
	switch {
	case req.Before != "":
		place, err := subjects.MessagePlace(req.Before)
		if err != nil {
			return nil, err
		}
		to = min(place+1, sc.total) // before it may come what only the viewer sees, after its own place
		from = max(1, to-limit-2)
		within = func(id string) bool { return id < req.Before }
	case req.After != "":
		place, err := subjects.MessagePlace(req.After)
		if err != nil {
			return nil, err
		}
		from = max(1, place-1) // after it may come what only the viewer sees, at the same place
		to = min(from+limit+2, sc.total)
		within = func(id string) bool { return id > req.After }
	}
	all, err := h.messages(ctx, req.Chat, sc, from, to)
	if err != nil {
		return nil, err
	}
	all = withOwn(all, sc, from > 1, to < sc.total)
	out := &subjects.ChatHistoryPage{Messages: []subjects.ChatEntry{}, Total: sc.total}
	for _, e := range all {
		if within(e.ID) {
			out.Messages = append(out.Messages, e)
		}
	}
	over := max(0, len(out.Messages)-req.Limit)
	if req.After != "" {
		out.Messages = out.Messages[:len(out.Messages)-over]
		out.Earlier, out.Later = from > 1 || len(all) > 0 && !within(all[0].ID), over > 0
	} else {
		out.Messages = out.Messages[over:]
		out.Earlier = over > 0
		out.Later = req.Before != "" && (to < sc.total || len(all) > 0 && !within(all[len(all)-1].ID))
	}
	return out, nil
}

// messages gives the public messages from one place to another, both included. Those from the
// archive are as the chat's own state was: what was deleted by then is not shown again.
func (h *history) messages(ctx context.Context, chat string, sc *scope, from, to int64) ([]subjects.ChatEntry, error) {
	first := sc.total - int64(len(sc.recent)) + 1 // of the last page
	var out []subjects.ChatEntry
	if from < first && from <= to {
		if err := h.past.Ready(ctx, chat, sc.epoch, sc.seq); err != nil {
			return nil, err
		}
		past, err := h.past.Range(ctx, chat, sc.epoch, from, min(to, first-1))
		if err != nil {
			return nil, err
		}
		out = past
	}
	if lo, hi := max(from, first), to; lo <= hi {
		out = append(out, sc.recent[lo-first:hi-first+1]...)
	}
	return out, nil
}

// withOwn puts in what only the viewer sees: in place of what everybody sees, or between.
// Where the messages do not reach the chat's beginning or end, only between them.
func withOwn(all []subjects.ChatEntry, sc *scope, before, after bool) []subjects.ChatEntry {
	if len(sc.own) == 0 {
		return all
	}
	out := slices.Clone(all)
	for _, own := range sc.own {
		if i := slices.IndexFunc(all, func(e subjects.ChatEntry) bool { return e.ID == own.ID }); i >= 0 {
			switch {
			case all[i].Deleted:
			case slices.ContainsFunc(sc.recent, func(e subjects.ChatEntry) bool { return e.ID == own.ID }):
				out[i] = own
			default:
				out[i].Text, out[i].Edited = own.Text, own.Edited
			}
			continue
		}
		if before && (len(all) == 0 || own.ID < all[0].ID) || after && (len(all) == 0 || own.ID > all[len(all)-1].ID) {
			continue
		}
		out = append(out, own)
	}
	slices.SortFunc(out, subjects.ChatEntry.Compare)
	return out
}
