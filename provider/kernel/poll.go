//go:build linux

package kernel

import (
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// What WSAPoll lets a client ask for; the other bits only answer, and POLLPRI is
// not supported, as by Windows' own provider.
const pollable = spi.POLLRDNORM | spi.POLLRDBAND | spi.POLLWRNORM

// pollUnasked is the bits that answer without having been asked for.
const pollUnasked = spi.POLLERR | spi.POLLHUP | spi.POLLNVAL

// poll is WSAPoll. What each bit answers:
//
//	POLLRDNORM  there is data or a connection, or receiving fails at once
//	POLLRDBAND  there is urgent data, without SO_OOBINLINE
//	POLLWRNORM  sending would not block; an attempt to connect has ended
//	POLLHUP     the peer has closed or reset the connection; connecting failed
//	POLLERR     a reset, a failed attempt to connect, an error of a datagram socket
//	POLLNVAL    not a socket of this provider, or closed meanwhile
//
// The end of a stream alone is POLLHUP without POLLRDNORM. A stream that was
// never connected has no bits. A number below zero is passed over.
func (p *provider) poll(fds []spi.PollFD, timeout int32) (int32, spi.Errno) {
	for i := range fds {
		if !passedOver(fds[i].FD) && fds[i].Events&^pollable != 0 {
			return 0, spi.WSAEINVAL
		}
	}
	set := newPollSet()
	defer set.free()
	invalid := int32(0)
	for i := range fds {
		f, m := &fds[i], member{place: -1, ask: fds[i].Events}
		f.Revents = 0
		if !passedOver(f.FD) {
			var e spi.Errno
			switch m.place, e = set.add(p, f.FD); e {
			case 0:
				set.ask(m.place, set.on[m.place].kernelEvents(f.Events))
			case spi.WSAENOTSOCK:
				f.Revents = spi.POLLNVAL
				invalid++
			default:
				return 0, e
			}
		}
		set.members = append(set.members, m)
	}
	limit := time.Duration(timeout) * time.Millisecond
	if invalid > 0 {
		limit = 0
	}
	if len(set.on) == 0 {
		if invalid == 0 {
			return 0, spi.WSAEINVAL
		}
		return invalid, 0
	}
	answer := func() int32 { return set.polled(fds) }
	count, e := set.wait(p, limit, answer)
	if e == spi.WSAENOTSOCK {
		if e = set.look(); e == 0 {
			count = answer()
		}
	}
	if e != 0 {
		return 0, e
	}
	return count + invalid, 0
}

// passedOver reports whether an element names no socket on purpose.
func passedOver(s spi.Socket) bool { return int(s) < 0 }

// polled stores the answers and counts the elements that have one.
func (s *pollSet) polled(fds []spi.PollFD) (count int32) {
	for i, m := range s.members {
		if m.place < 0 {
			continue
		}
		fds[i].Revents = s.on[m.place].polled(m.ask, s.found(m.place))
		if fds[i].Revents != 0 {
			count++
		}
	}
	return count
}

// kernelEvents is what poll(2) is asked for to answer the bits of WSAPoll.
func (d *descriptor) kernelEvents(ask int16) (events int16) {
	if d.kind.stream() {
		events = unix.POLLRDHUP
	}
	if ask&spi.POLLRDNORM != 0 {
		events |= unix.POLLIN
	}
	if ask&spi.POLLRDBAND != 0 {
		events |= unix.POLLPRI
	}
	if ask&spi.POLLWRNORM != 0 {
		events |= unix.POLLOUT
	}
	return events
}

// polled translates what poll(2) has found of a socket.
func (d *descriptor) polled(ask, found int16) int16 {
	if d.isClosed() {
		return spi.POLLNVAL
	}
	answer := d.polledStream
	if !d.kind.stream() {
		answer = d.polledDatagram
	}
	return answer(found) & (ask | pollUnasked)
}

func (d *descriptor) polledDatagram(found int16) (bits int16) {
	if found&unix.POLLERR != 0 && d.has(fNoConnReset) {
		found = d.withoutError(unix.POLLIN | unix.POLLOUT)
	}
	if found&unix.POLLERR != 0 || d.err.Load() != 0 {
		bits |= spi.POLLERR | spi.POLLRDNORM
	}
	if found&unix.POLLIN != 0 {
		bits |= spi.POLLRDNORM
	}
	if found&unix.POLLOUT != 0 {
		bits |= spi.POLLWRNORM
	}
	return bits
}

func (d *descriptor) polledStream(found int16) (bits int16) {
	has := func(events int16) bool { return found&events != 0 }
	if d.has(fMayDefer) && d.hasDeferred() {
		bits |= spi.POLLRDNORM
	}
	switch {
	case found == 0:
		return bits
	case d.has(fAborted):
		return spi.POLLERR | spi.POLLHUP | spi.POLLRDNORM | spi.POLLWRNORM
	}
	if d.has(fConnecting) {
		if has(unix.POLLERR | unix.POLLHUP) {
			return spi.POLLERR | spi.POLLHUP | spi.POLLWRNORM
		}
		if has(unix.POLLOUT | unix.POLLIN) {
			d.clear(fConnecting)
			d.setConnected()
		}
	}
	if has(unix.POLLHUP) && !has(unix.POLLIN|unix.POLLRDHUP|unix.POLLERR) {
		return 0 // not connected
	}
	ended := has(unix.POLLRDHUP | unix.POLLHUP | unix.POLLERR)
	if ended && d.peerClosed(found) {
		bits |= spi.POLLHUP
	}
	if has(unix.POLLERR) || ended && d.broken.Load() != 0 {
		bits |= spi.POLLERR | spi.POLLHUP
	}
	if has(unix.POLLIN) && (!ended || d.has(fRecvShut) || d.hasData()) {
		bits |= spi.POLLRDNORM
	}
	if has(unix.POLLPRI) && !d.urgentInline() {
		bits |= spi.POLLRDBAND
	}
	if has(unix.POLLOUT) {
		bits |= spi.POLLWRNORM
	}
	return bits
}

// hasData reports whether a stream has bytes that were not received.
func (d *descriptor) hasData() bool {
	n, errno := available(d.fd)
	return errno == 0 && n > 0
}
