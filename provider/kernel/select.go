//go:build linux

package kernel

import (
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// What select(2) of Winsock asks of a socket, as poll(2) events.
const (
	askRead   = unix.POLLIN
	askWrite  = unix.POLLOUT
	askExcept = unix.POLLPRI
	askAll    = unix.POLLIN | unix.POLLOUT | unix.POLLPRI | unix.POLLRDHUP
)

// WSPSelect stands for select(2), by poll(2), with sets of any size.
//
//	set     a socket stays in it when
//	read    receiving or accepting would not block
//	write   sending would not block, or an attempt to connect has succeeded
//	except  an attempt to connect has failed, or there is urgent data
func (p *provider) WSPSelect(read, write, except *spi.FDSet, timeout *spi.Timeval) (int32, spi.Errno) {
	if timeout != nil && (timeout.Sec < 0 || timeout.Usec < 0) {
		return 0, spi.WSAEINVAL
	}
	limit := time.Duration(-1)
	if timeout != nil {
		limit = time.Duration(timeout.Sec)*time.Second + time.Duration(timeout.Usec)*time.Microsecond
	}
	set := newPollSet()
	defer set.free()
	for _, one := range []struct {
		set *spi.FDSet
		ask int16
	}{{read, askRead}, {write, askWrite}, {except, askExcept}} {
		for _, s := range one.set.Sockets() {
			place, e := set.add(p, s)
			if e != 0 {
				return 0, e
			}
			set.ask(place, one.ask)
			set.members = append(set.members, member{place: place, ask: one.ask})
		}
	}
	if len(set.members) == 0 {
		return 0, spi.WSAEINVAL
	}
	count, e := set.wait(p, limit, set.selected)
	if e != 0 {
		return 0, e
	}
	rest := set.members
	for _, one := range []*spi.FDSet{read, write, except} {
		one.Keep(func(spi.Socket) bool {
			found := rest[0].found
			rest = rest[1:]
			return found
		})
	}
	return count, 0
}

// selected marks the members that stay in their sets, and counts them.
func (s *pollSet) selected() (count int32) {
	for i := range s.members {
		m := &s.members[i]
		if m.found = s.on[m.place].selected(m.ask, s.found(m.place)); m.found {
			count++
		}
	}
	return count
}

// selected reports whether a socket belongs in the set of the given kind.
func (d *descriptor) selected(ask, found int16) bool {
	if ask == askRead && (d.has(fMayDefer) && d.hasDeferred() || d.has(fAborted) || !d.kind.stream() && d.err.Load() != 0) {
		return true
	}
	if found == 0 {
		return false
	}
	if !d.kind.stream() && found&unix.POLLERR != 0 && d.has(fNoConnReset) {
		found = d.withoutError(askAll)
	}
	if found&unix.POLLHUP != 0 {
		found = pollNow(d.fd, askAll)
	}
	ended := found&(unix.POLLERR|unix.POLLHUP) != 0
	if d.kind.stream() && d.has(fConnecting) {
		if ended {
			return ask == askExcept
		}
		if found&(unix.POLLOUT|unix.POLLIN) != 0 {
			d.clear(fConnecting)
			d.setConnected()
		}
	}
	if d.kind.stream() && found&unix.POLLHUP != 0 && found&(unix.POLLIN|unix.POLLRDHUP|unix.POLLERR) == 0 {
		return false // not connected
	}
	switch ask {
	case askRead:
		return ended || found&unix.POLLIN != 0
	case askWrite:
		return found&unix.POLLOUT != 0
	}
	return found&unix.POLLPRI != 0 && !d.urgentInline()
}

// withoutError forgets an error of a datagram socket that SIO_UDP_CONNRESET
// turned off, and looks again.
func (d *descriptor) withoutError(events int16) int16 {
	d.takeError()
	return pollNow(d.fd, events)
}
