package wsnet_test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"upcall.dev/wsnet"
)

var datagrams = []string{"udp4", "udp6"}

func (c combo) packet(t *testing.T, s *wsnet.Stack) *wsnet.PacketConn {
	t.Helper()
	conn, err := s.ListenPacket(c.network, c.address(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*wsnet.PacketConn)
}

func TestPacketRoundTrip(t *testing.T) {
	each(t, datagrams, func(t *testing.T, c combo, s *wsnet.Stack) {
		a, b := c.packet(t, s), c.packet(t, s)
		for _, size := range []int{1, 0, 1000} {
			msg := []byte(strings.Repeat("m", size))
			if n, err := a.WriteTo(msg, b.LocalAddr()); n != size || err != nil {
				t.Fatalf("WriteTo: %d, %v", n, err)
			}
			buf := make([]byte, 2000)
			n, from, err := b.ReadFrom(buf)
			if err != nil || string(buf[:n]) != string(msg) {
				t.Fatalf("ReadFrom: %d bytes, %v; want %d", n, err, size)
			}
			if from.String() != a.LocalAddr().String() {
				t.Errorf("from %v; want %v", from, a.LocalAddr())
			}
		}
		// A datagram is never joined with another, and what does not fit is lost.
		for _, msg := range []string{"longer than the buffer", "next"} {
			if _, err := a.WriteTo([]byte(msg), b.LocalAddr()); err != nil {
				t.Fatal(err)
			}
		}
		buf := make([]byte, 4)
		for _, want := range []string{"long", "next"} {
			if n, _, err := b.ReadFrom(buf); err != nil || string(buf[:n]) != want {
				t.Errorf("read %q, %v; want %q", buf[:n], err, want)
			}
		}
	})
}

func TestPacketDial(t *testing.T) {
	each(t, datagrams, func(t *testing.T, c combo, s *wsnet.Stack) {
		server := c.packet(t, s)
		conn, err := s.Dial(c.network, server.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if conn.RemoteAddr().String() != server.LocalAddr().String() {
			t.Errorf("the peer is %v; want %v", conn.RemoteAddr(), server.LocalAddr())
		}
		if _, err := conn.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 10)
		n, from, err := server.ReadFrom(buf)
		if err != nil || string(buf[:n]) != "ping" {
			t.Fatalf("server read %q, %v", buf[:n], err)
		}
		if _, err := server.WriteTo([]byte("pong"), from); err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(buf); err != nil || string(buf[:n]) != "pong" {
			t.Fatalf("client read %q, %v", buf[:n], err)
		}
		if _, err := conn.(net.PacketConn).WriteTo([]byte("x"), from); !errors.Is(err, net.ErrWriteToConnected) {
			t.Errorf("WriteTo when connected: %v", err)
		}
		if _, err := server.Write([]byte("x")); err == nil {
			t.Error("Write without a peer succeeded")
		}
	})
}

func TestPacketDeadlineAndClose(t *testing.T) {
	each(t, datagrams, func(t *testing.T, c combo, s *wsnet.Stack) {
		conn := c.packet(t, s)
		for _, deadline := range []time.Time{longAgo, time.Now().Add(10 * time.Millisecond)} {
			conn.SetDeadline(deadline)
			if _, _, err := conn.ReadFrom(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("ReadFrom: %v; want a timeout", err)
			}
		}
		if _, err := conn.WriteTo([]byte("x"), conn.LocalAddr()); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("WriteTo: %v; want a timeout", err)
		}
		conn.SetDeadline(time.Time{})
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if _, _, err := conn.ReadFrom(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
					t.Errorf("ReadFrom: %v; want net.ErrClosed", err)
				}
			})
		}
		time.Sleep(time.Millisecond)
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if _, err := conn.WriteToUDPAddrPort([]byte("x"), netip.MustParseAddrPort("127.0.0.1:9")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write after Close: %v", err)
		}
	})
}

func TestPacketWrongAddress(t *testing.T) {
	each(t, []string{"udp4"}, func(t *testing.T, c combo, s *wsnet.Stack) {
		conn := c.packet(t, s)
		for _, addr := range []net.Addr{nil, (*net.UDPAddr)(nil), &net.UnixAddr{Name: "x"}, &net.UDPAddr{IP: net.IPv6loopback, Port: 9}} {
			if n, err := conn.WriteTo([]byte("x"), addr); err == nil {
				t.Errorf("WriteTo(%T %v): %d bytes and no error", addr, addr, n)
			}
		}
	})
}
