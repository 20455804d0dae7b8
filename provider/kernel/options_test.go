//go:build linux

package kernel_test

import (
	"encoding/binary"
	"fmt"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

func protocolInfo(t testing.TB, th *ws2.Thread, s spi.Socket) spi.ProtocolInfo {
	t.Helper()
	var info spi.ProtocolInfo
	n := int32(unsafe.Sizeof(info))
	ok(t, th.GetSockOpt(s, spi.SOL_SOCKET, spi.SO_PROTOCOL_INFOW, unsafe.Slice((*byte)(unsafe.Pointer(&info)), n), &n))
	return info
}

func TestEntries(t *testing.T) {
	want := []string{
		"Linux TCP/IPv4 af=2 type=1 protocol=6 flags=0x20066 addr=16..16 message=0",
		"Linux UDP/IPv4 af=2 type=2 protocol=17 flags=0x20609 addr=16..16 message=65507",
		"Linux TCP/IPv6 af=23 type=1 protocol=6 flags=0x20066 addr=28..28 message=0",
		"Linux UDP/IPv6 af=23 type=2 protocol=17 flags=0x20609 addr=28..28 message=65527",
		"Linux AF_UNIX af=1 type=1 protocol=0 flags=0x20026 addr=2..110 message=0",
	}
	var entries []catalog.Entry
	for _, e := range catalog.Default().Entries() {
		if e.Path == "go:kernel" {
			entries = append(entries, e)
		}
	}
	if len(entries) != len(want) {
		t.Fatalf("%d entries", len(entries))
	}
	for i, e := range entries {
		got := fmt.Sprintf("%s af=%d type=%d protocol=%d flags=%#x addr=%d..%d message=%d", e.Name(),
			e.AddressFamily, e.SocketType, e.Protocol, e.ServiceFlags1, e.MinSockAddr, e.MaxSockAddr, e.MessageSize)
		if got != want[i] {
			t.Errorf("entry %d is\n%s, want\n%s", i, got, want[i])
		}
		if e.ProviderID != entries[0].ProviderID || e.ProviderFlags != spi.PFL_MATCHES_PROTOCOL_ZERO || e.Version != 2 || e.ProtocolChain.ChainLen != 1 {
			t.Errorf("%s: %+v", e.Name(), e.ProtocolInfo)
		}
	}
}

// Each option has its meaning in the kernel, whatever its number there.
func TestOptionsReachTheKernel(t *testing.T) {
	th := start(t)
	tests := []struct {
		f           family
		typ         int32
		level, name int32
		value       uint32
		klevel      int
		kname       int
		kvalue      int
	}{
		{ipv4, 1, spi.SOL_SOCKET, spi.SO_KEEPALIVE, 1, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{ipv4, 1, spi.SOL_SOCKET, spi.SO_DONTROUTE, 1, unix.SOL_SOCKET, unix.SO_DONTROUTE, 1},
		{ipv4, 1, spi.SOL_SOCKET, spi.SO_OOBINLINE, 1, unix.SOL_SOCKET, unix.SO_OOBINLINE, 1},
		{ipv4, 2, spi.SOL_SOCKET, spi.SO_BROADCAST, 1, unix.SOL_SOCKET, unix.SO_BROADCAST, 1},
		{ipv4, 1, spi.SOL_SOCKET, spi.SO_RCVBUF, 50000, unix.SOL_SOCKET, unix.SO_RCVBUF, 100000},
		{path, 1, spi.SOL_SOCKET, spi.SO_SNDBUF, 50000, unix.SOL_SOCKET, unix.SO_SNDBUF, 100000},
		{ipv4, 1, spi.SOL_SOCKET, spi.SO_REUSEADDR, 1, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1},
		{ipv4, 2, spi.SOL_SOCKET, spi.SO_REUSEADDR, 1, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1},
		{ipv4, 1, spi.IPPROTO_TCP, spi.TCP_NODELAY, 1, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{ipv6, 1, spi.IPPROTO_TCP, spi.TCP_KEEPALIVE, 77, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 77},
		{ipv6, 1, spi.IPPROTO_TCP, spi.TCP_KEEPINTVL, 7, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 7},
		{ipv4, 1, spi.IPPROTO_TCP, spi.TCP_KEEPCNT, 3, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 3},
		{ipv4, 1, spi.IPPROTO_IP, spi.IP_TTL, 33, unix.IPPROTO_IP, unix.IP_TTL, 33},
		{ipv4, 2, spi.IPPROTO_IP, spi.IP_TOS, 16, unix.IPPROTO_IP, unix.IP_TOS, 16},
		{ipv4, 2, spi.IPPROTO_IP, spi.IP_DONTFRAGMENT, 1, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO},
		{ipv4, 2, spi.IPPROTO_IP, spi.IP_MULTICAST_TTL, 5, unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, 5},
		{ipv4, 2, spi.IPPROTO_IP, spi.IP_MULTICAST_LOOP, 0, unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0},
		{ipv6, 2, spi.IPPROTO_IPV6, spi.IPV6_UNICAST_HOPS, 9, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, 9},
		{ipv6, 2, spi.IPPROTO_IPV6, spi.IPV6_MULTICAST_HOPS, 4, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 4},
		{ipv6, 2, spi.IPPROTO_IPV6, spi.IPV6_V6ONLY, 0, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0},
	}
	for _, test := range tests {
		s := socket(t, th, test.f, test.typ)
		setInt(t, th, s, test.level, test.name, test.value)
		v, err := unix.GetsockoptInt(int(s), test.klevel, test.kname)
		ok(t, err)
		if v != test.kvalue {
			t.Errorf("option %#x/%#x: the kernel has %d, want %d", test.level, test.name, v, test.kvalue)
		}
		if got := getInt(t, th, s, test.level, test.name); got != test.value {
			t.Errorf("option %#x/%#x is %d, want %d", test.level, test.name, got, test.value)
		}
		ok(t, th.CloseSocket(s))
	}
	if v := getInt(t, th, stream(t, th, ipv6), spi.IPPROTO_IPV6, spi.IPV6_V6ONLY); v != 1 {
		t.Errorf("IPV6_V6ONLY is %d by default, 1 in Winsock", v)
	}
}

func TestReadOnlyOptions(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		s := stream(t, th, f)
		l, name := listen(t, th, f)
		get := func(s spi.Socket, name int32) uint32 { return getInt(t, th, s, spi.SOL_SOCKET, name) }
		if get(s, spi.SO_TYPE) != spi.SOCK_STREAM || get(s, spi.SO_ACCEPTCONN) != 0 || get(l, spi.SO_ACCEPTCONN) != 1 || get(s, spi.SO_GROUP_ID) != 0 {
			t.Error("SO_TYPE, SO_ACCEPTCONN or SO_GROUP_ID is wrong")
		}
		if get(s, spi.SO_CONNECT_TIME) != 1<<32-1 {
			t.Error("SO_CONNECT_TIME of an unconnected socket is not all ones")
		}
		ok(t, th.Connect(s, name))
		if v := get(s, spi.SO_CONNECT_TIME); v > 60 {
			t.Errorf("SO_CONNECT_TIME is %d s", v)
		}
		if protocolInfo(t, th, s).AddressFamily != f.af {
			t.Errorf("SO_PROTOCOL_INFOW is of another family")
		}

		// SO_BSP_STATE: CSADDR_INFO whose pointers point into the buffer.
		b := make([]byte, 512)
		n := int32(len(b))
		ok(t, th.GetSockOpt(s, spi.SOL_SOCKET, spi.SO_BSP_STATE, b, &n))
		length := binary.NativeEndian.Uint32(b[24:])
		at := uintptr(binary.NativeEndian.Uint64(b[16:])) - uintptr(unsafe.Pointer(&b[0]))
		if got := spi.AddressString(b[at : at+uintptr(length)]); got != spi.AddressString(name) {
			t.Errorf("SO_BSP_STATE has the peer %s, want %s", got, spi.AddressString(name))
		}
		want(t, th.GetSockOpt(s, spi.SOL_SOCKET, spi.SO_BSP_STATE, b[:n-1], &n), spi.WSAEFAULT)
	})
}

func TestRefusedOptions(t *testing.T) {
	th := start(t)
	s, u, x := stream(t, th, ipv4), socket(t, th, ipv4, spi.SOCK_DGRAM), stream(t, th, path)
	b := make([]byte, 64)
	tests := []struct {
		s           spi.Socket
		level, name int32
		code        spi.Errno
	}{
		{s, 99, 1, spi.WSAEINVAL},
		{s, spi.SOL_SOCKET, 0x7777, spi.WSAENOPROTOOPT},
		{s, spi.SOL_SOCKET, spi.SO_BROADCAST, spi.WSAENOPROTOOPT},
		{u, spi.SOL_SOCKET, spi.SO_KEEPALIVE, spi.WSAENOPROTOOPT},
		{u, spi.SOL_SOCKET, spi.SO_LINGER, spi.WSAENOPROTOOPT},
		{u, spi.IPPROTO_TCP, spi.TCP_NODELAY, spi.WSAENOPROTOOPT},
		{s, spi.IPPROTO_IPV6, spi.IPV6_V6ONLY, spi.WSAENOPROTOOPT},
		{x, spi.IPPROTO_IP, spi.IP_TTL, spi.WSAENOPROTOOPT},
		{x, spi.IPPROTO_TCP, spi.TCP_NODELAY, spi.WSAENOPROTOOPT},
		{s, spi.SOL_SOCKET, spi.SO_RCVLOWAT, spi.WSAENOPROTOOPT},
		{s, spi.SOL_SOCKET, spi.SO_USELOOPBACK, spi.WSAENOPROTOOPT},
	}
	for _, test := range tests {
		n := int32(len(b))
		want(t, th.GetSockOpt(test.s, test.level, test.name, b, &n), test.code)
		want(t, th.SetSockOpt(test.s, test.level, test.name, b[:4]), test.code)
	}
	want(t, th.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_CONDITIONAL_ACCEPT, []byte{1, 0, 0, 0}), spi.WSAENOPROTOOPT)
	want(t, th.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_TYPE, b[:4]), spi.WSAENOPROTOOPT)
	want(t, th.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_RCVBUF, b[:3]), spi.WSAEFAULT)
	want(t, th.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_KEEPALIVE, nil), spi.WSAEFAULT)
	n := int32(2)
	want(t, th.GetSockOpt(s, spi.SOL_SOCKET, spi.SO_RCVBUF, b[:2], &n), spi.WSAEFAULT)

	// One excludes the other, and exclusive use is decided before bind.
	on := []byte{1, 0, 0, 0}
	ok(t, th.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_EXCLUSIVEADDRUSE, on))
	want(t, th.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_REUSEADDR, on), spi.WSAEINVAL)
	ok(t, th.Bind(u, addr("127.0.0.1:0")))
	want(t, th.SetSockOpt(u, spi.SOL_SOCKET, spi.SO_EXCLUSIVEADDRUSE, on), spi.WSAEINVAL)
}

// With SO_REUSEADDR on both, two sockets listen on one port, as on Windows.
func TestReuseAddress(t *testing.T) {
	each(t, internet, func(t *testing.T, th *ws2.Thread, f family) {
		var name []byte
		for i := range 2 {
			s := stream(t, th, f)
			setInt(t, th, s, spi.SOL_SOCKET, spi.SO_REUSEADDR, 1)
			if i == 0 {
				name = f.any(t)
			}
			ok(t, th.Bind(s, name))
			ok(t, th.Listen(s, 1))
			name = sockName(t, th, s)
		}
	})
}

func TestMulticast(t *testing.T) {
	th := start(t)
	r := socket(t, th, ipv4, spi.SOCK_DGRAM)
	ok(t, th.Bind(r, addr("0.0.0.0:0")))
	// Interface 0.0.0.1 is the one with index 1, the loopback interface.
	member := []byte{239, 1, 2, 3, 0, 0, 0, 1}
	if err := th.SetSockOpt(r, spi.IPPROTO_IP, spi.IP_ADD_MEMBERSHIP, member); err != nil {
		t.Skipf("the loopback interface has no multicast here: %v", err)
	}
	s := socket(t, th, ipv4, spi.SOCK_DGRAM)
	ok(t, th.SetSockOpt(s, spi.IPPROTO_IP, spi.IP_MULTICAST_IF, []byte{0, 0, 0, 1}))
	group := sockName(t, th, r)
	copy(group[4:8], []byte{239, 1, 2, 3})
	setInt(t, th, r, spi.SOL_SOCKET, spi.SO_RCVTIMEO, 2000)
	if _, err := th.SendTo(s, []byte("all"), 0, group); err != nil {
		t.Skipf("no route for multicast here: %v", err)
	}
	b := make([]byte, 8)
	n, err := th.Recv(r, b, 0)
	ok(t, err)
	if string(b[:n]) != "all" {
		t.Errorf("received %q", b[:n])
	}
	ok(t, th.SetSockOpt(r, spi.IPPROTO_IP, spi.IP_DROP_MEMBERSHIP, member))
	want(t, th.SetSockOpt(r, spi.IPPROTO_IP, spi.IP_DROP_MEMBERSHIP, member), spi.WSAEADDRNOTAVAIL)
}
