package standard_test

import (
	"slices"
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/spi"

	_ "upcall.dev/standard"
)

func TestStandardSet(t *testing.T) {
	var names []string
	for _, d := range spi.Drivers() {
		names = append(names, d.Name)
	}
	if want := []string{"filter", "kernel", "memory", "shape", "socks", "trace"}; !slices.Equal(names, want) {
		t.Fatalf("registered %v, want %v", names, want)
	}
}

// Names come from the hosts file first, then from DNS.
func TestStandardNamespaces(t *testing.T) {
	var paths []string
	c := catalog.Default()
	for _, n := range c.Namespaces() {
		paths = append(paths, n.Path)
	}
	if want := []string{"go:hosts", "go:dns"}; !slices.Equal(paths, want) {
		t.Errorf("installed %v, want %v", paths, want)
	}
	for _, d := range spi.NamespaceDrivers() {
		if d.Summary == "" {
			t.Errorf("%s has no summary", d.Name)
		}
	}
}

// required are the options that a layer cannot do without.
var required = map[string]spi.Options{"socks": {"proxy": "127.0.0.1:1080"}}

// TestEveryLayerOverEveryBase composes each layer with its defaults.
func TestEveryLayerOverEveryBase(t *testing.T) {
	for _, d := range spi.Drivers() {
		if d.Summary == "" {
			t.Errorf("%s has no summary", d.Name)
		}
		if d.Layer() {
			continue
		}
		for _, l := range spi.Drivers() {
			if !l.Layer() {
				continue
			}
			c, err := catalog.Compose(catalog.Default(), d.Name, []catalog.Layer{{Name: l.Name, Options: required[l.Name]}})
			if err != nil {
				t.Errorf("%s over %s: %v", l.Name, d.Name, err)
				continue
			}
			if problems := c.Check(); len(problems) > 0 {
				t.Errorf("%s over %s: %v", l.Name, d.Name, problems)
			}
		}
	}
}
