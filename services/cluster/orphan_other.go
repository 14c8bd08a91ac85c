//go:build !unix

package cluster

import "syscall"

func apartFromTerminal() *syscall.SysProcAttr { return nil }

func (f *forker) run() {
	defer close(f.done)
	for do := range f.todo {
		do()
	}
}
