//go:build !linux

package natsconf

import "syscall"

func dieWithUs() *syscall.SysProcAttr { return nil }
