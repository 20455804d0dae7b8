package filter

import (
	"errors"
	"os"
	"strings"
	"testing"

	"upcall.dev/layer/internal/layertest"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// bound returns a socket that is bound to an address of the loopback.
func bound(t testing.TB, thread *ws2.Thread, typ int32, at string) spi.Socket {
	t.Helper()
	s := layertest.Socket(t, thread, typ)
	if err := thread.Bind(s, address(at)); err != nil {
		t.Fatal(err)
	}
	return s
}

func setNonblocking(t testing.TB, thread *ws2.Thread, s spi.Socket) {
	t.Helper()
	on := uint32(1)
	if err := thread.IoctlSocket(s, spi.FIONBIO, &on); err != nil {
		t.Fatal(err)
	}
}

func TestDatagramsAreDenied(t *testing.T) {
	each(t, spi.Options{"deny": "udp:127.0.0.2", "error": "EHOSTUNREACH"}, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread) {
		receiver := bound(t, thread, spi.SOCK_DGRAM, "127.0.0.1:0")
		s := bound(t, thread, spi.SOCK_DGRAM, "127.0.0.1:0")
		if _, err := thread.SendTo(s, []byte("x"), 0, address("127.0.0.2:9")); !errors.Is(err, spi.WSAEHOSTUNREACH) {
			t.Errorf("send: %v", err)
		}
		ev, err := thread.WSACreateEvent()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = thread.WSACloseEvent(ev) }()
		ov := &spi.Overlapped{HEvent: ev}
		if err := thread.WSASendTo(s, []spi.Buf{spi.NewBuf([]byte("x"))}, nil, 0, address("127.0.0.2:9"), ov, nil); !errors.Is(err, spi.WSAEHOSTUNREACH) {
			t.Errorf("overlapped send: %v", err)
		}
		to := address("127.0.0.2:9")
		buf := spi.NewBuf([]byte("x"))
		msg := &spi.Msg{Name: &to[0], NameLen: int32(len(to)), Buffers: &buf, BufferCount: 1}
		var sent uint32
		if err := thread.WSASendMsg(s, msg, 0, &sent, nil, nil); !errors.Is(err, spi.WSAEHOSTUNREACH) {
			t.Errorf("message: %v", err)
		}
		if err := thread.Connect(s, address("127.0.0.2:9")); !errors.Is(err, spi.WSAEHOSTUNREACH) {
			t.Errorf("connect: %v", err)
		}
		if _, err := thread.SendTo(s, []byte("hello"), 0, layertest.Name(t, thread, receiver)); err != nil {
			t.Fatal(err)
		}
		from, length := make([]byte, 128), int32(128)
		if n, err := thread.RecvFrom(receiver, make([]byte, 10), 0, from, &length); n != 5 || err != nil {
			t.Fatal(n, err)
		}
		shut(t, thread, receiver, s)
	})
}

func TestExtensionsAreDenied(t *testing.T) {
	each(t, spi.Options{"deny": "127.0.0.2", "error": "WSAECONNREFUSED"}, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread) {
		s := bound(t, thread, spi.SOCK_STREAM, "127.0.0.1:0")
		ev, err := thread.WSACreateEvent()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = thread.WSACloseEvent(ev) }()
		var n uint32
		if err := thread.ConnectEx(s, address("127.0.0.2:9"), nil, &n, &spi.Overlapped{HEvent: ev}); !errors.Is(err, spi.WSAECONNREFUSED) {
			t.Errorf("ConnectEx: %v", err)
		}
		l, to := layertest.Listen(t, thread)
		ov := &spi.Overlapped{HEvent: ev}
		if err := thread.ConnectEx(s, to, nil, &n, ov); err != nil && !errors.Is(err, spi.WSA_IO_PENDING) {
			t.Fatal(err)
		}
		var flags uint32
		if err := thread.WSAGetOverlappedResult(s, ov, &n, true, &flags); err != nil {
			t.Errorf("an allowed ConnectEx: %v", err)
		}
		shut(t, thread, l, s)
	})
}

const servers = `
[[rule]]
direction = "bind"
address = "127.0.0.3"
action = "deny"
error = "WSAEADDRNOTAVAIL"

[[rule]]
direction = "listen"
address = "127.0.0.2"
action = "deny"

[[rule]]
direction = "accept"
address = "127.0.0.2"
action = "deny"
`

func TestServersAreDenied(t *testing.T) {
	each(t, spi.Options{"rules": rules(t, servers)}, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread) {
		s := layertest.Socket(t, thread, spi.SOCK_STREAM)
		if err := thread.Bind(s, address("127.0.0.3:0")); !errors.Is(err, spi.WSAEADDRNOTAVAIL) {
			t.Errorf("bind: %v", err)
		}
		if err := thread.Bind(s, address("127.0.0.2:0")); err != nil {
			t.Fatal(err)
		}
		if err := thread.Listen(s, 5); !errors.Is(err, spi.WSAEACCES) {
			t.Errorf("listen: %v", err)
		}
		shut(t, thread, s)
	})
}

// connectTo connects from an address, and returns the client.
func connectTo(t testing.TB, thread *ws2.Thread, from string, to []byte) spi.Socket {
	t.Helper()
	s := bound(t, thread, spi.SOCK_STREAM, from)
	if err := thread.Connect(s, to); err != nil {
		t.Fatal(err)
	}
	return s
}

// isReset connects from an address, and checks that the connection ends by a
// reset: once it is made, or before that is known.
func isReset(t testing.TB, thread *ws2.Thread, from string, to []byte, meanwhile func()) {
	t.Helper()
	s := bound(t, thread, spi.SOCK_STREAM, from)
	defer shut(t, thread, s)
	err := thread.Connect(s, to)
	meanwhile()
	if err == nil {
		_, err = thread.Recv(s, make([]byte, 1), 0)
	}
	if !errors.Is(err, spi.WSAECONNRESET) {
		t.Errorf("the denied peer: %v", err)
	}
}

func TestDeniedPeersAreReset(t *testing.T) {
	each(t, spi.Options{"rules": rules(t, servers)}, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread) {
		l, to := layertest.Listen(t, thread)
		var allowed, a spi.Socket
		peer, length := make([]byte, 128), int32(128)
		isReset(t, thread, "127.0.0.2:0", to, func() {
			allowed = connectTo(t, thread, "127.0.0.1:0", to)
			var err error
			a, err = thread.WSAAccept(l, peer, &length, func(callerID []byte, _ *spi.Buf, _, _ *spi.QOS, _ []byte, _ *spi.Buf, _ *spi.Group, _ uintptr) int32 {
				if strings.HasPrefix(spi.AddressString(callerID), "127.0.0.2") {
					t.Error("the client's condition function sees the denied peer")
				}
				return spi.CF_ACCEPT
			}, 0)
			if err != nil {
				t.Fatal(err)
			}
		})
		if got, want := spi.AddressString(peer[:length]), spi.AddressString(layertest.Name(t, thread, allowed)); got != want {
			t.Errorf("accepted %s, want %s", got, want)
		}
		setNonblocking(t, thread, l)
		isReset(t, thread, "127.0.0.2:0", to, func() {
			if s, err := thread.Accept(l, nil, nil); !errors.Is(err, spi.WSAEWOULDBLOCK) {
				t.Errorf("accept with nobody else: %v, %v", s, err)
			}
		})
		if _, err := thread.Send(allowed, []byte("hello"), 0); err != nil {
			t.Fatal(err)
		}
		if n, err := thread.Recv(a, make([]byte, 10), 0); n != 5 || err != nil {
			t.Errorf("the accepted socket: %d, %v", n, err)
		}
		shut(t, thread, allowed, a, l)
	})
}

func TestAcceptExSeesNoDeniedPeer(t *testing.T) {
	each(t, spi.Options{"rules": rules(t, servers)}, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread) {
		l, to := layertest.Listen(t, thread)
		a := layertest.Socket(t, thread, spi.SOCK_STREAM)
		ev, err := thread.WSACreateEvent()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = thread.WSACloseEvent(ev) }()
		ov := &spi.Overlapped{HEvent: ev}
		out := make([]byte, 2*144)
		var n, flags uint32
		err = thread.AcceptEx(l, a, out, 0, 144, 144, &n, ov)
		if !strings.HasSuffix(t.Name(), "with_own_handles") {
			if !errors.Is(err, spi.WSAEOPNOTSUPP) {
				t.Errorf("AcceptEx where peers cannot be judged: %v", err)
			}
			shut(t, thread, a, l)
			return
		}
		if !errors.Is(err, spi.WSA_IO_PENDING) {
			t.Fatal(err)
		}
		isReset(t, thread, "127.0.0.2:0", to, func() {})
		client := connectTo(t, thread, "127.0.0.1:0", to)
		if err := thread.WSAGetOverlappedResult(l, ov, &n, true, &flags); err != nil {
			t.Fatal(err)
		}
		if _, err := thread.Send(client, []byte("x"), 0); err != nil {
			t.Fatal(err)
		}
		if n, err := thread.Recv(a, make([]byte, 2), 0); n != 1 || err != nil {
			t.Error(n, err)
		}
		shut(t, thread, client, a, l)
	})
}

func TestProgramsAndUnixSockets(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	base := self[strings.LastIndexByte(self, '/')+1:]
	dir := t.TempDir()
	text := `
[[rule]]
program = "other"
address = "127.0.0.0/8"
action = "deny"

[[rule]]
program = ["*other*", "` + base + `"]
address = "unix:` + dir + `/**"
action = "deny"
error = "WSAECONNREFUSED"
`
	for _, handles := range []string{"passed", "own", "datagrams"} {
		t.Run(handles, func(t *testing.T) { programsAndUnixSockets(t, text, handles, dir+"/"+handles) })
	}
}

func programsAndUnixSockets(t *testing.T, text, handles, path string) {
	_, thread := layertest.Start(t, "kernel", filtering(spi.Options{"rules": rules(t, text), "handles": handles}))
	client, server := layertest.Pair(t, thread)
	shut(t, thread, client, server)
	s, err := thread.Socket(spi.AF_UNIX, spi.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	name, _ := spi.SockaddrUnix(path)
	if err := thread.Bind(s, name); err != nil { // which is outbound only
		t.Fatal(err)
	}
	if err := thread.Listen(s, 1); err != nil {
		t.Fatal(err)
	}
	c, err := thread.Socket(spi.AF_UNIX, spi.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := thread.Connect(c, name); !errors.Is(err, spi.WSAECONNREFUSED) {
		t.Errorf("connect to the Unix socket: %v", err)
	}
	shut(t, thread, s, c)
}
