package ws2

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/spi"
)

// host is a DLL over fake providers, with the catalog that they are installed
// in.
type host struct {
	*DLL
	t       testing.TB
	catalog *catalog.Catalog
	fakes   map[string]*fake // by path

	mu   sync.Mutex
	logs []string
}

// newHost returns a host with nothing installed. Changes to the configuration
// come before the first WSAStartup.
func newHost(t testing.TB) *host {
	h := &host{t: t, catalog: catalog.New(), fakes: map[string]*fake{}}
	h.DLL = New(Config{
		Catalog:     h.catalog,
		Application: "/test/program",
		LoadLibrary: func(path string) (spi.StartupFunc, error) {
			f, ok := h.fakes[path]
			if !ok {
				return nil, errors.New("no such file")
			}
			f.loads.Add(1)
			return f.WSPStartup, nil
		},
		Log: func(message string) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.logs = append(h.logs, message)
		},
	})
	return h
}

func (h *host) logged() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.logs...)
}

// up starts up with version 2.2 on a bound thread, until the test ends.
func (h *host) up() *Thread { return h.upAs(spi.Version22) }

func (h *host) upAs(version uint16) *Thread {
	h.t.Helper()
	thread := h.BindThread()
	if err := thread.WSAStartup(version, new(WSAData)); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		for thread.WSACleanup() == nil {
		}
		thread.Unbind()
	})
	return thread
}

// Entries to install.
func tcp() spi.ProtocolInfo {
	return entryOf("TCP", spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP, spi.PFL_MATCHES_PROTOCOL_ZERO)
}

func udp() spi.ProtocolInfo {
	return entryOf("UDP", spi.AF_INET, spi.SOCK_DGRAM, spi.IPPROTO_UDP, spi.PFL_MATCHES_PROTOCOL_ZERO)
}

func entryOf(name string, af, typ, protocol int32, flags uint32) spi.ProtocolInfo {
	info := spi.ProtocolInfo{
		ProviderFlags: flags, Version: 2, AddressFamily: af, SocketType: typ, Protocol: protocol,
		MaxSockAddr: 16, MinSockAddr: 16, ProtocolChain: spi.ProtocolChain{ChainLen: spi.BaseProtocol},
	}
	info.SetName(name)
	return info
}

// fake is a provider whose thirty functions a test can replace.
type fake struct {
	spi.ProcTable
	h    *host
	id   spi.GUID
	path string
	ids  []uint32 // of its entries; for a layer of its bare entry

	loads, starts, cleanups atomic.Int32
	calls                   sync.Map // *atomic.Int32 by function

	version   uint16    // answered at start-up
	startCode spi.Errno // of WSPStartup
	starting  func()    // called in WSPStartup

	mu        sync.Mutex
	requested []uint16           // versions at start-up
	infos     []spi.ProtocolInfo // entries at start-up
	upcalls   spi.UpcallTable
	dll       spi.DLL

	sockets map[uintptr]*fakeSocket // by context
	next    uintptr
}

// fakeSocket is a socket of a non-IFS fake: what is sent comes back.
type fakeSocket struct{ bytes []byte }

func (h *host) fake(name string) *fake {
	path := "%FAKES%/" + name + ".so"
	f := &fake{h: h, id: spi.NewGUID(), path: path, version: spi.Version22, sockets: map[uintptr]*fakeSocket{}}
	h.fakes[path] = f
	f.refuseAll()
	return f
}

func (h *host) install(f *fake, infos []spi.ProtocolInfo) *fake {
	h.t.Helper()
	if e := h.catalog.InstallProvider(f.id, f.path, infos); e != 0 {
		h.t.Fatal(e)
	}
	for _, e := range h.catalog.ByProvider(f.id) {
		f.ids = append(f.ids, e.CatalogEntryID)
	}
	return f
}

// nonIFS installs a base provider of non-IFS echo sockets.
func (h *host) nonIFS(name string, infos ...spi.ProtocolInfo) *fake {
	h.t.Helper()
	f := h.fake(name)
	f.echo()
	return h.install(f, infos)
}

// ifs installs a base provider of operating-system sockets, each connected to
// itself by a socketpair.
func (h *host) ifs(name string, infos ...spi.ProtocolInfo) *fake {
	h.t.Helper()
	f := h.fake(name)
	f.pairs()
	for i := range infos {
		infos[i].ServiceFlags1 |= spi.XP1_IFS_HANDLES
	}
	return h.install(f, infos)
}

// WSPStartup starts the fake.
func (f *fake) WSPStartup(version uint16, data *spi.WSPData, info *spi.ProtocolInfo, upcalls spi.UpcallTable, dll spi.DLL) (spi.Provider, spi.Errno) {
	f.starts.Add(1)
	f.mu.Lock()
	f.requested = append(f.requested, version)
	f.infos = append(f.infos, *info)
	f.upcalls, f.dll = upcalls, dll
	f.mu.Unlock()
	if f.starting != nil {
		f.starting()
	}
	data.Version, data.HighVersion = f.version, f.version
	if f.startCode != 0 {
		return nil, f.startCode
	}
	return f.Provider(), 0
}

func (f *fake) lastUpcalls() spi.UpcallTable {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.upcalls
}

// called returns how often a function was called, for those that count.
func (f *fake) called(function string) int {
	n, _ := f.calls.LoadOrStore(function, new(atomic.Int32))
	return int(n.(*atomic.Int32).Load())
}

func (f *fake) count(function string) {
	n, _ := f.calls.LoadOrStore(function, new(atomic.Int32))
	n.(*atomic.Int32).Add(1)
}

// refuseAll fills the table: everything gives WSAEOPNOTSUPP, but for
// WSPCleanup.
func (f *fake) refuseAll() {
	const no = spi.WSAEOPNOTSUPP
	f.LpWSPAccept = func(spi.Socket, []byte, *int32, spi.ConditionFunc, uintptr) (spi.Socket, spi.Errno) {
		return spi.InvalidSocket, no
	}
	f.LpWSPAddressToString = func([]byte, *spi.ProtocolInfo, []uint16, *uint32) spi.Errno { return no }
	f.LpWSPAsyncSelect = func(spi.Socket, spi.HWND, uint32, int32) spi.Errno { return no }
	f.LpWSPBind = func(spi.Socket, []byte) spi.Errno { f.count("WSPBind"); return 0 }
	f.LpWSPCancelBlockingCall = func() spi.Errno { f.count("WSPCancelBlockingCall"); return 0 }
	f.LpWSPCleanup = func() spi.Errno { f.cleanups.Add(1); return 0 }
	f.LpWSPCloseSocket = func(spi.Socket) spi.Errno { return no }
	f.LpWSPConnect = func(spi.Socket, []byte, *spi.Buf, *spi.Buf, *spi.QOS, *spi.QOS) spi.Errno { return no }
	f.LpWSPDuplicateSocket = func(spi.Socket, uint32, *spi.ProtocolInfo) spi.Errno { return no }
	f.LpWSPEnumNetworkEvents = func(spi.Socket, spi.Event, *spi.NetworkEvents) spi.Errno { return no }
	f.LpWSPEventSelect = func(spi.Socket, spi.Event, int32) spi.Errno { return no }
	f.LpWSPGetOverlappedResult = func(spi.Socket, *spi.Overlapped, *uint32, bool, *uint32) spi.Errno { return no }
	f.LpWSPGetPeerName = func(spi.Socket, []byte, *int32) spi.Errno { return no }
	f.LpWSPGetSockName = func(spi.Socket, []byte, *int32) spi.Errno { return no }
	f.LpWSPGetSockOpt = func(spi.Socket, int32, int32, []byte, *int32) spi.Errno {
		f.count("WSPGetSockOpt")
		return spi.WSAENOTSOCK
	}
	f.LpWSPGetQOSByName = func(spi.Socket, *spi.Buf, *spi.QOS) spi.Errno { return no }
	f.LpWSPIoctl = func(spi.Socket, uint32, []byte, []byte, *uint32, *spi.Overlapped, spi.CompletionRoutine, *spi.ThreadID) spi.Errno {
		return no
	}
	f.LpWSPJoinLeaf = func(spi.Socket, []byte, *spi.Buf, *spi.Buf, *spi.QOS, *spi.QOS, uint32) (spi.Socket, spi.Errno) {
		return spi.InvalidSocket, no
	}
	f.LpWSPListen = func(spi.Socket, int32) spi.Errno { f.count("WSPListen"); return 0 }
	f.LpWSPRecv = func(spi.Socket, []spi.Buf, *uint32, *uint32, *spi.Overlapped, spi.CompletionRoutine, *spi.ThreadID) spi.Errno {
		return no
	}
	f.LpWSPRecvDisconnect = func(spi.Socket, *spi.Buf) spi.Errno { return no }
	f.LpWSPRecvFrom = func(spi.Socket, []spi.Buf, *uint32, *uint32, []byte, *int32, *spi.Overlapped, spi.CompletionRoutine, *spi.ThreadID) spi.Errno {
		return no
	}
	f.LpWSPSelect = func(r, w, e *spi.FDSet, _ *spi.Timeval) (int32, spi.Errno) { return 0, no }
	f.LpWSPSend = func(spi.Socket, []spi.Buf, *uint32, uint32, *spi.Overlapped, spi.CompletionRoutine, *spi.ThreadID) spi.Errno {
		return no
	}
	f.LpWSPSendDisconnect = func(spi.Socket, *spi.Buf) spi.Errno { return no }
	f.LpWSPSendTo = func(spi.Socket, []spi.Buf, *uint32, uint32, []byte, *spi.Overlapped, spi.CompletionRoutine, *spi.ThreadID) spi.Errno {
		return no
	}
	f.LpWSPSetSockOpt = func(spi.Socket, int32, int32, []byte) spi.Errno { return no }
	f.LpWSPShutdown = func(spi.Socket, int32) spi.Errno { return no }
	f.LpWSPSocket = func(int32, int32, int32, *spi.ProtocolInfo, spi.Group, uint32) (spi.Socket, spi.Errno) {
		return spi.InvalidSocket, no
	}
	f.LpWSPStringToAddress = func([]uint16, int32, *spi.ProtocolInfo, []byte, *int32) spi.Errno { return no }
}

// echo makes the fake's sockets non-IFS: what is sent can be received.
func (f *fake) echo() {
	f.LpWSPSocket = func(_, _, _ int32, info *spi.ProtocolInfo, _ spi.Group, _ uint32) (spi.Socket, spi.Errno) {
		f.mu.Lock()
		f.next++
		context := f.next
		f.sockets[context] = new(fakeSocket)
		f.mu.Unlock()
		return f.upcalls.WPUCreateSocketHandle(info.CatalogEntryID, context)
	}
	f.LpWSPCloseSocket = func(s spi.Socket) spi.Errno {
		f.count("WSPCloseSocket")
		context, e := f.upcalls.WPUQuerySocketHandleContext(s)
		if e != 0 {
			return e
		}
		f.mu.Lock()
		delete(f.sockets, context)
		f.mu.Unlock()
		return f.upcalls.WPUCloseSocketHandle(s)
	}
	f.LpWSPSend = func(s spi.Socket, bufs []spi.Buf, sent *uint32, _ uint32, _ *spi.Overlapped, _ spi.CompletionRoutine, _ *spi.ThreadID) spi.Errno {
		sock, e := f.socket(s)
		if e != 0 {
			return e
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, b := range bufs {
			sock.bytes = append(sock.bytes, b.Bytes()...)
		}
		*sent = uint32(spi.BufsLen(bufs))
		return 0
	}
	f.LpWSPRecv = func(s spi.Socket, bufs []spi.Buf, received, _ *uint32, _ *spi.Overlapped, _ spi.CompletionRoutine, _ *spi.ThreadID) spi.Errno {
		sock, e := f.socket(s)
		if e != 0 {
			return e
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(sock.bytes) == 0 {
			return spi.WSAEWOULDBLOCK
		}
		n := copy(bufs[0].Bytes(), sock.bytes)
		sock.bytes = sock.bytes[n:]
		*received = uint32(n)
		return 0
	}
}

func (f *fake) socket(s spi.Socket) (*fakeSocket, spi.Errno) {
	context, e := f.upcalls.WPUQuerySocketHandleContext(s)
	if e != 0 {
		return nil, e
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sockets[context], 0
}

// pairs makes the fake's sockets IFS handles: one end of a socketpair, whose
// other end is connected to it by the fake's WSPSend writing there.
func (f *fake) pairs() {
	peers := map[spi.Socket]int{}
	f.LpWSPSocket = func(_, _, _ int32, info *spi.ProtocolInfo, _ spi.Group, _ uint32) (spi.Socket, spi.Errno) {
		fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err != nil {
			return spi.InvalidSocket, spi.WSAEMFILE
		}
		f.mu.Lock()
		peers[spi.Socket(fds[0])] = fds[1]
		f.mu.Unlock()
		return f.upcalls.WPUModifyIFSHandle(info.CatalogEntryID, spi.Socket(fds[0]))
	}
	f.LpWSPCleanup = func() spi.Errno {
		f.cleanups.Add(1)
		f.mu.Lock()
		defer f.mu.Unlock()
		for s, peer := range peers {
			_ = syscall.Close(int(s))
			_ = syscall.Close(peer)
		}
		clear(peers)
		return 0
	}
	f.LpWSPCloseSocket = func(s spi.Socket) spi.Errno {
		f.count("WSPCloseSocket")
		f.mu.Lock()
		peer := peers[s]
		delete(peers, s)
		f.mu.Unlock()
		_ = syscall.Close(peer)
		return spi.FromErrno(errnoOf(syscall.Close(int(s))))
	}
	f.LpWSPSend = func(s spi.Socket, bufs []spi.Buf, sent *uint32, _ uint32, _ *spi.Overlapped, _ spi.CompletionRoutine, _ *spi.ThreadID) spi.Errno {
		f.mu.Lock()
		peer := peers[s]
		f.mu.Unlock()
		n, err := syscall.Write(peer, bufs[0].Bytes())
		*sent = uint32(max(n, 0))
		return spi.FromErrno(errnoOf(err))
	}
	f.LpWSPRecv = func(s spi.Socket, bufs []spi.Buf, received, _ *uint32, _ *spi.Overlapped, _ spi.CompletionRoutine, _ *spi.ThreadID) spi.Errno {
		n, err := syscall.Read(int(s), bufs[0].Bytes())
		*received = uint32(max(n, 0))
		return spi.FromErrno(errnoOf(err))
	}
}

func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	errors.As(err, &errno)
	return errno
}

// layer installs a non-IFS or IFS layer, by flags, over what is installed. It
// starts its next provider by the documented way and passes everything to it;
// with an IFS layer it registers handles for itself as well.
func (h *host) layer(name string, flags uint32, over ...spi.ProtocolInfo) *fake {
	h.t.Helper()
	f := h.fake(name)
	var id uint32
	if e := h.catalog.InstallProviderAndChains(f.id, f.path, name, flags, over, &id); e != 0 {
		h.t.Fatal(e)
	}
	f.ids = []uint32{id}
	return f
}

// startNext finds and starts the provider below the layer f in the chain entry
// info, as the documentation tells a layer to.
func (f *fake) startNext(info *spi.ProtocolInfo) (spi.Provider, *spi.ProtocolInfo, error) {
	chain := info.ProtocolChain.Entries()
	byID := map[uint32]spi.ProtocolInfo{}
	for _, e := range f.dll.WSCEnumProtocols() {
		byID[e.CatalogEntryID] = e
	}
	for i, id := range chain {
		if byID[id].ProviderID != f.id || i+1 == len(chain) {
			continue
		}
		next := byID[chain[i+1]]
		path := make([]uint16, 260)
		length := int32(len(path))
		if e := f.upcalls.WPUGetProviderPath(&next.ProviderID, path, &length); e != 0 {
			return nil, nil, e
		}
		startup, e := f.dll.LoadProvider(next.ProviderID, spi.UTF16ToString(path))
		if e != 0 {
			return nil, nil, e
		}
		down := info
		if next.ProtocolChain.ChainLen == spi.BaseProtocol {
			down = &next
		}
		var data spi.WSPData
		p, e := startup(spi.Version22, &data, down, f.upcalls, f.dll)
		if e != 0 {
			return nil, nil, e
		}
		return p, down, nil
	}
	return nil, nil, fmt.Errorf("no way down from %v", chain)
}

// mustSocket makes a socket of the first TCP entry.
func mustSocket(t testing.TB, thread *Thread) spi.Socket {
	t.Helper()
	s, err := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wantCode fails the test unless err is the code, and the thread's last error
// too.
func wantCode(t testing.TB, thread *Thread, err error, want spi.Errno) {
	t.Helper()
	if CodeOf(err) != want {
		t.Fatalf("got %v, want %v", err, want)
	}
	if want != 0 && thread.bound && thread.WSAGetLastError() != want {
		t.Fatalf("last error is %v, want %v", thread.WSAGetLastError(), want)
	}
}

// want fails the test unless got is the code.
func want(t testing.TB, got, want spi.Errno) {
	t.Helper()
	if got != want {
		t.Fatalf("got %v, want %v", got, want)
	}
}

// onThread runs f on a goroutine bound to a thread of its own, and waits.
func (h *host) onThread(f func(thread *Thread)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		thread := h.BindThread()
		defer thread.Unbind()
		f(thread)
	}()
	<-done
}

// descriptor returns an open descriptor that nobody has registered.
func descriptor(t testing.TB) spi.Socket {
	t.Helper()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return spi.Socket(f.Fd())
}
