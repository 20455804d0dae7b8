package namespace

import (
	"context"
	"net/netip"
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
	if flags&spi.LUP_FLUSHPREVIOUS != 0 {
		s.at++
	}
	count := 1
	if s.flags&flags&spi.LUP_RETURN_ALIASES != 0 {
		count += len(s.answer.Aliases)
	}
	if s.at >= count {
		return spi.WSA_E_NO_MORE
	}
	q := s.result(s.at, s.flags&flags)
	if e := q.Pack(results, length); e != 0 {
		return e
	}
	s.at++
	return 0
}

// search asks the resolver.
func (s *search) search() {
	s.failed = spi.WSANO_RECOVERY // stays if the resolver panics
	var err error
	if s.kind == reverse {
		s.answer, err = s.provider.resolver.Reverse(s.ctx, s.addr)
	} else {
		s.answer, err = s.provider.resolver.Forward(s.ctx, s.question)
		if err == nil && len(s.answer.Addresses) == 0 {
			err = spi.WSANO_DATA
		}
	}
	s.failed = codeOf(s.ctx, err)
}

// end cancels the search and what waits for changes.
func (s *search) end() {
	s.cancel()
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.tell(spi.WSA_OPERATION_ABORTED)
}
