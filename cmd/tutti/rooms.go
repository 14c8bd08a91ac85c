package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tuttihq/tutti/services"
	"github.com/tuttihq/tutti/subjects"
)

func roomsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "rooms",
		Short: "Look into the rooms of a running system",
		Long: `Look into the rooms of a running system, through its NATS server, with an operator's rights:
"show" and "tail" see private rooms too.`,
	}
	group(c)
	adminFlags(c)
	c.AddCommand(roomsListCommand(), roomsShowCommand(), roomsTailCommand())
	return c
}

// adminFlags adds the flags with which loadConfig finds a running system.
func adminFlags(c *cobra.Command) {
	f := c.PersistentFlags()
	f.String("nats-url", "", "the NATS `URL` of the running system (default nats://"+services.Defaults().NATS.Listen+")")
	f.String("nats-user", "", "log in to NATS as this `USER`; the password comes from TUTTI_NATS__PASSWORD or a file")
	f.String("credentials", "", "log in to NATS with this credentials `FILE`")
	alikeFlags(c)
}

// withAdmin connects, runs f and closes the connection.
func withAdmin(c *cobra.Command, f func(ctx context.Context, a *services.Admin) error) error {
	cfg, err := loadConfig(c, os.Environ)
	if err != nil {
		return err
	}
	a, err := services.DialAdmin(c.Context(), cfg)
	if err != nil && services.Hint(err) != "" { // it was reached
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: is tutti running? Say where with --nats-url", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), 5*time.Second)
		defer cancel()
		a.Close(ctx)
	}()
	return f(c.Context(), a)
}

func roomsListCommand() *cobra.Command {
	var asJSON bool
	var limit int
	c := &cobra.Command{
		Use:   "list [PREFIX]",
		Short: "List the public rooms, or those whose names begin with PREFIX",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			prefix := ""
			if len(args) > 0 {
				prefix = args[0]
			}
			return withAdmin(c, func(ctx context.Context, a *services.Admin) error {
				return listRooms(ctx, a, c.OutOrStdout(), prefix, limit, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON document a line")
	c.Flags().IntVar(&limit, "limit", 1000, "list at most so many")
	return c
}

func listRooms(ctx context.Context, a *services.Admin, out io.Writer, prefix string, limit int, asJSON bool) error {
	tab := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	if !asJSON {
		if _, err := fmt.Fprintln(tab, "ID\tNAME\tMEMBERS\tQUEUE\tNOW"); err != nil {
			return err
		}
	}
	cursor := ""
	for limit > 0 {
		page, err := a.Rooms(ctx, prefix, cursor, min(limit, 100))
		if err != nil {
			return err
		}
		for _, r := range page.Rooms {
			if err := printRoom(out, tab, r, asJSON); err != nil {
				return err
			}
		}
		limit -= len(page.Rooms)
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	return tab.Flush()
}

func printRoom(out, tab io.Writer, r subjects.RoomSummary, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	now := "-"
	if r.Title != "" {
		now = r.Title
		if !r.Playing {
			now += " (paused)"
		}
	}
	_, err := fmt.Fprintf(tab, "%s\t%s\t%d\t%d\t%s\n", r.ID, r.Name, r.MemberCount, r.QueueLength, now)
	return err
}

func roomsShowCommand() *cobra.Command {
	var rev uint64
	c := &cobra.Command{
		Use:   "show ROOM",
		Short: "Show a room as its log makes it, now or at an earlier revision",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := subjects.CheckID(subjects.PrefixRoom, args[0]); err != nil {
				return fmt.Errorf("%q is not a room's id; \"tutti rooms list\" shows them", args[0])
			}
			return withAdmin(c, func(ctx context.Context, a *services.Admin) error {
				r, err := a.Room(ctx, args[0], rev)
				if err != nil {
					return err
				}
				raw, err := json.Marshal(r)
				if err != nil {
					return err
				}
				var buf bytes.Buffer
				if err := json.Indent(&buf, raw, "", "  "); err != nil {
					return err
				}
				_, err = fmt.Fprintln(c.OutOrStdout(), buf.String())
				return err
			})
		},
	}
	c.Flags().Uint64Var(&rev, "rev", 0, "as of this `REVISION`; 0 is the newest")
	return c
}

func roomsTailCommand() *cobra.Command {
	var from uint64
	var follow, asJSON bool
	c := &cobra.Command{
		Use:   "tail ROOM",
		Short: "Print a room's log, and what comes",
		Long:  "Print every commit of a room's log, and those that come until Ctrl-C. None is missed, none repeated.",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := subjects.CheckID(subjects.PrefixRoom, args[0]); err != nil {
				return fmt.Errorf("%q is not a room's id; \"tutti rooms list\" shows them", args[0])
			}
			return withAdmin(c, func(ctx context.Context, a *services.Admin) error {
				return a.Tail(ctx, args[0], from, follow, func(_ uint64, commit subjects.Commit) error {
					return printCommit(c.OutOrStdout(), commit, asJSON)
				})
			})
		},
	}
	c.Flags().Uint64Var(&from, "from", 1, "begin at this `REVISION`")
	c.Flags().BoolVar(&follow, "follow", true, "wait for what comes")
	c.Flags().BoolVar(&asJSON, "json", false, "one commit a line, as JSON")
	return c
}

func printCommit(out io.Writer, commit subjects.Commit, asJSON bool) error {
	if asJSON {
		line, err := subjects.AppendCommit(nil, &commit)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s\n", line)
		return err
	}
	return commit.Each(func(e *subjects.Event, to []string) error {
		audience := ""
		if to != nil {
			audience = fmt.Sprintf("  sealed %v", to)
		}
		_, err := fmt.Fprintf(out, "%6d  %s  %-20s %s  %s%s\n", commit.Rev,
			time.UnixMilli(e.At).UTC().Format("15:04:05.000"), e.Type, e.By, e.Body, audience)
		return err
	})
}
