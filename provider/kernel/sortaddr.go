//go:build linux

package kernel

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// maxSorted bounds the addresses of one SIO_ADDRESS_LIST_SORT.
const maxSorted = 4096

// sortAddresses is SIO_ADDRESS_LIST_SORT: in is a SOCKET_ADDRESS_LIST of
// destinations of the socket's family, and out becomes the same with the best
// first, by the rules of RFC 6724 that need no knowledge of mobility or of how
// old an address is. The elements still point to the caller's addresses.
func (d *descriptor) sortAddresses(in, out []byte) (int, spi.Errno) {
	if d.kind == unixStream {
		return 0, spi.WSAEOPNOTSUPP
	}
	const sizeofCount = 8
	if len(in) < sizeofCount {
		return 0, spi.WSAEFAULT
	}
	count := binary.NativeEndian.Uint32(in)
	switch {
	case count > maxSorted:
		return 0, spi.WSAEINVAL
	case len(in) < sizeofCount+int(count)*sizeofSocketAddress:
		return 0, spi.WSAEFAULT
	}
	sorted := make([]destination, count)
	for i := range sorted {
		element := in[sizeofCount+i*sizeofSocketAddress:][:sizeofSocketAddress]
		if e := sorted[i].load(element, in, d.kind); e != 0 {
			return 0, e
		}
	}
	slices.SortStableFunc(sorted, compareDestinations)
	list := slices.Clone(in[:sizeofCount])
	for _, one := range sorted {
		list = append(list, one.element[:]...)
	}
	return outBytes(list, out)
}

// destination is an element with what the rules look at.
type destination struct {
	element    [sizeofSocketAddress]byte
	addr       netip.Addr
	source     netip.Addr // from which it is reached; zero when it is not
	label      uint8
	precedence uint8
}

func (x *destination) load(element, in []byte, k kind) spi.Errno {
	copy(x.element[:], element)
	length := int(int32(binary.NativeEndian.Uint32(element[8:])))
	if length < addressSize(k) {
		return spi.WSAEINVAL
	}
	name, e := callerMemory(in, binary.NativeEndian.Uint64(element), addressSize(k))
	if e != 0 {
		return e
	}
	var to sockaddr
	if e := to.setWindows(name, k, spi.WSAEINVAL); e != 0 {
		return e
	}
	a, _ := spi.AddrPortFrom(name)
	x.addr = a.Addr().WithZone("").Unmap()
	x.precedence, x.label = policyOf(x.addr)
	if local, errno := routeTo(k, to); errno == 0 {
		if a, ok := spi.AddrPortFrom(local.windows()); ok {
			x.source = a.Addr().WithZone("").Unmap()
		}
	}
	return 0
}

// callerMemory reads an address that an element points to: in the same buffer,
// or elsewhere in the process, where a bad pointer is WSAEFAULT.
func callerMemory(in []byte, pointer uint64, size int) ([]byte, spi.Errno) {
	if base := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(in)))); pointer >= base && pointer-base < uint64(len(in)) {
		at := in[pointer-base:]
		if len(at) < size {
			return nil, spi.WSAEFAULT
		}
		return at[:size], 0
	}
	b := make([]byte, size)
	local := []unix.Iovec{{Base: &b[0]}}
	local[0].SetLen(size)
	n, err := unix.ProcessVMReadv(unix.Getpid(), local, []unix.RemoteIovec{{Base: uintptr(pointer), Len: size}}, 0)
	if err != nil || n != size {
		return nil, spi.WSAEFAULT
	}
	return b, 0
}

// compareDestinations is section 6 of RFC 6724, rules 1, 2, 5, 6, 8 and 9.
func compareDestinations(a, b destination) int {
	prefer := func(a, b bool) int {
		switch {
		case a == b:
			return 0
		case a:
			return -1
		}
		return 1
	}
	matches := func(x destination) bool { return scopeOf(x.addr) == scopeOf(x.source) }
	labelled := func(x destination) bool {
		_, label := policyOf(x.source)
		return x.label == label
	}
	usable := prefer(a.source.IsValid(), b.source.IsValid())
	if usable != 0 || !a.source.IsValid() {
		return usable
	}
	common := 0
	if a.addr.Is6() && b.addr.Is6() {
		common = cmp.Compare(commonPrefix(b.source, b.addr), commonPrefix(a.source, a.addr))
	}
	return cmp.Or(
		prefer(matches(a), matches(b)),
		prefer(labelled(a), labelled(b)),
		cmp.Compare(b.precedence, a.precedence),
		cmp.Compare(scopeOf(a.addr), scopeOf(b.addr)),
		common,
	)
}

var siteLocal = netip.MustParsePrefix("fec0::/10")

// policies is the default policy table of RFC 6724 for IPv6, the most specific
// first.
var policies = []struct {
	prefix            netip.Prefix
	precedence, label uint8
}{
	{netip.MustParsePrefix("::1/128"), 50, 0},
	{netip.MustParsePrefix("::/96"), 1, 3},
	{netip.MustParsePrefix("2001::/32"), 5, 5},
	{netip.MustParsePrefix("2002::/16"), 30, 2},
	{netip.MustParsePrefix("3ffe::/16"), 1, 12},
	{siteLocal, 1, 11},
	{netip.MustParsePrefix("fc00::/7"), 3, 13},
	{netip.MustParsePrefix("::/0"), 40, 1},
}

func policyOf(a netip.Addr) (precedence, label uint8) {
	if a.Is4() {
		return 35, 4
	}
	for _, p := range policies {
		if p.prefix.Contains(a) {
			return p.precedence, p.label
		}
	}
	return 0, 0
}

// The scopes of RFC 4291 that addresses other than multicast ones have.
const (
	scopeLink   = 0x2
	scopeSite   = 0x5
	scopeGlobal = 0xe
)

func scopeOf(a netip.Addr) uint8 {
	switch {
	case a.Is6() && a.IsMulticast():
		b := a.As16()
		return b[1] & 0xf
	case a.IsLoopback(), a.IsLinkLocalUnicast():
		return scopeLink
	case siteLocal.Contains(a):
		return scopeSite
	}
	return scopeGlobal
}

// commonPrefix returns how many bits two IPv6 addresses have in common, up to
// the length of a network's prefix.
func commonPrefix(a, b netip.Addr) int {
	x, y := a.As16(), b.As16()
	n := 0
	for n < 64 && (x[n/8]^y[n/8])&(0x80>>(n%8)) == 0 {
		n++
	}
	return n
}
