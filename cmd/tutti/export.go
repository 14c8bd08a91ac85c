package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tuttihq/tutti/services"
)

func exportCommand() *cobra.Command {
	var opt services.ExportOptions
	c := &cobra.Command{
		Use:   "export --to DIR|FILE.tar",
		Short: "Write all data of a deployment to files",
		Long: `Write all data of a deployment to a directory, or to one file if its name ends with .tar: the
logs of rooms, playlists and chats, the commands that wait, and the documents that do not
follow from the logs (accounts, sessions, signing keys, profiles, follows, claims on names).
All other documents are made anew by "tutti import".

The files hold password hashes, signing keys and everything private. They are readable by
their owner alone (mode 0600) and not encrypted.

It only reads. A system that keeps its data in --data must be stopped, since that belongs to
one process; one on servers of its own may run: the export then holds the logs as they were
when it began, and documents as they were a little later.`,
		Example: "  tutti export --data data --to backup.tar\n  tutti export --nats-url nats://10.0.0.1:4222 --store rethinkdb --store-addresses 10.0.0.1:28015 --to backup",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, log, err := loadSettings(c)
			if err != nil {
				return err
			}
			bar, begin := newProgress(c.ErrOrStderr()), time.Now()
			opt.Progress = shown(bar)
			r, err := services.Export(c.Context(), cfg, opt, log)
			bar.end()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %d commits, %d documents, %d commands that wait, to %s in %v\n",
				r.Export, r.Commits, r.Documents, r.Commands, opt.To, time.Since(begin).Round(time.Millisecond))
			return err
		},
	}
	toolFlags(c)
	c.Flags().StringVar(&opt.To, "to", "", "the `PATH` to write to; nothing may be there yet")
	c.Flags().BoolVar(&opt.DocumentsOnly, "documents-only", false, "leave the logs out, which are backed up otherwise")
	_ = c.MarkFlagRequired("to") // the flag is there
	return c
}
