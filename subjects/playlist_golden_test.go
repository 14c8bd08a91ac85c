package subjects_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

var goldenPlaylist = subjects.DeriveID(subjects.PrefixPlaylist, goldenTime, "playlist")

// dan follows ana.
var dan = subjects.DeriveID(subjects.PrefixUser, goldenTime, "dan")

// goldenPlaylistEvents is a history that holds every event once at least, in an order that
// can be folded.
func goldenPlaylistEvents() []subjects.PlaylistEvent {
	three, half := 3, 50
	placed := func(name string, k int64) subjects.PlacedTrack {
		return subjects.PlacedTrack{Track: goldenTrack(name), Order: k * subjects.PlaylistOrderStep}
	}
	return []subjects.PlaylistEvent{
		&subjects.PlaylistCreated{Name: "Road trip", Creator: ana, Visibility: subjects.VisibilityPublic, Options: subjects.PlaylistOptions{OnlyInvitedEdit: true}},
		&subjects.PlaylistJoined{User: ana},
		&subjects.TracksAdded{User: ana, Tracks: []subjects.PlacedTrack{placed("aurora", 1), placed("brook", 2), placed("cloud", 3)}},
		&subjects.TracksRefused{User: ana, Tracks: []subjects.RefusedTrack{{Ref: "demo:none", Code: subjects.CodeNoSuchTrack, Reason: "unknown track"}}},
		&subjects.PlaylistJoined{User: ben},
		&subjects.PlaylistInvited{User: ben, Name: "Road trip"},
		&subjects.TrackMoved{Track: "demo:cloud", From: 2, To: 1, Order: subjects.PlaylistOrderStep + subjects.PlaylistOrderStep/2},
		&subjects.TracksRenumbered{},
		&subjects.TracksRemoved{Tracks: []string{"demo:aurora"}},
		&subjects.PlaylistRenamed{Name: "Long road trip"},
		&subjects.PlaylistExported{
			User: ana, Room: goldenRoom,
			Create: subjects.CreateRoom{Kind: subjects.KindVote, Name: "Friday", MinimumScore: &three, Open: true, Mode: subjects.ModeBroadcast, SkipShare: &half},
			Tracks: []subjects.TrackRef{"demo:cloud", "demo:brook"},
		},
		&subjects.PlaylistExported{
			User: ben, Room: goldenRoom, Create: subjects.CreateRoom{Kind: subjects.KindVote, Name: "Gone", MinimumScore: &three, Mode: subjects.ModeBroadcast, SkipShare: &half},
			Tracks: []subjects.TrackRef{"demo:cloud"},
		},
		&subjects.ExportFailed{User: ben, Room: goldenRoom, Code: subjects.CodeNoSuchTrack, Reason: "no track was accepted"},
		&subjects.VisibilityChanged{Visibility: subjects.VisibilityFollowers},
		&subjects.PlaylistAdmitted{User: dan},
		&subjects.PlaylistJoined{User: dan},
		&subjects.PlaylistLeft{User: dan, Reason: subjects.LeftByChoice},
		&subjects.VisibilityChanged{Visibility: subjects.VisibilityPrivate},
		&subjects.PlaylistUninvited{User: ben},
		&subjects.PlaylistLeft{User: ben, Reason: subjects.LeftUninvited},
		&subjects.TracksAdded{User: ana, Tracks: []subjects.PlacedTrack{placed("aurora", 4)}},
		&subjects.PlaylistInvited{User: dan, Name: "Long road trip"},
		&subjects.PlaylistDeclined{User: dan},
		&subjects.PlaylistInvited{User: dan, Name: "Long road trip"},
	}
}

func sealedInPlaylist(typ string) bool {
	switch typ {
	case subjects.EventTracksRefused, subjects.EventPlaylistInvited, subjects.EventPlaylistUninvited, subjects.EventPlaylistExported,
		subjects.EventPlaylistDeclined, subjects.EventPlaylistAdmitted, subjects.EventExportFailed:
		return true
	}
	return false
}

func TestPlaylistEventGolden(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range append(goldenPlaylistEvents(), &subjects.PlaylistDeleted{}) {
		typ := e.EventType()
		body, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if !seen[typ] {
			golden(t, "playlist_events/"+typ, body)
		}
		seen[typ] = true
		back, err := subjects.DecodePlaylistEvent(typ, body)
		if err != nil || !reflect.DeepEqual(back, e) {
			t.Errorf("%s comes back as %+v, %v", typ, back, err)
		}
	}
	for _, typ := range subjects.PlaylistEventTypes() {
		if !seen[typ] {
			t.Errorf("%s has no golden file", typ)
		}
	}
	if types := subjects.PlaylistEventTypes(); len(types) != len(seen) {
		t.Errorf("%d types are known of %d", len(types), len(seen))
	}
	if _, err := subjects.DecodePlaylistEvent("playlist.burnt", []byte(`{}`)); err == nil || !strings.Contains(err.Error(), "playlist.burnt") {
		t.Error(err)
	}
	noStrays(t, "playlist_events", subjects.PlaylistEventTypes())
}

func TestPlaylistCommandGolden(t *testing.T) {
	ms := goldenTime.UnixMilli()
	three, half := 3, 50
	seen := map[string]bool{}
	for _, c := range []subjects.PlaylistCommand{
		&subjects.CreatePlaylist{
			Name: "Road trip", Visibility: subjects.VisibilityPublic, OnlyInvitedEdit: true,
			Tracks: []subjects.TrackRef{"demo:aurora", "https://example.org/song.mp3"},
		},
		&subjects.JoinPlaylist{},
		&subjects.LeavePlaylist{},
		&subjects.AddTracks{Tracks: []subjects.TrackRef{"demo:aurora"}},
		&subjects.RemoveTracks{Tracks: []string{"demo:aurora"}},
		&subjects.MoveTrack{Track: "demo:aurora", From: 3, To: 0},
		&subjects.InviteUser{User: ben},
		&subjects.WithdrawInvitation{User: ben},
		&subjects.RenamePlaylist{Name: "Long road trip"},
		&subjects.SetVisibility{Visibility: subjects.VisibilityPublic, OnlyInvitedEdit: true},
		&subjects.ExportPlaylist{
			Kind: subjects.KindVote, Name: "Friday", MinimumScore: &three, Open: true, OnlyInvitedVote: true, Mode: subjects.ModeDirect, SkipShare: &half,
			Constraints: &subjects.ConstraintsAsked{Start: ms, End: ms + 1},
		},
		&subjects.DeletePlaylist{},
		&subjects.CommandRefused{
			Command: subjects.DeriveID(subjects.PrefixCommand, goldenTime, "create"), Service: subjects.ServiceRoom, ID: goldenRoom,
			Asked: subjects.VerbCreate, Principal: ana, Code: subjects.CodeNoSuchTrack, Message: "no track was accepted",
		},
		&subjects.Wake{},
	} {
		body, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "playlist_commands/"+c.Verb(), body)
		seen[c.Verb()] = true
		back, err := subjects.DecodePlaylistCommand(c.Verb(), body)
		if err != nil || !reflect.DeepEqual(back, c) {
			t.Errorf("%s comes back as %+v, %v", c.Verb(), back, err)
		}
		if !subjects.Token(c.Verb()) || len(c.Verb()) > subjects.MaxVerbBytes {
			t.Errorf("%q cannot stand in a subject", c.Verb())
		}
	}
	for _, verb := range subjects.PlaylistVerbs() {
		if !seen[verb] {
			t.Errorf("%s has no golden file", verb)
		}
	}
	noStrays(t, "playlist_commands", subjects.PlaylistVerbs())
}

// Bodies that cannot be right, by verb; the field is the one that the refusal names.
func TestPlaylistBodiesThatCannotBeRight(t *testing.T) {
	long := strings.Repeat("x", 101)
	hundred := `["a"` + strings.Repeat(`,"a"`, subjects.MaxTracksPerCommand) + `]`
	for _, c := range []struct {
		verb, body, field string
		code              subjects.Code
	}{
		{"create", `{}`, "name", subjects.CodeInvalid},
		{"create", `{"name":"  "}`, "name", subjects.CodeInvalid},
		{"create", `{"name":"` + long + `"}`, "name", subjects.CodeInvalid},
		{"create", `{"name":"a\u0007"}`, "name", subjects.CodeInvalid},
		{"create", `{"name":"a","visibility":"secret"}`, "visibility", subjects.CodeInvalid},
		{"create", `{"name":"a","onlyInvitedEdit":true}`, "onlyInvitedEdit", subjects.CodeInvalid},
		{"create", `{"name":"a","visibility":"private","onlyInvitedEdit":true}`, "onlyInvitedEdit", subjects.CodeInvalid},
		{"create", `{"name":"a","tracks":` + hundred + `}`, "", subjects.CodeTooLarge},
		{"create", `{"name":"a","open":true}`, "open", subjects.CodeInvalid},
		{"add", `{}`, "tracks", subjects.CodeInvalid},
		{"add", `{"tracks":[" "]}`, "tracks.0", subjects.CodeInvalid},
		{"add", `{"tracks":` + hundred + `}`, "", subjects.CodeTooLarge},
		{"remove", `{"tracks":[]}`, "tracks", subjects.CodeInvalid},
		{"remove", `{"tracks":["a","b c"]}`, "tracks.1", subjects.CodeInvalid},
		{"remove", `{"tracks":` + hundred + `}`, "", subjects.CodeTooLarge},
		{"move", `{"track":"a","from":1}`, "to", subjects.CodeInvalid},
		{"move", `{"track":"a","to":1}`, "from", subjects.CodeInvalid},
		{"move", `{"track":"","from":1,"to":0}`, "track", subjects.CodeInvalid},
		{"move", `{"track":"a","from":-1,"to":0}`, "from", subjects.CodeInvalid},
		{"move", `{"track":"a","from":0,"to":500}`, "to", subjects.CodeInvalid},
		{"invite", `{"user":"bob"}`, "user", subjects.CodeInvalid},
		{"withdraw", `{}`, "user", subjects.CodeInvalid},
		{"rename", `{"name":""}`, "name", subjects.CodeInvalid},
		{"setVisibility", `{}`, "visibility", subjects.CodeInvalid},
		{"setVisibility", `{"visibility":"private","onlyInvitedEdit":true}`, "onlyInvitedEdit", subjects.CodeInvalid},
		{"export", `{"kind":"show"}`, "kind", subjects.CodeInvalid},
		{"refused", `{"code":"invalid"}`, "command", subjects.CodeInvalid},
		{"refused", `{"command":"` + subjects.DeriveID(subjects.PrefixCommand, goldenTime, "x") + `"}`, "code", subjects.CodeInvalid},
		{"export", `{"minimumScore":0}`, "minimumScore", subjects.CodeInvalid},
		{"export", `{"onlyInvitedVote":true}`, "onlyInvitedVote", subjects.CodeInvalid},
		{"export", `{"constraints":{}}`, "constraints", subjects.CodeInvalid},
		{"export", `{"tracks":["a"]}`, "tracks", subjects.CodeInvalid},
		{"vote", `{}`, "", subjects.CodeUnknownVerb},
	} {
		_, err := subjects.DecodePlaylistCommand(c.verb, []byte(c.body))
		var r *subjects.Refusal
		if !errors.As(err, &r) || r.Code != c.code || r.Field != c.field || r.Message == "" {
			t.Errorf("%s %.60s: %v, want %s of %q", c.verb, c.body, err, c.code, c.field)
		}
	}
	c, err := subjects.DecodePlaylistCommand("create", []byte(`{"name":" a "}`))
	if b, ok := c.(*subjects.CreatePlaylist); err != nil || !ok || b.Name != "a" || b.Visibility != subjects.VisibilityPrivate {
		t.Errorf("%+v, %v", c, err)
	}
}

// foldPlaylist folds events, one commit each, and gives the state and the document that
// the patches lead to.
func foldPlaylist(t *testing.T, events []subjects.PlaylistEvent) (*subjects.PlaylistState, []byte) {
	t.Helper()
	s := subjects.NewPlaylistState(goldenPlaylist)
	var doc []byte
	var marks subjects.Marks
	for i, ev := range events {
		marks.Reset()
		meta := subjects.Meta{By: ana, At: goldenTime.UnixMilli() + int64(i)*1000}
		if sealedInPlaylist(ev.EventType()) {
			meta.To = []string{ben}
		}
		if err := s.Apply(meta, ev, &marks); err != nil {
			t.Fatal(err)
		}
		patch, err := marks.Patch(s.Playlist.PatchValue)
		if err != nil {
			t.Fatal(err)
		}
		if doc, err = subjects.ApplyPatch(doc, patch); err != nil {
			t.Fatal(err)
		}
		typed, err := subjects.CanonicalOf(&s.Playlist)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(typed, doc) {
			t.Fatalf("after %s the patches give\n%s\nwant\n%s", ev.EventType(), doc, typed)
		}
	}
	return s, doc
}

func TestPlaylistDocumentGolden(t *testing.T) {
	s, doc := foldPlaylist(t, goldenPlaylistEvents())
	if got, want := s.Playlist.TrackIDs(), []string{"demo:cloud", "demo:brook", "demo:aurora"}; !slices.Equal(got, want) {
		t.Fatalf("order %v, want %v", got, want)
	}
	for i, id := range s.Playlist.TrackIDs() {
		if at, ok := s.Playlist.IndexOf(id); !ok || at != i {
			t.Errorf("%s stands at %d, %v, want %d", id, at, ok, i)
		}
	}
	if _, ok := s.Playlist.IndexOf("demo:none"); ok {
		t.Error("a track that is not there has an index")
	}
	golden(t, "playlist_document", doc)
	hash, err := subjects.Hash(doc)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{
		"playlist_document_hash": hash,
		"playlist_row":           subjects.PlaylistRow{PlaylistSummary: s.Playlist.Summary(), Tracks: s.Playlist.TrackIDs()},
		"playlist_person": subjects.PlaylistPerson{
			User: ben, Playlist: goldenPlaylist, Name: "Road trip", NameKey: "road trip", Creator: ana,
			Visibility: subjects.VisibilityPrivate, Hidden: true, Invited: true,
		},
		"playlist_you":       s.You(ana),
		"playlist_you_guest": s.You(ben),
	} {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, raw)
	}
	state, err := subjects.EncodePlaylistState(s)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "playlist_state", state)
	back, err := subjects.DecodePlaylistState(goldenPlaylist, state)
	if err != nil || !reflect.DeepEqual(back, s) {
		t.Errorf("the state comes back as %+v, %v", back, err)
	}
	if _, err := subjects.DecodePlaylistState(goldenRoom, state); err == nil {
		t.Error("the state of another playlist was read")
	}

	gone, _ := foldPlaylist(t, append(goldenPlaylistEvents(), &subjects.PlaylistDeleted{}))
	if p := gone.Playlist; !gone.Deleted() || len(p.Tracks) != 0 || p.TrackCount != 0 || p.TotalMs != 0 {
		t.Errorf("deleted: %+v", p)
	}
}

func TestPlaylistApplyRefusesSealed(t *testing.T) {
	for _, e := range goldenPlaylistEvents() {
		if err := new(subjects.Playlist).Apply(subjects.Meta{}, e, nil); (err != nil) != sealedInPlaylist(e.EventType()) {
			t.Errorf("%s: %v", e.EventType(), err)
		}
		err := subjects.NewPlaylistState(goldenPlaylist).Apply(subjects.Meta{To: []string{ben}}, e, nil)
		if (err == nil) != sealedInPlaylist(e.EventType()) {
			t.Errorf("%s sealed: %v", e.EventType(), err)
		}
	}
}

func TestTrackRef(t *testing.T) {
	for _, c := range []struct {
		track subjects.Track
		want  subjects.TrackRef
	}{
		{goldenTrack("aurora"), "demo:aurora"},
		{subjects.Track{ID: "yt:abc", Provider: "yt", URL: "https://example.org/abc"}, "yt:abc"},
		{subjects.Track{ID: "url:abc", Provider: "url", URL: "https://example.org/a.mp3"}, "https://example.org/a.mp3"},
	} {
		if got := c.track.Ref(); got != c.want {
			t.Errorf("%s is named %q, want %q", c.track.ID, got, c.want)
		}
	}
}

// FuzzPlaylistFold folds arbitrary events, in an order that no playlist would have: no
// panic, patches that lead to the typed document, and a state that survives a snapshot.
func FuzzPlaylistFold(f *testing.F) {
	for i, e := range goldenPlaylistEvents() {
		body, err := json.Marshal(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), body, i%2 == 0)
	}
	f.Add(uint8(9), []byte(`{"tracks":null}`), true)
	f.Add(uint8(9), []byte(`{"tracks":[{"track":{"id":""}},{"track":{"id":""},"order":7}]}`), true)
	f.Fuzz(func(t *testing.T, n uint8, body []byte, created bool) {
		types := subjects.PlaylistEventTypes()
		typ := types[int(n)%len(types)]
		ev, err := subjects.DecodePlaylistEvent(typ, body)
		if err != nil {
			return
		}
		s := subjects.NewPlaylistState(goldenPlaylist)
		events := append([]subjects.PlaylistEvent{ev}, goldenPlaylistEvents()[1:]...)
		if created {
			events = append(goldenPlaylistEvents()[:1], events...)
		}
		for _, e := range events {
			var m subjects.Marks
			meta := subjects.Meta{By: ana, At: goldenTime.UnixMilli()}
			if sealedInPlaylist(e.EventType()) {
				meta.To = []string{ana}
			}
			if err := s.Apply(meta, e, &m); err != nil {
				t.Fatal(err)
			}
			if _, err := m.Patch(s.Playlist.PatchValue); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(s.Playlist.Tracks); s.Playlist.TrackCount != n || len(s.Playlist.Ordered()) != n {
			t.Fatalf("counts %d tracks of %d", s.Playlist.TrackCount, n)
		}
		raw, err := subjects.EncodePlaylistState(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := subjects.DecodePlaylistState(goldenPlaylist, raw); err != nil {
			t.Fatalf("%v in %s", err, raw)
		}
	})
}

// FuzzPlaylistCommand reads arbitrary bodies: what is taken is taken again as it was
// understood, what is not is refused with a code and a message.
func FuzzPlaylistCommand(f *testing.F) {
	for i := range subjects.PlaylistVerbs() {
		f.Add(uint8(i), []byte(`{}`))
	}
	f.Add(uint8(0), []byte(`{"tracks":["a",{"id":"b"},{"url":"c"}]}`))
	f.Add(uint8(7), []byte(`{"track":"a","from":1e2,"to":0}`))
	f.Fuzz(func(t *testing.T, n uint8, body []byte) {
		verbs := subjects.PlaylistVerbs()
		verb := verbs[int(n)%len(verbs)]
		c, err := subjects.DecodePlaylistCommand(verb, body)
		if err != nil {
			var r *subjects.Refusal
			if !errors.As(err, &r) || r.Code == subjects.CodeInternal || r.Message == "" {
				t.Fatalf("%v", err)
			}
			return
		}
		raw, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := subjects.DecodePlaylistCommand(verb, raw)
		if err != nil || !reflect.DeepEqual(again, c) {
			t.Fatalf("%s is read as %+v, %v, and was %+v", raw, again, err, c)
		}
	})
}
