// Package winsock is the Winsock functions of the C door, ws2_32's and
// mswsock's. Each file NAME.c has the entries that C programs call, with the
// types of the headers, and NAME.go beside it their Go halves, which pass the
// program's memory to [ws2] as it is.
//
// A Go half returns an error code, 0 for success; those that return a count
// return the code negated.
package winsock

/*
#cgo CFLAGS: -std=gnu11 -O2 -Wall -Wextra -Wno-unused-parameter -I${SRCDIR}/../../include/upcall -I${SRCDIR}/../process
*/
import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
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

// count returns n, or the code of err negated.
func count(n int, err error) int32 {
	if err == nil {
		return int32(n)
	}
	return -code(err)
}

// memory returns length bytes at p as a slice, nil for a nil pointer or a
// negative length.
func memory[L int32 | uint32](p unsafe.Pointer, length L) []byte {
	if p == nil || length < 0 {
		return nil
	}
	return unsafe.Slice((*byte)(p), int(length))
}

// counted returns the memory at p whose length is *n, nil if either is nil.
func counted(p unsafe.Pointer, n *int32) []byte {
	if n == nil {
		return nil
	}
	return memory(p, *n)
}

// address returns where to store an address whose room is *length: nothing and
// nil unless both are given.
func address(p, length unsafe.Pointer) ([]byte, *int32) {
	if p == nil || length == nil {
		return nil, nil
	}
	n := (*int32)(length)
	return memory(p, *n), n
}

type thread = ws2.Thread

func socket(s uint64) spi.Socket { return spi.Socket(s) }
