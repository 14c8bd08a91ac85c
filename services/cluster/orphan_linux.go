package cluster

import (
	"runtime"
	"syscall"
)

// apartFromTerminal gives a process a group of its own, so that Ctrl-C in the terminal
// reaches the cluster alone, which stops the processes in their order; and has the kernel
// kill it when the cluster's process dies.
func apartFromTerminal() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func (f *forker) run() {
	defer close(f.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for do := range f.todo {
		do()
	}
}
