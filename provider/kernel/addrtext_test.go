//go:build linux

package kernel_test

import (
	"testing"
	"unicode/utf16"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

func toAddress(th *ws2.Thread, text string, af int32) ([]byte, error) {
	name := make([]byte, spi.SizeofSockaddrStorage)
	n := int32(len(name))
	err := th.WSAStringToAddress(append(utf16.Encode([]rune(text)), 0), af, nil, name, &n)
	return name[:min(max(n, 0), int32(len(name)))], err
}

func toText(th *ws2.Thread, name []byte) (string, error) {
	buf := make([]uint16, 256)
	n := uint32(len(buf))
	err := th.WSAAddressToString(name, nil, buf, &n)
	return spi.UTF16ToString(buf), err
}

func TestAddressText(t *testing.T) {
	th := start(t)
	for _, test := range []struct {
		af         int32
		text, back string // back empty: refused
	}{
		{spi.AF_INET, "127.0.0.1", "127.0.0.1"},
		{spi.AF_INET, "127.0.0.1:80", "127.0.0.1:80"},
		{spi.AF_INET, "255.255.255.255:65535", "255.255.255.255:65535"},
		{spi.AF_INET, "127.1", "127.0.0.1"},
		{spi.AF_INET, "0x7f.0.0.010:0x10", "127.0.0.8:16"},
		{spi.AF_INET, "2130706433", "127.0.0.1"},
		{spi.AF_INET, "", ""},
		{spi.AF_INET, "1.2.3.4.5", ""},
		{spi.AF_INET, "1.2.3.256", ""},
		{spi.AF_INET, "1.2.3.4:", ""},
		{spi.AF_INET, "1.2.3.4:65536", ""},
		{spi.AF_INET, "::1", ""},
		{spi.AF_INET6, "::1", "::1"},
		{spi.AF_INET6, "[::1]", "::1"},
		{spi.AF_INET6, "[2001:db8::1]:80", "[2001:db8::1]:80"},
		{spi.AF_INET6, "fe80::1%3", "fe80::1%3"},
		{spi.AF_INET6, "[fe80::1%3]:443", "[fe80::1%3]:443"},
		{spi.AF_INET6, "::ffff:1.2.3.4", "::ffff:1.2.3.4"},
		{spi.AF_INET6, "1.2.3.4", ""},
		{spi.AF_INET6, "[::1", ""},
		{spi.AF_INET6, "[::1]80", ""},
		{spi.AF_INET6, "fe80::1%eth0", ""},
		{spi.AF_UNIX, "/run/x", "/run/x"},
		{spi.AF_UNIX, "@abstract", "@abstract"},
		{spi.AF_UNIX, "", ""},
		{99, "1.2.3.4", ""},
	} {
		name, err := toAddress(th, test.text, test.af)
		if test.back == "" {
			want(t, err, spi.WSAEINVAL)
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", test.text, err)
			continue
		}
		if back, err := toText(th, name); back != test.back || err != nil {
			t.Errorf("%q comes back as %q, %v, want %q", test.text, back, err, test.back)
		}
	}

	short := make([]byte, 8)
	n := int32(len(short))
	want(t, th.WSAStringToAddress(utf16.Encode([]rune("1.2.3.4")), spi.AF_INET, nil, short, &n), spi.WSAEFAULT)
	if n != spi.SizeofSockaddrIn {
		t.Errorf("%d bytes are needed", n)
	}
	length := uint32(3)
	want(t, th.WSAAddressToString(addr("127.0.0.1:80"), nil, make([]uint16, 3), &length), spi.WSAEFAULT)
	if length != uint32(len("127.0.0.1:80")+1) {
		t.Errorf("%d characters are needed", length)
	}
	_, err := toText(th, []byte{2, 0, 1})
	want(t, err, spi.WSAEINVAL)
}

func FuzzAddressText(f *testing.F) {
	for _, text := range []string{"127.0.0.1:80", "[fe80::1%3]:443", "0x7f.1", "@x", "::", "4294967296", "%", "[]:"} {
		f.Add(text)
	}
	th := start(f)
	f.Fuzz(func(t *testing.T, text string) {
		for _, af := range []int32{spi.AF_INET, spi.AF_INET6, spi.AF_UNIX} {
			name, err := toAddress(th, text, af)
			if err != nil {
				continue
			}
			if spi.AddressFamily(name) != af {
				t.Fatalf("%q as family %d gives family %d", text, af, spi.AddressFamily(name))
			}
			back, err := toText(th, name)
			if err != nil {
				continue // a path may be too long with its NUL
			}
			again, err := toAddress(th, back, af)
			if err != nil || string(again) != string(name) {
				t.Fatalf("%q gives %v, its text %q gives %v, %v", text, name, back, again, err)
			}
		}
	})
}

func FuzzOptionsAndIoctls(f *testing.F) {
	th := start(f)
	f.Add(int32(spi.SOL_SOCKET), int32(spi.SO_LINGER), []byte{1, 0, 2, 0})
	f.Add(int32(spi.IPPROTO_IP), int32(spi.IP_ADD_MEMBERSHIP), []byte{239, 1, 2, 3, 0, 0, 0, 1})
	f.Add(int32(spi.IPPROTO_IP), int32(spi.IP_OPTIONS), make([]byte, 300))
	f.Add(int32(0), int32(spi.SIO_KEEPALIVE_VALS-1<<32), make([]byte, 12))
	f.Add(int32(0), int32(spi.SIO_ADDRESS_LIST_QUERY), make([]byte, 80))
	f.Add(int32(0), int32(spi.SIO_ROUTING_INTERFACE_QUERY-1<<32), addr("127.0.0.1:1"))
	f.Add(int32(0), int32(spi.SIO_ROUTING_INTERFACE_CHANGE-1<<32), addr("127.0.0.1:1"))
	f.Add(int32(0), int32(spi.SIO_ADDRESS_LIST_CHANGE), []byte(nil))
	f.Add(int32(0), int32(spi.SIO_ADDRESS_LIST_SORT-1<<32), []byte("\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, level, name int32, value []byte) {
		for _, family := range streams {
			for _, typ := range []int32{spi.SOCK_STREAM, spi.SOCK_DGRAM} {
				s, err := th.Socket(family.af, typ, 0)
				if err != nil {
					continue
				}
				in := append([]byte(nil), value...)
				_ = th.SetSockOpt(s, level, name, in)
				out := make([]byte, len(value))
				n := int32(len(out))
				if err := th.GetSockOpt(s, level, name, out, &n); err == nil && int(n) > len(out) {
					t.Fatalf("option %d/%d stores %d bytes in %d", level, name, n, len(out))
				}
				nonblocking(t, th, s, 1) // some codes would wait for a change
				if count, err := control(th, s, uint32(name), in, out); err == nil && count > len(out) {
					t.Fatalf("control code %#x stores %d bytes in %d", uint32(name), count, len(out))
				}
				if string(in) != string(value) {
					t.Fatal("an input was changed")
				}
				var off uint32
				_ = th.IoctlSocket(s, spi.FIONBIO, &off)
				setLinger0(th, s)
				ok(t, th.CloseSocket(s))
			}
		}
	})
}

// setLinger0 keeps a close from waiting.
func setLinger0(th *ws2.Thread, s spi.Socket) {
	_ = th.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_LINGER, make([]byte, 4))
}
