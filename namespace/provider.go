package namespace

import (
	"context"
	"errors"
	"net/netip"
	"sync"

	"upcall.dev/internal/slot"
	"upcall.dev/spi"
)

// Resolver finds what a namespace knows. Its functions may be called at the same
// time; they return as soon as ctx ends. An error that is a [spi.Errno] is told
// as it is: WSAHOST_NOT_FOUND (there is no such name), WSANO_DATA (it has nothing
// of what is asked for), WSATRY_AGAIN, WSANO_RECOVERY.
type Resolver interface {
	// Forward finds the addresses of a host.
	Forward(ctx context.Context, q Question) (Answer, error)
	// Reverse finds the names of an address.
	Reverse(ctx context.Context, addr netip.Addr) (Answer, error)
}

// Question is what is asked about a host.
type Question struct {
	Name      string
	IPv4      bool // its IPv4 addresses
	IPv6      bool // its IPv6 addresses
	Canonical bool // its other names
	Fresh     bool // caches do not count (LUP_FLUSHCACHE)
}

// Answer is what a [Resolver] has found.
type Answer struct {
	Name      string // the canonical one
	Aliases   []string
	Addresses []netip.Addr
}

// Changer is a [Resolver] whose names may change with notice.
type Changer interface {
	// Serial returns a number that has grown if any name has changed.
	Serial() uint64
	// Follow calls changed after each change until ctx ends. One call may stand
	// for several.
	Follow(ctx context.Context, changed func())
}

// Provider is a namespace provider over a [Resolver]. Make one with [New].
type Provider struct {
	resolver  Resolver
	nameSpace uint32
	searches  *slot.Table[search]

	mu     sync.Mutex // a leaf lock; guards the rest
	starts int
	host   spi.NSPHost
	ctx    context.Context // of the present start; nil if there is none
	stop   context.CancelFunc
	tasks  sync.WaitGroup // of the present start
	follow bool           // a goroutine follows changes
}

// New returns a provider that serves a namespace, NS_.
func New(resolver Resolver, nameSpace uint32) *Provider {
	return &Provider{resolver: resolver, nameSpace: nameSpace, searches: slot.New[search](0)}
}

// Startup is NSPStartup.
func (p *Provider) Startup(_ *spi.GUID, host spi.NSPHost) (spi.NSP, spi.Errno) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.starts == 0 {
		p.ctx, p.stop = context.WithCancel(context.Background())
	}
	p.starts++
	p.host = host
	return p, 0
}

// NSPCleanup undoes one start. The last one ends every search.
// WSANOTINITIALISED (there is no start to undo).
func (p *Provider) NSPCleanup(*spi.GUID) spi.Errno {
	p.mu.Lock()
	if p.starts == 0 {
		p.mu.Unlock()
		return spi.WSANOTINITIALISED
	}
	p.starts--
	if p.starts > 0 {
		p.mu.Unlock()
		return 0
	}
	p.stop()
	p.ctx, p.follow = nil, false
	p.mu.Unlock()
	for handle := range p.searches.All() {
		p.NSPLookupServiceEnd(spi.Lookup(handle))
	}
	p.tasks.Wait()
	return 0
}

// NSPLookupServiceBegin reads the query and searches nothing yet.
func (p *Provider) NSPLookupServiceBegin(providerID *spi.GUID, restrictions *spi.QuerySet, _ *spi.ServiceClassInfo, flags uint32) (spi.Lookup, spi.Errno) {
	query, e := restrictions.Clone()
	if e != 0 {
		return 0, e
	}
	if flags&spi.LUP_CONTAINERS != 0 {
		return 0, spi.WSANO_DATA // there are no containers
	}
	s := &search{provider: p, flags: flags, query: query}
	if providerID != nil {
		s.providerID = *providerID
	}
	if e := s.read(); e != 0 {
		return 0, e
	}
	p.mu.Lock()
	parent := p.ctx
	p.mu.Unlock()
	if parent == nil {
		return 0, spi.WSANOTINITIALISED
	}
	s.ctx, s.cancel = context.WithCancel(parent)
	if c, ok := p.resolver.(Changer); ok {
		s.serial = c.Serial()
	}
	handle, ok := p.searches.Insert(s, 0)
	if !ok {
		s.cancel()
		return 0, spi.WSA_NOT_ENOUGH_MEMORY
	}
	return spi.Lookup(handle), 0
}

// NSPLookupServiceNext searches at the first call, and stores the results one by
// one.
func (p *Provider) NSPLookupServiceNext(h spi.Lookup, flags uint32, length *uint32, results []byte) spi.Errno {
	s := p.searches.Get(uintptr(h))
	if s == nil {
		return spi.WSA_INVALID_HANDLE
	}
	if length == nil {
		return spi.WSAEFAULT
	}
	return s.next(flags, length, results)
}

// NSPLookupServiceEnd ends a search, one that is under way too.
func (p *Provider) NSPLookupServiceEnd(h spi.Lookup) spi.Errno {
	s := p.searches.Remove(uintptr(h))
	if s == nil {
		return spi.WSA_INVALID_HANDLE
	}
	s.end()
	return 0
}

// NSPSetService refuses: services are where the names are kept.
func (p *Provider) NSPSetService(*spi.GUID, *spi.ServiceClassInfo, *spi.QuerySet, int32, uint32) spi.Errno {
	return spi.WSAEOPNOTSUPP
}

// NSPInstallServiceClass refuses: the classes are those of the internet.
func (p *Provider) NSPInstallServiceClass(*spi.GUID, *spi.ServiceClassInfo) spi.Errno {
	return spi.WSAEOPNOTSUPP
}

// NSPRemoveServiceClass refuses: the classes are those of the internet.
func (p *Provider) NSPRemoveServiceClass(_, _ *spi.GUID) spi.Errno { return spi.WSAEOPNOTSUPP }

// codeOf returns the code of a resolver's error.
func codeOf(ctx context.Context, err error) spi.Errno {
	var code spi.Errno
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		return spi.WSA_E_CANCELLED
	case errors.As(err, &code):
		return code
	}
	return spi.WSANO_RECOVERY
}
