package spi

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Driver describes a provider that is written in Go. A package registers its
// driver in an init function, as database drivers do, and a catalog entry
// whose path is [GoPath] of the name then loads it.
type Driver struct {
	// Name is how paths and the command line call it: lower case, no spaces.
	Name string
	// Summary is one line for lists.
	Summary string
	// Options are the options that a path may set.
	Options []Option
	// Protocols returns the entries that a base provider installs, without
	// catalog ids. It is nil for a layer.
	Protocols func() []ProtocolInfo
	// IFS reports whether a layer with these options passes IFS handles
	// through; nil means that it never does. A base provider says so in its
	// Protocols.
	IFS func(Options) bool
	// OwnHandles reports whether a layer of which IFS is true has, over this
	// entry, handles of its own all the same, as one that only touches datagrams;
	// nil means nowhere.
	OwnHandles func(Options, *ProtocolInfo) bool
	// Handshakes reports whether a layer with these options goes on talking on a
	// stream after the provider below has connected it, before it tells the
	// client that it is connected. Whoever looks at the descriptor of an IFS
	// handle by other means than the layer's functions then sees it ready too
	// early. nil means that it never does.
	Handshakes func(Options) bool
	// AnswersNames reports whether a layer with these options answers the DNS
	// queries that it carries by itself, so that names are looked up by no other
	// way: whoever runs programs over it keeps them from asking services of the
	// machine instead. nil means that it never does.
	AnswersNames func(Options) bool
	// JudgesUnix reports whether a layer with these options decides about Unix
	// sockets: whoever runs programs over it then asks it about theirs, which it
	// leaves to the kernel otherwise. nil means that it never does.
	JudgesUnix func(Options) bool
	// SendsQueries returns the names of the catalog's chains that a layer with
	// these options sends the DNS queries of programs to, those to servers
	// anywhere, instead of to the provider below: AnswersNames of a layer there
	// counts as its own. A name is an entry's id or name, or the name of its
	// topmost layer. nil means none.
	SendsQueries func(Options) []string
	// ByApplication tells that what the provider does depends on which program
	// it serves ([DLL].Application): a host of several programs then loads it
	// for each.
	ByApplication bool
	// ProviderID is the id that a base provider is installed under. A layer
	// gets a new one with each installation.
	ProviderID GUID
	// Open checks the options and returns the provider's WSPStartup, as
	// loading a DLL does. Its error names the option and says what to do.
	Open func(Module) (StartupFunc, error)
}

// Layer reports whether the driver is a layered provider.
func (d *Driver) Layer() bool { return d.Protocols == nil }

// Option describes one option of a driver.
type Option struct {
	Name    string
	Default string
	Help    string // one line, with the unit and an example
	Path    bool   // the value is a file name; installing makes it absolute
}

// Options are the values that a path sets, by name.
type Options map[string]string

// Module is one loaded provider: what its code may know of how it was
// installed.
type Module struct {
	ProviderID GUID
	Path       string
	Options    Options
}

var drivers = struct {
	sync.RWMutex // guards byName; a leaf lock
	byName       map[string]Driver
}{byName: map[string]Driver{}}

// Register makes a driver available by its name. It panics when the driver is
// incomplete or the name is taken, for both are mistakes in the program.
func Register(d Driver) {
	if d.Name == "" || d.Open == nil || strings.ContainsAny(d.Name, "?:/ ") {
		panic(fmt.Sprintf("spi: driver %q needs a plain name and an Open function", d.Name))
	}
	drivers.Lock()
	defer drivers.Unlock()
	if _, taken := drivers.byName[d.Name]; taken {
		panic(fmt.Sprintf("spi: driver %q is registered twice", d.Name))
	}
	drivers.byName[d.Name] = d
}

// Drivers returns the registered drivers, by name.
func Drivers() []Driver {
	drivers.RLock()
	defer drivers.RUnlock()
	return slices.SortedFunc(maps.Values(drivers.byName), func(a, b Driver) int { return strings.Compare(a.Name, b.Name) })
}

// LookupDriver returns the driver of that name.
func LookupDriver(name string) (Driver, bool) {
	drivers.RLock()
	defer drivers.RUnlock()
	d, ok := drivers.byName[name]
	return d, ok
}

const goScheme = "go:"

// GoPath returns the catalog path of a registered driver with options, such as
// "go:shape?delay=20ms&rate=1M".
func GoPath(name string, options Options) string {
	if len(options) == 0 {
		return goScheme + name
	}
	values := url.Values{}
	for k, v := range options {
		values.Set(k, v)
	}
	return goScheme + name + "?" + values.Encode()
}

// ParseGoPath is the inverse of [GoPath]. ok is false when path is not of that
// form, which makes it the path of a shared object. err tells of options that
// cannot be read, or of one that is set twice.
func ParseGoPath(path string) (name string, options Options, ok bool, err error) {
	rest, ok := strings.CutPrefix(path, goScheme)
	if !ok {
		return "", nil, false, nil
	}
	name, query, _ := strings.Cut(rest, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", nil, true, fmt.Errorf("the options in provider path %q cannot be read: %w", path, err)
	}
	options = Options{}
	for _, k := range slices.Sorted(maps.Keys(values)) {
		if len(values[k]) > 1 {
			return "", nil, true, fmt.Errorf("provider path %q sets %q more than once: leave all but one out", path, k)
		}
		options[k] = values[k][0]
	}
	return name, options, true, nil
}

// OpenDriver loads the Go provider that path names: it checks that the driver
// exists and knows every option, then calls its Open.
func OpenDriver(id GUID, path string) (StartupFunc, error) {
	name, options, ok, err := ParseGoPath(path)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("provider path %q does not name a Go provider: it would begin with %q", path, goScheme)
	}
	d, found := LookupDriver(name)
	if !found {
		return nil, fmt.Errorf("no provider is called %q: choose one of %s", name, strings.Join(driverNames(), ", "))
	}
	if err := d.CheckOptions(options); err != nil {
		return nil, err
	}
	return d.Open(Module{ProviderID: id, Path: path, Options: options})
}

// CheckOptions reports the first option that the driver does not know.
func (d *Driver) CheckOptions(options Options) error {
	for _, name := range slices.Sorted(maps.Keys(options)) {
		if !slices.ContainsFunc(d.Options, func(o Option) bool { return o.Name == name }) {
			known := make([]string, len(d.Options))
			for i, o := range d.Options {
				known[i] = o.Name
			}
			if len(known) == 0 {
				return fmt.Errorf("%s has no option %q: it takes none", d.Name, name)
			}
			return fmt.Errorf("%s has no option %q: choose from %s", d.Name, name, strings.Join(known, ", "))
		}
	}
	return nil
}

func driverNames() []string {
	var names []string
	for _, d := range Drivers() {
		names = append(names, d.Name)
	}
	return names
}
