//go:build unix

package cluster

import (
	"errors"
	"os"
	"syscall"
)

// What Freeze, Thaw and Stop send.
var (
	freeze os.Signal = syscall.SIGSTOP
	thaw   os.Signal = syscall.SIGCONT
	gently os.Signal = syscall.SIGTERM
)

// lockFile takes the lock on a file for as long as the returned file, or a copy of it in
// another process, is open. ErrLocked if another has it.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, ErrLocked
	}
	return nil, err
}
