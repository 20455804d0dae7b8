package ctest

import (
	"path/filepath"
	"slices"
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	_ "upcall.dev/standard" // the providers that the chains name
)

// Chain is a base provider under layers.
type Chain struct {
	// Name is the base provider's, and what is over it.
	Name string
	// Compose returns the catalog; the test is for what has to be compiled.
	Compose func(t testing.TB) *catalog.Catalog
	// NonIFS says that the sockets are not descriptors.
	NonIFS bool
	// Kernel says that the sockets are the system's in the end.
	Kernel bool
}

// Chains returns the chains that tests of the C door run over.
func Chains() []Chain {
	ifs := catalog.Layer{Name: "trace", Options: spi.Options{"file": "/dev/null"}}
	nonIFS := catalog.Layer{Name: "trace", Options: spi.Options{"file": "/dev/null", "data": "on"}}
	return []Chain{
		{Name: "kernel", Kernel: true, Compose: composed("kernel")},
		{Name: "memory", NonIFS: true, Compose: composed("memory")},
		{Name: "kernel+ifs", Kernel: true, Compose: composed("kernel", ifs)},
		{Name: "kernel+nonifs", Kernel: true, NonIFS: true, Compose: composed("kernel", nonIFS)},
		{Name: "kernel+c-ifs", Kernel: true, Compose: throughC("kernel", CIFS)},
		{Name: "kernel+c-nonifs", Kernel: true, NonIFS: true, Compose: throughC("kernel", CNonIFS)},
		{Name: "memory+c-nonifs", NonIFS: true, Compose: throughC("memory", CNonIFS)},
	}
}

// Named returns the chain of a name.
func Named(t testing.TB, name string) Chain {
	t.Helper()
	all := Chains()
	i := slices.IndexFunc(all, func(c Chain) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("there is no chain %q", name)
	}
	return all[i]
}

func composed(base string, through ...catalog.Layer) func(testing.TB) *catalog.Catalog {
	return func(t testing.TB) *catalog.Catalog {
		t.Helper()
		c, err := catalog.Compose(catalog.Default(), base, through)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// Write writes the chain's catalog to a file of the test's own and returns its
// path.
func (c Chain) Write(t testing.TB) string {
	t.Helper()
	return Write(t, c.Compose(t))
}

// Write writes a catalog to a file of the test's own and returns its path.
func Write(t testing.TB, c *catalog.Catalog) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "catalog.toml")
	err := catalog.OpenFile(path).Update(func(installed *catalog.Catalog) error {
		*installed = *c.Clone()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return path
}
