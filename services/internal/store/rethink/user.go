package rethink

import (
	"context"
	"fmt"
	"regexp"

	r "gopkg.in/rethinkdb/rethinkdb-go.v6"

	"github.com/tuttihq/tutti/services/internal/store"
)

var userForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// MakeUser makes a user who may read and write what is in the database and make nothing in
// it, as processes do that only serve; a user who is there gets the password, and connections
// that are open stay. The configuration's own user is an administrator. The database is made
// if there is none. Errors are those of [Open].
func MakeUser(ctx context.Context, config Config, user, password string) error {
	if !userForm.MatchString(user) || user == "admin" {
		return fmt.Errorf("%w: rethink: bad user name %q: letters, digits, - and _, and not admin", store.ErrInvalid, user)
	}
	if password == "" {
		return fmt.Errorf("%w: rethink: a user without a password", store.ErrInvalid)
	}
	return administer(ctx, config, func(s *Store) error { return s.makeUser(ctx, user, password) })
}

func (s *Store) makeUser(ctx context.Context, user, password string) error {
	if err := s.make(ctx, r.DBCreate(s.config.Database)); err != nil {
		return err
	}
	var done struct {
		Errors     int    `json:"errors"`
		FirstError string `json:"first_error"`
	}
	row := map[string]any{"id": user, "password": password}
	insert := r.DB("rethinkdb").Table("users").Insert(row, r.InsertOpts{Conflict: "update"})
	if err := s.one(ctx, insert, r.RunOpts{}, &done); err != nil {
		return err
	}
	if done.Errors > 0 {
		return fmt.Errorf("rethink: make user %q: %s", user, done.FirstError)
	}
	may := map[string]bool{"read": true, "write": true, "config": false}
	return s.one(ctx, r.DB(s.config.Database).Grant(user, may), r.RunOpts{}, new(any))
}
