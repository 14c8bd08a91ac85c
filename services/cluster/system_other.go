//go:build !unix

package cluster

import (
	"errors"
	"os"
)

// errSystem is why there is no cluster here: nothing asks a process to stop gently.
var errSystem = errors.New("cluster: a local cluster needs a Unix system")

// Nothing starts here that these could be sent to: lockFile refuses.
var (
	freeze os.Signal = os.Kill
	thaw   os.Signal = os.Kill
	gently os.Signal = os.Kill
)

func lockFile(string) (*os.File, error) {
	return nil, errSystem
}
