package ws2

import (
	"sync"

	"upcall.dev/spi"
)

// lookup is a query that one or several namespace providers answer, one after
// the other.
type lookup struct {
	flags uint32
	parts []part

	mu    sync.Mutex // a leaf lock; guards the rest
	at    int        // whose turn it is
	found bool       // one has had a result
	cause spi.Errno  // why the others had none, the gravest
	ended bool
}

// part is one provider's share of a lookup.
type part struct {
	provider *nameProvider
	handle   spi.Lookup
}

// WSALookupServiceBegin begins a lookup, which [Thread.WSALookupServiceEnd]
// ends. Which namespace providers it asks, in the order of the catalog, query's
// NSProviderID says, or else its NameSpace. Nothing is searched yet.
//
// WSAEFAULT (no query), WSAEINVAL (sizes, no class of service without
// LUP_CONTAINERS, no such provider), WSASERVICE_NOT_FOUND (no active provider
// of the namespace), a [ProviderError] (the only one cannot be started), and,
// when every provider refuses, the errors of NSPLookupServiceBegin.
// Source: winsock2/nf-winsock2-wsalookupservicebeginw.
func (t *Thread) WSALookupServiceBegin(query *spi.QuerySet, flags uint32) (spi.Lookup, error) {
	r, e := t.enter()
	if e != 0 {
		return 0, t.fail(e)
	}
	copied, e := query.Clone()
	if e == 0 && copied.ServiceClassID == nil && flags&spi.LUP_CONTAINERS == 0 {
		e = spi.WSAEINVAL
	}
	if e != 0 {
		return 0, t.fail(e)
	}
	providers, e := r.namespaces(copied.NSProviderID, copied.NameSpace)
	if e != 0 {
		return 0, t.fail(e)
	}
	h, _, err := t.dll.beginLookup(providers, copied, flags)
	if err != nil {
		return 0, t.failWith(err)
	}
	return h, nil
}

// beginLookup begins a lookup with those of the providers that will.
func (d *DLL) beginLookup(providers []*nameProvider, query *spi.QuerySet, flags uint32) (spi.Lookup, *lookup, error) {
	l := &lookup{flags: flags}
	var failure error
	for _, p := range providers {
		h, err := p.begin(query, flags)
		if err == nil {
			l.parts = append(l.parts, part{p, h})
			continue
		}
		l.cause = graver(l.cause, CodeOf(err))
		if failure == nil || l.cause == CodeOf(err) {
			failure = err
		}
	}
	if len(l.parts) == 0 {
		return 0, nil, failure
	}
	handle, e := d.names.add(l)
	if e != 0 {
		l.end()
		return 0, nil, e.Err()
	}
	return handle, l, nil
}

func (p *nameProvider) begin(query *spi.QuerySet, flags uint32) (spi.Lookup, error) {
	if err := p.start(); err != nil {
		p.complain.once(p.dll, err.Error())
		return 0, err
	}
	h, e := p.lookupBegin(query, flags)
	return h, reported(e).Err()
}

// gravity orders the reasons for finding nothing: a name that exists without
// what was asked for tells more than one that is not known to somebody else,
// and a search that failed may have missed it.
func gravity(e spi.Errno) int {
	switch e {
	case 0, spi.WSA_E_NO_MORE, spi.WSAENOMORE:
		return 0
	case spi.WSASERVICE_NOT_FOUND, spi.WSAEOPNOTSUPP:
		return 1
	case spi.WSAHOST_NOT_FOUND:
		return 2
	case spi.WSANO_DATA:
		return 3
	case spi.WSATRY_AGAIN:
		return 4
	}
	return 5
}

func graver(a, b spi.Errno) spi.Errno {
	if gravity(b) > gravity(a) {
		return b
	}
	return a
}

// WSALookupServiceNext stores the next result at the beginning of results
// ([spi.QuerySetAt] reads it), with what it points to behind it. length counts
// bytes: the room going in, and with WSAEFAULT what is needed coming out.
// flags restrict Begin's; LUP_FLUSHPREVIOUS passes over a result that was too
// large.
//
// WSA_E_NO_MORE (the end), WSA_E_CANCELLED (the lookup was ended meanwhile),
// WSA_INVALID_HANDLE, WSAEFAULT, and when no provider has found anything the
// gravest of their errors: WSANO_DATA, WSAHOST_NOT_FOUND, WSASERVICE_NOT_FOUND,
// WSATRY_AGAIN, WSANO_RECOVERY.
// Source: winsock2/nf-winsock2-wsalookupservicenextw.
func (t *Thread) WSALookupServiceNext(h spi.Lookup, flags uint32, length *uint32, results []byte) error {
	if _, e := t.enter(); e != 0 {
		return t.fail(e)
	}
	l := t.dll.names.lookups.Get(uintptr(h))
	if l == nil {
		return t.fail(spi.WSA_INVALID_HANDLE)
	}
	if length == nil {
		return t.fail(spi.WSAEFAULT)
	}
	*length = uint32(min(uint64(*length), uint64(len(results))))
	return t.result(l.next(flags, length, results))
}

// behaviourFlags have their effect in Next whatever Begin was given.
const behaviourFlags = spi.LUP_FLUSHPREVIOUS | spi.LUP_RES_SERVICE

func (l *lookup) next(flags uint32, length *uint32, results []byte) spi.Errno {
	flags = flags&l.flags | flags&behaviourFlags
	for {
		l.mu.Lock()
		at, ended := l.at, l.ended
		l.mu.Unlock()
		if ended {
			return spi.WSA_E_CANCELLED
		}
		if at == len(l.parts) {
			return l.exhausted()
		}
		room := *length
		e := reported(l.parts[at].provider.lookupNext(l.parts[at].handle, flags, length, results[:room]))
		again := l.after(at, e)
		if !again {
			return l.outcome(e)
		}
		*length = room
		flags &^= spi.LUP_FLUSHPREVIOUS // the result to pass over was the last provider's
	}
}

// after notes what the provider at a place has answered, and reports whether
// the next one is to be asked.
func (l *lookup) after(at int, e spi.Errno) (next bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.ended || e == spi.WSAEFAULT:
		return false
	case e == 0:
		l.found = true
		return false
	case l.at == at: // no other thread was faster
		l.at++
		l.cause = graver(l.cause, e)
	}
	return true
}

func (l *lookup) outcome(e spi.Errno) spi.Errno {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return spi.WSA_E_CANCELLED
	}
	return e
}

// exhausted is what comes after the last provider's last result.
func (l *lookup) exhausted() spi.Errno {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.found || gravity(l.cause) == 0 {
		return spi.WSA_E_NO_MORE
	}
	return l.cause
}

// end ends the lookup with all its providers, once.
func (l *lookup) end() {
	l.mu.Lock()
	before := l.ended
	l.ended = true
	l.mu.Unlock()
	if before {
		return
	}
	for _, p := range l.parts {
		p.provider.lookupEnd(p.handle)
	}
}

// WSALookupServiceEnd ends a lookup. It may be called from another thread than
// the one that is in [Thread.WSALookupServiceNext], whose call then gives
// WSA_E_CANCELLED. WSA_INVALID_HANDLE.
// Source: winsock2/nf-winsock2-wsalookupserviceend.
func (t *Thread) WSALookupServiceEnd(h spi.Lookup) error {
	if _, e := t.enter(); e != 0 {
		return t.fail(e)
	}
	l := t.dll.names.lookups.Remove(uintptr(h))
	if l == nil {
		return t.fail(spi.WSA_INVALID_HANDLE)
	}
	l.end()
	return nil
}

// WSANSPIoctl controls a lookup of one namespace provider. With
// SIO_NSP_NOTIFY_CHANGE it tells when the lookup's results are out of date: with
// no completion, or one of the type NSP_NOTIFY_IMMEDIATELY, at once (nil when
// they are, WSAEWOULDBLOCK while they hold); otherwise it gives WSA_IO_PENDING
// and the completion tells, with WSA_OPERATION_ABORTED when the lookup is ended
// first.
//
// WSA_INVALID_HANDLE (no such lookup, event or port), WSAEINVAL (a lookup of
// several providers, or a completion that cannot be), WSAEFAULT (no returned),
// WSAEOPNOTSUPP (the provider cannot tell; an APC on the unbound thread), and
// the other errors of NSPIoctl. Source: winsock2/nf-winsock2-wsanspioctl.
func (t *Thread) WSANSPIoctl(h spi.Lookup, code uint32, in, out []byte, returned *uint32, completion *spi.NotifyCompletion) error {
	if _, e := t.enter(); e != 0 {
		return t.fail(e)
	}
	l := t.dll.names.lookups.Get(uintptr(h))
	switch {
	case l == nil:
		return t.fail(spi.WSA_INVALID_HANDLE)
	case len(l.parts) != 1:
		return t.fail(spi.WSAEINVAL)
	case returned == nil:
		return t.fail(spi.WSAEFAULT)
	}
	*returned = 0
	if completion != nil && completion.Type == spi.NSP_NOTIFY_IMMEDIATELY {
		completion = nil
	}
	if completion != nil {
		if e := t.prepare(completion); e != 0 {
			return t.fail(e)
		}
	}
	return t.result(l.parts[0].provider.ioctl(l.parts[0].handle, code, in, out, returned, completion, &t.id))
}

// prepare checks a completion and starts its operation.
func (t *Thread) prepare(c *spi.NotifyCompletion) spi.Errno {
	switch c.Type {
	case spi.NSP_NOTIFY_HWND:
		if !t.dll.windows.reachable(spi.HWND(c.Handle)) {
			return spi.WSAEINVAL
		}
		return 0
	case spi.NSP_NOTIFY_EVENT:
		if c.Overlapped == nil {
			return spi.WSAEINVAL
		}
		if e := t.dll.wpuResetEvent(c.Overlapped.HEvent); e != 0 {
			return e
		}
	case spi.NSP_NOTIFY_APC:
		switch {
		case !t.bound:
			return spi.WSAEOPNOTSUPP
		case c.Overlapped == nil || c.Routine == nil:
			return spi.WSAEINVAL
		}
	case spi.NSP_NOTIFY_PORT:
		if c.Overlapped == nil {
			return spi.WSAEINVAL
		}
		if t.dll.ports.objects.Get(c.Handle) == nil {
			return spi.WSA_INVALID_HANDLE
		}
	default:
		return spi.WSAEINVAL
	}
	c.Overlapped.Offset, c.Overlapped.OffsetHigh = 0, 0
	c.Overlapped.Start()
	return 0
}
