package services_test

import (
	"fmt"
	"slices"
	"testing"

	r "gopkg.in/rethinkdb/rethinkdb-go.v6"

	"github.com/tuttihq/tutti/services"
	"github.com/tuttihq/tutti/services/internal/store/rethink/rethinktest"
)

// An index that this release does not ask for is kept, for the replicas of one that does,
// until Migrate is told to drop it.
func TestMigrateKeepsIndexesOfOtherReleases(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.NATS.Listen = ""
	cfg.Store.Kind, cfg.Store.Addresses = services.StoreRethinkDB, []string{rethinktest.Start(t).Addr()}
	migrate := func(opt services.MigrateOptions, old ...string) {
		t.Helper()
		report, err := services.Migrate(t.Context(), cfg, opt, nil, quiet)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(report.Old, old) {
			t.Errorf("%+v: old indexes are %q, not %q", opt, report.Old, old)
		}
	}
	migrate(services.MigrateOptions{})

	session, err := r.Connect(r.ConnectOpts{Address: cfg.Store.Addresses[0], InitialCap: 1, MaxOpen: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	}()
	rooms := r.DB(cfg.Store.Database).Table("rooms")
	if err := rooms.IndexCreate("by_former_0123456789").Exec(session, r.ExecOpts{Context: t.Context()}); err != nil {
		t.Fatal(err)
	}
	there := func(want bool) {
		t.Helper()
		var names []string
		if err := rooms.IndexList().ReadAll(&names, session, r.RunOpts{Context: t.Context()}); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(names, "by_former_0123456789") != want {
			t.Errorf("indexes are %q", names)
		}
	}
	former := fmt.Sprintf("index %q of table %q", "by_former_0123456789", "rooms")
	migrate(services.MigrateOptions{}, former)
	migrate(services.MigrateOptions{DryRun: true, DropOldIndexes: true}, former)
	there(true)
	migrate(services.MigrateOptions{DropOldIndexes: true}, former)
	there(false)
	migrate(services.MigrateOptions{DropOldIndexes: true})
}
