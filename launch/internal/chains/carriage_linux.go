package chains

import (
	"upcall.dev/catalog"
	"upcall.dev/spi"
)

// Carriage is what a kind of socket needs of a door.
type Carriage int

// Kinds of carriage, the one that needs less before the one that needs more.
const (
	// Untouched sockets have no chain, or the kernel's provider alone: what they
	// do is what they do without upcall.
	Untouched Carriage = iota
	// Own sockets are given to the chain themselves, an IFS chain.
	Own
	// Joined sockets are joined to a socket of the chain.
	Joined
)

// kernelDriver is the base provider that does what the program would do itself.
const kernelDriver = "kernel"

func carriageOf(e *catalog.Entry) Carriage {
	switch {
	case e == nil:
		return Untouched
	case !e.IFS():
		return Joined
	case e.Base():
		if name, _, isGo, err := spi.ParseGoPath(e.Path); isGo && err == nil && name == kernelDriver {
			return Untouched
		}
	}
	return Own
}

// Carriage returns what sockets of a domain and type of Linux need.
func (c *Chains) Carriage(domain, sockType int) Carriage {
	return carriageOf(c.entry(domain, sockType))
}

// Streams returns the most that any program's TCP sockets need by the catalog as
// it is now.
func (s *Set) Streams() Carriage {
	s.mu.Lock()
	installed := s.installed
	s.mu.Unlock()
	return mostOf(installed, s.first, tcp4, tcp6)
}

// Datagrams returns the most that any program's UDP sockets need by the catalog
// as it is now.
func (s *Set) Datagrams() Carriage {
	s.mu.Lock()
	installed := s.installed
	s.mu.Unlock()
	return mostOf(installed, s.first, udp4, udp6)
}

// mostOf is the most that sockets of these kinds need. Where programs have
// categories of their own, each gets one of the first entries, at the latest the
// first base entry, which all may use.
func mostOf(installed *catalog.Catalog, program string, kinds ...int) (most Carriage) {
	apart := installed.HasApplications()
	categories := installed.ApplicationCategories(program, "")
	entries := installed.Entries()
	for _, kind := range kinds {
		for i := range entries {
			e := &entries[i]
			if kindOfEntry(e) != kind || e.Layer() || !apart && !installed.Usable(e, categories) {
				continue
			}
			most = max(most, carriageOf(e))
			if !apart || e.Base() {
				break
			}
		}
	}
	return most
}
