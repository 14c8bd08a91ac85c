package chat_test

import (
	"testing"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// A playlist's chat obeys the playlist: who has joined speaks, its creator keeps order, and it
// is shown, hidden and closed with it.
func TestAPlaylistsChat(t *testing.T) {
	w := startTown(t)
	w.id = subjects.NewID(subjects.PrefixPlaylist, time.Now())
	w.no(subjects.CodeNotFound, "ana", "send", body{"text": "before there is a playlist"})
	w.edited(
		&subjects.PlaylistCreated{Name: "Road trip", Creator: user("ana"), Visibility: subjects.VisibilityPrivate},
		&subjects.PlaylistJoined{User: user("ana")},
	)
	w.ok("ana", "send", body{"text": "one"}) // at once: the chat waits until it has heard
	w.no(subjects.CodeNotFound, "ben", "send", body{"text": "x"})
	w.edited(&subjects.PlaylistInvited{User: user("ben"), Name: "Road trip"})
	eventually(t, "the invited see the chat", func() bool { _, err := w.history(subjects.ChatHistory{Viewer: user("ben")}); return err == nil })
	w.edited(&subjects.PlaylistJoined{User: user("ben")})
	w.ok("ben", "send", body{"text": "RUDE"})
	w.no(subjects.CodeForbidden, "ben", "mute", body{"user": user("ana")})
	rude := w.page(subjects.ChatHistory{Limit: 1, Viewer: user("ana")}).Messages[0].ID
	w.ok("ana", "delete", body{"message": rude})
	w.ok("ana", "mute", body{"user": user("ben")})
	w.no(subjects.CodeMuted, "ben", "send", body{"text": "x"})
	w.ok("ana", "unmute", body{"user": user("ben")})

	sees := func(viewer string, want bool) func() bool {
		return func() bool { _, err := w.history(subjects.ChatHistory{Viewer: viewer}); return (err == nil) == want }
	}
	w.edited(&subjects.PlaylistInvited{User: user("eve"), Name: "Road trip"})
	eventually(t, "the invited see the chat", sees(user("eve"), true))
	w.edited(&subjects.PlaylistDeclined{User: user("eve")})
	eventually(t, "who gives an invitation back sees it no more", sees(user("eve"), false))
	w.edited(&subjects.VisibilityChanged{Visibility: subjects.VisibilityPublic})
	eventually(t, "everybody sees the chat of a public playlist", sees(user("zoe"), true))
	w.no(subjects.CodeNotMember, "zoe", "send", body{"text": "x"})
	w.edited(&subjects.PlaylistJoined{User: user("zoe")})
	w.ok("zoe", "send", body{"text": "two"})
	w.edited(
		&subjects.VisibilityChanged{Visibility: subjects.VisibilityFollowers},
		&subjects.PlaylistLeft{User: user("zoe"), Reason: subjects.LeftHidden},
	)
	eventually(t, "a hidden playlist's chat is hidden", sees(user("zoe"), false))
	w.edited(&subjects.PlaylistAdmitted{User: user("dan")}, &subjects.PlaylistJoined{User: user("dan")})
	w.ok("dan", "send", body{"text": "three"})
	w.edited(&subjects.PlaylistUninvited{User: user("ben")}, &subjects.PlaylistLeft{User: user("ben"), Reason: subjects.LeftUninvited})
	eventually(t, "who is taken out sees nothing any more", sees(user("ben"), false))
	w.no(subjects.CodeNotFound, "ben", "send", body{"text": "x"})
	w.edited(&subjects.PlaylistDeleted{})
	eventually(t, "the chat closes", func() bool { return subjects.CodeOf(w.ask("ana", "send", body{"text": "x"})) == subjects.CodeClosed })
	if page := w.page(subjects.ChatHistory{Viewer: user("ana")}); len(page.Messages) < 4 || page.Messages[3].Text != "three" {
		t.Errorf("what was said is %+v", page.Messages)
	}
	if s := w.state(); s.RoleOf(user("ana")) != subjects.RoleCreator || s.RoleOf(user("dan")) != subjects.RoleMember || s.Open() {
		t.Errorf("%s, %s, open %v", s.RoleOf(user("ana")), s.RoleOf(user("dan")), s.Open())
	}
}
