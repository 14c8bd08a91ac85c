package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// The tables of the service. Only TableAccounts has a feed, and that only through
// PublicAccount.
const (
	tableAccounts = subjects.TableAccounts
	tableClaims   = "claims"
	tableSessions = "sessions"
	tableKeys     = "signing_keys"
)

const sessionsByUser = "by_user"

// Tables lists the tables that the service's store must have.
func Tables() []store.Table {
	return []store.Table{
		{Name: tableAccounts, Durability: store.Hard},
		{Name: tableClaims, Durability: store.Hard},
		{Name: tableSessions, Durability: store.Hard, Indexes: []store.Index{
			{Name: sessionsByUser, Fields: []string{"user", "refreshedAt"}},
		}},
		{Name: tableKeys, Durability: store.Hard},
	}
}

// account is the document of TableAccounts; its id is the user's.
type account struct {
	Email        string `json:"email"`
	Nickname     string `json:"nickname"`
	PasswordHash string `json:"passwordHash"`
	CreatedAt    int64  `json:"createdAt"`
}

func (a account) user(id string) subjects.User {
	return subjects.User{ID: id, Email: a.Email, Nickname: a.Nickname, CreatedAt: a.CreatedAt}
}

// nicknameClaim gives the claim that the account's nickname needs.
func (a account) nicknameClaim() (string, error) {
	_, key, err := normaliseNickname(a.Nickname)
	if err != nil {
		return "", fmt.Errorf("auth: the nickname of an account: %w", err)
	}
	return store.ClaimID(claimNickname, key), nil
}

// has reports whether a claim's name is the account's address or nickname.
func (a account) has(name string) (bool, error) {
	if name == store.ClaimID(claimEmail, a.Email) {
		return true, nil
	}
	nickname, err := a.nicknameClaim()
	return name == nickname, err
}

// PublicAccount gives what the feed of the accounts table may publish of a document:
// fields are opted in one by one. It reports false for a document of which nothing is
// published.
func PublicAccount(doc store.Document) (json.RawMessage, bool) {
	var a account
	if doc.Deleted || doc.Decode(&a) != nil || a.Nickname == "" {
		return nil, false
	}
	body, err := json.Marshal(subjects.Account{ID: doc.ID, Nickname: a.Nickname, CreatedAt: a.CreatedAt})
	if err != nil {
		return nil, false
	}
	return body, true
}

// getAccount reads an account; store.ErrNotFound if there is none.
func (s *Service) getAccount(ctx context.Context, id string) (account, store.Version, error) {
	var a account
	doc, err := s.store.Get(ctx, tableAccounts, id)
	if err != nil {
		return a, doc.Version, err
	}
	err = doc.Decode(&a)
	return a, doc.Version, err
}

// accountByEmail finds the account that holds a normalised address; store.ErrNotFound if
// none does.
func (s *Service) accountByEmail(ctx context.Context, email string) (string, account, store.Version, error) {
	c, _, err := s.getClaim(ctx, store.ClaimID(claimEmail, email))
	if err != nil {
		return "", account{}, store.Version{}, err
	}
	a, v, err := s.getAccount(ctx, c.Account)
	return c.Account, a, v, err
}

func encode(v any) (json.RawMessage, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("auth: encode %T: %w", v, err)
	}
	return body, nil
}

// current gives the version that a failed write must beat.
func current(err error) (store.Version, bool) {
	var c *store.ConflictError
	if errors.As(err, &c) {
		return c.Current, true
	}
	return store.Version{}, false
}
