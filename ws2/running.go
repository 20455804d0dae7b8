package ws2

import (
	"os"
	"strings"

	"upcall.dev/catalog"
	"upcall.dev/spi"
)

// running is the view of the catalog that one start-up works with, from the
// first WSAStartup to the last WSACleanup. It does not change; what changes is
// the state of each provider.
type running struct {
	catalog   *catalog.Catalog
	entries   []*entry // in the catalog's order
	byID      map[uint32]*entry
	providers []*provider // in the order of their first entries
	names     []*nameProvider
}

// entry is one catalog entry.
type entry struct {
	catalog.Entry
	provider *provider
	// usable is false for a bare layer, and for a chain with a layer that the
	// application's categories exclude.
	usable bool
}

// base returns the base entry that a chain ends in, the entry itself when it is
// no chain, nil when the chain is broken.
func (r *running) base(e *entry) *entry {
	ids := e.ProtocolChain.Entries()
	if len(ids) == 0 {
		return e
	}
	return r.byID[ids[len(ids)-1]]
}

// view prepares what the catalog says for the DLL's use. The application's
// categories are those of this moment.
func (d *DLL) view(c *catalog.Catalog) *running {
	categories := c.ApplicationCategories(d.application())
	installed := c.Entries()
	r := &running{
		catalog: c,
		entries: make([]*entry, 0, len(installed)),
		byID:    make(map[uint32]*entry, len(installed)),
		names:   d.nameProviders(c),
	}
	byGUID := map[spi.GUID]*provider{}
	for i := range installed {
		e := &entry{Entry: installed[i], usable: c.Usable(&installed[i], categories)}
		p := byGUID[e.ProviderID]
		if p == nil {
			p = newProvider(d, e)
			byGUID[e.ProviderID] = p
			r.providers = append(r.providers, p)
		}
		e.provider = p
		if p.first.Layer() {
			p.first = e
		}
		r.entries = append(r.entries, e)
		r.byID[e.CatalogEntryID] = e
	}
	return r
}

// application returns the program's path and its arguments, by which the
// catalog knows its categories.
func (d *DLL) application() (path, arguments string) {
	if d.config.Application != "" {
		return d.config.Application, ""
	}
	path, err := os.Executable()
	if err != nil {
		return "", ""
	}
	return path, strings.Join(os.Args[1:], " ")
}
