package socks

import (
	"slices"
	"time"

	"upcall.dev/spi"
)

// waiter is sockets of one kind in a call of WSPSelect or WSAPoll.
type waiter interface {
	// ready finds which of them are ready. When none is it waits, for limit at
	// most unless that is negative.
	ready(limit time.Duration) (n int32, errno spi.Errno)
}

// Several waiters are asked in turns. A socket that the layer answers for is not
// given to the next provider, which would find it ready too early.
const (
	shortestTurn = time.Millisecond
	longestTurn  = 10 * time.Millisecond
)

// among waits until sockets of some waiter are ready, for limit at most unless
// that is negative.
func among(waiters []waiter, limit time.Duration) (total int32, errno spi.Errno) {
	if len(waiters) == 1 {
		return waiters[0].ready(limit)
	}
	deadline := time.Now().Add(max(0, limit))
	turn := shortestTurn
	for i := 0; ; i++ {
		total = 0
		for _, w := range waiters {
			n, errno := w.ready(0)
			if errno != 0 {
				return 0, errno
			}
			total += n
		}
		wait := turn
		if limit >= 0 {
			wait = min(wait, time.Until(deadline))
		}
		if total > 0 || wait <= 0 {
			return total, 0
		}
		if _, errno := waiters[i%len(waiters)].ready(wait); errno != 0 {
			return 0, errno
		}
		turn = min(2*turn, longestTurn)
	}
}

// sets is the sockets that a select asks about, for reading, writing and
// exceptions.
type sets [3][]spi.Socket

func (s *sets) empty() bool { return len(s[0])+len(s[1])+len(s[2]) == 0 }

// selecting is sockets that a provider's WSPSelect is asked about.
type selecting struct {
	provider     spi.Provider
	asked, found sets
}

func (w *selecting) ready(limit time.Duration) (int32, spi.Errno) {
	var fds [3]*spi.FDSet
	for i, sockets := range w.asked {
		if len(sockets) > 0 {
			fds[i] = spi.NewFDSet(sockets...)
		}
	}
	var timeout *spi.Timeval
	if limit >= 0 {
		timeout = &spi.Timeval{Sec: int32(limit / time.Second), Usec: int32(limit % time.Second / time.Microsecond)}
	}
	n, errno := w.provider.WSPSelect(fds[0], fds[1], fds[2], timeout)
	for i := range fds {
		w.found[i] = fds[i].Sockets()
	}
	return n, errno
}

// answering is sockets that the layer answers for.
type answering struct {
	t            *streams
	asked, found sets
}

func (w *answering) ready(limit time.Duration) (n int32, errno spi.Errno) {
	errno = w.t.wait(limit, func() bool {
		n = 0
		for i, sockets := range w.asked {
			w.found[i] = w.found[i][:0]
			for _, s := range sockets {
				switch state, _ := w.t.stateOf(s); {
				case state == failed && i == 2, state == connected && i == 1:
					w.found[i] = append(w.found[i], s)
					n++
				case state == gone:
					errno = spi.WSAENOTSOCK
				}
			}
		}
		return n > 0 || errno != 0
	})
	return n, errno
}

// gone is the state of a socket that is closed.
const gone connState = -1

func (t *streams) stateOf(s spi.Socket) (connState, spi.Errno) {
	c := t.conns.get(s)
	if c == nil {
		return gone, 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return gone, 0
	}
	return c.state.Load(), c.errno
}

// wait waits until look reports true, which it asks after each end of an
// attempt, for limit at most unless that is negative. WSAEINTR.
func (t *streams) wait(limit time.Duration, look func() bool) spi.Errno {
	deadline := time.Now().Add(max(0, limit))
	for {
		news := t.module.news()
		if look() {
			return 0
		}
		left := time.Duration(0) // for ever
		if limit >= 0 {
			if left = time.Until(deadline); left <= 0 {
				return 0
			}
		}
		switch errno := t.module.datagrams.Await(news, left, t.module.entry()); errno {
		case 0, spi.WSAETIMEDOUT:
		default:
			return errno
		}
	}
}

// WSPSelect answers for sockets whose connect is under way or has failed, and
// asks the next provider about others.
func (t *streams) WSPSelect(read, write, except *spi.FDSet, timeout *spi.Timeval) (int32, spi.Errno) {
	fds := [3]*spi.FDSet{read, write, except}
	if !slices.ContainsFunc(fds[:], func(set *spi.FDSet) bool {
		return slices.ContainsFunc(set.Sockets(), func(s spi.Socket) bool { return t.answers(s) != nil })
	}) {
		return t.Provider.WSPSelect(read, write, except, timeout)
	}
	here, below := &answering{t: t}, &selecting{provider: t.Provider}
	for i, set := range fds {
		for _, s := range set.Sockets() {
			if t.answers(s) != nil {
				here.asked[i] = append(here.asked[i], s)
			} else {
				below.asked[i] = append(below.asked[i], s)
			}
		}
	}
	return selectAmong(fds, timeout, here, &here.asked, &here.found, below)
}

// selectAmong carries out a WSPSelect over sockets of two kinds.
func selectAmong(fds [3]*spi.FDSet, timeout *spi.Timeval, first waiter, firstAsked, firstFound *sets, second *selecting) (total int32, errno spi.Errno) {
	limit := time.Duration(-1)
	if timeout != nil {
		if timeout.Sec < 0 || timeout.Usec < 0 {
			return 0, spi.WSAEINVAL
		}
		limit = time.Duration(timeout.Sec)*time.Second + time.Duration(timeout.Usec)*time.Microsecond
	}
	var waiters []waiter
	if !firstAsked.empty() {
		waiters = append(waiters, first)
	}
	if !second.asked.empty() {
		waiters = append(waiters, second)
	}
	if _, errno := among(waiters, limit); errno != 0 {
		return 0, errno
	}
	for i, set := range fds {
		total += set.Keep(func(s spi.Socket) bool {
			return slices.Contains(firstFound[i], s) || slices.Contains(second.found[i], s)
		})
	}
	return total, 0
}

// polling is elements that a provider's WSAPoll is asked about.
type polling struct {
	function spi.WSAPollFunc
	fds      []spi.PollFD
}

func (w *polling) ready(limit time.Duration) (int32, spi.Errno) {
	ms := int32(-1)
	if limit >= 0 {
		ms = int32(min((limit+time.Millisecond-1)/time.Millisecond, 1<<30))
	}
	return w.function(w.fds, ms)
}

// pollingHere is elements of WSAPoll that the layer answers for.
type pollingHere struct {
	t   *streams
	fds []spi.PollFD
}

func (w *pollingHere) ready(limit time.Duration) (n int32, errno spi.Errno) {
	errno = w.t.wait(limit, func() bool {
		n = 0
		for i := range w.fds {
			f := &w.fds[i]
			f.Revents = 0
			switch state, _ := w.t.stateOf(f.FD); state {
			case failed:
				f.Revents = (spi.POLLERR | spi.POLLHUP | spi.POLLWRNORM) & (f.Events | spi.POLLERR | spi.POLLHUP)
			case connected:
				f.Revents = spi.POLLWRNORM & f.Events
			case gone:
				f.Revents = spi.POLLNVAL
			}
			if f.Revents != 0 {
				n++
			}
		}
		return n > 0
	})
	return n, errno
}

// poll is WSAPoll over next, the one of the next provider.
func (t *streams) poll(next spi.WSAPollFunc) spi.WSAPollFunc {
	return func(fds []spi.PollFD, timeout int32) (int32, spi.Errno) {
		answered := func(f spi.PollFD) bool { return int(f.FD) >= 0 && t.answers(f.FD) != nil }
		if !slices.ContainsFunc(fds, answered) {
			return next(fds, timeout)
		}
		const pollable = spi.POLLRDNORM | spi.POLLRDBAND | spi.POLLWRNORM
		for i := range fds {
			if int(fds[i].FD) >= 0 && fds[i].Events&^pollable != 0 {
				return 0, spi.WSAEINVAL
			}
		}
		here := &pollingHere{t: t}
		return pollAmong(fds, timeout, answered, here, &here.fds, &polling{function: next})
	}
}

// pollAmong carries out a WSAPoll over sockets of two kinds.
func pollAmong(fds []spi.PollFD, timeout int32, isFirst func(spi.PollFD) bool, first waiter, firstFDs *[]spi.PollFD, second *polling) (total int32, errno spi.Errno) {
	firsts := make([]bool, len(fds))
	for i, f := range fds {
		switch {
		case int(f.FD) < 0:
		case isFirst(f):
			firsts[i] = true
			*firstFDs = append(*firstFDs, f)
		default:
			second.fds = append(second.fds, f)
		}
	}
	var waiters []waiter
	if len(*firstFDs) > 0 {
		waiters = append(waiters, first)
	}
	if len(second.fds) > 0 {
		waiters = append(waiters, second)
	}
	limit := time.Duration(timeout) * time.Millisecond
	if total, errno = among(waiters, limit); errno != 0 {
		return 0, errno
	}
	for i := range fds {
		from := &second.fds
		if firsts[i] {
			from = firstFDs
		}
		if int(fds[i].FD) < 0 {
			fds[i].Revents = 0
			continue
		}
		fds[i].Revents = (*from)[0].Revents
		*from = (*from)[1:]
	}
	return total, 0
}
