package subjects

import (
	"maps"
	"slices"
)

// RoomState is all there is to know about a room: the public document, and what is not
// public. It is folded from the whole log, sealed events included, by the room's owner
// and by every edge, which answers from it who may see and do what.
//
// Its maps are bounded: members by MaxMembers, invitations by MaxInvitations, bans by
// MaxBans (a command past them is refused with CodeFull), positions by MaxMembers (the
// oldest is forgotten), votes by members and MaxQueue.
//
// A RoomState is not safe for concurrent use while it is changed.
type RoomState struct {
	// Room is the public document.
	Room Room

	members  map[string]Member
	inRoles  map[Role]int // members by role, and
	invInRol map[Role]int // of those the ones that may vote where only the invited may
	// raised are the members of other roles than RoleMember and RoleGuest, by role.
	raised  map[Role]map[string]struct{}
	invited map[string]int64
	banned  map[string]int64
	votes   ballots
	skips   map[string]struct{}
	fits    positions
	nextSeq int64
	// returned is when members have last joined again.
	returned map[string]int64
	queueState
	askState
}

// NewRoomState gives the state of a room whose log is empty.
func NewRoomState(id string) *RoomState {
	return &RoomState{
		Room:    Room{ID: id},
		members: map[string]Member{}, inRoles: map[Role]int{}, invInRol: map[Role]int{}, raised: map[Role]map[string]struct{}{},
		invited: map[string]int64{}, banned: map[string]int64{},
		votes: newBallots(), skips: map[string]struct{}{}, fits: newPositions(),
		returned: map[string]int64{}, askState: newAskState(),
	}
}

// Exists reports whether the room was created.
func (s *RoomState) Exists() bool { return s.Room.Phase != "" }

// Closed reports whether it was closed.
func (s *RoomState) Closed() bool { return s.Room.Phase == PhaseClosed }

// CanSee reports whether somebody may know of the room: everybody of an open one; of a
// private one the creator, the members and the invited, unless banned. The platform
// sees every room that exists. To whom it is false the room does not exist.
func (s *RoomState) CanSee(principal string) bool {
	switch {
	case !s.Exists():
		return false
	case s.Room.Options.Open, principal == System, principal == s.Room.Creator:
		return true
	case s.Banned(principal):
		return false
	default:
		return s.IsMember(principal) || s.Invited(principal)
	}
}

// IsMember reports whether somebody is in the room.
func (s *RoomState) IsMember(user string) bool { _, ok := s.members[user]; return ok }

// Member gives what is known of somebody in the room; false if they are not.
func (s *RoomState) Member(user string) (Member, bool) { m, ok := s.members[user]; return m, ok }

// MemberTotal is the exact number of members, where the document may hold an
// approximate one.
func (s *RoomState) MemberTotal() int { return len(s.members) }

// MemberIDs lists the members, sorted. Its cost is their number: for pages, not for hot
// paths.
func (s *RoomState) MemberIDs() []string { return slices.Sorted(maps.Keys(s.members)) }

// RoleOf gives somebody's role; who is not in the room is a guest.
func (s *RoomState) RoleOf(principal string) Role {
	if m, ok := s.members[principal]; ok {
		return m.Role
	}
	return RoleGuest
}

// Allows reports whether somebody's role, or the control permission, lets them use a
// verb. It does not look at the rest of the room's state. The platform may use every
// verb that does not need a person.
func (s *RoomState) Allows(principal, verb string) bool {
	if principal == System {
		switch verb {
		case VerbCreate, VerbJoin, VerbSuggest, VerbVote, VerbSkip, VerbPosition, VerbAnswer, VerbReady, VerbExportHistory:
			return false
		}
		return true
	}
	m, inside := s.members[principal]
	switch verb {
	case VerbCreate, VerbWake, VerbRefused:
		return false
	case VerbLeave:
		return true
	case VerbPosition:
		return inside
	case VerbJoin:
		return !s.Banned(principal) && (inside || s.Invited(principal) || s.Room.Grants.Allows(RoleGuest, verb))
	}
	if !inside {
		return false
	}
	return m.Control && IsControl(verb) || s.roleMay(m.Role, verb)
}

// roleMay reports whether a role lets somebody use a verb of the table. The creator may use
// those too that came after the room's own table.
func (s *RoomState) roleMay(role Role, verb string) bool {
	return role == RoleCreator && editionOf(verb) > 1 || s.Room.Grants.Allows(role, verb)
}

// Invited reports whether somebody was invited.
func (s *RoomState) Invited(user string) bool { _, ok := s.invited[user]; return ok }

// Invitations gives the number of invitations that stand.
func (s *RoomState) Invitations() int { return len(s.invited) }

// InvitedIDs lists the invited, sorted. Its cost is their number.
func (s *RoomState) InvitedIDs() []string { return slices.Sorted(maps.Keys(s.invited)) }

// Banned reports whether somebody is banned.
func (s *RoomState) Banned(user string) bool { _, ok := s.banned[user]; return ok }

// Bans gives the number of the banned.
func (s *RoomState) Bans() int { return len(s.banned) }

// BannedIDs lists the banned, sorted. Its cost is their number.
func (s *RoomState) BannedIDs() []string { return slices.Sorted(maps.Keys(s.banned)) }

// invitedVoter reports whether the room's rule on invitations lets somebody vote.
func (s *RoomState) invitedVoter(user string) bool {
	return !s.Room.Options.OnlyInvitedVote || user == s.Room.Creator || s.Invited(user)
}

// CanVote returns why somebody cannot vote in the room at a time, for whatever track; nil
// if they can. The reason is one of CodeNotMember, CodeForbidden, CodeNotInvited,
// CodeOutsideTime, CodeOutsidePlace.
func (s *RoomState) CanVote(user string, at int64) *Refusal {
	if !s.IsMember(user) {
		return Refuse(CodeNotMember, "join the room first")
	}
	if !s.Allows(user, VerbVote) {
		return Refuse(CodeForbidden, "the room does not let a %s vote", s.RoleOf(user))
	}
	if !s.invitedVoter(user) {
		return Refuse(CodeNotInvited, "only the invited vote in this room")
	}
	c := s.Room.Constraints
	if c == nil {
		return nil
	}
	if c.HasTime() && at < c.Start {
		return Refuse(CodeOutsideTime, "the room does not take votes yet")
	}
	if c.HasTime() && at >= c.End {
		return Refuse(CodeOutsideTime, "the room takes no votes any more")
	}
	if c.Place != nil {
		switch fits, known := s.Fit(user, at); {
		case !known:
			return Refuse(CodeOutsidePlace, "the room takes votes at a place: report a position first")
		case !fits:
			return Refuse(CodeOutsidePlace, "the last reported position is outside the room's place")
		}
	}
	return nil
}

// Voted reports whether somebody's vote for a queued track stands.
func (s *RoomState) Voted(user, track string) bool { return s.votes.has(user, track) }

// VotesFor counts the votes for a track one by one; it equals the track's score.
func (s *RoomState) VotesFor(track string) int { return s.votes.count(track) }

// VotedToSkip reports whether somebody voted to skip the current track.
func (s *RoomState) VotedToSkip(user string) bool { _, ok := s.skips[user]; return ok }

// SkipVotes counts the votes to skip the current track.
func (s *RoomState) SkipVotes() int { return len(s.skips) }

// CanSkip reports whether somebody counts for the share of members whose votes skip a
// track: they are in the room, their role may, and the room's rule on invitations lets
// them.
func (s *RoomState) CanSkip(user string) bool {
	m, ok := s.members[user]
	return ok && s.invitedVoter(user) && s.Room.Grants.Allows(m.Role, VerbSkip)
}

// SkipVoters counts the members for whom CanSkip is true. Its cost is the number of
// roles.
func (s *RoomState) SkipVoters() int {
	count := s.inRoles
	if s.Room.Options.OnlyInvitedVote {
		count = s.invInRol
	}
	n := 0
	for role, members := range count {
		if s.Room.Grants.Allows(role, VerbSkip) {
			n += members
		}
	}
	return n
}

// SkipAfterRole gives the votes to skip and the voters as they will be once a member has
// another role.
func (s *RoomState) SkipAfterRole(user string, role Role) (votes, voters int) {
	votes, voters = len(s.skips), s.SkipVoters()
	if s.CanSkip(user) {
		voters--
	}
	if s.IsMember(user) && s.invitedVoter(user) && s.Room.Grants.Allows(role, VerbSkip) {
		voters++
	} else if s.VotedToSkip(user) {
		votes--
	}
	return votes, voters
}

// SkipAfterGrants gives them as they will be once a role may use other verbs. Its cost is
// the number of votes.
func (s *RoomState) SkipAfterGrants(role Role, verbs []string) (votes, voters int) {
	votes, voters = len(s.skips), s.SkipVoters()
	before, after := s.Room.Grants.Allows(role, VerbSkip), slices.Contains(verbs, VerbSkip)
	if before == after {
		return votes, voters
	}
	members := s.inRoles[role]
	if s.Room.Options.OnlyInvitedVote {
		members = s.invInRol[role]
	}
	if after {
		return votes, voters + members
	}
	for user := range s.skips {
		if s.members[user].Role == role {
			votes--
		}
	}
	return votes, voters - members
}

// Since gives when a member joined, or joined again, last; 0 for who is not a member.
func (s *RoomState) Since(user string) int64 {
	return max(s.members[user].JoinedAt, s.returned[user])
}

// SkipNeeded gives how many of so many voters it takes to skip a track: more than
// SkipShare percent of them, all of them at 100, at least one.
func (o RoomOptions) SkipNeeded(voters int) int {
	return max(1, min(voters, voters*o.SkipShare/100+1))
}

// Fit reports whether somebody's last position fits the room's place. known is false if
// there is none of the last day (PositionTTL).
func (s *RoomState) Fit(user string, at int64) (fits, known bool) {
	f, ok := s.fits.byUser[user]
	if !ok || at-f.at >= PositionTTL.Milliseconds() {
		return false, false
	}
	return f.fits, true
}

// FitAt gives the time of somebody's last position, 0 if none is known.
func (s *RoomState) FitAt(user string) int64 { return s.fits.byUser[user].at }

// NextSeq is the seq that the next suggested track gets.
func (s *RoomState) NextSeq() int64 { return s.nextSeq }

// You is what one viewer may know about themselves in a room.
type You struct {
	Member bool `json:"member"`
	Role   Role `json:"role"`
	// Control is the permission granted to this member; the creator needs none.
	Control bool `json:"control"`
	Invited bool `json:"invited"`
	Banned  bool `json:"banned"`
	// May lists the verbs that the role and the control permission allow, in the grant
	// table's order; empty in a closed room.
	May []string `json:"may"`
	// Voted lists the queued tracks that this viewer voted for, sorted.
	Voted []string `json:"voted"`
	// VotedToSkip says that this viewer voted to skip the current track.
	VotedToSkip bool `json:"votedToSkip"`
	// Fit says how the viewer's position stands to the room's place.
	Fit string `json:"fit"`
	// CannotVote is empty if the viewer's votes are taken now, and otherwise the code that
	// they would be refused with.
	CannotVote Code `json:"cannotVote"`
	// Undo is the last change of the queue that this viewer can take back now; absent if
	// there is none.
	Undo *Undoable `json:"undo,omitempty"`
	// Answer is the viewer's to the document's poll, absent without one.
	Answer *PollAnswer `json:"answer,omitempty"`
	// Ready is the id of the document's ready-check if the viewer has said that they are,
	// absent otherwise.
	Ready int64 `json:"ready,omitempty"`
}

// How a position stands to a room's place.
const (
	FitNone    = "none"    // the room asks for no place
	FitUnknown = "unknown" // no position of the last day is known
	FitInside  = "inside"
	FitOutside = "outside"
)

// You gives what the room's state says about a viewer at a time.
func (s *RoomState) You(principal string, at int64) You {
	m, inside := s.members[principal]
	y := You{
		Member: inside, Role: s.RoleOf(principal), Control: m.Control,
		Invited: s.Invited(principal), Banned: s.Banned(principal),
		May: []string{}, Voted: s.votes.of(principal), VotedToSkip: s.VotedToSkip(principal),
		Fit: FitNone, Answer: s.answerOf(principal), Ready: s.readyFor(principal),
	}
	if !s.Closed() {
		if c := s.LastChange(principal); c != nil {
			y.Undo = &Undoable{Change: c.N, Verb: c.Verb, By: c.By, At: c.At}
		}
		for _, v := range grantable {
			if s.Allows(principal, v) {
				y.May = append(y.May, v)
			}
		}
		if r := s.CanVote(principal, at); r != nil {
			y.CannotVote = r.Code
		}
	} else {
		y.CannotVote = CodeClosed
	}
	if c := s.Room.Constraints; c != nil && c.Place != nil {
		switch fits, known := s.Fit(principal, at); {
		case !known:
			y.Fit = FitUnknown
		case fits:
			y.Fit = FitInside
		default:
			y.Fit = FitOutside
		}
	}
	return y
}

// Fork gives a copy to fold events into that follow from the clock alone (a track's end,
// a window, a poll's or a ready-check's time), or from a track's leaving the stage, while s
// stays as it is. Members, invitations, bans, positions, answers and changes are shared: a
// fork must see no other event.
func (s *RoomState) Fork() *RoomState {
	f := *s
	f.Room.Queue, f.Room.Turns, f.Room.Played = maps.Clone(s.Room.Queue), maps.Clone(s.Room.Turns), maps.Clone(s.Room.Played)
	f.votes = s.votes.clone()
	f.plays = slices.Clip(s.plays)
	return &f
}
