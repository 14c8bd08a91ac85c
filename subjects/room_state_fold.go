package subjects

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Apply changes the state by one event of the log, public or sealed (meta.To), and marks
// what it touched in the public document. It never refuses: an event in the log has
// happened. It returns an error that wraps ErrUnknownEvent for a type it does not know.
func (s *RoomState) Apply(meta Meta, ev RoomEvent, m *Marks) error {
	if s.dropped != nil && s.droppedAt != meta.At {
		s.dropped = nil
	}
	known := s.applyPrivate(meta, ev)
	if meta.To != nil {
		if !known {
			return fmt.Errorf("%w: %T is not a sealed event of a room", ErrUnknownEvent, ev)
		}
		return nil
	}
	if err := s.Room.Apply(meta, ev, m); err != nil {
		return err
	}
	switch e := ev.(type) {
	case *RoleChanged:
		if !s.CanSkip(e.User) {
			delete(s.skips, e.User)
		}
	case *GrantsChanged:
		for user := range s.skips {
			if !s.CanSkip(user) {
				delete(s.skips, user)
			}
		}
	}
	s.dropReady(ev)
	return nil
}

// applyPrivate folds what the document does not hold; it reports whether it had anything
// to do with the event.
func (s *RoomState) applyPrivate(meta Meta, ev RoomEvent) bool {
	switch e := ev.(type) {
	case *RoomCreated:
		*s = *NewRoomState(s.Room.ID)
		s.command = meta.Cmd
	case *MemberJoined:
		s.count(e.User, -1)
		s.members[e.User] = Member{Role: e.Role, JoinedAt: meta.At}
		s.count(e.User, 1)
	case *MemberLeft:
		s.count(e.User, -1)
		delete(s.members, e.User)
		delete(s.skips, e.User)
		delete(s.returned, e.User)
		delete(s.ready, e.User)
	case *MemberReturned:
		s.returned[e.User] = meta.At
	case *RoleChanged:
		s.change(e.User, func(m *Member) { m.Role = e.Role })
	case *ControlGranted:
		s.change(e.User, func(m *Member) { m.Control = true })
	case *ControlRevoked:
		s.change(e.User, func(m *Member) { m.Control = false })
	case *TrackSuggested:
		s.nextSeq = max(s.nextSeq, e.Seq+1)
		if e.Voted {
			s.votes.add(e.User, e.Track.ID)
		}
		s.noteSuggested(meta, e)
	case *TrackVoted:
		s.votes.add(e.User, e.Track)
		s.noteVoted(meta, e)
	case *TrackRemoved:
		s.noteRemoved(meta, e)
	case *TrackChosen:
		s.votes.drop(e.Track)
		s.skips = map[string]struct{}{}
		s.onStage(e)
	case *PlaybackStarted:
		if s.stage.At == 0 {
			s.stage.At = e.AnchorAt
		}
	case *PlaybackEnded:
		s.skips = map[string]struct{}{}
		s.stage.At = 0
	case *SkipVoted:
		s.skips[e.User] = struct{}{}
	case *InvitationSent:
		s.count(e.User, -1)
		s.invited[e.User] = meta.At
		s.count(e.User, 1)
	case *InvitationWithdrawn:
		s.count(e.User, -1)
		delete(s.invited, e.User)
		s.count(e.User, 1)
	case *UserBanned:
		s.banned[e.User] = meta.At
	case *UserUnbanned:
		delete(s.banned, e.User)
	case *PositionJudged:
		s.fits.put(e.User, e.Fits, meta.At)
	case *TracksRefused:
		// For the one who suggested them; the room does not change.
	default:
		return s.applyQueue(meta, ev) || s.applyAsks(ev)
	}
	return true
}

func (s *RoomState) change(user string, f func(*Member)) {
	member, ok := s.members[user]
	if !ok {
		return
	}
	s.count(user, -1)
	f(&member)
	s.members[user] = member
	s.count(user, 1)
}

// count moves a member in or out of the counts and the lists by role.
func (s *RoomState) count(user string, by int) {
	member, ok := s.members[user]
	if !ok {
		return
	}
	s.inRoles[member.Role] += by
	if member.Role != RoleMember && member.Role != RoleGuest {
		if s.raised[member.Role] == nil {
			s.raised[member.Role] = map[string]struct{}{}
		}
		if by > 0 {
			s.raised[member.Role][user] = struct{}{}
		} else {
			delete(s.raised[member.Role], user)
		}
	}
	if user == s.Room.Creator || s.Invited(user) {
		s.invInRol[member.Role] += by
	}
}

// roomStateJSON is a RoomState in a snapshot.
type roomStateJSON struct {
	Room      Room              `json:"room"`
	Members   map[string]Member `json:"members"`
	Invited   map[string]int64  `json:"invited"`
	Banned    map[string]int64  `json:"banned"`
	Votes     ballotsJSON       `json:"votes"`
	Skips     []string          `json:"skips"`
	Positions []positionJSON    `json:"positions"`
	NextSeq   int64             `json:"nextSeq"`
	Returned  map[string]int64  `json:"returned,omitempty"`
	queueStateJSON
	askStateJSON
}

// EncodeRoomState writes a snapshot's state. Equal states give equal bytes.
func EncodeRoomState(s *RoomState) ([]byte, error) {
	out, err := json.Marshal(roomStateJSON{
		Room: s.Room, Members: s.members, Invited: s.invited, Banned: s.banned,
		Votes: s.votes.encode(), Skips: slices.Sorted(maps.Keys(s.skips)),
		Positions: s.fits.encode(), NextSeq: s.nextSeq, Returned: s.returned,
		queueStateJSON: s.queueState.encode(), askStateJSON: s.askState.encode(),
	})
	if err != nil {
		return nil, fmt.Errorf("subjects: encode room: %w", err)
	}
	return out, nil
}

// DecodeRoomState reads what EncodeRoomState wrote of the room with this id.
func DecodeRoomState(id string, data []byte) (*RoomState, error) {
	var in roomStateJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("subjects: decode room: %w", err)
	}
	if in.Room.ID != id {
		return nil, fmt.Errorf("subjects: decode room: the state is of %q, not of %q", clip(in.Room.ID), id)
	}
	votes, err := decodeBallots(in.Votes)
	if err != nil {
		return nil, err
	}
	s := NewRoomState(id)
	s.Room, s.votes, s.fits, s.nextSeq = in.Room, votes, decodePositions(in.Positions), in.NextSeq
	maps.Copy(s.members, in.Members)
	maps.Copy(s.invited, in.Invited)
	maps.Copy(s.banned, in.Banned)
	maps.Copy(s.returned, in.Returned)
	s.queueState, s.askState = in.queueStateJSON.decode(), in.askStateJSON.decode()
	for _, user := range in.Skips {
		s.skips[user] = struct{}{}
	}
	for user := range s.members {
		s.count(user, 1)
	}
	return s, nil
}
