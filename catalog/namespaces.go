package catalog

import (
	"fmt"
	"slices"

	"upcall.dev/spi"
)

// Limits of what a namespace provider may install.
const (
	MaxIdentifier       = 255     // WCHARs of its name
	MaxProviderSpecific = 1 << 16 // bytes for its own use
)

// Namespace is an installed namespace provider. The order of the catalog's
// namespaces is the order in which lookups ask them.
type Namespace struct {
	ID         spi.GUID
	Identifier string // for people
	Path       string // what it is loaded from, unexpanded
	NameSpace  uint32 // NS_
	Version    uint32
	Active     bool // an inactive one is not asked

	ProviderSpecific string // bytes that its installer gave for the provider's own use
}

// Info returns the entry as WSAEnumNameSpaceProvidersEx has it.
func (n *Namespace) Info() spi.NamespaceInfoEx {
	info := spi.NamespaceInfoEx{
		NamespaceInfo:    spi.NamespaceInfo{NSProviderID: n.ID, NameSpace: n.NameSpace, Version: n.Version, Identifier: spi.UTF16Ptr(n.Identifier)},
		ProviderSpecific: *spi.NewBlob([]byte(n.ProviderSpecific)),
	}
	if n.Active {
		info.Active = 1
	}
	return info
}

// Namespaces returns a copy of every namespace entry, inactive ones included, in
// catalog order.
func (c *Catalog) Namespaces() []Namespace { return slices.Clone(c.namespaces) }

// LookupNamespace returns the namespace entry of a provider.
func (c *Catalog) LookupNamespace(id spi.GUID) (Namespace, bool) {
	if i := c.indexOfNamespace(id); i >= 0 {
		return c.namespaces[i], true
	}
	return Namespace{}, false
}

func (c *Catalog) indexOfNamespace(id spi.GUID) int {
	return slices.IndexFunc(c.namespaces, func(n Namespace) bool { return n.ID == id })
}

// InstallNameSpace appends a namespace provider, active. One that serves several
// namespaces is installed for each, under an id of its own each time.
// WSAEINVAL (no id, a bad identifier or path, NS_ALL), WSANO_RECOVERY
// (installed already).
//
// It stands for WSCInstallNameSpace. Source: nf-ws2spi-wscinstallnamespace.
func (c *Catalog) InstallNameSpace(identifier, path string, nameSpace, version uint32, id spi.GUID) spi.Errno {
	return c.InstallNameSpaceEx(identifier, path, nameSpace, version, id, nil)
}

// InstallNameSpaceEx is [Catalog.InstallNameSpace] with bytes for the provider's
// own use, which [Catalog.EnumNameSpaceProviders] gives back. Beside its codes:
// WSAEINVAL (more than [MaxProviderSpecific] bytes).
//
// It stands for WSCInstallNameSpaceEx. Source: nf-ws2spi-wscinstallnamespaceex.
func (c *Catalog) InstallNameSpaceEx(identifier, path string, nameSpace, version uint32, id spi.GUID, providerSpecific []byte) spi.Errno {
	n := Namespace{
		ID: id, Identifier: identifier, Path: path, NameSpace: nameSpace, Version: version, Active: true,
		ProviderSpecific: string(providerSpecific),
	}
	if !n.valid() {
		return spi.WSAEINVAL
	}
	if c.indexOfNamespace(id) >= 0 {
		return spi.WSANO_RECOVERY
	}
	c.namespaces = append(c.namespaces, n)
	return 0
}

func (n *Namespace) valid() bool {
	return n.ID != (spi.GUID{}) && n.Identifier != "" && validText(n.Identifier) && utf16Len(n.Identifier) <= MaxIdentifier &&
		validPath(n.Path) && n.NameSpace != spi.NS_ALL && len(n.ProviderSpecific) <= MaxProviderSpecific
}

// UnInstallNameSpace removes a namespace provider. WSAEINVAL (not installed).
//
// It stands for WSCUnInstallNameSpace. Source: nf-ws2spi-wscuninstallnamespace.
func (c *Catalog) UnInstallNameSpace(id spi.GUID) spi.Errno {
	i := c.indexOfNamespace(id)
	if i < 0 {
		return spi.WSAEINVAL
	}
	c.namespaces = append(slices.Clone(c.namespaces[:i]), c.namespaces[i+1:]...)
	return 0
}

// EnableNSProvider makes a namespace provider active or not.
// WSAEINVAL (not installed).
//
// It stands for WSCEnableNSProvider. Source: nf-ws2spi-wscenablensprovider.
func (c *Catalog) EnableNSProvider(id spi.GUID, enable bool) spi.Errno {
	i := c.indexOfNamespace(id)
	if i < 0 {
		return spi.WSAEINVAL
	}
	c.namespaces[i].Active = enable
	return 0
}

// WriteNameSpaceOrder puts the namespace providers in the order of ids, which
// must name each exactly once. WSAEINVAL.
//
// It stands for WSCWriteNameSpaceOrder. Source: sporder,
// nf-sporder-wscwritenamespaceorder.
func (c *Catalog) WriteNameSpaceOrder(ids []spi.GUID) spi.Errno {
	if len(ids) != len(c.namespaces) {
		return spi.WSAEINVAL
	}
	var ordered []Namespace
	for i, id := range ids {
		at := c.indexOfNamespace(id)
		if at < 0 || slices.Contains(ids[:i], id) {
			return spi.WSAEINVAL
		}
		ordered = append(ordered, c.namespaces[at])
	}
	c.namespaces = ordered
	return 0
}

// EnumNameSpaceProviders stores every namespace entry as an array of
// WSANAMESPACE_INFOW, or WSANAMESPACE_INFOEXW if extended, with what they point
// to behind it, and returns their number. length counts bytes: the room in buf
// going in, what is needed coming out. WSAEFAULT (too small, or no length).
//
// It stands for WSAEnumNameSpaceProviders and WSAEnumNameSpaceProvidersEx.
// Source: winsock2/nf-winsock2-wsaenumnamespaceprovidersw.
func (c *Catalog) EnumNameSpaceProviders(extended bool, length *uint32, buf []byte) (int, spi.Errno) {
	infos := make([]spi.NamespaceInfoEx, len(c.namespaces))
	for i := range c.namespaces {
		infos[i] = c.namespaces[i].Info()
	}
	if e := spi.PackNamespaces(infos, extended, buf, length); e != 0 {
		return 0, e
	}
	return len(infos), 0
}

// InstallNamespaceDriver installs a registered namespace provider with options.
// Its errors name the provider, and what to do.
func (c *Catalog) InstallNamespaceDriver(d spi.NamespaceDriver, options spi.Options) error {
	path := spi.GoPath(d.Name, options)
	if _, err := spi.OpenNamespace(d.ProviderID, path); err != nil {
		return err
	}
	switch code := c.InstallNameSpace(d.Identifier, path, d.NameSpace, d.Version, d.ProviderID); code {
	case 0:
		return nil
	case spi.WSANO_RECOVERY:
		return fmt.Errorf("%s is installed already", d.Name)
	default:
		return fmt.Errorf("namespace provider %s cannot be installed: %w", d.Name, code)
	}
}

// namespaces finds what is wrong with the namespace entries.
func (k *checker) namespaces() {
	seen := map[spi.GUID]bool{}
	for i := range k.c.namespaces {
		n := &k.c.namespaces[i]
		subject := fmt.Sprintf("namespace provider %s (%s)", n.ID, oneLine(n.Identifier))
		if seen[n.ID] {
			k.add(subject, "has the id of another one: give it one of its own")
		}
		seen[n.ID] = true
		if !n.valid() {
			k.add(subject, "needs an id, a name, a path shorter than %d characters and a namespace other than ALL: correct it", MaxPath)
		}
		if _, _, isGo, _ := spi.ParseGoPath(n.Path); !isGo {
			k.sharedObject(subject, n.Path)
		} else if _, err := spi.OpenNamespace(n.ID, n.Path); err != nil {
			k.add(subject, "cannot be loaded (%s): correct its path, or remove it", oneLine(err.Error()))
		}
	}
	active := slices.ContainsFunc(k.c.namespaces, func(n Namespace) bool { return n.Active })
	if !active && len(spi.NamespaceDrivers()) > 0 {
		k.add("the catalog", "has no active namespace provider, so that no name can be looked up: \"upcall catalog reset\" restores them")
	}
}
