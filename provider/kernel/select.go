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

// asked is one member of one set.
type asked struct {
	d      *descriptor
	events int16
	found  bool
}

// WSPSelect stands for select(2), by poll(2), with sets of any size.
//
//	set     a socket stays in it when
//	read    receiving or accepting would not block
//	write   sending would not block, or an attempt to connect has succeeded
//	except  an attempt to connect has failed, or there is urgent data
func (p *provider) WSPSelect(read, write, except *spi.FDSet, timeout *spi.Timeval) (int32, spi.Errno) {
	members := len(read.Sockets()) + len(write.Sockets()) + len(except.Sockets())
	if members == 0 || timeout != nil && (timeout.Sec < 0 || timeout.Usec < 0) {
		return 0, spi.WSAEINVAL
	}
	limit := time.Duration(-1)
	if timeout != nil {
		limit = time.Duration(timeout.Sec)*time.Second + time.Duration(timeout.Usec)*time.Microsecond
	}
	all := make([]asked, 0, members)
	defer func() {
		for _, a := range all {
			a.d.release()
		}
	}()
	for _, one := range []struct {
		set    *spi.FDSet
		events int16
	}{{read, askRead}, {write, askWrite}, {except, askExcept}} {
		for _, s := range one.set.Sockets() {
			d, e := p.acquire(s)
			if e != 0 {
				return 0, e
			}
			all = append(all, asked{d: d, events: one.events})
		}
	}
	count, e := p.selectAmong(all, limit)
	if e != 0 {
		return 0, e
	}
	rest := all
	for _, set := range []*spi.FDSet{read, write, except} {
		set.Keep(func(spi.Socket) bool {
			found := rest[0].found
			rest = rest[1:]
			return found
		})
	}
	return count, 0
}

// recheck is how often sockets are looked at again whose poll(2) cannot be
// waited for, because it tells of something that select does not ask about.
const recheck = 20 * time.Millisecond

// selectAmong marks what is ready, waiting for limit until something is.
func (p *provider) selectAmong(all []asked, limit time.Duration) (int32, spi.Errno) {
	set := make([]unix.PollFd, len(all)+1)
	for i, a := range all {
		set[i] = unix.PollFd{Fd: int32(a.d.fd), Events: a.events}
	}
	set[len(all)].Fd = -1
	if _, errno := poll(set, 0); errno != 0 {
		return 0, spi.FromErrno(errno)
	}
	count, noise := examine(all, set)
	if count > 0 || limit == 0 {
		return count, 0
	}

	var wait call
	defer wait.end()
	on := make([]*descriptor, len(all))
	for i := range all {
		on[i] = all[i].d
	}
	if e := wait.begin(p, p.entries[on[0].kind].CatalogEntryID, limit, on...); e != 0 {
		return 0, e
	}
	for {
		most := time.Duration(-1)
		if noise {
			most = recheck
		}
		e := wait.poll(set, most)
		if e != 0 && e != spi.WSAETIMEDOUT {
			if e == spi.WSAEINTR && anyClosed(on) {
				e = spi.WSAENOTSOCK
			}
			return 0, e
		}
		for i, a := range all {
			set[i].Fd = int32(a.d.fd)
		}
		set[len(all)].Fd = -1
		if _, errno := poll(set, 0); errno != 0 {
			return 0, spi.FromErrno(errno)
		}
		if count, noise = examine(all, set); count > 0 || e != 0 {
			return count, 0
		}
	}
}

func anyClosed(on []*descriptor) bool {
	for _, d := range on {
		if d.isClosed() {
			return true
		}
	}
	return false
}

// examine marks what poll(2) has found and counts it. A socket for which it
// found only what nobody asks about is taken out of the set: noise is then
// true.
func examine(all []asked, set []unix.PollFd) (count int32, noise bool) {
	for i := range all {
		a, found := &all[i], set[i].Revents
		if a.found = a.d.selected(a.events, found); a.found {
			count++
		} else if found != 0 {
			set[i].Fd = -1
			noise = true
		}
	}
	return count, noise
}

// selected reports whether a socket belongs in the set of the given kind.
func (d *descriptor) selected(ask, found int16) bool {
	if ask == askRead && (d.has(fMayDefer) && d.hasDeferred() || !d.kind.stream() && d.err.Load() != 0) {
		return true
	}
	if found == 0 {
		return false
	}
	if found&unix.POLLHUP != 0 {
		found = pollNow(d.fd, askAll)
	}
	ended := found&(unix.POLLERR|unix.POLLHUP) != 0
	if d.kind.stream() && d.has(fConnecting) {
		if ended {
			return ask == askExcept
		}
		if found&unix.POLLOUT != 0 {
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
