package namespace

import (
	"context"
	"net/netip"
	"strconv"
	"sync"

	"upcall.dev/spi"
)

// search is one lookup.
type search struct {
	provider   *Provider
	providerID spi.GUID
	flags      uint32 // of Begin
	query      *spi.QuerySet

	kind     kind
	question Question
	addr     netip.Addr // reverse
	port     uint16     // service
	protocol int32      // IPPROTO_UDP, else TCP

	ctx    context.Context
	cancel context.CancelFunc

	once   sync.Once
	answer Answer    // written in once
	failed spi.Errno // written in once

	mu      sync.Mutex // a leaf lock; guards the rest
	at      int        // the next result
	refused bool       // it was too large for the last buffer
	ended   bool
	serial  uint64 // of the namespace when the search began
	pending []notice
}

// next stores one result: the host, or the address, then its other names.
func (s *search) next(flags uint32, length *uint32, results []byte) spi.Errno {
	s.once.Do(s.search)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.ctx.Err() != nil {
		return spi.WSA_E_CANCELLED
	}
	if s.failed != 0 {
		return s.failed
	}
	if flags&spi.LUP_FLUSHPREVIOUS != 0 && s.refused {
		s.at++
	}
	s.refused = false
	count := 1
	if s.flags&flags&spi.LUP_RETURN_ALIASES != 0 {
		count += len(s.answer.Aliases)
	}
	if s.at >= count {
		return spi.WSA_E_NO_MORE
	}
	q := s.result(s.at, s.flags&flags)
	e := q.Pack(results, length)
	s.refused = e == spi.WSAEFAULT
	if e == 0 {
		s.at++
	}
	return e
}

// search asks the resolver.
func (s *search) search() {
	s.failed = spi.WSANO_RECOVERY // stays if the resolver panics
	var err error
	if s.kind == reverse {
		s.answer, err = s.provider.resolver.Reverse(s.ctx, s.addr)
	} else {
		s.answer, err = s.provider.resolver.Forward(s.ctx, s.question)
		s.answer.Addresses = withScope(s.answer.Addresses)
		if err == nil && len(s.answer.Addresses) == 0 {
			err = spi.WSANO_DATA
		}
	}
	s.failed = codeOf(s.ctx, err)
}

// withScope leaves out the addresses whose scope is an interface's name: a
// sockaddr has room for its number alone, and without it they are other ones.
func withScope(all []netip.Addr) (known []netip.Addr) {
	for _, addr := range all {
		if _, err := strconv.ParseUint(addr.Zone(), 10, 32); err == nil || addr.Zone() == "" {
			known = append(known, addr)
		}
	}
	return known
}

// end cancels the search and what waits for changes.
func (s *search) end() {
	s.cancel()
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.tell(spi.WSA_OPERATION_ABORTED)
}
