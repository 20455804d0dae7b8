//go:build !linux

package port

import (
	"sync/atomic"
	"time"

	"upcall.dev/internal/slot"
	"upcall.dev/spi"
)

// Watches tells whether ports of this system can watch descriptors.
const Watches = false

const mostEvents = 0

// poller is never made.
type poller struct {
	watches *slot.Table[watch]
	asleep  atomic.Bool
	done    []spi.Completion
	ready   []Packet
}

func newPoller() (*poller, spi.Errno)          { return nil, spi.WSAEOPNOTSUPP }
func (*poller) add(uintptr, uintptr) spi.Errno { return spi.WSAEOPNOTSUPP }
func (*poller) remove(uintptr)                 {}
func (*poller) wait(time.Time) int             { return 0 }
func (*poller) look(time.Time)                 {}
func (*poller) more() bool                     { return false }
func (*poller) take() (uintptr, uint32)        { return 0, 0 }
func (*poller) wake()                          {}
func (*poller) close()                         {}
