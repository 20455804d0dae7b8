// Package freeport gives tests ports that nobody else takes and addresses where
// nobody listens, while tests of other packages open and close sockets all the
// time. A port that was free a moment ago is neither.
package freeport

import (
	"fmt"
	"net/netip"
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

var last struct {
	sync.Mutex
	port int // the one that was tried last, 0 at first
}

// Take returns a port that is the test's alone until its end, for a server that
// has to be told where to listen, or to listen again where it has been closed.
// Nobody listens there, by TCP or UDP, at any address; the kernel gives it to
// nobody, where it leaves ports to others at all; and no other caller gets it, of
// whichever process in the network namespace, because Take holds the abstract Unix
// address that is the port's.
func Take(t testing.TB) int {
	t.Helper()
	first, end := outside(kernelRange(t))
	last.Lock()
	defer last.Unlock()
	if last.port < first || last.port >= end {
		last.port = first + os.Getpid()*131%(end-first) // others are rarely in the way
	}
	for range end - first {
		if last.port++; last.port >= end {
			last.port = first
		}
		hold, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal("freeport: ", err)
		}
		err = unix.Bind(hold, &unix.SockaddrUnix{Name: fmt.Sprintf("@upcall-test-port-%d", last.port)})
		if err == nil && isFree(last.port) {
			t.Cleanup(func() { _ = unix.Close(hold) })
			return last.port
		}
		_ = unix.Close(hold)
	}
	t.Fatalf("freeport: all ports from %d to %d are in use", first, end-1)
	return 0
}

// kernelRange returns the first and the last port of those that the kernel
// chooses from.
func kernelRange(t testing.TB) (low, high int) {
	t.Helper()
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err == nil {
		_, err = fmt.Sscan(string(text), &low, &high)
	}
	if err != nil {
		t.Fatal("freeport: ", err)
	}
	return low, high
}

// outside returns ports that the kernel does not choose: below its range and above
// most services' well-known ones, or above its range. Where there is no room, the
// kernel may take a port between two uses of it.
func outside(low, high int) (first, end int) {
	const enough, wellKnown = 2_000, 10_000
	switch {
	case low >= 30_000:
		return 20_000, 30_000
	case low >= wellKnown+enough:
		return wellKnown, low
	case high < 65_536-enough:
		return high + 1, 65_536
	}
	return 20_000, 30_000
}

// isFree tells whether sockets can be bound to the port at every address, of
// IPv6 and IPv4 where the machine has both.
func isFree(port int) bool {
	for _, typ := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM} {
		for _, name := range []unix.Sockaddr{&unix.SockaddrInet4{Port: port}, &unix.SockaddrInet6{Port: port}} {
			s, err := bound(name, typ)
			if err == unix.EAFNOSUPPORT || err == unix.EADDRNOTAVAIL {
				continue // no IPv6 here
			}
			if err != nil {
				return false
			}
			_ = unix.Close(s)
		}
	}
	return true
}

func bound(name unix.Sockaddr, typ int) (int, error) {
	family := unix.AF_INET
	if _, six := name.(*unix.SockaddrInet6); six {
		family = unix.AF_INET6
	}
	s, err := unix.Socket(family, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.Bind(s, name); err != nil {
		_ = unix.Close(s)
		return -1, err
	}
	return s, nil
}

// Refused returns an address of the host, an IP address, where TCP connections
// are refused until the test ends: a socket is bound to it, and does not listen.
// The test is skipped where the machine has no such address.
func Refused(t testing.TB, host string) netip.AddrPort {
	t.Helper()
	_, at := occupied(t, host, unix.SOCK_STREAM)
	return at
}

// RefusedDatagrams returns an address of the host to which UDP datagrams come in
// vain until the test ends, so that their senders are told: a socket is bound to
// it, and is connected to itself. The test is skipped where the machine has no
// such address.
func RefusedDatagrams(t testing.TB, host string) netip.AddrPort {
	t.Helper()
	s, at := occupied(t, host, unix.SOCK_DGRAM)
	own, err := unix.Getsockname(s)
	if err == nil {
		err = unix.Connect(s, own)
	}
	if err != nil {
		t.Fatal("freeport: ", err)
	}
	return at
}

// occupied returns a socket that is bound to a port of the host until the test
// ends, and its address.
func occupied(t testing.TB, host string, typ int) (int, netip.AddrPort) {
	t.Helper()
	ip := netip.MustParseAddr(host)
	var name unix.Sockaddr
	if ip.Is4() {
		name = &unix.SockaddrInet4{Addr: ip.As4()}
	} else {
		name = &unix.SockaddrInet6{Addr: ip.As16()}
	}
	s, err := bound(name, typ)
	if err != nil {
		t.Skipf("no address %s here: %v", host, err)
	}
	t.Cleanup(func() { _ = unix.Close(s) })
	own, err := unix.Getsockname(s)
	if err != nil {
		t.Fatal("freeport: ", err)
	}
	switch own := own.(type) {
	case *unix.SockaddrInet4:
		return s, netip.AddrPortFrom(ip, uint16(own.Port))
	case *unix.SockaddrInet6:
		return s, netip.AddrPortFrom(ip, uint16(own.Port))
	}
	t.Fatalf("freeport: %s has a name of type %T", host, own)
	return -1, netip.AddrPort{}
}
