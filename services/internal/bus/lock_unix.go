//go:build unix

package bus

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// ErrLocked is returned by Start if another process uses the data directory.
var ErrLocked = errors.New("bus: the data directory is in use by another process")

// lockFile takes an exclusive lock that the system releases when the process ends,
// however it ends.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("bus: lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%w (%s): stop it, or choose another directory", ErrLocked, path)
	}
	return f, nil
}
