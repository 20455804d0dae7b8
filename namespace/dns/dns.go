// Package dns is the namespace provider "dns": names and addresses from the
// system's resolver, or from one DNS server.
package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"upcall.dev/namespace"
	"upcall.dev/spi"
)

// Name is the driver's name.
const Name = "dns"

// ProviderID is the id that the provider is installed under.
var ProviderID = spi.MustParseGUID("646e7300-0000-4e53-8a02-2c71d04be95f")

func init() {
	spi.RegisterNamespace(spi.NamespaceDriver{
		Name:       Name,
		Summary:    "names from the system's resolver, or from a DNS server",
		Options:    []spi.Option{{Name: "server", Help: "ask this DNS server, such as server=192.0.2.53 or server=127.0.0.1:5353"}},
		ProviderID: ProviderID,
		NameSpace:  spi.NS_DNS,
		Version:    1,
		Identifier: "DNS",
		Rank:       20,
		Open:       open,
	})
}

func open(m spi.Module) (spi.NSPStartupFunc, error) {
	text, set := m.Options["server"]
	var server string
	if set {
		var err error
		if server, err = parseServer(text); err != nil {
			return nil, err
		}
	}
	r := &resolver{&net.Resolver{PreferGo: set, Dial: dialer(server)}}
	return namespace.New(r, spi.NS_DNS).Startup, nil
}

// dialer returns how to reach a DNS server: the one given, or, if that is empty,
// the one that the resolver names. What waits for an answer ends with ctx, as
// Go's resolver alone would not see to.
func dialer(server string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if server != "" {
			address = server
		}
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // closed already if it is done
		return conn, nil
	}
}

const dnsPort = 53

// parseServer returns the address and port of a server.
func parseServer(text string) (string, error) {
	if ap, err := netip.ParseAddrPort(text); err == nil && ap.Port() != 0 {
		return ap.String(), nil
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(addr, dnsPort).String(), nil
	}
	return "", fmt.Errorf("server=%q is not the address of a server: write 192.0.2.53, or [2001:db8::53]:5353 with a port", text)
}

type resolver struct{ net *net.Resolver }

// Forward finds the addresses of a name, and, if asked for, the canonical name
// that its aliases lead to.
func (r *resolver) Forward(ctx context.Context, q namespace.Question) (namespace.Answer, error) {
	network := "ip"
	switch {
	case !q.IPv6:
		network = "ip4"
	case !q.IPv4:
		network = "ip6"
	}
	addresses, err := r.net.LookupNetIP(ctx, network, q.Name)
	if err != nil {
		return namespace.Answer{}, r.reason(ctx, network, q.Name, err)
	}
	a := namespace.Answer{Name: strings.TrimSuffix(q.Name, ".")}
	for _, addr := range addresses {
		if addr = addr.Unmap(); !slices.Contains(a.Addresses, addr) {
			a.Addresses = append(a.Addresses, addr)
		}
	}
	if !q.Canonical {
		return a, nil
	}
	if name, err := r.net.LookupCNAME(ctx, q.Name); err == nil {
		if name = strings.TrimSuffix(name, "."); name != "" && !strings.EqualFold(name, a.Name) {
			a.Aliases = []string{a.Name}
			a.Name = name
		}
	}
	return a, ctx.Err()
}

// Reverse finds the names of an address.
func (r *resolver) Reverse(ctx context.Context, addr netip.Addr) (namespace.Answer, error) {
	names, err := r.net.LookupAddr(ctx, addr.WithZone("").String())
	if err != nil {
		return namespace.Answer{}, codeOf(err)
	}
	if len(names) == 0 {
		return namespace.Answer{}, spi.WSANO_DATA
	}
	for i := range names {
		names[i] = strings.TrimSuffix(names[i], ".")
	}
	return namespace.Answer{Name: names[0], Aliases: names[1:]}, nil
}

// reason returns the code of a failed search for addresses: a name without
// addresses of one family exists if it has some of the other.
func (r *resolver) reason(ctx context.Context, network, name string, err error) error {
	code := codeOf(err)
	if code != spi.WSAHOST_NOT_FOUND || network == "ip" || ctx.Err() != nil {
		return code
	}
	if addresses, err := r.net.LookupNetIP(ctx, "ip", name); err == nil && len(addresses) > 0 {
		return spi.WSANO_DATA
	}
	return code
}

// codeOf returns the code for what package net tells.
func codeOf(err error) spi.Errno {
	var failure *net.DNSError
	var unsuitable *net.AddrError
	switch {
	case errors.As(err, &unsuitable): // it has addresses, of the other family alone
		return spi.WSANO_DATA
	case !errors.As(err, &failure):
		return spi.WSANO_RECOVERY
	case failure.IsNotFound:
		return spi.WSAHOST_NOT_FOUND
	case failure.IsTimeout || failure.IsTemporary:
		return spi.WSATRY_AGAIN
	}
	return spi.WSANO_RECOVERY
}
