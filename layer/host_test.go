package layer_test

import (
	"fmt"
	"reflect"
	"sync"
	"testing"
	"unicode/utf16"
	"unsafe"

	"upcall.dev/spi"
)

// host is a minimal DLL for these tests: a catalog, the upcalls that a
// pass-through layer needs, and the routing of IFS handles.
type host struct {
	spi.DLL
	t       testing.TB
	entries []spi.ProtocolInfo
	paths   map[spi.GUID]string

	mu     sync.Mutex
	loaded map[spi.GUID]spi.StartupFunc
	routes map[spi.Socket]uint32
}

func newHost(t testing.TB) *host {
	return &host{t: t, paths: map[spi.GUID]string{}, loaded: map[spi.GUID]spi.StartupFunc{}, routes: map[spi.Socket]uint32{}}
}

func (h *host) add(info spi.ProtocolInfo, path string) *spi.ProtocolInfo {
	info.CatalogEntryID = uint32(1001 + len(h.entries))
	h.entries = append(h.entries, info)
	h.paths[info.ProviderID] = path
	return &h.entries[len(h.entries)-1]
}

// base installs the base provider p with one TCP and one UDP entry.
func (h *host) base(p *base, flags uint32) (tcp, udp uint32) {
	id := spi.NewGUID()
	h.loaded[id] = p.startup
	t := spi.ProtocolInfo{ServiceFlags1: flags, ProviderID: id, AddressFamily: spi.AF_INET, SocketType: spi.SOCK_STREAM, Protocol: spi.IPPROTO_TCP}
	t.ProtocolChain.ChainLen = spi.BaseProtocol
	u := t
	u.SocketType, u.Protocol = spi.SOCK_DGRAM, spi.IPPROTO_UDP
	tcp = h.add(t, "base").CatalogEntryID
	udp = h.add(u, "base").CatalogEntryID
	p.entries = []uint32{tcp, udp}
	p.h = h
	return tcp, udp
}

// layer installs a bare layer.
func (h *host) layer(driver string, options spi.Options, flags uint32) (id spi.GUID, entry uint32) {
	id = spi.NewGUID()
	info := spi.ProtocolInfo{ServiceFlags1: flags, ProviderID: id, ProviderFlags: spi.PFL_HIDDEN}
	return id, h.add(info, spi.GoPath(driver, options)).CatalogEntryID
}

// chain installs a chain entry, top first, and returns it.
func (h *host) chain(ids ...uint32) spi.ProtocolInfo {
	info := h.entry(ids[len(ids)-1])
	info.ProviderID = h.entry(ids[0]).ProviderID
	info.ProtocolChain.ChainLen = int32(len(ids))
	copy(info.ProtocolChain.ChainEntries[:], ids)
	for _, id := range ids {
		if e := h.entry(id); !e.IFS() {
			info.ServiceFlags1 &^= spi.XP1_IFS_HANDLES
		}
	}
	info.SetName(fmt.Sprint("chain ", ids))
	return *h.add(info, h.paths[info.ProviderID])
}

func (h *host) entry(id uint32) spi.ProtocolInfo { return h.entries[id-1001] }

func (h *host) start(chain spi.ProtocolInfo) spi.Provider {
	h.t.Helper()
	p, errno := h.tryStart(chain)
	if errno != 0 {
		h.t.Fatalf("WSPStartup: %v", errno)
	}
	return p
}

func (h *host) tryStart(chain spi.ProtocolInfo) (spi.Provider, spi.Errno) {
	startup, errno := h.LoadProvider(chain.ProviderID, h.paths[chain.ProviderID])
	if errno != 0 {
		return nil, errno
	}
	var data spi.WSPData
	return startup(spi.Version22, &data, &chain, h.upcalls(), h)
}

func (h *host) WSCEnumProtocols() []spi.ProtocolInfo { return h.entries }

func (h *host) LoadProvider(id spi.GUID, path string) (spi.StartupFunc, spi.Errno) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f := h.loaded[id]; f != nil {
		return f, 0
	}
	f, err := spi.OpenDriver(id, path)
	if err != nil {
		h.t.Log(err)
		return nil, spi.WSAEPROVIDERFAILEDINIT
	}
	h.loaded[id] = f
	return f, 0
}

func (h *host) upcalls() spi.UpcallTable {
	return spi.UpcallTable{
		WPUModifyIFSHandle: func(id uint32, s spi.Socket) (spi.Socket, spi.Errno) {
			if id < 1001 || int(id-1001) >= len(h.entries) || s >= 1<<32 {
				return spi.InvalidSocket, spi.WSAEINVAL
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			h.routes[s] = id
			return s, 0
		},
		WPUGetProviderPath: func(id *spi.GUID, buf []uint16, length *int32) spi.Errno {
			path, ok := h.paths[*id]
			if !ok {
				return spi.WSAEINVAL
			}
			text := append(utf16.Encode([]rune(path)), 0)
			*length = int32(len(text))
			if len(buf) < len(text) {
				return spi.WSAEFAULT
			}
			copy(buf, text)
			return 0
		},
	}
}

func (h *host) route(s spi.Socket) uint32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.routes[s]
}

// base is a base provider whose sockets are numbers; it records what it is
// started and called with.
type base struct {
	spi.Provider // refuses what these tests do not need
	h            *host
	entries      []uint32

	version    uint16    // what WSPStartup answers instead of 2.2
	startErrno spi.Errno // what WSPStartup fails with
	table      spi.Provider

	mu       sync.Mutex
	starts   []spi.ProtocolInfo
	cleanups int
	sockets  map[spi.Socket]spi.ProtocolInfo
	next     spi.Socket
	foreign  map[spi.Socket]uint32 // sockets made elsewhere, by base entry
	closed   []spi.Socket
	sent     int
}

func newBase() *base { return &base{Provider: refusing()} }

// refusing answers every function with WSAEOPNOTSUPP.
func refusing() spi.Provider {
	table := &spi.ProcTable{}
	v := reflect.ValueOf(table).Elem()
	for i := range v.NumField() {
		f := v.Field(i)
		f.Set(reflect.MakeFunc(f.Type(), func([]reflect.Value) []reflect.Value {
			out := make([]reflect.Value, f.Type().NumOut())
			for j := range out {
				out[j] = reflect.Zero(f.Type().Out(j))
			}
			out[len(out)-1] = reflect.ValueOf(spi.WSAEOPNOTSUPP)
			return out
		}))
	}
	return table.Provider()
}

func bytesOf(info *spi.ProtocolInfo) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(info)), unsafe.Sizeof(*info))
}

func (b *base) startup(_ uint16, data *spi.WSPData, info *spi.ProtocolInfo, _ spi.UpcallTable, _ spi.DLL) (spi.Provider, spi.Errno) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.startErrno != 0 {
		return nil, b.startErrno
	}
	b.starts = append(b.starts, *info)
	data.Version, data.HighVersion = spi.Version22, spi.Version22
	if b.version != 0 {
		data.Version = b.version
	}
	if b.table != nil {
		return b.table, 0
	}
	return b, 0
}

func (b *base) WSPCleanup() spi.Errno {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cleanups++
	return 0
}

func (b *base) make(info *spi.ProtocolInfo) (spi.Socket, spi.Errno) {
	b.mu.Lock()
	if b.sockets == nil {
		b.sockets, b.next = map[spi.Socket]spi.ProtocolInfo{}, 3
	}
	b.next++
	s := b.next
	b.sockets[s] = *info
	b.mu.Unlock()
	return b.h.upcalls().WPUModifyIFSHandle(info.CatalogEntryID, s)
}

func (b *base) WSPSocket(_, _, _ int32, info *spi.ProtocolInfo, _ spi.Group, _ uint32) (spi.Socket, spi.Errno) {
	return b.make(info)
}

func (b *base) WSPAccept(s spi.Socket, _ []byte, _ *int32, _ spi.ConditionFunc, _ uintptr) (spi.Socket, spi.Errno) {
	info, errno := b.info(s)
	if errno != 0 {
		return spi.InvalidSocket, errno
	}
	return b.make(&info)
}

func (b *base) info(s spi.Socket) (spi.ProtocolInfo, spi.Errno) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id, ok := b.foreign[s]; ok {
		return b.h.entry(id), 0
	}
	info, ok := b.sockets[s]
	if !ok {
		return info, spi.WSAENOTSOCK
	}
	return b.h.entry(info.CatalogEntryID), 0
}

func (b *base) WSPGetSockOpt(s spi.Socket, level, name int32, val []byte, valLen *int32) spi.Errno {
	info, errno := b.info(s)
	if errno != 0 {
		return errno
	}
	if level != spi.SOL_SOCKET || name != spi.SO_PROTOCOL_INFOW {
		return spi.WSAENOPROTOOPT
	}
	*valLen = int32(copy(val, bytesOf(&info)))
	return 0
}

const token = 77

func (b *base) WSPDuplicateSocket(s spi.Socket, _ uint32, out *spi.ProtocolInfo) spi.Errno {
	info, errno := b.info(s)
	if errno != 0 {
		return errno
	}
	*out = info
	out.ProviderReserved = token
	return 0
}

func (b *base) WSPCloseSocket(s spi.Socket) spi.Errno {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.sockets[s]; !ok {
		return spi.WSAENOTSOCK
	}
	delete(b.sockets, s)
	b.closed = append(b.closed, s)
	return 0
}

func (b *base) WSPSend(spi.Socket, []spi.Buf, *uint32, uint32, *spi.Overlapped, spi.CompletionRoutine, *spi.ThreadID) spi.Errno {
	b.sent++
	return 0
}

func (b *base) WSPSelect(read, write, except *spi.FDSet, _ *spi.Timeval) (int32, spi.Errno) {
	return int32(len(read.Sockets())), 0
}

func (b *base) WSPCancelBlockingCall() spi.Errno { return spi.WSAEINVAL }
