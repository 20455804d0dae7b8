package layer

import (
	"sync"

	"upcall.dev/spi"
)

// Chains is one loaded layer's way to its next providers. It finds them as the
// documentation tells a layer to: its own id is the bare-layer entry of its
// ProviderID in WSCEnumProtocols; the id after it in a chain entry is the next
// entry, whose provider WPUGetProviderPath locates and WSPStartup starts. Each
// chain entry's next provider is started once, when the entry is first used.
//
// Source: https://learn.microsoft.com/windows/win32/winsock/layered-protocols-and-protocol-chains-2
type Chains struct {
	id spi.GUID

	// mu guards what follows. It is a leaf: it is held neither across a call
	// into a provider nor across an upcall.
	mu     sync.Mutex
	starts int   // successful Start calls without their Cleanup
	run    *run  // from the first start to the last cleanup, else nil
	host   *Host // of the latest start
}

// run is what a layer keeps from its first start to its last cleanup.
type run struct {
	links   []*Link // chain entries with this layer, in catalog order
	groups  []*group
	sockets sockets
}

// Host is what a provider receives at WSPStartup to call the DLL with.
type Host struct {
	Upcalls spi.UpcallTable
	DLL     spi.DLL
}

// NewChains returns the chains of the layer that is installed under id.
func NewChains(id spi.GUID) *Chains { return &Chains{id: id} }

// Start counts one WSPStartup with the chain entry info and starts the next
// provider of that chain, unless it is started already. WSAEFAULT (no info),
// and the errors of [Chains.Find].
func (c *Chains) Start(info *spi.ProtocolInfo, upcalls spi.UpcallTable, dll spi.DLL) (*Link, spi.Errno) {
	if info == nil || dll == nil {
		return nil, spi.WSAEFAULT
	}
	fresh := newRun(c.id, dll.WSCEnumProtocols())
	c.mu.Lock()
	if c.run == nil {
		c.run = fresh
	}
	c.starts++
	c.host = &Host{Upcalls: upcalls, DLL: dll}
	c.mu.Unlock()

	link, errno := c.Find(info)
	if errno != 0 {
		c.Cleanup()
		return nil, errno
	}
	return link, 0
}

// Cleanup undoes one Start. The last one calls WSPCleanup of each next
// provider, once for each of its starts, and returns the first error.
// WSANOTINITIALISED when every Start is undone already.
func (c *Chains) Cleanup() spi.Errno {
	ended, errno := c.stop()
	if ended == nil {
		return errno
	}
	return ended.cleanup(nil)
}

// stop counts one cleanup. The last one ends the run and returns it; its next
// providers are then still started.
func (c *Chains) stop() (ended *run, errno spi.Errno) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.starts == 0 {
		return nil, spi.WSANOTINITIALISED
	}
	c.starts--
	if c.starts > 0 {
		return nil, 0
	}
	ended, c.run = c.run, nil
	return ended, 0
}

// cleanup undoes the starts of the next providers of a run that has ended, only
// those of group g unless that is nil.
func (r *run) cleanup(g *group) (first spi.Errno) {
	for _, l := range r.links {
		if l.next == nil || g != nil && l.group != g {
			continue
		}
		if errno := l.next.WSPCleanup(); errno != 0 && first == 0 {
			first = errno
		}
	}
	return first
}

// Host returns what the latest start passed, or nil before the first.
func (c *Chains) Host() *Host {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.host
}

// running reports whether r is the current run.
func (c *Chains) running(r *run) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.run == r
}

// Links returns the chain entries that the layer is in, in catalog order,
// started or not; none when it is not started.
func (c *Chains) Links() []*Link {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.run == nil {
		return nil
	}
	return c.run.links
}

// Find returns the link of a chain entry, with its next provider started.
// WSANOTINITIALISED, WSAEINVAL (the layer is in no such chain entry),
// WSAEPROVIDERFAILEDINIT (the next provider cannot be found, loaded or
// started, or the chain comes to this layer again), WSAEINVALIDPROVIDER (it does not speak version 2.2),
// WSAEINVALIDPROCTABLE (it lacks a function).
//
// Of callers that come while another one starts the provider, each waits for
// the outcome. They wait only for providers further down the same chain entry.
// As a chain that comes to a layer again is refused, the waiting cannot go in a
// circle.
func (c *Chains) Find(info *spi.ProtocolInfo) (*Link, spi.Errno) {
	if info == nil {
		return nil, spi.WSAEINVAL
	}
	c.mu.Lock()
	if c.run == nil {
		c.mu.Unlock()
		return nil, spi.WSANOTINITIALISED
	}
	link := c.run.link(info.CatalogEntryID)
	switch {
	case link == nil:
		c.mu.Unlock()
		return nil, spi.WSAEINVAL
	case link.broken:
		c.mu.Unlock()
		return nil, spi.WSAEPROVIDERFAILEDINIT
	case link.next != nil:
		c.mu.Unlock()
		return link, 0
	case link.starting != nil:
		other := link.starting
		c.mu.Unlock()
		<-other.done
		return link, other.errno
	}
	mine := &attempt{done: make(chan struct{})}
	link.starting = mine
	host, current := c.host, c.run
	c.mu.Unlock()

	next, errno := link.load(host)

	c.mu.Lock()
	link.starting = nil
	tooLate := errno == 0 && c.run != current
	if tooLate {
		errno = spi.WSANOTINITIALISED
	} else {
		link.next = next
	}
	c.mu.Unlock()
	if tooLate {
		next.WSPCleanup()
	}
	mine.errno = errno
	close(mine.done)
	return link, errno
}

// attempt is one start of a next provider; errno is valid once done is closed.
type attempt struct {
	done  chan struct{}
	errno spi.Errno
}
