//go:build unix

package cluster

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// busy gives an address on which the test listens.
func busy(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func TestAnAddressInUseIsFoundBeforeAnythingIsMade(t *testing.T) {
	taken, there := busy(t), t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Join(t.TempDir(), "cluster"), there} {
		c, err := Start(t.Context(), Config{Dir: dir, Binary: self, HTTP: []string{"127.0.0.1:0", taken}})
		if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), taken) || !strings.Contains(err.Error(), "edge-2") || strings.Contains(err.Error(), "\n") {
			t.Fatalf("%v, %v", c, err)
		}
		if left, err := os.ReadDir(dir); err == nil && dir != there || len(left) > 0 {
			t.Errorf("%s was left with %v, %v", dir, left, err)
		}
	}
}

// A second cluster on a directory hears of the first one, whose addresses it would have.
func TestADirectoryInUseIsToldBeforeItsAddresses(t *testing.T) {
	taken, dir := busy(t), t.TempDir()
	lock, err := lockDir(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Dir: dir, Binary: self, HTTP: []string{taken}}
	if c, err := Start(t.Context(), cfg); !errors.Is(err, ErrLocked) {
		t.Errorf("%v, %v", c, err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err := Start(t.Context(), cfg); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("%v, %v", c, err)
	}
}

func TestEveryAddressIsTried(t *testing.T) {
	one, two := busy(t), busy(t)
	err := Config{HTTP: []string{one, "127.0.0.1:0", two}}.addressesFree(t.Context())
	for _, want := range []string{"edge-1", one, "edge-3", two} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not in %v", want, err)
		}
	}
	// One that is free, but not for two.
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := (Config{HTTP: []string{free}}).addressesFree(t.Context()); err != nil {
		t.Error(err)
	}
	if err := (Config{HTTP: slices.Repeat([]string{free}, 2)}).addressesFree(t.Context()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("twice the same: %v", err)
	}
	if err := (Config{HTTP: []string{one}, WithoutServices: true}).addressesFree(t.Context()); err != nil {
		t.Errorf("without edges: %v", err)
	}
}
