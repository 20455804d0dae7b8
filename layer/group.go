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

	mu    sync.Mutex // guards upper while New runs; nothing is locked under it
	upper spi.Provider
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
	upper, err := m.definition.New(m.below(link), m.loaded.Options)
	if err != nil {
		log.Printf("layer %s cannot start over %s: %v", m.definition.Name, link.nextEntry.Name(), err)
		if errno, ok := errors.AsType[spi.Errno](err); ok && errno != 0 {
			return nil, errno
		}
		return nil, spi.WSAEPROVIDERFAILEDINIT
	}
	if errno := spi.CheckProvider(upper); errno != 0 {
		return nil, errno
	}
	g.upper = upper
	return upper, 0
}
