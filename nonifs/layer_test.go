package nonifs_test

import (
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"upcall.dev/catalog"
	"upcall.dev/layer"
	"upcall.dev/nonifs"
	_ "upcall.dev/provider/kernel"
	_ "upcall.dev/provider/memory"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// without are the extension functions that a passage is loaded without.
var without atomic.Pointer[[]spi.GUID]

func unwanted() []spi.GUID {
	if ids := without.Load(); ids != nil {
		return *ids
	}
	return nil
}

// passage is a layer that changes nothing. The latest one that was loaded is
// current.
var current struct {
	sync.Mutex
	layer *nonifs.Layer
}

func init() {
	spi.Register(spi.Driver{
		Name:    "passage",
		Summary: "passes everything through under handles of its own",
		Open: func(m spi.Module) (spi.StartupFunc, error) {
			chains := layer.NewChains(m.ProviderID)
			l := nonifs.NewLayer(nonifs.LayerConfig{
				Find: func(info *spi.ProtocolInfo) (nonifs.LayerLink, spi.Errno) {
					link, errno := chains.Find(info)
					return link, errno
				},
				Cleanup: chains.Cleanup,
				Without: unwanted(),
			})
			return func(requested uint16, data *spi.WSPData, info *spi.ProtocolInfo, upcalls spi.UpcallTable, dll spi.DLL) (spi.Provider, spi.Errno) {
				if errno := spi.NegotiateVersion(requested, data, "passage"); errno != 0 {
					return nil, errno
				}
				if _, errno := chains.Start(info, upcalls, dll); errno != 0 {
					return nil, errno
				}
				l.Start(upcalls, dll)
				current.Lock()
				current.layer = l
				current.Unlock()
				return l, 0
			}, nil
		},
	})
}

// overBoth runs a test through the passage over each kind of base provider.
func overBoth(t *testing.T, test func(t *testing.T, th *ws2.Thread)) {
	for _, base := range []string{"memory", "kernel"} {
		t.Run(base, func(t *testing.T) {
			c, err := catalog.Compose(catalog.Default(), base, []catalog.Layer{{Name: "passage"}})
			ok(t, err)
			d := ws2.New(ws2.Config{Catalog: c, Log: func(m string) { t.Error(m) }})
			th := d.BindThread()
			defer th.Unbind()
			ok(t, th.WSAStartup(spi.Version22, new(ws2.WSAData)))
			defer func() { ok(t, th.WSACleanup()) }()
			test(t, th)
		})
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func is(t testing.TB, err error, code spi.Errno) {
	t.Helper()
	if err != code.Err() {
		if e, same := err.(interface{ Is(error) bool }); !same || !e.Is(code) {
			t.Errorf("error %v, want %v", err, code)
		}
	}
}

var loopback = []byte{spi.AF_INET, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}

func listen(t testing.TB, th *ws2.Thread) (spi.Socket, []byte) {
	t.Helper()
	l, err := th.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP)
	ok(t, err)
	ok(t, th.Bind(l, loopback))
	ok(t, th.Listen(l, 16))
	name, n := make([]byte, 16), int32(16)
	ok(t, th.GetSockName(l, name, &n))
	return l, name
}

func pair(t testing.TB, th *ws2.Thread) (client, server spi.Socket) {
	t.Helper()
	l, name := listen(t, th)
	client, err := th.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP)
	ok(t, err)
	ok(t, th.Connect(client, name))
	server, err = th.Accept(l, nil, nil)
	ok(t, err)
	ok(t, th.CloseSocket(l))
	return client, server
}

func send(t testing.TB, th *ws2.Thread, s spi.Socket, text string) {
	t.Helper()
	if n, err := th.Send(s, []byte(text), 0); err != nil || n != len(text) {
		t.Fatalf("sent %d of %d, %v", n, len(text), err)
	}
}

func recv(t testing.TB, th *ws2.Thread, s spi.Socket) string {
	t.Helper()
	buf := make([]byte, 1000)
	n, err := th.Recv(s, buf, 0)
	ok(t, err)
	return string(buf[:n])
}

func newEvent(t testing.TB, th *ws2.Thread) spi.Event {
	t.Helper()
	ev, err := th.WSACreateEvent()
	ok(t, err)
	t.Cleanup(func() { _ = th.WSACloseEvent(ev) })
	return ev
}

func await(t testing.TB, th *ws2.Thread, ev spi.Event) {
	t.Helper()
	if i, err := th.WSAWaitForMultipleEvents([]spi.Event{ev}, true, 5000, false); err != nil || i != spi.WSA_WAIT_EVENT_0 {
		t.Fatalf("wait: %#x, %v", i, err)
	}
}

func TestLayerHasHandlesOfItsOwn(t *testing.T) {
	overBoth(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		if client>>32 == 0 || server>>32 == 0 {
			t.Errorf("handles %#x and %#x can be descriptors", client, server)
		}
		send(t, th, client, "there")
		if got := recv(t, th, server); got != "there" {
			t.Errorf("got %q", got)
		}
		_, lower, errno := current.layer.Lower(client)
		if errno != 0 || lower == client {
			t.Errorf("lower %#x, %v", lower, errno)
		}
		_, _, errno = current.layer.Lower(lower)
		is(t, errno.Err(), spi.WSAENOTSOCK)
		ok(t, th.CloseSocket(client))
		is(t, th.CloseSocket(client), spi.WSAENOTSOCK)
		if got := recv(t, th, server); got != "" {
			t.Errorf("got %q", got)
		}
	})
}

func TestLayerCompletesOverlappedOperations(t *testing.T) {
	overBoth(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		for range 50 {
			buf := make([]byte, 10)
			ov := spi.Overlapped{HEvent: newEvent(t, th)}
			var flags uint32
			is(t, th.WSARecv(server, []spi.Buf{spi.NewBuf(buf)}, nil, &flags, &ov, nil), spi.WSA_IO_PENDING)
			send(t, th, client, "abc")
			await(t, th, ov.HEvent)
			var n uint32
			ok(t, th.WSAGetOverlappedResult(server, &ov, &n, false, &flags))
			if string(buf[:n]) != "abc" {
				t.Fatalf("got %q", buf[:n])
			}
		}
		routine := 0
		var ov spi.Overlapped
		var flags uint32
		buf := make([]byte, 10)
		is(t, th.WSARecv(server, []spi.Buf{spi.NewBuf(buf)}, nil, &flags, &ov, func(errno spi.Errno, n uint32, _ *spi.Overlapped, _ uint32) {
			if errno != 0 || n != 2 {
				t.Errorf("%v, %d bytes", errno, n)
			}
			routine++
		}), spi.WSA_IO_PENDING)
		send(t, th, client, "de")
		for range 1000 {
			if th.SleepEx(5, true); routine > 0 {
				break
			}
		}
		if routine != 1 {
			t.Errorf("the routine ran %d times", routine)
		}
	})
}

func TestLayerRefusesOverlappedOperationsWithoutTheFlag(t *testing.T) {
	overBoth(t, func(t *testing.T, th *ws2.Thread) {
		plain := func() spi.Socket {
			s, err := th.WSASocket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP, nil, 0, 0)
			ok(t, err)
			return s
		}
		listener, client := plain(), plain()
		ok(t, th.Bind(listener, loopback))
		ok(t, th.Listen(listener, 1))
		name, length := make([]byte, 16), int32(16)
		ok(t, th.GetSockName(listener, name, &length))
		ok(t, th.Connect(client, name))
		accepted, err := th.Accept(listener, nil, nil)
		ok(t, err)
		for _, s := range []spi.Socket{client, accepted} {
			var flags, n uint32
			bufs := []spi.Buf{spi.NewBuf(make([]byte, 4))}
			is(t, th.WSASend(s, bufs, nil, 0, &spi.Overlapped{}, nil), spi.WSAEINVAL)
			is(t, th.WSASendTo(s, bufs, nil, 0, nil, &spi.Overlapped{}, nil), spi.WSAEINVAL)
			is(t, th.WSARecv(s, bufs, nil, &flags, &spi.Overlapped{}, nil), spi.WSAEINVAL)
			is(t, th.WSARecvFrom(s, bufs, nil, &flags, nil, nil, &spi.Overlapped{}, nil), spi.WSAEINVAL)
			is(t, th.WSAIoctl(s, spi.FIONREAD, nil, make([]byte, 4), &n, &spi.Overlapped{}, nil), spi.WSAEINVAL)
		}
		send(t, th, client, "plain")
		if got := recv(t, th, accepted); got != "plain" {
			t.Errorf("got %q", got)
		}
	})
}

func TestLayerDefersClosingTheHandle(t *testing.T) {
	overBoth(t, func(t *testing.T, th *ws2.Thread) {
		_, server := pair(t, th)
		var pending []*spi.Overlapped
		for range 10 {
			ov := &spi.Overlapped{HEvent: newEvent(t, th)}
			var flags uint32
			is(t, th.WSARecv(server, []spi.Buf{spi.NewBuf(make([]byte, 10))}, nil, &flags, ov, nil), spi.WSA_IO_PENDING)
			pending = append(pending, ov)
		}
		ok(t, th.CloseSocket(server))
		for _, ov := range pending {
			await(t, th, ov.HEvent)
			if ov.InProgress() || spi.Errno(ov.OffsetHigh) != spi.WSA_OPERATION_ABORTED {
				t.Errorf("%+v", ov)
			}
		}
	})
}

func TestLayerSelects(t *testing.T) {
	overBoth(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		other, _ := pair(t, th)
		send(t, th, client, "x")
		read, write := spi.NewFDSet(other, server), spi.NewFDSet(client)
		n, err := th.Select(read, write, nil, &spi.Timeval{Sec: 5})
		ok(t, err)
		if n != 2 || read.Count != 1 || !read.IsSet(server) || !write.IsSet(client) {
			t.Errorf("%d ready: %#x, %#x", n, read.Sockets(), write.Sockets())
		}
	})
}

func TestLayerSelectsEvents(t *testing.T) {
	overBoth(t, func(t *testing.T, th *ws2.Thread) {
		l, name := listen(t, th)
		ev := newEvent(t, th)
		ok(t, th.WSAEventSelect(l, ev, spi.FD_ACCEPT))
		client, err := th.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
		ok(t, err)
		ok(t, th.Connect(client, name))
		await(t, th, ev)
		var out spi.NetworkEvents
		ok(t, th.WSAEnumNetworkEvents(l, ev, &out))
		if out.NetworkEvents != spi.FD_ACCEPT {
			t.Errorf("events %#x", out.NetworkEvents)
		}

		wnd, err := th.CreateWindow()
		ok(t, err)
		server, err := th.Accept(l, nil, nil)
		ok(t, err)
		ok(t, th.WSAAsyncSelect(server, wnd, 0x400, spi.FD_READ|spi.FD_CLOSE))
		for _, event := range []uintptr{spi.FD_READ, spi.FD_CLOSE} {
			if event == spi.FD_READ {
				send(t, th, client, "x")
			} else {
				ok(t, th.CloseSocket(client))
			}
			m, err := th.GetMessage(wnd, 5000)
			ok(t, err)
			if m.WParam != uintptr(server) || m.LParam != event {
				t.Errorf("message for %#x with %#x, want %#x with %#x", m.WParam, m.LParam, server, event)
			}
			recv(t, th, server)
		}
	})
}

func TestLayerDuplicates(t *testing.T) {
	overBoth(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		var info spi.ProtocolInfo
		ok(t, th.WSADuplicateSocket(client, uint32(os.Getpid()), &info))
		twin, err := th.WSASocket(-1, -1, -1, &info, 0, spi.WSA_FLAG_OVERLAPPED)
		ok(t, err)
		ok(t, th.CloseSocket(client))
		send(t, th, twin, "twin")
		if got := recv(t, th, server); got != "twin" {
			t.Errorf("got %q", got)
		}
	})
}

func TestLayerAnswersItsChainEntry(t *testing.T) {
	overBoth(t, func(t *testing.T, th *ws2.Thread) {
		client, _ := pair(t, th)
		val, n := make([]byte, 628), int32(628)
		ok(t, th.GetSockOpt(client, spi.SOL_SOCKET, spi.SO_PROTOCOL_INFOW, val, &n))
		if chain := int32(val[40]); chain < 2 {
			t.Errorf("chain length %d", chain)
		}
		ok(t, th.SetSockOpt(client, spi.SOL_SOCKET, spi.SO_KEEPALIVE, []byte{1, 0, 0, 0}))
		val, n = make([]byte, 4), 4
		ok(t, th.GetSockOpt(client, spi.SOL_SOCKET, spi.SO_KEEPALIVE, val, &n))
		if val[0] != 1 {
			t.Errorf("SO_KEEPALIVE %v", val)
		}
	})
}

func TestLayerShowsTransfers(t *testing.T) {
	overBoth(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		var mu sync.Mutex
		var seen []string
		current.layer.Observe(func(x *nonifs.Transfer) {
			mu.Lock()
			defer mu.Unlock()
			direction := ">"
			if x.Receive {
				direction = "<"
			}
			if x.Overlapped != nil {
				direction += direction
			}
			seen = append(seen, direction+string(x.Bufs[0].Bytes()[:x.N]))
		})
		ov := spi.Overlapped{HEvent: newEvent(t, th)}
		var flags uint32
		is(t, th.WSARecv(server, []spi.Buf{spi.NewBuf(make([]byte, 9))}, nil, &flags, &ov, nil), spi.WSA_IO_PENDING)
		send(t, th, client, "one")
		await(t, th, ov.HEvent)
		send(t, th, client, "two")
		recv(t, th, server)
		mu.Lock()
		defer mu.Unlock()
		got := map[string]bool{}
		for _, s := range seen {
			got[s] = true
		}
		if len(seen) != 4 || !got[">one"] || !got["<<one"] || !got[">two"] || !got["<two"] {
			t.Errorf("seen %q", seen)
		}
	})
}

// A client may leave any number in *fromLen, and the provider below may leave
// it there: an observed layer must not trust it, least of all on its worker.
func TestLayerShowsReceivesWithABadAddressLength(t *testing.T) {
	overBoth(t, func(t *testing.T, th *ws2.Thread) {
		client, server := pair(t, th)
		current.Lock()
		current.layer.Observe(func(*nonifs.Transfer) {})
		current.Unlock()
		for _, length := range []int32{-1, 1 << 30} {
			var n, flags uint32
			from := make([]byte, 28)
			ov := &spi.Overlapped{HEvent: newEvent(t, th)}
			bufs := []spi.Buf{spi.NewBuf(make([]byte, 4))}
			is(t, th.WSARecvFrom(server, bufs, &n, &flags, from, &length, ov, nil), spi.WSA_IO_PENDING)
			send(t, th, client, "four")
			await(t, th, ov.HEvent)
			send(t, th, client, "four")
			ok(t, th.WSARecvFrom(server, bufs, &n, &flags, from, &length, nil, nil))
		}
	})
}

func TestLayerCleanupClosesWhatIsLeft(t *testing.T) {
	overBoth(t, func(t *testing.T, th *ws2.Thread) {
		_, server := pair(t, th)
		ov := spi.Overlapped{HEvent: newEvent(t, th)}
		var flags uint32
		is(t, th.WSARecv(server, []spi.Buf{spi.NewBuf(make([]byte, 9))}, nil, &flags, &ov, nil), spi.WSA_IO_PENDING)
		l := current.layer
		ok(t, th.WSACleanup())
		if n := l.Sockets(); n != 0 {
			t.Errorf("%d sockets left", n)
		}
		if ov.InProgress() || spi.Errno(ov.OffsetHigh) != spi.WSA_OPERATION_ABORTED {
			t.Errorf("%+v", ov)
		}
		if i, _ := th.WSAWaitForMultipleEvents([]spi.Event{ov.HEvent}, true, 0, false); i != spi.WSA_WAIT_TIMEOUT {
			t.Errorf("the event is set: %#x", i)
		}
		ok(t, th.WSAStartup(spi.Version22, new(ws2.WSAData)))
		client, server := pair(t, th)
		send(t, th, client, "again")
		if got := recv(t, th, server); got != "again" {
			t.Errorf("got %q", got)
		}
	})
}
