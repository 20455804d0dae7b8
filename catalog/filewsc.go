package catalog

import (
	"errors"

	"upcall.dev/spi"
)

// The WSC functions on a file do what the methods of [Catalog] do on what is in
// it at that moment, and make changes last. Beside their codes they give
// WSANO_RECOVERY when the file is refused, and those that change it also when it
// is locked by others for too long or may not be written by this user.

// InstallProvider is [Catalog.InstallProvider] on the file.
func (f *File) InstallProvider(id spi.GUID, path string, infos []spi.ProtocolInfo) spi.Errno {
	return f.change(func(c *Catalog) spi.Errno { return c.InstallProvider(id, path, infos) })
}

// InstallProviderAndChains is [Catalog.InstallProviderAndChains] on the file.
func (f *File) InstallProviderAndChains(id spi.GUID, path, name string, serviceFlags uint32, over []spi.ProtocolInfo, entryID *uint32) spi.Errno {
	var installed uint32
	code := f.change(func(c *Catalog) spi.Errno {
		return c.InstallProviderAndChains(id, path, name, serviceFlags, over, &installed)
	})
	if code == 0 && entryID != nil {
		*entryID = installed
	}
	return code
}

// DeinstallProvider is [Catalog.DeinstallProvider] on the file.
func (f *File) DeinstallProvider(id spi.GUID) spi.Errno {
	return f.change(func(c *Catalog) spi.Errno { return c.DeinstallProvider(id) })
}

// UpdateProvider is [Catalog.UpdateProvider] on the file.
func (f *File) UpdateProvider(id spi.GUID, path string, infos []spi.ProtocolInfo) spi.Errno {
	return f.change(func(c *Catalog) spi.Errno { return c.UpdateProvider(id, path, infos) })
}

// WriteProviderOrder is [Catalog.WriteProviderOrder] on the file; its code is
// WSATRY_AGAIN when others keep the file locked.
func (f *File) WriteProviderOrder(ids []uint32) spi.Errno {
	return f.errnoOf(f.Update(func(c *Catalog) error { return c.WriteProviderOrder(ids).Err() }))
}

// SetProviderInfo is [Catalog.SetProviderInfo] on the file.
func (f *File) SetProviderInfo(id spi.GUID, infoType InfoType, info []byte, flags uint32) spi.Errno {
	return f.change(func(c *Catalog) spi.Errno { return c.SetProviderInfo(id, infoType, info, flags) })
}

// SetApplicationCategory is [Catalog.SetApplicationCategory] on the file.
func (f *File) SetApplicationCategory(path, extra string, categories uint32, previous *uint32) spi.Errno {
	var before uint32
	code := f.change(func(c *Catalog) spi.Errno { return c.SetApplicationCategory(path, extra, categories, &before) })
	if code == 0 && previous != nil {
		*previous = before
	}
	return code
}

// InstallNameSpace is [Catalog.InstallNameSpace] on the file.
func (f *File) InstallNameSpace(identifier, path string, nameSpace, version uint32, id spi.GUID) spi.Errno {
	return f.change(func(c *Catalog) spi.Errno { return c.InstallNameSpace(identifier, path, nameSpace, version, id) })
}

// InstallNameSpaceEx is [Catalog.InstallNameSpaceEx] on the file.
func (f *File) InstallNameSpaceEx(identifier, path string, nameSpace, version uint32, id spi.GUID, providerSpecific []byte) spi.Errno {
	return f.change(func(c *Catalog) spi.Errno {
		return c.InstallNameSpaceEx(identifier, path, nameSpace, version, id, providerSpecific)
	})
}

// UnInstallNameSpace is [Catalog.UnInstallNameSpace] on the file.
func (f *File) UnInstallNameSpace(id spi.GUID) spi.Errno {
	return f.change(func(c *Catalog) spi.Errno { return c.UnInstallNameSpace(id) })
}

// EnableNSProvider is [Catalog.EnableNSProvider] on the file.
func (f *File) EnableNSProvider(id spi.GUID, enable bool) spi.Errno {
	return f.change(func(c *Catalog) spi.Errno { return c.EnableNSProvider(id, enable) })
}

// WriteNameSpaceOrder is [Catalog.WriteNameSpaceOrder] on the file; its code is
// WSATRY_AGAIN when others keep the file locked.
func (f *File) WriteNameSpaceOrder(ids []spi.GUID) spi.Errno {
	return f.errnoOf(f.Update(func(c *Catalog) error { return c.WriteNameSpaceOrder(ids).Err() }))
}

// EnumProtocols is [Catalog.EnumProtocols] on the file.
func (f *File) EnumProtocols(filter []int32, buf []spi.ProtocolInfo, length *uint32) (n int, code spi.Errno) {
	code = f.look(func(c *Catalog) (e spi.Errno) { n, e = c.EnumProtocols(filter, buf, length); return e })
	return n, code
}

// ProviderPath is [Catalog.ProviderPath] on the file.
func (f *File) ProviderPath(id spi.GUID, buf []uint16, length *int32) spi.Errno {
	return f.look(func(c *Catalog) spi.Errno { return c.ProviderPath(id, buf, length) })
}

// GetProviderInfo is [Catalog.GetProviderInfo] on the file.
func (f *File) GetProviderInfo(id spi.GUID, infoType InfoType, info []byte, size *uintptr, flags uint32) spi.Errno {
	return f.look(func(c *Catalog) spi.Errno { return c.GetProviderInfo(id, infoType, info, size, flags) })
}

// GetApplicationCategory is [Catalog.GetApplicationCategory] on the file.
func (f *File) GetApplicationCategory(path, extra string, categories *uint32) spi.Errno {
	return f.look(func(c *Catalog) spi.Errno { return c.GetApplicationCategory(path, extra, categories) })
}

// EnumNameSpaceProviders is [Catalog.EnumNameSpaceProviders] on the file.
func (f *File) EnumNameSpaceProviders(extended bool, length *uint32, buf []byte) (n int, code spi.Errno) {
	code = f.look(func(c *Catalog) (e spi.Errno) { n, e = c.EnumNameSpaceProviders(extended, length, buf); return e })
	return n, code
}

// look calls question with the catalog in the file.
func (f *File) look(question func(*Catalog) spi.Errno) spi.Errno {
	c, err := f.Load()
	if err != nil {
		return f.errnoOf(err)
	}
	return question(c)
}

func (f *File) change(apply func(*Catalog) spi.Errno) spi.Errno {
	code := f.errnoOf(f.Update(func(c *Catalog) error { return apply(c).Err() }))
	if code == spi.WSATRY_AGAIN {
		return spi.WSANO_RECOVERY // only WSCWriteProviderOrder has a code for a busy catalog
	}
	return code
}

func (f *File) errnoOf(err error) spi.Errno {
	var file *FileError
	var code spi.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &file):
		if f.report != nil {
			f.report(file)
		}
		return file.Code
	case errors.As(err, &code):
		return code
	}
	return spi.WSANO_RECOVERY
}
