package ws2

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"upcall.dev/spi"
)

// sockaddrs returns the addresses of a list as text.
func sockaddrs(list *spi.AddrInfo) (all []string) {
	for a := range list.All() {
		all = append(all, spi.AddressString(a.Sockaddr()))
	}
	return all
}

func TestNumericAddrInfo(t *testing.T) {
	thread := newHost(t).up()
	const stream = spi.SOCK_STREAM
	for _, c := range []struct {
		node, service *string
		hints         spi.AddrInfo
		want          []string
		code          spi.Errno
	}{
		{new("127.0.0.1"), new("80"), spi.AddrInfo{}, []string{"127.0.0.1:80"}, 0},
		{new("127.1"), nil, spi.AddrInfo{}, []string{"127.0.0.1:0"}, 0},
		{new("::1"), new("443"), spi.AddrInfo{SockType: stream}, []string{"[::1]:443"}, 0},
		{new("fe80::1%3"), new("1"), spi.AddrInfo{}, []string{"[fe80::1%3]:1"}, 0},
		{new("255.255.255.255"), nil, spi.AddrInfo{Flags: spi.AI_NUMERICHOST}, []string{"255.255.255.255:0"}, 0},
		{new("127.0.0.1"), nil, spi.AddrInfo{Family: spi.AF_INET6}, nil, spi.WSAHOST_NOT_FOUND},
		{new("127.0.0.1"), nil, spi.AddrInfo{Family: spi.AF_INET6, Flags: spi.AI_V4MAPPED}, []string{"[::ffff:127.0.0.1]:0"}, 0},
		{new("::1"), nil, spi.AddrInfo{Family: spi.AF_INET}, nil, spi.WSAHOST_NOT_FOUND},
		{new("localhost"), nil, spi.AddrInfo{Flags: spi.AI_NUMERICHOST}, nil, spi.WSAHOST_NOT_FOUND},
		{nil, new("80"), spi.AddrInfo{}, []string{"[::1]:80", "127.0.0.1:80"}, 0},
		{nil, new("80"), spi.AddrInfo{Flags: spi.AI_PASSIVE}, []string{"[::]:80", "0.0.0.0:80"}, 0},
		{nil, new("80"), spi.AddrInfo{Family: spi.AF_INET, Flags: spi.AI_PASSIVE}, []string{"0.0.0.0:80"}, 0},
		{nil, new("http"), spi.AddrInfo{Family: spi.AF_INET, SockType: stream}, []string{"127.0.0.1:80"}, 0},
		{nil, new("domain"), spi.AddrInfo{Family: spi.AF_INET}, []string{"127.0.0.1:53", "127.0.0.1:53"}, 0},
		{nil, new("http"), spi.AddrInfo{Flags: spi.AI_NUMERICSERV}, nil, spi.WSAHOST_NOT_FOUND},
		{nil, new("no-such-service"), spi.AddrInfo{}, nil, spi.WSATYPE_NOT_FOUND},
		{nil, new("tftp"), spi.AddrInfo{SockType: stream}, nil, spi.WSATYPE_NOT_FOUND},
		{nil, nil, spi.AddrInfo{}, nil, spi.WSAHOST_NOT_FOUND},
		{nil, new("80"), spi.AddrInfo{Flags: spi.AI_CANONNAME}, nil, spi.WSAEINVAL},
		{new("::1"), nil, spi.AddrInfo{Flags: 0x40}, nil, spi.WSAEINVAL},
		{new("::1"), nil, spi.AddrInfo{Flags: spi.AI_CANONNAME | spi.AI_FQDN}, nil, spi.WSAEINVAL},
		{new("::1"), nil, spi.AddrInfo{Family: spi.AF_UNIX}, nil, spi.WSAEAFNOSUPPORT},
		{new("::1"), nil, spi.AddrInfo{SockType: 9}, nil, spi.WSAESOCKTNOSUPPORT},
		{new("::1"), nil, spi.AddrInfo{AddrLen: 1}, nil, spi.WSANO_RECOVERY},
		{new("fe80::1%eth0"), nil, spi.AddrInfo{}, nil, spi.WSAHOST_NOT_FOUND},
		{new("fe80::1%4294967296"), nil, spi.AddrInfo{}, nil, spi.WSAHOST_NOT_FOUND},
		{new("two words"), nil, spi.AddrInfo{}, nil, spi.WSAHOST_NOT_FOUND},
		{new("somebody"), nil, spi.AddrInfo{}, nil, spi.WSASERVICE_NOT_FOUND}, // nothing is installed
	} {
		list, err := thread.GetAddrInfo(c.node, c.service, &c.hints)
		if got := sockaddrs(list); !slices.Equal(got, c.want) || CodeOf(err) != c.code || thread.WSAGetLastError() != c.code && c.code != 0 {
			t.Errorf("%v %v %+v: %v, %v; want %v, %v", text(c.node), text(c.service), c.hints, got, err, c.want, c.code)
		}
		FreeAddrInfo(list)
		if list != nil && (list.Addr != nil || list.Next != nil) {
			t.Error("a list that was freed still has addresses")
		}
	}
	list, err := thread.GetAddrInfo(new("::1"), nil, &spi.AddrInfo{Flags: spi.AI_CANONNAME, SockType: stream})
	if err != nil || list.Canonical() != "::1" || list.Protocol != spi.IPPROTO_TCP || list.SockType != stream {
		t.Errorf("%+v, %v", list, err)
	}
}

func text(p *string) string {
	if p == nil {
		return "nil"
	}
	return *p
}

func TestGetAddrInfoExWaitsCancelsAndTimesOut(t *testing.T) {
	h := newHost(t)
	h.namespaceOf("slow", spi.NS_DNS, []string{"wait"}, 0)
	thread := h.up()
	ev, _ := thread.WSACreateEvent()
	get := func(node string, timeout *spi.Timeval, ov *spi.Overlapped, routine NameCompletion, result **spi.AddrInfoEx, handle *uintptr) spi.Errno {
		return CodeOf(thread.GetAddrInfoEx(&node, nil, spi.NS_ALL, nil, nil, result, timeout, ov, routine, handle))
	}
	var result *spi.AddrInfoEx
	if e := get("127.0.0.1", nil, nil, nil, &result, nil); e != 0 || spi.AddressString(result.Sockaddr()) != "127.0.0.1:0" || result.Provider != nil {
		t.Errorf("%v, %+v", e, result)
	}
	FreeAddrInfoEx(result)
	if e := get("slow", &spi.Timeval{Usec: 1000}, nil, nil, &result, nil); e != spi.WSAETIMEDOUT || result != nil {
		t.Errorf("with a timeout: %v", e)
	}
	ov := &spi.Overlapped{HEvent: ev}
	var handle uintptr
	if e := get("slow", nil, ov, nil, &result, &handle); e != spi.WSA_IO_PENDING {
		t.Fatal(e)
	}
	if e := CodeOf(thread.GetAddrInfoExOverlappedResult(ov)); e != spi.WSAEINPROGRESS {
		t.Errorf("in progress: %v", e)
	}
	if err := thread.GetAddrInfoExCancel(&handle); err != nil {
		t.Error(err)
	}
	if n, err := thread.WSAWaitForMultipleEvents([]spi.Event{ev}, true, spi.WSA_INFINITE, false); n != 0 {
		t.Errorf("event: %d, %v", n, err)
	}
	if e := CodeOf(thread.GetAddrInfoExOverlappedResult(ov)); e != spi.WSA_E_CANCELLED {
		t.Errorf("cancelled: %v", e)
	}
	if e := CodeOf(thread.GetAddrInfoExCancel(&handle)); e != spi.WSA_INVALID_HANDLE {
		t.Errorf("twice: %v", e)
	}
	called := make(chan spi.Errno, 1)
	byRoutine := new(spi.Overlapped)
	if e := get("::1", nil, byRoutine, func(e spi.Errno, _ uint32, ov *spi.Overlapped) { called <- e }, &result, nil); e != spi.WSA_IO_PENDING {
		t.Fatal(e)
	}
	if e := <-called; e != 0 || spi.AddressString(result.Sockaddr()) != "[::1]:0" {
		t.Errorf("routine: %v, %+v", e, result)
	}
	for what, e := range map[string]spi.Errno{
		"neither event nor routine": get("::1", nil, new(spi.Overlapped), nil, &result, nil),
		"both":                      get("::1", nil, ov, func(spi.Errno, uint32, *spi.Overlapped) {}, &result, nil),
		"handle without overlapped": get("::1", nil, nil, nil, &result, &handle),
		"timeout below zero":        get("::1", &spi.Timeval{Sec: -1}, nil, nil, &result, nil),
	} {
		if e != spi.WSAEINVAL {
			t.Errorf("%s: %v", what, e)
		}
	}
	if e := get("::1", nil, nil, nil, nil, nil); e != spi.WSAEFAULT {
		t.Errorf("no result: %v", e)
	}
	// The last cleanup ends what is pending.
	if e := get("slow", nil, ov, nil, &result, nil); e != spi.WSA_IO_PENDING {
		t.Fatal(e)
	}
	if err := thread.WSACleanup(); err != nil {
		t.Error(err)
	}
	if ov.InProgress() || spi.Errno(ov.Internal) != spi.WSA_E_CANCELLED {
		t.Errorf("after the cleanup: %#x", ov.Internal)
	}
}

func TestAsyncDatabaseRequests(t *testing.T) {
	h := newHost(t)
	f := h.namespaceOf("slow", spi.NS_DNS, []string{"wait"}, 0)
	thread := h.up()
	wnd, _ := thread.CreateWindow()
	buf := make([]byte, MAXGETHOSTSTRUCT)
	message := func(handle uintptr, err error) (spi.Errno, int) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		m, err := thread.GetMessage(wnd, spi.WSA_INFINITE)
		if err != nil || m.Message != 0x400 || m.WParam != handle {
			t.Fatalf("%+v, %v", m, err)
		}
		if e := CodeOf(thread.WSACancelAsyncRequest(handle)); e != spi.WSAEALREADY {
			t.Errorf("cancelled after the end: %v", e)
		}
		return AsyncError(m.LParam), AsyncBufLen(m.LParam)
	}
	if e, n := message(thread.WSAAsyncGetHostByName(wnd, 0x400, "127.0.0.1", buf)); e != 0 || n == 0 {
		t.Errorf("%v, %d bytes", e, n)
	}
	if e, n := message(thread.WSAAsyncGetHostByName(wnd, 0x400, "127.0.0.1", buf[:16])); e != spi.WSAENOBUFS || n <= 16 {
		t.Errorf("too small: %v, needs %d", e, n)
	}
	if e, _ := message(thread.WSAAsyncGetHostByAddr(wnd, 0x400, []byte{1, 2}, spi.AF_INET, buf)); e != spi.WSAEFAULT {
		t.Errorf("short address: %v", e)
	}
	if e, _ := message(thread.WSAAsyncGetServByName(wnd, 0x400, "http", "tcp", buf)); e != 0 {
		t.Error(e)
	}
	if e, _ := message(thread.WSAAsyncGetServByPort(wnd, 0x400, Htons(1), "nothing", buf)); e != spi.WSANO_DATA {
		t.Error(e)
	}
	if e, _ := message(thread.WSAAsyncGetProtoByName(wnd, 0x400, "tcp", buf)); e != 0 {
		t.Error(e)
	}
	if e, _ := message(thread.WSAAsyncGetProtoByNumber(wnd, 0x400, 17, buf)); e != 0 {
		t.Error(e)
	}
	handle, err := thread.WSAAsyncGetHostByName(wnd, 0x400, "slow", buf)
	if err != nil {
		t.Fatal(err)
	}
	for f.asked() == 0 {
		thread.SleepEx(1, false)
	}
	if err := thread.WSACancelAsyncRequest(handle); err != nil {
		t.Error(err)
	}
	for e, h := range map[spi.Errno]uintptr{spi.WSAEALREADY: handle, spi.WSAEINVAL: 4711} {
		if got := CodeOf(thread.WSACancelAsyncRequest(h)); got != e {
			t.Errorf("%#x: %v, want %v", h, got, e)
		}
	}
	if _, err := thread.WSAAsyncGetHostByName(0, 0x400, "x", buf); CodeOf(err) != spi.WSAEINVAL {
		t.Errorf("no window: %v", err)
	}
	if err := thread.WSACleanup(); err != nil {
		t.Fatal(err)
	}
	if m, ok := thread.PeekMessage(wnd, true); ok {
		t.Errorf("a message of a cancelled request: %+v", m)
	}
}

func TestInetConversions(t *testing.T) {
	var b [16]byte
	for _, c := range []struct {
		family int32
		text   string
		code   spi.Errno
	}{
		{spi.AF_INET, "192.0.2.1", 0}, {spi.AF_INET, "127.1", spi.WSAEINVAL}, {spi.AF_INET, "01.2.3.4", spi.WSAEINVAL},
		{spi.AF_INET, "::1", spi.WSAEINVAL}, {spi.AF_INET6, "2001:db8::1", 0}, {spi.AF_INET6, "::ffff:192.0.2.1", 0},
		{spi.AF_INET6, "fe80::1%3", spi.WSAEINVAL}, {spi.AF_INET6, "1.2.3.4", spi.WSAEINVAL}, {spi.AF_UNIX, "x", spi.WSAEAFNOSUPPORT},
	} {
		if e := InetPton(c.family, c.text, b[:]); e != c.code {
			t.Errorf("%s: %v, want %v", c.text, e, c.code)
		} else if e == 0 {
			if got, e := InetNtop(c.family, b[:]); got != c.text || e != 0 {
				t.Errorf("%s came back as %s, %v", c.text, got, e)
			}
		}
	}
	if InetPton(spi.AF_INET, "1.2.3.4", b[:3]) != spi.WSAEFAULT {
		t.Error("three bytes took four")
	}
	for _, family := range []int32{spi.AF_INET, spi.AF_INET6} {
		if _, e := InetNtop(family, b[:3]); e != spi.WSAEFAULT {
			t.Error(e)
		}
	}
	if _, e := InetNtop(spi.AF_UNIX, b[:]); e != spi.WSAEAFNOSUPPORT {
		t.Error(e)
	}
}

func FuzzNumeric(f *testing.F) {
	for _, s := range []string{"127.0.0.1", "0x7f.1", "::1", "fe80::1%4294967295", "1.2.3.4.5", "", "%", "08"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		addr, ok := parseNumeric(text)
		if !ok {
			return
		}
		again, ok := parseNumeric(addr.String())
		if !ok || again != addr {
			t.Errorf("%q is %v, which is %v", text, addr, again)
		}
	})
}

// gravity is an order: joining the codes of several providers does not depend on
// the order of joining.
func TestGraverIsAnOrder(t *testing.T) {
	codes := []spi.Errno{0, spi.WSA_E_NO_MORE, spi.WSASERVICE_NOT_FOUND, spi.WSAHOST_NOT_FOUND, spi.WSANO_DATA, spi.WSATRY_AGAIN, spi.WSANO_RECOVERY}
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.SliceOfN(rapid.SampledFrom(codes), 1, 5).Draw(t, "codes")
		join := func(all []spi.Errno) (worst spi.Errno) {
			for _, e := range all {
				worst = graver(worst, e)
			}
			return worst
		}
		if a, b := join(some), join(rapid.Permutation(some).Draw(t, "permutation")); gravity(a) != gravity(b) {
			t.Fatalf("%v and %v of %v", a, b, some)
		}
	})
}
