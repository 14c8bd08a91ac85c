package subjects

import (
	"maps"
	"slices"
)

// askState is what a RoomState knows of the poll and the ready-check beside the document.
type askState struct {
	// answers are those to the document's poll, at most MaxPollAnswers; tally counts them by
	// option.
	answers map[string]int
	tally   []int
	// ready are the members who are, by the document's ready-check.
	ready map[string]struct{}
}

func newAskState() askState {
	return askState{answers: map[string]int{}, ready: map[string]struct{}{}}
}

// answerOf gives somebody's answer to the document's poll, nil if there is none.
func (s *RoomState) answerOf(user string) *PollAnswer {
	option, ok := s.answers[user]
	if !ok || s.Room.Poll == nil {
		return nil
	}
	return &PollAnswer{Poll: s.Room.Poll.ID, Option: option}
}

// Answer gives the option that somebody chose in the document's poll.
func (s *RoomState) Answer(user string) (option int, ok bool) {
	option, ok = s.answers[user]
	return option, ok
}

// Answers counts the answers to the document's poll.
func (s *RoomState) Answers() int { return len(s.answers) }

// Tally gives the answers by option, exactly.
func (s *RoomState) Tally() []int { return slices.Clone(s.tally) }

// SaidReady reports whether somebody is ready, by the document's ready-check.
func (s *RoomState) SaidReady(user string) bool { _, ok := s.ready[user]; return ok }

// readyFor gives the ready-check that somebody is ready by, 0 if they are not.
func (s *RoomState) readyFor(user string) int64 {
	if s.Room.ReadyCheck == nil || !s.SaidReady(user) {
		return 0
	}
	return s.Room.ReadyCheck.ID
}

// ReadyTotal counts who is ready.
func (s *RoomState) ReadyTotal() int { return len(s.ready) }

// ReadyIDs lists who is ready, sorted. Its cost is their number.
func (s *RoomState) ReadyIDs() []string { return slices.Sorted(maps.Keys(s.ready)) }

// ReadyVoters counts the members who may say that they are ready. Its cost is the number of
// roles.
func (s *RoomState) ReadyVoters() int {
	n := 0
	for role, members := range s.inRoles {
		if s.roleMay(role, VerbReady) {
			n += members
		}
	}
	return n
}

// CountsForReady reports whether a member of a role counts in a ready-check.
func (s *RoomState) CountsForReady(role Role) bool { return s.roleMay(role, VerbReady) }

// MembersIn counts the members of a role.
func (s *RoomState) MembersIn(role Role) int { return s.inRoles[role] }

// applyAsks folds what the document does not hold of polls and ready-checks; it reports
// whether it had anything to do with the event.
func (s *RoomState) applyAsks(ev RoomEvent) bool {
	switch e := ev.(type) {
	case *PollOpened:
		s.answers, s.tally = map[string]int{}, make([]int, len(e.Options))
	case *PollAnswered:
		if e.Option < 0 || e.Option >= len(s.tally) {
			break
		}
		if was, ok := s.answers[e.User]; ok {
			s.tally[was]--
		}
		s.answers[e.User] = e.Option
		s.tally[e.Option]++
	case *ReadyAsked:
		s.ready = map[string]struct{}{}
	case *ReadyAnswered:
		if e.Ready {
			s.ready[e.User] = struct{}{}
		} else {
			delete(s.ready, e.User)
		}
	default:
		return false
	}
	return true
}

// dropReady takes those out who do not count any more, after a role or the table changed.
func (s *RoomState) dropReady(ev RoomEvent) {
	drop := func(user string) {
		if !s.roleMay(s.RoleOf(user), VerbReady) {
			delete(s.ready, user)
		}
	}
	switch e := ev.(type) {
	case *RoleChanged:
		drop(e.User)
	case *GrantsChanged:
		for user := range s.ready {
			drop(user)
		}
	}
}

// askStateJSON is an askState in a snapshot.
type askStateJSON struct {
	Answers map[string]int `json:"answers,omitempty"`
	Ready   []string       `json:"ready,omitempty"`
	Tally   []int          `json:"tally,omitempty"`
}

func (a *askState) encode() askStateJSON {
	return askStateJSON{Answers: a.answers, Ready: slices.Sorted(maps.Keys(a.ready)), Tally: a.tally}
}

func (in askStateJSON) decode() askState {
	a := newAskState()
	a.tally = in.Tally
	for user, option := range in.Answers {
		if option >= 0 && option < len(a.tally) {
			a.answers[user] = option
		}
	}
	for _, user := range in.Ready {
		a.ready[user] = struct{}{}
	}
	return a
}
