package ws2

import (
	"upcall.dev/spi"
)

// choose returns the entries that a socket of this family, type and protocol
// may be made of, in the order to try them. Zero leaves the family or the type
// open; protocol zero takes an entry that has PFL_MATCHES_PROTOCOL_ZERO. Hidden
// entries take part: PFL_HIDDEN only keeps them out of WSAEnumProtocols. The
// error says which of the three is to blame when there is none.
func (r *running) choose(af, typ, protocol int32) ([]*entry, spi.Errno) {
	if af == 0 && typ == 0 && protocol == 0 {
		return nil, spi.WSAEINVAL
	}
	var matching []*entry
	var blame mismatch
	for _, e := range r.entries {
		if !e.usable {
			continue
		}
		family := af == 0 || e.AddressFamily == af
		kind := typ == 0 || e.SocketType == typ
		proto := e.matchesProtocol(protocol)
		if family && kind && proto {
			matching = append(matching, e)
		}
		blame.add(family, kind, proto && protocol != 0)
	}
	if matching == nil {
		return nil, blame.code()
	}
	return matching, 0
}

func (e *entry) matchesProtocol(protocol int32) bool {
	if protocol == 0 {
		return e.ProviderFlags&spi.PFL_MATCHES_PROTOCOL_ZERO != 0
	}
	return protocol >= e.Protocol && int64(protocol) <= int64(e.Protocol)+int64(e.ProtocolMaxOffset)
}

// mismatch collects which partial matches a catalog has.
type mismatch struct {
	family, familyAndType, familyAndProto bool
}

func (m *mismatch) add(family, kind, proto bool) {
	m.family = m.family || family
	m.familyAndType = m.familyAndType || family && kind
	m.familyAndProto = m.familyAndProto || family && proto
}

// code is WSAEAFNOSUPPORT when no entry has the family, WSAESOCKTNOSUPPORT when
// none of the family has the type, WSAEPROTOTYPE when the family has the
// protocol under another type, else WSAEPROTONOSUPPORT.
func (m *mismatch) code() spi.Errno {
	switch {
	case !m.family:
		return spi.WSAEAFNOSUPPORT
	case !m.familyAndType:
		return spi.WSAESOCKTNOSUPPORT
	case m.familyAndProto:
		return spi.WSAEPROTOTYPE
	}
	return spi.WSAEPROTONOSUPPORT
}

// named returns the entry that a protocol info names by its id; the other
// fields do not count. WSAEINVAL when the id is not in the catalog or is a bare
// layer's.
func (r *running) named(info *spi.ProtocolInfo) (*entry, spi.Errno) {
	e := r.byID[info.CatalogEntryID]
	if e == nil || e.Layer() {
		return nil, spi.WSAEINVAL
	}
	return e, 0
}

// forFamily returns the first entry that translates addresses of a family.
// WSAEINVAL when there is none.
func (r *running) forFamily(af int32) (*entry, spi.Errno) {
	for _, e := range r.entries {
		if e.usable && e.AddressFamily == af {
			return e, 0
		}
	}
	return nil, spi.WSAEINVAL
}
