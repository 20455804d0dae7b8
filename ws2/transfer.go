package ws2

import (
	"math"
	"sync"
	"time"

	"upcall.dev/spi"
)

// scratch is what a plain send or receive hands to its provider by pointer, kept
// so that the call allocates nothing.
type scratch struct {
	bufs     [1]spi.Buf
	n, flags uint32
}

var scratchPool = sync.Pool{New: func() any { return new(scratch) }}

// borrow returns a scratch for one call: the bound thread's own, unless a call
// from inside another (a blocking hook, an APC) finds it in use.
func (t *Thread) borrow(b []byte, flags int32) *scratch {
	x := &t.scratch
	if !t.bound || t.scratchInUse {
		x = scratchPool.Get().(*scratch)
	} else {
		t.scratchInUse = true
	}
	x.bufs[0] = spi.NewBuf(b[:min(len(b), math.MaxInt32)])
	x.n, x.flags = 0, uint32(flags)
	return x
}

// giveBack ends the use of x and returns the bytes moved.
func (t *Thread) giveBack(x *scratch) int {
	n := int(x.n)
	x.bufs[0] = spi.Buf{}
	if x == &t.scratch {
		t.scratchInUse = false
	} else {
		scratchPool.Put(x)
	}
	return n
}

// Send sends b and returns the number of bytes taken: all of them on a blocking
// stream. Errors of WSPSend. Source: winsock2/nf-winsock2-send.
func (t *Thread) Send(s spi.Socket, b []byte, flags int32) (int, error) {
	sock, e := t.lookup(s)
	if e != 0 {
		return 0, t.fail(e)
	}
	x := t.borrow(b, flags)
	e = sock.provider.WSPSend(s, x.bufs[:], &x.n, x.flags, nil, nil, &t.id)
	n := t.giveBack(x)
	if e != 0 {
		return 0, t.fail(e)
	}
	return min(n, len(b)), nil
}

// Recv receives into b; zero bytes are the end of a stream. A message that is
// longer than b gives WSAEMSGSIZE and the bytes that b holds. Other errors of
// WSPRecv. Source: winsock/nf-winsock-recv.
func (t *Thread) Recv(s spi.Socket, b []byte, flags int32) (int, error) {
	sock, e := t.lookup(s)
	if e != 0 {
		return 0, t.fail(e)
	}
	x := t.borrow(b, flags)
	e = sock.provider.WSPRecv(s, x.bufs[:], &x.n, &x.flags, nil, nil, &t.id)
	return t.received(x, b, e)
}

// received ends Recv and RecvFrom.
func (t *Thread) received(x *scratch, b []byte, e spi.Errno) (int, error) {
	if e == 0 && x.flags&spi.MSG_PARTIAL != 0 {
		e = spi.WSAEMSGSIZE
	}
	n := min(t.giveBack(x), len(b)) // whatever the provider says
	switch e {
	case 0:
		return n, nil
	case spi.WSAEMSGSIZE:
		return n, t.fail(e)
	}
	return 0, t.fail(e)
}

// SendTo is [Thread.Send] to an address. Errors of WSPSendTo.
// Source: winsock/nf-winsock-sendto.
func (t *Thread) SendTo(s spi.Socket, b []byte, flags int32, to []byte) (int, error) {
	sock, e := t.lookup(s)
	if e != 0 {
		return 0, t.fail(e)
	}
	x := t.borrow(b, flags)
	e = sock.provider.WSPSendTo(s, x.bufs[:], &x.n, x.flags, to, nil, nil, &t.id)
	n := t.giveBack(x)
	if e != 0 {
		return 0, t.fail(e)
	}
	return min(n, len(b)), nil
}

// RecvFrom is [Thread.Recv] that also stores the sender's address, unless from
// and fromLen are nil. Source: winsock/nf-winsock-recvfrom.
func (t *Thread) RecvFrom(s spi.Socket, b []byte, flags int32, from []byte, fromLen *int32) (int, error) {
	sock, e := t.lookup(s)
	if e != 0 {
		return 0, t.fail(e)
	}
	x := t.borrow(b, flags)
	e = sock.provider.WSPRecvFrom(s, x.bufs[:], &x.n, &x.flags, from, fromLen, nil, nil, &t.id)
	return t.received(x, b, e)
}

// overlapped checks the parameters of a call that may be overlapped: without
// ov the routine does not count and there must be a place for the result; a
// routine needs a bound thread to run on, and a socket without a port. It
// returns the place and the routine to hand on.
func (t *Thread) overlapped(sock *socket, result *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine) (*uint32, spi.CompletionRoutine, spi.Errno) {
	switch {
	case ov == nil && result == nil:
		return nil, nil, spi.WSAEFAULT
	case ov == nil:
		return result, nil, 0
	case routine != nil && !t.bound:
		return nil, nil, spi.WSAEOPNOTSUPP
	case routine != nil && sock.hasPort():
		return nil, nil, spi.WSAEINVAL
	case result == nil:
		result = new(uint32)
	}
	t.startsIO()
	return result, routine, 0
}

// startsIO notes that the thread has operations to cancel at its end.
func (t *Thread) startsIO() {
	if t.bound {
		t.overlaps = true
	}
}

// WSASend sends bufs. With ov the operation may go on after the call, which
// then gives WSA_IO_PENDING, and ends in routine, or in ov's event and the
// socket's completion port. WSAEFAULT (neither sent nor ov), WSAEOPNOTSUPP (a
// routine on the unbound thread), WSAEINVAL (a routine and a port), and the
// errors of WSPSend.
// Source: winsock2/nf-winsock2-wsasend.
func (t *Thread) WSASend(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, ov *spi.Overlapped, routine spi.CompletionRoutine) error {
	sock, e := t.lookup(s)
	if e == 0 {
		sent, routine, e = t.overlapped(sock, sent, ov, routine)
	}
	if e != 0 {
		return t.fail(e)
	}
	return t.result(sock.provider.WSPSend(s, bufs, sent, flags, ov, routine, &t.id))
}

// WSASendTo is [Thread.WSASend] to an address.
// Source: winsock2/nf-winsock2-wsasendto.
func (t *Thread) WSASendTo(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, to []byte, ov *spi.Overlapped, routine spi.CompletionRoutine) error {
	sock, e := t.lookup(s)
	if e == 0 {
		sent, routine, e = t.overlapped(sock, sent, ov, routine)
	}
	if e != 0 {
		return t.fail(e)
	}
	return t.result(sock.provider.WSPSendTo(s, bufs, sent, flags, to, ov, routine, &t.id))
}

// WSARecv receives into bufs; flags is in/out. Overlapped use and errors as
// [Thread.WSASend], and WSAEFAULT without flags.
// Source: winsock2/nf-winsock2-wsarecv.
func (t *Thread) WSARecv(s spi.Socket, bufs []spi.Buf, received, flags *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine) error {
	sock, e := t.lookup(s)
	if e == 0 {
		received, routine, e = t.overlapped(sock, received, ov, routine)
	}
	if e == 0 && flags == nil {
		e = spi.WSAEFAULT
	}
	if e != 0 {
		return t.fail(e)
	}
	return t.result(sock.provider.WSPRecv(s, bufs, received, flags, ov, routine, &t.id))
}

// WSARecvFrom is [Thread.WSARecv] that also stores the sender's address; with
// ov, from and fromLen must stay valid until the operation completes.
// Source: winsock2/nf-winsock2-wsarecvfrom.
func (t *Thread) WSARecvFrom(s spi.Socket, bufs []spi.Buf, received, flags *uint32, from []byte, fromLen *int32, ov *spi.Overlapped, routine spi.CompletionRoutine) error {
	sock, e := t.lookup(s)
	if e == 0 {
		received, routine, e = t.overlapped(sock, received, ov, routine)
	}
	if e == 0 && flags == nil {
		e = spi.WSAEFAULT
	}
	if e != 0 {
		return t.fail(e)
	}
	return t.result(sock.provider.WSPRecvFrom(s, bufs, received, flags, from, fromLen, ov, routine, &t.id))
}

// outcomePoll is how long a wait for an outcome lasts before it looks whether
// the last WSACleanup has ended the operation, which tells nobody.
const outcomePoll = 100 * time.Millisecond

// WSAGetOverlappedResult stores the outcome of an overlapped operation, with
// wait after its end: the event is set, or, if the operation has none, its
// status has changed. WSA_IO_INCOMPLETE (not done, and wait is false),
// WSAEFAULT (a nil pointer), or the operation's own error.
// Source: winsock2/nf-winsock2-wsagetoverlappedresult.
func (t *Thread) WSAGetOverlappedResult(s spi.Socket, ov *spi.Overlapped, transferred *uint32, wait bool, flags *uint32) error {
	sock, e := t.lookup(s)
	if e != 0 {
		return t.fail(e)
	}
	if ov == nil || transferred == nil || flags == nil {
		return t.fail(spi.WSAEFAULT)
	}
	pending := ov.InProgress() // it may end while the provider says that it does not wait
	e = sock.provider.WSPGetOverlappedResult(s, ov, transferred, wait, flags)
	if wait && e != 0 && pending && !isIFS(s) && ov.HEvent.Untagged() == spi.InvalidEvent {
		// The provider waits for events alone.
		t.dll.awaitOutcome(ov)
		e = sock.provider.WSPGetOverlappedResult(s, ov, transferred, false, flags)
	}
	return t.result(e)
}

// awaitOutcome waits until WPUCompleteOverlappedRequest has completed an
// operation, or the DLL's use has ended.
func (d *DLL) awaitOutcome(ov *spi.Overlapped) {
	done := d.outcomes.Wait(ov)
	if done == nil {
		return
	}
	ticker := time.NewTicker(outcomePoll)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			if !ov.InProgress() || d.client.Load() == nil {
				d.outcomes.Completed(ov) // forgets the wait
				return
			}
		}
	}
}
