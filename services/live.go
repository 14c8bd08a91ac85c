package services

import (
	"context"

	"github.com/tuttihq/tutti/services/chat"
	"github.com/tuttihq/tutti/services/edge"
	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/playlist"
	"github.com/tuttihq/tutti/services/room"
	"github.com/tuttihq/tutti/subjects"
)

// cachedShown is how many folded rooms, playlists and chats an edge keeps, of each.
const cachedShown = 10_000

// shown shows an edge what one service's logs say, now and as they go on.
type shown[S any, E any] struct {
	reader   *aggregate.Reader[S, E]
	follower *aggregate.Follower[S, E]
}

// showLogs reads and follows a service's logs until the system stops.
func showLogs[S any, E any](s *System, fold aggregate.Fold[S, E]) (shown[S, E], error) {
	service := fold.Service()
	reader, err := aggregate.NewReader(aggregate.NewJournal(s.bus, service), fold, cachedShown)
	if err != nil {
		return shown[S, E]{}, err
	}
	follower := aggregate.NewFollower(s.bus, fold, aggregate.FollowOptions{Log: s.log.With("service", "edge")})
	s.onStop("follower of "+service, func(context.Context) error { follower.Close(); return nil })
	forget := s.observe.follower(service, follower.Stats)
	s.onStop("metrics of the follower of "+service, func(context.Context) error { forget(); return nil })
	return shown[S, E]{reader, follower}, nil
}

// showAll gives an edge rooms, playlists and chats.
func (s *System) showAll(d *edge.Deps) error {
	rooms, err := showLogs[*subjects.RoomState, subjects.RoomEvent](s, room.Fold{})
	if err != nil {
		return err
	}
	playlists, err := showLogs[*subjects.PlaylistState, subjects.PlaylistEvent](s, playlist.Fold{})
	if err != nil {
		return err
	}
	chats, err := showLogs[*subjects.ChatState, subjects.ChatEvent](s, chat.Fold{})
	if err != nil {
		return err
	}
	d.Rooms, d.Live = rooms, rooms
	d.Playlists, d.LivePlaylists = playlists, playlists
	d.Chats, d.LiveChats = chats, chats
	return nil
}

// View implements edge.Views.
func (l shown[S, E]) View(ctx context.Context, id string, f func(edge.View[S]) error) error {
	return l.reader.View(ctx, id, func(r *aggregate.Folded[S]) error { return f(viewOf(r)) })
}

// Follow implements edge.Live.
func (l shown[S, E]) Follow(id string, to edge.Sink[S]) edge.Following {
	return l.follower.Follow(id, sink[S]{to})
}

// sink shows an edge's sink what the kernel folds.
type sink[S any] struct{ edge.Sink[S] }

// Reset implements aggregate.Sink.
func (s sink[S]) Reset(f *aggregate.Folded[S]) { s.Sink.Reset(viewOf(f)) }

// Commit implements aggregate.Sink.
func (s sink[S]) Commit(f *aggregate.Folded[S], data []byte, c *subjects.Commit) {
	s.Sink.Commit(viewOf(f), data, c)
}

func viewOf[S any](f *aggregate.Folded[S]) edge.View[S] {
	return edge.View[S]{Epoch: f.Epoch, Rev: f.Rev, At: f.At, State: f.State, Unknown: f.Unknown}
}
