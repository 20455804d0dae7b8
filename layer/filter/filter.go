// Package filter is the layered provider "filter": rules by program, address,
// port, protocol and name, which allow, deny with a chosen error, or send a
// socket to another chain. Its README.md is its manual page.
//
// It passes IFS handles through and decides about calls that carry an address
// (calls.go, extensions.go), so that a byte costs nothing. With handles=own it
// stands on package upcall.dev/layer/relay (own.go), whose sockets can change
// to a chain of another kind.
//
// Rules are in rule.go and pattern.go, their file in file.go and reload.go,
// other chains in chains.go and routes.go.
package filter

import (
	"fmt"
	"slices"
	"sync"

	"upcall.dev/layer"
	"upcall.dev/nonifs"
	"upcall.dev/spi"
)

const (
	name    = "filter"
	summary = "allows, denies or sends to another chain, by program, address, port and name"
)

func init() {
	driver := definition(nil).Driver()
	driver.Handshakes = mayHandshake
	driver.JudgesUnix = namesUnix
	driver.SendsQueries = sendsQueries
	driver.OwnHandles = func(o spi.Options, e *spi.ProtocolInfo) bool {
		c, err := parse(o)
		return err == nil && c.owns(e)
	}
	driver.Open = func(m spi.Module) (spi.StartupFunc, error) {
		c, err := parse(m.Options)
		if err != nil {
			return nil, fmt.Errorf("filter: %w", err)
		}
		shared := &shared{id: m.ProviderID, config: c}
		if err := shared.check(); err != nil {
			return nil, fmt.Errorf("filter: %w", err)
		}
		if c.own {
			return newOwner(m.ProviderID, shared).startup, nil
		}
		d := definition(shared).Driver()
		passed, err := d.Open(m)
		if err == nil && c.datagrams {
			shared.relay = newOwner(m.ProviderID, shared)
			passed = shared.relay.beside(passed)
		}
		return passed, err
	}
	spi.Register(driver)
}

// definition is the layer over descriptors, or over the handles that a provider
// without them makes necessary.
func definition(s *shared) layer.Definition {
	return layer.Definition{
		Name:    name,
		Summary: summary,
		Options: options,
		// Rules may be about programs, today or after the next change of the file.
		ByApplication: true,
		SeesBytes: func(o spi.Options) bool {
			c, err := parse(o)
			return err == nil && c.own
		},
		New: func(next spi.Provider, _ spi.Options) (spi.Provider, error) { return newFilter(next, s) },
	}
}

// mayHandshake reports whether rules send sockets to other chains, whose layers
// may talk before a connection is the client's.
func mayHandshake(o spi.Options) bool {
	p := policyOf(o)
	return p != nil && p.sends()
}

// namesUnix reports whether a rule is about Unix sockets by name. Rules about
// everything, and the defaults, are not meant for those of a program alone.
func namesUnix(o spi.Options) bool {
	p := policyOf(o)
	return p != nil && slices.ContainsFunc(p.rules, func(r rule) bool { return r.namesUnix() })
}

// policyOf returns what the options and the file say now, or nil.
func policyOf(o spi.Options) *policy {
	c, err := parse(o)
	if err != nil {
		return nil
	}
	r, err := (&shared{config: c}).read()
	if err != nil {
		return nil
	}
	return r.policy
}

// sendsQueries returns the chains that rules send DNS queries to.
func sendsQueries(o spi.Options) []string {
	if p := policyOf(o); p != nil {
		return p.queriesGoTo()
	}
	return nil
}

// host is what next has beside the thirty functions.
type host interface {
	DLL() spi.DLL
	Upcalls() *spi.UpcallTable
}

// filter is the layer over one next provider.
type filter struct {
	spi.Provider
	*shared
	host       host
	routes     routes
	resolvers  sockets[struct{}] // UDP sockets connected to port 53
	observes   bool              // learn is told of transfers
	extensions layer.Extensions

	refusedAcceptEx sync.Once
}

func newFilter(next spi.Provider, s *shared) (spi.Provider, error) {
	f := &filter{Provider: next, shared: s, host: next.(host)}
	own, isOwn := next.(interface{ Observe(func(*nonifs.Transfer)) })
	if err := s.start(&layer.Host{Upcalls: *f.host.Upcalls(), DLL: f.host.DLL()}, !isOwn); err != nil {
		return nil, err
	}
	if isOwn {
		f.observes = true
		own.Observe(f.transferred)
	}
	return f, nil
}

// Close ends the use of what all next providers share.
func (f *filter) Close() error {
	f.stop()
	return nil
}
