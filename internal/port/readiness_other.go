//go:build !linux

package port

import "upcall.dev/spi"

// readiness is never made.
type readiness struct{}

func newReadiness() (readiness, spi.Errno)           { return readiness{}, spi.WSAEOPNOTSUPP }
func (readiness) fd() uintptr                        { return 0 }
func (readiness) close()                             {}
func (readiness) arm(*Registration, bool) spi.Errno  { return spi.WSAEOPNOTSUPP }
func (readiness) disarm(uintptr)                     {}
func (readiness) each(func(uintptr, uint32, uint16)) {}
func (readiness) now(uintptr) uint16                 { return 0 }
