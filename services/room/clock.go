package room

import (
	"github.com/tuttihq/tutti/subjects"
)

// NextTimer is when the room next wants to be woken: at the current track's end, or when
// its constraints begin or cease to take votes.
func (*Machine) NextTimer(s *subjects.RoomState) (int64, bool) { return nextTimer(s) }

func nextTimer(s *subjects.RoomState) (int64, bool) {
	if !s.Exists() || s.Closed() {
		return 0, false
	}
	at, ok := s.Room.EndsAt()
	if w, timed := windowTimer(s.Room.Constraints); timed && (!ok || w < at) {
		at, ok = w, true
	}
	return at, ok
}

func windowTimer(c *subjects.RoomConstraints) (int64, bool) {
	switch {
	case !c.HasTime() || c.Window == subjects.WindowOver:
		return 0, false
	case c.Window == subjects.WindowBefore:
		return c.Start, true
	default:
		return c.End, true
	}
}

// wake does nothing of its own: what is due was let happen before any command is looked
// at. A spurious wake is accepted, also of a room that is closed or never was.
func (d *decision) wake() error {
	if !d.call.System() {
		return subjects.Refuse(subjects.CodeForbidden, "wake is the platform's")
	}
	return nil
}

// catchUp lets happen what is due. If that is anything, the decision goes on with a fork
// of the state that knows of it.
func (d *decision) catchUp() error {
	due, ok := nextTimer(d.s)
	if !ok || due > d.call.At {
		return nil
	}
	d.s = d.s.Fork()
	if err := d.window(); err != nil {
		return err
	}
	return d.trackEnds()
}

// happen emits an event and folds it into the fork, as the kernel will into the state.
func (d *decision) happen(e subjects.RoomEvent) error {
	d.emit(e)
	meta := subjects.Meta{By: d.call.Principal, Cmd: d.call.Command, At: d.call.At}
	return d.s.Apply(meta, e, nil)
}

func (d *decision) window() error {
	c := d.s.Room.Constraints
	at, timed := windowTimer(c)
	switch {
	case !timed || at > d.call.At:
		return nil
	case d.call.At < c.End:
		return d.happen(&subjects.WindowOpened{})
	default: // also when nobody looked from start to end
		return d.happen(&subjects.WindowClosed{})
	}
}

// trackEnds lets tracks end one after the other until one plays on or the room waits.
// Each turn takes a track from the queue or is the last, so MaxQueue bounds them.
func (d *decision) trackEnds() error {
	for {
		end, plays := d.s.Room.EndsAt()
		if !plays || end > d.call.At {
			return nil
		}
		var e subjects.RoomEvent
		if next, ok := d.s.Room.NextEligible(); ok {
			e = &subjects.TrackChosen{Track: next.Track.ID, Playing: true, AnchorAt: end}
		} else {
			e = &subjects.PlaybackEnded{PositionMs: d.s.Room.Current.DurationMs, AnchorAt: end}
		}
		if err := d.happen(e); err != nil {
			return err
		}
	}
}
