package spi

import (
	"io/fs"
	"os"
	"syscall"
)

// FromErrno returns the code for a system error number, which on Windows is the
// code itself.
func FromErrno(errno syscall.Errno) Errno { return Errno(errno) }

// Errno returns the system error number, which on Windows is the code itself.
func (e Errno) Errno() syscall.Errno { return syscall.Errno(e) }

func (e Errno) isSystem(target error) bool {
	switch target {
	case os.ErrDeadlineExceeded:
		return e == WSAETIMEDOUT
	case fs.ErrPermission:
		return e == WSAEACCES
	}
	errno, ok := target.(syscall.Errno)
	return ok && errno == syscall.Errno(e)
}
