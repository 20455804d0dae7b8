//go:build linux

package kernel

import (
	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

func (d *descriptor) receiveMessage(r *receiving) (int, uint32, spi.Errno) {
	_ = unix.MSG_CTRUNC
	return 0, 0, spi.WSAEOPNOTSUPP
}
