package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tuttihq/tutti/services"
)

func rebuildCommand() *cobra.Command {
	var drop bool
	c := &cobra.Command{
		Use:   "rebuild",
		Short: "Make all documents anew from the log",
		Long: `Fold the log anew and put every document right that follows from it: lists and searches of
rooms and playlists, what was played, and the history of chats. The log is the authority and is
only read; accounts and profiles do not follow from it and stay as they are.

A system that keeps its data in --data must be stopped. One on servers of its own may run.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, log, err := loadSettings(c)
			if err != nil {
				return err
			}
			bar := newProgress(c.ErrOrStderr())
			begin := time.Now()
			r, err := services.Rebuild(c.Context(), cfg, drop, func(done, total uint64) { bar.tell("folding the log", done, total) }, log)
			bar.end()
			if err != nil && !errors.Is(err, services.ErrRebuildIncomplete) {
				return err
			}
			_, perr := fmt.Fprintf(c.OutOrStdout(), "%d commits read, %d documents written, %d were right, %d deleted, in %v\n",
				r.Commits, r.Written, r.Stale, r.Deleted, time.Since(begin).Round(time.Millisecond))
			for _, id := range r.Broken {
				if perr == nil {
					_, perr = fmt.Fprintf(c.ErrOrStderr(), "not folded: %s\n", id)
				}
			}
			return errors.Join(err, perr)
		},
	}
	toolFlags(c)
	c.Flags().BoolVar(&drop, "drop", false, "remove the documents first; mends those that were changed by hand")
	return c
}
