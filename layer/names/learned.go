package names

import (
	"container/list"
	"net/netip"
	"slices"
	"time"
)

// maxNames is how many names of one address are kept: an address that serves
// very many is known by those that were asked for last.
const maxNames = 8

// knowledge is the names that were learned of an address.
type knowledge struct {
	addr  netip.Addr
	names []learnedName // the latest learned first, not empty
	at    *list.Element
}

type learnedName struct {
	name  string
	until time.Time
}

// Learn notes that a name was looked up and has the address, for as long as
// ttl. It changes nothing for an address of the pool, a name that is none, or
// a ttl that is not above zero.
func (t *Table) Learn(name string, a netip.Addr, ttl time.Duration) {
	a = a.Unmap().WithZone("")
	name, ok := Canonical(name)
	if !ok || !a.IsValid() || t.Assigned(a) || ttl <= 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	k := t.current(a, now)
	if k == nil {
		if t.known.Len() >= t.learns {
			t.forget(t.known.Back().Value.(*knowledge))
		}
		k = &knowledge{addr: a}
		k.at = t.known.PushFront(k)
		t.learned[a] = k
	} else {
		t.known.MoveToFront(k.at)
	}
	latest := learnedName{name, now.Add(ttl)}
	if i := slices.IndexFunc(k.names, func(n learnedName) bool { return n.name == name }); i >= 0 {
		if k.names[i].until.After(latest.until) {
			latest.until = k.names[i].until
		}
		k.names = slices.Delete(k.names, i, i+1)
	}
	k.names = slices.Insert(k.names, 0, latest)
	k.names = k.names[:min(len(k.names), maxNames)]
}

// Names returns every name that an address is known by, the latest learned
// first: several names may have the same address in the network, while one of
// the pool has a single name.
func (t *Table) Names(a netip.Addr) []string {
	a = a.Unmap().WithZone("")
	if t.Assigned(a) {
		if name, ok := t.Lookup(a); ok {
			return []string{name}
		}
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.current(a, time.Now())
	if k == nil {
		return nil
	}
	t.known.MoveToFront(k.at)
	names := make([]string, len(k.names))
	for i, n := range k.names {
		names[i] = n.name
	}
	return names
}

// current returns what is known of an address and still holds; nil when that
// is nothing.
func (t *Table) current(a netip.Addr, now time.Time) *knowledge {
	k := t.learned[a]
	if k == nil {
		return nil
	}
	k.names = slices.DeleteFunc(k.names, func(n learnedName) bool { return !n.until.After(now) })
	if len(k.names) == 0 {
		t.forget(k)
		return nil
	}
	return k
}

func (t *Table) forget(k *knowledge) {
	t.known.Remove(k.at)
	delete(t.learned, k.addr)
}
