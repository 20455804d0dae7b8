package spi

import (
	"bytes"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

func TestSockaddrRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ip netip.Addr
		if rapid.Bool().Draw(t, "v4") {
			ip = netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "ip")))
		} else {
			ip = netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "ip")))
		}
		want := netip.AddrPortFrom(ip, rapid.Uint16().Draw(t, "port"))
		got, ok := AddrPortFrom(SockaddrFrom(want))
		if !ok || got != want {
			t.Fatalf("%v came back as %v, %v", want, got, ok)
		}
	})
}

func TestSockaddrBytes(t *testing.T) {
	got := SockaddrFrom(netip.MustParseAddrPort("127.0.0.1:80"))
	if want := []byte{2, 0, 0, 80, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}; !bytes.Equal(got, want) {
		t.Errorf("sockaddr_in % x, want % x", got, want)
	}
	six := SockaddrFrom(netip.MustParseAddrPort("[fe80::1%3]:443"))
	if len(six) != SizeofSockaddrIn6 || six[0] != AF_INET6 || six[24] != 3 || AddressString(six) != "[fe80::1%3]:443" {
		t.Errorf("sockaddr_in6 % x reads %s", six, AddressString(six))
	}
}

func TestUnixPaths(t *testing.T) {
	for _, path := range []string{"/run/x.sock", "@abstract", ""} {
		name, ok := SockaddrUnix(path)
		if got, ok2 := UnixPathFrom(name); !ok || !ok2 || got != path {
			t.Errorf("%q came back as %q, %v", path, got, ok2)
		}
	}
	if _, ok := SockaddrUnix(string(make([]byte, 200))); ok {
		t.Error("a path of 200 bytes was accepted")
	}
}

func FuzzAddressString(f *testing.F) {
	f.Add(SockaddrFrom(netip.MustParseAddrPort("127.0.0.1:80")))
	f.Add([]byte{1, 0, '/', 'x'})
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, name []byte) {
		if AddressString(name) == "" {
			t.Error("empty")
		}
		if a, ok := AddrPortFrom(name); ok && a.Addr().Is4() {
			if back := SockaddrFrom(a); !bytes.Equal(back[:8], name[:8]) {
				t.Errorf("% x came back as % x", name, back)
			}
		}
	})
}

func TestGUIDText(t *testing.T) {
	const text = "e70f1aa0-ab8b-11cf-8ca3-00805f48a192"
	g := MustParseGUID("{" + text + "}")
	if g.Data1 != 0xe70f1aa0 || g.Data3 != 0x11cf || g.Data4[0] != 0x8c || g.String() != text {
		t.Errorf("parsed %+v, text %s", g, g)
	}
	for _, bad := range []string{"", "x", text[1:], text + "0", "g70f1aa0-ab8b-11cf-8ca3-00805f48a192", "e70f1aa0aab8b-11cf-8ca3-00805f48a192"} {
		if _, err := ParseGUID(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	a, b := NewGUID(), NewGUID()
	if a == b || a.Data3>>12 != 4 || a.Data4[0]>>6 != 2 {
		t.Errorf("NewGUID gave %s and %s", a, b)
	}
}

func TestCopyUTF16(t *testing.T) {
	var n uint32
	buf := make([]uint16, 4)
	if e := CopyUTF16("abc", buf, &n); e != 0 || n != 4 || UTF16ToString(buf) != "abc" {
		t.Errorf("exact fit: %v, %d, %q", e, n, UTF16ToString(buf))
	}
	if e := CopyUTF16("abcd", buf, &n); e != WSAEFAULT || n != 5 {
		t.Errorf("too small: %v, %d", e, n)
	}
}
