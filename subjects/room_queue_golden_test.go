package subjects_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

// goldenQueueEvents is a history of what came with the second edition of the grant table:
// queue options, undo, the plays, polls and ready-checks.
func goldenQueueEvents() []subjects.RoomEvent {
	ms := goldenTime.UnixMilli()
	return []subjects.RoomEvent{
		&subjects.RoomCreated{
			Kind: subjects.KindVote, Name: "Friday", Creator: ana, Table: subjects.GrantTable,
			Options: subjects.RoomOptions{MinimumScore: 1, Open: true, Mode: subjects.ModeBroadcast, SkipShare: 50},
		},
		&subjects.MemberJoined{User: ana, Role: subjects.RoleCreator},
		&subjects.MemberJoined{User: ben, Role: subjects.RoleMember},
		&subjects.TrackSuggested{User: ana, Track: goldenTrack("aurora"), Voted: true},
		&subjects.TrackSuggested{User: ben, Track: goldenTrack("brook"), Seq: 1, Voted: true},
		&subjects.TrackSuggested{User: ana, Track: goldenTrack("cloud"), Seq: 2, Voted: true},
		&subjects.TrackVoted{User: ana, Track: "demo:brook"},
		&subjects.QueueSet{QueueOptions: subjects.QueueOptions{Order: subjects.OrderFair, Loop: true, PerUser: 5, PerTrack: 3}},
		&subjects.TrackChosen{Track: "demo:aurora", Playing: true, AnchorAt: ms + 250},
		&subjects.QueueShuffled{Seqs: map[string]int64{"demo:brook": 2, "demo:cloud": 1}},
		&subjects.TrackUnvoted{User: ana, Track: "demo:brook"},
		&subjects.TrackRemoved{Track: "demo:cloud"},
		&subjects.ChangeUndone{Change: 4, Verb: subjects.VerbRemove, User: ana},
		&subjects.TrackRestored{Change: 4, Entry: subjects.QueueEntry{
			Track: goldenTrack("cloud"), Score: 1, SuggestedBy: ana, SuggestedAt: ms + 5000, Seq: 1,
		}},
		&subjects.TrackPlayed{PlayedTrack: subjects.PlayedTrack{N: 1, Track: goldenTrack("aurora"), By: ana, At: ms + 250, EndedAt: ms + 180_250}},
		&subjects.TrackRequeued{User: ana, Track: "demo:aurora", Seq: 3, Voted: true},
		&subjects.TrackChosen{Track: "demo:brook", Playing: true, AnchorAt: ms + 180_250},
		&subjects.HistoryExported{
			User: ben, Playlist: goldenPlaylist, Tracks: []subjects.TrackRef{"demo:aurora"},
			Create: subjects.CreatePlaylist{Name: "Friday", Visibility: subjects.VisibilityPrivate},
		},
		&subjects.HistoryFailed{User: ben, Playlist: goldenPlaylist, Part: true, Code: subjects.CodeFull, Reason: "the playlist is full"},
		&subjects.PollOpened{Poll: 1, Question: "What next?", Options: []string{"Waltz", "Tango"}, EndsAt: ms + 240_000},
		&subjects.PollAnswered{User: ben, Poll: 1, Option: 1},
		&subjects.PollCounted{Poll: 1, Counts: []int{0, 1}},
		&subjects.PollClosed{Poll: 1, Counts: []int{0, 1}, At: ms + 240_000},
		&subjects.ReadyAsked{Check: 1, EndsAt: ms + 270_000, Of: 2},
		&subjects.ReadyAnswered{User: ben, Check: 1, Ready: true},
		&subjects.ReadyCounted{Check: 1, Ready: 1, Of: 2, Users: []string{ben}},
		&subjects.ReadyFinished{Check: 1, Ready: 1, Of: 2, Users: []string{ben}, At: ms + 270_000},
		&subjects.MemberLeft{User: ben, Reason: subjects.LeftByChoice, From: ms + 2000, To: ms + 26_000},
	}
}

func TestRoomQueueGolden(t *testing.T) {
	s, _, doc := foldEvents(t, goldenQueueEvents())
	golden(t, "room_queue_document", doc)
	hash, err := subjects.Hash(doc)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(hash)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "room_queue_document_hash", raw)
	you, err := json.Marshal(s.You(ana, goldenTime.UnixMilli()))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "room_queue_you", you)
	you, err = json.Marshal(s.You(ben, goldenTime.UnixMilli()))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "room_queue_you_answered", you)
	state, err := subjects.EncodeRoomState(s)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "room_queue_state", state)
	back, err := subjects.DecodeRoomState(goldenRoom, state)
	if err != nil {
		t.Fatal(err)
	}
	again, err := subjects.EncodeRoomState(back)
	if err != nil || !bytes.Equal(again, state) {
		t.Fatalf("the state comes back as %s, %v", again, err)
	}
}

// A room's table is that of the edition it was created with, for ever: its patches are what
// clients have applied.
func TestGrantEditionsGolden(t *testing.T) {
	for edition, name := range []string{"room_grants_0", "room_grants_1", "room_grants_2"} {
		s := subjects.NewRoomState(goldenRoom)
		if err := s.Apply(subjects.Meta{By: ana}, &subjects.RoomCreated{Kind: subjects.KindVote, Creator: ana, Table: edition}, nil); err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(s.Room.Grants)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, raw)
	}
	if subjects.GrantTable != 2 {
		t.Error("a new edition needs its golden file")
	}
}

// The creator of a room of an older edition may do what came later, and lets others.
func TestCreatorsOfOldRooms(t *testing.T) {
	s := subjects.NewRoomState(goldenRoom)
	for _, e := range []subjects.RoomEvent{
		&subjects.RoomCreated{Kind: subjects.KindVote, Creator: ana, Table: 1, Options: subjects.RoomOptions{Open: true}},
		&subjects.MemberJoined{User: ana, Role: subjects.RoleCreator},
		&subjects.MemberJoined{User: ben, Role: subjects.RoleMember},
	} {
		if err := s.Apply(subjects.Meta{By: ana}, e, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, verb := range []string{subjects.VerbPoll, subjects.VerbSetQueue, subjects.VerbReady} {
		if !s.Allows(ana, verb) || s.Allows(ben, verb) {
			t.Errorf("%s: %v for the creator, %v for a member", verb, s.Allows(ana, verb), s.Allows(ben, verb))
		}
	}
	row := append(slices.Clone(s.Room.Grants[subjects.RoleMember]), subjects.VerbAnswer)
	if err := s.Apply(subjects.Meta{By: ana}, &subjects.GrantsChanged{Role: subjects.RoleMember, Verbs: row}, nil); err != nil {
		t.Fatal(err)
	}
	if !s.Allows(ben, subjects.VerbAnswer) {
		t.Error("a granted verb is not allowed")
	}
}
