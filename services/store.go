package services

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/tuttihq/tutti/services/auth"
	"github.com/tuttihq/tutti/services/chat"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/rethink"
	"github.com/tuttihq/tutti/services/internal/store/sqlite"
	"github.com/tuttihq/tutti/services/playlist"
	"github.com/tuttihq/tutti/services/profile"
	"github.com/tuttihq/tutti/services/room"
)

// storePause is how long a process waits before it looks again for a store that is not
// there yet.
const storePause = time.Second

// tables lists the tables of every service, and of the store itself.
func tables() []store.Table {
	return slices.Concat(room.Tables(), room.Owned(), playlist.Tables(), chat.Tables(), auth.Tables(), profile.Tables(), metaTables())
}

// openStore opens the store that the configuration names, with the tables of every service,
// and closes it when the system stops. It makes what is missing, or only looks (see
// Config.AutoMigrate). A RethinkDB server that does not answer it waits for until ctx ends:
// the processes of a deployment start in any order.
func (s *System) openStore(ctx context.Context, cfg Config) (store.Store, error) {
	open := s.openSQLite
	if cfg.Store.Kind == StoreRethinkDB {
		open = s.openRethinkDB
	}
	st, err := open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s.onStop("store", func(context.Context) error { return st.Close() })
	if err := s.patiently(ctx, cfg, func() error { return migrate(ctx, st, cfg.AutoMigrate, s.log) }); err != nil {
		return nil, err
	}
	return st, nil
}

func (s *System) openSQLite(ctx context.Context, cfg Config) (store.Store, error) {
	dir := cfg.Data
	if dir == "" {
		tmp, err := os.MkdirTemp("", "tutti-store-")
		if err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		dir = tmp
		s.onStop("temporary store", func(context.Context) error { return os.RemoveAll(tmp) })
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return sqlite.Open(ctx, filepath.Join(dir, "documents.db"), tables())
}

func (s *System) openRethinkDB(ctx context.Context, cfg Config) (store.Store, error) {
	return s.openRethinkDBAs(ctx, cfg, cfg.rethink(s.log.With("service", "store")))
}

// openRethinkDBAs is openRethinkDB with what is made of the configuration.
func (s *System) openRethinkDBAs(ctx context.Context, cfg Config, rc rethink.Config) (store.Store, error) {
	var st *rethink.Store
	err := s.patiently(ctx, cfg, func() (err error) {
		st, err = rethink.Open(ctx, rc, tables())
		return err
	})
	if err != nil {
		return nil, err
	}
	return st, nil
}

// patiently tries step until the store is there. An embedded one is there or is not.
func (s *System) patiently(ctx context.Context, cfg Config, step func() error) error {
	for {
		err := step()
		if err == nil || cfg.Store.Kind == StoreSQLite || !errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		s.log.Warn("waiting for the store", "err", err)
		t := time.NewTimer(storePause)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
}

func (c Config) rethink(log *slog.Logger) rethink.Config {
	return rethink.Config{
		Addresses: c.Store.Addresses, Database: c.Store.Database, User: c.Store.User, Password: c.Store.Password, CA: c.Store.CA,
		Create: c.AutoMigrate, Shards: c.Store.Shards, Replicas: c.Store.Replicas, MaxOpen: c.Store.MaxOpen, Log: log,
	}
}

// checkStore tries the store that the configuration names, and makes nothing.
func checkStore(ctx context.Context, cfg Config) Finding {
	cfg.AutoMigrate = false
	at := fmt.Sprintf("database %q at %v", cfg.Store.Database, cfg.Store.Addresses)
	st, err := rethink.Open(ctx, cfg.rethink(slog.New(slog.DiscardHandler)), tables())
	if err != nil {
		return Finding{"store", false, fmt.Sprintf("%s: %v", at, err)}
	}
	err = checkSchema(ctx, st, false)
	if err = errors.Join(err, st.Close()); err != nil {
		return Finding{"store", false, fmt.Sprintf("%s: %v", at, err)}
	}
	return Finding{"store", true, at + " answers and is migrated"}
}
