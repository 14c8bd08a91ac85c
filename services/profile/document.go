package profile

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

const (
	table        = subjects.TableProfiles
	tableFollows = subjects.TableFollows
)

// Indexes of the tables.
const (
	byName     = "by_name"
	byFollower = "by_follower"
	byFollowed = "by_followed"
)

// first is the version of a profile when it is created.
var first = store.Version{Rev: 1}

// Tables lists the tables that the service's store must have.
func Tables() []store.Table {
	return []store.Table{
		{Name: table, Durability: store.Hard, Indexes: []store.Index{{Name: byName, Fields: []string{"nicknameKey"}}}},
		{Name: tableFollows, Durability: store.Hard, Indexes: []store.Index{
			{Name: byFollower, Fields: []string{"follower", "order"}},
			{Name: byFollowed, Fields: []string{"followed", "order"}},
		}},
	}
}

// document is the body of TableProfiles; id and rev are the document's own.
type document struct {
	Nickname  string `json:"nickname"`
	Bio       string `json:"bio"`
	AvatarURL string `json:"avatarUrl"`
	CreatedAt int64  `json:"createdAt"`
	// Relations and Heard are empty for what they are at first.
	Relations subjects.Visibility `json:"relations,omitempty"`
	Heard     subjects.Visibility `json:"heard,omitempty"`
	// NicknameKey is what the nickname is found by.
	NicknameKey string `json:"nicknameKey"`
	// Account is the Rev of the account's version that the nickname is from.
	Account uint64 `json:"account"`
}

func (d document) profile(id string, v store.Version) subjects.Profile {
	return subjects.Profile{
		ID: id, Nickname: d.Nickname, Bio: d.Bio, AvatarURL: d.AvatarURL, CreatedAt: d.CreatedAt,
		Relations: d.relations(), Heard: d.heard(), Rev: v.Rev,
	}
}

func (d document) relations() subjects.Visibility {
	if d.Relations == "" {
		return subjects.VisibilityPublic
	}
	return d.Relations
}

func (d document) heard() subjects.Visibility {
	if d.Heard == "" {
		return subjects.VisibilityPrivate
	}
	return d.Heard
}

// named gives the profile with the nickname that a version of its account has.
func (d document) named(a subjects.Account, rev uint64) document {
	d.Nickname, d.NicknameKey, d.Account = a.Nickname, nameKey(a.Nickname), rev
	return d
}

func (d document) stored(id string, v store.Version) (store.Document, error) {
	body, err := json.Marshal(d)
	if err != nil {
		return store.Document{}, fmt.Errorf("profile: encode: %w", err)
	}
	return store.Document{ID: id, Version: v, Body: body}, nil
}

// Public gives what the feed of the profiles table may publish of a document, as a
// subjects.Profile. It reports false for a document of which nothing is published.
func Public(doc store.Document) (json.RawMessage, bool) {
	var d document
	if doc.Deleted || doc.Decode(&d) != nil {
		return nil, false
	}
	body, err := json.Marshal(d.profile(doc.ID, doc.Version))
	if err != nil {
		return nil, false
	}
	return body, true
}

// errNoAccount wraps why a message is not the account it should be.
var errNoAccount = errors.New("profile: not an account document")

// readAccount reads the public document of an account.
func readAccount(id string, body json.RawMessage) (subjects.Account, error) {
	var a subjects.Account
	if err := json.Unmarshal(body, &a); err != nil {
		return a, fmt.Errorf("%w: %w", errNoAccount, err)
	}
	if a.ID != id || subjects.CheckID(subjects.PrefixUser, id) != nil {
		return a, fmt.Errorf("%w: its id does not fit its subject", errNoAccount)
	}
	if a.Nickname == "" {
		return a, fmt.Errorf("%w: it has no nickname", errNoAccount)
	}
	return a, nil
}

// nameKey is what nicknames are found by: without regard to case, to compatibility forms
// such as full-width letters, and to how much space is between words.
func nameKey(s string) string {
	folded := cases.Fold().String(norm.NFKC.String(s))
	return strings.Join(strings.Fields(norm.NFKC.String(folded)), " ")
}
