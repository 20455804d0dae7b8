package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"upcall.dev/catalog"
	"upcall.dev/profile"
	"upcall.dev/spi"
)

type namespacesCommand struct {
	List    listNamespaces   `cmd:"" default:"withargs" help:"List the namespace providers in the order in which they are asked (the default)."`
	Install installNamespace `cmd:"" help:"Install a namespace provider, asked last."`
	Remove  removeNamespace  `cmd:"" help:"Remove a namespace provider."`
	Order   orderNamespaces  `cmd:"" help:"Put namespace providers first, in this order."`
	Enable  enableNamespace  `cmd:"" help:"Ask a namespace provider again."`
	Disable disableNamespace `cmd:"" help:"Keep a namespace provider, but do not ask it."`
}

// namespaceView is a namespace entry as the list prints it.
type namespaceView struct {
	Provider  spi.GUID `json:"provider"`
	Name      string   `json:"name"`
	Namespace string   `json:"namespace"`
	Version   uint32   `json:"version"`
	Active    bool     `json:"active"`
	Path      string   `json:"path"`
}

type listNamespaces struct {
	JSON bool `help:"As JSON."`
}

func (l *listNamespaces) Run(std streams, file *catalog.File) error {
	c, err := file.Load()
	if err != nil {
		return err
	}
	views := []namespaceView{}
	for _, n := range c.Namespaces() {
		views = append(views, namespaceView{n.ID, n.Identifier, catalog.NamespaceName(n.NameSpace), n.Version, n.Active, n.Path})
	}
	if l.JSON {
		return printJSON(std.out, views)
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAMESPACE\tASKED\tNAME\tPATH\tPROVIDER")
	for _, v := range views {
		asked := "yes"
		if !v.Active {
			asked = "no"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", v.Namespace, asked, printable(v.Name), printable(v.Path), v.Provider)
	}
	return w.Flush()
}

type installNamespace struct {
	Provider string `arg:"" name:"PROVIDER[:KEY=VALUE,...]" help:"A namespace provider by name."`
}

func (installNamespace) Help() string {
	var b strings.Builder
	b.WriteString("A relative file name is stored as a whole path. Example:\n  upcall catalog namespaces install dns:server=127.0.0.1:5353\n\nNamespace providers:\n")
	for _, d := range spi.NamespaceDrivers() {
		writeDriverHelp(&b, spi.Driver{Name: d.Name, Summary: d.Summary, Options: d.Options})
	}
	return b.String()
}

func (i *installNamespace) Run(std streams, file *catalog.File) error {
	name, rest, hasOptions := strings.Cut(i.Provider, ":")
	d, ok := spi.LookupNamespaceDriver(name)
	if !ok {
		var names []string
		for _, d := range spi.NamespaceDrivers() {
			names = append(names, d.Name)
		}
		return fmt.Errorf("no namespace provider is called %q: choose one of %s", name, strings.Join(names, ", "))
	}
	options := spi.Options{}
	if hasOptions {
		described := spi.Driver{Name: d.Name, Options: d.Options}
		var err error
		if options, err = profile.ParseOptions(described, rest); err != nil {
			return err
		}
		if err = absolutePaths(described, options); err != nil {
			return err
		}
	}
	err := file.Update(func(c *catalog.Catalog) error { return c.InstallNamespaceDriver(d, options) })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "installed %s as %s\n", i.Provider, d.ProviderID)
	return err
}

// namespaceMeant returns the one entry that a GUID, a driver's name or the
// entry's own means.
func namespaceMeant(c *catalog.Catalog, what string) (spi.GUID, error) {
	guid, guidErr := spi.ParseGUID(what)
	for _, n := range c.Namespaces() {
		driver, _, _, _ := spi.ParseGoPath(n.Path)
		if guidErr == nil && n.ID == guid || driver == what && driver != "" || n.Identifier == what {
			return n.ID, nil
		}
	}
	return spi.GUID{}, fmt.Errorf("the catalog has no namespace provider %q: upcall catalog namespaces shows them", what)
}

type removeNamespace struct {
	Provider string `arg:"" help:"A GUID, or a name such as hosts."`
}

func (r *removeNamespace) Run(std streams, file *catalog.File) error {
	var id spi.GUID
	err := file.Update(func(c *catalog.Catalog) (err error) {
		if id, err = namespaceMeant(c, r.Provider); err != nil {
			return err
		}
		return c.UnInstallNameSpace(id).Err()
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "removed %s\n", id)
	return err
}

type orderNamespaces struct {
	Providers []string `arg:"" name:"PROVIDER" help:"GUIDs or names, first first; the others follow in their present order."`
}

func (o *orderNamespaces) Run(_ streams, file *catalog.File) error {
	return file.Update(func(c *catalog.Catalog) error {
		var order []spi.GUID
		for _, what := range o.Providers {
			id, err := namespaceMeant(c, what)
			if err != nil {
				return err
			}
			order = append(order, id)
		}
		for _, n := range c.Namespaces() {
			if !slices.Contains(order, n.ID) {
				order = append(order, n.ID)
			}
		}
		if e := c.WriteNameSpaceOrder(order); e != 0 {
			return fmt.Errorf("ordering: name every provider once: %w", e)
		}
		return nil
	})
}

type enableNamespace struct {
	Provider string `arg:"" help:"A GUID, or a name such as dns."`
}

func (e *enableNamespace) Run(_ streams, file *catalog.File) error {
	return setNamespace(file, e.Provider, true)
}

type disableNamespace struct {
	Provider string `arg:"" help:"A GUID, or a name such as dns."`
}

func (d *disableNamespace) Run(_ streams, file *catalog.File) error {
	return setNamespace(file, d.Provider, false)
}

func setNamespace(file *catalog.File, what string, active bool) error {
	return file.Update(func(c *catalog.Catalog) error {
		id, err := namespaceMeant(c, what)
		if err != nil {
			return err
		}
		return c.EnableNSProvider(id, active).Err()
	})
}
