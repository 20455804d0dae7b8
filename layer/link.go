package layer

import (
	"slices"

	"upcall.dev/spi"
)

// Link is one chain entry as one of its layers sees it.
type Link struct {
	entry     spi.ProtocolInfo // the chain entry
	position  int              // the layer's index in its ChainEntries
	nextEntry spi.ProtocolInfo // the entry at position+1; zero when the catalog lacks it
	base      uint32           // the id of the chain's base entry
	ifs       bool             // next hands out IFS handles in this chain
	run       *run
	group     *group // the links that share a next provider
	broken    bool   // the chain comes to the layer again, which cannot tell its places apart

	// Guarded by Chains.mu; next changes only from nil.
	next     spi.Provider
	starting *attempt
}

// Entry returns the chain entry. It must not be changed.
func (l *Link) Entry() *spi.ProtocolInfo { return &l.entry }

// Next returns the next provider, which [Chains.Find] has started.
func (l *Link) Next() spi.Provider { return l.next }

// IFS reports whether the next provider hands out IFS handles in this chain:
// the base provider does, and every layer above it passes them through.
func (l *Link) IFS() bool { return l.ifs }

// Below returns what the next provider is given in place of the chain entry
// info: the same info when it is a layer, its own entry with info's
// ProviderReserved when it is the base. The result must not be changed.
func (l *Link) Below(info *spi.ProtocolInfo) *spi.ProtocolInfo {
	if info == nil || !l.overBase() {
		return info
	}
	if info.ProviderReserved == l.nextEntry.ProviderReserved {
		return &l.nextEntry
	}
	own := l.nextEntry
	own.ProviderReserved = info.ProviderReserved
	return &own
}

func (l *Link) overBase() bool { return l.nextEntry.ProtocolChain.ChainLen == spi.BaseProtocol }

// newRun finds the chain entries of entries that contain the bare-layer entry
// of id and something below it.
func newRun(id spi.GUID, entries []spi.ProtocolInfo) *run {
	byID := make(map[uint32]*spi.ProtocolInfo, len(entries))
	var own []uint32
	for i := range entries {
		e := &entries[i]
		byID[e.CatalogEntryID] = e
		if e.ProviderID == id && e.ProtocolChain.ChainLen == spi.LayeredProtocol {
			own = append(own, e.CatalogEntryID)
		}
	}
	r := &run{}
	for i := range entries {
		chain := entries[i].ProtocolChain.Entries()
		position := slices.IndexFunc(chain, func(id uint32) bool { return slices.Contains(own, id) })
		if position < 0 && len(chain) > 0 && entries[i].ProviderID == id {
			position = 0 // installed under an id of its own: its top is this layer
		}
		if position < 0 || position == len(chain)-1 {
			continue
		}
		link := &Link{run: r, entry: entries[i], position: position, base: chain[len(chain)-1], ifs: true}
		for _, below := range chain[position+1:] {
			e := byID[below]
			link.ifs = link.ifs && e != nil && e.IFS()
		}
		if next := byID[chain[position+1]]; next != nil {
			link.nextEntry = *next
		}
		link.broken = slices.ContainsFunc(chain[position+1:], func(below uint32) bool {
			e := byID[below]
			return e != nil && e.ProviderID == id && e.ProtocolChain.ChainLen != spi.BaseProtocol
		})
		if link.broken {
			link.group = &group{} // is never started, so that it does not count among the run's
		} else {
			link.group = r.groupOf(link)
		}
		r.links = append(r.links, link)
	}
	return r
}

func (r *run) link(id uint32) *Link {
	for _, l := range r.links {
		if l.entry.CatalogEntryID == id {
			return l
		}
	}
	return nil
}

// longestPath bounds a provider's path in WCHARs, MAX_PATH many times over.
const longestPath = 1 << 15

// load locates, loads and starts the link's next provider.
func (l *Link) load(host *Host) (spi.Provider, spi.Errno) {
	if l.nextEntry.CatalogEntryID != l.entry.ProtocolChain.ChainEntries[l.position+1] {
		return nil, spi.WSAEPROVIDERFAILEDINIT // the catalog lacks the entry
	}
	return host.StartProvider(l.nextEntry.ProviderID, l.Below(&l.entry))
}

// StartProvider locates, loads and starts the provider that is installed under
// id, for the catalog entry info. Whoever starts it undoes that by its
// WSPCleanup. WSAEPROVIDERFAILEDINIT (it cannot be found, loaded or started),
// WSAEINVALIDPROVIDER (it does not speak version 2.2), WSAEINVALIDPROCTABLE (it
// lacks a function).
func (h *Host) StartProvider(id spi.GUID, info *spi.ProtocolInfo) (spi.Provider, spi.Errno) {
	path, errno := providerPath(h, id)
	if errno != 0 {
		return nil, spi.WSAEPROVIDERFAILEDINIT
	}
	startup, errno := h.DLL.LoadProvider(id, path)
	if errno != 0 {
		return nil, errno
	}
	if startup == nil {
		return nil, spi.WSAEPROVIDERFAILEDINIT
	}
	var data spi.WSPData
	next, errno := startup(spi.Version22, &data, info, h.Upcalls, h.DLL)
	switch {
	case errno != 0:
		return nil, spi.WSAEPROVIDERFAILEDINIT
	case data.Version != spi.Version22:
		errno = spi.WSAEINVALIDPROVIDER
	default:
		errno = spi.CheckProvider(next)
	}
	if errno != 0 {
		cleanup(next)
		return nil, errno
	}
	return next, 0
}

// cleanup undoes the start of a provider that is refused; its table may even
// lack WSPCleanup, and then there is nothing to call.
func cleanup(p spi.Provider) {
	if p == nil {
		return
	}
	defer func() { _ = recover() }()
	p.WSPCleanup()
}

// ProviderPath returns the path that the provider under id is installed with,
// as WPUGetProviderPath has it. WSAEINVAL.
func (h *Host) ProviderPath(id spi.GUID) (string, spi.Errno) { return providerPath(h, id) }

func providerPath(host *Host, id spi.GUID) (string, spi.Errno) {
	buf := make([]uint16, 260)
	for {
		length := int32(len(buf))
		errno := host.Upcalls.WPUGetProviderPath(&id, buf, &length)
		if errno == spi.WSAEFAULT && int(length) > len(buf) && length <= longestPath {
			buf = make([]uint16, length)
			continue
		}
		return spi.UTF16ToString(buf), errno
	}
}
