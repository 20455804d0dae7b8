//go:build linux

package kernel_test

import (
	"encoding/binary"
	"errors"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

func control(th *ws2.Thread, s spi.Socket, code uint32, in, out []byte) (int, error) {
	var n uint32
	err := th.WSAIoctl(s, code, in, out, &n, nil, nil)
	return int(n), err
}

func TestIoctls(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		c, a := pair(t, th, f)
		send(t, th, c, "12345")
		ready(t, th, a, 'r')
		var count uint32
		ok(t, th.IoctlSocket(a, spi.FIONREAD, &count))
		if count != 5 {
			t.Errorf("FIONREAD is %d", count)
		}
		b := make([]byte, 8)
		n, err := control(th, a, spi.SIO_BASE_HANDLE, nil, b)
		ok(t, err)
		if n != 8 || spi.Socket(binary.NativeEndian.Uint64(b)) != a {
			t.Errorf("SIO_BASE_HANDLE is %v, want %v", b[:n], a)
		}
		_, err = control(th, a, spi.SIO_BASE_HANDLE, nil, b[:7])
		want(t, err, spi.WSAEFAULT)
		_, err = control(th, a, spi.FIONBIO, b[:3], nil)
		want(t, err, spi.WSAEFAULT)
		for _, code := range []uint32{spi.FIOASYNC, spi.SIO_FLUSH, spi.SIO_GET_QOS, spi.SIO_SET_QOS, spi.SIO_FIND_ROUTE, spi.SIO_ENABLE_CIRCULAR_QUEUEING, spi.SIO_UDP_CONNRESET, 0xdeadbeef} {
			_, err = control(th, a, code, b, b)
			want(t, err, spi.WSAEOPNOTSUPP)
		}
	})
}

func TestKeepAliveValues(t *testing.T) {
	each(t, internet, func(t *testing.T, th *ws2.Thread, f family) {
		s := stream(t, th, f)
		values := make([]byte, 12)
		binary.NativeEndian.PutUint32(values, 1)
		binary.NativeEndian.PutUint32(values[4:], 30_000)
		binary.NativeEndian.PutUint32(values[8:], 1_500)
		_, err := control(th, s, spi.SIO_KEEPALIVE_VALS, values, nil)
		ok(t, err)
		on, _ := unix.GetsockoptInt(int(s), unix.SOL_SOCKET, unix.SO_KEEPALIVE)
		idle, _ := unix.GetsockoptInt(int(s), unix.IPPROTO_TCP, unix.TCP_KEEPIDLE)
		interval, _ := unix.GetsockoptInt(int(s), unix.IPPROTO_TCP, unix.TCP_KEEPINTVL)
		if on != 1 || idle != 30 || interval != 2 {
			t.Errorf("the kernel has %d, %d s, %d s", on, idle, interval)
		}
		_, err = control(th, s, spi.SIO_KEEPALIVE_VALS, values[:11], nil)
		want(t, err, spi.WSAEFAULT)
	})
}

func TestAddressQueries(t *testing.T) {
	each(t, datagrams, func(t *testing.T, th *ws2.Thread, f family) {
		s := socket(t, th, f, spi.SOCK_DGRAM)
		loopback := f.any(t)

		need, err := control(th, s, spi.SIO_ADDRESS_LIST_QUERY, nil, nil)
		want(t, err, spi.WSAEFAULT)
		b := make([]byte, need)
		n, err := control(th, s, spi.SIO_ADDRESS_LIST_QUERY, nil, b)
		ok(t, err)
		found := false
		for i := range int(binary.NativeEndian.Uint32(b)) {
			head := b[8+16*i:]
			at := uintptr(binary.NativeEndian.Uint64(head)) - uintptr(unsafe.Pointer(&b[0]))
			name := b[at : at+uintptr(binary.NativeEndian.Uint32(head[8:]))]
			found = found || spi.AddressString(name) == spi.AddressString(loopback)
		}
		if n != need || !found {
			t.Errorf("the list of %d bytes (%d needed) has no %s", n, need, spi.AddressString(loopback))
		}

		out := make([]byte, 28)
		n, err = control(th, s, spi.SIO_ROUTING_INTERFACE_QUERY, loopback, out)
		ok(t, err)
		if got := spi.AddressString(out[:n]); got != spi.AddressString(loopback) {
			t.Errorf("to reach %s one sends from %s", spi.AddressString(loopback), got)
		}
		n, err = control(th, s, spi.SIO_GET_BROADCAST_ADDRESS, nil, out)
		if f.af == spi.AF_INET6 {
			want(t, err, spi.WSAEOPNOTSUPP)
		} else if got := spi.AddressString(out[:n]); err != nil || got != "255.255.255.255:0" {
			t.Errorf("the broadcast address is %s, %v", got, err)
		}
	})
}

// A datagram that found no one: connected sockets are told, others when they
// ask for it.
func TestPortUnreachable(t *testing.T) {
	each(t, datagrams, func(t *testing.T, th *ws2.Thread, f family) {
		deaf, name := udp(t, th, f)
		ok(t, th.Connect(deaf, name)) // it gets nothing but what it sends itself

		t.Run("connected", func(t *testing.T) {
			s := socket(t, th, f, spi.SOCK_DGRAM)
			ok(t, th.Connect(s, name))
			send(t, th, s, "x")
			send(t, th, s, "y") // an earlier error stops no sending
			ready(t, th, s, 'r')
			_, err := th.Recv(s, make([]byte, 1), 0)
			want(t, err, spi.WSAECONNRESET)
		})
		t.Run("asked", func(t *testing.T) {
			s, _ := udp(t, th, f)
			_, err := control(th, s, spi.SIO_UDP_CONNRESET, []byte{1, 0, 0, 0}, nil)
			ok(t, err)
			_, err = th.SendTo(s, []byte("x"), 0, name)
			ok(t, err)
			ready(t, th, s, 'r')
			_, err = th.Recv(s, make([]byte, 1), 0)
			want(t, err, spi.WSAECONNRESET)
			setInt(t, th, s, spi.SOL_SOCKET, spi.SO_RCVTIMEO, 20)
			_, err = th.Recv(s, make([]byte, 1), 0)
			want(t, err, spi.WSAETIMEDOUT)
		})
		t.Run("not wanted", func(t *testing.T) {
			s := socket(t, th, f, spi.SOCK_DGRAM)
			ok(t, th.Connect(s, name))
			_, err := control(th, s, spi.SIO_UDP_CONNRESET, make([]byte, 4), nil)
			ok(t, err)
			send(t, th, s, "x")
			setInt(t, th, s, spi.SOL_SOCKET, spi.SO_RCVTIMEO, 20)
			_, err = th.Recv(s, make([]byte, 1), 0)
			want(t, err, spi.WSAETIMEDOUT)
		})
	})
}

func TestDatagrams(t *testing.T) {
	each(t, datagrams, func(t *testing.T, th *ws2.Thread, f family) {
		r, name := udp(t, th, f)
		s := socket(t, th, f, spi.SOCK_DGRAM)
		_, err := th.SendTo(s, []byte("first"), 0, name)
		ok(t, err)
		b, from := make([]byte, 16), make([]byte, 28)
		n := int32(len(from))
		got, err := th.RecvFrom(r, b, 0, from, &n)
		ok(t, err)
		if string(b[:got]) != "first" || binary.BigEndian.Uint16(from[2:]) != binary.BigEndian.Uint16(sockName(t, th, s)[2:]) {
			t.Errorf("received %q from %s", b[:got], spi.AddressString(from[:n]))
		}
		short := int32(15)
		_, err = th.RecvFrom(r, b, 0, from[:15], &short)
		want(t, err, spi.WSAEFAULT)

		// An empty datagram is one.
		_, err = th.SendTo(s, nil, 0, name)
		ok(t, err)
		got, err = th.Recv(r, b, 0)
		if got != 0 || err != nil {
			t.Errorf("an empty datagram gives %d, %v", got, err)
		}

		// The default peer, and its end.
		ok(t, th.Connect(s, name))
		send(t, th, s, "peer")
		receive(t, th, r, "peer")
		zero := make([]byte, len(name))
		copy(zero, name[:2])
		ok(t, th.Connect(s, zero))
		_, err = th.Send(s, []byte("x"), 0)
		want(t, err, spi.WSAENOTCONN)
		_, err = th.SendTo(s, []byte("x"), 0, nil)
		want(t, err, spi.WSAEDESTADDRREQ)
		_, err = th.SendTo(s, []byte("x"), 0, zero)
		want(t, err, spi.WSAEADDRNOTAVAIL)
		other := addr("127.0.0.1:9")
		if f.af == spi.AF_INET {
			other = addr("[::1]:9")
		}
		_, err = th.SendTo(s, []byte("x"), 0, other)
		want(t, err, spi.WSAEAFNOSUPPORT)
		_, err = th.Send(s, []byte("x"), spi.MSG_OOB)
		want(t, err, spi.WSAEOPNOTSUPP)

		receiving := waiting(t, func() error { _, err := th.Recv(r, b, 0); return err })
		ok(t, th.Shutdown(s, spi.SD_SEND))
		_, err = th.SendTo(s, []byte("x"), 0, name)
		want(t, err, spi.WSAESHUTDOWN)
		ok(t, th.CloseSocket(r))
		want(t, <-receiving, spi.WSAEINTR)
		if _, err := th.Recv(r, b, 0); !errors.Is(err, spi.WSAENOTSOCK) {
			t.Errorf("after the close: %v", err)
		}
	})
}

func TestRefusedByName(t *testing.T) {
	th := start(t)
	s := stream(t, th, ipv4)
	_, err := th.WSAJoinLeaf(s, addr("127.0.0.1:9"), nil, nil, nil, nil, 0)
	want(t, err, spi.WSAEOPNOTSUPP)
	name := spi.NewBuf([]byte("gold"))
	want(t, th.WSAGetQOSByName(s, &name, new(spi.QOS)), spi.WSAEINVAL)
	_, listening := listen(t, th, ipv4)
	data := spi.NewBuf([]byte("data"))
	want(t, th.WSAConnect(s, listening, &data, nil, nil, nil), spi.WSAEPROTONOSUPPORT)
	want(t, th.WSAConnect(s, listening, nil, nil, new(spi.QOS), nil), spi.WSAEOPNOTSUPP)
	callee := data
	ok(t, th.WSAConnect(s, listening, nil, &callee, nil, nil))
	if callee.Len != 0 {
		t.Error("there is callee data")
	}
	want(t, th.WSARecvDisconnect(s, &data), spi.WSAENOPROTOOPT)
	for _, flags := range []uint32{spi.WSA_FLAG_MULTIPOINT_C_ROOT, 0x40, 1 << 20} {
		_, err = th.WSASocket(spi.AF_INET, spi.SOCK_DGRAM, 0, nil, 0, flags)
		want(t, err, spi.WSAEINVAL)
	}
	_, err = th.WSASocket(spi.AF_INET, spi.SOCK_DGRAM, 0, nil, 0, spi.WSA_FLAG_REGISTERED_IO)
	want(t, err, spi.WSAEOPNOTSUPP)
}
