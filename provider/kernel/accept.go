//go:build linux

package kernel

import (
	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// maxBacklog stands for SOMAXCONN; the kernel lowers it to net.core.somaxconn.
const maxBacklog = 1 << 16

// WSPListen stands for listen(2), which on Linux binds an unbound TCP socket by
// itself.
func (p *provider) WSPListen(s spi.Socket, backlog int32) spi.Errno {
	d, e := p.acquire(s)
	if e != 0 {
		return e
	}
	defer d.release()
	switch {
	case !d.kind.stream():
		return spi.WSAEOPNOTSUPP
	case d.rehearses():
		return 0
	case connected(d.fd):
		return spi.WSAEISCONN
	case !d.bound():
		return spi.WSAEINVAL
	}
	if backlog < 0 { // SOMAXCONN_HINT(n) is -n
		backlog = -max(backlog, -maxBacklog)
	}
	if d.kind.tcp() && !d.has(fExclusive|fAdopted) {
		// Its connections inherit the option and then do not keep the port from
		// the next listener; this one still does.
		setInt(d.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	least := int32(1)
	if d.has(fAdopted) {
		least = 0 // a queue of one
	}
	if err := unix.Listen(d.fd, int(min(max(backlog, least), maxBacklog))); err != nil {
		return spi.FromErrno(errnoOf(err))
	}
	d.report()
	return 0
}

// connection is one that was accepted from the kernel, not yet by the client.
type connection struct {
	fd          int
	nonblocking bool
	peer        sockaddr
}

// WSPAccept stands for accept4(2). A connection that the condition function
// defers is the next that WSPAccept takes.
func (p *provider) WSPAccept(s spi.Socket, addr []byte, addrLen *int32, cond spi.ConditionFunc, callbackData uintptr) (spi.Socket, spi.Errno) {
	d, e := p.acquire(s)
	if e != 0 {
		return spi.InvalidSocket, e
	}
	defer d.release()
	if !d.kind.stream() {
		return spi.InvalidSocket, spi.WSAEOPNOTSUPP
	}
	if addr != nil && addrLen == nil || addrLen != nil && len(addr) < addressSize(d.kind) {
		return spi.InvalidSocket, spi.WSAEFAULT
	}
	accepted, e := p.accept(d, addr, addrLen, cond, callbackData)
	d.reenable(spi.FD_ACCEPT, e)
	return accepted, e
}

func (p *provider) accept(d *descriptor, addr []byte, addrLen *int32, cond spi.ConditionFunc, callbackData uintptr) (spi.Socket, spi.Errno) {
	c, e := d.nextConnection()
	if e != 0 {
		return spi.InvalidSocket, e
	}
	if addrLen != nil {
		name := c.peer // windows works in place, and a deferred c comes again
		if e := spi.StoreAddress(name.windows(), addr, addrLen); e != 0 {
			d.putBack(c)
			return spi.InvalidSocket, e
		}
	}
	switch decide(c, cond, callbackData) {
	case spi.CF_ACCEPT:
	case spi.CF_REJECT:
		reset(c.fd)
		return spi.InvalidSocket, spi.WSAECONNREFUSED
	case spi.CF_DEFER:
		d.putBack(c)
		return spi.InvalidSocket, spi.WSATRY_AGAIN
	default:
		d.putBack(c)
		return spi.InvalidSocket, spi.WSAEINVAL
	}
	flags := d.flags.Load() & inherited
	if nonblocking := flags&fNonblocking != 0; nonblocking != c.nonblocking {
		if errno := setNonblockingFlag(c.fd, nonblocking); errno != 0 {
			d.putBack(c)
			return spi.InvalidSocket, spi.FromErrno(errno)
		}
	}
	a := p.newSocket(c.fd, d.kind, flags)
	defer a.release()
	a.setConnected()
	if e := p.publish(a); e != 0 {
		return spi.InvalidSocket, e
	}
	a.inheritSelection(d)
	return spi.Socket(c.fd), 0
}

// decide asks the condition function.
func decide(c connection, cond spi.ConditionFunc, callbackData uintptr) int32 {
	if cond == nil {
		return spi.CF_ACCEPT
	}
	var local sockaddr
	localName(c.fd, &local)
	var group spi.Group
	return cond(c.peer.windows(), nil, nil, nil, local.windows(), nil, &group, callbackData)
}

// nextConnection takes the first connection of the queue, waiting for one on a
// blocking socket.
func (d *descriptor) nextConnection() (connection, spi.Errno) {
	c, errno := d.takeConnection()
	if errno != unix.EAGAIN {
		return c, d.acceptError(errno)
	}
	if !d.blocking() {
		return c, spi.WSAEWOULDBLOCK
	}
	var wait call
	defer wait.end()
	if e := wait.begin(d.p, d.p.entries[d.kind].CatalogEntryID, -1, d); e != 0 {
		return c, e
	}
	for {
		if e := wait.on(d.fd, unix.POLLIN); e != 0 {
			return c, e
		}
		if c, errno = d.takeConnection(); errno != unix.EAGAIN {
			return c, d.acceptError(errno)
		}
	}
}

func (d *descriptor) acceptError(errno unix.Errno) spi.Errno {
	switch {
	case errno == unix.ECONNABORTED || errno == unix.EPROTO:
		return spi.WSAECONNRESET
	case errno == unix.EINVAL && d.isClosed(): // its closer has shut it down
		if d.blocking() {
			return spi.WSAEINTR
		}
		return spi.WSAENOTSOCK
	}
	return spi.FromErrno(errno)
}

// takeConnection takes the first connection of the queue, or gives EAGAIN. A
// blocking descriptor is asked first, for accept4 would block; the lock keeps
// another accept from coming between. Where another process may take the
// connection away, the kernel's O_NONBLOCK is set for good. (On an adopted
// socket it is not the provider's to set, and this call then waits for the next
// connection.)
func (d *descriptor) takeConnection() (connection, unix.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.deferred) > 0 {
		c := d.deferred[0]
		d.deferred = d.deferred[1:]
		return c, 0
	}
	c := connection{nonblocking: d.has(fNonblocking)}
	if d.has(fShared) && !d.has(fQueueShared) && d.listens() {
		if errno := setNonblockingFlag(d.fd, true); errno != 0 {
			return c, errno
		}
		d.set(fQueueShared)
	}
	if (!c.nonblocking || d.has(fOutside)) && pollNow(d.fd, unix.POLLIN) == 0 {
		// Nothing waits, or it does not listen: then accept4 fails at once.
		if !d.listens() {
			return c, unix.EINVAL
		}
		return c, unix.EAGAIN
	}
	var errno unix.Errno
	c.fd, errno = acceptNow(d.fd, c.nonblocking, &c.peer)
	return c, errno
}

func (d *descriptor) listens() bool {
	listening, _ := getInt(d.fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return listening != 0
}

// putBack makes c the head of the queue.
func (d *descriptor) putBack(c connection) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.open) == 0 {
		reset(c.fd)
		return
	}
	d.deferred = append([]connection{c}, d.deferred...)
	d.set(fMayDefer)
}

// hasDeferred reports whether the head of the queue has been put back.
func (d *descriptor) hasDeferred() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.deferred) > 0
}
