package port

import (
	"math"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/internal/slot"
	"upcall.dev/spi"
)

// Watches tells whether ports of this system can watch descriptors.
const Watches = true

// mostEvents is how many descriptors one look at the poller may tell.
const mostEvents = 256

// poller is an epoll instance, edge-triggered. An eventfd in it, which is
// written to and never read, wakes the leader.
type poller struct {
	epoll, eventfd int
	watches        *slot.Table[watch] // changes under the port's ctl
	asleep         atomic.Bool        // the leader waits, or is about to

	// the leader's own
	events [mostEvents]unix.EpollEvent
	next   int // events[next:last] have not been dealt with
	last   int
	busy   bool // the latest look found several: the next is likely not to wait
	done   []spi.Completion
	ready  []Packet
}

func newPoller() (*poller, spi.Errno) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, pollerError(err)
	}
	eventfd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(epoll)
		return nil, pollerError(err)
	}
	po := &poller{epoll: epoll, eventfd: eventfd}
	if code := po.control(unix.EPOLL_CTL_ADD, uintptr(eventfd), unix.EPOLLIN, 0); code != 0 {
		po.close()
		return nil, code
	}
	return po, 0
}

func pollerError(err error) spi.Errno {
	switch err {
	case unix.EMFILE, unix.ENFILE:
		return spi.WSAEMFILE
	case unix.EBADF:
		return spi.WSAENOTSOCK
	case unix.EPERM: // a file that is always ready
		return spi.WSAEOPNOTSUPP
	case unix.EEXIST:
		return spi.WSAEINVAL
	}
	return spi.WSAENOBUFS
}

func (po *poller) control(operation int, fd uintptr, events uint32, id uintptr) spi.Errno {
	event := unix.EpollEvent{Events: events | unix.EPOLLET, Fd: int32(id), Pad: int32(uint64(id) >> 32)}
	if err := unix.EpollCtl(po.epoll, operation, int(fd), &event); err != nil {
		return pollerError(err)
	}
	return 0
}

// add watches a descriptor.
func (po *poller) add(fd, id uintptr) spi.Errno {
	return po.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLPRI|unix.EPOLLRDHUP, id)
}

// remove ends the watch of a descriptor.
func (po *poller) remove(fd uintptr) { po.control(unix.EPOLL_CTL_DEL, fd, 0, 0) }

// wait waits until descriptors are ready, the leader is called, or the deadline
// passes (the zero time never does), and returns how many events there are.
func (po *poller) wait(deadline time.Time) int {
	for {
		var n uintptr
		var code syscall.Errno
		if timeout := millisecondsUntil(deadline); timeout == 0 {
			// It cannot block, so the scheduler need not know.
			n, _, code = syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(po.epoll), uintptr(unsafe.Pointer(&po.events)), mostEvents, 0, 0, 0)
		} else {
			n, _, code = syscall.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(po.epoll), uintptr(unsafe.Pointer(&po.events)), mostEvents, uintptr(timeout), 0, 0)
		}
		if code == 0 {
			return int(n)
		}
		if code != unix.EINTR {
			return 0
		}
	}
}

// millisecondsUntil is the timeout of epoll_wait, rounded up; -1 for the zero
// time.
func millisecondsUntil(deadline time.Time) int {
	if deadline.IsZero() {
		return -1
	}
	if deadline.Equal(pollOnce) {
		return 0
	}
	left := time.Until(deadline)
	if left <= 0 {
		return 0
	}
	return int(min((left+time.Millisecond-1)/time.Millisecond, math.MaxInt32))
}

// look waits for descriptors. It is called when there are no more.
//
// A wait that may block is announced to the scheduler, whose monitor then wakes
// again and again to see whether it does: a busy port does without.
func (po *poller) look(deadline time.Time) {
	po.next, po.last = 0, 0
	if po.busy {
		po.last = po.wait(pollOnce)
	}
	if po.last == 0 {
		po.last = po.wait(deadline)
	}
	po.busy = po.last > 1
}

// more reports whether there are descriptors that are ready.
func (po *poller) more() bool { return po.next < po.last }

// take returns the watch of the next of them, and what happened.
func (po *poller) take() (id uintptr, events uint32) {
	e := &po.events[po.next]
	po.next++
	return uintptr(uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32), e.Events
}

// wake ends the present wait, or the next.
func (po *poller) wake() {
	one := uint64(1)
	syscall.RawSyscall(unix.SYS_WRITE, uintptr(po.eventfd), uintptr(unsafe.Pointer(&one)), 8)
}

func (po *poller) close() {
	unix.Close(po.eventfd)
	unix.Close(po.epoll)
}
