// Package windows is the calls of windows.h that socket programs and providers
// use: objects and waits, completion ports, threads, memory, strings, libraries,
// message queues. Each is small, over what [ws2] or the C library has already.
// As in package winsock, NAME.c has the entries and NAME.go their Go halves; a
// file without a Go half needs nothing of Go.
//
// Handles of objects are [ws2]'s, a socket's handle is the socket. What cannot be
// done here, such as an object with a name that other processes could open, is
// refused with ERROR_NOT_SUPPORTED.
package windows

/*
#cgo CFLAGS: -std=gnu11 -O2 -Wall -Wextra -Wno-unused-parameter -I${SRCDIR}/../../include/upcall -I${SRCDIR}/../process
*/
import "C"

import (
	"upcall.dev/capi/process"
	_ "upcall.dev/capi/provider" // the modules behind LoadLibrary, in C
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// code returns the error code of a result of ws2, 0 for none.
func code(err error) int32 {
	if err == nil {
		return 0
	}
	process.Tell(err)
	return int32(ws2.CodeOf(err))
}

// handleCode is code for a call that takes any handle: what is no socket is no
// handle either.
func handleCode(err error) int32 {
	switch e := ws2.CodeOf(err); e {
	case spi.WSAENOTSOCK, spi.WSANOTINITIALISED:
		return int32(spi.WSA_INVALID_HANDLE)
	}
	return code(err)
}
