//go:build linux

package kernel_test

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// acceptRoom is the room for one address that AcceptEx asks for.
const acceptRoom = spi.SizeofSockaddrUn + 16

// startAcceptEx starts an AcceptEx that has to wait.
func startAcceptEx(t testing.TB, th *ws2.Thread, l, s spi.Socket, receive uint32, ov *spi.Overlapped) []byte {
	t.Helper()
	out := make([]byte, receive+2*acceptRoom)
	var n uint32
	want(t, th.AcceptEx(l, s, out, receive, acceptRoom, acceptRoom, &n, ov), spi.WSA_IO_PENDING)
	return out
}

// client returns a socket that is connected to name.
func client(t testing.TB, th *ws2.Thread, f family, name []byte) spi.Socket {
	t.Helper()
	c := stream(t, th, f)
	ok(t, th.Connect(c, name))
	return c
}

func handleBytes(s spi.Socket) []byte { return binary.NativeEndian.AppendUint64(nil, uint64(s)) }

func TestAcceptEx(t *testing.T) {
	eachIndicated(t, streams, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		l, name := listen(t, th, f)
		ov := by.begin(t, th, l)
		s := stream(t, th, f)
		out := startAcceptEx(t, th, l, s, 0, ov)
		c := client(t, th, f, name)
		if n, err := by.end(t, th, l, ov); n != 0 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		local, remote, err := th.GetAcceptExSockaddrs(l, out, 0, acceptRoom, acceptRoom)
		ok(t, err)
		if got := spi.AddressString(local); got != spi.AddressString(name) {
			t.Errorf("local address %s, want %s", got, spi.AddressString(name))
		}
		if f.af != spi.AF_UNIX && spi.AddressString(remote) != spi.AddressString(sockName(t, th, c)) {
			t.Errorf("remote address %s", spi.AddressString(remote))
		}
		ok(t, th.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_UPDATE_ACCEPT_CONTEXT, handleBytes(l)))
		if seconds := getInt(t, th, s, spi.SOL_SOCKET, spi.SO_CONNECT_TIME); seconds > 60 {
			t.Errorf("connected for %d s", seconds)
		}
		send(t, th, c, "there")
		receive(t, th, s, "there")
		send(t, th, s, "and back")
		receive(t, th, c, "and back")
		if _, err := unix.Getpeername(int(s)); err != nil {
			t.Errorf("the descriptor itself: %v", err)
		}
		if flags, _ := unix.FcntlInt(uintptr(s), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 {
			t.Error("the descriptor would be inherited")
		}
	})
}

// With room for data AcceptEx completes when there is some.
func TestAcceptExReceives(t *testing.T) {
	eachIndicated(t, streams, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		l, name := listen(t, th, f)
		for _, sendFirst := range []bool{true, false} {
			ov := by.begin(t, th, l)
			s := stream(t, th, f)
			var out []byte
			var c spi.Socket
			if sendFirst {
				c = client(t, th, f, name)
				send(t, th, c, "request")
				ready(t, th, l, 'r')
			}
			out = startAcceptEx(t, th, l, s, 100, ov)
			if !sendFirst {
				c = client(t, th, f, name)
				if by.told(t, th, ov) {
					t.Error("complete without data")
				}
				var n, flags uint32
				want(t, th.WSAGetOverlappedResult(l, ov, &n, false, &flags), spi.WSA_IO_INCOMPLETE)
				send(t, th, c, "request")
			}
			if n, err := by.end(t, th, l, ov); n != 7 || err != nil || string(out[:7]) != "request" {
				t.Fatalf("%d, %v: %q", n, err, out[:7])
			}
			_, remote, err := th.GetAcceptExSockaddrs(l, out, 100, acceptRoom, acceptRoom)
			ok(t, err)
			if f.af != spi.AF_UNIX && spi.AddressString(remote) != spi.AddressString(sockName(t, th, c)) {
				t.Errorf("remote address %s", spi.AddressString(remote))
			}
			// The accepted socket's own operations, by either indication.
			for _, own := range indications {
				rov := own.begin(t, th, s)
				b := make([]byte, 8)
				startReceive(t, th, s, b, rov)
				send(t, th, c, own.name)
				if n, err := own.end(t, th, s, rov); err != nil || string(b[:n]) != own.name {
					t.Errorf("%d, %v: %q", n, err, b)
				}
			}
			ok(t, th.CloseSocket(c))
			ok(t, th.CloseSocket(s))
		}
	})
}

// An AcceptEx is pending for its caller, and indicated once, also when there is
// a connection already and the client wants no packets of what is done at once.
func TestAcceptExIsPendingWithAConnectionThere(t *testing.T) {
	eachIndicated(t, streams, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		for _, skip := range []bool{false, true} {
			l, name := listen(t, th, f)
			ov := by.begin(t, th, l)
			if skip {
				ok(t, th.DLL().SetFileCompletionNotificationModes(l, ws2.FILE_SKIP_COMPLETION_PORT_ON_SUCCESS))
			}
			c, s := client(t, th, f, name), stream(t, th, f)
			ready(t, th, l, 'r')
			startAcceptEx(t, th, l, s, 0, ov)
			if n, err := by.end(t, th, l, ov); n != 0 || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
			if by.name == byPort.name && by.told(t, th, ov) {
				t.Error("indicated twice")
			}
			send(t, th, c, "there")
			receive(t, th, s, "there")
		}
	})
}

// Connections are taken in the order of the calls, many at once.
func TestAcceptExMany(t *testing.T) {
	eachIndicated(t, internet, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		l, name := listen(t, th, f)
		const count = 12
		var ovs [count]*spi.Overlapped
		var accepting, clients [count]spi.Socket
		for i := range count {
			ovs[i] = by.begin(t, th, l)
			accepting[i] = stream(t, th, f)
			startAcceptEx(t, th, l, accepting[i], 0, ovs[i])
		}
		for i := range count {
			clients[i] = client(t, th, f, name)
		}
		for i := range count {
			if _, err := by.end(t, th, l, ovs[i]); err != nil {
				t.Fatal(err)
			}
			send(t, th, clients[i], "mine")
			receive(t, th, accepting[i], "mine")
		}
	})
}

func TestAcceptExAborted(t *testing.T) {
	eachIndicated(t, streams, func(t *testing.T, th *ws2.Thread, f family, by indication) {
		for _, connect := range []bool{false, true} { // before the connection, and before the data
			for _, closes := range []string{"listening", "accepting", "cancel", "cancel all"} {
				l, name := listen(t, th, f)
				ov := by.begin(t, th, l)
				s := stream(t, th, f)
				startAcceptEx(t, th, l, s, 10, ov)
				if connect {
					client(t, th, f, name)
					blocked(t, func() bool { // until the connection is accepted
						by.told(t, th, ov) // goes on
						_, err := unix.Getpeername(int(s))
						return err == nil
					})
				}
				switch closes {
				case "listening":
					ok(t, th.CloseSocket(l))
				case "accepting":
					ok(t, th.CloseSocket(s))
				case "cancel":
					ok(t, th.CancelIoEx(l, ov))
				case "cancel all":
					ok(t, th.CancelIoEx(l, nil))
				}
				if !by.told(t, th, ov) || spi.Errno(ov.OffsetHigh) != spi.WSA_OPERATION_ABORTED {
					t.Errorf("connected %v, %s: %+v", connect, closes, ov)
				}
			}
		}
	})
}

func TestAcceptExRefuses(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		l, name := listen(t, th, f)
		s := stream(t, th, f)
		var n uint32
		ov := new(spi.Overlapped)
		out := make([]byte, 2*acceptRoom)
		call := func(l, s spi.Socket, out []byte, local, remote uint32) error {
			return th.AcceptEx(l, s, out, 0, local, remote, &n, ov)
		}
		want(t, call(l, s, out, 8, acceptRoom), spi.WSAEFAULT)
		want(t, call(l, s, out, acceptRoom, 8), spi.WSAEFAULT)
		want(t, call(l, s, out[1:], acceptRoom, acceptRoom), spi.WSAEFAULT)
		want(t, call(s, stream(t, th, f), out, acceptRoom, acceptRoom), spi.WSAEINVAL) // does not listen
		want(t, call(l, client(t, th, f, name), out, acceptRoom, acceptRoom), spi.WSAEINVAL)
		bound := stream(t, th, f)
		ok(t, th.Bind(bound, f.any(t)))
		want(t, call(l, bound, out, acceptRoom, acceptRoom), spi.WSAEINVAL)
		want(t, call(l, l, out, acceptRoom, acceptRoom), spi.WSAEINVAL)
		if f.af == spi.AF_INET {
			want(t, call(l, stream(t, th, ipv6), out, acceptRoom, acceptRoom), spi.WSAEINVAL)
			want(t, call(l, socket(t, th, f, spi.SOCK_DGRAM), out, acceptRoom, acceptRoom), spi.WSAEOPNOTSUPP)
		}
		want(t, call(l, spi.Socket(999_999), out, acceptRoom, acceptRoom), spi.WSAENOTSOCK)
		want(t, th.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_UPDATE_ACCEPT_CONTEXT, handleBytes(l)), spi.WSAENOTCONN)

		l2, _ := listen(t, th, f)
		startAcceptEx(t, th, l2, s, 0, ov)
		want(t, th.AcceptEx(l2, s, out, 0, acceptRoom, acceptRoom, &n, new(spi.Overlapped)), spi.WSAEINVAL) // s has one
		ok(t, th.CancelIoEx(l2, ov))
		startAcceptEx(t, th, l2, s, 0, ov) // and is free again
		if _, _, err := th.GetAcceptExSockaddrs(l, out[:10], 0, 5, 5); err == nil {
			t.Error("addresses in too small a room")
		}
	})
}

// SO_UPDATE_ACCEPT_CONTEXT hands over the listening socket's mode; options that
// the client has set on the accepting socket stay.
func TestAcceptExOptions(t *testing.T) {
	th := start(t)
	l, name := listen(t, th, ipv4)
	nonblocking(t, th, l, 1)
	s := stream(t, th, ipv4)
	setInt(t, th, s, spi.IPPROTO_TCP, spi.TCP_NODELAY, 1)
	setInt(t, th, s, spi.SOL_SOCKET, spi.SO_RCVTIMEO, 12345)
	setInt(t, th, s, spi.SOL_SOCKET, spi.SO_SNDBUF, 20_000)
	ov := overlapped(t, th)
	startAcceptEx(t, th, l, s, 0, ov)
	client(t, th, ipv4, name)
	_, err := result(t, th, l, ov)
	ok(t, err)
	if mode, _ := unix.FcntlInt(uintptr(s), unix.F_GETFL, 0); mode&unix.O_NONBLOCK != 0 {
		t.Error("nonblocking before SO_UPDATE_ACCEPT_CONTEXT")
	}
	ok(t, th.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_UPDATE_ACCEPT_CONTEXT, handleBytes(l)))
	if mode, _ := unix.FcntlInt(uintptr(s), unix.F_GETFL, 0); mode&unix.O_NONBLOCK == 0 {
		t.Error("blocking after SO_UPDATE_ACCEPT_CONTEXT")
	}
	if getInt(t, th, s, spi.IPPROTO_TCP, spi.TCP_NODELAY) != 1 || getInt(t, th, s, spi.SOL_SOCKET, spi.SO_RCVTIMEO) != 12345 ||
		getInt(t, th, s, spi.SOL_SOCKET, spi.SO_SNDBUF) != 20_000 {
		t.Error("an option is lost")
	}
}
