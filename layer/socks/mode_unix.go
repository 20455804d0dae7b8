//go:build unix

package socks

import "golang.org/x/sys/unix"

func descriptorMode(fd uintptr) (nonblocking, ok bool) {
	flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
	return flags&unix.O_NONBLOCK != 0, err == nil
}
