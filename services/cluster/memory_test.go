package cluster

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPortsStayWhileTheyAreFree(t *testing.T) {
	cfg := Config{Dir: t.TempDir()}.withDefaults()
	m, err := remember(cfg)
	if err != nil {
		t.Fatal(err)
	}
	first, err := m.port(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	other, err := m.port(t.Context(), "b")
	if err != nil || other == first {
		t.Fatalf("%d and %d, %v", first, other, err)
	}
	if err := m.save(cfg.Dir); err != nil {
		t.Fatal(err)
	}
	m, err = remember(cfg)
	if err != nil {
		t.Fatal(err)
	}
	again, err := m.port(t.Context(), "a")
	if err != nil || again != first {
		t.Fatalf("a free port moved from %d to %d, %v", first, again, err)
	}
	l, err := net.Listen("tcp", at(first))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	moved, err := m.port(t.Context(), "a")
	if err != nil || moved == first || moved == other {
		t.Fatalf("a taken port: %d, %v", moved, err)
	}
}

func TestADirectoryKeepsItsShape(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), NATSNodes: 1}.withDefaults()
	m, err := remember(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.save(cfg.Dir); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*Config){
		"partitions":   func(c *Config) { c.Partitions = 17 },
		"shards":       func(c *Config) { c.Shards = 2 },
		"NATS servers": func(c *Config) { c.NATSNodes = 3 },
		"store":        func(c *Config) { c.RethinkDB = "rethinkdb" },
		"users":        func(c *Config) { c.NATSConf = "nats.conf" },
	} {
		other := cfg
		change(&other)
		if _, err := remember(other); !errors.Is(err, ErrShape) {
			t.Errorf("another number of %s: %v", what, err)
		} else if text := err.Error(); strings.Contains(text, "{") || strings.Count(text, ", not ") != 1 || !strings.Contains(text, "choose another --dir") {
			t.Errorf("another number of %s: it says %q", what, text)
		}
	}
	same := cfg
	same.Replicas, same.Edges = 5, 4 // these may change
	if _, err := remember(same); err != nil {
		t.Error(err)
	}
}

func TestAStateThatCannotBeReadIsNotOverwritten(t *testing.T) {
	cfg := Config{Dir: t.TempDir()}.withDefaults()
	for _, text := range []string{"{", `{"version":2}`} {
		if err := os.WriteFile(statePath(cfg.Dir), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := remember(cfg); err == nil {
			t.Errorf("%s passes", text)
		}
	}
}

func TestValidateReportsEverything(t *testing.T) {
	err := Config{
		Dir: "", Binary: filepath.Join(t.TempDir(), "none"), NATSNodes: 6, Replicas: -1, Edges: 9, HTTP: make([]string, 10),
		Env: map[Class][]string{"rooms": {"A=B"}, ClassRoom: {"A"}}, Proxied: []Class{ClassNATS},
	}.Validate()
	if err == nil {
		t.Fatal("valid")
	}
	for _, want := range []string{"no directory", "tutti program", "NATS servers", "replicas", "9 edges", "addresses", "address of edge-1: ", `"rooms"`, `"A" is not`, `"nats" does not`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not reported: %v", want, err)
		}
	}
}

func TestThePauseBeforeARestartIsBounded(t *testing.T) {
	if got := backOff(1); got != backOffFirst {
		t.Errorf("after the first end: %v", got)
	}
	for n, last := 2, backOffFirst; n < 200; n++ {
		got := backOff(n)
		if got < last || got > backOffMost {
			t.Fatalf("after %d ends: %v, after %v", n, got, last)
		}
		last = got
	}
	if backOff(100) != backOffMost {
		t.Errorf("after many: %v", backOff(100))
	}
}
