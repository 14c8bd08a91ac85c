package natsconf

import "syscall"

// dieWithUs has the system kill a server whose test was killed.
func dieWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
