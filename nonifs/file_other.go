//go:build !unix && !windows

package nonifs

import "upcall.dev/spi"

// readFile refuses: the system has no file handles that could be passed on.
func readFile(uintptr, []byte, int64) (int, spi.Errno) { return 0, spi.WSAEOPNOTSUPP }
