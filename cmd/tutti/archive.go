package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/tuttihq/tutti/services"
)

func archiveCommand() *cobra.Command {
	var opt services.ArchiveOptions
	c := &cobra.Command{
		Use:   "archive",
		Short: "Move the old part of logs out of the streams that the living append to",
		Long: `Move what lies before the last commit of rooms, playlists and chats that have been idle into the
streams ARCHIVE_ROOM, ARCHIVE_PLAYLIST and ARCHIVE_CHAT, which are compressed and may be placed
on other servers. Whoever reads a log reads both: a room that wakes goes on, and can be seen as of
any revision. The system may run meanwhile. What is copied is compared, and deleted from the log
only when the copy is old enough to be on disk for sure; a run that ends in the middle is simply run again.
Back the archive up together with the log.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if opt.Idle < time.Second {
				return errors.New("--idle must be a second at least")
			}
			if err := opt.Validate(); err != nil {
				return fmt.Errorf("--service: %w", err)
			}
			if opt.Settle == 0 {
				opt.Settle = -1 // asked for
			}
			return withAdmin(c, func(ctx context.Context, a *services.Admin) error {
				return archive(ctx, a, opt, c.OutOrStdout(), c.ErrOrStderr())
			})
		},
	}
	adminFlags(c)
	f := c.Flags()
	f.DurationVar(&opt.Idle, "idle", 30*24*time.Hour, "archive what had no commit for so `LONG`")
	f.DurationVar(&opt.Settle, "settle", 5*time.Minute, "delete only what was copied so `LONG` ago; longer than the servers' sync_interval, or 0 if they sync always")
	f.BoolVar(&opt.NoWait, "no-wait", false, "leave what was copied just now to the next run")
	f.StringSliceVar(&opt.Services, "service", nil, "only these `SERVICES`: room, playlist, chat")
	f.StringVar(&opt.Tag, "tag", "", "when an archive is made, place it on servers with this `TAG`")
	f.IntVar(&opt.Replicas, "archive-replicas", 0, "give an archive `N` replicas, no fewer than its log has (default: as many)")
	return c
}

func archive(ctx context.Context, a *services.Admin, opt services.ArchiveOptions, out, progress io.Writer) error {
	bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(progress), progressbar.OptionShowCount(),
		progressbar.OptionShowIts(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	service := ""
	opt.Begin = func(s string) { service = s }
	opt.Phase = func(name string) {
		if name == "wait" {
			name = fmt.Sprintf("waiting %v until the copies are on disk", opt.Settle)
		}
		bar.Reset()
		bar.Describe(service + ": " + name)
	}
	opt.Progress = func(looked uint64) {
		_ = bar.Set64(int64(looked)) // a bar that cannot be drawn is no reason to stop
	}
	reports, err := a.Archive(ctx, opt)
	_ = bar.Finish()
	tab := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	_, perr := fmt.Fprintln(tab, "SERVICE\tLOOKED AT\tIDLE\tCOPIED\tBYTES\tDELETED FROM THE LOG\tTOO YOUNG\tHELD BACK")
	for _, r := range reports {
		held := "-"
		if r.Held > 0 {
			held = fmt.Sprintf("%d by %s", r.Held, r.HeldBy)
		}
		if perr == nil {
			_, perr = fmt.Fprintf(tab, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n",
				r.Service, r.Aggregates, r.Idle, r.Copied, r.CopiedBytes, r.Purged, r.Unsettled, held)
		}
	}
	perr = errors.Join(perr, tab.Flush())
	for _, r := range reports {
		for _, id := range r.Differ {
			if perr == nil {
				_, perr = fmt.Fprintf(out, "not archived, its archive is of another log: %s %s\n", r.Service, id)
			}
		}
	}
	return errors.Join(err, perr)
}
