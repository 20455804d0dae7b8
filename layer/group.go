package layer

import (
	"errors"
	"log"
	"sync"

	"upcall.dev/spi"
)

// group is the links that have the same next provider and kind of handle:
// the author's New is called once for each.
type group struct {
	nextID spi.GUID
	ifs    bool

	mu    sync.Mutex // guards what follows, also while New runs; Chains.mu is taken under it
	upper spi.Provider
	own   *ownHandles // what upper stands on when it has handles of its own
}

// provider returns the author's provider, nil before New has made it.
func (g *group) provider() spi.Provider {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.upper
}

func (g *group) ownHandles() *ownHandles {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.own
}

func (r *run) groupOf(l *Link) *group {
	for _, g := range r.groups {
		if g.nextID == l.nextEntry.ProviderID && g.ifs == l.ifs {
			return g
		}
	}
	g := &group{nextID: l.nextEntry.ProviderID, ifs: l.ifs}
	r.groups = append(r.groups, g)
	return g
}

// provider returns the layer's own provider for a link whose next provider is
// started.
func (m *module) provider(link *Link) (spi.Provider, spi.Errno) {
	g := link.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.upper != nil {
		return g.upper, 0
	}
	next, own := m.below(link)
	upper, err := m.definition.New(next, m.loaded.Options)
	if err == nil && spi.CheckProvider(upper) != 0 {
		err = spi.WSAEINVALIDPROCTABLE
	}
	if err != nil {
		if own != nil {
			own.Stop()
		}
		log.Printf("layer %s cannot start over %s: %v", m.definition.Name, link.nextEntry.Name(), err)
		if errno, ok := errors.AsType[spi.Errno](err); ok && errno != 0 {
			return nil, errno
		}
		return nil, spi.WSAEPROVIDERFAILEDINIT
	}
	g.upper, g.own = upper, own
	return upper, 0
}

// below returns the provider that the author's New gets as next, and the same
// again when it has handles of its own.
func (m *module) below(link *Link) (spi.Provider, *ownHandles) {
	if link.group.ifs && !m.definition.seesBytes(m.loaded.Options) {
		return &descriptors{Provider: link.next, module: m, group: link.group, run: link.run}, nil
	}
	own := newOwnHandles(m, link)
	return own, own
}
