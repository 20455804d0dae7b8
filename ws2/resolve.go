package ws2

import (
	"net/netip"
	"slices"
	"sync"

	"upcall.dev/spi"
)

// The DLL's own lookups, for getaddrinfo and the like: through the namespace
// providers, as a client's.

// question is what to look up.
type question struct {
	class     spi.GUID
	name      string
	families  []int32 // for names
	provider  *spi.GUID
	nameSpace uint32
	flags     uint32 // LUP_, beside the results asked for
	names     bool   // aliases and the canonical name too
	merge     bool   // ask every provider, not up to the first that knows
}

// answer is what one provider found.
type answer struct {
	name      string // the canonical one
	aliases   []string
	addresses []found
}

// found is one address with who found it.
type found struct {
	addr     netip.Addr
	provider spi.GUID
}

// canceller ends the lookups that run under it from another goroutine.
type canceller struct {
	mu        sync.Mutex // a leaf lock; guards the rest
	current   *lookup
	cancelled bool
}

// enter makes l the lookup to end; false when it is too late.
func (c *canceller) enter(l *lookup) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = l
	return !c.cancelled
}

// cancel ends the lookup that runs and those to come.
func (c *canceller) cancel() {
	c.mu.Lock()
	c.cancelled = true
	l := c.current
	c.mu.Unlock()
	if l != nil {
		l.end()
	}
}

func (c *canceller) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cancelled
}

// ask looks q up: with q.merge by all its providers, whose answers are joined
// without repeating an address, otherwise by one after the other up to the
// first that knows. WSA_E_CANCELLED, and the gravest error of those that found
// nothing.
func (d *DLL) ask(r *running, q *question, c *canceller) (*answer, error) {
	providers, e := r.namespaces(q.provider, q.nameSpace)
	if e != 0 {
		return nil, e.Err()
	}
	query := &spi.QuerySet{
		Size: spi.SizeofQuerySet, ServiceInstanceName: spi.UTF16Ptr(q.name), ServiceClassID: &q.class,
		NameSpace: q.nameSpace, NSProviderID: q.provider,
	}
	protocols := make([]spi.AFProtocol, len(q.families))
	for i, family := range q.families {
		protocols[i].AddressFamily = family
	}
	query.SetProtocols(protocols)
	flags := q.flags | spi.LUP_RETURN_NAME | spi.LUP_RETURN_ADDR
	if q.names {
		flags |= spi.LUP_RETURN_ALIASES
	}
	var joined *answer
	var failure error
	for _, p := range providers {
		one, err := d.askOne(p, query, flags, c)
		switch {
		case c.over():
			return nil, spi.WSA_E_CANCELLED.Err()
		case err != nil:
			if failure == nil || graver(CodeOf(failure), CodeOf(err)) != CodeOf(failure) {
				failure = err
			}
		case joined == nil:
			joined = one
		default:
			joined.join(one)
		}
		if joined != nil && !q.merge {
			break
		}
	}
	if joined != nil {
		return joined, nil
	}
	return nil, failure
}

func (a *answer) join(b *answer) {
	for _, f := range b.addresses {
		if !slices.ContainsFunc(a.addresses, func(g found) bool { return g.addr == f.addr }) {
			a.addresses = append(a.addresses, f)
		}
	}
}

const (
	largestResult = 16 << 20 // bytes of one result
	mostResults   = 1 << 16  // of one provider
)

// askOne collects the results of one provider.
func (d *DLL) askOne(p *nameProvider, query *spi.QuerySet, flags uint32, c *canceller) (*answer, error) {
	h, l, err := d.beginLookup([]*nameProvider{p}, query, flags)
	if err != nil {
		return nil, err
	}
	defer func() {
		if d.names.lookups.Remove(uintptr(h)) != nil {
			l.end()
		}
	}()
	if !c.enter(l) {
		return nil, spi.WSA_E_CANCELLED.Err()
	}
	defer c.enter(nil)
	var a answer
	buf := make([]byte, 2048)
	for range mostResults {
		length := uint32(len(buf))
		e := l.next(flags, &length, buf)
		if e == spi.WSAEFAULT && length > uint32(len(buf)) && length <= largestResult {
			buf = make([]byte, length)
			continue
		}
		if e == spi.WSA_E_NO_MORE {
			break
		}
		if e == spi.WSAEFAULT {
			e = spi.WSANO_RECOVERY // there was room for what it asked for
		}
		if e != 0 {
			return nil, e.Err()
		}
		a.add(spi.QuerySetAt(buf), p.info.ID)
	}
	if a.name == "" && len(a.addresses) == 0 {
		return nil, spi.WSANO_DATA.Err()
	}
	return &a, nil
}

func (a *answer) add(result *spi.QuerySet, provider spi.GUID) {
	name := result.Name()
	switch {
	case result.OutputFlags&spi.RESULT_IS_ALIAS != 0:
		a.aliases = append(a.aliases, name)
		return
	case a.name == "":
		a.name = name
	}
	for _, cs := range result.Addresses() {
		ap, ok := spi.AddrPortFrom(cs.RemoteAddr.Bytes())
		if ok && !slices.ContainsFunc(a.addresses, func(f found) bool { return f.addr == ap.Addr() }) {
			a.addresses = append(a.addresses, found{ap.Addr(), provider})
		}
	}
}
