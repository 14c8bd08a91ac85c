package chat

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/projection"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// Tables describes the tables that chats are written to. Both follow from the log and may
// be dropped and rebuilt. History is Hard all the same: a page must not be lost that its
// chat's mark says is there.
func Tables() []store.Table {
	return []store.Table{
		{Name: subjects.TableChats, Durability: store.Soft},
		{Name: subjects.TableChatHistory, Durability: store.Hard},
	}
}

// Projection says how chats become documents: a summary of each, and, before a commit counts
// as projected, its history.
func Projection(past *Archive) projection.Spec[*subjects.ChatState, subjects.ChatEvent] {
	type (
		folded  = aggregate.Folded[*subjects.ChatState]
		touched = projection.Touched[*subjects.ChatState, subjects.ChatEvent]
	)
	return projection.Spec[*subjects.ChatState, subjects.ChatEvent]{
		Fold:    Fold{},
		Tables:  []string{subjects.TableChats},
		Touched: projection.FromState[*subjects.ChatState, subjects.ChatEvent](summary),
		Settle: func(ctx context.Context, f *folded, _ touched) error {
			return past.CatchUp(ctx, f.ID, f.Epoch, f.Seq)
		},
		Beside: []string{subjects.TableChatHistory},
	}
}

func summary(s *subjects.ChatState, version store.Version) ([]projection.Write, error) {
	if !s.Exists() {
		return nil, nil
	}
	body, err := json.Marshal(s.Chat.Summary())
	if err != nil {
		return nil, fmt.Errorf("chat: document of %s: %w", s.Chat.ID, err)
	}
	return []projection.Write{{Table: subjects.TableChats, Document: store.Document{ID: s.Chat.ID, Version: version, Body: body}}}, nil
}

// Rebuild makes the documents of all chats anew; see projection.Rebuild. With opt.Drop the
// history is cleared too, and so is what it had of messages that the log has lost.
func Rebuild(ctx context.Context, b *bus.Bus, st store.Store, opt projection.RebuildOptions) (projection.Report, error) {
	if opt.Drop {
		if err := st.Clear(ctx, subjects.TableChatHistory); err != nil {
			return projection.Report{}, fmt.Errorf("chat: rebuild: %w", err)
		}
	}
	past, err := NewArchive(aggregate.NewJournal(b, subjects.ServiceChat), st)
	if err != nil {
		return projection.Report{}, err
	}
	return projection.Rebuild(ctx, b, st, Projection(past), opt)
}
