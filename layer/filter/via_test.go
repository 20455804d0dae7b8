package filter

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/layer/internal/layertest"
	"upcall.dev/layer/names"
	_ "upcall.dev/layer/shape"
	_ "upcall.dev/layer/trace"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// chains returns a catalog whose first entries are chains of the filter over the
// bases, under the layers above, and which has others to go to.
func chains(t testing.TB, o spi.Options, others []catalog.Layer, above ...catalog.Layer) *catalog.Catalog {
	t.Helper()
	c := catalog.Default()
	for _, l := range others {
		basesFirst(t, c)
		if _, err := c.InstallLayer(l); err != nil {
			t.Fatal(err)
		}
	}
	basesFirst(t, c)
	for _, l := range append([]catalog.Layer{filtering(o)}, above...) {
		if _, err := c.InstallLayer(l); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func basesFirst(t testing.TB, c *catalog.Catalog) {
	t.Helper()
	var bases, rest []uint32
	for _, e := range c.Entries() {
		if e.Base() {
			bases = append(bases, e.CatalogEntryID)
		} else {
			rest = append(rest, e.CatalogEntryID)
		}
	}
	if errno := c.WriteProviderOrder(slices.Concat(bases, rest)); errno != 0 {
		t.Fatal(errno)
	}
}

func tracing(t testing.TB) (catalog.Layer, func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trace")
	return catalog.Layer{Name: "trace", Options: spi.Options{"file": path}}, func() string {
		b, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return string(b)
	}
}

// server listens on every address of the loopback, straight over the kernel.
func server(t testing.TB, thread *ws2.Thread, c *catalog.Catalog, name string) (l spi.Socket, port uint16) {
	t.Helper()
	l = entrySocket(t, thread, c, name)
	if err := thread.Bind(l, address("0.0.0.0:0")); err != nil {
		t.Fatal(err)
	}
	if err := thread.Listen(l, 10); err != nil {
		t.Fatal(err)
	}
	at, _ := spi.AddrPortFrom(layertest.Name(t, thread, l))
	return l, at.Port()
}

func entrySocket(t testing.TB, thread *ws2.Thread, c *catalog.Catalog, name string) spi.Socket {
	t.Helper()
	for _, e := range c.Entries() {
		if e.Name() == name {
			s, err := thread.WSASocket(-1, -1, -1, &e.ProtocolInfo, 0, spi.WSA_FLAG_OVERLAPPED)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	}
	t.Fatalf("no entry %q", name)
	return 0
}

// talk exchanges a few bytes between a client and the next one that l accepts.
func talk(t testing.TB, thread *ws2.Thread, l, client spi.Socket) {
	t.Helper()
	a, err := thread.Accept(l, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := thread.Send(client, []byte("hello"), 0); err != nil {
		t.Fatal(err)
	}
	if n, err := thread.Recv(a, make([]byte, 10), 0); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	shut(t, thread, a)
	if n, err := thread.Recv(client, make([]byte, 10), 0); n != 0 || err != nil {
		t.Fatal(n, err)
	}
}

const viaTrace = `
[[rule]]
address = "127.0.0.2"
via = "trace"
`

func TestViaIFSChain(t *testing.T) {
	other, below := tracing(t)
	upper, above := tracing(t)
	for _, own := range []string{"passed", "own"} {
		t.Run(own, func(t *testing.T) {
			c := chains(t, spi.Options{"rules": rules(t, viaTrace), "handles": own}, []catalog.Layer{other}, upper)
			dll, thread := layertest.StartWith(t, c)
			l, port := server(t, thread, c, "Linux TCP/IPv4")
			direct, through := layertest.Socket(t, thread, spi.SOCK_STREAM), layertest.Socket(t, thread, spi.SOCK_STREAM)
			if err := thread.Connect(direct, address(fmt.Sprint("127.0.0.1:", port))); err != nil {
				t.Fatal(err)
			}
			talk(t, thread, l, direct)
			before := strings.Count(below(), "WSPConnect")
			if err := thread.Connect(through, address(fmt.Sprint("127.0.0.2:", port))); err != nil {
				t.Fatal(err)
			}
			talk(t, thread, l, through)
			if after := strings.Count(below(), "WSPConnect("); after != before+1 {
				t.Errorf("the other chain has seen %d connects, want 1 more than %d:\n%s", after, before, below())
			}
			if strings.Contains(below(), "127.0.0.1:") {
				t.Errorf("the other chain has seen the direct connect:\n%s", below())
			}
			if info := layertest.Info(t, thread, through); info.Name() != "trace 2 over [filter over [Linux TCP/IPv4]]" {
				t.Errorf("the socket is of %q", info.Name())
			}
			n := strings.Count(above(), "WSPSend(")
			ev, err := thread.WSACreateEvent()
			if err != nil {
				t.Fatal(err)
			}
			ex := bound(t, thread, spi.SOCK_STREAM, "127.0.0.1:0")
			ov := &spi.Overlapped{HEvent: ev}
			var sent, flags uint32
			if err := thread.ConnectEx(ex, address(fmt.Sprint("127.0.0.2:", port)), nil, &sent, ov); err != nil && !errors.Is(err, spi.WSA_IO_PENDING) {
				t.Fatal(err)
			}
			if err := thread.WSAGetOverlappedResult(ex, ov, &sent, true, &flags); err != nil {
				t.Fatal(err)
			}
			talk(t, thread, l, ex)
			if got := strings.Count(above(), "WSPSend("); got <= n {
				t.Error("the layer above sees no send of a socket that has gone to another chain")
			}
			if got := strings.Count(below(), "ConnectEx(") + strings.Count(below(), "WSPConnect("); got < before+2 {
				t.Errorf("the other chain has not seen ConnectEx:\n%s", below())
			}
			_ = thread.WSACloseEvent(ev)
			shut(t, thread, direct, through, ex, l)
			_ = dll
		})
	}
}

// A connect that fails in one chain may be repeated in another.
func TestViaThenDirect(t *testing.T) {
	other, below := tracing(t)
	c := chains(t, spi.Options{"rules": rules(t, viaTrace)}, []catalog.Layer{other})
	_, thread := layertest.StartWith(t, c)
	l, port := server(t, thread, c, "Linux TCP/IPv4")
	s := layertest.Socket(t, thread, spi.SOCK_STREAM)
	if err := thread.Connect(s, address("127.0.0.2:1")); !errors.Is(err, spi.WSAECONNREFUSED) {
		t.Fatal(err)
	}
	if err := thread.Connect(s, address(fmt.Sprint("127.0.0.1:", port))); err != nil {
		t.Fatal(err)
	}
	talk(t, thread, l, s)
	if got := strings.Count(below(), "WSPConnect("); got != 1 {
		t.Errorf("the other chain has seen %d connects:\n%s", got, below())
	}
	shut(t, thread, s, l)
}

func TestViaNonIFSChain(t *testing.T) {
	text := `
[[rule]]
address = "127.0.0.2"
via = "shape"

[[rule]]
address = "127.0.0.3"
via = "memory"
`
	c := chains(t, spi.Options{"rules": rules(t, text), "handles": "own"}, []catalog.Layer{{Name: "shape", Options: spi.Options{"delay": "1ms"}}})
	_, thread := layertest.StartWith(t, c)
	l, port := server(t, thread, c, "Linux TCP/IPv4")
	for _, to := range []string{"127.0.0.1", "127.0.0.2"} {
		s := layertest.Socket(t, thread, spi.SOCK_STREAM)
		if err := thread.Connect(s, address(fmt.Sprint(to, ":", port))); err != nil {
			t.Fatal(to, err)
		}
		talk(t, thread, l, s)
		shut(t, thread, s)
	}
	m := entrySocket(t, thread, c, "Memory stream, IPv4")
	if err := thread.Bind(m, address("127.0.0.3:7")); err != nil {
		t.Fatal(err)
	}
	if err := thread.Listen(m, 1); err != nil {
		t.Fatal(err)
	}
	s := bound(t, thread, spi.SOCK_STREAM, "127.0.0.3:0")
	setNonblocking(t, thread, s)
	if err := thread.Connect(s, address("127.0.0.3:7")); err != nil && !errors.Is(err, spi.WSAEWOULDBLOCK) {
		t.Fatal(err)
	}
	if n, err := thread.Select(nil, spi.NewFDSet(s), nil, &spi.Timeval{Sec: 10}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	off := uint32(0)
	if err := thread.IoctlSocket(s, spi.FIONBIO, &off); err != nil {
		t.Fatal(err)
	}
	talk(t, thread, m, s)
	shut(t, thread, s, m, l)
}

func TestDatagramsGoThroughSeveralChains(t *testing.T) {
	for _, handles := range []string{"own", "datagrams"} {
		t.Run(handles, func(t *testing.T) { datagramsGoThroughSeveralChains(t, handles) })
	}
}

func datagramsGoThroughSeveralChains(t *testing.T, handles string) {
	text := `
[[rule]]
address = "udp:127.0.0.3"
via = "memory"
`
	c := chains(t, spi.Options{"rules": rules(t, text), "handles": handles}, nil)
	for _, problem := range c.Check() {
		t.Error(problem)
	}
	_, thread := layertest.StartWith(t, c)
	near := entrySocket(t, thread, c, "Linux UDP/IPv4")
	if err := thread.Bind(near, address("127.0.0.1:0")); err != nil {
		t.Fatal(err)
	}
	far := entrySocket(t, thread, c, "Memory datagrams, IPv4")
	if err := thread.Bind(far, address("127.0.0.3:0")); err != nil {
		t.Fatal(err)
	}
	s := layertest.Socket(t, thread, spi.SOCK_DGRAM)
	for range 2 {
		for _, peer := range []spi.Socket{near, far} {
			to := layertest.Name(t, thread, peer)
			if _, err := thread.SendTo(s, []byte("ping"), 0, to); err != nil {
				t.Fatal(err)
			}
			from, length := make([]byte, 128), int32(128)
			if n, err := thread.RecvFrom(peer, make([]byte, 10), 0, from, &length); n != 4 || err != nil {
				t.Fatal(n, err)
			}
			if _, err := thread.SendTo(peer, []byte("pong!"), 0, from[:length]); err != nil {
				t.Fatal(err)
			}
			length = 128
			if n, err := thread.RecvFrom(s, make([]byte, 10), 0, from, &length); n != 5 || err != nil {
				t.Fatal(n, err)
			}
			if !bytes.Equal(from[:length], to) {
				t.Errorf("received from %s, want %s", spi.AddressString(from[:length]), spi.AddressString(to))
			}
		}
	}
	if err := thread.Connect(s, layertest.Name(t, thread, far)); !errors.Is(err, spi.WSAENETUNREACH) {
		t.Errorf("connecting a used socket to another chain: %v", err)
	}
	stream := layertest.Socket(t, thread, spi.SOCK_STREAM)
	if own := stream >= 1<<32; own != (handles == "own") || s < 1<<32 {
		t.Errorf("the stream is %#x, the datagram socket %#x", stream, s)
	}
	_, err := thread.Select(spi.NewFDSet(stream, s), nil, nil, &spi.Timeval{})
	if mixed := errors.Is(err, spi.WSAEINVAL); mixed != (handles == "datagrams") {
		t.Errorf("select among both: %v", err)
	}
	if n, err := thread.Select(nil, spi.NewFDSet(s), nil, &spi.Timeval{Sec: 10}); n != 1 || err != nil {
		t.Errorf("select: %d, %v", n, err)
	}
	shut(t, thread, stream, s, near, far)
}

// said returns what is logged while f runs.
func said(f func()) string {
	var b bytes.Buffer
	log.SetOutput(&b)
	defer log.SetOutput(os.Stderr)
	f()
	return b.String()
}

func TestChainsThatCannotBe(t *testing.T) {
	for name, test := range map[string]struct {
		via, handles string
		over         string
		want         string
	}{
		"unknown":      {"nobody", "passed", "", `rules.toml line 1: the catalog has no chain "nobody": upcall catalog list shows them`},
		"non-IFS":      {"shape", "passed", "", `has handles of its own, which a filter that passes handles through cannot give: set its option handles=own, or handles=datagrams for UDP`},
		"itself":       {"filter", "passed", "", `rules.toml line 1: the chain "filter over [Linux TCP/IPv4]" comes to this filter again`},
		"another base": {"memory", "passed", "", `has handles of its own`},
		"over memory":  {"kernel", "passed", "memory", `sockets without IFS handles cannot change to the chain`},
	} {
		t.Run(name, func(t *testing.T) {
			c := chains(t, spi.Options{"rules": rules(t, "[[rule]]\nvia = '"+test.via+"'\n"), "handles": test.handles}, []catalog.Layer{{Name: "shape"}})
			if test.over == "memory" {
				c = catalog.Default()
				var order []uint32
				for _, e := range c.Entries() {
					if strings.HasPrefix(e.Name(), "Memory") {
						order = append([]uint32{e.CatalogEntryID}, order...)
					} else {
						order = append(order, e.CatalogEntryID)
					}
				}
				if errno := c.WriteProviderOrder(order); errno != 0 {
					t.Fatal(errno)
				}
				if _, err := c.InstallLayer(filtering(spi.Options{"rules": rules(t, "[[rule]]\nvia = 'kernel'\n")})); err != nil {
					t.Fatal(err)
				}
			}
			_, thread := layertest.StartWith(t, c)
			var err error
			text := said(func() { _, err = thread.Socket(spi.AF_INET, spi.SOCK_STREAM, 0) })
			if !errors.Is(err, spi.WSAEPROVIDERFAILEDINIT) || !strings.Contains(text, test.want) {
				t.Errorf("%v, said %q", err, text)
			}
		})
	}
}

// Two filters that send to each other's chains are a loop too.
func TestLoopOfTwoFilters(t *testing.T) {
	first := rules(t, "[[rule]]\naddress = '127.0.0.2'\nvia = 'filter 2'\n")
	second := rules(t, "[[rule]]\naddress = '127.0.0.3'\nvia = 'filter'\n")
	c := chains(t, spi.Options{"rules": first}, nil)
	basesFirst(t, c)
	if _, err := c.InstallLayer(filtering(spi.Options{"rules": second})); err != nil {
		t.Fatal(err)
	}
	_, thread := layertest.StartWith(t, c)
	var err error
	text := said(func() { _, err = thread.Socket(spi.AF_INET, spi.SOCK_STREAM, 0) })
	if !errors.Is(err, spi.WSAEPROVIDERFAILEDINIT) || !strings.Contains(text, `comes to this filter again`) {
		t.Errorf("%v, said %q", err, text)
	}
}

// An address that stands for a name goes to no chain without a proxy.
func TestMadeUpAddressStays(t *testing.T) {
	to, err := names.Default.Assign("made-up.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, own := range []string{"passed", "own"} {
		t.Run(own, func(t *testing.T) {
			c := chains(t, spi.Options{"rules": rules(t, "[[rule]]\naddress = 'made-up.example'\nvia = 'kernel'\n"), "handles": own}, nil)
			_, thread := layertest.StartWith(t, c)
			s := layertest.Socket(t, thread, spi.SOCK_STREAM)
			var err error
			text := said(func() { err = thread.Connect(s, spi.SockaddrFrom(netip.AddrPortFrom(to, 80))) })
			if !errors.Is(err, spi.WSAENETDOWN) || !strings.Contains(text, "stands for a name that only a proxy can look up") {
				t.Errorf("%v, said %q", err, text)
			}
			shut(t, thread, s)
		})
	}
}
