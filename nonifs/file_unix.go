//go:build unix

package nonifs

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// readFile reads from an open file, at its position if offset is below zero.
// Zero bytes are the end. WSAEBADF, WSAEINVAL.
func readFile(file uintptr, p []byte, offset int64) (n int, errno spi.Errno) {
	for {
		var err error
		if offset < 0 {
			n, err = unix.Read(int(file), p)
		} else {
			n, err = unix.Pread(int(file), p, offset)
		}
		var code syscall.Errno
		switch errors.As(err, &code); code {
		case 0:
			return n, 0
		case unix.EINTR:
		case unix.EBADF:
			return 0, spi.WSAEBADF
		case unix.ESPIPE, unix.EISDIR:
			return 0, spi.WSAEINVAL
		default:
			return 0, spi.FromErrno(code)
		}
	}
}
