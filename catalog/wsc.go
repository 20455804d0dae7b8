package catalog

import (
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"

	"upcall.dev/spi"
)

// Limits of what a provider may install.
const (
	MaxPath         = 260 // WCHARs of a provider's path, NUL included (MAX_PATH)
	MaxProtocolName = 255 // WCHARs of a protocol's name (WSAPROTOCOL_LEN)
)

// SizeofProtocolInfo is sizeof(WSAPROTOCOL_INFOW) in bytes, the unit of the
// buffer lengths of [Catalog.EnumProtocols].
const SizeofProtocolInfo = uint32(unsafe.Sizeof(spi.ProtocolInfo{}))

// InstallProvider appends the entries of a new provider. The catalog gives
// them their ids; those in infos are ignored, as are their provider ids.
// WSAEINVAL (no id, a bad path or longer than MAX_PATH, no entries, a chain
// length that cannot be), WSANO_RECOVERY (installed already, no more ids).
//
// It stands for WSCInstallProvider. Source: nf-ws2spi-wscinstallprovider.
func (c *Catalog) InstallProvider(id spi.GUID, path string, infos []spi.ProtocolInfo) spi.Errno {
	if id == (spi.GUID{}) || !validPath(path) || !validInfos(infos) {
		return spi.WSAEINVAL
	}
	if len(c.ByProvider(id)) != 0 {
		return spi.WSANO_RECOVERY
	}
	first, ok := c.takeIDs(len(infos))
	if !ok {
		return spi.WSANO_RECOVERY
	}
	for i := range infos {
		e := newEntry(id, path, &infos[i])
		e.CatalogEntryID = first + uint32(i)
		c.entries = append(c.entries, e)
	}
	return 0
}

// DeinstallProvider removes every entry of a provider, and its categories.
// Chains of other providers that run through it are left as they are, and fail
// when they are used: [Catalog.RemoveProvider] mends them too.
// WSAEINVAL (not installed).
//
// It stands for WSCDeinstallProvider. Source: nf-ws2spi-wscdeinstallprovider.
func (c *Catalog) DeinstallProvider(id spi.GUID) spi.Errno {
	if len(c.ByProvider(id)) == 0 {
		return spi.WSAEINVAL
	}
	c.entries = slices.DeleteFunc(c.entries, func(e *Entry) bool { return e.ProviderID == id })
	delete(c.categories, id)
	return 0
}

// UpdateProvider gives a provider a new path and replaces those of its entries
// that infos match: by catalog entry id, or, where that is 0, by address
// family, socket type and protocol. Entries keep their ids and places.
// WSAEINVAL (not installed, a bad path, no infos, one that matches nothing).
//
// It stands for WSCUpdateProvider. Source: nf-ws2spi-wscupdateprovider.
func (c *Catalog) UpdateProvider(id spi.GUID, path string, infos []spi.ProtocolInfo) spi.Errno {
	if len(c.ByProvider(id)) == 0 || !validPath(path) || !validInfos(infos) {
		return spi.WSAEINVAL
	}
	updated := slices.Clone(c.entries)
	for i, e := range updated {
		if e.ProviderID == id {
			moved := *e
			moved.Path = path
			updated[i] = &moved
		}
	}
	for i := range infos {
		info := &infos[i]
		matched := false
		for k, e := range updated {
			if e.ProviderID != id {
				continue
			}
			if info.CatalogEntryID == e.CatalogEntryID || info.CatalogEntryID == 0 && keyOf(info) == keyOf(&e.ProtocolInfo) {
				replacement := newEntry(id, path, info)
				replacement.CatalogEntryID = e.CatalogEntryID
				updated[k] = replacement
				matched = true
			}
		}
		if !matched {
			return spi.WSAEINVAL
		}
	}
	c.entries = updated
	return 0
}

// WriteProviderOrder puts the entries in the order of ids, which must name
// every entry of the catalog exactly once. WSAEINVAL.
//
// It stands for WSCWriteProviderOrder. Source: sporder,
// nf-sporder-wscwriteproviderorder.
func (c *Catalog) WriteProviderOrder(ids []uint32) spi.Errno {
	if len(ids) != len(c.entries) {
		return spi.WSAEINVAL
	}
	byID := make(map[uint32]*Entry, len(ids))
	for _, e := range c.entries {
		byID[e.CatalogEntryID] = e
	}
	ordered := make([]*Entry, len(ids))
	for i, id := range ids {
		e, ok := byID[id]
		if !ok {
			return spi.WSAEINVAL
		}
		delete(byID, id)
		ordered[i] = e
	}
	c.entries = ordered
	return 0
}

// EnumProtocols stores the entries whose protocol is in filter, hidden ones and
// bare layers included, and returns their number. A nil filter means all; any
// other ends at its first 0 or its end. length counts bytes: the buffer's size
// going in, the size needed coming out.
// WSAENOBUFS (length too small), WSAEFAULT (no length, or a buf shorter than
// length says).
//
// It stands for WSCEnumProtocols. Source: nf-ws2spi-wscenumprotocols.
func (c *Catalog) EnumProtocols(filter []int32, buf []spi.ProtocolInfo, length *uint32) (int, spi.Errno) {
	return c.enumerate(filter, buf, length, func(*Entry) bool { return true })
}

// EnumClientProtocols is [Catalog.EnumProtocols] as clients see it, without
// hidden entries and bare layers.
//
// It stands for WSAEnumProtocols. Source: winsock2,
// nf-winsock2-wsaenumprotocolsw.
func (c *Catalog) EnumClientProtocols(filter []int32, buf []spi.ProtocolInfo, length *uint32) (int, spi.Errno) {
	return c.enumerate(filter, buf, length, func(e *Entry) bool { return !e.Hidden() })
}

// ClientProtocols returns the entries that clients see, in order: neither
// hidden ones nor bare layers.
func (c *Catalog) ClientProtocols() []spi.ProtocolInfo {
	var infos []spi.ProtocolInfo
	for _, e := range c.entries {
		if !e.Hidden() {
			infos = append(infos, e.ProtocolInfo)
		}
	}
	return infos
}

func (c *Catalog) enumerate(filter []int32, buf []spi.ProtocolInfo, length *uint32, visible func(*Entry) bool) (int, spi.Errno) {
	if length == nil {
		return 0, spi.WSAEFAULT
	}
	if end := slices.Index(filter, 0); end >= 0 {
		filter = filter[:end:end]
	}
	var found []*Entry
	for _, e := range c.entries {
		if visible(e) && (filter == nil || slices.Contains(filter, e.Protocol)) {
			found = append(found, e)
		}
	}
	given, needed := *length, uint32(len(found))*SizeofProtocolInfo
	*length = needed
	switch {
	case given < needed:
		return 0, spi.WSAENOBUFS
	case len(buf) < len(found):
		return 0, spi.WSAEFAULT
	}
	for i, e := range found {
		buf[i] = e.ProtocolInfo
	}
	return len(found), 0
}

// ProviderPath stores a provider's path as it was installed, unexpanded and
// NUL terminated. length counts WCHARs: the buffer's size going in, the path's
// length with its NUL coming out, also when the buffer is too small.
// WSAEINVAL (not installed), WSAEFAULT (no length, or too small a buffer).
//
// It stands for WSCGetProviderPath, and for WPUGetProviderPath.
// Source: nf-ws2spi-wscgetproviderpath.
func (c *Catalog) ProviderPath(id spi.GUID, buf []uint16, length *int32) spi.Errno {
	if length == nil {
		return spi.WSAEFAULT
	}
	entries := c.ByProvider(id)
	if len(entries) == 0 {
		return spi.WSAEINVAL
	}
	size := min(len(buf), max(0, int(*length)))
	var needed uint32
	code := spi.CopyUTF16(entries[0].Path, buf[:size], &needed)
	*length = int32(needed)
	return code
}

// key is what makes two entries serve the same sockets.
type key struct{ family, socketType, protocol int32 }

func keyOf(info *spi.ProtocolInfo) key {
	return key{info.AddressFamily, info.SocketType, info.Protocol}
}

// newEntry copies info without its id, in the one form that every catalog
// holds: no unused chain ids, and a name that ends in zeros.
func newEntry(id spi.GUID, path string, info *spi.ProtocolInfo) *Entry {
	e := &Entry{ProtocolInfo: *info, Path: path}
	e.ProviderID = id
	e.CatalogEntryID = 0
	e.SetName(info.Name())
	used := copy(e.ProtocolChain.ChainEntries[:], info.ProtocolChain.Entries())
	clear(e.ProtocolChain.ChainEntries[used:])
	return e
}

func validInfos(infos []spi.ProtocolInfo) bool {
	return len(infos) != 0 && !slices.ContainsFunc(infos, func(info spi.ProtocolInfo) bool {
		return info.ProtocolChain.ChainLen < 0 || info.ProtocolChain.ChainLen > spi.MaxProtocolChain
	})
}

func validPath(path string) bool {
	return path != "" && validText(path) && utf16Len(path) < MaxPath
}

// validText reports whether s survives the way through NUL terminated UTF-16.
func validText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

func utf16Len(s string) int { return len(utf16.Encode([]rune(s))) }
