package chat

import (
	"context"
	"errors"
	"fmt"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

const (
	// archiveChats is how many chats the archive knows its place in; of another it reads it
	// from the store.
	archiveChats = 1024
	// archiveBatch is how many commits are applied between two times that what they changed
	// is written: it bounds what is held in memory of a chat that is far behind.
	archiveBatch = 256
	// chunkSize is how many messages a document of the history holds.
	chunkSize = subjects.ChatPage
)

// ErrBehind is returned when the log was not read as far as it is known to go, or the
// history has not come to a message yet. Trying again helps.
var ErrBehind = errors.New("chat: the history is behind the log")

// chunk is the body of a document of the history: messages in their places, some of the
// last chunk's still empty.
type chunk struct {
	Chat     string               `json:"chat"`
	Messages []subjects.ChatEntry `json:"messages"`
}

// mark is the body of the document that says how far a chat is archived. Its version names
// the commit.
type mark struct {
	Chat string `json:"chat"`
	// Seq is the commit's sequence in the stream.
	Seq uint64 `json:"seq"`
}

// chunkOf is the number of the chunk that holds a place, from 0.
func chunkOf(place int64) int64 { return (place - 1) / chunkSize }

func chunkID(chat string, n int64) string { return fmt.Sprintf("%s.%d", chat, n) }
func markID(chat string) string           { return chat + ".mark" }

// Archive writes the messages of chats to the store, and reads them. It is safe for use by
// many goroutines; what it writes of one chat is written by one of them at a time.
type Archive struct {
	journal aggregate.Journal
	store   store.Store

	mu    sync.Mutex
	chats *lru.Cache[string, *progress]
}

// progress is how far a chat is archived. It may be behind what another replica has done.
type progress struct {
	mu sync.Mutex
	at *position // nil if it is not known
}

type position struct {
	version store.Version // of the last commit that is archived; zero before the first
	seq     uint64
	// last is the chunk that was changed last: most often the next commit changes it again.
	last *page
}

// page is a chunk with its place and the last commit in it.
type page struct {
	n       int64
	version store.Version
	chunk   chunk
	dirty   bool
}

// NewArchive gives the archive of the chats whose log the journal is.
func NewArchive(journal aggregate.Journal, st store.Store) (*Archive, error) {
	chats, err := lru.New[string, *progress](archiveChats)
	if err != nil {
		return nil, fmt.Errorf("chat: archive: %w", err)
	}
	return &Archive{journal: journal, store: st, chats: chats}, nil
}

// CatchUp archives a chat's log up to a sequence at least. The epoch is that of the log's
// fold. It returns when it is in the store; an error is worth another try.
func (a *Archive) CatchUp(ctx context.Context, chat string, epoch, upTo uint64) error {
	p := a.progress(chat)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at == nil {
		at, err := a.position(ctx, chat)
		if err != nil {
			return err
		}
		p.at = at
	}
	return a.catchUp(ctx, chat, p, epoch, upTo)
}

// catchUp goes on from where the progress is, which is locked.
func (a *Archive) catchUp(ctx context.Context, chat string, p *progress, epoch, upTo uint64) error {
	w := writer{archive: a, chat: chat, at: p.at, epoch: max(epoch, p.at.version.Epoch), pages: map[int64]*page{}}
	p.at = nil // until it is known how far this came
	if err := w.catchUp(ctx, upTo); err != nil {
		return err
	}
	p.at = w.at
	return nil
}

// Ready returns once the archive has a chat's log as far as somebody has folded it: up to a
// commit's sequence, of an epoch. If it has it already, in this process or by what the store
// says, nothing is read of the log; ErrBehind says that it cannot be had now.
func (a *Archive) Ready(ctx context.Context, chat string, epoch, upTo uint64) error {
	p := a.progress(chat)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at.covers(epoch, upTo) {
		return nil
	}
	at, err := a.position(ctx, chat)
	if err != nil {
		return err
	}
	if p.at == nil || at.version.Newer(p.at.version) {
		p.at = at // another replica has gone further
	}
	if p.at.covers(epoch, upTo) {
		return nil
	}
	if err := a.catchUp(ctx, chat, p, epoch, upTo); err != nil {
		return err
	}
	if !p.at.covers(epoch, upTo) {
		return ErrBehind // a newer release archives this chat, and has not come so far
	}
	return nil
}

// covers reports whether the archive has a log of an epoch up to a sequence. What an older
// fold has written, or of a log that has lost its tail since, does not count.
func (at *position) covers(epoch, upTo uint64) bool {
	return at != nil && at.version.Epoch >= epoch && at.version.Fold >= foldVersion && at.seq >= upTo
}

// position reads how far a chat is archived.
func (a *Archive) position(ctx context.Context, chat string) (*position, error) {
	doc, err := a.store.Get(ctx, subjects.TableChatHistory, markID(chat))
	if errors.Is(err, store.ErrNotFound) {
		return &position{}, nil
	}
	if err != nil {
		return nil, err
	}
	var m mark
	if err := doc.Decode(&m); err != nil {
		return nil, err
	}
	return &position{version: doc.Version, seq: m.Seq}, nil
}

func (a *Archive) progress(chat string) *progress {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p, ok := a.chats.Get(chat); ok {
		return p
	}
	p := &progress{}
	a.chats.Add(chat, p)
	return p
}

// Range gives the messages of a chat from one place to another, both included, as far as they
// are archived: what happened to them since may be missing. It returns ErrBehind if one is not
// there yet, or only by an older fold or of an earlier epoch than the one given.
func (a *Archive) Range(ctx context.Context, chat string, epoch uint64, from, to int64) ([]subjects.ChatEntry, error) {
	out := make([]subjects.ChatEntry, 0, max(0, to-from+1))
	for n := chunkOf(from); from <= to && n <= chunkOf(to); n++ {
		doc, err := a.store.Get(ctx, subjects.TableChatHistory, chunkID(chat, n))
		if errors.Is(err, store.ErrNotFound) {
			return nil, ErrBehind
		}
		if err != nil {
			return nil, err
		}
		if doc.Version.Epoch < epoch || doc.Version.Fold < foldVersion {
			return nil, ErrBehind
		}
		var c chunk
		if err := doc.Decode(&c); err != nil {
			return nil, err
		}
		first := n*chunkSize + 1
		lo, hi := max(from, first), min(to, first+chunkSize-1)
		if hi-first >= int64(len(c.Messages)) {
			return nil, ErrBehind
		}
		out = append(out, c.Messages[lo-first:hi-first+1]...)
	}
	return out, nil
}

// Message implements Past.
func (a *Archive) Message(ctx context.Context, chat, id string) (*subjects.ChatEntry, error) {
	place, err := subjects.MessagePlace(id)
	if err != nil || place < 1 {
		return nil, nil //nolint:nilerr // what is no id names no message
	}
	found, err := a.Range(ctx, chat, 0, place, place)
	if err != nil || found[0].ID != id {
		return nil, err
	}
	return &found[0], nil
}
