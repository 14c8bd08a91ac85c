//go:build unix

package cluster

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The command as somebody at a terminal has it: a table, and Ctrl-C.
func TestTheCommandShowsATableAndStops(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), program(t), "cluster", "up", "--sqlite", "--nats-nodes", "1", "--http", "127.0.0.1:0", "--dir", t.TempDir())
	cmd.Stderr = t.Output()
	cmd.SysProcAttr = apartFromTerminal()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pids := map[string]int{}
	lines := bufio.NewScanner(out)
	ready := false
	for !ready && lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 4 && fields[0] != "NAME" {
			if pids[fields[0]], err = strconv.Atoi(fields[1]); err != nil {
				t.Error(err)
			}
		}
		ready = strings.HasPrefix(lines.Text(), "ready after")
	}
	if !ready {
		t.Fatalf("it ended: %v, %v", lines.Err(), cmd.Wait())
	}
	// As the terminal does it: to the whole group, of which the processes are not.
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, out); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	var all []int
	for _, name := range []string{"nats-1", "services-1", "edge-1"} {
		if pids[name] == 0 {
			t.Errorf("%s is not in the table: %v", name, pids)
			continue
		}
		all = append(all, pids[name])
	}
	gone(t, all)
	if _, err := os.Stat("cluster"); err == nil {
		t.Error("it wrote beside its directory")
	}
}

// Data is brought into a cluster while nothing but NATS and the store runs, and streams are
// where the services will look for them.
func TestWithoutServicesTheStreamsAreMadeAllTheSame(t *testing.T) {
	c := start(t, Config{NATSNodes: 1, WithoutServices: true})
	for _, p := range c.Processes() {
		if p.Class != ClassNATS {
			t.Errorf("%s runs", p.Name)
		}
	}
	said, err := os.ReadFile(filepath.Join(c.cfg.Dir, "logs", "migrate.log"))
	if err != nil || !strings.Contains(string(said), "made  streams (") {
		t.Errorf("migrate said %q, %v", said, err)
	}
	if edges := c.Edges(); len(edges) != 0 {
		t.Errorf("edges: %v", edges)
	}
}
