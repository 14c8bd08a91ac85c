package fault

import (
	"os"
	"syscall"
	"testing"
)

// mountSmall mounts a small disk in memory at dir, which is made, until the end of the test.
// It takes the rights of the superuser.
func mountSmall(t *testing.T, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=512m"); err != nil {
		return err
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return nil
}
