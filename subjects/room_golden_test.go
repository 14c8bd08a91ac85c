package subjects_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

var (
	goldenTime = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	ana        = subjects.DeriveID(subjects.PrefixUser, goldenTime, "ana")
	ben        = subjects.DeriveID(subjects.PrefixUser, goldenTime, "ben")
	goldenRoom = subjects.DeriveID(subjects.PrefixRoom, goldenTime, "room")
)

func goldenTrack(name string) subjects.Track {
	return subjects.Track{
		ID: "demo:" + name, Provider: "demo", Title: "The " + name, Artist: "Tutti",
		DurationMs: 180_000, URL: "/v1/demo/" + name + ".wav", ArtworkURL: "/v1/demo/" + name + ".svg",
	}
}

// goldenEvents is a history that holds every event once at least, in an order that can
// be folded.
func goldenEvents() []subjects.RoomEvent {
	ms := goldenTime.UnixMilli()
	return []subjects.RoomEvent{
		&subjects.RoomCreated{
			Kind: subjects.KindVote, Name: "Friday", Creator: ana,
			Options: subjects.RoomOptions{MinimumScore: 1, Open: true, Mode: subjects.ModeBroadcast, SkipShare: 50},
			Constraints: &subjects.RoomConstraints{
				Place: &subjects.Place{Lat: 48.8566, Lng: 2.3522, RadiusM: 500},
				Start: ms + 1000, End: ms + 3_600_000, Window: subjects.WindowBefore,
			},
		},
		&subjects.MemberJoined{User: ana, Role: subjects.RoleCreator},
		&subjects.TrackSuggested{User: ana, Track: goldenTrack("aurora"), Voted: true},
		&subjects.TrackSuggested{User: ana, Track: goldenTrack("brook"), Seq: 1, Voted: true},
		&subjects.TrackSuggested{User: ana, Track: goldenTrack("cloud"), Seq: 2},
		&subjects.TracksRefused{User: ana, Tracks: []subjects.RefusedTrack{{Ref: "demo:none", Code: subjects.CodeNoSuchTrack, Reason: "unknown track"}}},
		&subjects.TrackChosen{Track: "demo:aurora", AnchorAt: ms},
		&subjects.InvitationSent{User: ben, Kind: subjects.KindVote, Name: "Friday"},
		&subjects.MemberJoined{User: ben, Role: subjects.RoleMember},
		&subjects.WindowOpened{},
		&subjects.PositionJudged{User: ben, Fits: true},
		&subjects.TrackVoted{User: ben, Track: "demo:brook"},
		&subjects.TrackRemoved{Track: "demo:cloud"},
		&subjects.RoleChanged{User: ben, Role: subjects.RoleModerator},
		&subjects.GrantsChanged{Role: subjects.RoleModerator, Verbs: []string{subjects.VerbKick}},
		&subjects.ControlGranted{User: ben},
		&subjects.PlaybackStarted{PositionMs: 0, AnchorAt: ms + 250},
		&subjects.SkipVoted{User: ben, Votes: 1, Needed: 2},
		&subjects.SkipCounted{Votes: 1, Needed: 2},
		&subjects.PlaybackPaused{PositionMs: 5000, AnchorAt: ms + 5250},
		&subjects.PlaybackSought{PositionMs: 60_000, AnchorAt: ms + 6000},
		&subjects.ControlRevoked{User: ben},
		&subjects.RosterUnlisted{},
		&subjects.RoomCounted{Count: 65},
		&subjects.RosterListed{Members: map[string]subjects.Member{
			ana: {Role: subjects.RoleCreator, JoinedAt: ms}, ben: {Role: subjects.RoleModerator, JoinedAt: ms},
		}},
		&subjects.PlaybackEnded{PositionMs: 180_000, AnchorAt: ms + 180_000},
		&subjects.MemberLeft{User: ben, Reason: subjects.LeftBanned},
		&subjects.MemberReturned{User: ana},
		&subjects.InvitationWithdrawn{User: ben},
		&subjects.UserBanned{User: ben},
		&subjects.UserUnbanned{User: ben},
		&subjects.WindowClosed{},
		&subjects.RoomClosed{Reason: subjects.ClosedByRequest},
	}
}

func sealedType(typ string) bool {
	switch typ {
	case subjects.EventTracksRefused, subjects.EventInvitationSent, subjects.EventInvitationWithdrawn,
		subjects.EventUserBanned, subjects.EventUserUnbanned, subjects.EventPositionJudged, subjects.EventMemberReturned,
		subjects.EventHistoryExported, subjects.EventHistoryFailed, subjects.EventPollAnswered, subjects.EventReadyAnswered:
		return true
	}
	return false
}

func TestRoomEventGolden(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range append(goldenEvents(), goldenQueueEvents()[3:]...) {
		typ := e.EventType()
		body, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if !seen[typ] {
			golden(t, "room_events/"+typ, body)
		}
		seen[typ] = true
		back, err := subjects.DecodeRoomEvent(typ, body)
		if err != nil || !reflect.DeepEqual(back, e) {
			t.Errorf("%s comes back as %+v, %v", typ, back, err)
		}
	}
	for _, typ := range subjects.RoomEventTypes() {
		if !seen[typ] {
			t.Errorf("%s has no golden file", typ)
		}
	}
	if types := subjects.RoomEventTypes(); len(types) != len(seen) {
		t.Errorf("%d types are known of %d", len(types), len(seen))
	}
	if _, err := subjects.DecodeRoomEvent("room.exploded", []byte(`{}`)); !strings.Contains(err.Error(), "room.exploded") {
		t.Error(err)
	}
	noStrays(t, "room_events", subjects.RoomEventTypes())
}

func TestRoomCommandGolden(t *testing.T) {
	ms := goldenTime.UnixMilli()
	three, half := 3, 50
	lat, lng := 48.8566, 2.3522
	fair, yes := subjects.OrderFair, true
	seen := map[string]bool{}
	for _, c := range []subjects.RoomCommand{
		&subjects.CreateRoom{
			Kind: subjects.KindVote, Name: "Friday", Tracks: []subjects.TrackRef{"demo:aurora", "https://example.org/song.mp3"},
			MinimumScore: &three, Open: true, OnlyInvitedVote: true, Mode: subjects.ModeDirect, SkipShare: &half,
			Constraints: &subjects.ConstraintsAsked{Place: &subjects.Place{Lat: lat, Lng: lng, RadiusM: 500}, Start: ms, End: ms + 1},
		},
		&subjects.JoinRoom{},
		&subjects.LeaveRoom{User: ben},
		&subjects.SuggestTracks{Tracks: []subjects.TrackRef{"demo:aurora"}},
		&subjects.VoteTrack{Track: "demo:aurora"},
		&subjects.VoteSkip{},
		&subjects.Play{},
		&subjects.Pause{},
		&subjects.Seek{PositionMs: 1000},
		&subjects.Next{},
		&subjects.RemoveTrack{Track: "demo:aurora"},
		&subjects.InviteUser{User: ben},
		&subjects.ReportPosition{Lat: &lat, Lng: &lng},
		&subjects.GrantControl{User: ben},
		&subjects.RevokeControl{User: ben},
		&subjects.SetRole{User: ben, Role: subjects.RoleModerator},
		&subjects.SetGrants{Role: subjects.RoleMember, Verbs: []string{subjects.VerbVote, subjects.VerbInvite}},
		&subjects.KickUser{User: ben},
		&subjects.BanUser{User: ben},
		&subjects.UnbanUser{User: ben},
		&subjects.CloseRoom{},
		&subjects.Undo{Change: 7},
		&subjects.Shuffle{},
		&subjects.SetQueue{Order: &fair, Loop: &yes, PerUser: &three, PerTrack: &three},
		&subjects.OpenPoll{Question: "What next?", Options: []string{"Waltz", "Tango"}, Seconds: 60},
		&subjects.AnswerPoll{Poll: 1, Option: 1},
		&subjects.ClosePoll{},
		&subjects.AskReady{Seconds: 30},
		&subjects.AnswerReady{Ready: true},
		&subjects.ExportHistory{Name: "Friday's music", Visibility: subjects.VisibilityPublic},
		&subjects.CommandRefused{
			Command: subjects.DeriveID(subjects.PrefixCommand, goldenTime, "export"), Service: subjects.ServicePlaylist, ID: goldenPlaylist,
			Asked: subjects.VerbCreate, Principal: ben, Code: subjects.CodeNoSuchTrack, Message: "no track was accepted",
		},
		&subjects.Wake{},
	} {
		body, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "room_commands/"+c.Verb(), body)
		seen[c.Verb()] = true
		back, err := subjects.DecodeRoomCommand(c.Verb(), body)
		if err != nil || !reflect.DeepEqual(back, c) {
			t.Errorf("%s comes back as %+v, %v", c.Verb(), back, err)
		}
		if !subjects.Token(c.Verb()) || len(c.Verb()) > subjects.MaxVerbBytes {
			t.Errorf("%q cannot stand in a subject", c.Verb())
		}
	}
	for _, verb := range subjects.RoomVerbs() {
		if !seen[verb] {
			t.Errorf("%s has no golden file", verb)
		}
	}
	noStrays(t, "room_commands", subjects.RoomVerbs())
}

// noStrays reports golden files of what does not exist any more.
func noStrays(t *testing.T, dir string, known []string) {
	t.Helper()
	files, err := os.ReadDir(filepath.Join("testdata", dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !slices.Contains(known, strings.TrimSuffix(f.Name(), ".json")) {
			t.Errorf("%s/%s belongs to nothing", dir, f.Name())
		}
	}
}

// goldenFold folds the golden history, one commit an event, and gives the state, the
// commits and the document that the patches lead to.
func goldenFold(t *testing.T) (*subjects.RoomState, []subjects.Commit, []byte) {
	t.Helper()
	return foldEvents(t, goldenEvents())
}

func foldEvents(t *testing.T, events []subjects.RoomEvent) (*subjects.RoomState, []subjects.Commit, []byte) {
	t.Helper()
	s := subjects.NewRoomState(goldenRoom)
	var commits []subjects.Commit
	var doc []byte
	var marks subjects.Marks
	for i, ev := range events {
		marks.Reset()
		body, err := json.Marshal(ev)
		if err != nil {
			t.Fatal(err)
		}
		at := goldenTime.UnixMilli() + int64(i)*1000
		e := subjects.Event{
			Type: ev.EventType(), By: ana, At: at, Body: body,
			Cmd: subjects.DeriveID(subjects.PrefixCommand, goldenTime, ev.EventType()),
		}
		if e.Type == subjects.EventTrackRestored { // is part of the taking back
			e.Cmd = subjects.DeriveID(subjects.PrefixCommand, goldenTime, subjects.EventChangeUndone)
		}
		c := subjects.Commit{Epoch: 1, Rev: uint64(i) + 1, At: at}
		meta := subjects.Meta{By: e.By, Cmd: e.Cmd, At: at}
		if sealedType(e.Type) {
			meta.To = []string{ben}
			c.Sealed = []subjects.Sealed{{To: meta.To, Event: e}}
		} else {
			c.Public.Events = []subjects.Event{e}
		}
		if err := s.Apply(meta, ev, &marks); err != nil {
			t.Fatal(err)
		}
		if c.Public.Patch, err = marks.Patch(s.Room.PatchValue); err != nil {
			t.Fatal(err)
		}
		if doc, err = subjects.ApplyPatch(doc, c.Public.Patch); err != nil {
			t.Fatal(err)
		}
		typed, err := subjects.CanonicalOf(&s.Room)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(typed, doc) {
			t.Fatalf("after %s the patches give\n%s\nwant\n%s", e.Type, doc, typed)
		}
		commits = append(commits, c)
	}
	return s, commits, doc
}

func TestRoomDocumentGolden(t *testing.T) {
	s, commits, doc := goldenFold(t)
	golden(t, "room_document", doc)
	hash, err := subjects.Hash(doc)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := json.Marshal(hash)
	golden(t, "room_document_hash", raw)
	summary, _ := json.Marshal(s.Room.Summary())
	golden(t, "room_summary", summary)
	invite, _ := json.Marshal(subjects.RoomInvite{User: ben, Room: goldenRoom, Name: "Friday", NameKey: "friday"})
	golden(t, "room_invite", invite)
	you, _ := json.Marshal(s.You(ana, goldenTime.UnixMilli()))
	golden(t, "room_you", you)
	state, err := subjects.EncodeRoomState(s)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "room_state", state)

	// All of it as one commit, sealed events in their places.
	all := subjects.Commit{Epoch: 1, Rev: 1, At: goldenTime.UnixMilli()}
	for _, c := range commits {
		all.Public.Events = append(all.Public.Events, c.Public.Events...)
		all.Sealed = append(all.Sealed, c.Sealed...)
		all.Order += strings.Repeat("p", len(c.Public.Events)) + strings.Repeat("s", len(c.Sealed))
	}
	all.Public.Patch = json.RawMessage(`{"phase":"closed","closedReason":"closed","current":null}`)
	encoded, err := subjects.AppendCommit(nil, &all)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "room_commit", encoded)
}

func TestRoomApplyRefusesSealed(t *testing.T) {
	s, _, _ := goldenFold(t)
	for _, e := range append(goldenEvents(), goldenQueueEvents()...) {
		if err := (&subjects.Room{Queue: map[string]subjects.QueueEntry{}, Members: map[string]subjects.Member{}, Grants: subjects.DefaultGrants()}).
			Apply(subjects.Meta{}, e, nil); (err != nil) != sealedType(e.EventType()) {
			t.Errorf("%s: %v", e.EventType(), err)
		}
	}
	if err := s.Apply(subjects.Meta{To: []string{ben}}, &subjects.WindowOpened{}, nil); err == nil {
		t.Error("a window opened for one user")
	}
}
