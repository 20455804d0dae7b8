package catalog

import (
	"errors"

	"upcall.dev/spi"
)

// The WSC functions on a file do what the methods of [Catalog] do, and make it
// last. Beside their codes they give WSANO_RECOVERY when the file is refused,
// locked by others for too long, or may not be written by this user.

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
	return errnoOf(f.Update(func(c *Catalog) error { return c.WriteProviderOrder(ids).Err() }))
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

func (f *File) change(apply func(*Catalog) spi.Errno) spi.Errno {
	code := errnoOf(f.Update(func(c *Catalog) error { return apply(c).Err() }))
	if code == spi.WSATRY_AGAIN {
		return spi.WSANO_RECOVERY // only WSCWriteProviderOrder has a code for a busy catalog
	}
	return code
}

func errnoOf(err error) spi.Errno {
	var file *FileError
	var code spi.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &file):
		return file.Code
	case errors.As(err, &code):
		return code
	}
	return spi.WSANO_RECOVERY
}
