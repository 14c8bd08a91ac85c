package chat

import (
	"context"
	"errors"
	"time"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

const (
	// heardMost bounds how long somebody waits of whom the chat has not heard yet.
	heardMost = 2 * time.Second
	heardPoll = 5 * time.Millisecond
	// cachedRooms is how many folded rooms are kept to look members up in, and how many
	// playlists.
	cachedRooms = 64
)

// errUnheard means that the room is there, or somebody in it, and the chat has not heard of it
// yet.
var errUnheard = errors.New("chat: the room is ahead of its chat")

// heard compares what a chat knows with the log of its room or playlist. Only somebody who
// may know of that ever waits.
type heard struct {
	chats     *Reader
	rooms     *aggregate.Reader[*subjects.RoomState, subjects.RoomEvent]
	playlists *aggregate.Reader[*subjects.PlaylistState, subjects.PlaylistEvent]
}

func newHeard(b *bus.Bus, chats *Reader) (heard, error) {
	rooms, err := aggregate.NewReader(aggregate.NewJournal(b, subjects.ServiceRoom), roomFold{}, cachedRooms)
	if err != nil {
		return heard{}, err
	}
	playlists, err := aggregate.NewReader(aggregate.NewJournal(b, subjects.ServicePlaylist), playlistFold{}, cachedRooms)
	return heard{chats, rooms, playlists}, err
}

// known is what a log says of a chat and of somebody.
type known struct {
	there  bool // it is there, and somebody may know of it
	inside bool // somebody is in it
}

// Heard implements Rooms.
func (h heard) Heard(ctx context.Context, chat, user string) error {
	for until := time.Now().Add(heardMost); ; {
		var has known
		err := h.chats.View(ctx, chat, func(f *aggregate.Folded[*subjects.ChatState]) error {
			has = known{there: f.State.Exists(), inside: f.State.IsMember(user)}
			return nil
		})
		if err != nil || has.inside {
			return err
		}
		is, err := h.said(ctx, chat, user)
		if ahead := is.inside || is.there && !has.there; err != nil || !ahead {
			return err
		}
		if time.Now().After(until) {
			return errUnheard
		}
		if err := pause(ctx, heardPoll); err != nil {
			return err
		}
	}
}

// said tells what the log of a chat's room or playlist says; what is closed is not there.
func (h heard) said(ctx context.Context, chat, user string) (is known, err error) {
	if ofPlaylist(chat) {
		err = h.playlists.View(ctx, chat, func(f *aggregate.Folded[*subjects.PlaylistState]) error {
			is.inside = f.State.IsMember(user) && !f.State.Deleted()
			is.there = is.inside || f.State.CanSee(user) && !f.State.Deleted()
			return nil
		})
		return is, err
	}
	err = h.rooms.View(ctx, chat, func(f *aggregate.Folded[*subjects.RoomState]) error {
		is.inside = f.State.IsMember(user) && !f.State.Closed()
		is.there = is.inside || f.State.CanSee(user) && !f.State.Closed()
		return nil
	})
	return is, err
}

// FoldsRead tells, by service, whose snapshots chats read and of which fold: with another
// version than the service's own they read its whole logs instead.
func FoldsRead() map[string]uint64 {
	return map[string]uint64{
		subjects.ServiceRoom: roomFold{}.FoldVersion(), subjects.ServicePlaylist: playlistFold{}.FoldVersion(),
	}
}

// roomFold folds rooms for who looks up members.
type roomFold struct{}

func (roomFold) Service() string     { return subjects.ServiceRoom }
func (roomFold) FoldVersion() uint64 { return 3 }

func (roomFold) New(id string) *subjects.RoomState { return subjects.NewRoomState(id) }

func (roomFold) DecodeEvent(typ string, body []byte) (subjects.RoomEvent, error) {
	return subjects.DecodeRoomEvent(typ, body)
}

func (roomFold) Evolve(s *subjects.RoomState, meta subjects.Meta, e subjects.RoomEvent, m *subjects.Marks) error {
	return s.Apply(meta, e, m)
}

func (roomFold) DecodeState(id string, data []byte) (*subjects.RoomState, error) {
	return subjects.DecodeRoomState(id, data)
}

// playlistFold does it for playlists.
type playlistFold struct{}

func (playlistFold) Service() string     { return subjects.ServicePlaylist }
func (playlistFold) FoldVersion() uint64 { return 2 }

func (playlistFold) New(id string) *subjects.PlaylistState { return subjects.NewPlaylistState(id) }

func (playlistFold) DecodeEvent(typ string, body []byte) (subjects.PlaylistEvent, error) {
	return subjects.DecodePlaylistEvent(typ, body)
}

func (playlistFold) Evolve(s *subjects.PlaylistState, meta subjects.Meta, e subjects.PlaylistEvent, m *subjects.Marks) error {
	return s.Apply(meta, e, m)
}

func (playlistFold) DecodeState(id string, data []byte) (*subjects.PlaylistState, error) {
	return subjects.DecodePlaylistState(id, data)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
