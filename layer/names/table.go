package names

import (
	"container/list"
	"encoding/binary"
	"errors"
	"net/netip"
	"sync"
	"time"
)

// The pools of [Default]. 198.18.0.0/15 is for benchmarks of devices (RFC 2544)
// and not routed in the Internet; the other one is a unique local prefix (RFC
// 4193).
var (
	DefaultIPv4 = netip.MustParsePrefix("198.18.0.0/15")
	DefaultIPv6 = netip.MustParsePrefix("fd75:7063:616c::/64")
)

// DefaultLimit is how many names a Table keeps, unless told otherwise.
const DefaultLimit = 1 << 16

var (
	// ErrName means that a name is not fit to be looked up: see [Canonical].
	ErrName = errors.New("no host name")
	// ErrFull means that every address of the pool is held.
	ErrFull = errors.New("every address for names is in use")
)

// Default is the table that the layers of a process share.
var Default = New(Config{})

// Config says how large a Table is. Zero values stand for what Default has.
type Config struct {
	// IPv4 and IPv6 are the pools. A name has the same place in both, so that
	// the smaller one counts.
	IPv4, IPv6 netip.Prefix
	// Limit is the most names that are assigned, and the most addresses that
	// are learned. Of a pool no more than half is in use at a time, so that an
	// address rests before it gets another name.
	Limit int
}

// Table is names and their addresses. Its methods may be called from several
// goroutines at once.
type Table struct {
	ipv4, ipv6 netip.Prefix
	places     uint32 // addresses of the pool that names get: 1 to places
	limit      int    // of names that are assigned
	learns     int    // of addresses that are learned

	mu      sync.Mutex // guards what follows; a leaf lock
	named   map[string]*assignment
	placed  map[uint32]*assignment
	idle    list.List // of *assignment that nobody holds, the latest used first
	last    uint32    // place that was given out last
	learned map[netip.Addr]*knowledge
	known   list.List // of *knowledge, the latest learned or used first
}

// assignment is a name with its place in the pools.
type assignment struct {
	name  string
	place uint32
	holds int
	at    *list.Element // in idle; nil while it is held
}

// New returns an empty table. It panics when a prefix is not of its family or
// has no room for two names.
func New(c Config) *Table {
	if !c.IPv4.IsValid() {
		c.IPv4 = DefaultIPv4
	}
	if !c.IPv6.IsValid() {
		c.IPv6 = DefaultIPv6
	}
	if c.Limit <= 0 {
		c.Limit = DefaultLimit
	}
	if !c.IPv4.Addr().Is4() || !c.IPv6.Addr().Is6() || c.IPv6.Addr().Is4In6() {
		panic("names: a pool is not of its address family")
	}
	bits := min(32-c.IPv4.Bits(), 128-c.IPv6.Bits(), 31)
	if bits < 3 {
		panic("names: a pool has no room")
	}
	t := &Table{
		ipv4: c.IPv4.Masked(), ipv6: c.IPv6.Masked(),
		places:  1<<bits - 2, // neither the network's own address nor that of broadcasts
		learns:  c.Limit,
		named:   map[string]*assignment{},
		placed:  map[uint32]*assignment{},
		learned: map[netip.Addr]*knowledge{},
	}
	t.limit = min(c.Limit, int(t.places)/2)
	return t
}

// Assign returns the IPv4 address of a name, out of the pool. It stays the
// same while the name is in use: when there are too many names, the one that
// was assigned and looked up the longest time ago loses its address, unless
// that is held. ErrName, ErrFull.
func (t *Table) Assign(name string) (netip.Addr, error) {
	place, err := t.assign(name)
	if err != nil {
		return netip.Addr{}, err
	}
	return t.at4(place), nil
}

// Assign6 is Assign for the name's IPv6 address.
func (t *Table) Assign6(name string) (netip.Addr, error) {
	place, err := t.assign(name)
	if err != nil {
		return netip.Addr{}, err
	}
	return t.at6(place), nil
}

func (t *Table) assign(name string) (place uint32, err error) {
	name, ok := Canonical(name)
	if !ok {
		return 0, ErrName
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if a := t.named[name]; a != nil {
		t.use(a)
		return a.place, nil
	}
	if len(t.named) >= t.limit {
		oldest := t.idle.Back()
		if oldest == nil {
			return 0, ErrFull
		}
		a := t.idle.Remove(oldest).(*assignment)
		delete(t.named, a.name)
		delete(t.placed, a.place)
	}
	for { // half of the places are free
		t.last = t.last%t.places + 1
		if t.placed[t.last] == nil {
			break
		}
	}
	a := &assignment{name: name, place: t.last}
	a.at = t.idle.PushFront(a)
	t.named[name], t.placed[a.place] = a, a
	return a.place, nil
}

// use makes a the last to lose its address.
func (t *Table) use(a *assignment) {
	if a.at != nil {
		t.idle.MoveToFront(a.at)
	}
}

// Assigned reports whether an address is of the pool, whether it has a name or
// not. Such an address means nothing to the network. IPv4 addresses count in
// their mapped form too, here and in all methods.
func (t *Table) Assigned(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return t.ipv4.Contains(a) || t.ipv6.Contains(a)
}

// Lookup returns the name behind an address: the one that it was assigned to,
// else the one that was learned last. False when there is none.
func (t *Table) Lookup(a netip.Addr) (name string, ok bool) {
	a = a.Unmap().WithZone("")
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.Assigned(a) {
		if found := t.placed[t.placeOf(a)]; found != nil {
			t.use(found)
			return found.name, true
		}
		return "", false
	}
	if k := t.current(a, time.Now()); k != nil {
		t.known.MoveToFront(k.at)
		return k.names[0].name, true
	}
	return "", false
}

// Hold keeps the name of an assigned address in place until release is called,
// as a socket that uses the address must. False when nothing is assigned to it.
func (t *Table) Hold(a netip.Addr) (release func(), ok bool) {
	a = a.Unmap().WithZone("")
	if !t.Assigned(a) {
		return nil, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	held := t.placed[t.placeOf(a)]
	if held == nil {
		return nil, false
	}
	held.holds++
	if held.at != nil {
		t.idle.Remove(held.at)
		held.at = nil
	}
	return sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if held.holds--; held.holds == 0 {
			held.at = t.idle.PushFront(held)
		}
	}), true
}

// at4 and at6 are the addresses of a place in the pools.
func (t *Table) at4(place uint32) netip.Addr {
	raw := t.ipv4.Addr().As4()
	binary.BigEndian.PutUint32(raw[:], binary.BigEndian.Uint32(raw[:])+place)
	return netip.AddrFrom4(raw)
}

func (t *Table) at6(place uint32) netip.Addr {
	raw := t.ipv6.Addr().As16()
	low := raw[12:]
	binary.BigEndian.PutUint32(low, binary.BigEndian.Uint32(low)+place)
	return netip.AddrFrom16(raw)
}

// placeOf is their inverse, for an address of the pools; a place that no name
// can have for the others.
func (t *Table) placeOf(a netip.Addr) uint32 {
	if a.Is4() {
		raw, first := a.As4(), t.ipv4.Addr().As4()
		return binary.BigEndian.Uint32(raw[:]) - binary.BigEndian.Uint32(first[:])
	}
	raw, first := a.As16(), t.ipv6.Addr().As16()
	if [12]byte(raw[:12]) != [12]byte(first[:12]) {
		return 0
	}
	return binary.BigEndian.Uint32(raw[12:]) - binary.BigEndian.Uint32(first[12:])
}
