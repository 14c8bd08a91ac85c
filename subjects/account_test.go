package subjects_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

const (
	goldenUser    = "user_01KJMMA2G0GX8SWC0DPQKDY2K9"
	goldenOther   = "user_01KJMMA2G0HGKJSNQMVVTEDB29"
	goldenSession = "ses_01KJMMA2G0HGKJSNQMVVTEDB29"
)

func ptr[T any](v T) *T { return &v }

// accountPayloads pairs each golden file with the value that it is the JSON of.
var accountPayloads = map[string]any{
	"account_register": subjects.RegisterRequest{RequestID: "cmd_01KJMMA2G0GX8SWC0DPQKDY2K9", Email: "anna@example.org", Nickname: "Anna", Password: "correct horse"},
	"account_login":    subjects.LoginRequest{Email: "anna@example.org", Password: "correct horse"},
	"account_refresh":  subjects.RefreshRequest{RefreshToken: goldenSession + ".c2VjcmV0"},
	"account_logout":   subjects.LogoutRequest{RefreshToken: goldenSession + ".c2VjcmV0"},
	"account_logout_all": subjects.LogoutAllRequest{
		AccessToken: "e30.e30.c2ln",
	},
	"account_logout_all_answer": subjects.LogoutAllAnswer{Sessions: 2},
	"account_validate":          subjects.ValidateRequest{AccessToken: "e30.e30.c2ln"},
	"account_validation": subjects.Validation{
		Active: true, UserID: goldenUser, SessionID: goldenSession, Nickname: "Anna", IssuedAt: 1772366400, ExpiresAt: 1772367300,
	},
	"account_validation_inactive": subjects.Validation{},
	"account_grant": subjects.Grant{
		AccessToken: "e30.e30.c2ln", RefreshToken: goldenSession + ".c2VjcmV0", TokenType: subjects.TokenBearer,
		ExpiresIn: 900, RefreshExpiresIn: 2592000,
		User: subjects.User{ID: goldenUser, Email: "anna@example.org", Nickname: "Anna", CreatedAt: 1772366400000},
	},
	"account_public": subjects.Account{ID: goldenUser, Nickname: "Anna", CreatedAt: 1772366400000},
	"account_keys": subjects.KeySet{Keys: []subjects.PublicKey{{
		Type: "OKP", Curve: "Ed25519", Use: "sig", Algorithm: "EdDSA",
		ID: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", X: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
	}}},
	"profile": subjects.Profile{
		ID: goldenUser, Nickname: "Anna", Bio: "Plays the viola.", AvatarURL: "https://example.org/anna.png", CreatedAt: 1772366400000,
		Relations: subjects.VisibilityFollowers, Heard: subjects.VisibilityPrivate, Rev: 3,
	},
	"profile_get":    subjects.ProfileGetRequest{ID: goldenUser, Viewer: goldenUser},
	"profile_batch":  subjects.ProfileBatchRequest{IDs: []string{goldenUser}},
	"profile_answer": subjects.ProfileBatchAnswer{Profiles: []subjects.Profile{goldenProfile}},
	"profile_update": subjects.ProfileUpdateRequest{
		UserID: goldenUser, Bio: ptr("Plays the viola."), AvatarURL: ptr(""),
		Relations: ptr(subjects.VisibilityFollowers), Heard: ptr(subjects.VisibilityPublic), Rev: 2,
	},
	"profile_person": subjects.Person{
		Profile: goldenProfile, Followers: ptr(12), Following: ptr(0), You: &subjects.PersonYou{Follows: true},
	},
	"profile_person_hidden":  subjects.Person{Profile: goldenProfile},
	"profile_person_request": subjects.PersonRequest{ID: goldenUser, Viewer: goldenOther},
	"profile_people":         subjects.PeopleRequest{Viewer: goldenUser, Prefix: "An", Cursor: "next", Limit: 20},
	"profile_people_page":    subjects.PeoplePage{Profiles: []subjects.Profile{goldenProfile}, Next: "next"},
	"profile_relations":      subjects.RelationsRequest{User: goldenUser, Viewer: goldenOther, Cursor: "next", Limit: 20},
	"profile_follow":         subjects.FollowRequest{Follower: goldenUser, Followed: goldenOther},
	"profile_follow_answer":  subjects.FollowAnswer{Follows: true},
	"follow":                 subjects.Follow{Follower: goldenUser, Followed: goldenOther, At: 1772366400000},
	"account_nickname":       subjects.NicknameRequest{UserID: goldenUser, Nickname: "Nina"},
	"account_nickname_answer": subjects.NicknameAnswer{
		Nickname: "Nina",
	},
}

var goldenProfile = subjects.Profile{
	ID: goldenUser, Nickname: "Anna", CreatedAt: 1772366400000, Relations: subjects.VisibilityPublic, Heard: subjects.VisibilityPrivate, Rev: 1,
}

func TestAFollowIsNamedByBothItsEnds(t *testing.T) {
	id := subjects.FollowID(goldenUser, goldenOther)
	if a, b, ok := subjects.SplitFollowID(id); !ok || a != goldenUser || b != goldenOther {
		t.Errorf("%q is read as %q, %q, %t", id, a, b, ok)
	}
	for _, bad := range []string{"", ".", goldenUser, goldenUser + ".", "." + goldenUser, id + ".x", goldenSession + "." + goldenUser} {
		if _, _, ok := subjects.SplitFollowID(bad); ok {
			t.Errorf("%q is taken for a follow", bad)
		}
	}
}

func TestAccountAndProfilePayloadsAreGolden(t *testing.T) {
	for name, v := range accountPayloads {
		payload, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, payload)
		back := reflect.New(reflect.TypeOf(v))
		if err := json.Unmarshal(payload, back.Interface()); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(back.Elem().Interface(), v) {
			t.Errorf("%s is read as %+v", name, back.Elem())
		}
	}
}

func TestASecretIsCarriedAndNotShown(t *testing.T) {
	const word = "correct horse"
	s := subjects.Secret(word)
	if b, err := json.Marshal(s); err != nil || string(b) != `"correct horse"` || s.Reveal() != word {
		t.Fatalf("%s, %v", b, err)
	}
	shown := []string{s.LogValue().String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown = append(shown, fmt.Sprintf(verb, s), fmt.Sprintf(verb, struct{ Password subjects.Secret }{s}))
	}
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewJSONHandler(&log, nil), slog.NewTextHandler(&log, nil)} {
		for name, v := range accountPayloads {
			slog.New(h).Info(name, "secret", s, "value", v)
		}
	}
	for _, text := range append(shown, log.String()) {
		for _, secret := range []string{word, "636f7272", "c2VjcmV0", "c2ln", "anna@"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is shown by %s", secret, text)
			}
		}
	}
	if empty := fmt.Sprint(subjects.Secret("")); empty != "" {
		t.Errorf("nothing is shown as %q", empty)
	}
}
