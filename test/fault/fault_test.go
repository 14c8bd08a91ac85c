package fault

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/cluster"
	"github.com/tuttihq/tutti/subjects"
)

// full says that every fault is to be tried.
func full() bool { return os.Getenv("TUTTI_TEST_FAULT") == "full" }

// Whatever is broken, nothing that was acknowledged is lost, nothing is there twice, and in
// the end everybody sees the same. See the package's comment for what is set how.
func TestNothingIsLostWhateverIsBroken(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a cluster")
	}
	if raced {
		t.Skip("a cluster of processes under the race detector shows only the detector's delays")
	}
	out := &table{}
	defer out.tell(t)
	t.Run("SQLite", func(t *testing.T) {
		disk := ""
		if full() {
			disk = "nats-3"
		}
		b, disk := start(t, out, cluster.Config{}, disk)
		faults := b.embedded(disk)
		if !full() {
			faults = []fault{b.beheaded(1), b.killed("SIGKILL the process of all services", anyPause, "services-1", 0)}
		}
		b.try(t, out, "SQLite", faults)
	})
	t.Run("RethinkDB", func(t *testing.T) {
		if !full() {
			t.Skip("TUTTI_TEST_FAULT=full tries every service in processes of its own, on RethinkDB")
		}
		path, err := exec.LookPath("rethinkdb")
		if err != nil {
			if os.Getenv("TUTTI_TEST_RETHINKDB") == "1" {
				t.Fatal("TUTTI_TEST_RETHINKDB=1, and there is no rethinkdb on the PATH")
			}
			out.skipped = append(out.skipped, "RethinkDB, which is not on the PATH")
			t.Skip("rethinkdb is not on the PATH")
		}
		b, disk := start(t, out, cluster.Config{RethinkDB: path}, "rethinkdb")
		b.try(t, out, "RethinkDB", b.apart(disk))
	})
}

// start starts a cluster in which the process small, if one is named, has a small disk of its
// own; it gives that name back, or "" if no disk could be had.
func start(t *testing.T, out *table, cfg cluster.Config, small string) (broken, string) {
	t.Helper()
	binary, err := executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Dir, cfg.Binary = t.TempDir(), binary
	if cfg.NATSConf, err = filepath.Abs(filepath.Join("..", "..", "nats.conf")); err != nil {
		t.Fatal(err)
	}
	// Cheap passwords, no limit on what one address may ask for, and logs that can be read.
	cheap := []string{"TUTTI_AUTH__COST=4", "TUTTI_EDGE__LIMITS__EXEMPT=127.0.0.1", "TUTTI_EDGE__ACCESS_LOG=false"}
	cfg.Env = map[cluster.Class][]string{cluster.ClassServices: cheap, cluster.ClassAuth: cheap, cluster.ClassEdge: cheap}
	if small != "" {
		if err := mountSmall(t, filepath.Join(cfg.Dir, small)); err != nil {
			t.Logf("no disk is filled: a small one cannot be mounted here: %v", err)
			out.skipped = append(out.skipped, "filling the disk of "+small+": a small one cannot be mounted here ("+err.Error()+")")
			small = ""
		}
	}
	if testing.Verbose() {
		cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	began := time.Now()
	c, err := cluster.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d processes are ready after %v", len(c.Processes()), time.Since(began).Round(time.Millisecond))
	t.Cleanup(func() {
		judgeLogs(t, c)
		keepLogs(t, c)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := c.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return broken{c}, small
}

// judgeLogs fails the test if a service's log holds what must never be there, whatever is
// broken around it.
func judgeLogs(t *testing.T, c *cluster.Cluster) {
	for _, p := range c.Processes() {
		if p.Class == cluster.ClassNATS || p.Class == cluster.ClassRethinkDB {
			continue // an outage is theirs to complain of
		}
		text, err := os.ReadFile(p.Log)
		if err != nil {
			t.Error(err)
			continue
		}
		lines := strings.Split(string(text), "\n")
		for i, l := range lines {
			// What was asked over a connection that broke cannot be answered over the next:
			// the right to answer goes with the connection.
			violation := strings.Contains(strings.ToLower(l), "permissions violation") && !strings.Contains(l, `to \"_INBOX_`)
			if violation || strings.Contains(l, "panic") || strings.Contains(l, "level=ERROR") {
				t.Errorf("the log of %s:\n%s", p.Name, strings.Join(lines[i:min(len(lines), i+20)], "\n"))
				break
			}
		}
	}
}

// keepLogs copies what the processes said to where TUTTI_TEST_FAULT_LOGS says.
func keepLogs(t *testing.T, c *cluster.Cluster) {
	dir := os.Getenv("TUTTI_TEST_FAULT_LOGS")
	if dir == "" {
		if t.Failed() {
			t.Log("TUTTI_TEST_FAULT_LOGS=DIR keeps what the processes said")
		}
		return
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Log(err)
		return
	}
	for _, p := range c.Processes() {
		text, err := os.ReadFile(p.Log)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(p.Log)), text, 0o600)
		}
		if err != nil {
			t.Log(err)
		}
	}
}

// try has one fault after the other happen, each under a load of its own.
func (b broken) try(t *testing.T, out *table, store string, faults []fault) {
	t.Helper()
	at := b.AdminConfig()
	spy, err := newSpy(at.URL, at.User, at.Password)
	if err != nil {
		t.Fatal(err)
	}
	defer spy.close()
	ear, err := newEar(at.URL, at.User, at.Password, subjects.ServiceRoom, subjects.ServicePlaylist, subjects.ServiceChat)
	if err != nil {
		t.Fatal(err)
	}
	defer ear.close()
	c := engage(t.Context(), t, b.Edges())
	for _, f := range faults {
		t.Run(f.what, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
			defer cancel()
			if err := b.Ready(ctx); err != nil {
				t.Fatal(err)
			}
			r := c.trial(ctx, t, spy, ear, f.what, f.do)
			out.add(store, f, r)
			if limit := slack * time.Duration(f.target); f.target != anyPause && r.pauses.command > limit {
				t.Errorf("a client waited for %v, which is more than %d times what is meant: %s", r.pauses.command, slack, r.pauses.slowest)
			}
		})
	}
}
