// Package lent holds what is known of descriptors that are dups of other
// processes' sockets, so that whoever adopts one need not ask the kernel again.
package lent

import (
	"net/netip"
	"sync/atomic"

	"upcall.dev/internal/slot"
)

// Socket is what the lender of a descriptor tells of its socket. It does not
// change, but for what Connected tells the lender.
type Socket struct {
	// Domain and Protocol are Linux's SO_DOMAIN and SO_PROTOCOL.
	Domain, Protocol int
	// Cookie is SO_COOKIE.
	Cookie uint64
	// Nonblocking is O_NONBLOCK.
	Nonblocking bool

	taken     atomic.Bool
	connected atomic.Pointer[netip.AddrPort]
}

var sockets slot.Direct[Socket]

// Lend files what is known of a descriptor until Return. The socket is lent for a
// connect: what the borrower does first with it is that. Closing it must not wait:
// its owner has another descriptor. Closing it while the borrower receives shuts the
// connection down: the owner has not been told of it.
func Lend(fd int, s *Socket) { sockets.Store(uintptr(fd), s) }

// Return ends Lend, before the descriptor is closed.
func Return(fd int, s *Socket) { sockets.CompareAndDelete(uintptr(fd), s) }

// Take returns what is known of a descriptor to who adopts it, nil if nothing is.
func Take(fd int) *Socket {
	if fd < 0 {
		return nil
	}
	s := sockets.Load(uintptr(fd))
	if s != nil {
		s.taken.Store(true)
	}
	return s
}

// Known is Take for who does not adopt the descriptor.
func Known(fd uintptr) *Socket { return sockets.Load(fd) }

// Taken reports whether somebody has adopted the socket who knows that it is lent.
func (s *Socket) Taken() bool { return s.taken.Load() }

// Connect notes the address that the socket has been connected to, or is being
// connected to.
func (s *Socket) Connect(to netip.AddrPort) { s.connected.Store(&to) }

// Connected returns the address of the latest Connect; ok is false when there was
// none.
func (s *Socket) Connected() (to netip.AddrPort, ok bool) {
	if p := s.connected.Load(); p != nil {
		return *p, true
	}
	return to, false
}
