//go:build linux

package kernel

import (
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// A receive on a socket that is lent waits within recv(2), which is one system call
// where poll(2) and another attempt are two, and does not ask for the mode first. No
// eventfd ends that: who closes the descriptor shuts the connection down as well,
// which its owner has not got yet.

// waitsWithin reports whether a receive waits so.
func (d *descriptor) waitsWithin(r *receiving) bool {
	return d.lent != nil && d.lent.Protocol == unix.IPPROTO_TCP && r.inFlags&unix.MSG_OOB == 0 && spi.BufsLen(r.in) > 0
}

// receiveWithin receives past the first skip bytes, when there is something. After
// WSAEWOULDBLOCK the call has to go on in poll(2): it has a blocking hook, its
// SO_RCVTIMEO has passed once, or the socket's owner has made it nonblocking.
func (d *descriptor) receiveWithin(wait *call, r *receiving, skip int) (int, spi.Errno) {
	if d.has(fRecvShut | fAborted) {
		return 0, d.receiveShut()
	}
	if wait.callback != nil {
		return 0, d.receiveTimeoutFrom(wait)
	}
	if e := d.p.waits.enterWithin(wait.w, d.fd); e != 0 {
		return 0, e
	}
	n, errno := receiveBlocking(d.fd, r.in, skip, r.inFlags)
	woken := d.p.waits.leaveWithin(wait.w)
	switch {
	case n > 0:
		return n, 0
	case woken != 0:
		return 0, woken
	case errno == unix.EAGAIN:
		return 0, d.receiveTimeoutFrom(wait)
	case errno != 0:
		return 0, d.receiveError(r, errno)
	case skip > 0:
		return 0, 0
	}
	return 0, d.receiveEnded()
}

// receiveTimeoutFrom lets SO_RCVTIMEO bound the rest of a call, and returns
// WSAEWOULDBLOCK.
func (d *descriptor) receiveTimeoutFrom(wait *call) spi.Errno {
	if timeout := d.receiveTimeout(); timeout >= 0 {
		wait.deadline = time.Now().Add(timeout)
	}
	return spi.WSAEWOULDBLOCK
}

// enterWithin notes that a call is about to wait in recv(2) on fd. WSAEINTR, or
// whatever it has been woken for.
func (w *waiting) enterWithin(c *waiter, fd int) spi.Errno {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.reason == 0 {
		c.within = fd
	}
	return c.reason
}

// leaveWithin undoes that, and returns why the call was woken, zero when it was not.
func (w *waiting) leaveWithin(c *waiter) spi.Errno {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.within = -1
	return c.reason
}
