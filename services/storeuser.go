package services

import (
	"context"
	"errors"
	"log/slog"

	"github.com/tuttihq/tutti/services/internal/store/rethink"
)

// ErrNoUsers is returned by MakeStoreUser for a store that nobody logs in to.
var ErrNoUsers = errors.New("the embedded store has no users; set store.kind to " + StoreRethinkDB)

// MakeStoreUser makes a user of the store, or gives one who is there another password: one
// who may read and write documents, and neither make tables nor look into other databases.
// store.user of the configuration must be an administrator.
func MakeStoreUser(ctx context.Context, cfg Config, user, password string, log *slog.Logger) error {
	if cfg.Store.Kind != StoreRethinkDB {
		return ErrNoUsers
	}
	if err := cfg.Store.validate(); err != nil {
		return err
	}
	cfg, err := cfg.withPasswords()
	if err != nil {
		return err
	}
	return rethink.MakeUser(ctx, cfg.rethink(log), user, password)
}
