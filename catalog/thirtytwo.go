package catalog

import (
	"path/filepath"
	"strings"

	"upcall.dev/spi"
)

// ThirtyTwo returns the 32-bit catalog beside f, the one that the WSC functions
// whose names end in 32 work on, and 32-bit programs read: catalog32.toml for a
// catalog.toml. It is a file of its own, [Default] until something is installed
// in it. A file without a path has a 32-bit catalog without one.
func (f *File) ThirtyTwo() *File {
	if f.path == "" {
		return f
	}
	extension := filepath.Ext(f.path)
	return &File{path: strings.TrimSuffix(f.path, extension) + "32" + extension, patience: f.patience, report: f.report}
}

// InstallProvider64_32 is [File.InstallProvider] on the file and on its 32-bit
// catalog: on both or on neither.
//
// It stands for WSCInstallProvider64_32. Source:
// nf-ws2spi-wscinstallprovider64_32.
func (f *File) InstallProvider64_32(id spi.GUID, path string, infos []spi.ProtocolInfo) spi.Errno {
	install := func(c *Catalog) spi.Errno { return c.InstallProvider(id, path, infos) }
	return f.onBoth(id, install, install)
}

// InstallProviderAndChains64_32 is [File.InstallProviderAndChains] on the file,
// with path, and on its 32-bit catalog, with path32: on both or on neither. The
// entry's id that it stores is that of the file.
//
// It stands for WSCInstallProviderAndChains64_32. Source:
// nf-ws2spi-wscinstallproviderandchains64_32.
func (f *File) InstallProviderAndChains64_32(id spi.GUID, path, path32, name string, serviceFlags uint32, over []spi.ProtocolInfo, entryID *uint32) spi.Errno {
	var installed uint32
	code := f.onBoth(id, func(c *Catalog) spi.Errno {
		return c.InstallProviderAndChains(id, path, name, serviceFlags, over, &installed)
	}, func(c *Catalog) spi.Errno {
		return c.InstallProviderAndChains(id, path32, name, serviceFlags, over, nil)
	})
	if code == 0 && entryID != nil {
		*entryID = installed
	}
	return code
}

// onBoth installs a provider in both catalogs. The file is replaced last, while
// it is locked: nobody sees a change of it that is undone. What the 32-bit
// catalog has got is taken out of it if the file cannot be replaced.
//
// Locks: that of the file, then that of its 32-bit catalog.
func (f *File) onBoth(id spi.GUID, install, install32 func(*Catalog) spi.Errno) spi.Errno {
	thirtyTwo := f.ThirtyTwo()
	done32 := false
	code := f.change(func(c *Catalog) spi.Errno {
		code := install(c)
		if code == 0 {
			code = thirtyTwo.change(install32)
			done32 = code == 0
		}
		return code
	})
	if code != 0 && done32 {
		thirtyTwo.DeinstallProvider(id) // the file's code tells more than what this may give
	}
	return code
}
