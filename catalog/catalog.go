package catalog

import (
	"context"
	"maps"
	"slices"

	"upcall.dev/spi"
)

// FirstID is the id of the first entry that a catalog hands out.
const FirstID = 1001

// Entry is one catalog entry: WSAPROTOCOL_INFOW and the path that its provider
// is loaded from, unexpanded. Every entry of one provider has the same path.
type Entry struct {
	spi.ProtocolInfo
	Path string
}

// Layer reports whether the entry is a bare layer, which is never chosen for a
// socket.
func (e *Entry) Layer() bool { return e.ProtocolChain.ChainLen == spi.LayeredProtocol }

// Base reports whether the entry is a base provider's.
func (e *Entry) Base() bool { return e.ProtocolChain.ChainLen == spi.BaseProtocol }

// Chain reports whether the entry is a protocol chain.
func (e *Entry) Chain() bool { return e.ProtocolChain.ChainLen > spi.BaseProtocol }

// Hidden reports whether WSAEnumProtocols leaves the entry out.
func (e *Entry) Hidden() bool { return e.Layer() || e.ProviderFlags&spi.PFL_HIDDEN != 0 }

// Source is where the DLL gets its catalog from at the first WSAStartup. Both
// [*File] and [*Catalog] are sources.
type Source interface {
	// Load returns a catalog that the caller may keep and change: it shares
	// nothing that later changes of the source could alter.
	Load() (*Catalog, error)
}

// Watched is a source that changes, and tells of it. [*File] is one.
type Watched interface {
	Source
	// Watch calls changed with what Load would return now, as often as that is
	// something else than before, until ctx ends, on the calling goroutine. It may
	// begin with what Load has returned last. It returns ctx's error, or why it
	// cannot watch.
	Watch(ctx context.Context, changed func(*Catalog, error)) error
}

// Catalog is the list of installed providers, in the order in which the DLL
// tries them. It is a plain value in memory: several goroutines may read one,
// but changing it needs the caller's own exclusion. A method that fails leaves
// it unchanged.
type Catalog struct {
	entries      []*Entry // each one is never changed once it is here, but replaced
	nextID       uint64   // above 2^32-1 when there are no more ids
	serial       uint64
	categories   map[spi.GUID]uint32 // LSP_ bits of layers
	applications []application
	namespaces   []Namespace
}

// New returns an empty catalog.
func New() *Catalog {
	return &Catalog{nextID: FirstID, categories: map[spi.GUID]uint32{}}
}

// Load returns a clone, which makes a Catalog a [Source].
func (c *Catalog) Load() (*Catalog, error) { return c.Clone(), nil }

// Clone returns a copy that can be changed without changing c.
func (c *Catalog) Clone() *Catalog {
	clone := *c
	clone.entries = slices.Clone(c.entries)
	clone.categories = maps.Clone(c.categories)
	clone.applications = slices.Clone(c.applications)
	clone.namespaces = slices.Clone(c.namespaces)
	return &clone
}

// Serial returns the number of changes that the catalog's file had seen when
// this catalog was read from it; 0 for one that was never in a file.
func (c *Catalog) Serial() uint64 { return c.serial }

// Len returns the number of entries.
func (c *Catalog) Len() int { return len(c.entries) }

// Entries returns a copy of every entry, hidden ones and bare layers included,
// in catalog order.
func (c *Catalog) Entries() []Entry {
	entries := make([]Entry, len(c.entries))
	for i, e := range c.entries {
		entries[i] = *e
	}
	return entries
}

// Lookup returns the entry with that id. It must not be changed, and stays as
// it is when the catalog changes.
func (c *Catalog) Lookup(id uint32) (*Entry, bool) {
	for _, e := range c.entries {
		if e.CatalogEntryID == id {
			return e, true
		}
	}
	return nil, false
}

// ByProvider returns the entries of one provider in catalog order, under the
// same terms as [Catalog.Lookup].
func (c *Catalog) ByProvider(id spi.GUID) []*Entry {
	var found []*Entry
	for _, e := range c.entries {
		if e.ProviderID == id {
			found = append(found, e)
		}
	}
	return found
}

// BaseOf returns the base entry that a chain ends in, or the entry itself when
// it is a base. ok is false for a bare layer and for a chain whose base is not
// in the catalog.
func (c *Catalog) BaseOf(e *Entry) (base *Entry, ok bool) {
	switch chain := e.ProtocolChain.Entries(); {
	case e.Base():
		return e, true
	case len(chain) == 0:
		return nil, false
	default:
		base, ok = c.Lookup(chain[len(chain)-1])
		return base, ok && base.Base()
	}
}

// takeIDs hands out n ids in a row, or reports that there are no more.
func (c *Catalog) takeIDs(n int) (first uint32, ok bool) {
	if c.nextID+uint64(n) > 1<<32 {
		return 0, false
	}
	first = uint32(c.nextID)
	c.nextID += uint64(n)
	return first, true
}
