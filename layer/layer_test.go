package layer_test

import (
	"errors"
	"sync"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"upcall.dev/layer"
	"upcall.dev/spi"
)

// counting is a pass-through layer that counts what New and Close see.
type counting struct {
	spi.Provider
}

var counts struct {
	sync.Mutex
	made, closed, cleanups int
}

func (c *counting) Close() error {
	counts.Lock()
	defer counts.Unlock()
	counts.closed++
	return nil
}

func (c *counting) WSPCleanup() spi.Errno {
	counts.Lock()
	counts.cleanups++
	counts.Unlock()
	return c.Provider.WSPCleanup()
}

func init() {
	layer.Register(layer.Definition{
		Name:    "counting",
		Summary: "passes everything through",
		Options: []spi.Option{{Name: "fail", Help: "makes New fail"}, {Name: "kind"}},
		Check: func(o spi.Options) error {
			_, err := layer.Choice(o, "kind", "plain", "fancy")
			return err
		},
		New: func(next spi.Provider, o spi.Options) (spi.Provider, error) {
			switch o["fail"] {
			case "code":
				return nil, spi.WSAEACCES
			case "text":
				return nil, errors.New("it is Sunday")
			case "table":
				return &counting{}, nil
			}
			counts.Lock()
			counts.made++
			counts.Unlock()
			return &counting{Provider: next}, nil
		},
	})
}

func resetCounts() {
	counts.Lock()
	defer counts.Unlock()
	counts.made, counts.closed, counts.cleanups = 0, 0, 0
}

func protocolInfo(t *testing.T, p spi.Provider, s spi.Socket) (spi.ProtocolInfo, spi.Errno) {
	t.Helper()
	var info spi.ProtocolInfo
	length := int32(unsafe.Sizeof(info))
	errno := p.WSPGetSockOpt(s, spi.SOL_SOCKET, spi.SO_PROTOCOL_INFOW, bytesOf(&info), &length)
	return info, errno
}

const ifs = spi.XP1_IFS_HANDLES

func TestBehaviour069_ChainStart(t *testing.T) {
	h, b := newHost(t), newBase()
	tcp, _ := h.base(b, ifs)
	_, lower := h.layer("counting", nil, ifs)
	_, upper := h.layer("counting", nil, ifs)
	recorder := &startRecorder{}
	h.loaded[h.entry(lower).ProviderID] = recorder.wrap(t, h, lower)
	chain := h.chain(upper, lower, tcp)

	p := h.start(chain)
	if len(recorder.infos) != 1 || recorder.infos[0] != chain {
		t.Fatalf("the layer below got %v, want the unmodified chain entry", recorder.infos)
	}
	if len(b.starts) != 1 || b.starts[0] != h.entry(tcp) {
		t.Fatalf("the base got %+v, want its own entry", b.starts)
	}
	s, errno := p.WSPSocket(-1, -1, -1, &chain, 0, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	if b.sockets[s] != h.entry(tcp) {
		t.Fatalf("the base's WSPSocket got %+v, want its own entry", b.sockets[s])
	}
	if errno := p.WSPCleanup(); errno != 0 {
		t.Fatal(errno)
	}
	if b.cleanups != 1 {
		t.Fatalf("the base was cleaned up %d times", b.cleanups)
	}
}

// startRecorder notes what a layer is started with.
type startRecorder struct{ infos []spi.ProtocolInfo }

func (r *startRecorder) wrap(t *testing.T, h *host, entry uint32) spi.StartupFunc {
	t.Helper()
	id := h.entry(entry).ProviderID
	startup, errno := h.LoadProvider(id, h.paths[id])
	if errno != 0 {
		t.Fatal(errno)
	}
	return func(v uint16, data *spi.WSPData, info *spi.ProtocolInfo, upcalls spi.UpcallTable, dll spi.DLL) (spi.Provider, spi.Errno) {
		r.infos = append(r.infos, *info)
		return startup(v, data, info, upcalls, dll)
	}
}

func TestBehaviour021_LayerTakesTheHandleOver(t *testing.T) {
	h, b := newHost(t), newBase()
	tcp, _ := h.base(b, ifs)
	_, lower := h.layer("counting", nil, ifs)
	_, upper := h.layer("counting", nil, ifs)
	chain := h.chain(upper, lower, tcp)
	p := h.start(chain)
	defer p.WSPCleanup()

	s, errno := p.WSPSocket(0, 0, 0, &chain, 0, 0)
	if errno != 0 || h.route(s) != chain.CatalogEntryID {
		t.Fatalf("socket: %v, routed to entry %d", errno, h.route(s))
	}
	accepted, errno := p.WSPAccept(s, nil, nil, nil, 0)
	if errno != 0 || accepted == s || h.route(accepted) != chain.CatalogEntryID {
		t.Fatalf("accept: %v, routed to entry %d", errno, h.route(accepted))
	}
	if errno := p.WSPCloseSocket(s); errno != 0 {
		t.Fatal(errno)
	}
	if errno := p.WSPCloseSocket(s); errno != spi.WSAENOTSOCK {
		t.Fatalf("second close: %v", errno)
	}
}

func TestBehaviour027_ForeignSocketIsTheLayersChain(t *testing.T) {
	h, b := newHost(t), newBase()
	tcp, udp := h.base(b, ifs)
	_, lower := h.layer("counting", nil, ifs)
	_, upper := h.layer("counting", nil, ifs)
	both := h.chain(upper, lower, tcp) // earlier in the catalog, but lower is not its top
	one := h.chain(lower, tcp)
	b.foreign = map[spi.Socket]uint32{900: tcp, 901: udp}

	top, bottom := h.start(both), h.start(one)
	defer top.WSPCleanup()
	defer bottom.WSPCleanup()
	for _, test := range []struct {
		p    spi.Provider
		want uint32
	}{{top, both.CatalogEntryID}, {bottom, one.CatalogEntryID}} {
		info, errno := protocolInfo(t, test.p, 900)
		if errno != 0 || info != h.entry(test.want) {
			t.Errorf("got %v entry %d, want %d", errno, info.CatalogEntryID, test.want)
		}
		if _, errno := protocolInfo(t, test.p, 901); errno != spi.WSAENOTSOCK {
			t.Errorf("a protocol that the layer is not over: %v, want WSAENOTSOCK", errno)
		}
		if _, errno := protocolInfo(t, test.p, 902); errno != spi.WSAENOTSOCK {
			t.Errorf("no socket at all: %v, want WSAENOTSOCK", errno)
		}
	}
	if accepted, errno := top.WSPAccept(900, nil, nil, nil, 0); errno != 0 || h.route(accepted) != both.CatalogEntryID {
		t.Errorf("accept on the foreign socket: %v, entry %d", errno, h.route(accepted))
	}

	// The number of a closed descriptor comes back as another kind of socket.
	b.foreign[900] = udp
	if _, errno := protocolInfo(t, top, 900); errno != spi.WSAENOTSOCK {
		t.Errorf("a reused number: %v, want WSAENOTSOCK", errno)
	}
}

// TestChainUnderItsOwnID installs the chain entry as the Microsoft sample does,
// under another provider id than the bare layer.
func TestChainUnderItsOwnID(t *testing.T) {
	h, b := newHost(t), newBase()
	tcp, _ := h.base(b, ifs)
	_, id := h.layer("counting", nil, ifs)
	chain := h.chain(id, tcp)
	own := spi.NewGUID()
	h.entries[chain.CatalogEntryID-1001].ProviderID = own
	h.paths[own] = spi.GoPath("counting", nil)
	chain = h.entry(chain.CatalogEntryID)
	p := h.start(chain)
	defer p.WSPCleanup()
	s, errno := p.WSPSocket(0, 0, 0, &chain, 0, 0)
	if errno != 0 || h.route(s) != chain.CatalogEntryID {
		t.Fatalf("%v, entry %d", errno, h.route(s))
	}
}

func TestProtocolInfoNeedsRoom(t *testing.T) {
	h, b := newHost(t), newBase()
	tcp, _ := h.base(b, ifs)
	_, id := h.layer("counting", nil, ifs)
	chain := h.chain(id, tcp)
	p := h.start(chain)
	defer p.WSPCleanup()
	s, _ := p.WSPSocket(0, 0, 0, &chain, 0, 0)
	length := int32(8)
	if errno := p.WSPGetSockOpt(s, spi.SOL_SOCKET, spi.SO_PROTOCOL_INFOW, make([]byte, 8), &length); errno != spi.WSAEFAULT || length != 628 {
		t.Fatalf("%v, length %d", errno, length)
	}
	if errno := p.WSPGetSockOpt(s, spi.SOL_SOCKET, spi.SO_PROTOCOL_INFOW, make([]byte, 8), nil); errno != spi.WSAEFAULT {
		t.Fatal(errno)
	}
}

func TestDuplicateCarriesTheToken(t *testing.T) {
	h, b := newHost(t), newBase()
	tcp, _ := h.base(b, ifs)
	_, lower := h.layer("counting", nil, ifs)
	_, upper := h.layer("counting", nil, ifs)
	chain := h.chain(upper, lower, tcp)
	p := h.start(chain)
	defer p.WSPCleanup()
	s, _ := p.WSPSocket(0, 0, 0, &chain, 0, 0)

	var info spi.ProtocolInfo
	if errno := p.WSPDuplicateSocket(s, 1, &info); errno != 0 {
		t.Fatal(errno)
	}
	want := chain
	want.ProviderReserved = token
	if diff := cmp.Diff(want, info); diff != "" {
		t.Fatal(diff)
	}
	dup, errno := p.WSPSocket(0, 0, 0, &info, 0, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	below := h.entry(tcp)
	below.ProviderReserved = token
	if diff := cmp.Diff(below, b.sockets[dup]); diff != "" {
		t.Fatal(diff)
	}
	if errno := p.WSPDuplicateSocket(s, 1, nil); errno != spi.WSAEFAULT {
		t.Fatal(errno)
	}
}

func TestStartsAreCounted(t *testing.T) {
	resetCounts()
	h, b := newHost(t), newBase()
	tcp, udp := h.base(b, ifs)
	_, id := h.layer("counting", nil, ifs)
	first, second := h.chain(id, tcp), h.chain(id, udp)

	for round := 1; round <= 2; round++ { // restartable after its last cleanup
		p := h.start(first)
		if again := h.start(first); again != p {
			t.Fatal("a second start gives another provider")
		}
		if len(b.starts) != 2*round-1 {
			t.Fatalf("the base was started %d times: before the second chain is used, once is enough", len(b.starts))
		}
		if _, errno := p.WSPSocket(0, 0, 0, &second, 0, 0); errno != 0 {
			t.Fatal(errno)
		}
		if errno := p.WSPCleanup(); errno != 0 || b.cleanups != 2*(round-1) {
			t.Fatalf("%v: the base was cleaned up %d times while a start is left", errno, b.cleanups)
		}
		if errno := p.WSPCleanup(); errno != 0 {
			t.Fatal(errno)
		}
		if len(b.starts) != 2*round || b.cleanups != 2*round {
			t.Fatalf("%d starts of the base, %d cleanups", len(b.starts), b.cleanups)
		}
		if errno := p.WSPCleanup(); errno != spi.WSANOTINITIALISED {
			t.Fatalf("cleanup once too often: %v", errno)
		}
		if _, errno := p.WSPSocket(0, 0, 0, &first, 0, 0); errno != spi.WSANOTINITIALISED {
			t.Fatalf("socket after cleanup: %v", errno)
		}
		if counts.made != round || counts.closed != round {
			t.Fatalf("New ran %d times, Close %d times", counts.made, counts.closed)
		}
	}
}

func TestSeveralNextProviders(t *testing.T) {
	resetCounts()
	h, one, two, broken := newHost(t), newBase(), newBase(), newBase()
	broken.startErrno = spi.WSASYSNOTREADY
	two.next = 500
	two.sockets = map[spi.Socket]spi.ProtocolInfo{}
	tcp1, udp1 := h.base(one, ifs)
	tcp2, _ := h.base(two, ifs)
	tcp3, _ := h.base(broken, ifs)
	_, id := h.layer("counting", nil, ifs)
	c1, c2, c3, u1 := h.chain(id, tcp1), h.chain(id, tcp2), h.chain(id, tcp3), h.chain(id, udp1)
	two.foreign = map[spi.Socket]uint32{901: tcp2}

	p := h.start(c1)
	if errno := spi.CheckProvider(p); errno != 0 {
		t.Fatal(errno)
	}
	if len(two.starts) != 0 {
		t.Fatal("the second next provider is started before it is needed")
	}
	s1, errno := p.WSPSocket(0, 0, 0, &c1, 0, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	s2, errno := p.WSPSocket(0, 0, 0, &c2, 0, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	if _, errno := p.WSPSocket(0, 0, 0, &u1, 0, 0); errno != 0 {
		t.Fatal(errno)
	}
	if counts.made != 2 {
		t.Fatalf("New ran %d times for two next providers", counts.made)
	}
	if _, errno := p.WSPSocket(0, 0, 0, &c3, 0, 0); errno != spi.WSAEPROVIDERFAILEDINIT {
		t.Fatalf("over a provider that does not start: %v", errno)
	}
	if errno := p.WSPSend(s2, nil, nil, 0, nil, nil, nil); errno != 0 || two.sent != 1 || one.sent != 0 {
		t.Fatalf("%v: sent %d and %d", errno, one.sent, two.sent)
	}
	accepted, errno := p.WSPAccept(s2, nil, nil, nil, 0)
	if errno != 0 || h.route(accepted) != c2.CatalogEntryID {
		t.Fatalf("%v, entry %d", errno, h.route(accepted))
	}
	if n, errno := p.WSPSelect(spi.NewFDSet(s2, accepted), nil, nil, nil); errno != 0 || n != 2 {
		t.Fatalf("select over one next: %d, %v", n, errno)
	}
	if _, errno := p.WSPSelect(spi.NewFDSet(s1, s2), nil, nil, nil); errno != spi.WSAEINVAL {
		t.Fatalf("select over two: %v", errno)
	}
	if _, errno := p.WSPSelect(nil, nil, nil, nil); errno != spi.WSAEINVAL {
		t.Fatalf("select of nothing: %v", errno)
	}
	if _, errno := p.WSPSelect(spi.NewFDSet(12345), nil, nil, nil); errno != spi.WSAENOTSOCK {
		t.Fatalf("select of no socket: %v", errno)
	}
	if errno := p.WSPBind(12345, nil); errno != spi.WSAENOTSOCK {
		t.Fatalf("bind on an unknown handle: %v", errno)
	}
	if info, errno := protocolInfo(t, p, 901); errno != 0 || info.CatalogEntryID != c2.CatalogEntryID {
		t.Fatalf("foreign socket: %v, entry %d", errno, info.CatalogEntryID)
	}
	if errno := p.WSPCloseSocket(s2); errno != 0 {
		t.Fatal(errno)
	}
	if errno := p.WSPSend(s2, nil, nil, 0, nil, nil, nil); errno != spi.WSAENOTSOCK {
		t.Fatalf("send after close: %v", errno)
	}
	if errno := p.WSPCleanup(); errno != 0 {
		t.Fatal(errno)
	}
	if one.cleanups != len(one.starts) || two.cleanups != len(two.starts) || counts.closed != 2 || counts.cleanups != 2 {
		t.Fatalf("cleanups %d/%d and %d/%d, closed %d, author's cleanups %d",
			one.cleanups, len(one.starts), two.cleanups, len(two.starts), counts.closed, counts.cleanups)
	}
	if errno := p.WSPCleanup(); errno != spi.WSANOTINITIALISED {
		t.Fatal(errno)
	}
}

func TestNextProviderIsRefused(t *testing.T) {
	hollow := &spi.ProcTable{}
	for name, test := range map[string]struct {
		prepare  func(h *host, b *base, chain *spi.ProtocolInfo)
		want     spi.Errno
		cleanups int
	}{
		"wrong version":    {func(_ *host, b *base, _ *spi.ProtocolInfo) { b.version = 0x0002 }, spi.WSAEINVALIDPROVIDER, 1},
		"incomplete table": {func(_ *host, b *base, _ *spi.ProtocolInfo) { b.table = hollow.Provider() }, spi.WSAEINVALIDPROCTABLE, 0},
		"start fails":      {func(_ *host, b *base, _ *spi.ProtocolInfo) { b.startErrno = spi.WSAEPROCLIM }, spi.WSAEPROVIDERFAILEDINIT, 0},
		"no path":          {func(h *host, b *base, _ *spi.ProtocolInfo) { delete(h.paths, h.entry(b.entries[0]).ProviderID) }, spi.WSAEPROVIDERFAILEDINIT, 0},
		"unknown driver": {func(h *host, b *base, _ *spi.ProtocolInfo) {
			id := h.entry(b.entries[0]).ProviderID
			delete(h.loaded, id)
			h.paths[id] = "go:nobody"
		}, spi.WSAEPROVIDERFAILEDINIT, 0},
		"dangling id": {func(h *host, _ *base, chain *spi.ProtocolInfo) {
			i := chain.CatalogEntryID - 1001
			h.entries[i].ProtocolChain.ChainEntries[1] = 4711
			*chain = h.entries[i]
		}, spi.WSAEPROVIDERFAILEDINIT, 0},
		"not a chain": {func(h *host, b *base, chain *spi.ProtocolInfo) { *chain = h.entry(b.entries[0]) }, spi.WSAEINVAL, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h, b := newHost(t), newBase()
			tcp, _ := h.base(b, ifs)
			id, entry := h.layer("counting", nil, ifs)
			chain := h.chain(entry, tcp)
			test.prepare(h, b, &chain)
			chain.ProviderID = id
			if _, errno := h.tryStart(chain); errno != test.want {
				t.Errorf("%v, want %v", errno, test.want)
			}
			if b.cleanups != test.cleanups {
				t.Errorf("%d cleanups of the refused provider, want %d", b.cleanups, test.cleanups)
			}
		})
	}
}

// TestChainThatComesToTheLayerAgain would, if it were not refused, have the
// layer wait for itself.
func TestChainThatComesToTheLayerAgain(t *testing.T) {
	for name, ids := range map[string]func(h *host, own, again, other, base uint32) []uint32{
		"one entry twice":         func(_ *host, own, _, _, base uint32) []uint32 { return []uint32{own, own, base} },
		"no base":                 func(_ *host, own, _, _, _ uint32) []uint32 { return []uint32{own, own} },
		"two entries of it":       func(_ *host, own, again, _, base uint32) []uint32 { return []uint32{own, again, base} },
		"with another in between": func(_ *host, own, _, other, base uint32) []uint32 { return []uint32{own, other, own, base} },
		"below another":           func(_ *host, own, _, other, base uint32) []uint32 { return []uint32{other, own, own, base} },
		"a chain entry of it": func(h *host, own, _, _, base uint32) []uint32 {
			return []uint32{own, h.chain(own, base).CatalogEntryID, base}
		},
	} {
		t.Run(name, func(t *testing.T) {
			resetCounts()
			h, b := newHost(t), newBase()
			tcp, _ := h.base(b, ifs)
			id, own := h.layer("counting", nil, ifs)
			_, other := h.layer("counting", nil, ifs)
			again := h.add(spi.ProtocolInfo{ServiceFlags1: ifs, ProviderID: id, ProviderFlags: spi.PFL_HIDDEN}, h.paths[id]).CatalogEntryID
			circle := h.chain(ids(h, own, again, other, tcp)...)
			if _, errno := h.tryStart(circle); errno != spi.WSAEPROVIDERFAILEDINIT {
				t.Errorf("%v, want WSAEPROVIDERFAILEDINIT", errno)
			}
			good := h.chain(own, tcp)
			p := h.start(good)
			if _, errno := p.WSPSocket(0, 0, 0, &good, 0, 0); errno != 0 {
				t.Errorf("a socket of another chain of the layer: %v", errno)
			}
			if errno := p.WSPCleanup(); errno != 0 {
				t.Error(errno)
			}
			if b.cleanups != len(b.starts) {
				t.Errorf("%d starts of the base, %d cleanups", len(b.starts), b.cleanups)
			}
		})
	}
}

func TestNewFails(t *testing.T) {
	for option, want := range map[string]spi.Errno{"code": spi.WSAEACCES, "text": spi.WSAEPROVIDERFAILEDINIT, "table": spi.WSAEINVALIDPROCTABLE} {
		t.Run(option, func(t *testing.T) {
			h, b := newHost(t), newBase()
			tcp, _ := h.base(b, ifs)
			_, id := h.layer("counting", spi.Options{"fail": option}, ifs)
			if _, errno := h.tryStart(h.chain(id, tcp)); errno != want {
				t.Errorf("%v, want %v", errno, want)
			}
			if b.cleanups != len(b.starts) {
				t.Errorf("%d starts of the base, %d cleanups", len(b.starts), b.cleanups)
			}
		})
	}
}

func TestOptionIsRefusedAtOpen(t *testing.T) {
	_, err := spi.OpenDriver(spi.NewGUID(), "go:counting?kind=odd")
	if err == nil || err.Error() != `counting: kind="odd" is not known: choose plain or fancy` {
		t.Fatal(err)
	}
}

func TestHandleThatCannotBeRegistered(t *testing.T) {
	h, b := newHost(t), newBase()
	tcp, _ := h.base(b, ifs)
	_, id := h.layer("counting", nil, ifs)
	chain := h.chain(id, tcp)
	p := h.start(chain)
	defer p.WSPCleanup()
	b.next, b.sockets = 41, map[spi.Socket]spi.ProtocolInfo{}
	refuse := h.upcalls()
	register := refuse.WPUModifyIFSHandle
	refuse.WPUModifyIFSHandle = func(id uint32, s spi.Socket) (spi.Socket, spi.Errno) {
		if id == chain.CatalogEntryID {
			return spi.InvalidSocket, spi.WSANOTINITIALISED
		}
		return register(id, s)
	}
	var data spi.WSPData
	again, errno := h.loaded[chain.ProviderID](spi.Version22, &data, &chain, refuse, h) // its table counts from now on
	if errno != 0 {
		t.Fatal(errno)
	}
	defer again.WSPCleanup()
	if _, errno := p.WSPSocket(0, 0, 0, &chain, 0, 0); errno != spi.WSANOTINITIALISED {
		t.Fatalf("%v, want the upcall's error", errno)
	}
	if len(b.closed) != 1 || b.closed[0] != 42 {
		t.Fatalf("closed %v, want the socket that was made", b.closed)
	}
}

func TestStartFromManyGoroutines(t *testing.T) {
	h, b := newHost(t), newBase()
	tcp, udp := h.base(b, ifs)
	_, id := h.layer("counting", nil, ifs)
	first, second := h.chain(id, tcp), h.chain(id, udp)
	p := h.start(first)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if _, errno := p.WSPSocket(0, 0, 0, &second, 0, 0); errno != 0 {
					t.Error(errno)
				}
				q, errno := h.tryStart(first)
				if errno != 0 {
					t.Error(errno)
					return
				}
				q.WSPCleanup()
			}
		})
	}
	wg.Wait()
	p.WSPCleanup()
	if len(b.starts) != 2 || b.cleanups != 2 {
		t.Fatalf("%d starts, %d cleanups of the base, want one of each for each chain entry", len(b.starts), b.cleanups)
	}
}
