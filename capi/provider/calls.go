package provider

/*
#include "calls.h"
*/
import "C"

import (
	"runtime"
	"runtime/cgo"

	"upcall.dev/spi"
)

// called is a provider in C that was started: its thirty functions.
type called struct {
	library *library
	c       *C.struct_upcall_started
	wrapped extensions
}

func (p *called) WSPAccept(s spi.Socket, addr []byte, addrLen *int32, cond spi.ConditionFunc, callbackData uintptr) (spi.Socket, spi.Errno) {
	var handle cgo.Handle
	if cond != nil {
		handle = cgo.NewHandle(&condition{cond, callbackData})
		defer handle.Delete()
	}
	fit(addr, addrLen)
	r := C.upcall_call_accept(p.c, C.uint64_t(s), C.uintptr_t(start(addr)), C.uintptr_t(at(addrLen)), C.uintptr_t(handle))
	runtime.KeepAlive(addr)
	runtime.KeepAlive(addrLen)
	return socketOf(r)
}

func (p *called) WSPAddressToString(addr []byte, info *spi.ProtocolInfo, buf []uint16, length *uint32) spi.Errno {
	if length != nil {
		*length = min(*length, uint32(len(buf)))
	}
	e := C.upcall_call_address_to_string(p.c, C.uintptr_t(start(addr)), C.uint32_t(len(addr)), C.uintptr_t(at(info)), C.uintptr_t(start(buf)), C.uintptr_t(at(length)))
	runtime.KeepAlive(addr)
	runtime.KeepAlive(info)
	runtime.KeepAlive(buf)
	runtime.KeepAlive(length)
	return spi.Errno(e)
}

func (p *called) WSPAsyncSelect(s spi.Socket, wnd spi.HWND, msg uint32, events int32) spi.Errno {
	return spi.Errno(C.upcall_call_async_select(p.c, C.uint64_t(s), C.uint64_t(wnd), C.uint32_t(msg), C.int32_t(events)))
}

func (p *called) WSPBind(s spi.Socket, name []byte) spi.Errno {
	e := C.upcall_call_bind(p.c, C.uint64_t(s), C.uintptr_t(start(name)), C.int32_t(len(name)))
	runtime.KeepAlive(name)
	return spi.Errno(e)
}

func (p *called) WSPCancelBlockingCall() spi.Errno {
	return spi.Errno(C.upcall_call_cancel_blocking_call(p.c))
}

// WSPCleanup unloads the library after the last one.
func (p *called) WSPCleanup() spi.Errno {
	e := spi.Errno(C.upcall_call_cleanup(p.c))
	if e == 0 {
		p.forget()
		p.wrapped.drop()
		p.library.left()
	}
	return e
}

func (p *called) WSPCloseSocket(s spi.Socket) spi.Errno {
	return spi.Errno(C.upcall_call_close_socket(p.c, C.uint64_t(s)))
}

func (p *called) WSPConnect(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS) spi.Errno {
	e := C.upcall_call_connect(p.c, C.uint64_t(s), C.uintptr_t(start(name)), C.int32_t(len(name)),
		C.uintptr_t(at(callerData)), C.uintptr_t(at(calleeData)), C.uintptr_t(at(sqos)), C.uintptr_t(at(gqos)))
	runtime.KeepAlive(name)
	runtime.KeepAlive(callerData)
	runtime.KeepAlive(calleeData)
	runtime.KeepAlive(sqos)
	runtime.KeepAlive(gqos)
	return spi.Errno(e)
}

func (p *called) WSPDuplicateSocket(s spi.Socket, pid uint32, info *spi.ProtocolInfo) spi.Errno {
	e := C.upcall_call_duplicate_socket(p.c, C.uint64_t(s), C.uint32_t(pid), C.uintptr_t(at(info)))
	runtime.KeepAlive(info)
	return spi.Errno(e)
}

func (p *called) WSPEnumNetworkEvents(s spi.Socket, ev spi.Event, out *spi.NetworkEvents) spi.Errno {
	e := C.upcall_call_enum_network_events(p.c, C.uint64_t(s), C.uint64_t(ev), C.uintptr_t(at(out)))
	runtime.KeepAlive(out)
	return spi.Errno(e)
}

func (p *called) WSPEventSelect(s spi.Socket, ev spi.Event, events int32) spi.Errno {
	return spi.Errno(C.upcall_call_event_select(p.c, C.uint64_t(s), C.uint64_t(ev), C.int32_t(events)))
}

func (p *called) WSPGetOverlappedResult(s spi.Socket, ov *spi.Overlapped, transferred *uint32, wait bool, flags *uint32) spi.Errno {
	e := spi.Errno(C.upcall_call_get_overlapped_result(p.c, C.uint64_t(s), C.uintptr_t(at(ov)), C.uintptr_t(at(transferred)), truth(wait), C.uintptr_t(at(flags))))
	if e != spi.WSA_IO_INCOMPLETE && ov != nil && !ov.InProgress() {
		ended(ov)
	}
	runtime.KeepAlive(ov)
	runtime.KeepAlive(transferred)
	runtime.KeepAlive(flags)
	return e
}

func (p *called) WSPGetPeerName(s spi.Socket, name []byte, nameLen *int32) spi.Errno {
	fit(name, nameLen)
	e := C.upcall_call_get_peer_name(p.c, C.uint64_t(s), C.uintptr_t(start(name)), C.uintptr_t(at(nameLen)))
	runtime.KeepAlive(name)
	runtime.KeepAlive(nameLen)
	return spi.Errno(e)
}

func (p *called) WSPGetSockName(s spi.Socket, name []byte, nameLen *int32) spi.Errno {
	fit(name, nameLen)
	e := C.upcall_call_get_sock_name(p.c, C.uint64_t(s), C.uintptr_t(start(name)), C.uintptr_t(at(nameLen)))
	runtime.KeepAlive(name)
	runtime.KeepAlive(nameLen)
	return spi.Errno(e)
}

func (p *called) WSPGetSockOpt(s spi.Socket, level, name int32, val []byte, valLen *int32) spi.Errno {
	fit(val, valLen)
	e := C.upcall_call_get_sock_opt(p.c, C.uint64_t(s), C.int32_t(level), C.int32_t(name), C.uintptr_t(start(val)), C.uintptr_t(at(valLen)))
	runtime.KeepAlive(val)
	runtime.KeepAlive(valLen)
	return spi.Errno(e)
}

func (p *called) WSPGetQOSByName(s spi.Socket, name *spi.Buf, qos *spi.QOS) spi.Errno {
	e := C.upcall_call_get_qos_by_name(p.c, C.uint64_t(s), C.uintptr_t(at(name)), C.uintptr_t(at(qos)))
	runtime.KeepAlive(name)
	runtime.KeepAlive(qos)
	return spi.Errno(e)
}

func (p *called) WSPIoctl(s spi.Socket, code uint32, in, out []byte, returned *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	op := p.begin(ov, routine)
	op.keep(in, out, returned)
	e := spi.Errno(C.upcall_call_ioctl(p.c, C.uint64_t(s), C.uint32_t(code), C.uintptr_t(start(in)), C.uint32_t(len(in)),
		C.uintptr_t(start(out)), C.uint32_t(len(out)), C.uintptr_t(at(returned)), C.uintptr_t(at(ov)), op.routine(), C.uintptr_t(at(thread))))
	op.begun(e)
	if code == spi.SIO_GET_EXTENSION_FUNCTION_POINTER && e == 0 {
		e = p.wrap(in, out)
	}
	runtime.KeepAlive(in)
	runtime.KeepAlive(out)
	runtime.KeepAlive(returned)
	runtime.KeepAlive(ov)
	runtime.KeepAlive(thread)
	return e
}

func (p *called) WSPJoinLeaf(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS, flags uint32) (spi.Socket, spi.Errno) {
	r := C.upcall_call_join_leaf(p.c, C.uint64_t(s), C.uintptr_t(start(name)), C.int32_t(len(name)),
		C.uintptr_t(at(callerData)), C.uintptr_t(at(calleeData)), C.uintptr_t(at(sqos)), C.uintptr_t(at(gqos)), C.uint32_t(flags))
	runtime.KeepAlive(name)
	runtime.KeepAlive(callerData)
	runtime.KeepAlive(calleeData)
	runtime.KeepAlive(sqos)
	runtime.KeepAlive(gqos)
	return socketOf(r)
}

func (p *called) WSPListen(s spi.Socket, backlog int32) spi.Errno {
	return spi.Errno(C.upcall_call_listen(p.c, C.uint64_t(s), C.int32_t(backlog)))
}

func (p *called) WSPRecv(s spi.Socket, bufs []spi.Buf, received, flags *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	op := p.begin(ov, routine)
	op.keepBufs(bufs)
	op.keep(nil, nil, received, flags)
	e := spi.Errno(C.upcall_call_recv(p.c, C.uint64_t(s), C.uintptr_t(start(bufs)), C.uint32_t(len(bufs)),
		C.uintptr_t(at(received)), C.uintptr_t(at(flags)), C.uintptr_t(at(ov)), op.routine(), C.uintptr_t(at(thread))))
	op.begun(e)
	runtime.KeepAlive(bufs)
	runtime.KeepAlive(received)
	runtime.KeepAlive(flags)
	runtime.KeepAlive(ov)
	runtime.KeepAlive(thread)
	return e
}

func (p *called) WSPRecvDisconnect(s spi.Socket, data *spi.Buf) spi.Errno {
	e := C.upcall_call_recv_disconnect(p.c, C.uint64_t(s), C.uintptr_t(at(data)))
	runtime.KeepAlive(data)
	return spi.Errno(e)
}

func (p *called) WSPRecvFrom(s spi.Socket, bufs []spi.Buf, received, flags *uint32, from []byte, fromLen *int32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	fit(from, fromLen)
	op := p.begin(ov, routine)
	op.keepBufs(bufs)
	op.keep(from, nil, received, flags)
	op.keepLength(fromLen)
	e := spi.Errno(C.upcall_call_recv_from(p.c, C.uint64_t(s), C.uintptr_t(start(bufs)), C.uint32_t(len(bufs)),
		C.uintptr_t(at(received)), C.uintptr_t(at(flags)), C.uintptr_t(start(from)), C.uintptr_t(at(fromLen)), C.uintptr_t(at(ov)), op.routine(), C.uintptr_t(at(thread))))
	op.begun(e)
	runtime.KeepAlive(bufs)
	runtime.KeepAlive(received)
	runtime.KeepAlive(flags)
	runtime.KeepAlive(from)
	runtime.KeepAlive(fromLen)
	runtime.KeepAlive(ov)
	runtime.KeepAlive(thread)
	return e
}

func (p *called) WSPSelect(read, write, except *spi.FDSet, timeout *spi.Timeval) (int32, spi.Errno) {
	r := C.upcall_call_select(p.c, C.uintptr_t(at(read)), C.uintptr_t(at(write)), C.uintptr_t(at(except)), C.uintptr_t(at(timeout)))
	runtime.KeepAlive(read)
	runtime.KeepAlive(write)
	runtime.KeepAlive(except)
	runtime.KeepAlive(timeout)
	return int32(r.count), spi.Errno(r.error)
}

func (p *called) WSPSend(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	op := p.begin(ov, routine)
	op.keepBufs(bufs)
	op.keep(nil, nil, sent)
	e := spi.Errno(C.upcall_call_send(p.c, C.uint64_t(s), C.uintptr_t(start(bufs)), C.uint32_t(len(bufs)),
		C.uintptr_t(at(sent)), C.uint32_t(flags), C.uintptr_t(at(ov)), op.routine(), C.uintptr_t(at(thread))))
	op.begun(e)
	runtime.KeepAlive(bufs)
	runtime.KeepAlive(sent)
	runtime.KeepAlive(ov)
	runtime.KeepAlive(thread)
	return e
}

func (p *called) WSPSendDisconnect(s spi.Socket, data *spi.Buf) spi.Errno {
	e := C.upcall_call_send_disconnect(p.c, C.uint64_t(s), C.uintptr_t(at(data)))
	runtime.KeepAlive(data)
	return spi.Errno(e)
}

func (p *called) WSPSendTo(s spi.Socket, bufs []spi.Buf, sent *uint32, flags uint32, to []byte, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	op := p.begin(ov, routine)
	op.keepBufs(bufs)
	op.keep(to, nil, sent)
	e := spi.Errno(C.upcall_call_send_to(p.c, C.uint64_t(s), C.uintptr_t(start(bufs)), C.uint32_t(len(bufs)),
		C.uintptr_t(at(sent)), C.uint32_t(flags), C.uintptr_t(start(to)), C.int32_t(len(to)), C.uintptr_t(at(ov)), op.routine(), C.uintptr_t(at(thread))))
	op.begun(e)
	runtime.KeepAlive(bufs)
	runtime.KeepAlive(sent)
	runtime.KeepAlive(to)
	runtime.KeepAlive(ov)
	runtime.KeepAlive(thread)
	return e
}

func (p *called) WSPSetSockOpt(s spi.Socket, level, name int32, val []byte) spi.Errno {
	e := C.upcall_call_set_sock_opt(p.c, C.uint64_t(s), C.int32_t(level), C.int32_t(name), C.uintptr_t(start(val)), C.int32_t(len(val)))
	runtime.KeepAlive(val)
	return spi.Errno(e)
}

func (p *called) WSPShutdown(s spi.Socket, how int32) spi.Errno {
	return spi.Errno(C.upcall_call_shutdown(p.c, C.uint64_t(s), C.int32_t(how)))
}

func (p *called) WSPSocket(af, typ, protocol int32, info *spi.ProtocolInfo, g spi.Group, flags uint32) (spi.Socket, spi.Errno) {
	r := C.upcall_call_socket(p.c, C.int32_t(af), C.int32_t(typ), C.int32_t(protocol), C.uintptr_t(at(info)), C.uint32_t(g), C.uint32_t(flags))
	runtime.KeepAlive(info)
	return socketOf(r)
}

// WSPStringToAddress passes the text with a NUL at its end.
func (p *called) WSPStringToAddress(str []uint16, af int32, info *spi.ProtocolInfo, addr []byte, addrLen *int32) spi.Errno {
	fit(addr, addrLen)
	text := make([]uint16, len(str)+1)
	copy(text, str)
	e := C.upcall_call_string_to_address(p.c, C.uintptr_t(start(text)), C.int32_t(af), C.uintptr_t(at(info)), C.uintptr_t(start(addr)), C.uintptr_t(at(addrLen)))
	runtime.KeepAlive(text)
	runtime.KeepAlive(info)
	runtime.KeepAlive(addr)
	runtime.KeepAlive(addrLen)
	return spi.Errno(e)
}

// fit makes a length that C will trust no longer than the memory.
func fit(room []byte, length *int32) {
	if length != nil {
		*length = min(*length, int32(len(room)))
	}
}

func socketOf(r C.struct_upcall_socket_result) (spi.Socket, spi.Errno) {
	return spi.Socket(r.socket), spi.Errno(r.error)
}

// incomplete returns the provider as a table in which the functions of the
// missing bits are missing, for the host to see.
func (p *called) incomplete(missing uint32) spi.Provider {
	t := &spi.ProcTable{
		LpWSPAccept: p.WSPAccept, LpWSPAddressToString: p.WSPAddressToString, LpWSPAsyncSelect: p.WSPAsyncSelect,
		LpWSPBind: p.WSPBind, LpWSPCancelBlockingCall: p.WSPCancelBlockingCall, LpWSPCloseSocket: p.WSPCloseSocket,
		LpWSPConnect: p.WSPConnect, LpWSPDuplicateSocket: p.WSPDuplicateSocket, LpWSPEnumNetworkEvents: p.WSPEnumNetworkEvents,
		LpWSPEventSelect: p.WSPEventSelect, LpWSPGetOverlappedResult: p.WSPGetOverlappedResult, LpWSPGetPeerName: p.WSPGetPeerName,
		LpWSPGetSockName: p.WSPGetSockName, LpWSPGetSockOpt: p.WSPGetSockOpt, LpWSPGetQOSByName: p.WSPGetQOSByName,
		LpWSPIoctl: p.WSPIoctl, LpWSPJoinLeaf: p.WSPJoinLeaf, LpWSPListen: p.WSPListen,
		LpWSPRecv: p.WSPRecv, LpWSPRecvDisconnect: p.WSPRecvDisconnect, LpWSPRecvFrom: p.WSPRecvFrom,
		LpWSPSelect: p.WSPSelect, LpWSPSend: p.WSPSend, LpWSPSendDisconnect: p.WSPSendDisconnect,
		LpWSPSendTo: p.WSPSendTo, LpWSPSetSockOpt: p.WSPSetSockOpt, LpWSPShutdown: p.WSPShutdown,
		LpWSPSocket: p.WSPSocket, LpWSPStringToAddress: p.WSPStringToAddress,
	}
	if missing&(1<<cleanupBit) == 0 {
		t.LpWSPCleanup = p.WSPCleanup
		// One function that cannot be called stands for those that are missing:
		// the host calls none of a provider that lacks any, but its WSPCleanup.
		if missing != 0 {
			t.LpWSPAccept = nil
		}
	}
	return t.Provider()
}

// cleanupBit is WSPCleanup's place in the table.
const cleanupBit = 5
