//go:build unix && !linux

package cluster

import "syscall"

// apartFromTerminal gives a process a group of its own, so that Ctrl-C in the terminal
// reaches the cluster alone, which stops the processes in their order.
func apartFromTerminal() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func (f *forker) run() {
	defer close(f.done)
	for do := range f.todo {
		do()
	}
}
