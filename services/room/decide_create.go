package room

import (
	"github.com/tuttihq/tutti/subjects"
)

// mayCreate refuses a room that is there already, and what only the clock can tell is
// wrong with a new one.
func (d *decision) mayCreate(body *subjects.CreateRoom) error {
	if d.call.System() {
		return subjects.Refuse(subjects.CodeForbidden, "create needs a person")
	}
	if err := subjects.CheckID(subjects.PrefixRoom, d.call.ID); err != nil {
		return subjects.RefuseField("room", "not a room id")
	}
	if d.s.Exists() {
		return subjects.Refuse(subjects.CodeExists, "there is a room with this id")
	}
	c := body.Constraints
	if c == nil || c.End == 0 {
		return nil
	}
	if c.End <= d.call.At {
		return subjects.RefuseField("constraints.end", "end lies in the future")
	}
	if c.End-d.call.At > subjects.MaxScheduleAhead.Milliseconds() {
		return subjects.RefuseField("constraints.end", "end lies at most %d days ahead", int(subjects.MaxScheduleAhead.Hours())/24)
	}
	return nil
}

// create opens the room, lets the creator in, and queues the initial tracks with the
// creator's vote each. If one vote is enough, the first becomes current. The room is
// paused.
func (d *decision) create(body *subjects.CreateRoom, cmd *Command) error {
	if err := d.mayCreate(body); err != nil {
		return err
	}
	who := d.call.Principal
	e := &subjects.RoomCreated{
		Kind: body.Kind, Name: body.Name, Creator: who,
		Options: subjects.RoomOptions{
			MinimumScore: *body.MinimumScore, Open: body.Open, OnlyInvitedVote: body.OnlyInvitedVote,
			Mode: body.Mode, SkipShare: *body.SkipShare,
		},
		Constraints: d.constraints(body.Constraints),
		Table:       subjects.GrantTable,
	}
	if cmd.name != "" {
		e.Name = cmd.name
	}
	d.emit(e)
	d.emit(&subjects.MemberJoined{User: who, Role: subjects.RoleCreator})

	r := report{user: who}
	queued := make(map[string]bool, len(body.Tracks))
	first := ""
	for i, ref := range body.Tracks {
		t, refusal := cmd.resolved(i)
		if refusal != nil {
			r.add(ref, "", refusal)
			continue
		}
		if queued[t.ID] {
			continue
		}
		d.emit(&subjects.TrackSuggested{User: who, Track: t, Seq: int64(len(queued)), Voted: true})
		queued[t.ID] = true
		if first == "" {
			first = t.ID
		}
	}
	if len(body.Tracks) > 0 && first == "" {
		return r.refusal()
	}
	if first != "" && e.Options.MinimumScore <= 1 {
		d.emit(&subjects.TrackChosen{Track: first, AnchorAt: d.call.At})
	}
	d.tell(r)
	return nil
}

func (d *decision) constraints(asked *subjects.ConstraintsAsked) *subjects.RoomConstraints {
	if asked == nil {
		return nil
	}
	c := &subjects.RoomConstraints{Start: asked.Start, End: asked.End, Window: subjects.WindowOpen}
	if asked.Place != nil {
		p := *asked.Place
		c.Place = &p
	}
	if c.HasTime() && d.call.At < c.Start {
		c.Window = subjects.WindowBefore
	}
	return c
}
