package e2e

import "syscall"

// withParent makes the program end with the tests, also when they are killed.
func withParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
