package ws2

import (
	"sync"

	"upcall.dev/spi"
)

// secondNames is a namespace provider of version 2 as one of version 1.
type secondNames struct {
	dll     *DLL
	id      spi.GUID
	routine *spi.NSPv2Routine
	session uintptr
	over    chan struct{} // closed by the cleanup, under mu

	mu      sync.Mutex // a leaf lock; guards the rest
	last    spi.Lookup
	lookups map[spi.Lookup]*secondLookup
}

// secondLookup is a lookup of such a provider.
type secondLookup struct {
	handle spi.Lookup    // the provider's
	ended  chan struct{} // closed by its end
	turn   chan struct{} // holds an element while a thread is in Next, and guards the rest
	found  *spi.QuerySet // a result that had no room
	passed bool          // the provider had a result that was too large
}

// startSecond is the NSPStartup of an advertised provider.
func (p *nameProvider) startSecond(id *spi.GUID, _ spi.NSPHost) (spi.NSP, spi.Errno) {
	s := &secondNames{dll: p.dll, id: *id, routine: p.routine, over: make(chan struct{}), lookups: map[spi.Lookup]*secondLookup{}}
	if start := p.routine.LpNSPv2Startup; start != nil {
		if e := start(id, &s.session); e != 0 && e != spi.WSAEOPNOTSUPP {
			return nil, e
		}
	}
	return s, 0
}

// NSPCleanup ends the session: every lookup first, and what waits for answers.
func (s *secondNames) NSPCleanup(*spi.GUID) spi.Errno {
	s.mu.Lock()
	var all []spi.Lookup
	for h := range s.lookups {
		all = append(all, h)
	}
	close(s.over)
	s.mu.Unlock()
	for _, h := range all {
		s.NSPLookupServiceEnd(h)
	}
	id := s.id
	if rundown := s.routine.LpNSPv2ClientSessionRundown; rundown != nil {
		rundown(&id, s.session)
	}
	if cleanup := s.routine.LpNSPv2Cleanup; cleanup != nil {
		if e := cleanup(&id, s.session); e != spi.WSAEOPNOTSUPP {
			return e
		}
	}
	return 0
}

// NSPLookupServiceBegin begins a lookup.
func (s *secondNames) NSPLookupServiceBegin(id *spi.GUID, restrictions *spi.QuerySet, _ *spi.ServiceClassInfo, flags uint32) (spi.Lookup, spi.Errno) {
	handle, e := s.routine.LpNSPv2LookupServiceBegin(id, restrictions.Second(), flags, s.session)
	if e != 0 {
		return 0, e
	}
	l := &secondLookup{handle: handle, ended: make(chan struct{}), turn: make(chan struct{}, 1)}
	s.mu.Lock()
	over := s.isOver()
	s.last++
	h := s.last
	if !over {
		s.lookups[h] = l
	}
	s.mu.Unlock()
	if over {
		s.routine.LpNSPv2LookupServiceEnd(handle)
		return 0, spi.WSASERVICE_NOT_FOUND
	}
	return h, 0
}

// isOver reports whether the cleanup has begun.
func (s *secondNames) isOver() bool {
	select {
	case <-s.over:
		return true
	default:
		return false
	}
}

func (s *secondNames) lookup(h spi.Lookup) *secondLookup {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lookups[h]
}

const firstResult = 2048 // bytes of room that a result is given at first

// NSPLookupServiceNext waits for the next result. One that has no room is kept
// for the next call.
func (s *secondNames) NSPLookupServiceNext(h spi.Lookup, flags uint32, length *uint32, results []byte) spi.Errno {
	l := s.lookup(h)
	if l == nil {
		return s.unknown()
	}
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-l.ended:
		return s.cancelled()
	}
	if flags&spi.LUP_FLUSHPREVIOUS != 0 {
		l.found = nil
		if !l.passed {
			flags &^= spi.LUP_FLUSHPREVIOUS // the provider has passed over it by now
		}
	}
	l.passed = false
	if l.found == nil {
		found, needed, e := s.next(l, flags)
		if e != 0 {
			*length = max(needed, *length)
			l.passed = e == spi.WSAEFAULT
			return e
		}
		l.found = found
	}
	e := l.found.Pack(results, length)
	if e == 0 {
		l.found = nil
	}
	return e
}

// next has the provider find a result in as much room as that needs, up to
// largestResult. With WSAEFAULT it returns how much it would take.
func (s *secondNames) next(l *secondLookup, flags uint32) (found *spi.QuerySet, needed uint32, e spi.Errno) {
	room := uint32(firstResult)
	for range 4 { // it may change between being told the length and asking again
		c := &asyncCall{length: room, results: make([]byte, room)}
		e = s.call(c, l.ended, func(call spi.AsyncCall) {
			s.routine.LpNSPv2LookupServiceNextEx(call, l.handle, flags, &c.length, c.results)
		})
		if e == 0 {
			result := spi.QuerySet2At(c.results).First()
			if result == nil {
				return nil, 0, spi.WSASYSCALLFAILURE
			}
			found, e = result.Clone()
			return found, 0, e
		}
		if e != spi.WSAEFAULT {
			return nil, 0, e
		}
		if c.length <= room || c.length > largestResult {
			return nil, c.length, e
		}
		room, needed = c.length, c.length
		flags &^= spi.LUP_FLUSHPREVIOUS
	}
	return nil, needed, e
}

// NSPLookupServiceEnd ends a lookup.
func (s *secondNames) NSPLookupServiceEnd(h spi.Lookup) spi.Errno {
	s.mu.Lock()
	l := s.lookups[h]
	delete(s.lookups, h)
	s.mu.Unlock()
	if l == nil {
		return s.unknown()
	}
	close(l.ended)
	return s.routine.LpNSPv2LookupServiceEnd(l.handle)
}

// unknown is the code for a lookup that is not there.
func (s *secondNames) unknown() spi.Errno {
	if s.isOver() {
		return spi.WSASERVICE_NOT_FOUND
	}
	return spi.WSA_INVALID_HANDLE
}

// cancelled is the code for what the end of its lookup has cut short, or that of
// the provider's use.
func (s *secondNames) cancelled() spi.Errno {
	if s.isOver() {
		return spi.WSASERVICE_NOT_FOUND
	}
	return spi.WSA_E_CANCELLED
}

// NSPSetService has a service registered or removed.
func (s *secondNames) NSPSetService(id *spi.GUID, _ *spi.ServiceClassInfo, regInfo *spi.QuerySet, operation int32, flags uint32) spi.Errno {
	set := s.routine.LpNSPv2SetServiceEx
	if set == nil {
		return spi.WSAEOPNOTSUPP
	}
	return s.call(new(asyncCall), s.over, func(call spi.AsyncCall) {
		set(call, id, regInfo.Second(), operation, flags, s.session)
	})
}

// call makes a call and waits for its answer, no longer than to the end of what
// it is part of.
func (s *secondNames) call(c *asyncCall, ended <-chan struct{}, begin func(spi.AsyncCall)) spi.Errno {
	c.answered = make(chan struct{})
	number, ok := s.dll.names.calls.Insert(c, 0)
	if !ok {
		return spi.WSA_NOT_ENOUGH_MEMORY
	}
	returned := false
	defer func() {
		if !returned { // it panics, and will not answer
			s.dll.names.calls.Remove(number)
		}
	}()
	begin(spi.AsyncCall(number))
	returned = true
	select {
	case <-c.answered:
		return c.code
	case <-ended:
		return s.cancelled()
	}
}

// NSPInstallServiceClass, and what follows, is not for providers of version 2.
func (s *secondNames) NSPInstallServiceClass(*spi.GUID, *spi.ServiceClassInfo) spi.Errno {
	return spi.WSAEOPNOTSUPP
}

// NSPRemoveServiceClass is refused.
func (s *secondNames) NSPRemoveServiceClass(_, _ *spi.GUID) spi.Errno { return spi.WSAEOPNOTSUPP }

// NSPGetServiceClassInfo is refused.
func (s *secondNames) NSPGetServiceClassInfo(_, _ *spi.GUID, _ *uint32, _ []byte) spi.Errno {
	return spi.WSAEOPNOTSUPP
}

// NSPIoctl is refused.
func (s *secondNames) NSPIoctl(spi.Lookup, uint32, []byte, []byte, *uint32, *spi.NotifyCompletion, *spi.ThreadID) spi.Errno {
	return spi.WSAEOPNOTSUPP
}
