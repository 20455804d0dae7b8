package catalog

import (
	"slices"

	"upcall.dev/spi"
)

// InstallProviderAndChains installs a layer called name: a bare layer at the
// end of the catalog, whose id is stored in *entryID unless that is nil, and
// one chain over each match at the beginning of it, in the order of what they
// stand on.
//
// With a nil over, the layer is put over the topmost entry of each unique
// address family, socket type and protocol; otherwise over the topmost entry
// that has these three values of an element. The topmost entry may be a chain,
// and the new chain then runs through all of it. Of serviceFlags only
// [spi.XP1_IFS_HANDLES] matters: with it, the layer is put only over entries
// that have IFS handles, and so are its chains.
//
// WSAEINVAL (no id, a bad path or longer than MAX_PATH, no name or one longer
// than WSAPROTOCOL_LEN, an over that is empty, an id or a name that is in the
// catalog already, nothing matched), WSANO_RECOVERY (over is nil and there is
// nothing to stand on, a chain would be longer than MAX_PROTOCOL_CHAIN, no more
// ids).
//
// It stands for WSCInstallProviderAndChains.
// Source: nf-ws2spi-wscinstallproviderandchains.
func (c *Catalog) InstallProviderAndChains(id spi.GUID, path, name string, serviceFlags uint32, over []spi.ProtocolInfo, entryID *uint32) spi.Errno {
	if id == (spi.GUID{}) || !validPath(path) || !validName(name) || over != nil && len(over) == 0 {
		return spi.WSAEINVAL
	}
	if len(c.ByProvider(id)) != 0 || c.named(name) {
		return spi.WSAEINVAL
	}
	ifs := serviceFlags&spi.XP1_IFS_HANDLES != 0
	below := slices.DeleteFunc(c.topmost(over), func(e *Entry) bool { return ifs && !e.IFS() })
	if len(below) == 0 {
		if over == nil {
			return spi.WSANO_RECOVERY
		}
		return spi.WSAEINVAL
	}
	return c.installOver(below, id, path, name, ifs, entryID)
}

// topmost returns the first usable entry of each address family, socket type
// and protocol, in catalog order; with a non-nil over only those that it names.
func (c *Catalog) topmost(over []spi.ProtocolInfo) []*Entry {
	wanted := map[key]bool{}
	for i := range over {
		wanted[keyOf(&over[i])] = true
	}
	seen := map[key]bool{}
	var found []*Entry
	for _, e := range c.entries {
		k := keyOf(&e.ProtocolInfo)
		if e.Layer() || seen[k] || over != nil && !wanted[k] {
			continue
		}
		seen[k] = true
		found = append(found, e)
	}
	return found
}

// installOver adds the bare layer and a chain over each entry of below. A
// chain has IFS handles when the layer passes them through and what it stands
// on has them.
func (c *Catalog) installOver(below []*Entry, id spi.GUID, path, name string, ifs bool, entryID *uint32) spi.Errno {
	for _, e := range below {
		if chainLength(e) == spi.MaxProtocolChain {
			return spi.WSANO_RECOVERY
		}
	}
	first, ok := c.takeIDs(1 + len(below))
	if !ok {
		return spi.WSANO_RECOVERY
	}
	layer := &Entry{Path: path}
	layer.ProviderID = id
	layer.CatalogEntryID = first
	layer.ProviderFlags = spi.PFL_HIDDEN
	layer.SetName(name)
	if ifs {
		layer.ServiceFlags1 = spi.XP1_IFS_HANDLES
	}
	chains := make([]*Entry, len(below))
	for i, e := range below {
		chain := newEntry(id, path, &e.ProtocolInfo)
		chain.CatalogEntryID = first + 1 + uint32(i)
		chain.setChain(append([]uint32{first}, chainIDs(e)...))
		chain.SetName(chainName(name, e.Name()))
		if !ifs {
			chain.ServiceFlags1 &^= spi.XP1_IFS_HANDLES
		}
		chains[i] = chain
	}
	c.entries = slices.Concat(chains, c.entries, []*Entry{layer})
	if entryID != nil {
		*entryID = first
	}
	return 0
}

// chainIDs returns the ids that a chain over e has below its new top.
func chainIDs(e *Entry) []uint32 {
	if e.Base() {
		return []uint32{e.CatalogEntryID}
	}
	return e.ProtocolChain.Entries()
}

func chainLength(e *Entry) int { return len(chainIDs(e)) }

func (e *Entry) setChain(ids []uint32) {
	e.ProtocolChain = spi.ProtocolChain{ChainLen: int32(len(ids))}
	copy(e.ProtocolChain.ChainEntries[:], ids)
}

// chainName is what a chain of a layer over an entry is called.
func chainName(layer, below string) string { return layer + " over [" + below + "]" }

func (c *Catalog) named(name string) bool {
	return slices.ContainsFunc(c.entries, func(e *Entry) bool { return e.Name() == name })
}

func validName(name string) bool {
	return name != "" && validText(name) && utf16Len(name) <= MaxProtocolName
}

// RemoveProvider removes a provider as [Catalog.DeinstallProvider] does, and
// mends what ran through it: a removed layer is taken out of other layers'
// chains, which may gain IFS handles by it, and a chain whose base is gone, or
// that no layer is left in, goes too. WSAEINVAL (not installed).
func (c *Catalog) RemoveProvider(id spi.GUID) spi.Errno {
	removed := map[uint32]*Entry{}
	for _, e := range c.ByProvider(id) {
		removed[e.CatalogEntryID] = e
	}
	if code := c.DeinstallProvider(id); code != 0 {
		return code
	}
	kept := make([]*Entry, 0, len(c.entries))
	for _, e := range c.entries {
		if mended, ok := c.without(removed, e); ok {
			kept = append(kept, mended)
		}
	}
	c.entries = kept
	return 0
}

// without returns e with the removed layers taken out of its chain; ok is
// false when nothing is left that could work.
func (c *Catalog) without(removed map[uint32]*Entry, e *Entry) (mended *Entry, ok bool) {
	chain := e.ProtocolChain.Entries()
	left := slices.DeleteFunc(slices.Clone(chain), func(id uint32) bool { return removed[id] != nil })
	if len(left) == len(chain) {
		return e, true
	}
	if len(left) < 2 || left[len(left)-1] != chain[len(chain)-1] {
		return nil, false
	}
	mended = newEntry(e.ProviderID, e.Path, &e.ProtocolInfo)
	mended.CatalogEntryID = e.CatalogEntryID
	mended.setChain(left)
	name, ifs := "", true
	for i, id := range slices.Backward(left) {
		member, found := c.Lookup(id)
		if !found {
			return e, true // broken before, and for another reason: Check tells
		}
		ifs = ifs && member.IFS()
		if i == len(left)-1 {
			name = member.Name()
		} else {
			name = chainName(member.Name(), name)
		}
	}
	mended.SetName(name)
	mended.ServiceFlags1 &^= spi.XP1_IFS_HANDLES
	if ifs {
		mended.ServiceFlags1 |= spi.XP1_IFS_HANDLES
	}
	return mended, true
}
