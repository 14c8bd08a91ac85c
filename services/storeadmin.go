package services

import (
	"context"
	"errors"
	"log/slog"

	"github.com/tuttihq/tutti/services/internal/store/rethink"
)

// ErrEmbedded is returned for what only a store on servers of its own has: users and shards.
var ErrEmbedded = errors.New("the embedded store has neither users nor shards; this is for store.kind " + StoreRethinkDB)

// MakeStoreUser makes a user of the store, or gives one who is there another password: one
// who may read and write documents, and neither make tables nor look into other databases.
// store.user of the configuration must be an administrator.
func MakeStoreUser(ctx context.Context, cfg Config, user, password string, log *slog.Logger) error {
	c, err := cfg.administered(log)
	if err != nil {
		return err
	}
	return rethink.MakeUser(ctx, c, user, password)
}

// ReshapeStore spreads the store's tables over store.shards shards with store.replicas
// replicas each, and returns when all are ready. The services may run meanwhile. store.user
// of the configuration must be an administrator.
func ReshapeStore(ctx context.Context, cfg Config, log *slog.Logger) error {
	c, err := cfg.administered(log)
	if err != nil {
		return err
	}
	return rethink.Reshape(ctx, c)
}

// administered is the configuration of the store for its administrator.
func (c Config) administered(log *slog.Logger) (rethink.Config, error) {
	if c.Store.Kind != StoreRethinkDB {
		return rethink.Config{}, ErrEmbedded
	}
	if err := c.Store.validate(); err != nil {
		return rethink.Config{}, err
	}
	c, err := c.withPasswords()
	return c.rethink(log), err
}
