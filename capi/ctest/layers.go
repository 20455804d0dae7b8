package ctest

import (
	"os"
	"path/filepath"
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/spi"
)

// Layer is a layer in C of examples/c.
type Layer struct {
	// Name is the directory's.
	Name string
	ID   spi.GUID
	// Flags are the XP1_ bits of its entries.
	Flags uint32
}

// The two layers of examples/c.
var (
	CIFS    = Layer{"ifs", spi.MustParseGUID("6f2b1c4e-93d7-4a0f-8c15-2e7ab0449102"), spi.XP1_IFS_HANDLES}
	CNonIFS = Layer{"nonifs", spi.MustParseGUID("b3a80d51-27e6-4c79-9d02-51cf88136e0a"), 0}
)

// Object compiles the layer, unless it is there, and returns its path.
func (l Layer) Object(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(root(), "examples", "c")
	list, err := filepath.Glob(filepath.Join(dir, l.Name, "*.[ch]"))
	if err != nil {
		t.Fatal(err)
	}
	next, err := filepath.Glob(filepath.Join(dir, "next", "*.[ch]"))
	if err != nil {
		t.Fatal(err)
	}
	list = append(list, next...)
	s, err := sum(list, nil)
	if err != nil {
		t.Fatal(err)
	}
	object := filepath.Join(Library(t), l.Name+"-"+s+".so")
	if _, err := os.Stat(object); err == nil {
		return object
	}
	var sources []string
	for _, name := range list {
		if filepath.Ext(name) == ".c" {
			sources = append(sources, name)
		}
	}
	made := CompileObject(t, []string{"-I" + filepath.Join(dir, "next")}, sources...)
	// Another test may do the same: each renames a whole file.
	b, err := os.ReadFile(made)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.CreateTemp(filepath.Dir(object), "layer")
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(b)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o755)
	}
	if err == nil {
		err = os.Rename(f.Name(), object)
	}
	if err != nil {
		t.Fatal(err)
	}
	return object
}

// Install puts the layer over every entry of the catalog that sockets are made
// of and that it can be over.
func (l Layer) Install(t testing.TB, c *catalog.Catalog) {
	t.Helper()
	install(t, c, l.ID, l.Object(t), l.Name, l.Flags)
}

// InstallObject installs the shared object at path as a layer over everything
// that it can be over.
func InstallObject(t testing.TB, c *catalog.Catalog, id spi.GUID, path string, flags uint32) {
	t.Helper()
	install(t, c, id, path, filepath.Base(path), flags)
}

func install(t testing.TB, c *catalog.Catalog, id spi.GUID, path, name string, flags uint32) {
	t.Helper()
	var over []spi.ProtocolInfo
	chains := map[uint32]bool{}
	for _, e := range c.Entries() {
		for _, member := range e.ProtocolChain.Entries()[min(1, len(e.ProtocolChain.Entries())):] {
			chains[member] = true
		}
	}
	for _, e := range c.Entries() {
		if e.ProtocolChain.ChainLen == spi.LayeredProtocol || chains[e.CatalogEntryID] || flags&spi.XP1_IFS_HANDLES != 0 && !e.IFS() {
			continue
		}
		over = append(over, e.ProtocolInfo)
	}
	var entry uint32
	if e := c.InstallProviderAndChains(id, path, name, flags, over, &entry); e != 0 {
		t.Fatalf("installing %s: %v", path, e.Err())
	}
}

func throughC(base string, l Layer, through ...catalog.Layer) func(testing.TB) *catalog.Catalog {
	return func(t testing.TB) *catalog.Catalog {
		t.Helper()
		c := composed(base, through...)(t).Clone()
		l.Install(t, c)
		return c
	}
}
