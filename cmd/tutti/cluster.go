package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tuttihq/tutti/services"
	"github.com/tuttihq/tutti/services/cluster"
)

func clusterCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "cluster",
		Short: "Run the shape of many machines on this one",
	}
	group(c)
	c.AddCommand(clusterUpCommand())
	return c
}

func clusterUpCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "up",
		Short: "Start a NATS cluster, RethinkDB, and every service in processes of their own",
		Long: `Start NATS servers, RethinkDB, every service in several replicas, and edges: each a process of
its own, all on loopback and all under --dir, where their logs are too. It prints where they
listen. Ctrl-C stops them, the edges first; a second "up" on the same directory goes on with
what is in it. A process that crashes is told of and started again.

RethinkDB is used if rethinkdb is on the PATH. Without it the documents are in SQLite, and one
process runs every service beside the NATS cluster.`,
		Example: "  tutti cluster up\n  tutti cluster up --dir /tmp/try --http 127.0.0.1:0 --replicas 3 --no-restart\n  tutti cluster up --env TUTTI_LOG__LEVEL=debug --env TUTTI_EDGE__ACCESS_LOG=false",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := clusterConfig(c)
			if err != nil {
				return err
			}
			if cfg.RethinkDB == "" {
				why := ""
				if c.Flags().Lookup("sqlite").Value.String() != "true" {
					why = "there is no rethinkdb on the PATH: "
				}
				if _, err := fmt.Fprintln(c.OutOrStdout(), why+"documents are kept in SQLite, and one process runs every service"); err != nil {
					return err
				}
			}
			return runCluster(c.Context(), c.OutOrStdout(), cfg)
		},
	}
	f := c.Flags()
	f.String("dir", "cluster", "keep everything in this `DIR`: data, logs, ports, process ids")
	f.Int("nats-nodes", 3, "how many NATS servers; from three on each stream is kept on three")
	f.Int("replicas", 2, "how many processes of each service")
	f.StringSlice("http", []string{"127.0.0.1:8080", "127.0.0.1:8081"}, "an edge serves HTTP on each of these `HOST:PORT`; port 0 takes any")
	f.String("rethinkdb", "", "`PATH` of the rethinkdb program; default the one on the PATH")
	f.Bool("sqlite", false, "keep the documents in SQLite, also if there is a rethinkdb")
	f.Int("partitions", 16, "nats.partitions, fixed for a directory")
	f.Int("shards", 1, "nats.shards, fixed for a directory")
	f.String("nats-conf", "", "run the NATS servers from this `FILE`, the repository's nats.conf, with users and passwords; default without")
	f.StringArray("env", nil, "a setting `KEY=VALUE` for the environment of every service; may be repeated")
	f.Bool("without-services", false, "start only the NATS servers and RethinkDB, with streams and tables made: for an import")
	f.Bool("no-restart", false, "leave a process down that crashed")
	logFlags(c)
	return c
}

func clusterConfig(c *cobra.Command) (cluster.Config, error) {
	f := c.Flags()
	var errs []error
	str := func(name string) string { v, err := f.GetString(name); errs = append(errs, err); return v }
	num := func(name string) int { v, err := f.GetInt(name); errs = append(errs, err); return v }
	yes := func(name string) bool { v, err := f.GetBool(name); errs = append(errs, err); return v }
	addresses, err := f.GetStringSlice("http")
	errs = append(errs, err)
	env, err := f.GetStringArray("env")
	errs = append(errs, err)
	log, err := services.NewLogger(services.LogConfig{Level: str("log-level"), Format: str("log-format")}, c.ErrOrStderr())
	errs = append(errs, err)
	self, err := os.Executable()
	errs = append(errs, err)
	cfg := cluster.Config{
		Dir: str("dir"), Binary: self, NATSNodes: num("nats-nodes"), Replicas: num("replicas"), HTTP: addresses, Edges: len(addresses),
		Partitions: num("partitions"), Shards: num("shards"), NATSConf: str("nats-conf"), Restart: !yes("no-restart"), WithoutServices: yes("without-services"),
		Env: map[cluster.Class][]string{}, Log: log,
		Told: func(e cluster.Ended) {
			for _, line := range e.Last {
				log.Warn("its last words", "process", e.Name, "line", line)
			}
		},
	}
	for _, class := range cluster.ServiceClasses() {
		cfg.Env[class] = env
	}
	if !yes("sqlite") {
		if cfg.RethinkDB = str("rethinkdb"); cfg.RethinkDB == "" {
			if path, err := exec.LookPath("rethinkdb"); err == nil {
				cfg.RethinkDB = path
			}
		}
	}
	return cfg, errors.Join(errs...)
}

// runCluster runs a cluster until ctx ends.
func runCluster(ctx context.Context, out io.Writer, cfg cluster.Config) error {
	begin := time.Now()
	c, err := cluster.Start(ctx, cfg)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		_, err = fmt.Fprintln(out, "stopped before it was ready")
		return err
	}
	if err != nil {
		return err
	}
	err = tellCluster(out, c, time.Since(begin))
	if err == nil {
		<-ctx.Done()
		_, err = fmt.Fprintln(out, "stopping")
	}
	// Each process has its own bound within Close, so this is one for all of them.
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	return errors.Join(err, c.Close(stop))
}

func tellCluster(out io.Writer, c *cluster.Cluster, took time.Duration) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(w, "NAME\tPID\tADDRESS\tMETRICS"); err != nil {
		return err
	}
	for _, p := range c.Processes() {
		address := p.Address
		if address == "" {
			address = "-"
		}
		if _, err := fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", p.Name, p.PID, address, p.Metrics); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if edges := c.Edges(); len(edges) > 0 {
		if _, err := fmt.Fprintf(out, "open %s\n", strings.Join(edges, " or ")); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "ready after %v\n", took.Round(100*time.Millisecond))
	return err
}
