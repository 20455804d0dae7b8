//go:build linux

package kernel_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"upcall.dev/catalog"
	_ "upcall.dev/provider/kernel"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

func TestMain(m *testing.M) {
	// The runtime's own poller keeps its descriptors; make it before counting.
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	r.Close()
	w.Close()
	goleak.VerifyTestMain(m)
}

// start returns the shared thread of a started DLL whose providers are this
// one. When the test ends no descriptor may be left open.
func start(t testing.TB) *ws2.Thread {
	t.Helper()
	return startCatalog(t, catalog.Default())
}

func startCatalog(t testing.TB, c *catalog.Catalog) *ws2.Thread {
	t.Helper()
	before := descriptors(t)
	d := ws2.New(ws2.Config{Catalog: c, Log: func(m string) { t.Error(m) }})
	th := d.Unbound()
	ok(t, th.WSAStartup(spi.Version22, new(ws2.WSAData)))
	t.Cleanup(func() {
		ok(t, th.WSACleanup())
		if after := descriptors(t); len(after) > len(before) {
			t.Errorf("descriptors left open: %v, at first there were %v", after, before)
		}
	})
	return th
}

// descriptors lists what /proc/self/fd has.
func descriptors(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	ok(t, err)
	var list []string
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			list = append(list, e.Name()+"="+target)
		}
	}
	return list
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t testing.TB, err error, code spi.Errno) {
	t.Helper()
	if code == 0 && err == nil {
		return
	}
	if !errors.Is(err, code) || err == nil {
		t.Errorf("error %v, want %v", err, code)
	}
}

// family is one of the three address families that tests run over.
type family struct {
	name string
	af   int32
	any  func(t testing.TB) []byte // a new local address to bind to
}

var unixCount int

var (
	ipv4 = family{"ipv4", spi.AF_INET, func(testing.TB) []byte { return addr("127.0.0.1:0") }}
	ipv6 = family{"ipv6", spi.AF_INET6, func(testing.TB) []byte { return addr("[::1]:0") }}
	path = family{"unix", spi.AF_UNIX, func(t testing.TB) []byte {
		unixCount++
		name, fits := spi.SockaddrUnix(filepath.Join(t.TempDir(), fmt.Sprint("s", unixCount)))
		if !fits {
			name, _ = spi.SockaddrUnix(fmt.Sprintf("@upcall-test-%d-%d", os.Getpid(), unixCount))
		}
		return name
	}}
)

func addr(s string) []byte { return spi.SockaddrFrom(netip.MustParseAddrPort(s)) }

// each runs a test over several families.
func each(t *testing.T, families []family, test func(t *testing.T, th *ws2.Thread, f family)) {
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) { test(t, start(t), f) })
	}
}

var (
	streams   = []family{ipv4, ipv6, path}
	internet  = []family{ipv4, ipv6}
	datagrams = internet
)

func socket(t testing.TB, th *ws2.Thread, f family, typ int32) spi.Socket {
	t.Helper()
	s, err := th.Socket(f.af, typ, 0)
	ok(t, err)
	return s
}

func stream(t testing.TB, th *ws2.Thread, f family) spi.Socket {
	t.Helper()
	return socket(t, th, f, spi.SOCK_STREAM)
}

// udp returns a bound datagram socket and its address.
func udp(t testing.TB, th *ws2.Thread, f family) (spi.Socket, []byte) {
	t.Helper()
	s := socket(t, th, f, spi.SOCK_DGRAM)
	ok(t, th.Bind(s, f.any(t)))
	return s, sockName(t, th, s)
}

// listen returns a listening socket and its address.
func listen(t testing.TB, th *ws2.Thread, f family) (spi.Socket, []byte) {
	t.Helper()
	l := stream(t, th, f)
	ok(t, th.Bind(l, f.any(t)))
	ok(t, th.Listen(l, 16))
	return l, sockName(t, th, l)
}

// silent returns a bound socket that does not listen, and its address, where
// nobody else can listen.
func silent(t testing.TB, th *ws2.Thread, f family) (spi.Socket, []byte) {
	t.Helper()
	s := stream(t, th, f)
	ok(t, th.Bind(s, f.any(t)))
	return s, sockName(t, th, s)
}

// pair returns two connected stream sockets, the second accepted.
func pair(t testing.TB, th *ws2.Thread, f family) (spi.Socket, spi.Socket) {
	t.Helper()
	l, name := listen(t, th, f)
	defer th.CloseSocket(l)
	c := stream(t, th, f)
	ok(t, th.Connect(c, name))
	a, err := th.Accept(l, nil, nil)
	ok(t, err)
	return c, a
}

func sockName(t testing.TB, th *ws2.Thread, s spi.Socket) []byte {
	t.Helper()
	name := make([]byte, spi.SizeofSockaddrStorage)
	n := int32(len(name))
	ok(t, th.GetSockName(s, name, &n))
	return name[:n]
}

func send(t testing.TB, th *ws2.Thread, s spi.Socket, text string) {
	t.Helper()
	n, err := th.Send(s, []byte(text), 0)
	ok(t, err)
	if n != len(text) {
		t.Fatalf("sent %d of %d bytes", n, len(text))
	}
}

// receive receives text from a blocking stream.
func receive(t testing.TB, th *ws2.Thread, s spi.Socket, text string) {
	t.Helper()
	b := make([]byte, len(text))
	for got := 0; got < len(b); {
		n, err := th.Recv(s, b[got:], 0)
		ok(t, err)
		if n == 0 {
			t.Fatalf("the stream ended after %q, want %q", b[:got], text)
		}
		got += n
	}
	if string(b) != text {
		t.Fatalf("received %q, want %q", b, text)
	}
}

// nonblocking is FIONBIO.
func nonblocking(t testing.TB, th *ws2.Thread, s spi.Socket, on uint32) {
	t.Helper()
	ok(t, th.IoctlSocket(s, spi.FIONBIO, &on))
}

func setInt(t testing.TB, th *ws2.Thread, s spi.Socket, level, name int32, v uint32) {
	t.Helper()
	ok(t, th.SetSockOpt(s, level, name, binary.NativeEndian.AppendUint32(nil, v)))
}

func getInt(t testing.TB, th *ws2.Thread, s spi.Socket, level, name int32) uint32 {
	t.Helper()
	var b [4]byte
	n := int32(4)
	ok(t, th.GetSockOpt(s, level, name, b[:], &n))
	return binary.NativeEndian.Uint32(b[:])
}

func setLinger(t testing.TB, th *ws2.Thread, s spi.Socket, l spi.Linger) {
	t.Helper()
	ok(t, th.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_LINGER, unsafe.Slice((*byte)(unsafe.Pointer(&l)), unsafe.Sizeof(l))))
}

// wait is how long a test waits for what must come.
const wait = time.Minute

// ready waits until s is in the given set of a select: r, w or e.
func ready(t testing.TB, th *ws2.Thread, s spi.Socket, set byte) {
	t.Helper()
	sets := map[byte]*spi.FDSet{set: spi.NewFDSet(s)}
	n, err := th.Select(sets['r'], sets['w'], sets['e'], &spi.Timeval{Sec: int32(wait / time.Second)})
	ok(t, err)
	if n != 1 {
		t.Fatalf("select found %d in the set %c", n, set)
	}
}

// isOpen reports whether a descriptor is open.
func isOpen(s spi.Socket) bool {
	_, err := unix.FcntlInt(uintptr(s), unix.F_GETFD, 0)
	return err == nil
}

// blocked waits until a call made by another goroutine waits in poll(2).
func blocked(t testing.TB, inPoll func() bool) {
	t.Helper()
	for deadline := time.Now().Add(wait); !inPoll(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the call does not wait")
		}
	}
}

// threadsPolling counts this process's threads that are in poll(2), threadsReceiving
// those in recvfrom(2).
func threadsPolling() int {
	const poll = 7 // of amd64; arm64 has ppoll only
	return threadsIn(func(number int) bool { return number == unix.SYS_PPOLL || runtime.GOARCH == "amd64" && number == poll })
}

func threadsReceiving() int {
	return threadsIn(func(number int) bool { return number == unix.SYS_RECVFROM })
}

func threadsIn(call func(number int) bool) int {
	tasks, _ := os.ReadDir("/proc/self/task")
	count := 0
	for _, task := range tasks {
		if text, err := os.ReadFile("/proc/self/task/" + task.Name() + "/syscall"); err == nil {
			var number int
			if _, err := fmt.Sscan(string(text), &number); err == nil && call(number) {
				count++
			}
		}
	}
	return count
}

// waiting starts f, waits until it blocks, and returns where its result comes.
func waiting[T any](t testing.TB, f func() T) <-chan T {
	t.Helper()
	return waitingIn(t, threadsPolling, f)
}

// waitingIn is waiting for a system call, whose threads count counts.
func waitingIn[T any](t testing.TB, count func() int, f func() T) <-chan T {
	t.Helper()
	before := count()
	result := make(chan T, 1)
	go func() { result <- f() }()
	blocked(t, func() bool { return count() > before })
	return result
}
