package nonifs

import (
	"errors"
	"syscall"

	"golang.org/x/sys/windows"

	"upcall.dev/spi"
)

// readFile reads from an open file, at its position if offset is below zero.
// Zero bytes are the end. WSAEBADF.
func readFile(file uintptr, p []byte, offset int64) (int, spi.Errno) {
	var at *windows.Overlapped
	if offset >= 0 {
		at = &windows.Overlapped{Offset: uint32(offset), OffsetHigh: uint32(offset >> 32)}
	}
	var n uint32
	err := windows.ReadFile(windows.Handle(file), p, &n, at)
	var code syscall.Errno
	switch errors.As(err, &code); code {
	case 0, windows.ERROR_HANDLE_EOF:
		return int(n), 0
	case windows.ERROR_INVALID_HANDLE:
		return 0, spi.WSAEBADF
	}
	return 0, spi.FromErrno(code)
}
