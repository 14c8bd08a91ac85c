package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tuttihq/tutti/services/cluster"
)

func clusterFlags(t *testing.T, args ...string) cluster.Config {
	t.Helper()
	c, _, err := newRoot().Find([]string{"cluster", "up"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	cfg, err := clusterConfig(c)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestAClusterUsesTheRethinkDBThatItFinds(t *testing.T) {
	dir := t.TempDir()
	found := filepath.Join(dir, "rethinkdb")
	if err := os.WriteFile(found, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	if got := clusterFlags(t).RethinkDB; got != found {
		t.Errorf("got %q", got)
	}
	if got := clusterFlags(t, "--rethinkdb", "/opt/rethinkdb").RethinkDB; got != "/opt/rethinkdb" {
		t.Errorf("with --rethinkdb: %q", got)
	}
	if got := clusterFlags(t, "--sqlite").RethinkDB; got != "" {
		t.Errorf("with --sqlite: %q", got)
	}
	t.Setenv("PATH", t.TempDir())
	if got := clusterFlags(t).RethinkDB; got != "" {
		t.Errorf("with none on the PATH: %q", got)
	}
}

func TestAClusterHasAnEdgeForEachAddress(t *testing.T) {
	cfg := clusterFlags(t)
	if cfg.Edges != 2 || !cfg.Restart || cfg.NATSNodes != 3 || cfg.Replicas != 2 {
		t.Errorf("by default: %+v", cfg)
	}
	cfg = clusterFlags(t, "--http", "127.0.0.1:1,127.0.0.1:2,127.0.0.1:0", "--no-restart", "--env", "TUTTI_A=x,y", "--env", "TUTTI_B=z")
	if cfg.Edges != 3 || !slices.Equal(cfg.HTTP, []string{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:0"}) || cfg.Restart {
		t.Errorf("%+v", cfg)
	}
	for _, class := range cluster.ServiceClasses() {
		if !slices.Equal(cfg.Env[class], []string{"TUTTI_A=x,y", "TUTTI_B=z"}) {
			t.Errorf("environment of %s: %q", class, cfg.Env[class])
		}
	}
}
