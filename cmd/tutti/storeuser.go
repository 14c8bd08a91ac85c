package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tuttihq/tutti/services"
)

func storeUserCommand() *cobra.Command {
	var name, file string
	var within time.Duration
	c := &cobra.Command{
		Use:   "store-user --new-password-file FILE",
		Short: "Make the database user that the services log in as",
		Long: `Make a user of RethinkDB who may read and write Tutti's documents and change nothing else, or give
one who is there another password. Services that are connected stay so; after a new password,
restart them one by one with that.

store.user must be an administrator: RethinkDB's own is "admin".`,
		Example: "  TUTTI_STORE__USER=admin TUTTI_STORE__PASSWORD_FILE=admin.secret \\\n    tutti store-user --new-password-file tutti.secret",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, log, err := loadSettings(c)
			if err != nil {
				return err
			}
			password, err := os.ReadFile(file)
			if err != nil {
				return fmt.Errorf("the new user's password: %w", err)
			}
			ctx, cancel := context.WithTimeout(c.Context(), within)
			defer cancel()
			if err := services.MakeStoreUser(ctx, cfg, name, strings.TrimRight(string(password), "\r\n"), log); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s may read and write database %s\n", name, cfg.Store.Database)
			return err
		},
	}
	c.Flags().StringVar(&name, "name", "tutti", "the user's `NAME`")
	c.Flags().StringVar(&file, "new-password-file", "", "the `FILE` with the user's password")
	c.Flags().DurationVar(&within, "within", time.Minute, "wait so long for the database")
	storeFlags(c)
	_ = c.MarkFlagRequired("new-password-file") // it is there, three lines above
	return c
}
