package socks_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"upcall.dev/layer/names"
)

// proxyAddress is where the proxy of TestNothingLeaks listens; it is alone there.
var proxyAddress = netip.AddrFrom4([4]byte{127, 0, 0, 2})

// In a network namespace where every packet to anywhere arrives at the one
// interface, and is captured there, a client looks names up, connects and sends
// datagrams, by name and by address. No packet is to or from anybody but the
// proxy.
func TestNothingLeaks(t *testing.T) {
	if os.Getenv("UPCALL_LEAK") == "" {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestNothingLeaks$", "-test.v")
		cmd.Env = append(os.Environ(), "UPCALL_LEAK=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
			Pdeathsig:   syscall.SIGKILL,
		}
		out, err := cmd.CombinedOutput()
		switch {
		case err != nil && len(out) == 0:
			t.Skip("no namespaces: ", err)
		case err != nil:
			t.Fatalf("%v\n%s", err, out)
		case strings.Contains(string(out), "--- SKIP"):
			t.Skipf("%s", out)
		}
		return
	}
	for _, args := range [][]string{{"link", "set", "lo", "up"}, {"route", "add", "default", "dev", "lo"}, {"-6", "route", "add", "default", "dev", "lo"}} {
		ip := exec.Command("ip", args...)
		ip.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
		if out, err := ip.CombinedOutput(); err != nil && args[0] != "-6" {
			t.Skipf("ip %v: %v %s", args, err, out)
		}
	}
	packets := capture(t)
	proxy := fullProxy(t)

	stack := open(t, "kernel", socks("proxy="+proxy))
	r := resolver(stack)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d := stack.Dialer()
	for _, network := range []string{"ip4", "ip6"} {
		addrs, err := r.LookupNetIP(ctx, network, "leak.example.")
		if err != nil {
			t.Fatal(err)
		}
		c, err := d.DialContext(ctx, "tcp", netip.AddrPortFrom(addrs[0], 443).String())
		if err != nil {
			t.Fatal(err)
		}
		talk(t, c)
		c.Close()
	}
	if _, err := r.LookupMX(ctx, "leak.example."); err == nil {
		t.Error("there are mail servers")
	}
	c, err := d.DialContext(ctx, "tcp", "203.0.113.1:80")
	if err != nil {
		t.Fatal(err)
	}
	talk(t, c)
	c.Close()
	if _, err := d.DialContext(ctx, "tcp", "203.0.113.53:53"); err == nil {
		t.Error("a query by TCP has been let out")
	}
	assigned, err := names.Default.Assign("leak.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"203.0.113.1:123", netip.AddrPortFrom(assigned, 123).String(), "8.8.8.8:443"} {
		pc, err := stack.ListenPacket("udp", "0.0.0.0:0")
		if err != nil {
			t.Fatal(err)
		}
		at := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to))
		if from := exchange(t, pc, at, 50); from.String() != to {
			t.Errorf("what went to %s came from %v", to, from)
		}
		pc.Close()
	}

	// The capture works: it sees what does not go through the layer.
	probe, err := net.Dial("udp", "203.0.113.77:9")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(probe, "seen")
	probe.Close()
	seen := 0
	for p := range packets {
		if p.dst == netip.MustParseAddr("203.0.113.77") {
			if seen == 0 {
				t.Error("nothing else was seen")
			}
			return
		}
		seen++
		if p.src != proxyAddress && p.dst != proxyAddress {
			t.Errorf("a packet from %v to %v, protocol %d", p.src, p.dst, p.protocol)
		}
	}
	t.Error("the capture has ended early")
}

type packet struct {
	src, dst netip.Addr
	protocol byte
}

// capture yields the packets of IPv4 and IPv6 on loopback from now on. What the
// kernel says by itself over IPv6 (neighbours, multicast listeners) is left out.
func capture(t *testing.T) func(yield func(packet) bool) {
	all := int(binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL}))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, all)
	if err != nil {
		t.Skip("no capture: ", err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5})
	return func(yield func(packet) bool) {
		b := make([]byte, 70_000)
		for {
			n, _, err := unix.Recvfrom(fd, b, 0)
			if err != nil {
				return
			}
			var p packet
			switch {
			case n >= 20 && b[0]>>4 == 4:
				p = packet{netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])), b[9]}
			case n >= 40 && b[0]>>4 == 6:
				p = packet{netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40])), b[6]}
				if p.protocol == unix.IPPROTO_ICMPV6 || p.protocol == 0 {
					continue
				}
			default:
				continue
			}
			if !yield(p) {
				return
			}
		}
	}
}

// fullProxy is a SOCKS5 proxy that is the other end of everything itself: it
// sends back what it gets, streams and datagrams.
func fullProxy(t *testing.T) string {
	l, err := net.Listen("tcp", netip.AddrPortFrom(proxyAddress, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, func(c net.Conn) {
		b := make([]byte, 600)
		n, err := c.Read(b)
		if err != nil || n < 3 {
			return
		}
		_, _ = c.Write([]byte{5, 0})
		rest := b[3:n]
		if len(rest) == 0 {
			if n, err = c.Read(b); err != nil {
				return
			}
			rest = b[:n]
		}
		if len(rest) < 10 {
			return
		}
		if rest[1] == 1 {
			if rest[3] == 1 && rest[8] == 0 && rest[9] == 0 {
				_, _ = c.Write([]byte{5, 1, 0, 1, 0, 0, 0, 0, 0, 0})
				return
			}
			_, _ = c.Write(granted)
			_, _ = io.Copy(c, c)
			return
		}
		u, err := net.ListenPacket("udp", netip.AddrPortFrom(proxyAddress, 0).String())
		if err != nil {
			return
		}
		port := u.LocalAddr().(*net.UDPAddr).Port
		done := make(chan struct{})
		go func() {
			defer close(done)
			d := make([]byte, 70_000)
			for {
				n, from, err := u.ReadFrom(d)
				if err != nil {
					return
				}
				answer := d[:n]
				if n > 5 && d[3] == 3 { // by name: from the address that it has
					length := 5 + int(d[4])
					answer = append([]byte{0, 0, 0, 1, 203, 0, 113, 5}, d[length:n]...)
				}
				_, _ = u.WriteTo(answer, from)
			}
		}()
		_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, byte(port >> 8), byte(port)})
		_, _ = io.Copy(io.Discard, c)
		u.Close()
		<-done
	})
	return l.Addr().String()
}
