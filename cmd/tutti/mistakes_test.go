package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/services"
)

// typed runs a command line and gives what an operator reads of its end.
func typed(t *testing.T, args ...string) (out, failure string) {
	t.Helper()
	var buf bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&buf)
	root.SetErr(&buf)
	if err := root.ExecuteContext(t.Context()); err != nil {
		failure = explain(err)
	}
	return buf.String(), failure
}

func TestWhatWasMistypedIsNamedOnOneLine(t *testing.T) {
	for _, c := range []struct {
		line string
		want []string
	}{
		{"chek", []string{`"tutti chek"`, `did you mean "tutti check"`, "tutti --help"}},
		{"chek --data x", []string{`"tutti chek"`}},
		{"rooms lst", []string{`"tutti rooms lst"`, `"tutti rooms list"`}},
		{"rooms lst --json", []string{`"tutti rooms lst"`}},
		{"cluster down", []string{`"tutti cluster down"`, "tutti cluster --help"}},
		{"cluster up --data X", []string{"--data", "tutti cluster up --help"}},
		{"--nothing", []string{"--nothing", "tutti --help"}},
		{"archive --service bar", []string{`"bar"`, "room, playlist, chat"}},
		{"health --url ftp://127.0.0.1:1", []string{"http://"}},
	} {
		_, failure := typed(t, strings.Fields(c.line)...)
		if strings.Contains(failure, "\n") {
			t.Errorf("tutti %s: more than a line: %s", c.line, failure)
		}
		for _, w := range c.want {
			if !strings.Contains(failure, w) {
				t.Errorf("tutti %s: %q does not say %q", c.line, failure, w)
			}
		}
	}
}

func TestACommandOfCommandsAloneShowsItsHelp(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"", "nats-server"}, {"rooms", "tail"}, {"cluster", "up"}, {"serve --help", strings.Join(services.Roles(), ", ")},
	} {
		if out, failure := typed(t, strings.Fields(c.line)...); failure != "" || !strings.Contains(out, c.want) {
			t.Errorf("tutti %s: %q, %q; want %q", c.line, out, failure, c.want)
		}
	}
}

// Whatever works on a deployment's data can be told where it is, and as whom.
func TestTheToolsTakeTheFlagsOfADeployment(t *testing.T) {
	for _, name := range []string{"serve", "check", "migrate", "rebuild", "export", "import", "archive", "store-shards", "store-user", "rooms list"} {
		c, _, err := newRoot().Find(strings.Fields(name))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.ParseFlags([]string{"--nats-url", "nats://a:1", "--nats-user", "ann", "--store", "rethinkdb", "--store-addresses", "b:2,c:3",
			"--data", "there", "--credentials", "file", "--log-level", "warn", "--log-format", "json"}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		cfg, err := loadConfig(c, func() []string { return nil })
		if err != nil || cfg.NATS.URL != "nats://a:1" || cfg.NATS.User != "ann" || cfg.Store.Kind != services.StoreRethinkDB ||
			!slices.Equal(cfg.Store.Addresses, []string{"b:2", "c:3"}) || cfg.Data != "there" || cfg.NATS.Credentials != "file" || cfg.Log.Level != "warn" {
			t.Errorf("%s: %v, %+v, %+v", name, err, cfg.NATS, cfg.Store)
		}
	}
}

// What is for a store on servers of its own need not be told that it is one; elsewhere, and
// where a file says otherwise, nothing is taken for granted.
func TestTheStoresOwnCommandsAreForRethinkDB(t *testing.T) {
	for name, want := range map[string]string{
		"store-shards": services.StoreRethinkDB, "store-user": services.StoreRethinkDB, "migrate": services.StoreSQLite, "archive": services.StoreSQLite,
	} {
		c, _, err := newRoot().Find([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		if cfg, err := loadConfig(c, func() []string { return nil }); err != nil || cfg.Store.Kind != want {
			t.Errorf("%s: %v, %q, want %q", name, err, cfg.Store.Kind, want)
		}
		if cfg, err := loadConfig(c, func() []string { return []string{"TUTTI_STORE__KIND=sqlite"} }); err != nil || cfg.Store.Kind != services.StoreSQLite {
			t.Errorf("%s: %v, %q, and the environment says sqlite", name, err, cfg.Store.Kind)
		}
	}
}

func TestAnAddressIsCompletedToAHealthURL(t *testing.T) {
	for typed, want := range map[string]string{
		"127.0.0.1:9":                "http://127.0.0.1:9/readyz",
		"http://127.0.0.1:9":         "http://127.0.0.1:9/readyz",
		"localhost:9/healthz":        "http://localhost:9/healthz",
		"https://a.example/readyz":   "https://a.example/readyz",
		"http://127.0.0.1:9/healthz": "http://127.0.0.1:9/healthz",
	} {
		if got, err := whole(typed); err != nil || got != want {
			t.Errorf("%s: %q, %v", typed, got, err)
		}
	}
}
