package ws2

import (
	"fmt"
	"runtime/debug"
	"sync"

	"upcall.dev/spi"
)

// This file stands between the host and its providers: a panic in a provider
// becomes WSASYSCALLFAILURE for that call, and is logged once with the
// provider's name and the stack; the process lives. For a chain the name is the
// top layer's, and the stack tells which provider below it was at work.

// recovered is the deferred end of every call into a provider.
func (p *provider) recovered(function string, e *spi.Errno) {
	v := recover()
	if v == nil {
		return
	}
	*e = spi.WSASYSCALLFAILURE
	p.complain.once(p.dll, fmt.Sprintf("provider %s panicked in %s: %v", p.name, function, v), string(debug.Stack()))
}

// guardStartup makes a panic in WSPStartup a failure to start.
func (d *DLL) guardStartup(name string, startup spi.StartupFunc) spi.StartupFunc {
	var complain complaints
	return func(version uint16, data *spi.WSPData, info *spi.ProtocolInfo, upcalls spi.UpcallTable, dll spi.DLL) (inner spi.Provider, e spi.Errno) {
		defer func() {
			if v := recover(); v != nil {
				inner, e = nil, spi.WSAEPROVIDERFAILEDINIT
				if x, ok := dll.(*exports); ok {
					x.trail.note(d, name, fmt.Errorf("panicked in WSPStartup: %v", v))
				}
				complain.once(d, fmt.Sprintf("provider %s panicked in WSPStartup: %v", name, v), string(debug.Stack()))
			}
		}()
		return startup(version, data, info, upcalls, dll)
	}
}

// complaints logs each message once, so that a provider that fails all the time
// does not flood the log.
type complaints struct {
	mu   sync.Mutex // a leaf lock; guards made
	made map[string]struct{}
}

// mostComplaints bounds the different messages that one provider may log.
const mostComplaints = 32

func (c *complaints) once(d *DLL, message string, details ...string) {
	c.mu.Lock()
	_, known := c.made[message]
	if known || len(c.made) == mostComplaints {
		c.mu.Unlock()
		return
	}
	if c.made == nil {
		c.made = map[string]struct{}{}
	}
	c.made[message] = struct{}{}
	c.mu.Unlock()
	for _, text := range details {
		message += "\n" + text
	}
	d.log(message)
}

func (p *provider) WSPAccept(s spi.Socket, addr []byte, addrLen *int32, cond spi.ConditionFunc, callbackData uintptr) (_ spi.Socket, e spi.Errno) {
	defer p.recovered("WSPAccept", &e)
	return p.inner.WSPAccept(s, addr, addrLen, cond, callbackData)
}

func (p *provider) WSPAddressToString(addr []byte, info *spi.ProtocolInfo, buf []uint16, length *uint32) (e spi.Errno) {
	defer p.recovered("WSPAddressToString", &e)
	return p.inner.WSPAddressToString(addr, info, buf, length)
}

func (p *provider) WSPAsyncSelect(s spi.Socket, wnd spi.HWND, msg uint32, events int32) (e spi.Errno) {
	defer p.recovered("WSPAsyncSelect", &e)
	return p.inner.WSPAsyncSelect(s, wnd, msg, events)
}

func (p *provider) WSPBind(s spi.Socket, name []byte) (e spi.Errno) {
	defer p.recovered("WSPBind", &e)
	return p.inner.WSPBind(s, name)
}

func (p *provider) WSPCancelBlockingCall() (e spi.Errno) {
	defer p.recovered("WSPCancelBlockingCall", &e)
	return p.inner.WSPCancelBlockingCall()
}

func (p *provider) WSPCleanup() (e spi.Errno) {
	defer p.recovered("WSPCleanup", &e)
	return p.inner.WSPCleanup()
}

func (p *provider) WSPCloseSocket(s spi.Socket) (e spi.Errno) {
	defer p.recovered("WSPCloseSocket", &e)
	return p.inner.WSPCloseSocket(s)
}

func (p *provider) WSPConnect(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS) (e spi.Errno) {
	defer p.recovered("WSPConnect", &e)
	return p.inner.WSPConnect(s, name, callerData, calleeData, sqos, gqos)
}

func (p *provider) WSPDuplicateSocket(s spi.Socket, pid uint32, info *spi.ProtocolInfo) (e spi.Errno) {
	defer p.recovered("WSPDuplicateSocket", &e)
	return p.inner.WSPDuplicateSocket(s, pid, info)
}

func (p *provider) WSPEnumNetworkEvents(s spi.Socket, ev spi.Event, out *spi.NetworkEvents) (e spi.Errno) {
	defer p.recovered("WSPEnumNetworkEvents", &e)
	return p.inner.WSPEnumNetworkEvents(s, ev, out)
}

func (p *provider) WSPEventSelect(s spi.Socket, ev spi.Event, events int32) (e spi.Errno) {
	defer p.recovered("WSPEventSelect", &e)
	return p.inner.WSPEventSelect(s, ev, events)
}

func (p *provider) WSPGetOverlappedResult(s spi.Socket, ov *spi.Overlapped, transferred *uint32, wait bool, flags *uint32) (e spi.Errno) {
	defer p.recovered("WSPGetOverlappedResult", &e)
	return p.inner.WSPGetOverlappedResult(s, ov, transferred, wait, flags)
}

func (p *provider) WSPGetPeerName(s spi.Socket, name []byte, nameLen *int32) (e spi.Errno) {
	defer p.recovered("WSPGetPeerName", &e)
	return p.inner.WSPGetPeerName(s, name, nameLen)
}

func (p *provider) WSPGetSockName(s spi.Socket, name []byte, nameLen *int32) (e spi.Errno) {
	defer p.recovered("WSPGetSockName", &e)
	return p.inner.WSPGetSockName(s, name, nameLen)
}

func (p *provider) WSPGetSockOpt(s spi.Socket, level, name int32, val []byte, valLen *int32) (e spi.Errno) {
	defer p.recovered("WSPGetSockOpt", &e)
	return p.inner.WSPGetSockOpt(s, level, name, val, valLen)
}

func (p *provider) WSPGetQOSByName(s spi.Socket, name *spi.Buf, qos *spi.QOS) (e spi.Errno) {
	defer p.recovered("WSPGetQOSByName", &e)
	return p.inner.WSPGetQOSByName(s, name, qos)
}

func (p *provider) WSPIoctl(s spi.Socket, code uint32, in, out []byte, returned *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) (e spi.Errno) {
	defer p.recovered("WSPIoctl", &e)
	return p.inner.WSPIoctl(s, code, in, out, returned, ov, routine, thread)
}

func (p *provider) WSPJoinLeaf(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS, flags uint32) (_ spi.Socket, e spi.Errno) {
	defer p.recovered("WSPJoinLeaf", &e)
	return p.inner.WSPJoinLeaf(s, name, callerData, calleeData, sqos, gqos, flags)
}

func (p *provider) WSPListen(s spi.Socket, backlog int32) (e spi.Errno) {
	defer p.recovered("WSPListen", &e)
	return p.inner.WSPListen(s, backlog)
}

func (p *provider) WSPRecv(s spi.Socket, bufs []spi.Buf, received, flags *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) (e spi.Errno) {
	defer p.recovered("WSPRecv", &e)
	return p.inner.WSPRecv(s, bufs, received, flags, ov, routine, thread)
}

func (p *provider) WSPRecvDisconnect(s spi.Socket, data *spi.Buf) (e spi.Errno) {
	defer p.recovered("WSPRecvDisconnect", &e)
	return p.inner.WSPRecvDisconnect(s, data)
}

func (p *provider) WSPRecvFrom(s spi.Socket, bufs []spi.Buf, received, flags *uint32, from []byte, fromLen *int32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) (e spi.Errno) {
	defer p.recovered("WSPRecvFrom", &e)
	return p.inner.WSPRecvFrom(s, bufs, received, flags, from, fromLen, ov, routine, thread)
}

func (p *provider) WSPSelect(read, write, except *spi.FDSet, timeout *spi.Timeval) (_ int32, e spi.Errno) {
	defer p.recovered("WSPSelect", &e)
	return p.inner.WSPSelect(read, write, except, timeout)
}

func (p *provider) WSPSend(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) (e spi.Errno) {
	defer p.recovered("WSPSend", &e)
	return p.inner.WSPSend(s, bufs, sent, flags, ov, routine, thread)
}

func (p *provider) WSPSendDisconnect(s spi.Socket, data *spi.Buf) (e spi.Errno) {
	defer p.recovered("WSPSendDisconnect", &e)
	return p.inner.WSPSendDisconnect(s, data)
}

func (p *provider) WSPSendTo(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, to []byte, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) (e spi.Errno) {
	defer p.recovered("WSPSendTo", &e)
	return p.inner.WSPSendTo(s, bufs, sent, flags, to, ov, routine, thread)
}

func (p *provider) WSPSetSockOpt(s spi.Socket, level, name int32, val []byte) (e spi.Errno) {
	defer p.recovered("WSPSetSockOpt", &e)
	return p.inner.WSPSetSockOpt(s, level, name, val)
}

func (p *provider) WSPShutdown(s spi.Socket, how int32) (e spi.Errno) {
	defer p.recovered("WSPShutdown", &e)
	return p.inner.WSPShutdown(s, how)
}

func (p *provider) WSPSocket(af, typ, protocol int32, info *spi.ProtocolInfo, g spi.Group, flags uint32) (_ spi.Socket, e spi.Errno) {
	defer p.recovered("WSPSocket", &e)
	return p.inner.WSPSocket(af, typ, protocol, info, g, flags)
}

func (p *provider) WSPStringToAddress(str []uint16, af int32, info *spi.ProtocolInfo, addr []byte, addrLen *int32) (e spi.Errno) {
	defer p.recovered("WSPStringToAddress", &e)
	return p.inner.WSPStringToAddress(str, af, info, addr, addrLen)
}
