package ws2_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/namespace/hosts"
	"upcall.dev/spi"
	"upcall.dev/ws2"

	_ "upcall.dev/standard"
)

const names = `127.0.0.1 localhost
127.0.0.2 several.test several first.test
127.0.0.1 several.test
::1       several.test
127.0.0.1 four.test
`

// named returns a thread of a DLL over the standard sockets, whose names come
// from a file of these lines alone.
func named(t *testing.T, lines string) *ws2.Thread {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	c := catalog.Default()
	for _, n := range c.Namespaces() {
		if e := c.UnInstallNameSpace(n.ID); e != 0 {
			t.Fatal(e)
		}
	}
	d, _ := spi.LookupNamespaceDriver(hosts.Name)
	if err := c.InstallNamespaceDriver(d, spi.Options{"file": file}); err != nil {
		t.Fatal(err)
	}
	return started(t, c)
}

func started(t *testing.T, c *catalog.Catalog) *ws2.Thread {
	t.Helper()
	thread := ws2.New(ws2.Config{Catalog: c}).BindThread()
	if err := thread.WSAStartup(spi.Version22, new(ws2.WSAData)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := thread.WSACleanup(); err != nil {
			t.Error(err)
		}
		thread.Unbind()
	})
	return thread
}

func addressesOf(list *spi.AddrInfo) (all []string) {
	for a := range list.All() {
		all = append(all, spi.AddressString(a.Sockaddr()))
	}
	return all
}

func code(err error) spi.Errno {
	if err == nil {
		return 0
	}
	return err.(spi.Errno)
}

func TestNamesFromAFile(t *testing.T) {
	thread := named(t, names)
	const mapped = spi.AI_V4MAPPED
	for _, c := range []struct {
		node  string
		hints spi.AddrInfo
		want  []string
		code  spi.Errno
	}{
		{"several.test", spi.AddrInfo{}, []string{"127.0.0.2:9", "127.0.0.1:9", "[::1]:9"}, 0},
		{"several.test", spi.AddrInfo{Family: spi.AF_INET6}, []string{"[::1]:9"}, 0},
		{"several.test", spi.AddrInfo{Family: spi.AF_INET6, Flags: mapped}, []string{"[::1]:9"}, 0},
		{"several.test", spi.AddrInfo{Family: spi.AF_INET6, Flags: mapped | spi.AI_ALL}, []string{"[::1]:9", "[::ffff:127.0.0.2]:9", "[::ffff:127.0.0.1]:9"}, 0},
		{"four.test", spi.AddrInfo{Family: spi.AF_INET6, Flags: mapped}, []string{"[::ffff:127.0.0.1]:9"}, 0},
		{"four.test", spi.AddrInfo{Family: spi.AF_INET6}, nil, spi.WSANO_DATA},
		{"nobody.test", spi.AddrInfo{}, nil, spi.WSAHOST_NOT_FOUND},
	} {
		list, err := thread.GetAddrInfo(&c.node, new("9"), &c.hints)
		if got := addressesOf(list); !slices.Equal(got, c.want) || code(err) != c.code {
			t.Errorf("%s %+v: %v, %v; want %v, %v", c.node, c.hints, got, err, c.want, c.code)
		}
	}
	list, err := thread.GetAddrInfo(new("several"), nil, &spi.AddrInfo{Flags: spi.AI_CANONNAME})
	if err != nil || list.Canonical() != "several.test" || list.Next != nil {
		t.Errorf("%q, %v", list.Canonical(), err)
	}
	if list, err := thread.GetAddrInfo(new(""), nil, nil); err != nil || list == nil {
		t.Errorf("this machine: %v", err)
	}
	if _, err := thread.GetAddrInfo(new("four.test"), nil, &spi.AddrInfo{Flags: spi.AI_ADDRCONFIG, Family: spi.AF_INET}); err != nil {
		t.Errorf("with AI_ADDRCONFIG: %v", err)
	}
	ent, err := thread.GetHostByName("several.test")
	if err != nil {
		t.Fatal(err)
	}
	if h := ent.Host(); h.Name != "several.test" || !slices.Contains(h.Aliases, "first.test") || len(h.Addresses) != 2 || h.Addresses[0][3] != 2 {
		t.Errorf("%+v", h)
	}
	if ent, err = thread.GetHostByAddr([]byte{127, 0, 0, 2}, spi.AF_INET); err != nil || ent.Host().Name != "several.test" {
		t.Errorf("%+v, %v", ent, err)
	}
	if _, err = thread.GetHostByAddr([]byte{127, 0, 0, 9}, spi.AF_INET); code(err) != spi.WSAHOST_NOT_FOUND {
		t.Errorf("an address without a name: %v", err)
	}
	if ent, err = thread.GetHostByName("127.1"); err != nil || ent.Host().Addresses[0][0] != 127 {
		t.Errorf("%+v, %v", ent, err)
	}
	if ent, err = thread.GetHostByName(""); err != nil || len(ent.Host().Addresses) == 0 {
		t.Errorf("this machine: %v", err)
	}
}

func TestNameInfo(t *testing.T) {
	thread := named(t, names)
	addr := func(text string) []byte { return spi.SockaddrFrom(netip.MustParseAddrPort(text)) }
	for _, c := range []struct {
		addr          []byte
		flags         int32
		host, service string
		code          spi.Errno
	}{
		{addr("127.0.0.2:80"), 0, "several.test", "http", 0},
		{addr("127.0.0.2:80"), spi.NI_NUMERICHOST | spi.NI_NUMERICSERV, "127.0.0.2", "80", 0},
		{addr("127.0.0.9:69"), spi.NI_DGRAM, "127.0.0.9", "tftp", 0},
		{addr("127.0.0.9:80"), spi.NI_NAMEREQD, "", "", spi.WSAHOST_NOT_FOUND},
		{addr("[fe80::1%4]:60999"), 0, "fe80::1%4", "60999", 0},
		{addr("[::1]:80"), spi.NI_NOFQDN, "several.test", "http", 0},
		{addr("127.0.0.2:80")[:8], 0, "", "", spi.WSAEFAULT},
		{[]byte{1, 0, 'x', 0}, 0, "", "", spi.WSAEAFNOSUPPORT},
		{addr("127.0.0.2:80"), 0x100, "", "", spi.WSAEINVAL},
	} {
		host, service := make([]uint16, 64), make([]uint16, 32)
		err := thread.GetNameInfo(c.addr, host, service, c.flags)
		if code(err) != c.code || err == nil && (spi.UTF16ToString(host) != c.host || spi.UTF16ToString(service) != c.service) {
			t.Errorf("% x, %#x: %s, %s, %v; want %s, %s, %v", c.addr, c.flags, spi.UTF16ToString(host), spi.UTF16ToString(service), err, c.host, c.service, c.code)
		}
	}
	if err := thread.GetNameInfo(addr("127.0.0.2:80"), make([]uint16, 3), nil, 0); code(err) != spi.WSAEFAULT {
		t.Errorf("a short buffer: %v", err)
	}
	if err := thread.GetNameInfo(addr("127.0.0.2:80"), nil, nil, 0); code(err) != spi.WSAHOST_NOT_FOUND {
		t.Errorf("nothing wanted: %v", err)
	}
	name := make([]byte, 256)
	own, _ := os.Hostname()
	if err := thread.GetHostName(name); err != nil || string(name[:len(own)+1]) != own+"\x00" {
		t.Errorf("%q, %v", name[:len(own)+1], err)
	}
	if err := thread.GetHostName(name[:len(own)]); code(err) != spi.WSAEFAULT {
		t.Errorf("one byte short: %v", err)
	}
}

func TestServicesAndProtocols(t *testing.T) {
	thread := named(t, names)
	ent, err := thread.GetServByName("https", "tcp")
	if err != nil || ent.Service().Port != 443 {
		t.Errorf("%+v, %v", ent, err)
	}
	if ent, err = thread.GetServByPort(ws2.Htons(53), "udp"); err != nil || ent.Service().Name != "domain" {
		t.Errorf("%+v, %v", ent, err)
	}
	if _, err = thread.GetServByName("nothing", ""); code(err) != spi.WSANO_DATA {
		t.Error(err)
	}
	proto, err := thread.GetProtoByName("tcp")
	if err != nil || proto.Protocol().Number != 6 {
		t.Errorf("%+v, %v", proto, err)
	}
	if proto, err = thread.GetProtoByNumber(17); err != nil || proto.Protocol().Name != "udp" {
		t.Errorf("%+v, %v", proto, err)
	}
	if _, err = thread.GetProtoByNumber(251); code(err) != spi.WSANO_DATA {
		t.Error(err)
	}
}

// With the standard providers the results are those of package net and of the
// system's getent.
func TestNamesAsTheSystemHasThem(t *testing.T) {
	thread := started(t, catalog.Default())
	for _, node := range []string{"localhost", "127.0.0.1", "::1", "127.1"} {
		list, err := thread.GetAddrInfo(&node, nil, &spi.AddrInfo{SockType: spi.SOCK_STREAM, Family: spi.AF_INET})
		var got []string
		for a := range list.All() {
			ap, _ := spi.AddrPortFrom(a.Sockaddr())
			got = append(got, ap.Addr().String())
		}
		if node != "127.1" {
			want, netErr := net.DefaultResolver.LookupNetIP(t.Context(), "ip4", node)
			var texts []string
			for _, addr := range want {
				texts = append(texts, addr.Unmap().String())
			}
			if !slices.Equal(got, texts) || (err == nil) != (netErr == nil) {
				t.Errorf("%s: %v, %v; package net has %v, %v", node, got, err, texts, netErr)
			}
		}
		out, getentErr := exec.Command("getent", "ahostsv4", node).Output()
		if getentErr != nil && len(out) == 0 && err == nil {
			t.Logf("%s: getent has nothing to compare with: %v", node, getentErr)
			continue
		}
		if fields := strings.Fields(string(out)); len(fields) > 0 && !slices.Contains(got, fields[0]) {
			t.Errorf("%s: %v, getent has %s", node, got, fields[0])
		}
	}
}

// A connection by name goes to the address that answers.
func TestConnectByName(t *testing.T) {
	thread := named(t, names)
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	for _, timeout := range []*spi.Timeval{nil, {Sec: 60}} {
		for _, family := range []int32{spi.AF_INET, spi.AF_INET6} {
			s, err := thread.Socket(family, spi.SOCK_STREAM, 0)
			if err != nil {
				t.Fatal(err)
			}
			if family == spi.AF_INET6 {
				if err := thread.SetSockOpt(s, spi.IPPROTO_IPV6, spi.IPV6_V6ONLY, make([]byte, 4)); err != nil {
					t.Fatal(err)
				}
			}
			local, remote := make([]byte, 28), make([]byte, 28)
			localLen, remoteLen := int32(len(local)), int32(len(remote))
			if err := thread.WSAConnectByName(s, "several.test", port, &localLen, local, &remoteLen, remote, timeout); err != nil {
				t.Errorf("family %d, timeout %v: %v", family, timeout, err)
				continue
			}
			accepted, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			from, to := accepted.RemoteAddr().String(), accepted.LocalAddr().String()
			if family == spi.AF_INET6 {
				from, to = strings.Replace(from, "127.0.0.1", "[::ffff:127.0.0.1]", 1), strings.Replace(to, "127.0.0.1", "[::ffff:127.0.0.1]", 1)
			}
			if spi.AddressString(local[:localLen]) != from || spi.AddressString(remote[:remoteLen]) != to {
				t.Errorf("from %s to %s, want %s to %s", spi.AddressString(local[:localLen]), spi.AddressString(remote[:remoteLen]), from, to)
			}
			accepted.Close()
			if err := thread.CloseSocket(s); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestConnectByList(t *testing.T) {
	thread := named(t, names)
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	good := netip.MustParseAddrPort(listener.Addr().String())
	deaf := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), good.Port())
	list := []spi.SocketAddress{
		spi.NewSocketAddress(spi.SockaddrFrom(netip.MustParseAddrPort("[::1]:1"))),
		spi.NewSocketAddress(spi.SockaddrFrom(deaf)), spi.NewSocketAddress(spi.SockaddrFrom(good)),
	}
	s, err := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = thread.CloseSocket(s) }()
	if err := thread.WSAConnectByList(s, list[:1], nil, nil, nil, nil, nil); code(err) != spi.WSAEINVAL {
		t.Errorf("no address of the family: %v", err)
	}
	if err := thread.WSAConnectByList(s, list[:2], nil, nil, nil, nil, &spi.Timeval{Sec: 60}); code(err) != spi.WSAECONNREFUSED {
		t.Errorf("nobody answers: %v", err)
	}
	if err := thread.WSAConnectByList(s, list, nil, nil, nil, nil, &spi.Timeval{Sec: 60}); err != nil {
		t.Error(err)
	}
	d, err := thread.Socket(spi.AF_INET, spi.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = thread.CloseSocket(d) }()
	if err := thread.WSAConnectByList(d, list, nil, nil, nil, nil, nil); code(err) != spi.WSAEOPNOTSUPP {
		t.Errorf("datagrams: %v", err)
	}
	if err := thread.WSAConnectByName(s, "", "80", nil, nil, nil, nil, nil); code(err) != spi.WSAEINVAL {
		t.Errorf("no name: %v", err)
	}
	if err := thread.WSAConnectByName(spi.InvalidSocket, "x", "80", nil, nil, nil, nil, nil); code(err) != spi.WSAENOTSOCK {
		t.Errorf("no socket: %v", err)
	}
}

// A connection that nobody answers ends with the timeout. The listener's queue is
// full, so that the kernel drops what comes.
func TestConnectByNameTimesOut(t *testing.T) {
	thread := named(t, names)
	full, err := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = thread.CloseSocket(full) }()
	name := spi.SockaddrFrom(netip.MustParseAddrPort("127.0.0.1:0"))
	length := int32(len(name))
	if err := thread.Bind(full, name); err != nil {
		t.Fatal(err)
	}
	if err := thread.GetSockName(full, name, &length); err != nil {
		t.Fatal(err)
	}
	if err := thread.Listen(full, 1); err != nil {
		t.Fatal(err)
	}
	port := binary.BigEndian.Uint16(name[2:])
	for range 8 {
		s, err := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = thread.CloseSocket(s) }()
		err = thread.WSAConnectByName(s, "four.test", netip.AddrPortFrom(netip.IPv4Unspecified(), port).String()[len("0.0.0.0:"):],
			nil, nil, nil, nil, &spi.Timeval{Usec: 200_000})
		switch code(err) {
		case 0:
		case spi.WSAETIMEDOUT:
			return
		default:
			t.Fatal(err)
		}
	}
	t.Skip("this kernel takes connections beyond the listener's queue")
}
