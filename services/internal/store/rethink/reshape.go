package rethink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	r "gopkg.in/rethinkdb/rethinkdb-go.v6"
)

// Reshape spreads every table of the database over as many shards, each with as many
// replicas, as the configuration says, and waits until all are ready. Documents can be read
// and written meanwhile; open feeds are lost, with store.ErrFeedLost. The configuration's
// user is an administrator. Errors are those of [Open], and ErrRefused: there must be as many
// servers as replicas.
func Reshape(ctx context.Context, config Config) error {
	return administer(ctx, config, func(s *Store) error {
		var done struct {
			Reconfigured int `json:"reconfigured"`
		}
		opts := r.ReconfigureOpts{Shards: s.config.Shards, Replicas: s.config.Replicas}
		if err := s.ask(ctx, r.DB(s.config.Database).Reconfigure(opts), &done); err != nil {
			return err
		}
		if done.Reconfigured == 0 {
			return fmt.Errorf("%w: there is no table in database %q", ErrUnprepared, s.config.Database)
		}
		return s.one(ctx, r.DB(s.config.Database).Wait(), r.RunOpts{}, new(any))
	})
}

// ErrRefused is returned by Reshape when the database answers that it will not: what it was told
// does not fit its servers or its tables. Nothing was changed.
var ErrRefused = errors.New("rethink: the database refuses")

// ask runs a query as one does, and tells a refusal apart from a database that is away.
func (s *Store) ask(ctx context.Context, term r.Term, v any) error {
	var said error
	err := again(ctx, func() error {
		return s.with(ctx, func(l *link) error {
			var answer []byte
			if answer, said = l.one(term, r.RunOpts{}); said != nil {
				return said
			}
			return json.Unmarshal(answer, v)
		})
	})
	if err != nil && said != nil && answered(said) && !refused(said) && ctx.Err() == nil {
		return fmt.Errorf("%w: %s", ErrRefused, told(said))
	}
	return err
}

// administer runs f with a connection, once a server answers.
func administer(ctx context.Context, config Config, f func(*Store) error) error {
	config, err := config.complete()
	if err != nil {
		return err
	}
	s := &Store{config: config, feeds: make(map[*feed]struct{})}
	if s.dialer, err = newDialer(config); err != nil {
		return err
	}
	s.pool, s.witness = newPool(s.dialer, config.MaxOpen), newWitness(s.dialer)
	if err = s.await(ctx); err == nil {
		err = f(s)
	}
	if closing := s.Close(); err == nil {
		err = closing
	}
	return err
}
