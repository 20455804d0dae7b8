//go:build linux

package kernel

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/internal/lent"
	"upcall.dev/internal/slot"
	"upcall.dev/spi"
)

// kind is one of the provider's five protocols.
type kind uint8

const (
	tcp4 kind = iota
	udp4
	tcp6
	udp6
	unixStream
	numKinds
	noKind = numKinds
)

func (k kind) stream() bool { return k != udp4 && k != udp6 }
func (k kind) tcp() bool    { return k == tcp4 || k == tcp6 }
func (k kind) v6() bool     { return k == tcp6 || k == udp6 }

// family returns the kernel's address family.
func (k kind) family() int {
	switch {
	case k == unixStream:
		return unix.AF_UNIX
	case k.v6():
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// kindOf classifies Winsock's family, type and protocol.
func kindOf(af, typ, protocol int32) kind {
	v6 := af == spi.AF_INET6
	switch {
	case af == spi.AF_UNIX && typ == spi.SOCK_STREAM && protocol == 0:
		return unixStream
	case af != spi.AF_INET && !v6:
		return noKind
	case typ == spi.SOCK_STREAM && protocol == spi.IPPROTO_TCP && v6:
		return tcp6
	case typ == spi.SOCK_STREAM && protocol == spi.IPPROTO_TCP:
		return tcp4
	case typ == spi.SOCK_DGRAM && protocol == spi.IPPROTO_UDP && v6:
		return udp6
	case typ == spi.SOCK_DGRAM && protocol == spi.IPPROTO_UDP:
		return udp4
	}
	return noKind
}

// What the provider knows of a socket beyond what the kernel knows.
const (
	fNonblocking = 1 << iota // the client's mode
	fAdopted                 // made elsewhere: its mode may change behind the provider
	fQueueShared             // a listening socket of several processes: the kernel's O_NONBLOCK stays on, the mode is each process's own
	fAwaits                  // has asked for a notice of a change
	fShared                  // another process has it too: all that the kernel keeps may change
	fBound                   // known to have a local address
	fConnecting              // an attempt to connect has not been seen to succeed
	fConnected               // connection time is known
	fSendShut                // SD_SEND
	fRecvShut                // SD_RECEIVE
	fAborted                 // the provider reset the connection
	fLinger                  // SO_LINGER may be on
	fReuse                   // SO_REUSEADDR
	fExclusive               // SO_EXCLUSIVEADDRUSE
	fOverlapped              // WSA_FLAG_OVERLAPPED
	fNoConnReset             // SIO_UDP_CONNRESET FALSE
	fErrorQueue              // SIO_UDP_CONNRESET TRUE: IP_RECVERR is on
	fMayDefer                // a connection has been put back once
	fAccepted                // by AcceptEx
	fReused                  // has had a connection that DisconnectEx ended
	fSelects                 // network events are selected; changes under the selection's lock
)

// fOutside are the flags of sockets whose state may change behind the provider.
const fOutside = fAdopted | fShared

// Flags that an accepted socket takes from the listening one.
const inherited = fNonblocking | fLinger | fReuse | fExclusive | fOverlapped

// socket is what all descriptors of one socket share.
type socket struct {
	p      *provider
	kind   kind
	cookie atomic.Uint64 // SO_COOKIE: tells it from a later socket with the same number
	flags  atomic.Uint32
	chosen atomic.Uint32 // the options that the client has set, as in carried
	since  atomic.Int64  // when it was connected, in nanoseconds of Unix time, for SO_CONNECT_TIME

	// Error codes that the kernel tells once only.
	err    atomic.Int32 // what SO_ERROR gives before the kernel's own; on datagram sockets receiving too
	failed atomic.Int32 // of the last attempt to connect
	broken atomic.Int32 // that ended the connection

	// SO_RCVTIMEO and SO_SNDTIMEO in milliseconds as they were set, which the
	// kernel rounds to its own clock; zero leaves the answer to the kernel.
	receiveMillis, sendMillis atomic.Uint32

	rehearsed atomic.Pointer[rehearsal] // nil unless SIO_REHEARSE has been

	lent *lent.Socket // nil unless it is another process's, lent for a connect

	events  atomic.Pointer[selection]
	pending atomic.Pointer[operations]

	mu       sync.Mutex     // a leaf: guards changes of the kernel's O_NONBLOCK, accepting, and what follows
	open     []*descriptor  // not closed by the client
	one      [1]*descriptor // open, for a socket without duplicates
	deferred []connection   // taken from the kernel's queue, put back by a condition function
}

func (s *socket) has(flag uint32) bool { return s.flags.Load()&flag != 0 }
func (s *socket) set(flag uint32)      { s.flags.Or(flag) }
func (s *socket) clear(flag uint32)    { s.flags.And(^flag) }

// descriptor is one open handle. Calls in flight are counted, so that the
// number cannot be used again under a call that still waits: the last one out
// of a closed descriptor closes the number.
//
//	word             state
//	n                open, n calls in flight
//	closed | n       closed by the client, n calls still on their way out
//	closed           the number is free, or about to be
type descriptor struct {
	*socket
	fd   int
	word atomic.Int32
	lost atomic.Bool // somebody closed the number behind the provider's back

	waiters *waiterLink // calls that wait; guarded by waiting.mu
}

const closed = 1 << 30

// enter counts a call in; false when the descriptor is closed.
func (d *descriptor) enter() bool {
	for {
		w := d.word.Load()
		if w&closed != 0 {
			return false
		}
		if d.word.CompareAndSwap(w, w+1) {
			return true
		}
	}
}

// release counts a call out.
func (d *descriptor) release() {
	if d.word.Add(-1) == closed {
		d.free()
	}
}

// beginClose closes the descriptor to new calls and ends what its closing ends.
// The caller has entered; false when another call closed it first.
func (d *descriptor) beginClose() bool {
	if d.word.Or(closed)&closed != 0 {
		return false
	}
	d.mu.Lock()
	d.open = slices.DeleteFunc(d.open, func(o *descriptor) bool { return o == d })
	last := len(d.open) == 0
	var deferred []connection
	if last {
		deferred, d.deferred = d.deferred, nil
	}
	d.mu.Unlock()
	for _, c := range deferred {
		reset(c.fd)
	}
	d.closeEvents(last)
	d.p.waits.closing(d)
	if last && d.word.Load()&^closed > 1 { // those that wait have been told why they end
		d.freeAddress()
	}
	return true
}

// freeAddress keeps a socket whose descriptor is still in another call from being
// connected to and from having its address, as if it were closed already: that call
// may take its time to leave.
func (d *descriptor) freeAddress() {
	if !d.kind.tcp() || d.has(fShared|fAdopted) || d.lent != nil || connected(d.fd) {
		return
	}
	if listening, err := unix.GetsockoptInt(d.fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err == nil && listening != 0 {
		_ = unix.Shutdown(d.fd, unix.SHUT_RDWR)
	}
	setInt(d.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
}

func (d *descriptor) isClosed() bool { return d.word.Load()&closed != 0 }

// last reports whether d is the socket's only descriptor.
func (d *descriptor) last() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.open) == 1
}

// free gives the number back. The table's place is emptied afterwards: whoever
// gets the number meanwhile stores over it.
func (d *descriptor) free() {
	if !d.lost.Load() {
		_ = unix.Close(d.fd)
	}
	d.p.table.CompareAndDelete(uintptr(d.fd), d)
}

// lose ends a descriptor whose number names another socket by now, or none.
func (d *descriptor) lose() {
	if d.enter() {
		d.lost.Store(true)
		d.beginClose()
		d.release()
	}
}

// current reports whether the number still names this socket. It does not when
// somebody closed it by close(2).
func (d *descriptor) current() bool {
	d.mu.Lock() // the kernel socket and its cookie change under it
	defer d.mu.Unlock()
	var cookie uint64
	size := uint32(unsafe.Sizeof(cookie))
	errno := getOption(d.fd, unix.SOL_SOCKET, unix.SO_COOKIE, unsafe.Pointer(&cookie), &size)
	return errno == 0 && cookie == d.cookie.Load()
}

// acquire returns the descriptor of a handle, counted in; the caller releases
// it. A handle that the provider has not seen is adopted.
func (p *provider) acquire(s spi.Socket) (*descriptor, spi.Errno) {
	if d := p.table.Load(uintptr(s)); d != nil && d.enter() {
		return d, 0
	}
	return p.adopt(s)
}

// adopt makes a descriptor for a socket of one of the provider's protocols that
// was made elsewhere, and counts the call in. WSAENOTSOCK for anything else.
func (p *provider) adopt(s spi.Socket) (*descriptor, spi.Errno) {
	if p.ended.Load() {
		return nil, spi.WSANOTINITIALISED
	}
	if uintptr(s) >= slot.DirectSize {
		return nil, spi.WSAENOTSOCK
	}
	fd := int(s)
	known := lent.Take(fd)
	k, cookie := identify(fd, known)
	if k == noKind || p.entries[k] == nil {
		return nil, spi.WSAENOTSOCK
	}
	stale := p.table.Load(uintptr(s))
	if stale != nil && stale.cookie.Load() == cookie {
		if stale.enter() {
			return stale, 0 // another thread adopted it
		}
		return nil, spi.WSAENOTSOCK // being closed
	}
	d := p.newDescriptor(fd, k, cookie, fAdopted|fOverlapped)
	switch d.lent = known; {
	case known == nil:
		d.examine()
	case known.Nonblocking:
		d.set(fNonblocking)
	}
	if stale != nil {
		stale.lose() // before d can be watched: both have the same number
	}
	if p.table.CompareAndSwap(uintptr(s), stale, d) || p.table.CompareAndSwap(uintptr(s), nil, d) {
		return d, 0
	}
	if d = p.table.Load(uintptr(s)); d != nil && d.enter() {
		return d, 0
	}
	return nil, spi.WSAENOTSOCK
}

// identify tells which of the provider's protocols fd is a socket of, and which
// socket it is; noKind for anything else.
func identify(fd int, known *lent.Socket) (kind, uint64) {
	if known != nil {
		return kindOfNative(known.Domain, unix.SOCK_STREAM, known.Protocol), known.Cookie
	}
	k := kindOfDescriptor(fd)
	if k == noKind {
		return noKind, 0
	}
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		return noKind, 0
	}
	return k, cookie
}

// examine notes the state of a socket that was made elsewhere.
func (d *descriptor) examine() {
	d.set(fLinger)
	if nonblocking, err := isNonblocking(d.fd); err == nil && nonblocking {
		d.set(fNonblocking)
	}
	if connected(d.fd) {
		d.setConnected()
	}
}

// newDescriptor returns the first descriptor of a socket, with one call in
// flight. It is not in the table yet.
func (p *provider) newDescriptor(fd int, k kind, cookie uint64, flags uint32) *descriptor {
	both := &struct {
		descriptor
		s socket
	}{}
	both.s.p, both.s.kind = p, k
	both.s.cookie.Store(cookie)
	both.s.flags.Store(flags)
	both.socket = &both.s
	both.share(fd)
	return &both.descriptor
}

// share makes d another descriptor of its socket, with one call in flight.
func (d *descriptor) share(fd int) {
	d.fd = fd
	d.word.Store(1)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open == nil {
		d.open = d.one[:0]
	}
	d.open = append(d.open, d)
}

// publish puts a new descriptor in the table and registers it with the host.
// Whatever the table has under the number is out of date. On failure the
// descriptor and its number are gone.
func (p *provider) publish(d *descriptor) spi.Errno {
	old, ok := p.table.Swap(uintptr(d.fd), d)
	if !ok {
		d.beginClose()
		return spi.WSAEMFILE
	}
	if old != nil {
		old.lose() // unless it is closed, and about to leave the table
	}
	got, e := p.upcalls.Load().WPUModifyIFSHandle(p.entries[d.kind].CatalogEntryID, spi.Socket(d.fd))
	if e == 0 && got != spi.Socket(d.fd) {
		e = spi.WSASYSCALLFAILURE
	}
	if e == 0 && p.ended.Load() {
		e = spi.WSANOTINITIALISED
	}
	if e != 0 {
		d.beginClose()
	}
	return e
}

// setConnected notes the time of the connection.
func (s *socket) setConnected() {
	if !s.has(fConnected) {
		s.since.Store(time.Now().UnixNano())
		s.set(fConnected | fBound)
	}
}

// blocking reports the mode of a call that would have to wait. The kernel has
// the last word on a socket that others may have changed, but not on one that is
// lent: it is the owner's call that waits, which has begun.
func (d *descriptor) blocking() bool {
	if d.has(fQueueShared) || d.lent != nil {
		return !d.has(fNonblocking)
	}
	if d.has(fNonblocking) && !d.has(fOutside) {
		return false
	}
	d.mu.Lock() // sendFile changes it for a moment
	defer d.mu.Unlock()
	nonblocking, err := isNonblocking(d.fd)
	return err == nil && !nonblocking
}

// setNonblocking sets the client's mode, in the kernel too.
func (d *descriptor) setNonblocking(on bool) spi.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := setNonblockingFlag(d.fd, on || d.has(fQueueShared)); err != 0 {
		return spi.FromErrno(err)
	}
	if on {
		d.set(fNonblocking)
	} else {
		d.clear(fNonblocking)
	}
	return 0
}
