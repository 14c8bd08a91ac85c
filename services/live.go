package services

import (
	"github.com/tuttihq/tutti/services/edge"
	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/subjects"
)

// liveRooms tells an edge how rooms go on.
type liveRooms struct {
	follower *aggregate.Follower[*subjects.RoomState, subjects.RoomEvent]
}

// Follow implements edge.Live.
func (l liveRooms) Follow(id string, sink edge.RoomSink) edge.Following {
	return l.follower.Follow(id, roomSink{sink})
}

// roomSink shows an edge's sink what the kernel folds.
type roomSink struct{ edge.RoomSink }

// Reset implements aggregate.Sink.
func (s roomSink) Reset(f *aggregate.Folded[*subjects.RoomState]) { s.RoomSink.Reset(viewOf(f)) }

// Commit implements aggregate.Sink.
func (s roomSink) Commit(f *aggregate.Folded[*subjects.RoomState], data []byte, c *subjects.Commit) {
	s.RoomSink.Commit(viewOf(f), data, c)
}

func viewOf(f *aggregate.Folded[*subjects.RoomState]) edge.RoomView {
	return edge.RoomView{Epoch: f.Epoch, Rev: f.Rev, At: f.At, State: f.State, Unknown: f.Unknown}
}
