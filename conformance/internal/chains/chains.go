// Package chains is the five kinds of chain that the model and the soak run
// over.
package chains

import (
	"upcall.dev/catalog"
	"upcall.dev/spi"
	_ "upcall.dev/standard" // the providers that the chains name
)

// Chain is a base provider under layers, outermost first.
type Chain struct {
	Name, Base string
	Through    []catalog.Layer
}

var (
	ifs    = catalog.Layer{Name: "trace", Options: spi.Options{"file": "/dev/null"}}
	nonIFS = catalog.Layer{Name: "trace", Options: spi.Options{"file": "/dev/null", "data": "on"}}
)

// All are the chains.
var All = []Chain{
	{"kernel", "kernel", nil},
	{"memory", "memory", nil},
	{"kernel+ifs", "kernel", []catalog.Layer{ifs}},
	{"kernel+nonifs", "kernel", []catalog.Layer{nonIFS}},
	{"kernel+nonifs+nonifs", "kernel", []catalog.Layer{nonIFS, nonIFS}},
}

// Compose returns the chain's catalog.
func (c Chain) Compose() (*catalog.Catalog, error) {
	return catalog.Compose(catalog.Default(), c.Base, c.Through)
}
