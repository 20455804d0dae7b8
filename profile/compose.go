package profile

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"upcall.dev/catalog"
	"upcall.dev/spi"
)

// Catalog returns the catalog for a run with the profile: its chain over the
// base provider, in front of everything, and what its programs permit. Without
// a chain of its own the installed catalog stays as it is. Chains to which rules
// send sockets, the profile's and those that are installed, stay behind it,
// where no socket is made of them. Its errors name the layer, and what to do.
func (p *Profile) Catalog(installed *catalog.Catalog) (*catalog.Catalog, error) {
	c, err := p.compose(installed)
	if err != nil {
		return nil, err
	}
	return c, p.permit(c)
}

// Plain reports whether the profile leaves the installed catalog as it is.
func (p *Profile) Plain() bool {
	return len(p.Through) == 0 && p.Over == "" && len(p.Chains) == 0 && len(p.Applications) == 0
}

func (p *Profile) compose(installed *catalog.Catalog) (*catalog.Catalog, error) {
	if len(p.Through) == 0 && p.Over == "" {
		if len(p.Chains) > 0 {
			return nil, fmt.Errorf("profile %q has chains and no layer that sends sockets there: add through = [\"filter:rules=FILE\"]", p.Name)
		}
		return installed.Clone(), nil
	}
	if !p.keepsChains() {
		layers := make([]catalog.Layer, len(p.Through))
		for i, l := range p.Through {
			layers[i] = catalog.Layer{Name: l.Name, Options: l.Options}
		}
		c, err := catalog.Compose(installed, p.Over, layers)
		if err != nil {
			return nil, err
		}
		return c, p.categorize(c, chainOf(c, len(p.Through)), p.Through)
	}
	// What is wrong with the base alone is told as without other chains.
	if _, err := catalog.Compose(installed, p.Over, nil); err != nil {
		return nil, err
	}
	c := installed.Clone()
	if p.Over != "" {
		if err := keepBase(c, p.Over); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Chains)) {
		if err := p.install(c, p.Chains[name], name); err != nil {
			return nil, fmt.Errorf("chain %s: %w", name, err)
		}
	}
	return c, p.install(c, p.Through, "")
}

// keepsChains reports whether a layer may send sockets to other chains.
func (p *Profile) keepsChains() bool {
	return len(p.Chains) > 0 || slices.ContainsFunc(p.Through, func(l Layer) bool { return l.Name == "filter" })
}

// install puts layers over the bases, in front of everything. name, unless
// empty, becomes that of the topmost one, by which rules know the chain.
func (p *Profile) install(c *catalog.Catalog, layers []Layer, name string) error {
	if err := basesFirst(c); err != nil {
		return err
	}
	before := bareLayers(c)
	through := make([]catalog.Layer, len(layers))
	for i, l := range layers {
		through[i] = catalog.Layer{Name: l.Name, Options: l.Options}
	}
	if err := c.InstallLayers(through); err != nil {
		return err
	}
	var made []spi.GUID // the innermost first
	for _, id := range bareLayers(c) {
		if !slices.Contains(before, id) {
			made = append(made, id)
		}
	}
	slices.Reverse(made)
	if err := p.categorize(c, made, layers); err != nil {
		return err
	}
	if name == "" {
		return nil
	}
	for _, e := range c.ByProvider(made[0]) {
		if !e.Layer() {
			continue
		}
		renamed := e.ProtocolInfo
		renamed.SetName(name)
		if code := c.UpdateProvider(made[0], e.Path, []spi.ProtocolInfo{renamed}); code != 0 {
			return fmt.Errorf("it cannot have that name: %w", code)
		}
	}
	return nil
}

// bareLayers returns the ids of the layers in the order of their installation.
func bareLayers(c *catalog.Catalog) (ids []spi.GUID) {
	for _, e := range c.Entries() {
		if e.Layer() && !slices.Contains(ids, e.ProviderID) {
			ids = append(ids, e.ProviderID)
		}
	}
	return ids
}

// chainOf returns the layers of a composed catalog, the outermost first.
func chainOf(c *catalog.Catalog, n int) []spi.GUID {
	ids := bareLayers(c)
	slices.Reverse(ids)
	return ids[:min(n, len(ids))]
}

// categorize gives each layer, the outermost first, its categories.
func (p *Profile) categorize(c *catalog.Catalog, ids []spi.GUID, layers []Layer) error {
	for i, l := range layers {
		bits, err := catalog.ParseCategories(l.Categories)
		if err != nil {
			return err
		}
		if bits == 0 {
			continue
		}
		if code := c.SetProviderInfo(ids[i], catalog.ProviderInfoLspCategories, binary.NativeEndian.AppendUint32(nil, bits), 0); code != 0 {
			return fmt.Errorf("layer %s cannot have categories: %w", l.Name, code)
		}
	}
	return nil
}

// basesFirst puts the base providers before all chains.
func basesFirst(c *catalog.Catalog) error {
	var bases, rest []uint32
	for _, e := range c.Entries() {
		if e.Base() {
			bases = append(bases, e.CatalogEntryID)
		} else {
			rest = append(rest, e.CatalogEntryID)
		}
	}
	if code := c.WriteProviderOrder(slices.Concat(bases, rest)); code != 0 {
		return fmt.Errorf("the catalog's order cannot be changed: %w", code)
	}
	return nil
}

// keepBase removes the base providers besides those of one driver, with the
// chains over them, and installs it if it is not there.
func keepBase(c *catalog.Catalog, name string) error {
	there := false
	for _, e := range c.Entries() {
		if !e.Base() {
			continue
		}
		driver, _, isGo, err := spi.ParseGoPath(e.Path)
		if isGo && err == nil && driver == name {
			there = true
			continue
		}
		if len(c.ByProvider(e.ProviderID)) == 0 {
			continue // with an entry before
		}
		if code := c.RemoveProvider(e.ProviderID); code != 0 {
			return fmt.Errorf("the base provider of %q cannot be left out: %w", e.Name(), code)
		}
	}
	for _, id := range bareLayers(c) {
		if !used(c, id) {
			c.RemoveProvider(id)
		}
	}
	if there {
		return nil
	}
	d, _ := spi.LookupDriver(name)
	if code := c.InstallProvider(d.ProviderID, spi.GoPath(d.Name, nil), d.Protocols()); code != 0 {
		return fmt.Errorf("the base provider %s cannot be installed: %w", name, code)
	}
	return nil
}

// used reports whether a chain runs through the layer.
func used(c *catalog.Catalog, layer spi.GUID) bool {
	return slices.ContainsFunc(c.Entries(), func(e catalog.Entry) bool {
		return e.Chain() && slices.ContainsFunc(e.ProtocolChain.Entries(), func(id uint32) bool {
			member, ok := c.Lookup(id)
			return ok && member.ProviderID == layer
		})
	})
}

// permit sets the categories of the profile's programs, each by its path, as
// WSCSetApplicationCategory does. The first rule that matches a program counts.
func (p *Profile) permit(c *catalog.Catalog) error {
	done := map[string]bool{}
	for _, a := range p.Applications {
		bits, err := catalog.ParseCategories(a.Categories)
		if err != nil {
			return err
		}
		for _, g := range a.Programs {
			paths, err := g.programs()
			if err != nil {
				return err
			}
			for _, path := range paths {
				if done[path] {
					continue
				}
				done[path] = true
				if code := c.SetApplicationCategory(path, "", bits, nil); code != 0 {
					return fmt.Errorf("program %q cannot have categories: %w", path, code)
				}
			}
		}
	}
	return nil
}
