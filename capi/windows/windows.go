// Package windows is the calls of windows.h that socket programs and providers
// use: objects and waits, completion ports, threads, memory, strings, libraries,
// message queues. Each is small, over what [ws2] or the C library has already.
// As in package winsock, NAME.c has the entries and NAME.go their Go halves.
package windows

/*
#cgo CFLAGS: -std=gnu11 -O2 -Wall -Wextra -Wno-unused-parameter -I${SRCDIR}/../../include/upcall -I${SRCDIR}/../process
*/
import "C"
