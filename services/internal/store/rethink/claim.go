package rethink

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	r "gopkg.in/rethinkdb/rethinkdb-go.v6"

	"github.com/tuttihq/tutti/services/internal/store"
)

const (
	claimRow = "preparing"
	// claimLife is how long the claim of a process that died keeps others waiting.
	claimLife = 30 * time.Second
)

// claim waits until nobody else prepares the database. It is released by the function
// it returns, and by itself after claimLife: making things that are there does no harm.
func (s *Store) claim(ctx context.Context) (release func(), err error) {
	meta := r.DB(s.config.Database).Table(metaTable)
	owner := rand.Text()
	take := meta.Get(claimRow).Replace(func(old r.Term) any {
		now := r.Now().ToEpochTime()
		return r.Branch(
			old.Eq(nil).Or(old.Field("until").Lt(now)),
			map[string]any{"id": claimRow, "owner": owner, "until": now.Add(claimLife.Seconds())},
			r.Error(conflictMark))
	})
	for {
		if err := s.unite(ctx); err != nil {
			return nil, err
		}
		ready := meta.Wait(r.WaitOpts{WaitFor: "ready_for_writes", Timeout: s.config.Patience.Seconds()})
		if err := s.one(ctx, ready, r.RunOpts{}, new(any)); err != nil && !ambiguous(err) {
			return nil, err
		}
		var result writeResult
		err := s.one(ctx, take, r.RunOpts{}, &result)
		switch {
		case ambiguous(err):
		case err != nil:
			return nil, err
		case result.Errors == 0:
			return func() {
				give := meta.GetAll(claimRow).Filter(map[string]any{"owner": owner}).Delete()
				if err := s.one(context.WithoutCancel(ctx), give, r.RunOpts{}, &result); err != nil {
					s.config.Log.Warn("others wait until the claim is over", "for", claimLife, "err", err)
				}
			}, nil
		case !strings.HasPrefix(result.FirstError, conflictMark):
			return nil, fmt.Errorf("%w: %s", store.ErrUnavailable, result.FirstError)
		}
		if !sleep(ctx, poll) {
			return nil, ctx.Err()
		}
	}
}

func ambiguous(err error) bool { return err != nil && strings.Contains(err.Error(), "ambiguous") }

// unite drops all but one of the tables for claims, if several processes made one at
// the same time. There is nothing in them that is worth keeping.
func (s *Store) unite(ctx context.Context) error {
	config := r.DB(r.SystemDatabase).Table(r.TableConfigSystemTable)
	mine := config.Filter(map[string]any{"db": s.config.Database, "name": metaTable}).Field("id").CoerceTo("array")
	var ids []string
	if err := s.one(ctx, mine, r.RunOpts{}, &ids); err != nil {
		return err
	}
	slices.Sort(ids)
	for len(ids) > 1 {
		last := ids[len(ids)-1]
		ids = ids[:len(ids)-1]
		if err := s.one(ctx, config.Get(last).Delete(), r.RunOpts{}, new(any)); err != nil {
			return err
		}
	}
	return nil
}
