package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// writer brings one chat's history up to its log.
type writer struct {
	archive *Archive
	chat    string
	epoch   uint64
	at      *position
	pages   map[int64]*page // changed since the last write, and the one changed last
	commits int             // since the last write
}

// version is that of documents in which a commit is the last.
func (w *writer) version(rev uint64) store.Version {
	return store.Version{Epoch: w.epoch, Fold: foldVersion, Rev: rev}
}

// current reports whether a version is of the log and the fold that are archived now. What
// is of older ones counts as not there: the log is applied from its beginning.
func (w *writer) current(v store.Version) bool { return v.Epoch == w.epoch && v.Fold == foldVersion }

func (w *writer) catchUp(ctx context.Context, upTo uint64) error {
	if w.at.version.Fold > foldVersion {
		return nil // a newer release archives this chat
	}
	if !w.current(w.at.version) {
		w.at = &position{}
	}
	if w.at.seq >= upTo {
		return nil
	}
	if w.at.last != nil {
		w.pages[w.at.last.n] = w.at.last
	}
	err := w.archive.journal.Read(ctx, w.chat, w.at.seq+1, func(e aggregate.Entry) error {
		c, err := subjects.DecodeCommit(e.Data)
		if err == nil {
			if err := w.commit(ctx, &c); err != nil {
				return err
			}
			w.at.version = w.version(c.Rev)
		} // else it is no commit, and no part of the log
		w.at.seq = e.Seq
		if w.commits++; w.commits >= archiveBatch {
			return w.flush(ctx)
		}
		return nil
	})
	if err == nil {
		err = w.flush(ctx)
	}
	if err == nil && w.at.seq < upTo {
		return fmt.Errorf("%w: %s was read to %d, and goes to %d", ErrBehind, w.chat, w.at.seq, upTo)
	}
	return err
}

// commit applies the public events of a commit: nothing else is anybody's history.
func (w *writer) commit(ctx context.Context, c *subjects.Commit) error {
	for i := range c.Public.Events {
		e := &c.Public.Events[i]
		ev, err := subjects.DecodeChatEvent(e.Type, e.Body)
		if errors.Is(err, subjects.ErrUnknownEvent) {
			continue // whoever knows it raises foldVersion, if it is of the history
		}
		if err != nil {
			return err
		}
		switch ev := ev.(type) {
		case *subjects.MessageSent:
			err = w.change(ctx, c.Rev, ev.Message, true, func(m *subjects.ChatEntry) {
				*m = subjects.ChatEntry{ID: ev.Message, ChatMessage: subjects.ChatMessage{
					Author: ev.User, Text: ev.Text, At: e.At, Reactions: map[string]int{},
				}}
			})
		case *subjects.MessageEdited:
			err = w.change(ctx, c.Rev, ev.Message, false, func(m *subjects.ChatEntry) {
				if !m.Deleted {
					m.Text, m.Edited = ev.Text, true
				}
			})
		case *subjects.MessageDeleted:
			err = w.change(ctx, c.Rev, ev.Message, false, func(m *subjects.ChatEntry) {
				m.Text, m.Edited, m.Deleted, m.Reactions = "", false, true, map[string]int{}
			})
		case *subjects.ReactionAdded:
			err = w.change(ctx, c.Rev, ev.Message, false, func(m *subjects.ChatEntry) { tally(m, ev.Reaction, 1) })
		case *subjects.ReactionRemoved:
			err = w.change(ctx, c.Rev, ev.Message, false, func(m *subjects.ChatEntry) { tally(m, ev.Reaction, -1) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func tally(m *subjects.ChatEntry, name string, by int) {
	if !m.Deleted {
		subjects.Tally(m.Reactions, name, by)
	}
}

// change applies an event to a message, unless it is in the chunk already.
func (w *writer) change(ctx context.Context, rev uint64, id string, sent bool, f func(*subjects.ChatEntry)) error {
	place, err := subjects.MessagePlace(id)
	if err != nil || place < 1 {
		return nil //nolint:nilerr // no command lets such an event happen
	}
	p, err := w.page(ctx, chunkOf(place))
	if err != nil {
		return err
	}
	if applied := p.version.Rev; w.current(p.version) && (rev < applied || rev == applied && !p.dirty) {
		return nil
	}
	i := int((place - 1) % chunkSize)
	switch {
	case sent && i == len(p.chunk.Messages):
		p.chunk.Messages = append(p.chunk.Messages, subjects.ChatEntry{})
	case i >= len(p.chunk.Messages) || !sent && p.chunk.Messages[i].ID != id:
		return nil // of a message that the log does not have
	}
	f(&p.chunk.Messages[i])
	p.version, p.dirty = w.version(rev), true
	return nil
}

// page gives a chunk as it is with all commits before this one.
func (w *writer) page(ctx context.Context, n int64) (*page, error) {
	if p, ok := w.pages[n]; ok {
		return p, nil
	}
	p := &page{n: n, chunk: chunk{Chat: w.chat}}
	doc, err := w.archive.store.Get(ctx, subjects.TableChatHistory, chunkID(w.chat, n))
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return nil, err
	case w.current(doc.Version):
		p.version = doc.Version
		if err := doc.Decode(&p.chunk); err != nil {
			return nil, err
		}
	}
	w.pages[n] = p
	return p, nil
}

// flush writes what was changed, and then how far that is.
func (w *writer) flush(ctx context.Context) error {
	if w.commits == 0 {
		return nil
	}
	var last *page
	for n, p := range w.pages {
		if p.dirty {
			if err := w.put(ctx, chunkID(w.chat, n), p.version, p.chunk); err != nil {
				if !errors.Is(err, store.ErrStale) {
					return err
				}
				delete(w.pages, n) // another replica has gone further
				continue
			}
			p.dirty = false
		}
		if last == nil || n > last.n {
			last = p
		}
	}
	clear(w.pages)
	w.at.last = last
	if last != nil {
		w.pages[last.n] = last
	}
	w.commits = 0
	if w.at.version.IsZero() {
		return nil
	}
	err := w.put(ctx, markID(w.chat), w.at.version, mark{Chat: w.chat, Seq: w.at.seq})
	if errors.Is(err, store.ErrStale) {
		return nil
	}
	return err
}

func (w *writer) put(ctx context.Context, id string, version store.Version, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("chat: history of %s: %w", w.chat, err)
	}
	return w.archive.store.Put(ctx, subjects.TableChatHistory, store.Document{ID: id, Version: version, Body: raw})
}
