//go:build linux && race

package kernel

import (
	"runtime"
	"unsafe"
)

var transfers int32

// released and acquired tell the race detector what package syscall tells it:
// whatever came before a send came before the receive of what was sent.
func released() { runtime.RaceReleaseMerge(unsafe.Pointer(&transfers)) }
func acquired() { runtime.RaceAcquire(unsafe.Pointer(&transfers)) }
