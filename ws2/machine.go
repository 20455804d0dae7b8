package ws2

import (
	"encoding/binary"
	"net/netip"
	"os"
	"slices"
	"strings"
	"unsafe"

	"upcall.dev/spi"
)

// GetHostName stores this machine's name with a NUL. WSAEFAULT (no buffer, or
// too small a one). It stands for gethostname and GetHostNameW.
// Source: winsock/nf-winsock-gethostname.
func (t *Thread) GetHostName(name []byte) error {
	if _, e := t.enter(); e != 0 {
		return t.fail(e)
	}
	text := hostName()
	if len(name) <= len(text) {
		return t.fail(spi.WSAEFAULT)
	}
	name[copy(name, text)] = 0
	return nil
}

func hostName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return name
}

// machine returns this machine's own addresses, its loopback if it has no other.
func (d *DLL) machine(r *running, q *addrRequest) ([]found, string, error) {
	var all []found
	for _, family := range q.families() {
		for _, addr := range d.interfaces(family) {
			all = append(all, found{addr: addr})
		}
	}
	if len(all) == 0 {
		loopback := *q
		loopback.flags &^= spi.AI_PASSIVE
		all = loopback.ownAddresses()
	}
	return all, hostName(), nil
}

// configured leaves out the families that this machine has no address of but
// loopback, unless it has none of any.
func (d *DLL) configured(families []int32) []int32 {
	var usable []int32
	for _, family := range families {
		if len(d.interfaces(family)) > 0 {
			usable = append(usable, family)
		}
	}
	if len(usable) == 0 {
		return families
	}
	return usable
}

// interfaces returns the machine's addresses of a family without loopback ones,
// as the first provider of the family's datagram sockets tells. A family that
// has no provider has no addresses.
func (d *DLL) interfaces(family int32) (all []netip.Addr) {
	t := d.unbound
	s, err := t.Socket(family, spi.SOCK_DGRAM, 0)
	if err != nil {
		return nil
	}
	defer func() { _ = t.CloseSocket(s) }()
	out := make([]byte, 4096)
	var returned uint32
	err = t.WSAIoctl(s, spi.SIO_ADDRESS_LIST_QUERY, nil, out, &returned, nil, nil)
	if CodeOf(err) == spi.WSAEFAULT && returned > uint32(len(out)) && returned <= largestResult {
		out = make([]byte, returned)
		err = t.WSAIoctl(s, spi.SIO_ADDRESS_LIST_QUERY, nil, out, &returned, nil, nil)
	}
	if err != nil {
		return nil
	}
	for _, a := range addressList(out) {
		if ap, ok := spi.AddrPortFrom(a.Bytes()); ok && !ap.Addr().IsLoopback() && !slices.Contains(all, ap.Addr()) {
			all = append(all, ap.Addr())
		}
	}
	return all
}

// addressList reads a SOCKET_ADDRESS_LIST.
func addressList(out []byte) []spi.SocketAddress {
	const header, size = 8, int(unsafe.Sizeof(spi.SocketAddress{}))
	if len(out) < header {
		return nil
	}
	n := int(int32(binary.NativeEndian.Uint32(out)))
	if n <= 0 || n > (len(out)-header)/size {
		return nil
	}
	return unsafe.Slice((*spi.SocketAddress)(unsafe.Pointer(&out[header])), n)
}

// hostOf returns the part of a name before the first dot if the rest is this
// machine's own domain, for NI_NOFQDN.
func hostOf(name string) string {
	host, domain, _ := strings.Cut(name, ".")
	if _, own, ok := strings.Cut(hostName(), "."); ok && strings.EqualFold(own, domain) {
		return host
	}
	return name
}
