//go:build linux

package kernel

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// pollSet is the sockets that one call of WSPSelect or WSAPoll looks at. Each is
// in it once, however often the call names it, so that the kernel is asked no
// more than once about a socket and its limit on the length of a list, the
// number of descriptors that a process may have, is never reached.
type pollSet struct {
	on  []*descriptor // entered
	fds []unix.PollFd // of on, in the same order, and behind them the waiting call's own

	// places is where a descriptor number is in on, if the descriptor there says
	// so too: it is never cleared.
	places []int32

	members []member // room for the caller's own list
}

// member is one place where the client's lists name a socket.
type member struct {
	place int32 // in the pollSet; negative for none
	ask   int16
	found bool
}

var pollSets = sync.Pool{New: func() any { return new(pollSet) }}

func newPollSet() *pollSet { return pollSets.Get().(*pollSet) }

// free lets go of the sockets.
func (s *pollSet) free() {
	for _, d := range s.on {
		d.release()
	}
	clear(s.on)
	s.on, s.fds, s.members = s.on[:0], s.fds[:0], s.members[:0]
	pollSets.Put(s)
}

// add puts a socket into the set and returns its place.
func (s *pollSet) add(p *provider, handle spi.Socket) (int32, spi.Errno) {
	d, e := p.acquire(handle)
	if e != 0 {
		return -1, e
	}
	if d.fd >= len(s.places) {
		s.places = append(s.places, make([]int32, d.fd+1-len(s.places))...)
	}
	place := s.places[d.fd]
	if int(place) < len(s.on) && s.on[place] == d {
		d.release()
		return place, 0
	}
	place = int32(len(s.on))
	s.places[d.fd] = place
	s.on = append(s.on, d)
	s.fds = append(s.fds, unix.PollFd{Fd: int32(d.fd)})
	return place, 0
}

// ask adds to what poll(2) tells about the socket at a place.
func (s *pollSet) ask(place int32, events int16) { s.fds[place].Events |= events }

// found returns what poll(2) has told about the socket at a place.
func (s *pollSet) found(place int32) int16 { return s.fds[place].Revents }

// look asks the kernel about every socket, without waiting.
func (s *pollSet) look() spi.Errno {
	for i, d := range s.on {
		s.fds[i].Fd = int32(d.fd)
	}
	_, errno := poll(s.fds[:len(s.on)], 0)
	return spi.FromErrno(errno)
}

// recheck is how often sockets are looked at again whose poll(2) cannot be
// waited for, because it tells of something that nobody asks about.
const recheck = 20 * time.Millisecond

// wait looks at the sockets until answer, which reads what was found, returns
// another number than 0, or until limit has passed, unless that is negative.
// WSAENOTSOCK when a socket was closed, WSAEINTR when the call was cancelled.
func (s *pollSet) wait(p *provider, limit time.Duration, answer func() int32) (int32, spi.Errno) {
	if e := s.look(); e != 0 {
		return 0, e
	}
	if count := answer(); count != 0 || limit == 0 {
		return count, 0
	}
	var call call
	defer call.end()
	if e := call.begin(p, p.entries[s.on[0].kind].CatalogEntryID, limit, s.on...); e != 0 {
		return 0, e
	}
	s.fds = append(s.fds, unix.PollFd{}) // the call's own
	for {
		most := time.Duration(-1)
		if s.leaveOut() {
			most = recheck
		}
		e := call.poll(s.fds, most)
		switch {
		case e == spi.WSAEINTR && !p.ended.Load() && s.anyClosed():
			return 0, spi.WSAENOTSOCK
		case e != 0 && e != spi.WSAETIMEDOUT:
			return 0, e
		}
		if most >= 0 || e != 0 {
			if e := s.look(); e != 0 {
				return 0, e
			}
		}
		if count := answer(); count != 0 || e != 0 {
			return count, 0
		}
	}
}

// leaveOut takes the sockets out of the next wait of which poll(2) tells
// something that was of no use, and reports whether there are any.
func (s *pollSet) leaveOut() bool {
	some := false
	for i := range s.on {
		if s.fds[i].Revents != 0 {
			s.fds[i].Fd, s.fds[i].Revents = -1, 0
			some = true
		}
	}
	return some
}

func (s *pollSet) anyClosed() bool {
	for _, d := range s.on {
		if d.isClosed() {
			return true
		}
	}
	return false
}
