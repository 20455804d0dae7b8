package ws2

import (
	"errors"
	"strings"
	"testing"
	"time"

	"upcall.dev/spi"
)

func TestRegisterWait(t *testing.T) {
	h := newHost(t)
	x := h.Exports()
	signals := 0
	ev, e := x.RegisterWait(func() { signals++ })
	want(t, e, 0)
	want(t, h.table.WPUSetEvent(ev), 0)
	want(t, h.table.WPUSetEvent(ev|1), 0) // set already: it signals again
	if signals != 2 || x.WaitForEvent(ev, 0) != spi.WSA_WAIT_EVENT_0 {
		t.Errorf("%d signals, want 2", signals)
	}
	want(t, h.table.WPUResetEvent(ev), 0)
	if x.WaitForEvent(ev, 0) != spi.WSA_WAIT_TIMEOUT {
		t.Error("still set")
	}
	want(t, h.table.WPUCloseEvent(ev), 0)
	want(t, h.table.WPUSetEvent(ev), spi.WSA_INVALID_HANDLE)
	if signals != 2 {
		t.Error("signalled by a reset, a close or a failed set")
	}
	if _, e := x.RegisterWait(nil); e != spi.WSAEFAULT {
		t.Error(e)
	}
}

// descriptorWatcher is a client that would wait for descriptors.
type descriptorWatcher struct{ spi.Watcher }

func TestRegisterWaitBy(t *testing.T) {
	h := newHost(t)
	x := h.Exports()
	by := &descriptorWatcher{}
	signals := 0
	ev, e := x.RegisterWaitBy(by, func() { signals++ })
	want(t, e, 0)
	want(t, h.table.WPUSetEvent(ev), 0)
	if signals != 1 {
		t.Errorf("%d signals, want 1", signals)
	}
	if got := x.EventWatcher(ev | 1); got != by {
		t.Errorf("%v waits, want %v", got, by)
	}
	want(t, h.table.WPUCloseEvent(ev), 0)
	plain, e := x.RegisterWait(func() {})
	want(t, e, 0)
	for _, other := range []spi.Event{ev, plain, 0, 4711} {
		if got := x.EventWatcher(other); got != nil {
			t.Errorf("%v waits for the event %#x", got, other)
		}
	}
	if _, e := x.RegisterWaitBy(nil, func() {}); e != spi.WSAEFAULT {
		t.Error(e)
	}
	if _, e := x.RegisterWaitBy(by, nil); e != spi.WSAEFAULT {
		t.Error(e)
	}
}

func TestWaitForEvent(t *testing.T) {
	h := newHost(t)
	x := h.Exports()
	for _, bad := range []spi.Event{0, 4711, ^spi.Event(0)} {
		if got := x.WaitForEvent(bad, spi.WSA_INFINITE); got != spi.WSA_WAIT_FAILED {
			t.Errorf("wait for %#x gives %#x", bad, got)
		}
	}
	ev, _ := h.table.WPUCreateEvent()
	go h.table.WPUSetEvent(ev)
	if got := x.WaitForEvent(ev|1, spi.WSA_INFINITE); got != spi.WSA_WAIT_EVENT_0 {
		t.Errorf("wait gives %#x", got)
	}
	want(t, h.table.WPUResetEvent(ev), 0)
	go h.table.WPUCloseEvent(ev)
	if got := x.WaitForEvent(ev, spi.WSA_INFINITE); got != spi.WSA_WAIT_FAILED {
		t.Errorf("wait gives %#x", got)
	}
}

func TestLoadProvider(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp())
	x := h.Exports()
	if infos := x.WSCEnumProtocols(); infos != nil {
		t.Errorf("%d entries before WSAStartup", len(infos))
	}
	for range 3 {
		if _, e := x.LoadProvider(f.id, f.path); e != 0 {
			t.Fatal(e)
		}
	}
	if f.loads.Load() != 1 {
		t.Errorf("loaded %d times", f.loads.Load())
	}
	if _, e := x.LoadProvider(spi.NewGUID(), f.path); e != 0 || f.loads.Load() != 2 {
		t.Errorf("another id is not another module: %v, %d loads", e, f.loads.Load())
	}
	for range 3 {
		if startup, e := x.LoadProvider(f.id, "/no/such.so"); startup != nil || e != spi.WSAEPROVIDERFAILEDINIT {
			t.Error(e)
		}
	}
	if logs := h.logged(); len(logs) != 1 || !strings.Contains(logs[0], "such.so") {
		t.Errorf("logged %q", logs)
	}
	// The start of a lower provider is guarded, too.
	f.starting = func() { panic("deep down") }
	startup, e := x.LoadProvider(f.id, f.path)
	want(t, e, 0)
	_, e = startup(spi.Version22, new(spi.WSPData), new(spi.ProtocolInfo), h.table, x)
	want(t, e, spi.WSAEPROVIDERFAILEDINIT)
}

// driver is what the tests' Go driver loads.
var driver struct {
	opened int
	fake   *fake
}

func init() {
	spi.Register(spi.Driver{
		Name:    "ws2test",
		Options: []spi.Option{{Name: "mood"}},
		Open: func(m spi.Module) (spi.StartupFunc, error) {
			driver.opened++
			switch m.Options["mood"] {
			case "bad":
				return nil, errors.New("in a bad mood")
			case "mad":
				panic("mad")
			}
			return driver.fake.WSPStartup, nil
		},
	})
}

func TestGoDriver(t *testing.T) {
	h := newHost(t)
	install := func(options spi.Options, infos ...spi.ProtocolInfo) *fake {
		f := h.fake("driver")
		f.echo()
		f.path = spi.GoPath("ws2test", options)
		return h.install(f, infos)
	}
	driver.opened = 0
	driver.fake = install(nil, tcp(), udp())
	install(spi.Options{"mood": "bad"}, entryOf("bad", spi.AF_INET, spi.SOCK_RAW, 1, 0))
	install(spi.Options{"mood": "mad"}, entryOf("mad", spi.AF_INET, spi.SOCK_RAW, 2, 0))
	install(spi.Options{"mod": "x"}, entryOf("typo", spi.AF_INET, spi.SOCK_RAW, 3, 0))
	thread := h.up()
	mustSocket(t, thread)
	if _, err := thread.Socket(spi.AF_INET, spi.SOCK_DGRAM, 0); err != nil || driver.opened != 1 {
		t.Errorf("%v; opened %d times", err, driver.opened)
	}
	for protocol, text := range map[int32]string{1: "in a bad mood", 2: "panicked", 3: `no option "mod"`} {
		_, err := thread.Socket(spi.AF_INET, spi.SOCK_RAW, protocol)
		wantCode(t, thread, err, spi.WSAEPROVIDERFAILEDINIT)
		if !strings.HasPrefix(err.Error(), "provider ws2test: cannot be loaded: ") || !strings.Contains(err.Error(), text) {
			t.Errorf("the error is %q, want %q in it", err, text)
		}
	}
}

// A provider that does not come back from WSPCleanup does not hold WSACleanup up.
func TestCleanupThatHangs(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("sleeper", tcp())
	release, done := make(chan struct{}), make(chan struct{})
	f.LpWSPCleanup = func() spi.Errno { defer close(done); <-release; return 0 }
	thread := h.up()
	mustSocket(t, thread)
	h.config.StartTimeout = time.Millisecond
	wantCode(t, thread, thread.WSACleanup(), 0)
	if logs := h.logged(); len(logs) != 1 || !strings.Contains(logs[0], "WSPCleanup") {
		t.Errorf("logged %q", logs)
	}
	close(release)
	<-done
}

// A provider whose WSPCleanup fails, or panics, is named in the log.
func TestCleanupThatFails(t *testing.T) {
	for _, fail := range []func() spi.Errno{
		func() spi.Errno { return spi.WSANOTINITIALISED },
		func() spi.Errno { panic("too late") },
	} {
		h := newHost(t)
		f := h.nonIFS("sloppy", tcp())
		f.LpWSPCleanup = fail
		thread := h.up()
		mustSocket(t, thread)
		wantCode(t, thread, thread.WSACleanup(), 0)
		if logs := h.logged(); len(logs) == 0 || !strings.Contains(logs[0], "sloppy.so") {
			t.Errorf("logged %q", logs)
		}
	}
}
