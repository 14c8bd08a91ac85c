package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tuttihq/tutti/services"
)

func storeShardsCommand() *cobra.Command {
	var shards, replicas int
	var within time.Duration
	c := &cobra.Command{
		Use:   "store-shards --shards N --replicas N",
		Short: "Spread the database's tables over its servers",
		Long: `Spread every table of RethinkDB over so many shards with so many replicas each, and wait until
all are ready. The services may run meanwhile: what they follow of a table breaks off, and
begins again by itself. Each replica needs a server of its own.

store.user must be an administrator: RethinkDB's own is "admin".`,
		Example: "  TUTTI_STORE__USER=admin TUTTI_STORE__PASSWORD_FILE=admin.secret \\\n    tutti store-shards --shards 2 --replicas 3",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, log, err := loadSettings(c)
			if err != nil {
				return err
			}
			cfg.Store.Shards, cfg.Store.Replicas = shards, replicas
			ctx, cancel := context.WithTimeout(c.Context(), within)
			defer cancel()
			if err := services.ReshapeStore(ctx, cfg, log); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "database %s: %d shards, %d replicas of each\n", cfg.Store.Database, shards, replicas)
			return err
		},
	}
	c.Flags().IntVar(&shards, "shards", 1, "cut each table into `N` parts")
	c.Flags().IntVar(&replicas, "replicas", 1, "keep each part on `N` servers")
	c.Flags().DurationVar(&within, "within", time.Hour, "wait so long for the tables")
	storeFlags(c)
	return c
}
