package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tuttihq/tutti/services"
)

func upCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "up",
		Short: "Start everything on this machine",
		Long: `Start every service in this process, with an embedded NATS server and an embedded store.
Ctrl-C stops it; what was accepted is kept in --data.`,
		Example: "  tutti up\n  tutti up --data /var/lib/tutti --http 0.0.0.0:8080\n  tutti up --data '' --http 127.0.0.1:0 --nats 127.0.0.1:0",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := loadConfig(c, os.Environ)
			if err != nil {
				return err
			}
			cfg.Roles = services.Roles()
			return serve(c, cfg)
		},
	}
	configFlags(c)
	return c
}

func serveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run some of the services in this process",
		Long: `Run the services named by --roles in this process, and nothing else.

The embedded store belongs to one process: with it, all roles go together.`,
		Example: "  tutti serve --roles auth,profile,room,playlist,chat,edge --nats-url nats://10.0.0.1:4222",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := loadConfig(c, os.Environ)
			if err != nil {
				return err
			}
			return serve(c, cfg)
		},
	}
	configFlags(c)
	c.Flags().StringSlice("roles", nil, "the `ROLES` of this process, comma separated: "+strings.Join(services.Roles(), ", "))
	return c
}

// serve runs a system until the command's context ends.
func serve(c *cobra.Command, cfg services.Config) error {
	if err := cfg.Validate(); err != nil { // all that is wrong, before the logger says its part
		return err
	}
	log, err := services.NewLogger(cfg.Log, c.ErrOrStderr())
	if err != nil {
		return err
	}
	s, err := services.Start(c.Context(), cfg, log)
	if err != nil {
		return err
	}
	if cfg.Log.Format == services.LogJSON { // whoever reads that reads nothing else
		return serveUntil(c.Context(), s, cfg, nil)
	}
	out := c.OutOrStdout()
	say := func(format string, args ...any) { _, err = fmt.Fprintf(out, format, args...) }
	if s.HTTP != "" {
		say("http  %s\n", s.HTTP)
	}
	if s.NATS != "" && err == nil {
		say("nats  %s\n", s.NATS)
	}
	if s.Metrics != "" && err == nil {
		say("metrics  %s\n", s.Metrics)
	}
	if err == nil {
		say("ready\n")
	}
	return serveUntil(c.Context(), s, cfg, err)
}

// serveUntil stops the system when ctx ends, or at once after err.
func serveUntil(ctx context.Context, s *services.System, cfg services.Config, err error) error {
	if err == nil {
		err = s.Wait(ctx)
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.StopWithin)
	defer cancel()
	return errors.Join(err, s.Stop(stop))
}
