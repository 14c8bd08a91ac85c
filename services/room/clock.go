package room

import (
	"github.com/tuttihq/tutti/subjects"
)

// NextTimer is when the room next wants to be woken: at the current track's end, when its
// constraints begin or cease to take votes, or when the time of a poll or a ready-check is
// up.
func (*Machine) NextTimer(s *subjects.RoomState) (int64, bool) { return nextTimer(s) }

func nextTimer(s *subjects.RoomState) (int64, bool) {
	if !s.Exists() || s.Closed() {
		return 0, false
	}
	at, ok := s.Room.EndsAt()
	if w, timed := windowTimer(s.Room.Constraints); timed && (!ok || w < at) {
		at, ok = w, true
	}
	if p := s.Room.Poll; p.Open() && p.EndsAt != 0 && (!ok || p.EndsAt < at) {
		at, ok = p.EndsAt, true
	}
	if c := s.Room.ReadyCheck; c.Running() && (!ok || c.EndsAt < at) {
		at, ok = c.EndsAt, true
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

// catchUpMost bounds the tracks that end in one go. Only a queue that loops has more: after so
// many the next one begins now, and not where the music would have been.
const catchUpMost = subjects.MaxQueue

// catchUp lets happen what is due. If that is anything, the decision goes on with a fork
// of the state that knows of it.
func (d *decision) catchUp() {
	due, ok := nextTimer(d.s)
	if !ok || due > d.call.At {
		return
	}
	d.fork()
	d.window()
	if p := d.s.Room.Poll; p.Open() && p.EndsAt != 0 && p.EndsAt <= d.call.At {
		d.happen(d.pollClosed(p.EndsAt))
	}
	if c := d.s.Room.ReadyCheck; c.Running() && c.EndsAt <= d.call.At {
		d.happen(&subjects.ReadyFinished{
			Check: c.ID, Ready: d.s.ReadyTotal(), Of: d.s.ReadyVoters(), Users: d.readyUsers(readiness{}), At: c.EndsAt,
		})
	}
	d.trackEnds()
}

func (d *decision) window() {
	c := d.s.Room.Constraints
	at, timed := windowTimer(c)
	switch {
	case !timed || at > d.call.At:
	case d.call.At < c.End:
		d.happen(&subjects.WindowOpened{})
	default: // also when nobody looked from start to end
		d.happen(&subjects.WindowClosed{})
	}
}

// trackEnds lets tracks end one after the other until one plays on or the room waits.
func (d *decision) trackEnds() {
	for n := 1; ; n++ {
		end, plays := d.s.Room.EndsAt()
		if !plays || end > d.call.At || d.err != nil {
			return
		}
		d.leaveStage(end)
		from := end
		if n > catchUpMost {
			from = d.lead()
		}
		d.happen(d.comesOn(from, end))
	}
}
