package ws2

import (
	"golang.org/x/sys/windows"

	"upcall.dev/spi"
)

// isOpen reports whether the value is an open handle.
func isOpen(s spi.Socket) bool {
	var flags uint32
	return windows.GetHandleInformation(windows.Handle(s), &flags) == nil
}
