//go:build linux

package kernel

import (
	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// connectJob is a ConnectEx: it waits for the connection, then sends.
type connectJob struct{ done bool }

// connectEx is ConnectEx. What the attempt comes to is told by completion, even
// when it is known at once.
func (p *provider) connectEx(s spi.Socket, name, data []byte, sent *uint32, ov *spi.Overlapped) spi.Errno {
	d, e := p.acquire(s)
	if e != 0 {
		return e
	}
	defer d.release()
	if !d.kind.stream() {
		return spi.WSAEOPNOTSUPP
	}
	if ov == nil {
		return spi.WSAEFAULT
	}
	var to sockaddr
	if e := to.setWindows(name, d.kind, spi.WSAEAFNOSUPPORT); e != 0 {
		return e
	}
	if d.kind != unixStream && (to.unspecified(d.kind) || to.port() == 0) {
		return spi.WSAEADDRNOTAVAIL
	}
	o, op, e := d.beginExtension(ov, nil)
	if e != 0 {
		return e
	}
	switch {
	case d.listening(), !d.bound() && !d.has(fReused):
		e = spi.WSAEINVAL
	case connected(d.fd):
		e = spi.WSAEISCONN
	case d.has(fConnecting) && d.failed.Load() == 0, !o.sends.empty():
		e = spi.WSAEALREADY
	}
	if e != 0 {
		o.conclude(op, e, 0)
		o.mu.Unlock()
		return e
	}
	j := &connectJob{}
	op.job = j
	if len(data) > 0 {
		op.room[0] = spi.NewBuf(data)
		op.out = op.room[:1]
	}
	o.hangup = false // of an attempt before
	switch e = d.startConnect(&to); e {
	case 0:
		j.done = true
		e = o.start(&o.sends, op, sent, nil)
	case spi.WSAEWOULDBLOCK:
		o.sends.push(op)
		op.native = d.p.nativeThread()
		o.writable = false // until the kernel tells of the end
		o.mu.Unlock()
		e = spi.WSA_IO_PENDING
	default:
		o.finish(op, e, 0, true)
		o.mu.Unlock()
		e = spi.WSA_IO_PENDING
	}
	return e
}

// attempt implements job.
func (j *connectJob) attempt(o *operations, op *operation) (uint32, spi.Errno) {
	d := op.through
	if !j.done {
		if e := d.connectResult(); e != 0 {
			o.writable = e != spi.WSAEWOULDBLOCK
			return 0, e
		}
		j.done, o.writable = true, true
	}
	if len(op.out) == 0 {
		return 0, 0
	}
	return 0, o.send(d, op)
}

// connectResult tells what an attempt to connect has come to; WSAEWOULDBLOCK
// while it lasts. A selection may have seen it first.
func (d *descriptor) connectResult() spi.Errno {
	if own := d.events.Load(); own != nil {
		own.mu.Lock()
		defer own.mu.Unlock()
	}
	if e := spi.Errno(d.failed.Load()); e != 0 {
		return e
	}
	found := pollNow(d.fd, unix.POLLOUT)
	switch {
	case found&(unix.POLLERR|unix.POLLHUP) != 0 && !connected(d.fd):
		e := d.takeError()
		if e == 0 {
			e = spi.WSAECONNREFUSED // somebody else has read SO_ERROR
		}
		d.failed.Store(int32(e))
		d.err.Store(int32(e)) // SO_ERROR has still to tell
		return e
	case found&unix.POLLOUT != 0:
		d.clear(fConnecting)
		d.setConnected()
		return 0
	}
	return spi.WSAEWOULDBLOCK
}
