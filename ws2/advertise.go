package ws2

import (
	"upcall.dev/spi"
)

// WSAAdvertiseProvider makes the caller's own functions answer for a namespace
// provider of the catalog, in place of what its path names, until
// [Thread.WSAUnadvertiseProvider] or the last WSACleanup. Only this DLL's
// clients are answered by them: there are no providers in other processes.
//
// WSAEINVAL (a nil pointer, or [spi.CheckNSPv2] refuses the table),
// WSAEINVALIDPROVIDER (no namespace provider of the catalog has the id),
// WSAEALREADY (it is advertised).
// Source: ws2spi/nf-ws2spi-wsaadvertiseprovider.
func (t *Thread) WSAAdvertiseProvider(id *spi.GUID, routine *spi.NSPv2Routine) error {
	r, e := t.enter()
	if e == 0 && id == nil {
		e = spi.WSAEINVAL
	}
	if e == 0 {
		e = spi.CheckNSPv2(routine)
	}
	if e != 0 {
		return t.fail(e)
	}
	p := r.nameProvider(*id)
	if p == nil {
		return t.fail(spi.WSAEINVALIDPROVIDER)
	}
	table := *routine
	return t.result(t.dll.names.advertise(p, &nameProvider{dll: t.dll, info: p.info, name: p.name, routine: &table}))
}

// WSAUnadvertiseProvider undoes [Thread.WSAAdvertiseProvider]: the provider's
// lookups end, those that wait for it find nothing more, and its cleanup is
// called. WSAEINVAL (nil, or it is not advertised).
// Source: ws2spi/nf-ws2spi-wsaunadvertiseprovider.
func (t *Thread) WSAUnadvertiseProvider(id *spi.GUID) error {
	r, e := t.enter()
	if e != 0 {
		return t.fail(e)
	}
	var advertised *nameProvider
	if id != nil {
		if p := r.nameProvider(*id); p != nil {
			advertised = p.advertised.Swap(nil)
		}
	}
	if advertised == nil {
		return t.fail(spi.WSAEINVAL)
	}
	advertised.retire()
	return nil
}

// WSAProviderCompleteAsyncCall answers a call to a namespace provider of version
// 2, once, from any thread. WSAEINVAL (no such call, or it is answered).
// Source: ws2spi/nf-ws2spi-wsaprovidercompleteasynccall.
func (t *Thread) WSAProviderCompleteAsyncCall(call spi.AsyncCall, code spi.Errno) error {
	if t.dll.current.Load() == nil {
		return t.fail(spi.WSANOTINITIALISED)
	}
	c := t.dll.names.calls.Remove(uintptr(call))
	if c == nil {
		return t.fail(spi.WSAEINVAL)
	}
	c.code = code
	close(c.answered)
	return nil
}

// asyncCall is a call that [Thread.WSAProviderCompleteAsyncCall] ends.
type asyncCall struct {
	answered chan struct{}
	code     spi.Errno // valid once answered is closed

	// The provider may write here until it has answered, however long nobody
	// waits for that any more.
	length  uint32
	results []byte
}

// advertise makes advertised answer for p.
func (n *nameTable) advertise(p, advertised *nameProvider) spi.Errno {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.ended:
		return spi.WSANOTINITIALISED
	case !p.advertised.CompareAndSwap(nil, advertised):
		return spi.WSAEALREADY
	}
	return 0
}

func (r *running) nameProvider(id spi.GUID) *nameProvider {
	for _, p := range r.names {
		if p.info.ID == id {
			return p
		}
	}
	return nil
}

// current returns what answers for the provider.
func (p *nameProvider) current() *nameProvider {
	if advertised := p.advertised.Load(); advertised != nil {
		return advertised
	}
	return p
}

// gone is why a provider that has been retired cannot be used.
func (p *nameProvider) gone() error {
	if p.routine != nil && p.dll.client.Load() != nil {
		return spi.WSASERVICE_NOT_FOUND.Err()
	}
	return spi.WSANOTINITIALISED.Err()
}
