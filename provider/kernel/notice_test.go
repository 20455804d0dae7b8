//go:build linux

package kernel_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

const namespaceVariable = "UPCALL_TEST_NAMESPACE"

// inNamespace runs the test again in a process that has a network of its own,
// and reports whether this is that process.
func inNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv(namespaceVariable) != "" {
		return true
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), namespaceVariable+"=1", "GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Skipf("no network namespaces here: %v", err)
	}
	switch err := cmd.Wait(); {
	case err != nil:
		t.Errorf("in a network namespace: %v\n%s", err, &out)
	case strings.Contains(out.String(), "--- SKIP"):
		t.Skipf("in a network namespace: %s", &out)
	case !strings.Contains(out.String(), "--- PASS: "+t.Name()):
		t.Errorf("in a network namespace the test did not run:\n%s", &out)
	}
	return false
}

// linkUp sets an interface, or an IPv4 address with a label, up or down; down
// takes the address away.
func linkUp(t testing.TB, name string, up bool) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	ok(t, err)
	defer unix.Close(fd)
	r, err := unix.NewIfreq(name)
	ok(t, err)
	if up {
		r.SetUint16(unix.IFF_UP)
	}
	ok(t, unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r))
}

// addIPv4 gives the loopback interface an address under a label, which linkUp
// takes away.
func addIPv4(t testing.TB, label, ip string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	ok(t, err)
	defer unix.Close(fd)
	r, err := unix.NewIfreq(label)
	ok(t, err)
	b := netip.MustParseAddr(ip).As4()
	ok(t, r.SetInet4Addr(b[:]))
	ok(t, unix.IoctlIfreq(fd, unix.SIOCSIFADDR, r))
}

// changeIPv6 gives the loopback interface an address or takes it away.
func changeIPv6(t testing.TB, ip string, add bool) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	ok(t, err)
	defer unix.Close(fd)
	request := struct { // in6_ifreq
		addr   [16]byte
		prefix uint32
		index  int32
	}{netip.MustParseAddr(ip).As16(), 128, 1}
	code := uintptr(unix.SIOCSIFADDR)
	if !add {
		code = unix.SIOCDIFADDR
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), code, uintptr(unsafe.Pointer(&request))); errno != 0 {
		t.Fatal(errno)
	}
}

func ioctl(th *ws2.Thread, s spi.Socket, code uint32, in []byte, ov *spi.Overlapped) error {
	var n uint32
	return th.WSAIoctl(s, code, in, nil, &n, ov, nil)
}

// signalled waits for an event and resets it.
func signalled(t testing.TB, th *ws2.Thread, ev spi.Event) {
	t.Helper()
	i, err := th.WSAWaitForMultipleEvents([]spi.Event{ev}, false, uint32(wait.Milliseconds()), false)
	ok(t, err)
	if i != spi.WSA_WAIT_EVENT_0 {
		t.Fatal("the event was not set")
	}
	ok(t, th.WSAResetEvent(ev))
}

// settled waits until a change that make makes, and so every one before, has
// been told to everybody.
func settled(t testing.TB, th *ws2.Thread, make func()) {
	t.Helper()
	s := socket(t, th, ipv4, spi.SOCK_DGRAM)
	ev := newEvent(t, th)
	ov := &spi.Overlapped{HEvent: ev}
	want(t, ioctl(th, s, spi.SIO_ADDRESS_LIST_CHANGE, nil, ov), spi.WSA_IO_PENDING)
	make()
	signalled(t, th, ev)
	ok(t, th.CloseSocket(s))
}

// Data is told again to each new selection, a change of addresses once.
func TestBehaviour084_LevelAndEdge(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	linkUp(t, "lo", true)
	th := start(t)
	r, name := udp(t, th, ipv4)
	s := socket(t, th, ipv4, spi.SOCK_DGRAM)
	ev := newEvent(t, th)
	const both = spi.FD_READ | spi.FD_ADDRESS_LIST_CHANGE
	ok(t, th.WSAEventSelect(r, ev, both))
	settled(t, th, func() { addIPv4(t, "lo:1", "10.9.0.1") })
	quiet(t, th, r, "a change that nobody asked about")

	want(t, ioctl(th, r, spi.SIO_ADDRESS_LIST_CHANGE, nil, nil), spi.WSAEWOULDBLOCK)
	quiet(t, th, r, "a change before the ioctl")
	addIPv4(t, "lo:2", "10.9.0.2")
	got := next(t, th, r, ev, spi.FD_ADDRESS_LIST_CHANGE)
	if got.NetworkEvents != spi.FD_ADDRESS_LIST_CHANGE || got.ErrorCode[9] != 0 {
		t.Errorf("events %#x, error %d", got.NetworkEvents, got.ErrorCode[9])
	}
	settled(t, th, func() { addIPv4(t, "lo:3", "10.9.0.3") })
	settled(t, th, func() { linkUp(t, "lo:3", false) })
	quiet(t, th, r, "another change without another ioctl")

	_, err := th.SendTo(s, []byte("x"), 0, name)
	ok(t, err)
	next(t, th, r, ev, spi.FD_READ)
	ok(t, th.WSAEventSelect(r, ev, both))
	if got := next(t, th, r, ev, spi.FD_READ); got.NetworkEvents != spi.FD_READ {
		t.Errorf("a new selection has events %#x, want FD_READ alone", got.NetworkEvents)
	}

	// The ioctl enables the event again; IPv6 is no affair of this socket.
	want(t, ioctl(th, r, spi.SIO_ADDRESS_LIST_CHANGE, nil, nil), spi.WSAEWOULDBLOCK)
	changeIPv6(t, "fd00::9", true)
	settled(t, th, func() { linkUp(t, "lo:2", false) })
	if got := next(t, th, r, ev, spi.FD_ADDRESS_LIST_CHANGE); got.NetworkEvents != spi.FD_ADDRESS_LIST_CHANGE {
		t.Errorf("events %#x", got.NetworkEvents)
	}
}

// One message for a change of a route; FD_ROUTING_INTERFACE_CHANGE is by
// destination.
func TestRoutingInterfaceChange(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	linkUp(t, "lo", true)
	th := start(t)
	bound := th.DLL().BindThread()
	defer bound.Unbind()
	wnd, err := bound.CreateWindow()
	ok(t, err)
	defer func() { _ = bound.DestroyWindow(wnd) }()
	s := socket(t, th, ipv4, spi.SOCK_DGRAM)
	ok(t, th.WSAAsyncSelect(s, wnd, 1234, spi.FD_ROUTING_INTERFACE_CHANGE))
	want(t, ioctl(th, s, spi.SIO_ROUTING_INTERFACE_CHANGE, nil, nil), spi.WSAEFAULT)
	want(t, ioctl(th, s, spi.SIO_ROUTING_INTERFACE_CHANGE, addr("[::1]:0"), nil), spi.WSAEAFNOSUPPORT)
	want(t, ioctl(th, s, spi.SIO_ROUTING_INTERFACE_CHANGE, addr("10.1.2.3:0"), nil), spi.WSAEWOULDBLOCK)

	o := socket(t, th, ipv4, spi.SOCK_STREAM)
	ev := newEvent(t, th)
	ov := &spi.Overlapped{HEvent: ev}
	want(t, ioctl(th, o, spi.SIO_ROUTING_INTERFACE_CHANGE, addr("10.7.7.7:0"), ov), spi.WSA_IO_PENDING)
	addIPv4(t, "lo:1", "10.1.2.1") // brings a route to 10/8
	signalled(t, th, ev)
	var n, flags uint32
	ok(t, th.WSAGetOverlappedResult(o, ov, &n, false, &flags))
	m, err := bound.GetMessage(wnd, uint32(wait.Milliseconds()))
	ok(t, err)
	if m.Message != 1234 || spi.Socket(m.WParam) != s || m.LParam != spi.FD_ROUTING_INTERFACE_CHANGE {
		t.Errorf("message %+v", m)
	}

	// A change that leaves the answer as it is is none.
	want(t, ioctl(th, o, spi.SIO_ROUTING_INTERFACE_CHANGE, addr("127.0.0.1:0"), ov), spi.WSA_IO_PENDING)
	settled(t, th, func() { linkUp(t, "lo:1", false) })
	if !ov.InProgress() {
		t.Error("the route to the loopback interface has changed")
	}
	ok(t, th.CloseSocket(o))
	signalled(t, th, ev)
}

// The operation completes by event, port and wait, once for each call, and is
// cancelled like any other.
func TestOverlappedAddressListChange(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	linkUp(t, "lo", true)
	th := start(t)
	for _, f := range internet {
		t.Run(f.name, func(t *testing.T) {
			change := func(add bool) {
				switch {
				case f.af == spi.AF_INET6:
					changeIPv6(t, "fd00::77", add)
				case add:
					addIPv4(t, "lo:7", "10.9.0.77")
				default:
					linkUp(t, "lo:7", false)
				}
			}
			s := stream(t, th, f)
			ev := newEvent(t, th)
			ov := &spi.Overlapped{HEvent: ev}
			want(t, ioctl(th, s, spi.SIO_ADDRESS_LIST_CHANGE, nil, ov), spi.WSA_IO_PENDING)
			var n, flags uint32
			want(t, th.WSAGetOverlappedResult(s, ov, &n, false, &flags), spi.WSA_IO_INCOMPLETE)
			change(true)
			ok(t, th.WSAGetOverlappedResult(s, ov, &n, true, &flags))
			signalled(t, th, ev)
			addresses(t, th, s, map[int32]string{spi.AF_INET: "10.9.0.77", spi.AF_INET6: "fd00::77"}[f.af], true)

			port, err := th.DLL().CreateIoCompletionPort(0)
			ok(t, err)
			ok(t, th.DLL().AssociateCompletionPort(s, port, 42))
			plain := new(spi.Overlapped)
			want(t, ioctl(th, s, spi.SIO_ADDRESS_LIST_CHANGE, nil, plain), spi.WSA_IO_PENDING)
			change(false)
			packet, err := th.GetQueuedCompletionStatus(port, uint32(wait.Milliseconds()))
			ok(t, err)
			if packet.Key != 42 || packet.Overlapped != plain {
				t.Errorf("packet %+v", packet)
			}
			addresses(t, th, s, map[int32]string{spi.AF_INET: "10.9.0.77", spi.AF_INET6: "fd00::77"}[f.af], false)

			// A blocking call.
			b := socket(t, th, f, spi.SOCK_DGRAM)
			result := waiting(t, func() error { return ioctl(th, b, spi.SIO_ADDRESS_LIST_CHANGE, nil, nil) })
			change(true)
			ok(t, <-result)
			change(false)
			ok(t, th.DLL().CloseCompletionPort(port))
		})
	}
}

// addresses checks whether SIO_ADDRESS_LIST_QUERY tells of an address.
func addresses(t testing.TB, th *ws2.Thread, s spi.Socket, ip string, is bool) {
	t.Helper()
	b := make([]byte, 4096)
	var n uint32
	ok(t, th.WSAIoctl(s, spi.SIO_ADDRESS_LIST_QUERY, nil, b, &n, nil, nil))
	a := netip.MustParseAddr(ip)
	if got := bytes.Contains(b[:n], a.AsSlice()); got != is {
		t.Errorf("the list of addresses has %s: %v, want %v", ip, got, is)
	}
}

// What ends a wait for a change besides a change.
func TestNoticeEnds(t *testing.T) {
	each(t, internet, func(t *testing.T, th *ws2.Thread, f family) {
		for name, request := range map[string]struct {
			code uint32
			in   []byte
		}{
			"addresses": {spi.SIO_ADDRESS_LIST_CHANGE, nil},
			"route":     {spi.SIO_ROUTING_INTERFACE_CHANGE, f.any(t)},
		} {
			t.Run(name, func(t *testing.T) {
				s := stream(t, th, f)
				ev := newEvent(t, th)
				var all [3]spi.Overlapped
				for i := range all {
					all[i].HEvent = ev
					want(t, ioctl(th, s, request.code, request.in, &all[i]), spi.WSA_IO_PENDING)
				}
				ok(t, th.CancelIoEx(s, &all[1]))
				if all[1].InProgress() || !all[0].InProgress() || !all[2].InProgress() {
					t.Error("CancelIoEx has not cancelled the one operation")
				}
				signalled(t, th, ev)
				blocking := socket(t, th, f, spi.SOCK_DGRAM)
				result := waiting(t, func() error { return ioctl(th, blocking, request.code, request.in, nil) })
				ok(t, th.CloseSocket(blocking))
				want(t, <-result, spi.WSAEINTR)

				nonblocking(t, th, s, 1)
				for range 3 { // a request takes the place of the one before
					want(t, ioctl(th, s, request.code, request.in, nil), spi.WSAEWOULDBLOCK)
				}
				ok(t, th.CloseSocket(s))
				signalled(t, th, ev)
				for i := range all {
					if all[i].InProgress() || all[i].OffsetHigh != uint32(spi.WSA_OPERATION_ABORTED) {
						t.Errorf("operation %d: %+v", i, all[i])
					}
				}
			})
		}
	})
	th := start(t)
	u := stream(t, th, path)
	want(t, ioctl(th, u, spi.SIO_ADDRESS_LIST_CHANGE, nil, nil), spi.WSAEOPNOTSUPP)
	s := stream(t, th, ipv4)
	ov := new(spi.Overlapped)
	want(t, ioctl(th, s, spi.SIO_ADDRESS_LIST_CHANGE, nil, ov), spi.WSA_IO_PENDING)
	result := waiting(t, func() error { return ioctl(th, s, spi.SIO_ADDRESS_LIST_CHANGE, nil, nil) })
	ok(t, th.WSACleanup())
	want(t, <-result, spi.WSAEINTR)
	ok(t, th.WSAStartup(spi.Version22, new(ws2.WSAData)))
	if ov.InProgress() {
		t.Error("the cleanup has not aborted the operation")
	}
}

// addressList makes a SOCKET_ADDRESS_LIST with the addresses behind it.
func addressList(addrs ...string) []byte {
	head := 8 + 16*len(addrs)
	b := make([]byte, head, head+28*len(addrs))
	for _, a := range addrs {
		b = append(b, addr(a)...)
	}
	binary.NativeEndian.PutUint32(b, uint32(len(addrs)))
	at := head
	for i, a := range addrs {
		binary.NativeEndian.PutUint64(b[8+16*i:], uint64(uintptr(unsafe.Pointer(&b[at]))))
		binary.NativeEndian.PutUint32(b[16+16*i:], uint32(len(addr(a))))
		at += len(addr(a))
	}
	return b
}

// listed returns the addresses that the elements of a list point to.
func listed(b, memory []byte) (addrs []string) {
	base := uint64(uintptr(unsafe.Pointer(&memory[0])))
	for i := range int(binary.NativeEndian.Uint32(b)) {
		pointer := binary.NativeEndian.Uint64(b[8+16*i:])
		size := binary.NativeEndian.Uint32(b[16+16*i:])
		addrs = append(addrs, spi.AddressString(memory[pointer-base:][:size]))
	}
	return addrs
}

func TestSortAddresses(t *testing.T) {
	th := start(t)
	s := socket(t, th, ipv6, spi.SOCK_DGRAM)
	in := addressList("[2001:db8::1]:1", "[::ffff:127.0.0.1]:2", "[::1]:3", "[::1]:4")
	out := make([]byte, len(in))
	var n uint32
	ok(t, th.WSAIoctl(s, spi.SIO_ADDRESS_LIST_SORT, in, out, &n, nil, nil))
	// ::1 has the highest precedence; equals keep their order. Where there is no
	// IPv6 network, 2001:db8::1 cannot be reached at all.
	got := listed(out[:n], in)
	if len(got) != 4 || got[0] != "[::1]:3" || got[1] != "[::1]:4" {
		t.Errorf("sorted %q", got)
	}
	ok(t, th.WSAIoctl(s, spi.SIO_ADDRESS_LIST_SORT, in, in, &n, nil, nil)) // in place
	if again := listed(in, in); fmt.Sprint(again) != fmt.Sprint(got) {
		t.Errorf("sorted in place %q, apart %q", again, got)
	}

	elsewhere := addr("127.0.0.1:9")
	in = addressList("127.0.0.1:8")
	binary.NativeEndian.PutUint64(in[8:], uint64(uintptr(unsafe.Pointer(&elsewhere[0]))))
	v4 := socket(t, th, ipv4, spi.SOCK_DGRAM)
	err := th.WSAIoctl(v4, spi.SIO_ADDRESS_LIST_SORT, in, out, &n, nil, nil)
	if err != nil && !errors.Is(err, spi.WSAEFAULT) { // where memory cannot be read this way
		t.Error(err)
	}

	for name, bad := range map[string]struct {
		in   []byte
		code spi.Errno
	}{
		"nothing":       {nil, spi.WSAEFAULT},
		"no elements":   {binary.NativeEndian.AppendUint64(nil, 1), spi.WSAEFAULT},
		"very many":     {binary.NativeEndian.AppendUint64(nil, 1<<31), spi.WSAEINVAL},
		"another kind":  {addressList("[::1]:1"), spi.WSAEINVAL},
		"bad pointer":   {binary.NativeEndian.AppendUint64(binary.NativeEndian.AppendUint64(binary.NativeEndian.AppendUint64(nil, 1), 4), 16), spi.WSAEFAULT},
		"past the end":  {pointing(addressList("127.0.0.1:1"), 39), spi.WSAEFAULT},
		"short address": {addressList("127.0.0.1:1")[:40], 0},
	} {
		if bad.code == 0 {
			binary.NativeEndian.PutUint32(bad.in[16:], 8)
			bad.code = spi.WSAEINVAL
		}
		if err := th.WSAIoctl(v4, spi.SIO_ADDRESS_LIST_SORT, bad.in, out, &n, nil, nil); !errors.Is(err, bad.code) {
			t.Errorf("%s: %v, want %v", name, err, bad.code)
		}
	}
	want(t, th.WSAIoctl(v4, spi.SIO_ADDRESS_LIST_SORT, addressList("127.0.0.1:1"), out[:8], &n, nil, nil), spi.WSAEFAULT)
	want(t, th.WSAIoctl(stream(t, th, path), spi.SIO_ADDRESS_LIST_SORT, in, out, &n, nil, nil), spi.WSAEOPNOTSUPP)
}

// pointing makes the first element point to an offset of its own list.
func pointing(b []byte, offset int) []byte {
	binary.NativeEndian.PutUint64(b[8:], uint64(uintptr(unsafe.Pointer(&b[offset]))))
	return b
}
