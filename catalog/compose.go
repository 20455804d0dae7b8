package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"upcall.dev/spi"
)

// firstDriver is the base provider that comes before all others in [Default].
const firstDriver = "kernel"

// Default returns the catalog of a machine on which nobody installed anything:
// the base entries of every registered driver, the kernel's first and the
// others by name, and every registered namespace provider by rank. It panics when a driver's protocols cannot be installed, for
// that is a mistake in the program.
func Default() *Catalog {
	drivers := spi.Drivers()
	slices.SortStableFunc(drivers, func(a, b spi.Driver) int {
		switch firstDriver {
		case a.Name:
			return -1
		case b.Name:
			return 1
		}
		return 0
	})
	c := New()
	for _, d := range drivers {
		if d.Layer() {
			continue
		}
		if err := c.installBase(d); err != nil {
			panic("catalog: " + err.Error())
		}
	}
	for _, d := range spi.NamespaceDrivers() {
		if err := c.InstallNamespaceDriver(d, nil); err != nil {
			panic("catalog: " + err.Error())
		}
	}
	return c
}

func (c *Catalog) installBase(d spi.Driver) error {
	if code := c.InstallProvider(d.ProviderID, spi.GoPath(d.Name, nil), d.Protocols()); code != 0 {
		return fmt.Errorf("the protocols of driver %q cannot be installed: %w", d.Name, code)
	}
	return nil
}

// Layer is a registered layer with its options, as the command line names it.
type Layer struct {
	Name    string
	Options spi.Options
}

func (l Layer) judgesUnix() bool {
	d, ok := spi.LookupDriver(l.Name)
	return ok && d.JudgesUnix != nil && d.JudgesUnix(l.Options)
}

// leavesSocket reports whether the layer passes IFS handles through and has no
// part in them once they are connected.
func (l Layer) leavesSocket() bool {
	d, ok := spi.LookupDriver(l.Name)
	return !ok || d.IFS != nil && d.IFS(l.Options) && (d.Handshakes == nil || !d.Handshakes(l.Options))
}

// InstallLayer installs a registered layer over the topmost entry of each
// address family, socket type and protocol, under a new provider id, and
// returns the id of its bare layer. Unlike [Catalog.InstallProviderAndChains]
// it also puts a layer that passes handles through over entries without IFS
// handles; the chain then has none either. Its errors name the layer, and what
// to do.
func (c *Catalog) InstallLayer(l Layer) (uint32, error) {
	return c.installLayerOver(l, c.topmost(nil))
}

func (c *Catalog) installLayerOver(l Layer, below []*Entry) (uint32, error) {
	d, ok := spi.LookupDriver(l.Name)
	switch {
	case !ok:
		return 0, fmt.Errorf("no layer is called %q: choose one of %s", l.Name, strings.Join(driverNames(true), ", "))
	case !d.Layer():
		return 0, fmt.Errorf("%s is a base provider, not a layer: it goes under the layers (--over %s)", l.Name, l.Name)
	}
	id, path := spi.NewGUID(), spi.GoPath(l.Name, l.Options)
	if _, err := spi.OpenDriver(id, path); err != nil {
		return 0, err
	}
	if !validPath(path) {
		return 0, fmt.Errorf("layer %s: its path with options is longer than the %d characters that providers may count on, or is not text: shorten its options", l.Name, MaxPath-1)
	}
	if len(below) == 0 {
		return 0, fmt.Errorf("layer %s has nothing to stand on: the catalog has no base provider (upcall catalog reset restores them)", l.Name)
	}
	ifs := d.IFS != nil && d.IFS(l.Options)
	entryID, code := c.installLayer(below, id, path, l.Name, ifs, func(e *Entry) bool {
		return ifs && d.OwnHandles != nil && d.OwnHandles(l.Options, &e.ProtocolInfo)
	})
	switch {
	case code != 0 && slices.ContainsFunc(below, func(e *Entry) bool { return chainLength(e) == spi.MaxProtocolChain }):
		return 0, fmt.Errorf("layer %s would make a chain longer than %d, its base included: use fewer layers", l.Name, spi.MaxProtocolChain)
	case code != 0:
		return 0, fmt.Errorf("layer %s cannot be installed: %w", l.Name, code)
	}
	return entryID, nil
}

// installLayer installs a layer over entries. Where it has handles of its own
// although elsewhere it passes IFS handles through, its chains run through a
// second bare layer, which says so: of a bare layer all chains are alike.
func (c *Catalog) installLayer(over []*Entry, id spi.GUID, path, name string, ifs bool, own func(*Entry) bool) (entryID uint32, code spi.Errno) {
	var owned, rest []*Entry
	for _, e := range over {
		if own(e) {
			owned = append(owned, e)
		} else {
			rest = append(rest, e)
		}
	}
	if len(owned) > 0 {
		if code := c.installOver(owned, id, path, c.unused(name+" with own handles"), false, &entryID); code != 0 {
			return 0, code
		}
	}
	if len(rest) == 0 {
		return entryID, 0
	}
	return entryID, c.installOver(rest, id, path, c.unused(name), ifs, &entryID)
}

// unused returns name, or with a number behind it when an entry is called so.
func (c *Catalog) unused(name string) string {
	unused := name
	for n := 2; c.named(unused); n++ {
		unused = fmt.Sprintf("%s %d", name, n)
	}
	return unused
}

// Handshakes reports whether a layer in the chain of an entry goes on talking
// on a stream after the base has connected it ([spi.Driver].Handshakes), so
// that the readiness of a descriptor does not tell that a connect is over.
// Layers that are not Go drivers of this program count as ones that do not.
func (c *Catalog) Handshakes(e *Entry) bool { return c.Handshaking(e)() }

// Handshaking returns [Catalog.Handshakes] of an entry for who asks often: the
// layers are looked up once, and asked each time.
func (c *Catalog) Handshaking(e *Entry) func() bool {
	layers := c.layersOf(e)
	return func() bool {
		return layers.any(func(d *spi.Driver) func(spi.Options) bool { return d.Handshakes })
	}
}

// AnswersNames reports whether a layer in the chain of an entry answers DNS
// queries itself ([spi.Driver].AnswersNames), or one of a chain that it sends them
// to ([spi.Driver].SendsQueries). Layers that are not Go drivers of this program
// count as ones that do neither.
func (c *Catalog) AnswersNames(e *Entry) bool { return c.answersNames(e, map[uint32]bool{}) }

func (c *Catalog) answersNames(e *Entry, seen map[uint32]bool) bool {
	if seen[e.CatalogEntryID] {
		return false
	}
	seen[e.CatalogEntryID] = true
	if c.anyLayer(e, func(d *spi.Driver) func(spi.Options) bool { return d.AnswersNames }) {
		return true
	}
	return c.anyLayer(e, func(d *spi.Driver) func(spi.Options) bool {
		return func(o spi.Options) bool {
			return d.SendsQueries != nil && slices.ContainsFunc(d.SendsQueries(o), func(chain string) bool {
				return slices.ContainsFunc(c.called(chain), func(to *Entry) bool { return c.answersNames(to, seen) })
			})
		}
	})
}

// called returns the chains of an id or name, or whose topmost layer is of the
// installation that has that name.
func (c *Catalog) called(name string) (chains []*Entry) {
	named := func(e *Entry) bool {
		return e.Name() == name || strconv.FormatUint(uint64(e.CatalogEntryID), 10) == name
	}
	for _, e := range c.entries {
		if !e.Chain() {
			continue
		}
		top, ok := c.Lookup(e.ProtocolChain.ChainEntries[0])
		if named(e) || ok && slices.ContainsFunc(c.ByProvider(top.ProviderID), func(layer *Entry) bool { return layer.Layer() && named(layer) }) {
			chains = append(chains, e)
		}
	}
	return chains
}

// JudgesUnix reports whether a layer in the chain of an entry decides about Unix
// sockets ([spi.Driver].JudgesUnix). Layers that are not Go drivers of this
// program count as ones that do not.
func (c *Catalog) JudgesUnix(e *Entry) bool {
	return c.anyLayer(e, func(d *spi.Driver) func(spi.Options) bool { return d.JudgesUnix })
}

func (c *Catalog) anyLayer(e *Entry, property func(*spi.Driver) func(spi.Options) bool) bool {
	return c.layersOf(e).any(property)
}

// drivenLayers are the layers of a chain that drivers of this program carry out.
type drivenLayers []drivenLayer

type drivenLayer struct {
	driver  spi.Driver
	options spi.Options
}

func (c *Catalog) layersOf(e *Entry) (layers drivenLayers) {
	for _, id := range e.ProtocolChain.Entries() {
		if member, ok := c.Lookup(id); ok && member.Layer() {
			if d, options, known := member.driver(); known {
				layers = append(layers, drivenLayer{d, options})
			}
		}
	}
	return layers
}

func (l drivenLayers) any(property func(*spi.Driver) func(spi.Options) bool) bool {
	for i := range l {
		if has := property(&l[i].driver); has != nil && has(l[i].options) {
			return true
		}
	}
	return false
}

// TellsProgramsApart reports whether the chain of a socket depends on which
// program makes it: by categories, or because the driver of an entry asks for it
// ([spi.Driver].ByApplication).
func (c *Catalog) TellsProgramsApart() bool {
	return c.HasApplications() || slices.ContainsFunc(c.entries, func(e *Entry) bool {
		d, _, known := e.driver()
		return known && d.ByApplication
	})
}

// driver returns the driver of this program that the entry's path names.
func (e *Entry) driver() (d spi.Driver, options spi.Options, known bool) {
	name, options, isGo, err := spi.ParseGoPath(e.Path)
	if !isGo || err != nil {
		return d, nil, false
	}
	d, known = spi.LookupDriver(name)
	return d, options, known
}

// SharedObjects reports whether sockets may go through a provider whose path is
// not that of a driver in Go, but of a shared object: one in the chain of an entry
// that sockets are made of.
func (c *Catalog) SharedObjects() bool {
	shared := func(id uint32) bool {
		member, ok := c.Lookup(id)
		if !ok {
			return false
		}
		_, _, isGo, _ := spi.ParseGoPath(member.Path)
		return !isGo
	}
	return slices.ContainsFunc(c.Entries(), func(e Entry) bool {
		return !e.Layer() && (shared(e.CatalogEntryID) || slices.ContainsFunc(e.ProtocolChain.Entries(), shared))
	})
}

// Compose returns a catalog for one run: the base entries of the driver called
// over, or all of base's when it is empty, and chains of the layers in through,
// outermost first, over them. Chains that base holds are left out. Its errors
// name the layer or driver, and what to do.
func Compose(base *Catalog, over string, through []Layer) (*Catalog, error) {
	c := base.Clone()
	c.entries = slices.DeleteFunc(c.entries, func(e *Entry) bool { return !e.Base() })
	c.categories = map[spi.GUID]uint32{}
	if over != "" {
		if err := c.keepBase(over); err != nil {
			return nil, err
		}
	}
	if len(c.entries) == 0 {
		return nil, errors.New("the catalog has no base provider: upcall catalog reset restores them")
	}
	if err := c.InstallLayers(through); err != nil {
		return nil, err
	}
	return c, nil
}

// InstallLayers installs layers, the outermost first, as [Catalog.InstallLayer]
// does one, for a run of its own. Where one of them decides about Unix sockets,
// the chain for those leaves out the layers that do not and that would not hand
// a program's own socket on as soon as it is connected. Its errors name the layer,
// and what to do.
func (c *Catalog) InstallLayers(through []Layer) error {
	judged := slices.ContainsFunc(through, Layer.judgesUnix)
	for _, l := range slices.Backward(through) {
		below := c.topmost(nil)
		if judged {
			unix := slices.IndexFunc(below, func(e *Entry) bool { return e.AddressFamily == spi.AF_UNIX })
			switch {
			case unix < 0 && l.judgesUnix():
				return fmt.Errorf("layer %s has rules about Unix sockets, for which the catalog has no provider: leave them out, or take the base provider %s", l.Name, firstDriver)
			case unix >= 0 && !l.leavesSocket() && !l.judgesUnix():
				below = slices.Delete(below, unix, unix+1)
			}
		}
		if _, err := c.installLayerOver(l, below); err != nil {
			return err
		}
	}
	return nil
}

// keepBase reduces the catalog to the entries of one base driver, and installs
// it if it has none.
func (c *Catalog) keepBase(name string) error {
	d, ok := spi.LookupDriver(name)
	switch {
	case !ok:
		return fmt.Errorf("no base provider is called %q: choose one of %s", name, strings.Join(driverNames(false), ", "))
	case d.Layer():
		return fmt.Errorf("%s is a layer, not a base provider: it goes over one (--through %s)", name, name)
	}
	c.entries = slices.DeleteFunc(c.entries, func(e *Entry) bool {
		driver, _, isGo, err := spi.ParseGoPath(e.Path)
		return !isGo || err != nil || driver != name
	})
	if len(c.entries) == 0 {
		return c.installBase(d)
	}
	return nil
}

// driverNames returns the names of the registered layers, or base providers.
func driverNames(layers bool) []string {
	var names []string
	for _, d := range spi.Drivers() {
		if d.Layer() == layers {
			names = append(names, d.Name)
		}
	}
	if len(names) == 0 {
		return []string{"(none is built into this program)"}
	}
	return names
}
