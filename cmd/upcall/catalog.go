package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"upcall.dev/catalog"
	"upcall.dev/profile"
	"upcall.dev/spi"
)

type catalogCommand struct {
	List       listCommand       `cmd:"" help:"List the entries in order."`
	Show       showCommand       `cmd:"" help:"Show one entry, or all of a provider."`
	Install    installCommand    `cmd:"" help:"Install a base provider, or a layer with its chains in front."`
	Remove     removeCommand     `cmd:"" help:"Remove a provider's entries."`
	Order      orderCommand      `cmd:"" help:"Put entries first, in this order."`
	Check      checkCommand      `cmd:"" help:"Say what is wrong in the catalog and what to do."`
	Namespaces namespacesCommand `cmd:"" help:"List or change what looks names up."`
	Reset      resetCommand      `cmd:"" help:"Go back to the base providers alone; the old file is kept."`
}

// entryView is an entry as the reading commands print it.
type entryView struct {
	ID            uint32   `json:"id"`
	Kind          string   `json:"kind"` // base, layer or chain
	Name          string   `json:"name"`
	Provider      spi.GUID `json:"provider"`
	Path          string   `json:"path"`
	Chain         []uint32 `json:"chain,omitempty"`
	Family        int32    `json:"family"`
	Type          int32    `json:"type"`
	Protocol      int32    `json:"protocol"`
	IFS           bool     `json:"ifs"`
	Hidden        bool     `json:"hidden"`
	ServiceFlags  uint32   `json:"service_flags"`
	ProviderFlags uint32   `json:"provider_flags"`
}

func viewOf(e catalog.Entry) entryView {
	v := entryView{
		ID: e.CatalogEntryID, Kind: "chain", Name: e.Name(), Provider: e.ProviderID, Path: e.Path,
		Chain: e.ProtocolChain.Entries(), Family: e.AddressFamily, Type: e.SocketType, Protocol: e.Protocol,
		IFS: e.IFS(), Hidden: e.ProviderFlags&spi.PFL_HIDDEN != 0,
		ServiceFlags: e.ServiceFlags1, ProviderFlags: e.ProviderFlags,
	}
	switch e.ProtocolChain.ChainLen {
	case spi.LayeredProtocol:
		v.Kind = "layer"
	case spi.BaseProtocol:
		v.Kind = "base"
	}
	return v
}

func (v entryView) handles() string {
	if v.IFS {
		return "IFS"
	}
	return "non-IFS"
}

func (v entryView) chain() string {
	ids := make([]string, len(v.Chain))
	for i, id := range v.Chain {
		ids[i] = strconv.FormatUint(uint64(id), 10)
	}
	return strings.Join(ids, " → ")
}

// printable escapes what a terminal would obey instead of show: names and paths
// are whatever an installer or the file says.
func printable(s string) string {
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

type listCommand struct {
	All  bool `help:"Also hidden entries and bare layers, which programs do not see."`
	JSON bool `help:"As JSON."`
}

func (listCommand) Help() string {
	return `Examples:
  upcall catalog list
  upcall catalog list --all --json`
}

func (l *listCommand) Run(std streams, file *catalog.File) error {
	c, err := file.Load()
	if err != nil {
		return err
	}
	views := []entryView{}
	for _, e := range c.Entries() {
		v := viewOf(e)
		if l.All || v.Kind != "layer" && !v.Hidden {
			views = append(views, v)
		}
	}
	if l.JSON {
		return printJSON(std.out, views)
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tKIND\tHANDLES\tNAME\tPATH\tCHAIN")
	for _, v := range views {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", v.ID, v.Kind, v.handles(), printable(v.Name), printable(v.Path), v.chain())
	}
	return w.Flush()
}

type showCommand struct {
	Entry string `arg:"" help:"A catalog entry id, a provider GUID, or a driver's name such as kernel."`
	JSON  bool   `help:"As JSON."`
}

func (s *showCommand) Run(std streams, file *catalog.File) error {
	c, err := file.Load()
	if err != nil {
		return err
	}
	var views []entryView
	for _, e := range matching(c, s.Entry) {
		views = append(views, viewOf(e))
	}
	if len(views) == 0 {
		return notFound(s.Entry)
	}
	if s.JSON {
		return printJSON(std.out, views)
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	for i, v := range views {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "id\t%d\nkind\t%s\nname\t%s\nprovider\t%s\npath\t%s\n", v.ID, v.Kind, printable(v.Name), v.Provider, printable(v.Path))
		if len(v.Chain) > 0 {
			fmt.Fprintf(w, "chain\t%s\n", v.chain())
		}
		fmt.Fprintf(w, "handles\t%s\nfamily, type, protocol\t%d, %d, %d\nservice flags\t%#x\nprovider flags\t%#x\n",
			v.handles(), v.Family, v.Type, v.Protocol, v.ServiceFlags, v.ProviderFlags)
	}
	return w.Flush()
}

func notFound(what string) error {
	return fmt.Errorf("the catalog has no entry %q: upcall catalog list --all shows ids, GUIDs and names", what)
}

// matching returns the entries that an id, a GUID or a driver's name means.
func matching(c *catalog.Catalog, what string) (found []catalog.Entry) {
	id, idErr := strconv.ParseUint(what, 10, 32)
	guid, guidErr := spi.ParseGUID(what)
	for _, e := range c.Entries() {
		driver, _, _, _ := spi.ParseGoPath(e.Path)
		switch {
		case idErr == nil && e.CatalogEntryID == uint32(id),
			guidErr == nil && e.ProviderID == guid,
			driver == what && driver != "", e.Path == what:
			found = append(found, e)
		}
	}
	return found
}

type installCommand struct {
	Provider string `arg:"" name:"PROVIDER[:KEY=VALUE,...]" predictor:"driver" help:"A layer or base provider by name, or the path of a shared object with --layer."`
	Layer    bool   `help:"The path is a shared object that is a layer."`
	Name     string `help:"The shared object's name in the catalog (default: its path)."`
	IFS      bool   `name:"ifs" help:"The shared object passes IFS handles through."`
}

func (installCommand) Help() string {
	return `A layer is installed with one chain over each kind of socket that the catalog
has, in front of everything, so that every program started by upcall run and
every program that loads the catalog goes through it. A relative file name is
stored as a whole path.

Examples:
  upcall catalog install trace:file=calls.log
  upcall catalog install shape:rate=1MB
  upcall catalog install memory
  upcall catalog install --layer --name filter /usr/lib/upcall/filter.so

Layers:
` + driverHelp(true) + `
Base providers:
` + driverHelp(false)
}

func (i *installCommand) Run(std streams, file *catalog.File) error {
	name, rest, hasOptions := strings.Cut(i.Provider, ":")
	driver, known := spi.LookupDriver(name)
	options := spi.Options{}
	if known && hasOptions {
		var err error
		if options, err = profile.ParseOptions(driver, rest); err != nil {
			return err
		}
		if err = absolutePaths(driver, options); err != nil {
			return err
		}
	}
	var id spi.GUID
	var install func(c *catalog.Catalog) error
	switch {
	case strings.Contains(name, "/"), i.Layer && !known:
		if !i.Layer {
			return fmt.Errorf("%s is a shared object: say --layer when it is a layered provider; base providers install themselves through WSCInstallProvider", i.Provider)
		}
		path, err := sharedObjectPath(i.Provider)
		if err != nil {
			return err
		}
		install = func(c *catalog.Catalog) error {
			id = spi.NewGUID()
			return i.sharedObject(c, id, path)
		}
	case known && driver.Layer():
		install = func(c *catalog.Catalog) error {
			entryID, err := c.InstallLayer(catalog.Layer{Name: name, Options: options})
			if err != nil {
				return err
			}
			entry, _ := c.Lookup(entryID)
			id = entry.ProviderID
			return nil
		}
	case known:
		install = func(c *catalog.Catalog) error {
			id = driver.ProviderID
			if len(c.ByProvider(id)) > 0 {
				return fmt.Errorf("%s is installed already", name)
			}
			path := spi.GoPath(name, options)
			if _, err := spi.OpenDriver(id, path); err != nil {
				return err
			}
			if e := c.InstallProvider(id, path, driver.Protocols()); e != 0 {
				return fmt.Errorf("installing %s: %w", name, e)
			}
			return nil
		}
	default:
		all := append(driverNames(true), driverNames(false)...)
		return fmt.Errorf("no provider is called %q: choose one of %s, or give the path of a shared object", name, strings.Join(all, ", "))
	}
	if err := file.Update(install); err != nil {
		return err
	}
	_, err := fmt.Fprintf(std.out, "installed %s as %s\n", i.Provider, id)
	return err
}

// sharedObjectPath returns the whole path of a shared object, in which
// environment variables stay as they were written, after it has looked for the
// file.
func sharedObjectPath(path string) (string, error) {
	if !filepath.IsAbs(catalog.ExpandPath(path)) {
		whole, err := filepath.Abs(path)
		if err != nil {
			return "", fmt.Errorf("%s cannot be made a whole path, give one: %w", path, err)
		}
		path = whole
	}
	info, err := os.Stat(catalog.ExpandPath(path))
	if err != nil {
		return "", fmt.Errorf("the shared object cannot be found, correct its path: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a file that can be loaded: name the shared object itself", path)
	}
	return path, nil
}

// sharedObject installs the layer at path.
func (i *installCommand) sharedObject(c *catalog.Catalog, id spi.GUID, path string) error {
	name := i.Name
	if name == "" {
		name = path
	}
	var flags uint32
	if i.IFS {
		flags = spi.XP1_IFS_HANDLES
	}
	if e := c.InstallProviderAndChains(id, path, name, flags, nil, nil); e != 0 {
		return fmt.Errorf("installing %s: %w", i.Provider, e)
	}
	return nil
}

type removeCommand struct {
	Provider string `arg:"" help:"A provider GUID, the id of one of its entries, or a driver's name."`
}

func (removeCommand) Help() string {
	return `Chains of other layers that run through the provider are mended: they go on
without it, or go with it where nothing is left below them.

Examples:
  upcall catalog remove trace
  upcall catalog remove 1007`
}

func (r *removeCommand) Run(std streams, file *catalog.File) error {
	var removed []spi.GUID
	err := file.Update(func(c *catalog.Catalog) error {
		removed = nil
		for _, e := range matching(c, r.Provider) {
			if !slices.Contains(removed, e.ProviderID) {
				removed = append(removed, e.ProviderID)
			}
		}
		if len(removed) == 0 {
			return notFound(r.Provider)
		}
		for _, id := range removed {
			if e := c.RemoveProvider(id); e != 0 {
				return fmt.Errorf("removing provider %s: %w", id, e)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range removed {
		if _, err := fmt.Fprintf(std.out, "removed %s\n", id); err != nil {
			return err
		}
	}
	return nil
}

type orderCommand struct {
	IDs []uint32 `arg:"" name:"ID" help:"Catalog entry ids, first first; the others follow in their present order."`
}

func (orderCommand) Help() string {
	return `The first entry that matches a program's socket decides. Examples:
  upcall catalog order 1004
  upcall catalog order 1002 1001`
}

func (o *orderCommand) Run(_ streams, file *catalog.File) error {
	return file.Update(func(c *catalog.Catalog) error {
		order := slices.Clone(o.IDs)
		for _, id := range o.IDs {
			if _, ok := c.Lookup(id); !ok {
				return notFound(strconv.FormatUint(uint64(id), 10))
			}
		}
		for _, e := range c.Entries() {
			if !slices.Contains(order, e.CatalogEntryID) {
				order = append(order, e.CatalogEntryID)
			}
		}
		if e := c.WriteProviderOrder(order); e != 0 {
			return fmt.Errorf("ordering: name every id once: %w", e)
		}
		return nil
	})
}

type checkCommand struct {
	JSON bool `help:"As JSON."`
}

func (checkCommand) Help() string {
	return "Exits with 1 when something is wrong. Example:\n  upcall catalog check"
}

func (k *checkCommand) Run(std streams, file *catalog.File) error {
	c, err := file.Load()
	if err != nil {
		return err
	}
	problems := c.Check()
	if k.JSON {
		if problems == nil {
			problems = []catalog.Problem{}
		}
		if err := printJSON(std.out, problems); err != nil {
			return err
		}
	} else {
		for _, p := range problems {
			fmt.Fprintln(std.out, p)
		}
		if len(problems) == 0 {
			fmt.Fprintf(std.out, "%d entries, nothing wrong\n", len(c.Entries()))
		}
	}
	if len(problems) > 0 {
		return exitStatus(exitFailure)
	}
	return nil
}

type resetCommand struct{}

func (resetCommand) Run(std streams, file *catalog.File) error {
	backup, err := file.Reset()
	if err != nil {
		return err
	}
	fmt.Fprintf(std.out, "the catalog has its base providers alone again\n")
	if backup != "" {
		fmt.Fprintf(std.out, "the old file is %s\n", backup)
	}
	return nil
}
