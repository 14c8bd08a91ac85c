//go:build !linux

package fault

import (
	"errors"
	"testing"
)

func mountSmall(*testing.T, string) error { return errors.New("only Linux is known to") }
