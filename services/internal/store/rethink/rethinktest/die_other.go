//go:build !linux

package rethinktest

import "syscall"

func dieWithUs() *syscall.SysProcAttr { return nil }
