package ws2

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/spi"
)

// wantStartFailure fails the test unless a socket fails with a ProviderError of
// that code whose message has text.
func wantStartFailure(t *testing.T, thread *Thread, want spi.Errno, text string) {
	t.Helper()
	_, err := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
	wantCode(t, thread, err, want)
	var provider *ProviderError
	if !errors.As(err, &provider) || !errors.Is(err, want) || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "\n") {
		t.Errorf("the error is %q, want one line with %q", err, text)
	}
}

func TestBehaviour063_ProviderDoesNotLoadOrStart(t *testing.T) {
	t.Run("missing", func(t *testing.T) {
		h := newHost(t)
		f := h.nonIFS("echo", tcp())
		delete(h.fakes, f.path)
		thread := h.up()
		wantStartFailure(t, thread, spi.WSAEPROVIDERFAILEDINIT, "no such file")
		wantStartFailure(t, thread, spi.WSAEPROVIDERFAILEDINIT, "no such file")
		if logs := h.logged(); len(logs) != 0 {
			t.Errorf("logged %q, which the caller was told", logs)
		}
		h.fakes[f.path] = f // it is tried again each time
		mustSocket(t, thread)
	})
	t.Run("no loader", func(t *testing.T) {
		h := newHost(t)
		h.nonIFS("echo", tcp())
		h.config.LoadLibrary = nil
		wantStartFailure(t, h.up(), spi.WSAEPROVIDERFAILEDINIT, "shared object")
	})
	t.Run("no such driver", func(t *testing.T) {
		h := newHost(t)
		f := h.fake("echo")
		f.path = "go:nosuchdriver?a=b"
		h.install(f, []spi.ProtocolInfo{tcp()})
		wantStartFailure(t, h.up(), spi.WSAEPROVIDERFAILEDINIT, "nosuchdriver")
	})
	t.Run("WSPStartup fails", func(t *testing.T) {
		h := newHost(t)
		h.nonIFS("echo", tcp()).startCode = spi.WSAEPROCLIM
		thread := h.up()
		wantStartFailure(t, thread, spi.WSAEPROVIDERFAILEDINIT, "WSAEPROCLIM")
		_, err := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
		if !errors.Is(err, spi.WSAEPROCLIM) {
			t.Error("the cause is lost")
		}
	})
	t.Run("WSPStartup panics", func(t *testing.T) {
		h := newHost(t)
		h.nonIFS("echo", tcp()).starting = func() { panic("at birth") }
		wantStartFailure(t, h.up(), spi.WSAEPROVIDERFAILEDINIT, "panicked in WSPStartup: at birth")
		if logs := strings.Join(h.logged(), "\n"); !strings.Contains(logs, "at birth") || !strings.Contains(logs, "load_test.go") {
			t.Errorf("logged %q", logs)
		}
	})
}

func TestStartTimeout(t *testing.T) {
	h := newHost(t)
	entered, release := make(chan struct{}, 2), make(chan struct{})
	f := h.nonIFS("sleeper", tcp())
	f.starting = func() { entered <- struct{}{}; <-release }
	h.config.StartTimeout = time.Millisecond
	thread := h.up()
	wantStartFailure(t, thread, spi.WSAEPROVIDERFAILEDINIT, "has not answered WSPStartup within 1ms")
	wantStartFailure(t, thread, spi.WSAEPROVIDERFAILEDINIT, "has not answered WSPStartup within 1ms")
	<-entered
	if f.starts.Load() != 1 {
		t.Error("started again while the first start hangs")
	}
	// It answers after the last WSACleanup, and is ended at once.
	wantCode(t, thread, thread.WSACleanup(), 0)
	if f.cleanups.Load() != 0 {
		t.Error("ended before it has started")
	}
	h.config.StartTimeout = 0
	wantCode(t, thread, thread.WSAStartup(spi.Version22, new(WSAData)), 0)
	close(release)
	mustSocket(t, thread) // a new start, of the new start-up
	for range 5000 {
		if f.cleanups.Load() != 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("the late provider was not ended")
}

func TestBehaviour064_WrongVersion(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("old", tcp())
	f.version = 0x0002 // 2.0
	wantStartFailure(t, h.up(), spi.WSAEINVALIDPROVIDER, "version 2.0")
	if f.requested[0] != 0x0202 {
		t.Errorf("requested version %#x", f.requested[0])
	}
	if f.cleanups.Load() != 1 {
		t.Errorf("WSPCleanup was called %d times, want 1", f.cleanups.Load())
	}
}

func TestBehaviour065_MissingFunction(t *testing.T) {
	for _, remove := range []func(f *fake){
		func(f *fake) { f.LpWSPGetQOSByName = nil },
		func(f *fake) { f.LpWSPCleanup = nil },
	} {
		h := newHost(t)
		remove(h.nonIFS("torn", tcp()))
		wantStartFailure(t, h.up(), spi.WSAEINVALIDPROCTABLE, "thirty functions")
	}
}

func TestBehaviour066_ProvidersAreAskedFor22(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	mustSocket(t, h.upAs(0x0101))
	if f.requested[0] != 0x0202 {
		t.Errorf("requested version %#x", f.requested[0])
	}
}

func TestBehaviour067_OneProviderPerID(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp(), udp())
	thread := h.up()
	var wg sync.WaitGroup
	for _, typ := range []int32{spi.SOCK_STREAM, spi.SOCK_DGRAM, spi.SOCK_STREAM, spi.SOCK_DGRAM} {
		wg.Go(func() {
			if _, err := h.Unbound().Socket(spi.AF_INET, typ, 0); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if f.loads.Load() != 1 || f.starts.Load() != 1 {
		t.Errorf("%d loads, %d starts; want 1 and 1", f.loads.Load(), f.starts.Load())
	}
	wantCode(t, thread, thread.WSACleanup(), 0)
	if f.cleanups.Load() != 1 {
		t.Errorf("%d cleanups", f.cleanups.Load())
	}
}

func TestBehaviour069_ChainEntryAndBaseEntry(t *testing.T) {
	h := newHost(t)
	base := h.nonIFS("echo", tcp())
	lower := h.layer("lower", 0, tcp())
	upper := h.layer("upper", 0, tcp())
	down := func(f *fake) {
		f.LpWSPSocket = func(af, typ, protocol int32, info *spi.ProtocolInfo, g spi.Group, flags uint32) (spi.Socket, spi.Errno) {
			next, below, err := f.startNext(info)
			if err != nil {
				t.Error(err)
				return spi.InvalidSocket, spi.WSAEPROVIDERFAILEDINIT
			}
			if _, e := next.WSPSocket(af, typ, protocol, below, g, flags); e != 0 {
				return spi.InvalidSocket, e
			}
			return f.upcalls.WPUCreateSocketHandle(f.ids[0], 1)
		}
	}
	down(upper)
	down(lower)
	thread := h.up()
	s := mustSocket(t, thread)
	chain := h.handles.find(s)
	if chain.provider.name != "upper.so" {
		t.Errorf("the socket is %s's", chain.provider.name)
	}
	for _, f := range []*fake{upper, lower, base} {
		if f.starts.Load() != 1 || f.loads.Load() != 1 {
			t.Fatalf("%s: %d starts, %d loads", f.path, f.starts.Load(), f.loads.Load())
		}
	}
	top := upper.infos[0]
	if top.ProtocolChain.ChainLen != 3 || top.ProviderID != upper.id || lower.infos[0] != top {
		t.Error("the layers did not both get the chain entry")
	}
	if base.infos[0].CatalogEntryID != base.ids[0] {
		t.Error("the base did not get its own entry")
	}
}

func TestBehaviour070_ProviderPath(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	h.up()
	path := make([]uint16, 260)
	length := int32(len(path))
	want(t, h.table.WPUGetProviderPath(&f.id, path, &length), 0)
	if got := spi.UTF16ToString(path); got != "%FAKES%/echo.so" {
		t.Errorf("path %q, want it unexpanded", got)
	}
	if int(length) != len("%FAKES%/echo.so")+1 || path[length-1] != 0 {
		t.Errorf("length %d, want it with the NUL", length)
	}
}

func TestBehaviour071_ProviderPathRefusals(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	path, length := make([]uint16, 260), int32(260)
	want(t, h.table.WPUGetProviderPath(&f.id, path, &length), spi.WSANOTINITIALISED)
	h.up()
	needed := int32(len(f.path) + 1)
	for _, size := range []int32{0, 1, needed - 1} {
		length = size
		want(t, h.table.WPUGetProviderPath(&f.id, path[:size], &length), spi.WSAEFAULT)
		if length != needed {
			t.Errorf("length %d, want %d", length, needed)
		}
	}
	length = needed
	want(t, h.table.WPUGetProviderPath(&f.id, path[:needed], &length), 0)
	unknown := spi.NewGUID()
	want(t, h.table.WPUGetProviderPath(&unknown, path, &length), spi.WSAEINVAL)
	want(t, h.table.WPUGetProviderPath(nil, path, &length), spi.WSAEFAULT)
	want(t, h.table.WPUGetProviderPath(&f.id, path, nil), spi.WSAEFAULT)
}

func TestLibraryPathIsExpanded(t *testing.T) {
	h := newHost(t)
	h.nonIFS("echo", tcp())
	t.Setenv("FAKES", "/opt/fakes")
	asked := ""
	h.config.LoadLibrary = func(path string) (spi.StartupFunc, error) { asked = path; return nil, os.ErrNotExist }
	wantStartFailure(t, h.up(), spi.WSAEPROVIDERFAILEDINIT, "not exist")
	if asked != "/opt/fakes/echo.so" {
		t.Errorf("loaded %q", asked)
	}
}

// A provider's panic becomes an error of that call, and is logged once.
func TestPanicInProvider(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("shaky", tcp())
	f.LpWSPListen = func(spi.Socket, int32) spi.Errno { panic("out of luck") }
	f.LpWSPAccept = func(spi.Socket, []byte, *int32, spi.ConditionFunc, uintptr) (spi.Socket, spi.Errno) {
		var missing *fake
		return spi.Socket(missing.ids[0]), 0
	}
	thread := h.up()
	s := mustSocket(t, thread)
	for range 3 {
		wantCode(t, thread, thread.Listen(s, 1), spi.WSASYSCALLFAILURE)
	}
	accepted, err := thread.Accept(s, nil, nil)
	wantCode(t, thread, err, spi.WSASYSCALLFAILURE)
	if accepted != spi.InvalidSocket {
		t.Errorf("accepted %#x", accepted)
	}
	logs := h.logged()
	if len(logs) != 2 {
		t.Fatalf("logged %d messages, want one for each function: %q", len(logs), logs)
	}
	for i, parts := range [][]string{{"shaky.so", "WSPListen", "out of luck", "load_test.go"}, {"shaky.so", "WSPAccept", "nil pointer"}} {
		for _, part := range parts {
			if !strings.Contains(logs[i], part) {
				t.Errorf("message %d has no %q", i, part)
			}
		}
	}
	n, err := thread.Send(s, []byte("still alive"), 0)
	if n != 11 || err != nil {
		t.Error(n, err)
	}
}

// A handle that the provider has not registered is not handed to the client.
func TestUnregisteredHandle(t *testing.T) {
	h := newHost(t)
	f := h.ifs("sloppy", tcp())
	closedHandle := spi.InvalidSocket
	f.LpWSPSocket = func(int32, int32, int32, *spi.ProtocolInfo, spi.Group, uint32) (spi.Socket, spi.Errno) {
		return 1234, 0
	}
	f.LpWSPCloseSocket = func(s spi.Socket) spi.Errno { closedHandle = s; return 0 }
	thread := h.up()
	s, err := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
	wantCode(t, thread, err, spi.WSASYSCALLFAILURE)
	if s != spi.InvalidSocket || closedHandle != 1234 || len(h.logged()) != 1 {
		t.Errorf("socket %#x, closed %#x, logged %q", s, closedHandle, h.logged())
	}
}

func TestUnreadableCatalog(t *testing.T) {
	d := New(Config{Catalog: brokenSource{}})
	thread := d.BindThread()
	defer thread.Unbind()
	err := thread.WSAStartup(spi.Version22, new(WSAData))
	wantCode(t, thread, err, spi.WSASYSNOTREADY)
	if !errors.Is(err, os.ErrPermission) {
		t.Errorf("the error is %q", err)
	}
	wantCode(t, thread, thread.WSACleanup(), spi.WSANOTINITIALISED)
	none := New(Config{})
	wantCode(t, none.Unbound(), none.Unbound().WSAStartup(spi.Version22, new(WSAData)), spi.WSASYSNOTREADY)
}

type brokenSource struct{}

func (brokenSource) Load() (*catalog.Catalog, error) { return nil, os.ErrPermission }
