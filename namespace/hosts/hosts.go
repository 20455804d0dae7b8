// Package hosts is the namespace provider "hosts": names and addresses from a
// file in the form of hosts(5), which is read again when it has changed.
package hosts

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"upcall.dev/internal/watch"
	"upcall.dev/namespace"
	"upcall.dev/spi"
)

// Name is the driver's name.
const Name = "hosts"

// ProviderID is the id that the provider is installed under.
var ProviderID = spi.MustParseGUID("686f7374-7300-4e53-8a01-5f2d9c3b7e10")

func init() {
	spi.RegisterNamespace(spi.NamespaceDriver{
		Name:       Name,
		Summary:    "names from a file in the form of /etc/hosts",
		Options:    []spi.Option{{Name: "file", Default: systemFile, Help: "the file, such as file=/home/me/hosts", Path: true}},
		ProviderID: ProviderID,
		NameSpace:  spi.NS_DNS,
		Version:    1,
		Identifier: "Hosts file",
		Rank:       10,
		Open:       open,
	})
}

func open(m spi.Module) (spi.NSPStartupFunc, error) {
	path, set := m.Options["file"]
	if !set {
		path = systemFile
	}
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("file=%q is another file in each directory that a program is started in: write the whole path", path)
	}
	return namespace.New(&resolver{file: file{path: path}}, spi.NS_DNS).Startup, nil
}

type resolver struct{ file file }

// Forward finds the addresses of a name in the order of the file. The canonical
// name is the first of the name's first line. A file that does not say what
// localhost is leaves it the loopback addresses.
func (r *resolver) Forward(_ context.Context, q namespace.Question) (namespace.Answer, error) {
	t, err := r.file.table()
	if err != nil {
		return namespace.Answer{}, err
	}
	name := fold(q.Name)
	lines := t.byName[name]
	if len(lines) == 0 && name == "localhost" {
		lines = loopback
	}
	if len(lines) == 0 {
		return namespace.Answer{}, spi.WSAHOST_NOT_FOUND
	}
	a := namespace.Answer{Name: lines[0].names[0]}
	for _, l := range lines {
		if l.addr.Is4() && !q.IPv4 || l.addr.Is6() && !q.IPv6 {
			continue
		}
		if !slices.Contains(a.Addresses, l.addr) {
			a.Addresses = append(a.Addresses, l.addr)
		}
		for _, other := range l.names {
			if !strings.EqualFold(other, a.Name) && !slices.ContainsFunc(a.Aliases, func(known string) bool { return strings.EqualFold(known, other) }) {
				a.Aliases = append(a.Aliases, other)
			}
		}
	}
	return a, nil
}

// Reverse finds the names on the first line of an address.
func (r *resolver) Reverse(_ context.Context, addr netip.Addr) (namespace.Answer, error) {
	t, err := r.file.table()
	if err != nil {
		return namespace.Answer{}, err
	}
	l, ok := t.byAddr[addr]
	if !ok {
		return namespace.Answer{}, spi.WSAHOST_NOT_FOUND
	}
	return namespace.Answer{Name: l.names[0], Aliases: l.names[1:]}, nil
}

// Serial grows when the file is seen changed.
func (r *resolver) Serial() uint64 {
	_, _ = r.file.table() // one that cannot be read has changed too
	return r.file.serial()
}

// Follow watches the file. Where the system cannot watch it tells nothing.
func (r *resolver) Follow(ctx context.Context, changed func()) {
	_ = watch.Follow(ctx, r.file.path, changed)
}
