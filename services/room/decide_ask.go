package room

import (
	"slices"

	"github.com/tuttihq/tutti/subjects"
)

// poll asks the room a question, one at a time.
func (d *decision) poll(body *subjects.OpenPoll) error {
	if err := d.enter(subjects.VerbPoll); err != nil {
		return err
	}
	last := d.s.Room.Poll
	if last.Open() {
		return subjects.Refuse(subjects.CodeExists, "a poll is open: it closes first")
	}
	e := &subjects.PollOpened{Poll: 1, Question: body.Question, Options: body.Options}
	if last != nil {
		e.Poll = last.ID + 1
	}
	if body.Seconds > 0 {
		e.EndsAt = d.call.At + int64(body.Seconds)*1000
	}
	d.emit(e)
	return nil
}

// answer notes the sender's answer, which only they are told. The counts that all see move
// once they are off by enough.
func (d *decision) answer(body *subjects.AnswerPoll) error {
	if err := d.enter(subjects.VerbAnswer); err != nil {
		return err
	}
	who, p := d.call.Principal, d.s.Room.Poll
	switch {
	case !p.Open() || p.ID != body.Poll:
		return subjects.Refuse(subjects.CodeConflict, "poll %d is not open", body.Poll)
	case body.Option >= len(p.Options):
		return subjects.RefuseField("option", "the poll has %d options", len(p.Options))
	}
	was, answered := d.s.Answer(who)
	switch {
	case answered && was == body.Option:
		return nil
	case !answered && d.s.Answers() >= subjects.MaxPollAnswers:
		return subjects.Refuse(subjects.CodeFull, "a poll takes at most %d answers", subjects.MaxPollAnswers)
	}
	d.seal(who, &subjects.PollAnswered{User: who, Poll: p.ID, Option: body.Option})
	tally := d.s.Tally()
	if answered {
		tally[was]--
	}
	tally[body.Option]++
	for i := range tally {
		if drifted(tally[i], p.Counts[i]) {
			d.emit(&subjects.PollCounted{Poll: p.ID, Counts: tally})
			break
		}
	}
	return nil
}

// closePoll closes the open poll. Who asked may, and who may ask.
func (d *decision) closePoll() error {
	if err := d.visible(); err != nil {
		return err
	}
	who, p := d.call.Principal, d.s.Room.Poll
	if !p.Open() || p.By != who || !d.s.IsMember(who) {
		if err := d.enter(subjects.VerbPoll); err != nil {
			return err
		}
	}
	if !p.Open() {
		return subjects.Refuse(subjects.CodeConflict, "no poll is open")
	}
	d.emit(d.pollClosed(d.call.At))
	return nil
}

func (d *decision) pollClosed(at int64) *subjects.PollClosed {
	return &subjects.PollClosed{Poll: d.s.Room.Poll.ID, Counts: d.s.Tally(), At: at}
}

// readyCheck asks everybody in the room whether they are ready.
func (d *decision) readyCheck(body *subjects.AskReady) error {
	if err := d.enter(subjects.VerbReadyCheck); err != nil {
		return err
	}
	last := d.s.Room.ReadyCheck
	if last.Running() {
		return subjects.Refuse(subjects.CodeExists, "a ready-check is under way")
	}
	e := &subjects.ReadyAsked{Check: 1, EndsAt: d.call.At + int64(body.Seconds)*1000, Of: d.s.ReadyVoters()}
	if last != nil {
		e.Check = last.ID + 1
	}
	d.emit(e)
	return nil
}

// ready notes the sender's answer. The check ends with the last one who was not ready.
func (d *decision) ready(body *subjects.AnswerReady) error {
	if err := d.enter(subjects.VerbReady); err != nil {
		return err
	}
	who, c := d.call.Principal, d.s.Room.ReadyCheck
	if !c.Running() {
		return subjects.Refuse(subjects.CodeConflict, "nobody asks who is ready")
	}
	if d.s.SaidReady(who) == body.Ready {
		return nil
	}
	d.seal(who, &subjects.ReadyAnswered{User: who, Check: c.ID, Ready: body.Ready})
	after := readiness{of: d.s.ReadyVoters(), total: d.s.ReadyTotal()}
	if body.Ready {
		after.come, after.total = who, after.total+1
	} else {
		after.gone, after.total = only(who), after.total-1
	}
	d.recountReady(after)
	return nil
}

// readiness is a ready-check as it is after what is being decided.
type readiness struct {
	of, total int
	come      string               // is ready now
	gone      func(id string) bool // tells who is not any more, or does not count; nil: nobody
}

func only(user string) func(string) bool { return func(id string) bool { return id == user } }

// recountReady ends a ready-check if all who count are ready, and otherwise moves the
// numbers that all see, once they are off by enough.
func (d *decision) recountReady(after readiness) {
	c := d.s.Room.ReadyCheck
	if !c.Running() {
		return
	}
	switch {
	case after.of > 0 && after.total >= after.of:
		d.emit(&subjects.ReadyFinished{Check: c.ID, Ready: after.total, Of: after.of, Users: d.readyUsers(after), At: d.call.At})
	case drifted(after.total, c.Ready), drifted(after.of, c.Of):
		d.emit(&subjects.ReadyCounted{Check: c.ID, Ready: after.total, Of: after.of, Users: d.readyUsers(after)})
	}
}

// readyUsers lists who is ready, in a room whose roster is listed.
func (d *decision) readyUsers(after readiness) []string {
	users := []string{}
	if d.s.Room.Roster != subjects.ListedInline || d.s.MemberTotal() > subjects.RosterInline || d.unlisted {
		return users
	}
	for _, id := range d.s.ReadyIDs() {
		if after.gone == nil || !after.gone(id) {
			users = append(users, id)
		}
	}
	if after.come != "" {
		users = append(users, after.come)
		slices.Sort(users)
	}
	return users
}

// readyWith and readyWithout recount after somebody came or went.
func (d *decision) readyWith(role subjects.Role) {
	if d.s.CountsForReady(role) {
		d.recountReady(readiness{of: d.s.ReadyVoters() + 1, total: d.s.ReadyTotal()})
	}
}

func (d *decision) readyWithout(user string) {
	if !d.s.CountsForReady(d.s.RoleOf(user)) {
		return
	}
	after := readiness{of: d.s.ReadyVoters() - 1, total: d.s.ReadyTotal()}
	if d.s.SaidReady(user) {
		after.total--
		after.gone = only(user)
	}
	d.recountReady(after)
}

// readyInRole recounts after a member got another role.
func (d *decision) readyInRole(user string, role subjects.Role) {
	before, after := d.s.CountsForReady(d.s.RoleOf(user)), d.s.CountsForReady(role)
	switch {
	case before && !after:
		d.readyWithout(user)
	case after && !before:
		d.readyWith(role)
	}
}

// readyGranted recounts after a row of the table changed.
func (d *decision) readyGranted(role subjects.Role, verbs []string) {
	before, after := d.s.CountsForReady(role), slices.Contains(verbs, subjects.VerbReady)
	if before == after || !d.s.Room.ReadyCheck.Running() {
		return
	}
	now := readiness{of: d.s.ReadyVoters(), total: d.s.ReadyTotal()}
	if after {
		now.of += d.s.MembersIn(role)
	} else {
		now.of -= d.s.MembersIn(role)
		s := d.s // not d, which need not outlive the decision
		now.gone = func(id string) bool { return s.RoleOf(id) == role }
		for _, id := range d.s.ReadyIDs() {
			if now.gone(id) {
				now.total--
			}
		}
	}
	d.recountReady(now)
}
