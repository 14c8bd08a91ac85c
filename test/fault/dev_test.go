package fault

import (
	"context"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"
)

func port(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil { t.Fatal(err) }
	defer ln.Close()
	return ln.Addr().String()
}

func TestDev(t *testing.T) {
	dir := t.TempDir()
	h, n := port(t), port(t)
	up := func() *exec.Cmd {
		c := exec.Command("/tmp/fault/tutti", "up", "--data", dir, "--http", h, "--nats", n)
		c.Env = append(os.Environ(), "TUTTI_AUTH__COST=4", "TUTTI_EDGE__LIMITS__EXEMPT=127.0.0.1", "TUTTI_EDGE__ACCESS_LOG=false")
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil { t.Fatal(err) }
		for i := 0; i < 300; i++ {
			if err := getFrom(context.Background(), "http://"+h+"/v1/time", &struct{}{}); err == nil { return c }
			time.Sleep(20*time.Millisecond)
		}
		t.Fatal("not up")
		return nil
	}
	c := up()
	defer func() { c.Process.Kill(); c.Wait() }()
	ctx := t.Context()
	spy, err := newSpy("nats://"+n, "", "")
	if err != nil { t.Fatal(err) }
	defer spy.close()
	cast := engage(ctx, t, []string{"http://"+h})
	cast.trial(ctx, t, spy, "none", func(ctx context.Context) error { pause(ctx, 2*time.Second); return nil })
	cast.trial(ctx, t, spy, "kill", func(ctx context.Context) error { c.Process.Kill(); c.Wait(); c = up(); return nil })
}
