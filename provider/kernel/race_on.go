//go:build linux && race

package kernel

import (
	"runtime"
	"unsafe"
)

var transfers int32

// sending and received tell the race detector what package syscall tells it:
// whatever came before a send came before the receive of what was sent.
func sending()  { runtime.RaceReleaseMerge(unsafe.Pointer(&transfers)) }
func received() { runtime.RaceAcquire(unsafe.Pointer(&transfers)) }
