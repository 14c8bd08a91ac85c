package natsserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

const patience = 30 * time.Second

// written writes a configuration with an address of its own, and gives both.
func written(t *testing.T) (file, address string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file = filepath.Join(dir, "nats.conf")
	text := fmt.Sprintf("listen: %q\nlog_file: %q\njetstream { store_dir: %q }\n", address, filepath.Join(dir, "log"), dir)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, address
}

// run starts a server, and gives its end and a connection to it.
func run(ctx context.Context, t *testing.T, opt Options, address string, more ...nats.Option) (<-chan error, *nats.Conn) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, opt) }()
	nc, err := nats.Connect("nats://"+address, append(more, nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(int(patience/(20*time.Millisecond))), nats.ReconnectWait(20*time.Millisecond), nats.ReconnectJitter(0, 0))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if err := nc.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	return ended, nc
}

func endsWell(t *testing.T, ended <-chan error) {
	t.Helper()
	select {
	case err := <-ended:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("the server does not end")
	}
}

func TestEndsWithItsContext(t *testing.T) {
	file, address := written(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended, nc := run(ctx, t, Options{File: file}, address)
	if !nc.HeadersSupported() || nc.MaxPayload() == 0 {
		t.Error("no server of ours")
	}
	cancel()
	endsWell(t, ended)
}

func TestHandsOverAndEnds(t *testing.T) {
	file, address := written(t)
	handOver := make(chan struct{})
	told := make(chan struct{})
	ended, _ := run(t.Context(), t, Options{File: file, HandOver: handOver, HandOverWithin: 300 * time.Millisecond}, address,
		nats.LameDuckModeHandler(func(*nats.Conn) { close(told) }))
	close(handOver)
	endsWell(t, ended)
	select {
	case <-told:
	case <-time.After(patience):
		t.Error("clients are not told")
	}
}

func TestAnImpatientOneCutsHandingOverShort(t *testing.T) {
	file, address := written(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	handOver := make(chan struct{})
	ended, _ := run(ctx, t, Options{File: file, HandOver: handOver, HandOverWithin: time.Hour}, address)
	close(handOver)
	cancel()
	endsWell(t, ended)
}

func TestRefusesWhatItCannotRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, []byte("listn: 1\nport: many\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), Options{File: file}); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v", err)
	}
	if err := Run(t.Context(), Options{File: file + "x"}); !errors.Is(err, ErrConfig) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// What the variables hold before they are set is what the server compares with: if it
// keeps its waits elsewhere one day, this fails.
func TestTheElectionsAreTheServersOwn(t *testing.T) {
	lo, hi, beat := minElection, maxElection, heartbeat
	defer func() { minElection, maxElection, heartbeat = lo, hi, beat }()
	if lo != 4*time.Second || hi != 9*time.Second || beat != time.Second {
		t.Fatalf("elections after %v to %v, a word every %v", lo, hi, beat)
	}
	setElection(1500 * time.Millisecond)
	if minElection != 1500*time.Millisecond || maxElection != 3*time.Second || heartbeat != 500*time.Millisecond {
		t.Fatalf("elections after %v to %v, a word every %v", minElection, maxElection, heartbeat)
	}
	setElection(6 * time.Second)
	if heartbeat > time.Second {
		t.Fatalf("a word every %v", heartbeat)
	}
}
