//go:build linux

package trace

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"upcall.dev/catalog"
	"upcall.dev/layer/internal/layertest"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// start runs trace with options over a base through the real DLL; objects
// returns the lines so far.
func start(t *testing.T, base string, o spi.Options, below ...catalog.Layer) (dll *ws2.DLL, thread *ws2.Thread, objects func() []object) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trace")
	all := spi.Options{"file": path, "format": "json"}
	for k, v := range o {
		all[k] = v
	}
	dll, thread = layertest.Start(t, base, append([]catalog.Layer{{Name: "trace", Options: all}}, below...)...)
	return dll, thread, func() []object {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var all []object
		for line := range bytes.Lines(b) {
			var o object
			if err := json.Unmarshal(line, &o); err != nil {
				t.Fatalf("%v: %q", err, line)
			}
			all = append(all, o)
		}
		return all
	}
}

// find returns the first line of a call on a socket.
func find(objects []object, call string, s spi.Socket) (object, bool) {
	for _, o := range objects {
		if o.Call == call && o.Socket != nil && *o.Socket == uint64(s) {
			return o, true
		}
	}
	return object{}, false
}

func TestBehaviour021_TraceSeesCallsOnItsSockets(t *testing.T) {
	_, thread, objects := start(t, "kernel", nil)
	client, server := layertest.Pair(t, thread)
	if client >= 1<<32 || server >= 1<<32 {
		t.Errorf("sockets %#x and %#x: want descriptors, passed through", client, server)
	}
	if info := layertest.Info(t, thread, server); len(info.ProtocolChain.Entries()) != 2 || !info.IFS() {
		t.Errorf("the accepted socket is of %q", info.Name())
	}
	if _, err := thread.Send(client, []byte("hello"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := thread.Recv(server, make([]byte, 10), 0); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		call string
		s    spi.Socket
	}{{"WSPConnect", client}, {"WSPSend", client}, {"WSPRecv", server}} {
		o, ok := find(objects(), test.call, test.s)
		if !ok || o.Result != "ok" || o.Text != "" {
			t.Errorf("%s(%d): %+v", test.call, test.s, o)
		}
	}
}

func TestBehaviour027_ForeignDescriptorGoesThroughTrace(t *testing.T) {
	_, thread, objects := start(t, "kernel", nil)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := spi.Socket(fd)
	if err := thread.Bind(s, layertest.Loopback()); err != nil {
		t.Fatal(err)
	}
	if _, ok := find(objects(), "WSPBind", s); !ok {
		t.Error("the call on the foreign descriptor was not traced")
	}
	if info := layertest.Info(t, thread, s); len(info.ProtocolChain.Entries()) != 2 {
		t.Errorf("the foreign descriptor is of %q, want the chain", info.Name())
	}
	if err := thread.CloseSocket(s); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if err := thread.Listen(spi.Socket(file.Fd()), 1); !errors.Is(err, spi.WSAENOTSOCK) {
		t.Errorf("no socket: %v", err)
	}
}

// TestEveryTransferIsSeen runs trace with handles of its own, in each of the
// ways it comes to have them.
func TestEveryTransferIsSeen(t *testing.T) {
	for name, test := range map[string]struct {
		base  string
		o     spi.Options
		below []catalog.Layer
	}{
		"kernel":      {"kernel", spi.Options{"data": "on"}, nil},
		"memory":      {"memory", spi.Options{"data": "on"}, nil},
		"over itself": {"kernel", spi.Options{"data": "on"}, []catalog.Layer{{Name: "trace", Options: spi.Options{"data": "on", "calls": "cleanup"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, thread, objects := start(t, test.base, test.o, test.below...)
			client, server := layertest.Pair(t, thread)
			if client < 1<<32 || server < 1<<32 {
				t.Errorf("sockets %#x and %#x: want handles of the layer's own", client, server)
			}
			if _, err := thread.Send(client, []byte("hello"), 0); err != nil {
				t.Fatal(err)
			}
			if n, err := thread.Recv(server, make([]byte, 10), 0); err != nil || n != 5 {
				t.Fatal(n, err)
			}
			if o, ok := find(objects(), "WSPRecv", server); !ok || o.Text != "hello" {
				t.Errorf("receive: %+v", o)
			}
			if o, ok := find(objects(), "WSPSend", client); !ok || o.Text != "hello" {
				t.Errorf("send: %+v", o)
			}

			// An overlapped receive that has to wait.
			ev, err := thread.WSACreateEvent()
			if err != nil {
				t.Fatal(err)
			}
			ov := &spi.Overlapped{HEvent: ev}
			buf := make([]byte, 10)
			var flags uint32
			if err := thread.WSARecv(client, []spi.Buf{spi.NewBuf(buf)}, nil, &flags, ov, nil); !errors.Is(err, spi.WSA_IO_PENDING) {
				t.Fatal(err)
			}
			if _, err := thread.Send(server, []byte{0, 1, 2}, 0); err != nil {
				t.Fatal(err)
			}
			var n uint32
			if err := thread.WSAGetOverlappedResult(client, ov, &n, true, &flags); err != nil || n != 3 {
				t.Fatal(n, err)
			}
			if err := thread.WSACloseEvent(ev); err != nil {
				t.Fatal(err)
			}
			var pending, ended int
			for _, o := range objects() {
				if o.Call != "WSPRecv" || *o.Socket != uint64(client) {
					continue
				}
				if o.Result == "pending" {
					pending++
				}
				if o.Ended && o.Hex == "000102" && o.Seconds != nil {
					ended++
				}
			}
			if pending != 1 || ended != 1 {
				t.Errorf("%d lines of the pending call, %d of its end", pending, ended)
			}
		})
	}
}

func TestControlOverMemory(t *testing.T) {
	_, thread, objects := start(t, "memory", nil)
	client, server := layertest.Pair(t, thread)
	if _, err := thread.Send(client, []byte("hello"), 0); err != nil {
		t.Fatal(err)
	}
	if n, err := thread.Recv(server, make([]byte, 10), 0); err != nil || n != 5 {
		t.Fatal(n, err)
	}
	if o, ok := find(objects(), "WSPSend", client); !ok || o.Text != "" || *o.Bytes != 5 {
		t.Errorf("send: %+v", o)
	}
}

// TestOneLayerOverBothBases has one installation of trace in chains over two
// base providers, one with IFS handles and one without.
func TestOneLayerOverBothBases(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace")
	c := catalog.Default()
	bare := spi.ProtocolInfo{ServiceFlags1: spi.XP1_IFS_HANDLES, ProviderFlags: spi.PFL_HIDDEN}
	bare.SetName("trace")
	id, provider := spi.NewGUID(), spi.GoPath("trace", spi.Options{"file": path})
	trial := c.Clone()
	if errno := trial.InstallProvider(id, provider, []spi.ProtocolInfo{bare}); errno != 0 {
		t.Fatal(errno)
	}
	own := trial.ByProvider(id)[0].CatalogEntryID
	infos := []spi.ProtocolInfo{bare}
	for _, e := range c.Entries() {
		if e.AddressFamily == spi.AF_INET && e.SocketType == spi.SOCK_STREAM && e.Base() {
			chain := e.ProtocolInfo
			chain.ProtocolChain = spi.ProtocolChain{ChainLen: 2, ChainEntries: [spi.MaxProtocolChain]uint32{own, e.CatalogEntryID}}
			chain.SetName("trace over " + e.Name())
			infos = append(infos, chain)
		}
	}
	if errno := c.InstallProvider(id, provider, infos); errno != 0 {
		t.Fatal(errno)
	}
	_, thread := layertest.StartWith(t, c)
	var sockets []spi.Socket
	for _, e := range c.ByProvider(id)[1:] {
		listener, err := thread.WSASocket(-1, -1, -1, &e.ProtocolInfo, 0, spi.WSA_FLAG_OVERLAPPED)
		if err != nil {
			t.Fatal(err)
		}
		if err := thread.Bind(listener, layertest.Loopback()); err != nil {
			t.Fatal(err)
		}
		if err := thread.Listen(listener, 1); err != nil {
			t.Fatal(err)
		}
		client, err := thread.WSASocket(-1, -1, -1, &e.ProtocolInfo, 0, spi.WSA_FLAG_OVERLAPPED)
		if err != nil {
			t.Fatal(err)
		}
		if err := thread.Connect(client, layertest.Name(t, thread, listener)); err != nil {
			t.Fatal(err)
		}
		server, err := thread.Accept(listener, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if info := layertest.Info(t, thread, server); info.CatalogEntryID != e.CatalogEntryID {
			t.Errorf("the accepted socket is of %q, want %q", info.Name(), e.Name())
		}
		if ifs := client < 1<<32; ifs != e.IFS() {
			t.Errorf("over %q the handle is %#x", e.Name(), client)
		}
		if _, err := thread.Send(server, []byte("x"), 0); err != nil {
			t.Fatal(err)
		}
		if n, err := thread.Select(spi.NewFDSet(client), nil, nil, &spi.Timeval{Sec: 10}); err != nil || n != 1 {
			t.Fatalf("select over %q: %d, %v", e.Name(), n, err)
		}
		sockets = append(sockets, client)
	}
	if len(sockets) != 2 || sockets[0] >= 1<<32 == (sockets[1] >= 1<<32) {
		t.Errorf("sockets %#x: want one of each kind", sockets)
	}
	if _, err := thread.Select(spi.NewFDSet(sockets...), nil, nil, &spi.Timeval{Sec: 10}); !errors.Is(err, spi.WSAEINVAL) {
		t.Errorf("select over both: %v", err)
	}
	for _, s := range sockets {
		if err := thread.CloseSocket(s); err != nil {
			t.Error(err)
		}
	}
}

// ended starts an overlapped operation and waits for its end in one of the
// client's ways.
func ended(t *testing.T, dll *ws2.DLL, thread *ws2.Thread, way string, s spi.Socket, begin func(*spi.Overlapped, spi.CompletionRoutine) error, meanwhile func()) {
	t.Helper()
	ov := &spi.Overlapped{}
	ran := false
	var routine spi.CompletionRoutine
	var port ws2.Port
	var err error
	switch way {
	case "event":
		if ov.HEvent, err = thread.WSACreateEvent(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = thread.WSACloseEvent(ov.HEvent) }()
	case "routine":
		routine = func(spi.Errno, uint32, *spi.Overlapped, uint32) { ran = true }
	case "port":
		if port, err = dll.CreateIoCompletionPort(1); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = dll.CloseCompletionPort(port) }()
		if err := dll.AssociateCompletionPort(s, port, 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := begin(ov, routine); err != nil && !errors.Is(err, spi.WSA_IO_PENDING) {
		t.Fatal(err)
	}
	if meanwhile != nil {
		meanwhile()
	}
	var n, flags uint32
	switch way {
	case "routine":
		for range 1000 {
			if ran {
				break
			}
			thread.SleepEx(10, true)
		}
		if !ran {
			t.Fatal("the routine did not run")
		}
	case "port":
		if packet, err := thread.GetQueuedCompletionStatus(port, 10000); err != nil || packet.Overlapped != ov {
			t.Fatal(packet, err)
		}
	default:
		if err := thread.WSAGetOverlappedResult(s, ov, &n, true, &flags); err != nil {
			t.Fatal(err)
		}
	}
}

// The line of an operation's start, and how its end is shown.
func TestOperationsFromStartToEnd(t *testing.T) {
	for name, test := range map[string]struct {
		base string
		o    spi.Options
	}{
		"passed through": {"kernel", nil},
		"data":           {"kernel", spi.Options{"data": "on"}},
		"memory":         {"memory", nil},
	} {
		for _, way := range []string{"event", "routine", "port"} {
			t.Run(name+" "+way, func(t *testing.T) {
				dll, _, objects := start(t, test.base, test.o)
				thread := dll.BindThread()
				defer thread.Unbind()
				client, server := layertest.Pair(t, thread)
				buf := make([]byte, 10)
				ended(t, dll, thread, way, server, func(ov *spi.Overlapped, routine spi.CompletionRoutine) error {
					var flags uint32
					return thread.WSARecv(server, []spi.Buf{spi.NewBuf(buf)}, nil, &flags, ov, routine)
				}, func() {
					if _, err := thread.Send(client, []byte("hello"), 0); err != nil {
						t.Fatal(err)
					}
				})
				var pending, completed, asked int
				for _, o := range objects() {
					switch {
					case o.Call == "WSPRecv" && o.Result == "pending" && o.Code == int32(spi.WSA_IO_PENDING) && !o.Ended:
						pending++
					case o.Call == "WSPRecv" && o.Ended && o.Result == "ok" && *o.Bytes == 5 && o.Seconds != nil && *o.Seconds >= 0:
						completed++
						if (o.Text == "hello") != (test.o != nil) {
							t.Errorf("the end shows %q", o.Text)
						}
					case o.Call == "WSPGetOverlappedResult" && o.Of == "WSPRecv" && *o.Bytes == 5 && o.Since >= *o.Seconds:
						asked++
					}
				}
				want := [3]int{1, 1, 0}
				if name == "passed through" {
					switch way {
					case "event":
						want = [3]int{1, 0, 1}
					case "port":
						want = [3]int{1, 0, 0}
					}
				}
				if got := [3]int{pending, completed, asked}; got != want {
					t.Errorf("%d starts, %d ends, %d results of it, want %d", pending, completed, asked, want)
				}
			})
		}
	}
}

func TestExtensionsAreTraced(t *testing.T) {
	for name, test := range map[string]struct {
		base string
		o    spi.Options
	}{
		"passed through": {"kernel", nil},
		"data":           {"kernel", spi.Options{"data": "on"}},
		"memory":         {"memory", nil},
	} {
		t.Run(name, func(t *testing.T) {
			dll, thread, objects := start(t, test.base, test.o)
			listener, address := layertest.Listen(t, thread)
			accepted, client := layertest.Socket(t, thread, spi.SOCK_STREAM), layertest.Socket(t, thread, spi.SOCK_STREAM)
			if err := thread.Bind(client, layertest.Loopback()); err != nil {
				t.Fatal(err)
			}
			const room = 144
			var n uint32
			ended(t, dll, thread, "event", listener, func(ov *spi.Overlapped, _ spi.CompletionRoutine) error {
				return thread.AcceptEx(listener, accepted, make([]byte, 5+2*room), 5, room, room, &n, ov)
			}, func() {
				ended(t, dll, thread, "event", client, func(ov *spi.Overlapped, _ spi.CompletionRoutine) error {
					return thread.ConnectEx(client, address, []byte("hello"), &n, ov)
				}, nil)
			})
			for _, want := range []struct {
				call  string
				s     spi.Socket // of the line of its end
				start spi.Socket
			}{{"AcceptEx", accepted, listener}, {"ConnectEx", client, client}} {
				var began, completed, asked bool
				for _, o := range objects() {
					switch {
					case o.Call == want.call && !o.Ended && *o.Socket == uint64(want.start):
						began = true
					case o.Call == want.call && o.Ended && *o.Socket == uint64(want.s) && *o.Bytes == 5:
						completed = true
						if (o.Text == "hello") != (test.o != nil) {
							t.Errorf("the end of %s shows %q", want.call, o.Text)
						}
					case o.Call == "WSPGetOverlappedResult" && o.Of == want.call && *o.Bytes == 5:
						asked = true
					}
				}
				if !began || completed != (name != "passed through") || asked && completed {
					t.Errorf("%s: began %t, completed %t, asked for %t", want.call, began, completed, asked)
				}
			}
		})
	}
}
