// Package provider lets providers written in C and in Go serve in one chain: it
// loads shared objects with a WSPStartup, giving them the upcall table of the
// headers, and gives every provider written in Go a WSPStartup that C can call.
package provider

/*
#cgo CFLAGS: -std=gnu11 -O2 -Wall -Wextra -Wno-unused-parameter -I${SRCDIR}/../../include/upcall -I${SRCDIR}/../process
*/
import "C"
