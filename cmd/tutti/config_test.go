package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services"
)

func load(t *testing.T, environ []string, args ...string) (services.Config, error) {
	t.Helper()
	root := newRoot()
	c, _, err := root.Find([]string{"serve"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	return loadConfig(c, func() []string { return environ })
}

func TestEachSourceOverridesTheOneBefore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tutti.yaml")
	if err := os.WriteFile(file, []byte("data: from-file\nedge:\n  listen: 127.0.0.1:1\nnats:\n  partitions: 4\nauth:\n  access_life: 2m\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := load(t, []string{"TUTTI_EDGE__LISTEN=127.0.0.1:2", "TUTTI_NATS__PARTITIONS=5", "TUTTI_NATS__URL=nats://a:1,nats://b:2", "PATH=/bin"},
		"--config", file, "--http", "127.0.0.1:3", "--roles", "auth,edge")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ what, got, want string }{
		{"default", cfg.Log.Level, "info"},
		{"file", cfg.Data, "from-file"},
		{"flag over environment over file", cfg.Edge.Listen, "127.0.0.1:3"},
		{"environment with a comma", cfg.NATS.URL, "nats://a:1,nats://b:2"},
		{"list", strings.Join(cfg.Roles, "+"), "auth+edge"},
		{"duration", cfg.Auth.AccessLife.String(), (2 * time.Minute).String()},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.what, c.got, c.want)
		}
	}
	if cfg.NATS.Partitions != 5 {
		t.Errorf("environment over file: %d partitions", cfg.NATS.Partitions)
	}
	cfg, err = load(t, []string{"TUTTI_ROLES=auth,room", "TUTTI_EDGE__ALLOWED_ORIGINS=https://a.example,https://b.example"})
	if err != nil || len(cfg.Roles) != 2 || len(cfg.Edge.AllowedOrigins) != 2 {
		t.Errorf("lists from the environment: %v, %v, %v", cfg.Roles, cfg.Edge.AllowedOrigins, err)
	}
}

func TestUnknownSettingsAreRefused(t *testing.T) {
	_, err := load(t, []string{"TUTTI_EDGE__LISTN=x", "TUTTI_NATS__PORT=1", "TUTTI_PORT=tcp://192.0.2.1:8080"})
	if err == nil || !strings.Contains(err.Error(), "edge.listn") || !strings.Contains(err.Error(), "nats.port") {
		t.Fatalf("got %v, want both named", err)
	}
	if strings.Contains(err.Error(), "192.0.2.1") || strings.Contains(err.Error(), "\"port\"") {
		t.Fatalf("a container platform's variable stops the program: %v", err)
	}
	if _, err := load(t, []string{"TUTTI_NATS__PARTITIONS=many"}); err == nil {
		t.Fatal("a number that is none passes")
	}
}

func TestPrintedSettingsCanBeReadBackAndHideSecrets(t *testing.T) {
	cfg, err := load(t, []string{"TUTTI_CATALOG__YOUTUBE__API_KEY=topsecret", "TUTTI_NATS__URL=nats://ann:topsecret@a:1"})
	if err != nil {
		t.Fatal(err)
	}
	text, err := cfg.YAML()
	if err != nil || strings.Contains(string(text), "topsecret") {
		t.Fatalf("%s, %v", text, err)
	}
	file := filepath.Join(t.TempDir(), "all.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	back, err := load(t, nil, "--config", file)
	if err != nil || back.Edge.Listen != cfg.Edge.Listen || back.Auth != cfg.Auth {
		t.Fatalf("read back: %v", err)
	}
}
