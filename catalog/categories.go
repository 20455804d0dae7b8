package catalog

import (
	"encoding/binary"
	"slices"

	"upcall.dev/spi"
)

// InfoType is WSC_PROVIDER_INFO_TYPE. Source: ne-ws2spi-wsc_provider_info_type.
type InfoType int32

// The kinds of provider information.
const (
	ProviderInfoLspCategories InfoType = 0 // a DWORD of LSP_ bits
	ProviderInfoAudit         InfoType = 1 // WSC_PROVIDER_AUDIT_INFO, not implemented on Windows either
)

const sizeofCategories = 4 // a DWORD

// application is what one program, told apart by its arguments, permits.
type application struct {
	path, extra string
	categories  uint32
}

// SetProviderInfo stores information about a layer: with
// [ProviderInfoLspCategories] the LSP_ bits of its categories, a DWORD in
// native byte order, which replace those it had. flags must be 0.
// WSAEINVAL (not an installed layer, another info type, flags),
// WSAEFAULT (info is not 4 bytes), ERROR_CALL_NOT_IMPLEMENTED
// ([ProviderInfoAudit]).
//
// It stands for WSCSetProviderInfo. Source: nf-ws2spi-wscsetproviderinfo.
func (c *Catalog) SetProviderInfo(id spi.GUID, infoType InfoType, info []byte, flags uint32) spi.Errno {
	switch {
	case infoType == ProviderInfoAudit:
		return spi.ERROR_CALL_NOT_IMPLEMENTED
	case infoType != ProviderInfoLspCategories || flags != 0 || !c.hasLayer(id):
		return spi.WSAEINVAL
	case len(info) != sizeofCategories:
		return spi.WSAEFAULT
	}
	c.setCategories(id, binary.NativeEndian.Uint32(info))
	return 0
}

func (c *Catalog) setCategories(id spi.GUID, categories uint32) {
	if categories == 0 {
		delete(c.categories, id)
		return
	}
	c.categories[id] = categories
}

// GetProviderInfo stores information about a layer in info; see
// [Catalog.SetProviderInfo]. size counts bytes: the buffer's going in, those
// needed coming out. A layer without categories has 0.
// WSAEINVALIDPROVIDER (not an installed layer), WSAEINVAL (another info type,
// flags), WSAEFAULT (no size, or too small a buffer),
// ERROR_CALL_NOT_IMPLEMENTED ([ProviderInfoAudit]).
//
// It stands for WSCGetProviderInfo. Source: nf-ws2spi-wscgetproviderinfo.
func (c *Catalog) GetProviderInfo(id spi.GUID, infoType InfoType, info []byte, size *uintptr, flags uint32) spi.Errno {
	switch {
	case infoType == ProviderInfoAudit:
		return spi.ERROR_CALL_NOT_IMPLEMENTED
	case infoType != ProviderInfoLspCategories || flags != 0:
		return spi.WSAEINVAL
	case size == nil:
		return spi.WSAEFAULT
	case !c.hasLayer(id):
		return spi.WSAEINVALIDPROVIDER
	}
	given := *size
	*size = sizeofCategories
	if given < sizeofCategories || len(info) < sizeofCategories {
		return spi.WSAEFAULT
	}
	binary.NativeEndian.PutUint32(info, c.categories[id])
	return 0
}

func (c *Catalog) hasLayer(id spi.GUID) bool {
	return slices.ContainsFunc(c.entries, func(e *Entry) bool { return e.Layer() && e.ProviderID == id })
}

// SetApplicationCategory permits categories of layers (LSP_ bits) to an
// application, in addition to those it was permitted before. extra tells apart
// instances of one program by their arguments and is usually empty. previous
// may be nil and receives what was permitted before. WSAEINVAL (no path, or
// not text).
//
// It stands for WSCSetApplicationCategory.
// Source: nf-ws2spi-wscsetapplicationcategory.
func (c *Catalog) SetApplicationCategory(path, extra string, categories uint32, previous *uint32) spi.Errno {
	if path == "" || !validText(path) || !validText(extra) {
		return spi.WSAEINVAL
	}
	i := c.findApplication(path, extra)
	if i < 0 {
		c.applications = append(c.applications, application{path: path, extra: extra})
		i = len(c.applications) - 1
	}
	if previous != nil {
		*previous = c.applications[i].categories
	}
	c.applications[i].categories |= categories
	return 0
}

// GetApplicationCategory stores the categories that an application permits.
// WSASERVICE_NOT_FOUND (it has none), WSAEINVAL (no path), WSAEFAULT.
//
// It stands for WSCGetApplicationCategory.
// Source: nf-ws2spi-wscgetapplicationcategory.
func (c *Catalog) GetApplicationCategory(path, extra string, categories *uint32) spi.Errno {
	if categories == nil {
		return spi.WSAEFAULT
	}
	if path == "" {
		return spi.WSAEINVAL
	}
	i := c.findApplication(path, extra)
	if i < 0 {
		return spi.WSASERVICE_NOT_FOUND
	}
	*categories = c.applications[i].categories
	return 0
}

func (c *Catalog) findApplication(path, extra string) int {
	return slices.IndexFunc(c.applications, func(a application) bool { return a.path == path && a.extra == extra })
}

// HasApplications reports whether any program has categories of its own.
func (c *Catalog) HasApplications() bool { return len(c.applications) > 0 }

// ApplicationCategories returns what the program at path, started with the
// arguments extra, permits: the categories set for both, else those set for
// the path alone, else 0, which permits everything. Environment references in
// the installed paths are expanded. The DLL asks once, at the first
// WSAStartup.
func (c *Catalog) ApplicationCategories(path, extra string) uint32 {
	var pathAlone uint32
	for _, a := range c.applications {
		if ExpandPath(a.path) != path {
			continue
		}
		if a.extra == extra {
			return a.categories
		}
		if a.extra == "" {
			pathAlone = a.categories
		}
	}
	return pathAlone
}

// MayLoad reports whether a layer with the categories lsp may be loaded into
// an application that permits the categories application, both LSP_ bits. An
// application without categories loads every layer. Any other loads a layer
// that has categories, all of them permitted, and LSP_SYSTEM among them if the
// application has it.
//
// Source: https://learn.microsoft.com/windows/win32/winsock/categorizing-layered-service-providers-and-applications
func MayLoad(lsp, application uint32) bool {
	if application == 0 {
		return true
	}
	return lsp != 0 && lsp&^application == 0 && application&spi.LSP_SYSTEM&^lsp == 0
}

// Usable reports whether the DLL may choose the entry for a socket of an
// application that permits these categories: never a bare layer, always a
// base, and a chain when each of its layers may be loaded. A chain through an
// id that is not in the catalog is left to fail when it is used.
func (c *Catalog) Usable(e *Entry, applicationCategories uint32) bool {
	if e.Layer() {
		return false
	}
	for _, id := range e.ProtocolChain.Entries() {
		layer, ok := c.Lookup(id)
		if ok && layer.Layer() && !MayLoad(c.categories[layer.ProviderID], applicationCategories) {
			return false
		}
	}
	return true
}
