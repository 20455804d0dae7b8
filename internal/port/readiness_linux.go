package port

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// readiness is an epoll instance that tells the readiness of descriptors rather
// than going on with operations. Nothing waits in it.
type readiness struct {
	epoll  int
	events *[mostEvents]unix.EpollEvent
}

func newReadiness() (readiness, spi.Errno) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return readiness{}, pollerError(err)
	}
	return readiness{epoll, new([mostEvents]unix.EpollEvent)}, 0
}

func (e readiness) fd() uintptr { return uintptr(e.epoll) }

func (e readiness) close() { unix.Close(e.epoll) }

// interest is what epoll is asked for: a hangup and an error come unasked.
func interest(filter uint16) uint32 {
	var events uint32
	if filter&spi.SOCK_NOTIFY_EVENT_IN != 0 {
		events |= unix.EPOLLIN
	}
	if filter&spi.SOCK_NOTIFY_EVENT_OUT != 0 {
		events |= unix.EPOLLOUT
	}
	if filter&spi.SOCK_NOTIFY_EVENT_HANGUP != 0 {
		events |= unix.EPOLLRDHUP
	}
	return events
}

func told(events uint32) uint16 {
	var filter uint16
	if events&unix.EPOLLIN != 0 {
		filter |= spi.SOCK_NOTIFY_EVENT_IN
	}
	if events&unix.EPOLLOUT != 0 {
		filter |= spi.SOCK_NOTIFY_EVENT_OUT
	}
	if events&(unix.EPOLLRDHUP|unix.EPOLLHUP) != 0 {
		filter |= spi.SOCK_NOTIFY_EVENT_HANGUP
	}
	if events&unix.EPOLLERR != 0 {
		filter |= spi.SOCK_NOTIFY_EVENT_ERR
	}
	return filter
}

// arm has the instance tell of a registration's events: of each change, or once
// of a state. It tells at once of what holds.
func (e readiness) arm(r *Registration, changes bool) spi.Errno {
	event := unix.EpollEvent{Events: interest(r.filter), Fd: int32(r.fd), Pad: int32(r.number)}
	if changes {
		event.Events |= unix.EPOLLET
	} else {
		event.Events |= unix.EPOLLONESHOT
	}
	err := unix.EpollCtl(e.epoll, unix.EPOLL_CTL_MOD, int(r.fd), &event)
	if err == unix.ENOENT {
		err = unix.EpollCtl(e.epoll, unix.EPOLL_CTL_ADD, int(r.fd), &event)
	}
	if err != nil {
		return pollerError(err)
	}
	return 0
}

func (e readiness) disarm(fd uintptr) {
	_ = unix.EpollCtl(e.epoll, unix.EPOLL_CTL_DEL, int(fd), new(unix.EpollEvent)) // a closed descriptor is out already
}

// each calls tell with what the instance has to tell, until there is no more.
func (e readiness) each(tell func(fd uintptr, number uint32, events uint16)) {
	for {
		n, _, code := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(e.epoll), uintptr(unsafe.Pointer(e.events)), mostEvents, 0, 0, 0)
		if code != 0 {
			return
		}
		for i := range e.events[:n] {
			event := &e.events[i]
			tell(uintptr(event.Fd), uint32(event.Pad), told(event.Events))
		}
		if n < mostEvents {
			return
		}
	}
}

// now returns what holds of a descriptor.
func (e readiness) now(fd uintptr) uint16 {
	p := unix.PollFd{Fd: int32(fd), Events: unix.POLLIN | unix.POLLOUT | unix.POLLRDHUP}
	_, _, code := syscall.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&unix.Timespec{})), 0, 0, 0)
	if code != 0 || p.Revents&unix.POLLNVAL != 0 {
		return 0
	}
	return told(uint32(p.Revents)) // the bits of poll are those of epoll
}
