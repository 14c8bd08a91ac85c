package projection_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/projection"
	"github.com/tuttihq/tutti/subjects"
)

const childEnv = "TUTTI_TEST_PROJECTION_CHILD"

// child is the process that TestAKilledProcessLosesNothing kills: it writes a log and
// projects it until then.
func child() bool {
	dir := os.Getenv(childEnv)
	if dir == "" {
		return false
	}
	if err := live(dir); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	return true
}

func live(dir string) error {
	ctx := context.Background()
	b, err := bus.Start(ctx, busIn(dir), []string{"box"}, discard())
	if err != nil {
		return err
	}
	db, err := storeIn(ctx, dir)
	if err != nil {
		return err
	}
	slow := &patient{Store: db}
	slow.delay.Store(int64(3 * time.Millisecond))
	p, err := projection.New(b, slow, specOf(boxFold{}), projection.Options{AckWait: time.Second, InFlight: 64})
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- p.Run(ctx) }()
	j := journalOf(b)
	rev, seq := map[string]uint64{}, map[string]uint64{}
	for id := range 6 {
		id := fmt.Sprintf("b%d", id)
		head, err := j.Head(ctx, id)
		if err != nil {
			return err
		}
		if head.Seq == 0 {
			continue
		}
		c, err := subjects.DecodeCommit(head.Data)
		if err != nil {
			return err
		}
		rev[id], seq[id] = c.Rev, head.Seq
	}
	fmt.Println("ready")
	for {
		id := fmt.Sprintf("b%d", rand.IntN(6))
		rev[id]++
		data, err := subjects.AppendCommit(nil, &subjects.Commit{Epoch: 1, Rev: rev[id], At: 1, Public: subjects.Public{
			Events: []subjects.Event{put(fmt.Sprint(rand.IntN(5)), int(rev[id])), taken(fmt.Sprint(rand.IntN(5)))},
		}})
		if err != nil {
			return err
		}
		if seq[id], err = j.Append(ctx, id, data, seq[id]); err != nil {
			return err
		}
		select {
		case err := <-failed:
			return err
		case <-time.After(time.Millisecond / 2):
		}
	}
}

func TestAKilledProcessLosesNothing(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), childEnv+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil || line != "ready\n" {
			t.Errorf("the child says %q, %v", line, err)
		}
		time.Sleep(time.Duration(100+rand.IntN(300)) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			return
		}
	}
	w := openWorld(t, dir)
	n := 0
	if err := w.bus.Read(t.Context(), subjects.StreamEvents("box"), subjects.EventsWildcard("box"), 1, func(e bus.Entry) error {
		_, id, err := subjects.ParseEvents(e.Subject)
		if err != nil {
			return err
		}
		c, err := subjects.DecodeCommit(e.Data)
		w.log[id] = append(w.log[id], c)
		n++
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if n < 50 {
		t.Fatalf("only %d commits", n)
	}
	w.start(w.db, specOf(boxFold{}), projection.Options{AckWait: time.Second})
	w.converge(boxFold{})
}
