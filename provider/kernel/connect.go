//go:build linux

package kernel

import (
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// WSPConnect stands for connect(2). Caller data is refused; there is no callee
// data, and no QOS.
func (p *provider) WSPConnect(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, _ *spi.QOS) spi.Errno {
	d, e := p.acquire(s)
	if e != 0 {
		return e
	}
	defer d.release()
	var to sockaddr
	if e := to.setWindows(name, d.kind, spi.WSAEAFNOSUPPORT); e != 0 {
		return e
	}
	switch {
	case callerData != nil && callerData.Len > 0:
		return spi.WSAEPROTONOSUPPORT
	case sqos != nil:
		return spi.WSAEOPNOTSUPP
	}
	if calleeData != nil {
		calleeData.Len = 0
	}
	if !d.kind.stream() {
		return d.connectDatagram(&to)
	}
	if d.rehearses() {
		return 0
	}
	if (d.has(fConnecting|fConnected) || d.has(fOutside) && !d.kind.tcp()) && connected(d.fd) {
		return spi.WSAEISCONN // where the kernel would report success once more
	}
	if d.kind != unixStream && !d.has(fAdopted) && (to.unspecified(d.kind) || to.port() == 0) {
		return spi.WSAEADDRNOTAVAIL // to Linux, and so to a Linux program, this is the machine itself
	}
	waits := d.mayBlock()
	if waits {
		e, waits = d.connectBlocking(&to)
	}
	if waits {
		d.reenable(spi.FD_CONNECT, e)
	} else {
		e = d.startConnect(&to)
	}
	if d.lent != nil && (e == 0 || e == spi.WSAEWOULDBLOCK) {
		if at, ok := spi.AddrPortFrom(name); ok {
			d.lent.Connect(at)
		}
	}
	if e == spi.WSAEISCONN {
		if listening, _ := getInt(d.fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); listening != 0 {
			return spi.WSAEINVAL
		}
	}
	return e
}

// mayBlock is blocking, where the kernel need not be asked yet: connectBlocking
// sees.
func (d *descriptor) mayBlock() bool {
	switch {
	case d.lent != nil:
		return !d.has(fNonblocking)
	case d.has(fAdopted) && !d.has(fQueueShared):
		return true
	}
	return d.blocking()
}

// connectDatagram sets the default peer; an address of zeros dissolves it.
func (d *descriptor) connectDatagram(to *sockaddr) spi.Errno {
	if to.unspecified(d.kind) && to.port() == 0 {
		return spi.FromErrno(disconnect(d.fd))
	}
	if errno := connectNow(d.fd, to); errno != 0 {
		return spi.FromErrno(errno)
	}
	d.setConnected()
	d.reenable(spi.FD_CONNECT, 0)
	return 0
}

// startConnect is connect on a stream socket, as if that were nonblocking. It
// enables FD_CONNECT.
func (d *descriptor) startConnect(to *sockaddr) (e spi.Errno) {
	if own := d.events.Load(); own != nil {
		// Nobody may look at the socket between connect(2) and fConnecting: an
		// attempt that has failed by then would pass for a connection. Nor
		// before FD_CONNECT is enabled, which would tell a failure twice.
		own.mu.Lock()
		defer own.mu.Unlock()
		defer func() {
			if bits := own.enabledBy(spi.FD_CONNECT, e); bits != 0 {
				d.enable(own, bits, e)
			}
		}()
	}
	errno := d.connectAtOnce(to)
	if errno == unix.ECONNABORTED && d.has(fConnecting) {
		// The end of an earlier attempt whose error has been read.
		errno = d.connectAtOnce(to)
	}
	switch errno {
	case 0:
		if d.connectedOutside() {
			return spi.WSAEISCONN
		}
		d.newConnection(0)
		d.setConnected()
		return 0
	case unix.EINPROGRESS:
		d.newConnection(fConnecting | fBound)
		return spi.WSAEWOULDBLOCK
	case unix.EAGAIN: // an AF_UNIX listener whose queue is full: nothing was started
		return spi.WSAECONNREFUSED
	case unix.EALREADY:
		return spi.WSAEALREADY
	case unix.ETIMEDOUT, unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.ECONNRESET:
		d.clear(fConnecting)
		d.failed.Store(0)
	}
	return spi.FromErrno(errno)
}

// connectBlocking is connect on a blocking stream socket: it starts the attempt
// without blocking, then waits for its end. It reports false, and does nothing, when
// the kernel says that the socket is nonblocking.
func (d *descriptor) connectBlocking(to *sockaddr) (e spi.Errno, blocking bool) {
	var wait call
	defer wait.end()
	if e := wait.begin(d.p, d.p.entries[d.kind].CatalogEntryID, -1, d); e != 0 {
		return e, true
	}
	errno, started, blocking := d.connectSoon(to)
	if !blocking {
		return 0, false
	}
	if errno == 0 && !started && d.connectedOutside() {
		return spi.WSAEISCONN, true
	}
	for pause := time.Millisecond; errno == unix.EAGAIN; pause = min(2*pause, 20*time.Millisecond) {
		// An AF_UNIX listener's queue is full, and nothing tells when it is not.
		if e := wait.pause(pause); e != 0 {
			return e, true
		}
		errno = d.connectUnblocked(to)
	}
	switch {
	case started && errno == unix.ECONNABORTED:
		errno = unix.ECONNREFUSED // somebody else has read SO_ERROR
	case started && errno == unix.EALREADY:
		for writable := false; !writable; writable = pollNow(d.fd, unix.POLLOUT) != 0 {
			if e := wait.on(d.fd, unix.POLLOUT); e != 0 {
				return e, true
			}
		}
		var failed int32
		failed, errno = getInt(d.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if errno == 0 {
			errno = unix.Errno(failed)
		}
		if errno == 0 && !connected(d.fd) {
			errno = unix.ECONNREFUSED // somebody else has read SO_ERROR
		}
		if errno != 0 {
			disconnect(d.fd) // lets the socket try again
		} else {
			d.connectUnblocked(to) // the kernel tells of success once, which is now
		}
	}
	if errno != 0 {
		return spi.FromErrno(errno), true
	}
	d.newConnection(0)
	d.setConnected()
	return 0, true
}

// dissolve is SIO_DISSOLVE: the kernel's socket stays, its connection is reset.
func (d *descriptor) dissolve() spi.Errno {
	if !d.kind.tcp() {
		return spi.WSAEOPNOTSUPP
	}
	if errno := disconnect(d.fd); errno != 0 {
		return spi.FromErrno(errno)
	}
	d.takeError() // ECONNRESET, of the kernel's own reset
	d.newConnection(0)
	d.clear(fSendShut | fRecvShut)
	return 0
}

// newConnection forgets an earlier connection or attempt, then sets flags.
func (d *descriptor) newConnection(flags uint32) {
	d.err.Store(0)
	d.failed.Store(0)
	d.broken.Store(0)
	d.clear(fConnecting | fConnected | fAborted)
	d.set(flags)
}

// connectedOutside reports, after connect(2) has given zero at once, whether
// somebody else has made the connection: the kernel tells that once.
func (d *descriptor) connectedOutside() bool {
	return d.has(fOutside) && d.kind.tcp() && connected(d.fd)
}

// connectAtOnce is connect(2) that does not wait.
func (d *descriptor) connectAtOnce(to *sockaddr) unix.Errno {
	if d.has(fNonblocking) && !d.has(fAdopted) {
		return connectNow(d.fd, to)
	}
	return d.connectUnblocked(to)
}

func (d *descriptor) connectUnblocked(to *sockaddr) unix.Errno {
	return d.unblocked(func(bool) unix.Errno { return connectNow(d.fd, to) })
}

// connectSoon is connectUnblocked that asks for the outcome at once, for a
// connection to this machine is there already. started means that it has begun an
// attempt; EALREADY is then that it takes longer. It makes no call, and blocking is
// false, on a socket that others have made nonblocking.
func (d *descriptor) connectSoon(to *sockaddr) (errno unix.Errno, started, blocking bool) {
	outside := d.has(fAdopted) && !d.has(fQueueShared)
	blocking = true
	errno = d.unblocked(func(nonblocking bool) unix.Errno {
		if nonblocking && outside {
			blocking = false
			return 0
		}
		errno := connectNow(d.fd, to)
		if started = errno == unix.EINPROGRESS; started {
			errno = connectNow(d.fd, to)
		}
		return errno
	})
	return errno, started, blocking
}

// unblocked makes a call with O_NONBLOCK set meanwhile, and tells it whether it is
// set always. A socket that is not connected has no other call that the flag could
// disturb.
func (d *descriptor) unblocked(call func(nonblocking bool) unix.Errno) unix.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lent != nil && d.has(fNonblocking) {
		return call(true)
	}
	if d.lent != nil {
		if errno := setNonblockingNow(d.fd, true); errno != 0 {
			return errno
		}
		defer setNonblockingNow(d.fd, false)
		return call(false)
	}
	flags, err := unix.FcntlInt(uintptr(d.fd), unix.F_GETFL, 0)
	if err == nil && flags&unix.O_NONBLOCK != 0 {
		return call(true)
	}
	if err == nil {
		_, err = unix.FcntlInt(uintptr(d.fd), unix.F_SETFL, flags|unix.O_NONBLOCK)
	}
	if err != nil {
		return errnoOf(err)
	}
	errno := call(false)
	_, _ = unix.FcntlInt(uintptr(d.fd), unix.F_SETFL, flags)
	return errno
}

// WSPJoinLeaf is refused: no protocol here has multipoint sessions with roots
// and leaves. Multicast groups are joined by IP_ADD_MEMBERSHIP.
func (p *provider) WSPJoinLeaf(s spi.Socket, _ []byte, _, _ *spi.Buf, _, _ *spi.QOS, _ uint32) (spi.Socket, spi.Errno) {
	d, e := p.acquire(s)
	if e != 0 {
		return spi.InvalidSocket, e
	}
	d.release()
	return spi.InvalidSocket, spi.WSAEOPNOTSUPP
}
