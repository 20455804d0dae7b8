package socks

import (
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"

	"upcall.dev/layer"
	"upcall.dev/spi"
)

// streams is the layer over one next provider, for sockets whose bytes it does
// not touch: it makes their connections, and answers for them until a handshake
// is over.
type streams struct {
	spi.Provider // the next one
	module       *module
	host         host
	upcalls      atomic.Pointer[spi.UpcallTable]
	conns        conns
	requests     sync.Map // *spi.Overlapped of a ConnectEx under way → *attempt
	extensions   layer.Extensions
}

// host is what a layer's next provider has besides its functions.
type host interface {
	DLL() spi.DLL
	Upcalls() *spi.UpcallTable
}

func newStreams(m *module, next spi.Provider) (*streams, error) {
	h, ok := next.(host)
	if !ok {
		return nil, errors.New("socks: the next provider is not one of package layer")
	}
	t := &streams{Provider: next, module: m, host: h}
	t.upcalls.Store(h.Upcalls())
	return t, nil
}

// carries reports whether addresses of a family lead through the proxy.
func carries(family int32) bool { return family == spi.AF_INET || family == spi.AF_INET6 }

func (t *streams) WSPConnect(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS) spi.Errno {
	family := spi.AddressFamily(name)
	if !carries(family) {
		return t.Provider.WSPConnect(s, name, callerData, calleeData, sqos, gqos)
	}
	switch {
	case callerData != nil && callerData.Len > 0:
		return spi.WSAEPROTONOSUPPORT
	case sqos != nil || gqos != nil:
		return spi.WSAEOPNOTSUPP
	}
	if calleeData != nil {
		calleeData.Len = 0
	}
	c := t.conn(s)
	nonblocking := isNonblocking(s, c)
	if nonblocking || family == spi.AF_INET6 || c.state.Load() != fresh {
		if errno := t.unconnected(s); errno != 0 {
			return errno
		}
	}
	a, errno := t.newAttempt(s, name)
	if errno != 0 {
		return errno
	}
	a.blocking, a.dialing = !nonblocking, !nonblocking
	if nonblocking {
		c.mu.Lock()
		c.nonblocking = true
		c.mu.Unlock()
	}
	if errno := c.begin(a, name); errno != 0 {
		a.free()
		return errno
	}
	if a.blocking {
		return a.connectNow(family)
	}
	return t.started(a, a.start(family))
}

// started passes on how an attempt in the background has begun. One that has
// failed already is over.
func (t *streams) started(a *attempt, errno spi.Errno) spi.Errno {
	if errno != spi.WSAEWOULDBLOCK {
		a.lower.unwatch(t.host.Upcalls())
		a.c.leave(fresh, 0)
		a.free()
		close(a.done)
	}
	return errno
}

func (c *conn) isNonblocking() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nonblocking
}

// unconnected gives WSAEISCONN for a socket that is connected, before anything is
// changed for another connect. A blocking one of IPv4 that the layer has not
// connected can be left to the next provider's connect.
func (t *streams) unconnected(s spi.Socket) spi.Errno {
	if t.answers(s) != nil {
		return 0
	}
	var peer [spi.SizeofSockaddrStorage]byte
	length := int32(len(peer))
	if t.Provider.WSPGetPeerName(s, peer[:], &length) == 0 {
		return spi.WSAEISCONN
	}
	return 0
}

// dissolve gives up a connection with the proxy that the client has never had.
func (t *streams) dissolve(s spi.Socket) {
	var n uint32
	if s < 1<<32 && t.Provider.WSPIoctl(s, spi.SIO_DISSOLVE, nil, nil, &n, nil, nil, nil) == 0 {
		return
	}
	if f, ok := extension[spi.DisconnectExFunc](t.Provider, s, spi.WSAID_DISCONNECTEX); ok {
		if errno := f(s, nil, spi.TF_REUSE_SOCKET); errno == 0 || errno == spi.WSAENOTCONN {
			return
		}
	}
	t.Provider.WSPShutdown(s, spi.SD_BOTH)
}

func (t *streams) selectBelow(s spi.Socket, sel selection) spi.Errno {
	if sel.wnd != 0 {
		return t.Provider.WSPAsyncSelect(s, sel.wnd, sel.msg, sel.mask)
	}
	return t.Provider.WSPEventSelect(s, sel.event, sel.mask)
}

func (t *streams) WSPSocket(af, typ, protocol int32, info *spi.ProtocolInfo, g spi.Group, flags uint32) (spi.Socket, spi.Errno) {
	s, errno := t.Provider.WSPSocket(af, typ, protocol, info, g, flags)
	return t.fresh(s, errno)
}

func (t *streams) WSPAccept(s spi.Socket, addr []byte, addrLen *int32, cond spi.ConditionFunc, callbackData uintptr) (spi.Socket, spi.Errno) {
	accepted, errno := t.Provider.WSPAccept(s, addr, addrLen, cond, callbackData)
	return t.fresh(accepted, errno)
}

// fresh forgets a socket that had the number of a new one and was closed behind
// the layer's back.
func (t *streams) fresh(s spi.Socket, errno spi.Errno) (spi.Socket, spi.Errno) {
	if errno == 0 {
		t.conns.remove(s, t.conns.get(s))
	}
	return s, errno
}

// WSPCloseSocket ends a connect that is under way first.
func (t *streams) WSPCloseSocket(s spi.Socket) spi.Errno {
	c := t.conns.get(s)
	if c == nil {
		return t.Provider.WSPCloseSocket(s)
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return spi.WSAENOTSOCK
	}
	c.closed = true
	if c.engine != nil {
		c.engine.Close()
	}
	a := c.attempt
	dialing := a != nil && a.dialing
	c.mu.Unlock()
	var errno spi.Errno
	over := false
	if a != nil {
		over, errno = a.stop(dialing)
	}
	if !over {
		errno = t.Provider.WSPCloseSocket(s)
	}
	if errno == 0 {
		t.conns.remove(s, c)
		return 0
	}
	c.mu.Lock()
	c.closed = false
	c.mu.Unlock()
	return errno
}

// WSPGetPeerName answers with the address that the client asked for.
func (t *streams) WSPGetPeerName(s spi.Socket, name []byte, nameLen *int32) spi.Errno {
	c := t.conns.get(s)
	if c == nil {
		return t.Provider.WSPGetPeerName(s, name, nameLen)
	}
	c.mu.Lock()
	state, target := c.state.Load(), c.target
	c.mu.Unlock()
	switch state {
	case connecting, failed:
		return spi.WSAENOTCONN
	case fresh:
		return t.Provider.WSPGetPeerName(s, name, nameLen)
	}
	if nameLen == nil {
		return spi.WSAEFAULT
	}
	var proxy [spi.SizeofSockaddrStorage]byte
	length := int32(len(proxy))
	if errno := t.Provider.WSPGetPeerName(s, proxy[:], &length); errno != 0 {
		return errno
	}
	return spi.StoreAddress(target, name, nameLen)
}

// WSPGetSockOpt answers what the next provider cannot know of a connect.
func (t *streams) WSPGetSockOpt(s spi.Socket, level, name int32, val []byte, valLen *int32) spi.Errno {
	c := t.answers(s)
	if c == nil || level != spi.SOL_SOCKET || name != spi.SO_ERROR && name != spi.SO_CONNECT_TIME {
		return t.Provider.WSPGetSockOpt(s, level, name, val, valLen)
	}
	if valLen == nil {
		return spi.WSAEFAULT
	}
	*valLen = 4
	if len(val) < 4 {
		return spi.WSAEFAULT
	}
	answer := ^uint32(0) // SO_CONNECT_TIME: not connected
	if name == spi.SO_ERROR {
		c.mu.Lock()
		answer = uint32(c.soError)
		c.soError = 0
		c.mu.Unlock()
	}
	binary.NativeEndian.PutUint32(val, answer)
	return 0
}

// What moves data has to wait until the handshake is over.

func (t *streams) WSPSend(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	if t.answers(s) != nil {
		return spi.WSAENOTCONN
	}
	return t.Provider.WSPSend(s, bufs, sent, flags, ov, routine, thread)
}

func (t *streams) WSPSendTo(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, to []byte, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	if t.answers(s) != nil {
		return spi.WSAENOTCONN
	}
	return t.Provider.WSPSendTo(s, bufs, sent, flags, to, ov, routine, thread)
}

func (t *streams) WSPRecv(s spi.Socket, bufs []spi.Buf, received, flags *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	if t.answers(s) != nil {
		return spi.WSAENOTCONN
	}
	return t.Provider.WSPRecv(s, bufs, received, flags, ov, routine, thread)
}

func (t *streams) WSPRecvFrom(s spi.Socket, bufs []spi.Buf, received, flags *uint32, from []byte, fromLen *int32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	if t.answers(s) != nil {
		return spi.WSAENOTCONN
	}
	return t.Provider.WSPRecvFrom(s, bufs, received, flags, from, fromLen, ov, routine, thread)
}

func (t *streams) WSPShutdown(s spi.Socket, how int32) spi.Errno {
	if t.answers(s) != nil {
		return spi.WSAENOTCONN
	}
	return t.Provider.WSPShutdown(s, how)
}

func (t *streams) WSPSendDisconnect(s spi.Socket, data *spi.Buf) spi.Errno {
	if t.answers(s) != nil {
		return spi.WSAENOTCONN
	}
	return t.Provider.WSPSendDisconnect(s, data)
}

func (t *streams) WSPRecvDisconnect(s spi.Socket, data *spi.Buf) spi.Errno {
	if t.answers(s) != nil {
		return spi.WSAENOTCONN
	}
	return t.Provider.WSPRecvDisconnect(s, data)
}

func (t *streams) WSPListen(s spi.Socket, backlog int32) spi.Errno {
	if t.answers(s) != nil {
		return spi.WSAEINVAL
	}
	return t.Provider.WSPListen(s, backlog)
}

func (t *streams) WSPDuplicateSocket(s spi.Socket, pid uint32, info *spi.ProtocolInfo) spi.Errno {
	if c := t.conns.get(s); c != nil && c.state.Load() == connecting {
		return spi.WSAENOTCONN // the duplicate would be connected before it is
	}
	return t.Provider.WSPDuplicateSocket(s, pid, info)
}
