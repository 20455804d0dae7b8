//go:build unix

package ws2

import (
	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// isOpen reports whether the number is an open descriptor.
func isOpen(s spi.Socket) bool {
	_, err := unix.FcntlInt(uintptr(s), unix.F_GETFD, 0)
	return err == nil
}
