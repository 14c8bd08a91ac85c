package edge

import (
	"context"
	"sync"

	"github.com/tuttihq/tutti/subjects"
)

// View is a room, a playlist or a chat as its log's head has it.
type View[S any] struct {
	// Epoch and Rev name the last commit; Rev is 0 where there is no log.
	Epoch, Rev uint64
	// At is that commit's time in Unix milliseconds.
	At int64
	// State is the fold of the log; nil counts as one that does not exist.
	State S
	// Unknown is set if the log holds an event of a newer release: State lacks what it
	// did, so nothing of it is shown.
	Unknown error
}

type (
	// RoomView is a room.
	RoomView = View[*subjects.RoomState]
	// PlaylistView is a playlist.
	PlaylistView = View[*subjects.PlaylistState]
	// ChatView is the chat of a room or a playlist.
	ChatView = View[*subjects.ChatState]
)

// Views gives what is folded from logs as the logs have it.
type Views[S any] interface {
	// View calls f with the room, playlist or chat of that id, folded up to what was the head
	// of its log when View was called, or later. Until f returns nobody changes the view's
	// state; f must not keep or change it. One without a log is given as one that does not
	// exist. View returns f's error, or an error of its own: one that wraps
	// aggregate.ErrUnavailable or bus.ErrUnavailable if the log cannot be read now.
	View(ctx context.Context, id string, f func(View[S]) error) error
}

// ViewsFunc makes Views of a function whose views are never changed after it returned
// them.
type ViewsFunc[S any] func(ctx context.Context, id string) (View[S], error)

// View implements Views.
func (get ViewsFunc[S]) View(ctx context.Context, id string, f func(View[S]) error) error {
	v, err := get(ctx, id)
	if err != nil {
		return err
	}
	return f(v)
}

// Live follows rooms, playlists or chats as their logs go on.
type Live[S any] interface {
	// Follow begins to tell the sink of one, until the following is stopped. It does not
	// block.
	Follow(id string, sink Sink[S]) Following
}

// Sink is told how something goes on: in the order of its log, each commit once, none left
// out. Who tells it holds the lock while the state changes and while a method is called;
// between the calls the last view may be read under the lock. The methods do not block.
type Sink[S any] interface {
	sync.Locker
	// Reset gives it anew: at first, and when what was given before does not go on.
	Reset(View[S])
	// Commit gives it as it is after the next commit. data are the commit's bytes, which
	// nobody changes any more.
	Commit(v View[S], data []byte, c *subjects.Commit)
	// Lost says that the log cannot be followed now; the next Reset or Commit says that it
	// can again.
	Lost(error)
}

// Following is something that is followed.
type Following interface {
	// Sync returns when the sink was told all that was in the log at the time of the call,
	// or an error that wraps aggregate.ErrUnavailable or ctx's.
	Sync(ctx context.Context) error
	// Stop ends it; no method of the sink runs, or will, when it has returned.
	Stop()
}
