package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// envParent has the test program start a cluster in the directory that it names and wait
// to be killed.
const envParent = "TUTTI_TEST_CLUSTER_PARENT"

const saysReady = "the cluster is up"

func beParent(dir string) int {
	cfg := small()
	cfg.Dir, cfg.Binary = dir, os.Getenv(envParent+"_BINARY")
	c, err := Start(context.Background(), cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(saysReady)
	<-c.closed // nobody closes it
	return 0
}

func TestNothingOutlivesAKilledParent(t *testing.T) {
	binary, dir := program(t), t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.CommandContext(t.Context(), self)
	parent.Env = append(os.Environ(), envParent+"="+dir, envParent+"_BINARY="+binary)
	parent.Stderr = os.Stderr
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != saysReady {
		_ = parent.Process.Kill()
		t.Fatalf("the parent says %q, %v, %v", line, err, parent.Wait())
	}
	text, err := os.ReadFile(statePath(dir))
	if err != nil {
		t.Fatal(err)
	}
	var m memory
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, pid := range m.PIDs {
		pids = append(pids, pid)
	}
	if len(pids) != 3 {
		t.Errorf("%d processes are noted: %s", len(pids), text)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // it was killed
	gone(t, pids)

	cfg := small()
	cfg.Dir = dir
	start(t, cfg) // and the directory is free, and whole
}
