package spi

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// NamespaceDriver describes a namespace provider that is written in Go. It is
// registered, and named in the catalog, as a [Driver] is; the two kinds have
// names of their own.
type NamespaceDriver struct {
	// Name is how paths and the command line call it: lower case, no spaces.
	Name string
	// Summary is one line for lists.
	Summary string
	// Options are the options that a path may set.
	Options []Option
	// ProviderID is the id that it is installed under.
	ProviderID GUID
	// NameSpace is the namespace that it serves, NS_.
	NameSpace uint32
	// Version is its version in the catalog.
	Version uint32
	// Identifier is its name in the catalog, for people.
	Identifier string
	// Rank is its place among the others in a new catalog: lower comes first.
	Rank int
	// Open checks the options and returns the provider's NSPStartup, as loading
	// a DLL does. Its error names the option and says what to do.
	Open func(Module) (NSPStartupFunc, error)
}

var namespaceDrivers = struct {
	sync.RWMutex // guards byName; a leaf lock
	byName       map[string]NamespaceDriver
}{byName: map[string]NamespaceDriver{}}

// RegisterNamespace makes a namespace driver available by its name. It panics
// when the driver is incomplete or the name is taken, for both are mistakes in
// the program.
func RegisterNamespace(d NamespaceDriver) {
	if d.Name == "" || d.Open == nil || d.NameSpace == NS_ALL || strings.ContainsAny(d.Name, "?:/ ") {
		panic(fmt.Sprintf("spi: namespace driver %q needs a plain name, a namespace and an Open function", d.Name))
	}
	namespaceDrivers.Lock()
	defer namespaceDrivers.Unlock()
	if _, taken := namespaceDrivers.byName[d.Name]; taken {
		panic(fmt.Sprintf("spi: namespace driver %q is registered twice", d.Name))
	}
	namespaceDrivers.byName[d.Name] = d
}

// NamespaceDrivers returns the registered namespace drivers, by rank and name.
func NamespaceDrivers() []NamespaceDriver {
	namespaceDrivers.RLock()
	defer namespaceDrivers.RUnlock()
	return slices.SortedFunc(maps.Values(namespaceDrivers.byName), func(a, b NamespaceDriver) int {
		if a.Rank != b.Rank {
			return a.Rank - b.Rank
		}
		return strings.Compare(a.Name, b.Name)
	})
}

// LookupNamespaceDriver returns the namespace driver of that name.
func LookupNamespaceDriver(name string) (NamespaceDriver, bool) {
	namespaceDrivers.RLock()
	defer namespaceDrivers.RUnlock()
	d, ok := namespaceDrivers.byName[name]
	return d, ok
}

// OpenNamespace loads the Go namespace provider that path names: it checks that
// the driver exists and knows every option, then calls its Open.
func OpenNamespace(id GUID, path string) (NSPStartupFunc, error) {
	name, options, ok, err := ParseGoPath(path)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("provider path %q does not name a Go provider: it would begin with %q", path, goScheme)
	}
	d, found := LookupNamespaceDriver(name)
	if !found {
		var names []string
		for _, d := range NamespaceDrivers() {
			names = append(names, d.Name)
		}
		if len(names) == 0 {
			return nil, fmt.Errorf("no namespace provider is called %q: none is built into this program", name)
		}
		return nil, fmt.Errorf("no namespace provider is called %q: choose one of %s", name, strings.Join(names, ", "))
	}
	checked := Driver{Name: d.Name, Options: d.Options}
	if err := checked.CheckOptions(options); err != nil {
		return nil, err
	}
	return d.Open(Module{ProviderID: id, Path: path, Options: options})
}
