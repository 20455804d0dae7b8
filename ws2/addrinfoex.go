package ws2

import (
	"sync"
	"time"

	"upcall.dev/spi"
)

// NameCompletion is LOOKUPSERVICE_COMPLETION_ROUTINE: it is called on a
// goroutine of the DLL's own when an asynchronous [Thread.GetAddrInfoEx] ends.
// The list is in the result that the call was given. The last WSACleanup waits
// for its return, and so must not be called in it.
type NameCompletion func(e spi.Errno, bytes uint32, ov *spi.Overlapped)

// asyncRequest is a request for names that runs on a goroutine: of
// GetAddrInfoEx, or of WSAAsyncGetHostByName and its like.
type asyncRequest struct {
	canceller
	database bool // of WSAAsyncGet...

	outcome sync.Mutex // a leaf but for what telling takes; guards told
	told    bool       // the end has been told, or will not be
}

// tell runs function, which tells how the request ended, unless that was done.
func (a *asyncRequest) tell(function func()) bool {
	a.outcome.Lock()
	defer a.outcome.Unlock()
	if a.told {
		return false
	}
	a.told = true
	function()
	return true
}

// abandon cancels the request. One whose end is a window message tells nothing
// any more.
func (a *asyncRequest) abandon() {
	if a.database {
		a.tell(func() {})
	}
	a.cancel()
}

// GetAddrInfoEx is [Thread.GetAddrInfo] for the providers of one namespace, or
// the one with the id. The answers of several are joined without repeating an
// address. Without ov it stores the list in *result before it returns; with ov
// it gives WSA_IO_PENDING, stores the list when it is there, and then sets ov's
// event or, instead, calls routine. handle receives what
// [Thread.GetAddrInfoExCancel] takes. nil as the timeout means none.
//
// Errors of GetAddrInfo, WSAEFAULT (no result), WSAEINVAL (ov with neither event
// nor routine, or both; a routine or handle without ov; a timeout below zero, an
// unknown provider), WSA_INVALID_HANDLE (the event is none), WSAETIMEDOUT,
// WSA_E_CANCELLED.
// Source: ws2tcpip/nf-ws2tcpip-getaddrinfoexw.
func (t *Thread) GetAddrInfoEx(node, service *string, nameSpace uint32, provider *spi.GUID, hints *spi.AddrInfoEx,
	result **spi.AddrInfoEx, timeout *spi.Timeval, ov *spi.Overlapped, routine NameCompletion, handle *uintptr,
) error {
	r, e := t.enter()
	if e != 0 {
		return t.fail(e)
	}
	q := &addrRequest{node: node, service: service, nameSpace: nameSpace, merge: true}
	if provider != nil {
		id := *provider
		q.provider = &id
	}
	if hints != nil {
		if hints.AddrLen != 0 || hints.CanonName != nil || hints.Addr != nil || hints.Next != nil || hints.Blob != nil || hints.BlobLen != 0 {
			return t.fail(spi.WSANO_RECOVERY)
		}
		q.flags, q.family, q.sockType, q.protocol = hints.Flags, hints.Family, hints.SockType, hints.Protocol
	}
	limit, e := patience(timeout)
	switch {
	case result == nil:
		e = spi.WSAEFAULT
	case e != 0:
	case ov == nil && (routine != nil || handle != nil),
		ov != nil && (routine == nil) == (ov.HEvent.Untagged() == spi.InvalidEvent):
		e = spi.WSAEINVAL
	default:
		e = q.check()
	}
	if e != 0 {
		return t.fail(e)
	}
	*result = nil
	if ov != nil {
		return t.result(t.getAddrInfoLater(r, q, result, limit, ov, routine, handle))
	}
	a := new(asyncRequest)
	list, err := t.dll.limited(r, q, a, limit)
	if err != nil {
		return t.failWith(err)
	}
	*result = list
	return nil
}

// patience returns the time that a timeout allows; zero for no limit.
func patience(timeout *spi.Timeval) (time.Duration, spi.Errno) {
	if timeout == nil {
		return 0, 0
	}
	if timeout.Sec < 0 || timeout.Usec < 0 {
		return 0, spi.WSAEINVAL
	}
	d := time.Duration(timeout.Sec)*time.Second + time.Duration(timeout.Usec)*time.Microsecond
	return max(d, time.Nanosecond), 0
}

// getAddrInfoLater begins an asynchronous request.
func (t *Thread) getAddrInfoLater(r *running, q *addrRequest, result **spi.AddrInfoEx, limit time.Duration, ov *spi.Overlapped, routine NameCompletion, handle *uintptr) spi.Errno {
	d, ev := t.dll, ov.HEvent
	if routine == nil {
		if e := d.wpuResetEvent(ev); e != 0 {
			return e
		}
	}
	a := new(asyncRequest)
	number, ok := d.names.async.Insert(a, 0)
	if !ok {
		return spi.WSA_NOT_ENOUGH_MEMORY
	}
	if handle != nil {
		*handle = number
	}
	ov.Start()
	ran := d.names.run(func() {
		list, err := d.limited(r, q, a, limit)
		d.names.async.Remove(number)
		*result = list
		code := CodeOf(err)
		ov.Complete(code, 0)
		if routine != nil {
			routine(code, 0, ov)
		} else {
			d.wpuSetEvent(ev)
		}
	})
	if !ran {
		d.names.async.Remove(number)
		ov.Complete(spi.WSANOTINITIALISED, 0)
		return spi.WSANOTINITIALISED
	}
	return spi.WSA_IO_PENDING
}

// limited resolves within a time; zero is no limit.
func (d *DLL) limited(r *running, q *addrRequest, a *asyncRequest, limit time.Duration) (*spi.AddrInfoEx, error) {
	late := make(chan struct{})
	if limit > 0 {
		timer := time.AfterFunc(limit, func() {
			close(late)
			a.cancel()
		})
		defer timer.Stop()
	}
	all, canonical, err := d.resolve(r, q, &a.canceller)
	if CodeOf(err) == spi.WSA_E_CANCELLED {
		select {
		case <-late:
			return nil, spi.WSAETIMEDOUT.Err()
		default:
		}
	}
	if err != nil {
		return nil, err
	}
	var first *spi.AddrInfoEx
	at := &first
	for _, found := range all {
		entry := &spi.AddrInfoEx{
			Family: spi.AddressFamily(found.name), SockType: found.sockType, Protocol: found.protocol,
			AddrLen: uintptr(len(found.name)), Addr: &found.name[0],
		}
		if id := found.provider; id != (spi.GUID{}) {
			entry.Provider = &id
		}
		*at, at = entry, &entry.Next
	}
	if q.flags&(spi.AI_CANONNAME|spi.AI_FQDN) != 0 {
		first.CanonName = spi.UTF16Ptr(canonical)
	}
	return first, nil
}

// GetAddrInfoExCancel cancels an asynchronous [Thread.GetAddrInfoEx], which then
// completes with WSA_E_CANCELLED. WSAEFAULT (nil), WSA_INVALID_HANDLE (no such
// request, or it has ended).
// Source: ws2tcpip/nf-ws2tcpip-getaddrinfoexcancel.
func (t *Thread) GetAddrInfoExCancel(handle *uintptr) error {
	if _, e := t.enter(); e != 0 {
		return t.fail(e)
	}
	if handle == nil {
		return t.fail(spi.WSAEFAULT)
	}
	a := t.dll.names.async.Get(*handle)
	if a == nil || a.database {
		return t.fail(spi.WSA_INVALID_HANDLE)
	}
	a.cancel()
	return nil
}

// GetAddrInfoExOverlappedResult returns how an asynchronous
// [Thread.GetAddrInfoEx] ended: nil, or its error. WSAEINVAL (nil),
// WSAEINPROGRESS (it has not ended yet).
// Source: ws2tcpip/nf-ws2tcpip-getaddrinfoexoverlappedresult.
func (t *Thread) GetAddrInfoExOverlappedResult(ov *spi.Overlapped) error {
	switch {
	case ov == nil:
		return t.fail(spi.WSAEINVAL)
	case ov.InProgress():
		return t.fail(spi.WSAEINPROGRESS)
	}
	return t.result(spi.Errno(ov.Internal))
}
