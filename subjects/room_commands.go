package subjects

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The verbs of a room, as they stand in a command. "Who" is the role that the default
// grant table gives the verb to; a room's creator may change it with setGrants. Every
// verb but create, join and leave needs membership. Whoever may not see the room is answered
// not_found, whatever the verb; in a closed room everything but leave is refused with
// closed.
//
//	verb           body                                who              what it does, and what it is refused with
//	create         {kind, name, …} see CreateRoom      anybody          opens the room; the creator is in it and has voted for its tracks
//	join           {}                                  guest, invited   enters; again is nothing. banned, forbidden, full
//	leave          {}                                  everybody        leaves; again is nothing. The creator's leaving closes the room
//	suggest        {"tracks": [ref, …]}                member           queues what is new and votes for it; counts as a vote for what is queued.
//	                                                                    nothing_accepted, no_such_track, track_unavailable, full
//	vote           {"track": id}                       member           one vote a track. not_invited, outside_time, outside_place, no_such_track, already_voted
//	skip           {}                                  member           votes to skip what plays. nothing_to_play, already_voted
//	play           {}                                  control          nothing_to_play, already
//	pause          {}                                  control          nothing_to_play, already
//	seek           {"positionMs": n}                   control          nothing_to_play, invalid
//	next           {}                                  control          plays the next track, even if paused. no_eligible_track
//	remove         {"track": id}                       moderator        takes a track out of the queue. no_such_track
//	invite         {"user": id}                        creator          again is nothing. invalid (oneself), already (is inside), banned, full
//	position       {"lat": n, "lng": n}                member           says where the sender is; only whether it fits is kept, for a day
//	grantControl   {"user": id}                        creator          lets a member play, pause, seek, next. not_found
//	revokeControl  {"user": id}                        creator          not_found; forbidden for the creator
//	setRole        {"user": id, "role": r}             creator          not_found; forbidden for the creator
//	setGrants      {"role": r, "verbs": [verb, …]}     creator          replaces a row of the grant table
//	kick           {"user": id}                        moderator        takes a member out; an invitation to a private room goes too. not_found, forbidden
//	ban            {"user": id}                        moderator        as kick, and no way back until unban. forbidden, full
//	unban          {"user": id}                        moderator        again is nothing
//	close          {}                                  creator          closes the room for good
//	undo           {"change": n?}                      member, for      takes the last change of the queue back, or the one named: a suggest, remove,
//	                                                   others' changes  shuffle or setQueue. conflict (the queue has moved on), not_found (nothing to
//	                                                   moderator        take back), forbidden
//	shuffle        {}                                  moderator        orders tracks of equal score by chance
//	setQueue       {"order": "votes"|"fair", "loop":   moderator        changes how the queue works; what is absent stays. See QueueOptions
//	                bool, "perUser": n, "perTrack": n}
//	poll           {"question", "options", "seconds"?} moderator        asks the room. exists (one is open)
//	answer         {"poll": id, "option": index}       member           answers, or changes the answer. conflict (not the open one), full
//	closePoll      {}                                  who asked, poll  closes the open poll. conflict (none is open)
//	readyCheck     {"seconds"?: n}                     moderator        asks everybody whether they are ready. exists (one is under way)
//	ready          {"ready": bool}                     member           answers. conflict (nobody asks)
//	exportHistory  {"name"?, "visibility"?}            member           begins a playlist of what was played. not_found (nothing was)
//	refused        CommandRefused                      the platform     tells the exporter what the playlist's owner refused
//	wake           {}                                  the platform     looks at the clock
//
// "control" is the creator and whom the creator granted it with grantControl. A ref is a
// track id ("demo:aurora"), an address, or an object {"id": …} or {"url": …}.
const (
	VerbCreate        = "create"
	VerbJoin          = "join"
	VerbLeave         = "leave"
	VerbSuggest       = "suggest"
	VerbVote          = "vote"
	VerbSkip          = "skip"
	VerbPlay          = "play"
	VerbPause         = "pause"
	VerbSeek          = "seek"
	VerbNext          = "next"
	VerbRemove        = "remove"
	VerbInvite        = "invite"
	VerbPosition      = "position"
	VerbGrantControl  = "grantControl"
	VerbRevokeControl = "revokeControl"
	VerbSetRole       = "setRole"
	VerbSetGrants     = "setGrants"
	VerbKick          = "kick"
	VerbBan           = "ban"
	VerbUnban         = "unban"
	VerbClose         = "close"
	VerbUndo          = "undo"
	VerbShuffle       = "shuffle"
	VerbSetQueue      = "setQueue"
	VerbPoll          = "poll"
	VerbAnswer        = "answer"
	VerbClosePoll     = "closePoll"
	VerbReadyCheck    = "readyCheck"
	VerbReady         = "ready"
	VerbExportHistory = "exportHistory"
)

// RoomCommand is the decoded body of a command to a room.
type RoomCommand interface {
	// Verb is the verb that the body belongs to.
	Verb() string
	// Check returns a *Refusal of CodeInvalid or CodeTooLarge that names the field that
	// cannot be right, whatever the room's state.
	Check() error
}

// roomVerbs makes an empty body for each verb.
var roomVerbs = map[string]func() RoomCommand{
	VerbCreate:        func() RoomCommand { return new(CreateRoom) },
	VerbJoin:          func() RoomCommand { return new(JoinRoom) },
	VerbLeave:         func() RoomCommand { return new(LeaveRoom) },
	VerbSuggest:       func() RoomCommand { return new(SuggestTracks) },
	VerbVote:          func() RoomCommand { return new(VoteTrack) },
	VerbSkip:          func() RoomCommand { return new(VoteSkip) },
	VerbPlay:          func() RoomCommand { return new(Play) },
	VerbPause:         func() RoomCommand { return new(Pause) },
	VerbSeek:          func() RoomCommand { return new(Seek) },
	VerbNext:          func() RoomCommand { return new(Next) },
	VerbRemove:        func() RoomCommand { return new(RemoveTrack) },
	VerbInvite:        func() RoomCommand { return new(InviteUser) },
	VerbPosition:      func() RoomCommand { return new(ReportPosition) },
	VerbGrantControl:  func() RoomCommand { return new(GrantControl) },
	VerbRevokeControl: func() RoomCommand { return new(RevokeControl) },
	VerbSetRole:       func() RoomCommand { return new(SetRole) },
	VerbSetGrants:     func() RoomCommand { return new(SetGrants) },
	VerbKick:          func() RoomCommand { return new(KickUser) },
	VerbBan:           func() RoomCommand { return new(BanUser) },
	VerbUnban:         func() RoomCommand { return new(UnbanUser) },
	VerbClose:         func() RoomCommand { return new(CloseRoom) },
	VerbUndo:          func() RoomCommand { return new(Undo) },
	VerbShuffle:       func() RoomCommand { return new(Shuffle) },
	VerbSetQueue:      func() RoomCommand { return new(SetQueue) },
	VerbPoll:          func() RoomCommand { return new(OpenPoll) },
	VerbAnswer:        func() RoomCommand { return new(AnswerPoll) },
	VerbClosePoll:     func() RoomCommand { return new(ClosePoll) },
	VerbReadyCheck:    func() RoomCommand { return new(AskReady) },
	VerbReady:         func() RoomCommand { return new(AnswerReady) },
	VerbExportHistory: func() RoomCommand { return new(ExportHistory) },
	VerbRefused:       func() RoomCommand { return new(CommandRefused) },
	VerbWake:          func() RoomCommand { return new(Wake) },
}

// RoomVerbs lists the verbs of a room, sorted.
func RoomVerbs() []string {
	out := make([]string, 0, len(roomVerbs))
	for v := range roomVerbs {
		out = append(out, v)
	}
	slices.Sort(out)
	return out
}

// DecodeRoomCommand reads and checks the body of a verb. Every error is a *Refusal:
// CodeUnknownVerb, CodeInvalid or CodeTooLarge.
func DecodeRoomCommand(verb string, body []byte) (RoomCommand, error) {
	empty, ok := roomVerbs[verb]
	if !ok {
		return nil, Refuse(CodeUnknownVerb, "a room has no command %q", clip(verb))
	}
	cmd := empty()
	if err := DecodeBody(body, cmd); err != nil {
		return nil, err
	}
	if err := cmd.Check(); err != nil {
		return nil, err
	}
	return cmd, nil
}

// CreateRoom opens a room.
type CreateRoom struct {
	// Kind is KindVote; other kinds are refused.
	Kind string `json:"kind"`
	// Name is 1 to MaxRoomName characters after trimming. A name that is taken gets the
	// creator's appended.
	Name string `json:"name"`
	// Tracks are the initial ones, at most MaxTracksPerCommand; the creator votes for them.
	Tracks []TrackRef `json:"tracks,omitempty"`
	// MinimumScore is 1 or more, 1 if absent.
	MinimumScore *int `json:"minimumScore,omitempty"`
	// Open is false if absent: a private room.
	Open bool `json:"open,omitempty"`
	// OnlyInvitedVote needs Open.
	OnlyInvitedVote bool `json:"onlyInvitedVote,omitempty"`
	// Mode is ModeBroadcast if absent.
	Mode string `json:"mode,omitempty"`
	// SkipShare is 1 to 100 percent, 50 if absent.
	SkipShare *int `json:"skipShare,omitempty"`
	// Constraints bind votes to a place, a time or both.
	Constraints *ConstraintsAsked `json:"constraints,omitempty"`
}

// ConstraintsAsked is how constraints are asked for. End must lie in the future, start
// before it, both at most MaxScheduleAhead ahead.
type ConstraintsAsked struct {
	Place *Place `json:"place,omitempty"`
	Start int64  `json:"start,omitempty"`
	End   int64  `json:"end,omitempty"`
}

// Verb is VerbCreate.
func (*CreateRoom) Verb() string { return VerbCreate }

// Check trims the name, fills in the defaults and refuses what cannot be right. That
// the constraints' end lies in the future is looked at when the room is created.
func (c *CreateRoom) Check() error {
	if c.Kind != KindVote {
		return RefuseField("kind", "only rooms of kind %q can be opened", KindVote)
	}
	c.Name = strings.TrimSpace(c.Name)
	if err := CheckRoomName(c.Name); err != nil {
		return err
	}
	if err := checkRefs(c.Tracks); err != nil {
		return err
	}
	if c.MinimumScore == nil {
		c.MinimumScore = intp(1)
	}
	if *c.MinimumScore < 1 || *c.MinimumScore > MaxMembers {
		return RefuseField("minimumScore", "the minimum score is 1 to %d", MaxMembers)
	}
	if c.OnlyInvitedVote && !c.Open {
		return RefuseField("onlyInvitedVote", "only an open room can let none but the invited vote: in a private one all are invited")
	}
	switch c.Mode {
	case "":
		c.Mode = ModeBroadcast
	case ModeBroadcast, ModeDirect:
	default:
		return RefuseField("mode", "the mode is %q or %q", ModeBroadcast, ModeDirect)
	}
	if c.SkipShare == nil {
		c.SkipShare = intp(50)
	}
	if *c.SkipShare < 1 || *c.SkipShare > 100 {
		return RefuseField("skipShare", "the share is 1 to 100 percent")
	}
	return c.Constraints.check()
}

func (c *ConstraintsAsked) check() error {
	if c == nil {
		return nil
	}
	timed := c.Start != 0 || c.End != 0
	switch {
	case c.Place == nil && !timed:
		return RefuseField("constraints", "constraints name a place, a time (start and end) or both; leave them out for none")
	case timed && c.Start <= 0:
		return RefuseField("constraints.start", "start is a time in Unix milliseconds and goes with end")
	case timed && c.End <= 0:
		return RefuseField("constraints.end", "end is a time in Unix milliseconds and goes with start")
	case timed && c.Start >= c.End:
		return RefuseField("constraints.end", "end lies after start")
	}
	if p := c.Place; p != nil {
		if err := checkDegrees("constraints.place.", p.Lat, p.Lng); err != nil {
			return err
		}
		if !(p.RadiusM > 0 && p.RadiusM <= MaxRadiusM) {
			return RefuseField("constraints.place.radiusM", "the radius is in metres, above 0 and at most %d", MaxRadiusM)
		}
	}
	return nil
}

// CheckRoomName refuses a name that is empty, longer than MaxRoomName characters, or
// holds control characters.
func CheckRoomName(name string) error {
	if name == "" {
		return RefuseField("name", "a room needs a name")
	}
	if utf8.RuneCountInString(name) > MaxRoomName {
		return RefuseField("name", "a room's name has at most %d characters", MaxRoomName)
	}
	if !utf8.ValidString(name) || strings.ContainsFunc(name, invisible) {
		return RefuseField("name", "a room's name holds no control characters and none that cannot be seen")
	}
	return nil
}

// invisible reports control characters, those that only steer how others are shown, and
// those that stand for nothing. The joiners inside an emoji are let through.
func invisible(r rune) bool {
	const zeroWidthJoiner, variation = '\u200d', '\ufe0f'
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != zeroWidthJoiner || unicode.Is(unicode.Co, r) ||
		r == '\u3164' || r == '\u2800' || r == '\u115f' || r == '\u1160' || unicode.Is(unicode.Mn, r) && r != variation && r >= '\ufe00' && r <= '\ufe0e'
}

func checkDegrees(prefix string, lat, lng float64) error {
	if math.IsNaN(lat) || lat < -90 || lat > 90 {
		return RefuseField(prefix+"lat", "a latitude is -90 to 90 degrees")
	}
	if math.IsNaN(lng) || lng < -180 || lng > 180 {
		return RefuseField(prefix+"lng", "a longitude is -180 to 180 degrees")
	}
	return nil
}

func intp(n int) *int { return &n }

// TrackRef names a track as a person or a program gives it: an id, or an address. In
// JSON it is a string, or an object with one of id and url.
type TrackRef string

// UnmarshalJSON reads both forms.
func (r *TrackRef) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '{' {
		var o struct {
			ID  string `json:"id"`
			URL string `json:"url"`
		}
		if err := DecodeBody(data, &o); err != nil {
			return err
		}
		if (o.ID == "") == (o.URL == "") {
			return fmt.Errorf("a track is named by one of id and url")
		}
		*r = TrackRef(o.ID + o.URL)
		return nil
	}
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("a track is a string, or an object with id or url")
	}
	*r = TrackRef(s)
	return nil
}

func checkRefs(refs []TrackRef) error {
	if len(refs) > MaxTracksPerCommand {
		return Refuse(CodeTooLarge, "tracks: at most %d at once", MaxTracksPerCommand)
	}
	for i, r := range refs {
		refs[i] = TrackRef(strings.TrimSpace(string(r)))
		if refs[i] == "" {
			return RefuseField(fmt.Sprintf("tracks.%d", i), "a track is named by its id or address")
		}
		if len(r) > MaxTrackRef {
			return RefuseField(fmt.Sprintf("tracks.%d", i), "a track's name has at most %d bytes", MaxTrackRef)
		}
	}
	return nil
}
