package shape

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"upcall.dev/catalog"
	"upcall.dev/layer/internal/layertest"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var pid = os.Getpid()

func shape(o spi.Options) catalog.Layer { return catalog.Layer{Name: "shape", Options: o} }

// quick are settings that exercise the whole path without costing time.
var quick = []spi.Options{
	{"delay": "2ms"},
	{"rate": "20M", "burst": "1500"},
	{"rate": "50M", "delay-up": "1ms", "delay-down": "3ms"},
}

// everywhere runs a test with these settings, and with nothing to shape.
func everywhere(t *testing.T, test func(t *testing.T, dll *ws2.DLL, thread *ws2.Thread)) {
	with(t, append([]spi.Options{{}}, quick...), test)
}

func with(t *testing.T, settings []spi.Options, test func(t *testing.T, dll *ws2.DLL, thread *ws2.Thread)) {
	for _, base := range layertest.Bases {
		for _, o := range settings {
			t.Run(base+" "+spi.GoPath("shape", o), func(t *testing.T) {
				dll, thread := layertest.Start(t, base, shape(o))
				test(t, dll, thread)
			})
		}
	}
}

func readAll(thread *ws2.Thread, s spi.Socket, buf []byte) ([]byte, error) {
	var all []byte
	for {
		n, err := thread.Recv(s, buf, 0)
		if err != nil || n == 0 {
			return all, err
		}
		all = append(all, buf[:n]...)
	}
}

// TestStream sends both ways at once and closes: every byte arrives, in order,
// and then the end.
func TestStream(t *testing.T) {
	everywhere(t, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread) {
		client, server := layertest.Pair(t, thread)
		source := rand.NewChaCha8([32]byte{1})
		up, down := make([]byte, 300_000), make([]byte, 200_000)
		_, _ = source.Read(up)
		_, _ = source.Read(down)
		var wg sync.WaitGroup
		send := func(s spi.Socket, b []byte) {
			for chunk := range slices.Chunk(b, 37_001) {
				if n, err := thread.Send(s, chunk, 0); err != nil || n != len(chunk) {
					t.Errorf("sent %d of %d: %v", n, len(chunk), err)
				}
			}
			if err := thread.Shutdown(s, spi.SD_SEND); err != nil {
				t.Error(err)
			}
		}
		receive := func(s spi.Socket, want []byte) {
			got, err := readAll(thread, s, make([]byte, 9999))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("received %d bytes, want %d: %v", len(got), len(want), err)
			}
		}
		wg.Go(func() { send(client, up) })
		wg.Go(func() { send(server, down) })
		wg.Go(func() { receive(client, down) })
		wg.Go(func() { receive(server, up) })
		wg.Wait()
		for _, s := range []spi.Socket{client, server} {
			if err := thread.CloseSocket(s); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestStreamProperty writes and reads in pieces of random sizes.
func TestStreamProperty(t *testing.T) {
	for _, base := range layertest.Bases {
		_, thread := layertest.Start(t, base, shape(spi.Options{"rate": "200M", "delay-up": "100us"}))
		t.Run(base, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				pieces := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 5000), 1, 20).Draw(rt, "pieces")
				room := rapid.IntRange(1, 8000).Draw(rt, "room")
				client, server := layertest.Pair(t, thread)
				var wg sync.WaitGroup
				wg.Go(func() {
					for _, p := range pieces {
						if _, err := thread.Send(client, p, 0); err != nil {
							t.Error(err)
						}
					}
					if err := thread.CloseSocket(client); err != nil { // all of it is still on its way
						t.Error(err)
					}
				})
				got, err := readAll(thread, server, make([]byte, room))
				wg.Wait()
				if err != nil || !bytes.Equal(got, bytes.Join(pieces, nil)) {
					rt.Fatalf("received %d bytes of %d: %v", len(got), len(bytes.Join(pieces, nil)), err)
				}
				if err := thread.CloseSocket(server); err != nil {
					rt.Fatal(err)
				}
			})
		})
	}
}

func TestReset(t *testing.T) {
	everywhere(t, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread) {
		client, server := layertest.Pair(t, thread)
		if err := thread.SetSockOpt(client, spi.SOL_SOCKET, spi.SO_LINGER, []byte{1, 0, 0, 0}); err != nil {
			t.Fatal(err)
		}
		if err := thread.CloseSocket(client); err != nil {
			t.Fatal(err)
		}
		if n, err := thread.Recv(server, make([]byte, 1), 0); !errors.Is(err, spi.WSAECONNRESET) {
			t.Errorf("%d bytes, %v: want WSAECONNRESET", n, err)
		}
	})
}

func TestRefused(t *testing.T) {
	everywhere(t, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread) {
		silent := layertest.Socket(t, thread, spi.SOCK_STREAM) // bound, so that nobody else listens there
		if err := thread.Bind(silent, layertest.Loopback()); err != nil {
			t.Fatal(err)
		}
		s := layertest.Socket(t, thread, spi.SOCK_STREAM)
		if err := thread.Connect(s, layertest.Name(t, thread, silent)); !errors.Is(err, spi.WSAECONNREFUSED) {
			t.Errorf("%v, want WSAECONNREFUSED", err)
		}
	})
}

// TestBackpressure sends to a peer that does not read until the sender would
// have to wait; then the peer reads, and all that was taken arrives.
func TestBackpressure(t *testing.T) {
	for _, base := range layertest.Bases {
		t.Run(base, func(t *testing.T) {
			_, thread := layertest.Start(t, base, shape(spi.Options{"delay": "1ms"}))
			client, server := layertest.Pair(t, thread)
			nonblocking := uint32(1)
			if err := thread.IoctlSocket(client, spi.FIONBIO, &nonblocking); err != nil {
				t.Fatal(err)
			}
			const enough = 256 << 20
			chunk := bytes.Repeat([]byte("0123456789abcdef"), 4096)
			sent, stuck := 0, 0
			for stuck < 3 && sent < enough {
				n, err := thread.Send(client, chunk, 0)
				switch {
				case err == nil:
					sent += n
					stuck = 0
				case errors.Is(err, spi.WSAEWOULDBLOCK):
					// Full, or the pumps have not caught up: wait for room.
					n, err := thread.Select(nil, spi.NewFDSet(client), nil, &spi.Timeval{Usec: 100_000})
					if err != nil {
						t.Fatal(err)
					}
					if n == 0 {
						stuck++
					}
				default:
					t.Fatal(err)
				}
			}
			if sent >= enough {
				t.Fatalf("%d bytes were taken that nobody reads", sent)
			}
			if err := thread.CloseSocket(client); err != nil {
				t.Fatal(err)
			}
			got, err := readAll(thread, server, make([]byte, 1<<20))
			if err != nil || len(got) != sent {
				t.Errorf("received %d of %d bytes: %v", len(got), sent, err)
			}
		})
	}
}

func TestDatagrams(t *testing.T) {
	everywhere(t, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread) {
		server := layertest.Socket(t, thread, spi.SOCK_DGRAM)
		if err := thread.Bind(server, layertest.Loopback()); err != nil {
			t.Fatal(err)
		}
		address := layertest.Name(t, thread, server)
		connected := layertest.Socket(t, thread, spi.SOCK_DGRAM)
		if err := thread.Connect(connected, address); err != nil {
			t.Fatal(err)
		}
		loose := layertest.Socket(t, thread, spi.SOCK_DGRAM)

		from, fromLen := make([]byte, 128), int32(128)
		buf := make([]byte, 4096)
		for i, size := range []int{1, 0, 3000, 17} {
			message := bytes.Repeat([]byte{byte(i)}, size)
			sender := connected
			var err error
			if i%2 == 0 {
				_, err = thread.Send(connected, message, 0)
			} else {
				sender = loose
				_, err = thread.SendTo(loose, message, 0, address)
			}
			if err != nil {
				t.Fatal(err)
			}
			fromLen = 128
			n, err := thread.RecvFrom(server, buf, 0, from, &fromLen)
			if err != nil || !bytes.Equal(buf[:n], message) {
				t.Fatalf("message %d: %d bytes, %v", i, n, err)
			}
			want, _ := spi.AddrPortFrom(layertest.Name(t, thread, sender))
			if got, _ := spi.AddrPortFrom(from[:fromLen]); got.Port() != want.Port() {
				t.Errorf("message %d is from %v, want port %d", i, got, want.Port())
			}
		}
		// The answer goes back.
		if _, err := thread.SendTo(server, []byte("pong"), 0, from[:fromLen]); err != nil {
			t.Fatal(err)
		}
		if n, err := thread.Recv(loose, buf, 0); err != nil || string(buf[:n]) != "pong" {
			t.Errorf("%q, %v", buf[:n], err)
		}
		if _, err := thread.Send(loose, []byte("nobody"), 0); !errors.Is(err, spi.WSAENOTCONN) {
			t.Errorf("send without a peer: %v", err)
		}
		if _, err := thread.SendTo(loose, make([]byte, 70_000), 0, address); !errors.Is(err, spi.WSAEMSGSIZE) {
			t.Errorf("too long a datagram: %v", err)
		}
	})
}

// A datagram socket's address is free when the socket is closed, where nothing that
// it has sent is on its way.
func TestAddressOfClosedDatagramSocket(t *testing.T) {
	everywhere(t, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread) {
		peer := layertest.Socket(t, thread, spi.SOCK_DGRAM)
		if err := thread.Bind(peer, layertest.Loopback()); err != nil {
			t.Fatal(err)
		}
		address, buf := layertest.Loopback(), make([]byte, 16)
		for i := range 20 {
			s := layertest.Socket(t, thread, spi.SOCK_DGRAM)
			if err := thread.Bind(s, address); err != nil {
				t.Fatalf("round %d: %v", i, err)
			}
			address = layertest.Name(t, thread, s)
			if _, err := thread.SendTo(peer, []byte("ping"), 0, address); err != nil {
				t.Fatal(err)
			}
			if n, err := thread.Recv(s, buf, 0); err != nil || string(buf[:n]) != "ping" {
				t.Fatalf("%q, %v", buf[:n], err)
			}
			if err := thread.CloseSocket(s); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestNonblockingConnectAndEvents(t *testing.T) {
	with(t, quick, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread) {
		l, address := layertest.Listen(t, thread)
		client := layertest.Socket(t, thread, spi.SOCK_STREAM)
		ev, err := thread.WSACreateEvent()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = thread.WSACloseEvent(ev) }()
		if err := thread.WSAEventSelect(client, ev, spi.FD_CONNECT|spi.FD_READ|spi.FD_CLOSE); err != nil {
			t.Fatal(err)
		}
		if err := thread.Connect(client, address); !errors.Is(err, spi.WSAEWOULDBLOCK) {
			t.Fatalf("nonblocking connect: %v", err)
		}
		expect := func(bit int32) {
			t.Helper()
			var events spi.NetworkEvents
			for range 3 { // an event may be set again for what was already reported
				if w, err := thread.WSAWaitForMultipleEvents([]spi.Event{ev}, false, 10_000, false); err != nil || w != 0 {
					t.Fatalf("wait: %d, %v", w, err)
				}
				if err := thread.WSAEnumNetworkEvents(client, ev, &events); err != nil {
					t.Fatal(err)
				}
				if events.NetworkEvents != 0 {
					break
				}
			}
			if events.NetworkEvents&bit == 0 {
				t.Fatalf("events %#x, want %#x", events.NetworkEvents, bit)
			}
		}
		expect(spi.FD_CONNECT)
		server, err := thread.Accept(l, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := thread.Select(spi.NewFDSet(server), nil, nil, &spi.Timeval{}); err != nil || n != 0 {
			t.Fatalf("nothing was sent, yet select says %d, %v", n, err)
		}
		if _, err := thread.Send(server, []byte("hello"), 0); err != nil {
			t.Fatal(err)
		}
		expect(spi.FD_READ)
		buf := make([]byte, 10)
		if n, err := thread.Recv(client, buf, 0); err != nil || string(buf[:n]) != "hello" {
			t.Fatalf("%q, %v", buf[:n], err)
		}
		if _, err := thread.Send(client, []byte("x"), 0); err != nil {
			t.Fatal(err)
		}
		if n, err := thread.Select(spi.NewFDSet(server), nil, nil, &spi.Timeval{Sec: 10}); err != nil || n != 1 {
			t.Fatalf("select: %d, %v", n, err)
		}
		if err := thread.CloseSocket(server); err != nil { // with a byte unread: a reset
			t.Fatal(err)
		}
		expect(spi.FD_CLOSE)
	})
}

func TestSocketSaysItsChain(t *testing.T) {
	everywhere(t, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread) {
		client, server := layertest.Pair(t, thread)
		for _, s := range []spi.Socket{client, server} {
			info := layertest.Info(t, thread, s)
			if len(info.ProtocolChain.Entries()) != 2 || info.IFS() || s < 1<<32 {
				t.Errorf("socket %#x is of %q, chain %v", s, info.Name(), info.ProtocolChain.Entries())
			}
		}
	})
}

func TestDuplicate(t *testing.T) {
	everywhere(t, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread) {
		client, server := layertest.Pair(t, thread)
		var info spi.ProtocolInfo
		if err := thread.WSADuplicateSocket(client, uint32(pid), &info); err != nil {
			t.Fatal(err)
		}
		other, err := thread.WSASocket(-1, -1, -1, &info, 0, spi.WSA_FLAG_OVERLAPPED)
		if err != nil {
			t.Fatal(err)
		}
		if err := thread.CloseSocket(client); err != nil {
			t.Fatal(err)
		}
		if _, err := thread.Send(other, []byte("still here"), 0); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 20)
		if n, err := thread.Recv(server, buf, 0); err != nil || string(buf[:n]) != "still here" {
			t.Errorf("%q, %v", buf[:n], err)
		}
	})
}

func TestTwoShapes(t *testing.T) {
	for _, base := range layertest.Bases {
		t.Run(base, func(t *testing.T) {
			_, thread := layertest.Start(t, base, shape(quick[0]), shape(quick[1]))
			client, server := layertest.Pair(t, thread)
			message := bytes.Repeat([]byte("both "), 2000)
			if _, err := thread.Send(client, message, 0); err != nil {
				t.Fatal(err)
			}
			if err := thread.CloseSocket(client); err != nil {
				t.Fatal(err)
			}
			if got, err := readAll(thread, server, make([]byte, 1000)); err != nil || !bytes.Equal(got, message) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

// TestCleanupDeliversClosedSockets: what was closed in good order goes out
// although WSACleanup follows at once; what is open is reset.
func TestCleanupDeliversClosedSockets(t *testing.T) {
	_, receiver := layertest.Start(t, "kernel")
	l, address := layertest.Listen(t, receiver)
	_, sender := layertest.Start(t, "kernel", shape(spi.Options{"delay": "5ms"}))
	message := bytes.Repeat([]byte("late"), 10_000)
	var accepted [2]spi.Socket
	var clients [2]spi.Socket
	for i := range clients {
		clients[i] = layertest.Socket(t, sender, spi.SOCK_STREAM)
		if err := sender.Connect(clients[i], address); err != nil {
			t.Fatal(err)
		}
		var err error
		if accepted[i], err = receiver.Accept(l, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := sender.Send(clients[0], message, 0); err != nil {
		t.Fatal(err)
	}
	if err := sender.CloseSocket(clients[0]); err != nil {
		t.Fatal(err)
	}
	if err := sender.WSACleanup(); err != nil {
		t.Fatal(err)
	}
	if got, err := readAll(receiver, accepted[0], make([]byte, 5000)); err != nil || !bytes.Equal(got, message) {
		t.Errorf("closed socket: %d of %d bytes, %v", len(got), len(message), err)
	}
	if _, err := receiver.Recv(accepted[1], make([]byte, 1), 0); !errors.Is(err, spi.WSAECONNRESET) {
		t.Errorf("open socket: %v, want WSAECONNRESET", err)
	}
}

// TestShutdownOfBothDelivers: a client that wants no more data still has what it
// sent delivered, and may send on after it has refused to receive.
func TestShutdownOfBothDelivers(t *testing.T) {
	everywhere(t, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread) {
		client, server := layertest.Pair(t, thread)
		sent := make([]byte, 400_000)
		_, _ = rand.NewChaCha8([32]byte{2}).Read(sent)
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := thread.Shutdown(client, spi.SD_RECEIVE); err != nil {
				t.Error(err)
			}
			if n, err := thread.Send(client, sent, 0); err != nil || n != len(sent) {
				t.Errorf("sent %d: %v", n, err)
			}
			if err := thread.Shutdown(client, spi.SD_BOTH); err != nil {
				t.Error(err)
			}
		})
		if got, err := readAll(thread, server, make([]byte, 9999)); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("received %d bytes of %d: %v", len(got), len(sent), err)
		}
		wg.Wait()
	})
}

// TestControlInformationIsRefused: an option that asks for what the layer does
// not pass on fails.
func TestControlInformationIsRefused(t *testing.T) {
	with(t, quick, func(t *testing.T, _ *ws2.DLL, thread *ws2.Thread) {
		s := layertest.Socket(t, thread, spi.SOCK_DGRAM)
		for _, name := range []int32{spi.IP_PKTINFO, spi.IP_RECVTTL, spi.IP_RECVTOS} {
			if err := thread.SetSockOpt(s, spi.IPPROTO_IP, name, []byte{1, 0, 0, 0}); !errors.Is(err, spi.WSAENOPROTOOPT) {
				t.Errorf("option %d: %v", name, err)
			}
		}
	})
}

// TestOptionsReachTheLowerSocket sets options of both kinds: kept by the layer
// and passed on.
func TestOptionsReachTheLowerSocket(t *testing.T) {
	_, thread := layertest.Start(t, "kernel", shape(nil))
	s := layertest.Socket(t, thread, spi.SOCK_STREAM)
	if err := thread.SetSockOpt(s, spi.IPPROTO_TCP, spi.TCP_NODELAY, []byte{1, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	val, length := make([]byte, 4), int32(4)
	if err := thread.GetSockOpt(s, spi.IPPROTO_TCP, spi.TCP_NODELAY, val, &length); err != nil || binary.NativeEndian.Uint32(val) == 0 {
		t.Errorf("TCP_NODELAY reads %v, %v", val, err)
	}
	base := make([]byte, 8)
	var n uint32
	if err := thread.WSAIoctl(s, spi.SIO_BASE_HANDLE, nil, base, &n, nil, nil); err != nil {
		t.Fatal(err)
	}
	lower := binary.NativeEndian.Uint64(base)
	if lower >= 1<<32 {
		t.Errorf("the base handle is %#x, want a descriptor", lower)
	}
	for _, on := range []byte{1, 0} {
		if err := thread.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_KEEPALIVE, []byte{on, 0, 0, 0}); err != nil {
			t.Fatal(err)
		}
		if err := thread.GetSockOpt(spi.Socket(lower), spi.SOL_SOCKET, spi.SO_KEEPALIVE, val, &length); err != nil || val[0] != on {
			t.Errorf("SO_KEEPALIVE set to %d reads %v below, %v", on, val, err)
		}
	}
}
