package namespace

import (
	"upcall.dev/spi"
)

// notice is what waits to be told of a change.
type notice struct {
	completion spi.NotifyCompletion
	thread     spi.ThreadID
}

// NSPIoctl answers SIO_NSP_NOTIFY_CHANGE if the resolver can tell of changes.
func (p *Provider) NSPIoctl(h spi.Lookup, code uint32, _, _ []byte, returned *uint32, completion *spi.NotifyCompletion, thread *spi.ThreadID) spi.Errno {
	s := p.searches.Get(uintptr(h))
	if s == nil {
		return spi.WSA_INVALID_HANDLE
	}
	changer, ok := p.resolver.(Changer)
	if code != spi.SIO_NSP_NOTIFY_CHANGE || !ok {
		return spi.WSAEOPNOTSUPP
	}
	if returned != nil {
		*returned = 0
	}
	if completion == nil || completion.Type == spi.NSP_NOTIFY_IMMEDIATELY {
		if s.outdated(changer.Serial()) {
			return 0
		}
		return spi.WSAEWOULDBLOCK
	}
	n := notice{completion: *completion}
	if thread != nil {
		n.thread = *thread
	}
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return spi.WSA_INVALID_HANDLE
	}
	s.pending = append(s.pending, n)
	s.mu.Unlock()
	p.followChanges(changer)
	p.changed(changer) // one that came before the following began
	return spi.WSA_IO_PENDING
}

func (s *search) outdated(serial uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.serial != serial
}

// followChanges starts the goroutine that tells of changes, once in a start.
func (p *Provider) followChanges(changer Changer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.follow || p.ctx == nil {
		return
	}
	p.follow = true
	ctx := p.ctx
	p.tasks.Go(func() { changer.Follow(ctx, func() { p.changed(changer) }) })
}

// changed tells those searches whose names are out of date.
func (p *Provider) changed(changer Changer) {
	serial := changer.Serial()
	for _, s := range p.searches.All() {
		if s.outdated(serial) {
			s.tell(0)
		}
	}
}

// tell completes what is pending.
func (s *search) tell(status spi.Errno) {
	s.mu.Lock()
	pending := s.pending
	s.pending = nil
	s.mu.Unlock()
	if len(pending) == 0 {
		return
	}
	s.provider.mu.Lock()
	host := s.provider.host
	s.provider.mu.Unlock()
	for i := range pending {
		host.Notify(&pending[i].completion, &pending[i].thread, status)
	}
}
