package ws2

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"upcall.dev/spi"
)

func TestBehaviour056_ProtocolZero(t *testing.T) {
	for _, flags := range []uint32{0, spi.PFL_MATCHES_PROTOCOL_ZERO} {
		h := newHost(t)
		h.nonIFS("echo", entryOf("TCP", spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP, flags))
		thread := h.up()
		_, err := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
		if flags == 0 {
			wantCode(t, thread, err, spi.WSAEPROTONOSUPPORT)
		} else {
			wantCode(t, thread, err, 0)
		}
	}
}

func TestBehaviour057_NothingMatches(t *testing.T) {
	h := newHost(t)
	h.nonIFS("echo", tcp(), udp(), entryOf("raw", spi.AF_INET6, spi.SOCK_RAW, 58, 0))
	thread := h.up()
	for _, c := range []struct {
		af, typ, protocol int32
		want              spi.Errno
	}{
		{99, spi.SOCK_STREAM, spi.IPPROTO_TCP, spi.WSAEAFNOSUPPORT},
		{99, 99, 99, spi.WSAEAFNOSUPPORT},
		{-1, -1, -1, spi.WSAEAFNOSUPPORT},
		{spi.AF_INET, spi.SOCK_SEQPACKET, spi.IPPROTO_TCP, spi.WSAESOCKTNOSUPPORT},
		{spi.AF_INET6, spi.SOCK_STREAM, spi.IPPROTO_TCP, spi.WSAESOCKTNOSUPPORT},
		{spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_UDP, spi.WSAEPROTOTYPE},
		{spi.AF_INET, spi.SOCK_DGRAM, spi.IPPROTO_TCP, spi.WSAEPROTOTYPE},
		{spi.AF_INET, spi.SOCK_STREAM, 99, spi.WSAEPROTONOSUPPORT},
		{spi.AF_INET6, spi.SOCK_RAW, 0, spi.WSAEPROTONOSUPPORT},
		{spi.AF_INET, spi.SOCK_STREAM, -1, spi.WSAEPROTONOSUPPORT},
	} {
		_, err := thread.Socket(c.af, c.typ, c.protocol)
		wantCode(t, thread, err, c.want)
	}
	if h.fakes["%FAKES%/echo.so"].loads.Load() != 0 {
		t.Error("a failed choice loaded the provider")
	}
}

func TestBehaviour057a_Unspecified(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp(), udp())
	thread := h.up()
	_, err := thread.Socket(0, 0, 0)
	wantCode(t, thread, err, spi.WSAEINVAL)
	_, err = thread.Socket(0, spi.SOCK_DGRAM, spi.IPPROTO_UDP)
	wantCode(t, thread, err, 0)
	if got := f.infos[0].CatalogEntryID; got != f.ids[1] {
		t.Errorf("entry %d, want the first UDP entry %d", got, f.ids[1])
	}
}

func TestBehaviour058_ProtocolRange(t *testing.T) {
	h := newHost(t)
	info := entryOf("raw", spi.AF_INET, spi.SOCK_RAW, 100, 0)
	info.ProtocolMaxOffset = 10
	h.nonIFS("raw", info)
	thread := h.up()
	for protocol, want := range map[int32]spi.Errno{99: spi.WSAEPROTONOSUPPORT, 100: 0, 105: 0, 110: 0, 111: spi.WSAEPROTONOSUPPORT} {
		_, err := thread.Socket(spi.AF_INET, spi.SOCK_RAW, protocol)
		wantCode(t, thread, err, want)
	}
}

func TestBehaviour059_BareLayersAreNotChosen(t *testing.T) {
	h := newHost(t)
	base := h.nonIFS("echo", tcp())
	layer := h.layer("shape", 0)
	ids := append(slices.Clone(layer.ids), base.ids...)
	for _, e := range h.catalog.Entries() { // the bare layer first, its chain last
		if !slices.Contains(ids, e.CatalogEntryID) {
			ids = append(ids, e.CatalogEntryID)
		}
	}
	want(t, h.catalog.WriteProviderOrder(ids), 0)
	thread := h.up()
	mustSocket(t, thread)
	if layer.loads.Load() != 0 || base.starts.Load() != 1 {
		t.Error("the bare layer was chosen")
	}
	bare, _ := h.catalog.Lookup(layer.ids[0])
	_, err := thread.WSASocket(0, 0, 0, &bare.ProtocolInfo, 0, 0)
	wantCode(t, thread, err, spi.WSAEINVAL)
}

func TestBehaviour060_CatalogOrder(t *testing.T) {
	h := newHost(t)
	one, two := h.nonIFS("one", tcp()), h.nonIFS("two", tcp())
	thread := h.up()
	mustSocket(t, thread)
	if one.starts.Load() != 1 || two.starts.Load() != 0 {
		t.Fatal("the first entry was not chosen")
	}
	want(t, h.catalog.WriteProviderOrder([]uint32{two.ids[0], one.ids[0]}), 0)
	mustSocket(t, thread)
	if two.starts.Load() != 0 {
		t.Fatal("the new order counts without a new start-up")
	}
	wantCode(t, thread, thread.WSACleanup(), 0)
	wantCode(t, thread, thread.WSAStartup(spi.Version22, new(WSAData)), 0)
	mustSocket(t, thread)
	if one.starts.Load() != 1 || two.starts.Load() != 1 {
		t.Error("the new order does not count")
	}
}

func TestBehaviour061_InfosIDWins(t *testing.T) {
	h := newHost(t)
	f := h.nonIFS("echo", tcp(), udp())
	type call struct {
		af, typ, protocol int32
		id                uint32
		name              string
		reserved          uint32
	}
	var got call
	socket := f.LpWSPSocket
	f.LpWSPSocket = func(af, typ, protocol int32, info *spi.ProtocolInfo, g spi.Group, flags uint32) (spi.Socket, spi.Errno) {
		got = call{af, typ, protocol, info.CatalogEntryID, info.Name(), info.ProviderReserved}
		return socket(af, typ, protocol, info, g, flags)
	}
	thread := h.up()
	info := tcp() // contradicts the entry that its id names
	info.CatalogEntryID = f.ids[1]
	info.ProviderReserved = 77
	for _, c := range [][3]int32{{-1, -1, -1}, {0, 0, 0}, {5, 6, 7}} {
		_, err := thread.WSASocket(c[0], c[1], c[2], &info, 0, 0)
		wantCode(t, thread, err, 0)
		if want := (call{c[0], c[1], c[2], f.ids[1], "UDP", 77}); got != want {
			t.Errorf("the provider got %v, want %v", got, want)
		}
	}
}

func TestBehaviour062_UnknownID(t *testing.T) {
	h := newHost(t)
	h.nonIFS("echo", tcp())
	thread := h.up()
	info := tcp()
	info.CatalogEntryID = 4711
	_, err := thread.WSASocket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP, &info, 0, 0)
	wantCode(t, thread, err, spi.WSAEINVAL)
}

func TestBehaviour068_InProgressTriesTheNext(t *testing.T) {
	h := newHost(t)
	busy, free := h.nonIFS("busy", tcp()), h.nonIFS("free", tcp())
	code := spi.WSAEINPROGRESS
	busy.LpWSPSocket = func(int32, int32, int32, *spi.ProtocolInfo, spi.Group, uint32) (spi.Socket, spi.Errno) {
		return spi.InvalidSocket, code
	}
	thread := h.up()
	mustSocket(t, thread)
	if free.starts.Load() != 1 {
		t.Error("the second provider was not tried")
	}
	if thread.WSAGetLastError() != 0 {
		t.Error("the first one's failure is the last error")
	}
	// Another error, or an info, ends the search.
	info := tcp()
	info.CatalogEntryID = busy.ids[0]
	_, err := thread.WSASocket(0, 0, 0, &info, 0, 0)
	wantCode(t, thread, err, spi.WSAEINPROGRESS)
	code = spi.WSAEMFILE
	_, err = thread.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
	wantCode(t, thread, err, spi.WSAEMFILE)
}

// The layers that the application's categories exclude are stepped over.
func TestApplicationCategories(t *testing.T) {
	h := newHost(t)
	base := h.nonIFS("echo", tcp())
	layer := h.layer("inspector", 0)
	layer.echo()
	want(t, h.catalog.SetApplicationCategory("/test/program", "", spi.LSP_FIREWALL, nil), 0)
	thread := h.up()
	mustSocket(t, thread)
	if layer.loads.Load() != 0 || base.starts.Load() != 1 {
		t.Error("a layer without categories was chosen")
	}
}

// What choose returns matches, in order, and a refusal has a code that fits.
func TestChooseProperty(t *testing.T) {
	small := rapid.Int32Range(0, 3)
	rapid.Check(t, func(t *rapid.T) {
		r := &running{}
		for range rapid.IntRange(0, 6).Draw(t, "entries") {
			e := &entry{usable: rapid.Bool().Draw(t, "usable")}
			e.AddressFamily = rapid.Int32Range(1, 3).Draw(t, "family")
			e.SocketType = rapid.Int32Range(1, 3).Draw(t, "type")
			e.Protocol = small.Draw(t, "protocol")
			e.ProtocolMaxOffset = rapid.SampledFrom([]int32{0, 0, 1, 1<<31 - 1}).Draw(t, "offset")
			e.ProviderFlags = rapid.SampledFrom([]uint32{0, spi.PFL_MATCHES_PROTOCOL_ZERO}).Draw(t, "flags")
			r.entries = append(r.entries, e)
		}
		af, typ, protocol := small.Draw(t, "af"), small.Draw(t, "typ"), small.Draw(t, "proto")
		matching, code := r.choose(af, typ, protocol)
		if (code == 0) != (len(matching) > 0) {
			t.Fatalf("%d entries and %v", len(matching), code)
		}
		at := 0
		for _, m := range matching {
			at += slices.Index(r.entries[at:], m) // panics or repeats unless in order
			if !m.usable || af != 0 && m.AddressFamily != af || typ != 0 && m.SocketType != typ {
				t.Fatalf("chose %+v", m.ProtocolInfo)
			}
		}
		if code == spi.WSAEAFNOSUPPORT && slices.ContainsFunc(r.entries, func(e *entry) bool { return e.usable && (af == 0 || e.AddressFamily == af) }) {
			t.Fatal("the family is there")
		}
	})
}
