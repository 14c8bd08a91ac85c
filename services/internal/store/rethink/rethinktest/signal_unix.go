//go:build unix

package rethinktest

import (
	"syscall"
	"testing"
)

// Freeze stops the server with SIGSTOP: its connections stay, and nothing answers.
func (s *Server) Freeze(t testing.TB) { s.signal(t, syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (s *Server) Thaw(t testing.TB) { s.signal(t, syscall.SIGCONT) }

func (s *Server) signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	p := s.running()
	if p == nil {
		t.Fatal("rethinktest: the server does not run")
	}
	if err := p.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}
