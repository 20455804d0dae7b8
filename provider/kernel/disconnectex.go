//go:build linux

package kernel

import (
	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// disconnectJob is a DisconnectEx. It waits behind the sends before it; what
// they have given to the kernel goes out in the background, as after a close.
type disconnectJob struct{ reuse bool }

// disconnectEx is DisconnectEx.
func (p *provider) disconnectEx(s spi.Socket, ov *spi.Overlapped, flags uint32) spi.Errno {
	d, e := p.acquire(s)
	if e != 0 {
		return e
	}
	defer d.release()
	switch {
	case !d.kind.stream():
		return spi.WSAEOPNOTSUPP
	case flags&^spi.TF_REUSE_SOCKET != 0:
		return spi.WSAEINVAL
	case !connected(d.fd) && !d.has(fConnected):
		return spi.WSAENOTCONN
	}
	return d.run(&disconnectJob{flags&spi.TF_REUSE_SOCKET != 0}, ov)
}

// attempt implements job.
func (j *disconnectJob) attempt(o *operations, op *operation) (uint32, spi.Errno) {
	return 0, op.through.disconnect(o, j.reuse)
}

// disconnect ends the connection gracefully. The caller holds o.mu.
func (d *descriptor) disconnect(o *operations, reuse bool) spi.Errno {
	d.set(fSendShut)
	if err := unix.Shutdown(d.fd, unix.SHUT_WR); err != nil && err != unix.ENOTCONN {
		return spi.FromErrno(errnoOf(err))
	}
	if reuse {
		return d.reuse(o)
	}
	return 0
}

// run starts a job in the queue of sends. Without ov it waits for the end:
// WSAEINTR when the socket is closed under it.
func (d *descriptor) run(j job, ov *spi.Overlapped) spi.Errno {
	if ov != nil {
		o, op, e := d.beginExtension(ov, nil)
		if e != 0 {
			return e
		}
		op.job = j
		return o.start(&o.sends, op, nil, nil)
	}
	own := new(spi.Overlapped)
	o := d.queues()
	o.mu.Lock()
	e := o.poll(d)
	if e == 0 && d.isClosed() {
		e = spi.WSAENOTSOCK
	}
	if e != 0 {
		o.mu.Unlock()
		return e
	}
	op := o.take()
	op.ov, op.through, op.job = own, d, j
	own.Start()
	if e = o.start(&o.sends, op, nil, nil); e != spi.WSA_IO_PENDING {
		return e
	}
	if e = d.await(own); e == 0 {
		e = spi.Errno(own.OffsetHigh)
	}
	if e == spi.WSA_OPERATION_ABORTED {
		e = spi.WSAEINTR
	}
	return e
}
