package tutti

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strings"

	"github.com/tuttihq/tutti/subjects"
)

// HistoryQuery asks for a page of a chat.
type HistoryQuery struct {
	// Before and After are message ids; at most one of them. The page lies just before or
	// just after that message, which is not in it. Without either it is the last page.
	Before, After string
	// Limit is 1 to subjects.MaxChatHistory, 0 for the server's choice.
	Limit int
}

// History gives a page of the chat, the oldest message first, as the client's user sees it.
func (c *Chat) History(ctx context.Context, q HistoryQuery) (subjects.ChatHistoryPage, error) {
	if err := c.check(); err != nil {
		return subjects.ChatHistoryPage{}, err
	}
	values := paged(nil, "", q.Limit)
	for key, id := range map[string]string{"before": q.Before, "after": q.After} {
		if id != "" {
			values.Set(key, id)
		}
	}
	var page subjects.ChatHistoryPage
	err := c.client.get(ctx, "/v1/chats/"+url.PathEscape(c.id)+"/messages", values, &page)
	return page, err
}

// Earlier yields the messages before one, or all of them for "", the newest first.
func (c *Chat) Earlier(ctx context.Context, before string) iter.Seq2[subjects.ChatEntry, error] {
	return c.pages(ctx, before, func(from string) (subjects.ChatHistoryPage, bool, error) {
		page, err := c.History(ctx, HistoryQuery{Before: from, Limit: subjects.MaxChatHistory})
		slices.Reverse(page.Messages)
		return page, page.Earlier, err
	}, func(next, last string) bool { return last == "" || next < last })
}

// firstMessage is an id before that of every message.
var firstMessage = subjects.PrefixMessage + "_" + strings.Repeat("0", 26)

// Later yields the messages after one, or all of them for "", the oldest first. It ends with
// the last that there is by then; Views goes on from there.
func (c *Chat) Later(ctx context.Context, after string) iter.Seq2[subjects.ChatEntry, error] {
	if after == "" {
		after = firstMessage
	}
	return c.pages(ctx, after, func(from string) (subjects.ChatHistoryPage, bool, error) {
		page, err := c.History(ctx, HistoryQuery{After: from, Limit: subjects.MaxChatHistory})
		return page, page.Later, err
	}, func(next, last string) bool { return next > last })
}

// pages yields what read gives from one place on, and from the end of each page, while there
// is more. A server that does not get on is not followed without end: follows tells whether
// one message may come after another.
func (c *Chat) pages(ctx context.Context, from string, read func(from string) (page subjects.ChatHistoryPage, more bool, err error), follows func(next, last string) bool) iter.Seq2[subjects.ChatEntry, error] {
	return func(yield func(subjects.ChatEntry, error) bool) {
		for last := from; ; {
			page, more, err := read(last)
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(subjects.ChatEntry{}, err)
				return
			}
			for _, e := range page.Messages {
				if !follows(e.ID, last) {
					yield(subjects.ChatEntry{}, fmt.Errorf("%w: message %q of a page from %q on", ErrProtocol, e.ID, last))
					return
				}
				if !yield(e, nil) {
					return
				}
				last = e.ID
			}
			if !more || len(page.Messages) == 0 {
				return
			}
		}
	}
}
