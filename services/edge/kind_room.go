package edge

import (
	"slices"

	"github.com/tuttihq/tutti/subjects"
)

func roomKind(d Deps) *kind[*subjects.RoomState] {
	return &kind[*subjects.RoomState]{
		service: subjects.ServiceRoom, noun: "room", prefixes: []string{subjects.PrefixRoom}, channel: subjects.RoomChannel,
		views: d.Rooms, live: d.Live,
		sees:     func(s *subjects.RoomState, user string) bool { return s != nil && s.CanSee(user) },
		open:     func(s *subjects.RoomState) bool { return s != nil && s.Exists() && s.Room.Options.Open },
		document: func(s *subjects.RoomState) any { return &s.Room },
		you: func(s *subjects.RoomState, user string, at int64, _ bool) any {
			you := s.You(user, at)
			return &you
		},
		concerned: func(s *subjects.RoomState, c *subjects.Commit) (map[string]struct{}, bool) {
			users, all := touched(c, concernsRoom)
			if !all && slices.ContainsFunc(c.Public.Events, func(e subjects.Event) bool { return subjects.MovesChanges(e.Type) }) {
				for _, user := range s.Undoers() {
					users[user] = struct{}{}
				}
			}
			return users, all
		},
		exports: subjects.VerbExportHistory, exported: subjects.ExportedPlaylistID,
		asked: without(subjects.RoomVerbs(), subjects.VerbCreate, subjects.VerbWake, subjects.VerbRefused),
		begun: "a room is opened by POST " + pathRooms + ", or by create on the channel " + string(subjects.ChannelRooms),
		decode: func(verb string, body []byte) error {
			_, err := subjects.DecodeRoomCommand(verb, body)
			return err
		},
	}
}

// concernsRoom reports whether an event may change what a room says about everybody.
func concernsRoom(e *subjects.Event) bool {
	switch e.Type {
	case subjects.EventRoomCreated, subjects.EventRoomClosed, subjects.EventGrantsChanged,
		subjects.EventTrackChosen, subjects.EventTrackRemoved, subjects.EventTrackRestored, subjects.EventPlaybackEnded,
		subjects.EventWindowOpened, subjects.EventWindowClosed, subjects.EventRosterListed, subjects.EventRosterUnlisted:
		return true
	}
	return false
}
