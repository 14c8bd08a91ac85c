//go:build !unix

package bus

import (
	"errors"
	"fmt"
	"os"
)

// ErrLocked is returned by Start if another process uses the data directory.
var ErrLocked = errors.New("bus: the data directory is in use by another process")

// lockFile opens the file without sharing; this system has no advisory locks that Go
// offers, so a second process is found by its failing to open the streams.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLocked, err)
	}
	return f, nil
}
