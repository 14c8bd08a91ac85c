package profile

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

const table = subjects.TableProfiles

// first is the version of a profile when it is created.
var first = store.Version{Rev: 1}

// Tables lists the tables that the service's store must have.
func Tables() []store.Table {
	return []store.Table{{Name: table, Durability: store.Hard}}
}

// document is the body of TableProfiles; id and rev are the document's own.
type document struct {
	Nickname  string `json:"nickname"`
	Bio       string `json:"bio"`
	AvatarURL string `json:"avatarUrl"`
	CreatedAt int64  `json:"createdAt"`
}

func (d document) profile(id string, v store.Version) subjects.Profile {
	return subjects.Profile{
		ID: id, Nickname: d.Nickname, Bio: d.Bio, AvatarURL: d.AvatarURL, CreatedAt: d.CreatedAt, Rev: v.Rev,
	}
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

// fromAccount gives the first version of a profile.
func fromAccount(id string, body json.RawMessage) (store.Document, error) {
	var a subjects.Account
	if err := json.Unmarshal(body, &a); err != nil {
		return store.Document{}, fmt.Errorf("%w: %w", errNoAccount, err)
	}
	if a.ID != id || subjects.CheckID(subjects.PrefixUser, id) != nil {
		return store.Document{}, fmt.Errorf("%w: its id does not fit its subject", errNoAccount)
	}
	if a.Nickname == "" {
		return store.Document{}, fmt.Errorf("%w: it has no nickname", errNoAccount)
	}
	return document{Nickname: a.Nickname, CreatedAt: a.CreatedAt}.stored(id, first)
}
