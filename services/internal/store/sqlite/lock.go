package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// ErrLocked says that another process, or another store of this one, has the database open.
// SQLite stores are for one process. It comes as a [LockedError].
var ErrLocked = errors.New("sqlite: the database is in use")

// LockedError says who holds a database. It matches [ErrLocked].
type LockedError struct {
	Path string // the database
	PID  string // the process that holds it, as far as it said
}

// Error implements error.
func (e *LockedError) Error() string {
	return fmt.Sprintf("%v: %s is held by process %s; stop it, or use another data directory", ErrLocked, e.Path, e.PID)
}

// Unwrap returns ErrLocked.
func (e *LockedError) Unwrap() error { return ErrLocked }

// lock takes the lock file beside the database. Closing the file releases it. The
// file stays: removing it would let two processes lock two files of one name.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sqlite: open the lock file: %w", err)
	}
	taken, err := lockFile(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite: lock %s: %w", f.Name(), err), f.Close())
	}
	if !taken {
		pid, err := io.ReadAll(io.LimitReader(f, 32))
		if err != nil || len(pid) == 0 {
			pid = []byte("unknown")
		}
		return nil, errors.Join(&LockedError{Path: path, PID: strings.TrimSpace(string(pid))}, f.Close())
	}
	if err := f.Truncate(0); err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite: write the lock file: %w", err), f.Close())
	}
	if _, err := fmt.Fprintf(f, "%d\n", os.Getpid()); err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite: write the lock file: %w", err), f.Close())
	}
	return f, nil
}
