package subjects

import "maps"

// Apply changes the document by one public event and marks what it touched; a nil m
// marks nothing. It never refuses: an event in the log has happened. It returns an error
// that wraps ErrUnknownEvent for a type it does not know.
//
// Sealed events must not be given to it; RoomState.Apply keeps them apart.
func (r *Room) Apply(meta Meta, ev RoomEvent, m *Marks) error {
	if r.Queue == nil || r.Members == nil || r.Grants == nil {
		r.Queue, r.Members, r.Grants = map[string]QueueEntry{}, map[string]Member{}, Grants{}
	}
	switch e := ev.(type) {
	case *RoomCreated:
		r.create(meta, e, m)
	case *RoomClosed:
		r.Phase, r.ClosedReason = PhaseClosed, e.Reason
		r.Playback.PositionMs, r.Playback.AnchorAt = r.PositionAt(meta.At), meta.At
		r.Playback.Playing, r.Playback.Ended = false, false
		m.Mark("phase")
		m.Mark("closedReason")
		m.Mark("playback")
	case *RoomCounted:
		r.setCount(e.Count, m)
	case *RosterUnlisted:
		for id := range r.Members {
			m.Mark("members", id)
		}
		r.Members, r.Roster = map[string]Member{}, ListedByPage
		m.Mark("roster")
		r.hideReady(m)
	case *RosterListed:
		r.Members, r.Roster = make(map[string]Member, len(e.Members)), ListedInline
		maps.Copy(r.Members, e.Members)
		for id := range r.Members {
			m.Mark("members", id)
		}
		m.Mark("roster")
		r.setCount(len(r.Members), m)
	case *MemberJoined:
		r.setMember(e.User, Member{Role: e.Role, JoinedAt: meta.At}, m)
		r.setCount(len(r.Members), m)
	case *MemberLeft:
		delete(r.Members, e.User)
		m.Mark("members", e.User)
		r.setCount(len(r.Members), m)
	case *RoleChanged:
		if member, ok := r.Members[e.User]; ok {
			member.Role = e.Role
			r.setMember(e.User, member, m)
		}
	case *ControlGranted:
		r.setControl(e.User, true, m)
	case *ControlRevoked:
		r.setControl(e.User, false, m)
	case *GrantsChanged:
		r.Grants = r.Grants.clone()
		r.Grants[e.Role] = e.Verbs
		m.Mark("grants", string(e.Role))
	default:
		return r.applyMusic(meta, ev, m)
	}
	return nil
}

func (r *Room) applyMusic(meta Meta, ev RoomEvent, m *Marks) error {
	switch e := ev.(type) {
	case *TrackSuggested:
		entry := QueueEntry{Track: e.Track, SuggestedBy: e.User, SuggestedAt: meta.At, Seq: e.Seq}
		if e.Voted {
			entry.Score = 1
		}
		r.Queue[e.Track.ID] = entry
		m.Mark("queue", e.Track.ID)
	case *TrackVoted:
		if entry, ok := r.Queue[e.Track]; ok {
			entry.Score++
			r.Queue[e.Track] = entry
			m.Mark("queue", e.Track, "score")
		}
	case *TrackRemoved:
		delete(r.Queue, e.Track)
		m.Mark("queue", e.Track)
	case *TrackChosen:
		r.choose(e, m)
	case *PlaybackStarted:
		r.setPlayback(e.PositionMs, e.AnchorAt, true, false, m)
	case *PlaybackPaused:
		r.setPlayback(e.PositionMs, e.AnchorAt, false, false, m)
	case *PlaybackSought:
		r.setPlayback(e.PositionMs, e.AnchorAt, r.Playback.Playing, false, m)
	case *PlaybackEnded:
		r.setPlayback(e.PositionMs, e.AnchorAt, false, true, m)
		r.setSkip(Skip{}, m)
	case *SkipVoted:
		r.setSkip(Skip{Votes: e.Votes, Needed: e.Needed}, m)
	case *SkipCounted:
		r.setSkip(Skip{Votes: e.Votes, Needed: e.Needed}, m)
	case *WindowOpened:
		r.setWindow(WindowOpen, m)
	case *WindowClosed:
		r.setWindow(WindowOver, m)
	default:
		return r.applyQueue(meta, ev, m)
	}
	return nil
}

// roomKeys are the keys of the document that are there from the first commit on.
var roomKeys = [...]string{
	"id", "kind", "name", "creator", "createdAt", "phase", "options", "playback",
	"queue", "roster", "members", "memberCount", "grants", "skip",
}

func (r *Room) create(meta Meta, e *RoomCreated, m *Marks) {
	*r = Room{
		ID: r.ID, Kind: e.Kind, Name: e.Name, Creator: e.Creator, CreatedAt: meta.At,
		Phase: PhaseOpen, Options: e.Options,
		Playback: Playback{Rate: 1, AnchorAt: meta.At},
		Queue:    map[string]QueueEntry{}, Members: map[string]Member{},
		Roster: ListedInline, Grants: grantsOf(e.Table),
	}
	for _, k := range roomKeys {
		m.Mark(k)
	}
	if e.Constraints != nil {
		c := *e.Constraints
		r.Constraints = &c
		m.Mark("constraints")
	}
}

func (r *Room) choose(e *TrackChosen, m *Marks) {
	entry, ok := r.Queue[e.Track]
	if !ok {
		return
	}
	delete(r.Queue, e.Track)
	m.Mark("queue", e.Track)
	t := entry.Track
	r.Current = &t
	m.Mark("current")
	r.Playback.TrackID = t.ID
	r.setPlayback(0, e.AnchorAt, e.Playing, false, m)
	r.setSkip(Skip{}, m)
	if r.Queueing().Order == OrderFair {
		r.takeTurn(entry.SuggestedBy, m)
	}
}

func (r *Room) setPlayback(positionMs, anchorAt int64, playing, ended bool, m *Marks) {
	p := &r.Playback
	p.PositionMs, p.AnchorAt, p.Playing, p.Ended = positionMs, anchorAt, playing, ended
	m.Mark("playback")
}

func (r *Room) setSkip(s Skip, m *Marks) {
	if r.Skip != s {
		r.Skip = s
		m.Mark("skip")
	}
}

// setWindow replaces the constraints, which a fork of the state may share.
func (r *Room) setWindow(w string, m *Marks) {
	if r.Constraints == nil {
		return
	}
	c := *r.Constraints
	c.Window = w
	r.Constraints = &c
	m.Mark("constraints", "window")
}

func (r *Room) setMember(user string, member Member, m *Marks) {
	r.Members[user] = member
	m.Mark("members", user)
}

func (r *Room) setControl(user string, control bool, m *Marks) {
	if member, ok := r.Members[user]; ok {
		member.Control = control
		r.setMember(user, member, m)
	}
}

func (r *Room) setCount(n int, m *Marks) {
	if r.MemberCount != n {
		r.MemberCount = n
		m.Mark("memberCount")
	}
}

// PatchValue gives what stands in the document at a path that Apply marked; false if
// nothing does. It is the lookup for Marks.Patch.
func (r *Room) PatchValue(path []string) (any, bool) {
	if len(path) == 1 {
		return r.rootValue(path[0])
	}
	switch path[0] {
	case "queue":
		e, ok := r.Queue[path[1]]
		if ok && len(path) == 3 && path[2] == "score" {
			return e.Score, true
		}
		if ok && len(path) == 3 && path[2] == "seq" {
			return e.Seq, true
		}
		return e, ok && len(path) == 2
	case "members":
		member, ok := r.Members[path[1]]
		return member, ok && len(path) == 2
	case "grants":
		row, ok := r.Grants[Role(path[1])]
		return row, ok && len(path) == 2
	case "constraints":
		if r.Constraints != nil && len(path) == 2 && path[1] == "window" {
			return r.Constraints.Window, true
		}
	default:
		return r.queueValue(path)
	}
	return nil, false
}

func (r *Room) rootValue(key string) (any, bool) {
	switch key {
	case "id":
		return r.ID, true
	case "kind":
		return r.Kind, true
	case "name":
		return r.Name, true
	case "creator":
		return r.Creator, true
	case "createdAt":
		return r.CreatedAt, true
	case "phase":
		return r.Phase, true
	case "closedReason":
		return r.ClosedReason, r.ClosedReason != ""
	case "options":
		return r.Options, true
	case "constraints":
		return r.Constraints, r.Constraints != nil
	case "playback":
		return r.Playback, true
	case "current":
		return r.Current, r.Current != nil
	case "queue":
		return r.Queue, true
	case "roster":
		return r.Roster, true
	case "members":
		return r.Members, true
	case "memberCount":
		return r.MemberCount, true
	case "grants":
		return r.Grants, true
	case "skip":
		return r.Skip, true
	case "queueOptions":
		return r.QueueOptions, r.QueueOptions != nil
	case "poll":
		return r.Poll, r.Poll != nil
	case "readyCheck":
		return r.ReadyCheck, r.ReadyCheck != nil
	default:
		return nil, false
	}
}
