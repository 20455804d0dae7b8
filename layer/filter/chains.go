package filter

import (
	"fmt"
	"log"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"upcall.dev/layer"
	"upcall.dev/layer/names"
	"upcall.dev/layer/relay"
	"upcall.dev/spi"
)

// target is another chain, which rules send sockets to.
type target struct {
	entry   spi.ProtocolInfo
	relayed bool // it is the relay of this layer's datagram sockets
	proxies bool // it talks with a proxy, which may know an address by its name alone

	// mu is held while the provider starts, by those alone who want this chain,
	// which never comes to this layer again. It guards ended.
	mu    sync.Mutex
	ended bool
	next  atomic.Pointer[spi.Provider]
	relay relay.Chain // what a relay knows the chain by, from the start
}

// provider returns the chain's topmost provider, which has been started.
func (t *target) provider() spi.Provider { return *t.next.Load() }

// start starts the chain's topmost provider, unless that has been done.
func (t *target) start(h *layer.Host) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return spi.WSANOTINITIALISED
	}
	if t.next.Load() != nil {
		return nil
	}
	next, errno := h.StartProvider(t.entry.ProviderID, &t.entry)
	if errno != 0 {
		return errno
	}
	t.relay = relay.Chain{Next: next, Info: &t.entry}
	t.next.Store(&next)
	return nil
}

func (t *target) cleanup() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return
	}
	t.ended = true
	if next := t.next.Load(); next != nil {
		if errno := (*next).WSPCleanup(); errno != 0 {
			log.Printf("layer filter: the chain %q has not ended well: %v", t.entry.Name(), errno)
		}
	}
}

// chain returns the chain that a rule names for sockets such as own, started.
func (s *shared) chain(r *rule, own *spi.ProtocolInfo) (*target, error) {
	t, h, err := s.target(r, own)
	if err != nil {
		return nil, err
	}
	if err := t.start(h); err != nil {
		return nil, fmt.Errorf("%s: the chain %q does not start: %w", r.where, t.entry.Name(), err)
	}
	return t, nil
}

// target is chain without starting it.
func (s *shared) target(r *rule, own *spi.ProtocolInfo) (*target, *layer.Host, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == 0 {
		return nil, nil, spi.WSANOTINITIALISED
	}
	key := targetKey{r.chain, own.CatalogEntryID}
	t := s.targets[key]
	if t != nil {
		return t, s.host, nil
	}
	v := s.view()
	entry := v.find(r.chain, own)
	if entry == nil {
		return nil, nil, fmt.Errorf("%s: no chain %q of the catalog is for sockets such as those of %q", r.where, r.chain, own.Name())
	}
	for _, other := range s.targets {
		if other.entry.CatalogEntryID == entry.CatalogEntryID {
			t = other
		}
	}
	if t == nil {
		t = &target{entry: *entry, proxies: v.handshakes(entry)}
	}
	if s.targets == nil {
		s.targets = map[targetKey]*target{}
	}
	s.targets[key] = t
	return t, s.host, nil
}

// targetKey is a chain by the name in a rule, and the entry of the sockets that
// are sent there.
type targetKey struct {
	name string
	own  uint32
}

// reaches says why the chain cannot have an operation: an address that stands
// for a name, which a layer has made up, must not go out into the network.
func (t *target) reaches(o *operation, r *rule) error {
	if o.protocol == local || t.proxies || !names.Default.Assigned(o.address.Addr()) {
		return nil
	}
	return fmt.Errorf("%s: %v stands for a name that only a proxy can look up, and the chain %q has none", r.where, o, t.entry.Name())
}

// complain tells of a rule that cannot be followed, once in a row.
func (s *shared) complain(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if said := err.Error(); said != s.told {
		s.told = said
		log.Printf("layer filter: %v; the call fails with WSAENETDOWN", err)
	}
}

// refusal is a chain that does not take a socket.
type refusal struct {
	where, chain string
	errno        spi.Errno
}

func (e *refusal) Error() string {
	return fmt.Sprintf("%s: the chain %q does not take a socket that it has not made: %v", e.where, e.chain, e.errno)
}

// view is the catalog as the layer sees it.
type view struct {
	host    *layer.Host
	entries []spi.ProtocolInfo
	byID    map[uint32]*spi.ProtocolInfo
}

func (s *shared) view() *view {
	v := &view{host: s.host, entries: s.host.DLL.WSCEnumProtocols(), byID: map[uint32]*spi.ProtocolInfo{}}
	for i := range v.entries {
		v.byID[v.entries[i].CatalogEntryID] = &v.entries[i]
	}
	return v
}

// find returns the chain called name for sockets such as own: an entry by its
// id or name, or the first one whose topmost layer, or whose base, is called so.
func (v *view) find(name string, own *spi.ProtocolInfo) *spi.ProtocolInfo {
	named := v.named(name)
	i := slices.IndexFunc(named, func(e *spi.ProtocolInfo) bool {
		return e.AddressFamily == own.AddressFamily && e.SocketType == own.SocketType && e.Protocol == own.Protocol
	})
	if i < 0 {
		return nil
	}
	return named[i]
}

// named returns the entries that a name means, for whatever sockets.
func (v *view) named(name string) (all []*spi.ProtocolInfo) {
	id, err := strconv.ParseUint(name, 10, 32)
	for i := range v.entries {
		e := &v.entries[i]
		if e.ProtocolChain.ChainLen == spi.LayeredProtocol {
			continue
		}
		top := e
		if chain := e.ProtocolChain.Entries(); len(chain) > 1 {
			if top = v.byID[chain[0]]; top == nil {
				continue
			}
		}
		switch {
		case err == nil && (uint32(id) == e.CatalogEntryID || uint32(id) == top.CatalogEntryID),
			err != nil && (name == e.Name() || v.called(top, name) || top == e && name == v.driver(e.ProviderID)):
			all = append(all, e)
		}
	}
	return all
}

// called reports whether a chain's topmost layer, or another bare layer of the
// same installation, has the name: a layer may have several, of which each is in
// the chains for some protocols.
func (v *view) called(top *spi.ProtocolInfo, name string) bool {
	return slices.ContainsFunc(v.entries, func(e spi.ProtocolInfo) bool {
		return e.ProviderID == top.ProviderID && e.ProtocolChain.ChainLen == spi.LayeredProtocol && e.Name() == name
	})
}

// handshakes reports whether a layer of the chain goes on talking after the base
// has connected.
func (v *view) handshakes(chain *spi.ProtocolInfo) bool {
	return slices.ContainsFunc(chain.ProtocolChain.Entries(), func(id uint32) bool {
		e := v.byID[id]
		if e == nil {
			return false
		}
		path, errno := v.host.ProviderPath(e.ProviderID)
		if errno != 0 {
			return false
		}
		name, o, isGo, err := spi.ParseGoPath(path)
		d, known := spi.LookupDriver(name)
		return isGo && err == nil && known && d.Handshakes != nil && d.Handshakes(o)
	})
}

// driver returns the name of a provider that is written in Go, else nothing.
func (v *view) driver(id spi.GUID) string {
	path, errno := v.host.ProviderPath(id)
	if errno != 0 {
		return ""
	}
	name, _, _, err := spi.ParseGoPath(path)
	if err != nil {
		return ""
	}
	return name
}

// own returns the chains that the layer id is in.
func (v *view) own(id spi.GUID) (chains []*spi.ProtocolInfo) {
	for i := range v.entries {
		if v.contains(&v.entries[i], id) {
			chains = append(chains, &v.entries[i])
		}
	}
	return chains
}

func (v *view) contains(chain *spi.ProtocolInfo, layer spi.GUID) bool {
	return slices.ContainsFunc(chain.ProtocolChain.Entries(), func(id uint32) bool {
		e := v.byID[id]
		return e != nil && e.ProviderID == layer
	})
}

func (v *view) base(chain *spi.ProtocolInfo) spi.GUID {
	ids := chain.ProtocolChain.Entries()
	if len(ids) == 0 || v.byID[ids[len(ids)-1]] == nil {
		return chain.ProviderID
	}
	return v.byID[ids[len(ids)-1]].ProviderID
}

// checkChains says what is wrong with where the rules send sockets; the caller
// holds s.mu.
func (s *shared) checkChains(p *policy) error {
	v := s.view()
	own := v.own(s.id)
	for i := range p.rules {
		r := &p.rules[i]
		if r.action != via {
			continue
		}
		named := v.named(r.chain)
		if len(named) == 0 {
			return fmt.Errorf("%s: the catalog has no chain %q: upcall catalog list shows them", r.where, r.chain)
		}
		serves := false
		for _, from := range own {
			if r.protocols&protocolOfType(from.SocketType, from.AddressFamily) == 0 {
				continue
			}
			to := v.find(r.chain, from)
			if to == nil {
				continue
			}
			serves = true
			if err := s.checkChain(v, r, from, to); err != nil {
				return err
			}
		}
		if !serves {
			return fmt.Errorf("%s: the chain %q is for other protocols than those of this filter: name one for %s", r.where, r.chain, own[0].Name())
		}
	}
	return nil
}

// checkChain is checkChains for the sockets of one chain.
func (s *shared) checkChain(v *view, r *rule, from, to *spi.ProtocolInfo) error {
	if v.contains(to, s.id) || v.leads(to, s.id, map[uint32]bool{}) {
		return fmt.Errorf("%s: the chain %q comes to this filter again: name one that does not go through it", r.where, to.Name())
	}
	switch {
	case s.owns(from):
		return nil
	case !s.sends && v.handshakes(to):
		return fmt.Errorf("%s: the chain %q talks with a proxy before a socket is connected, which a filter without such rules at its start does not expect: the rule counts from the next start", r.where, to.Name())
	case s.mapped:
		return fmt.Errorf("%s: sockets without IFS handles cannot change to the chain %q: set the filter's option handles=own", r.where, to.Name())
	case !to.IFS():
		return fmt.Errorf("%s: the chain %q has handles of its own, which a filter that passes handles through cannot give: set its option handles=own, or handles=datagrams for UDP, or write the rule for other protocols", r.where, to.Name())
	case v.base(to) != v.base(from):
		return fmt.Errorf("%s: the chain %q ends in another base provider than %q: set the filter's option handles=own", r.where, to.Name(), from.Name())
	}
	return nil
}

// leads reports whether another filter in the chain may send sockets, by way of
// however many filters, to a chain with the layer id.
func (v *view) leads(chain *spi.ProtocolInfo, id spi.GUID, seen map[uint32]bool) bool {
	if seen[chain.CatalogEntryID] {
		return false
	}
	seen[chain.CatalogEntryID] = true
	for _, part := range chain.ProtocolChain.Entries() {
		e := v.byID[part]
		if e == nil || v.driver(e.ProviderID) != name {
			continue
		}
		for _, other := range v.chainsOf(e.ProviderID) {
			for _, to := range v.named(other) {
				if v.contains(to, id) || v.leads(to, id, seen) {
					return true
				}
			}
		}
	}
	return false
}

// chainsOf returns the names of the chains that the rules of another filter
// name. One that cannot be read refuses to start by itself.
func (v *view) chainsOf(id spi.GUID) (all []string) {
	path, errno := v.host.ProviderPath(id)
	if errno != 0 {
		return nil
	}
	_, o, _, err := spi.ParseGoPath(path)
	if err != nil {
		return nil
	}
	c, err := parse(o)
	if err != nil {
		return nil
	}
	other := &shared{config: c}
	found, err := other.read()
	if err != nil {
		return nil
	}
	for _, r := range found.policy.rules {
		if r.action == via {
			all = append(all, r.chain)
		}
	}
	return all
}
