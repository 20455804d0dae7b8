package provider

import "C"

import (
	"unsafe"

	"upcall.dev/spi"
)

// This file is the Go halves of the thirty functions that C has of a provider
// written in Go; thunks.c has the C halves. n numbers the instance. Each returns
// the provider's error code.

// callee returns the provider of an instance. Calls of one that has ended give
// WSANOTINITIALISED.
func callee(n int32) spi.Provider {
	p := instanceOf(n)
	if p == nil {
		panic(errEnded)
	}
	return p
}

//export goWSPAccept
func goWSPAccept(n int32, s uint64, addr, addrLen unsafe.Pointer, condition, data uintptr) (accepted uint64, e int32) {
	defer recovered("WSPAccept", &e)
	made, code := callee(n).WSPAccept(spi.Socket(s), room(addr, addrLen), (*int32)(addrLen), conditionOf(condition), data)
	return uint64(made), int32(code)
}

//export goWSPAddressToString
func goWSPAddressToString(n int32, addr unsafe.Pointer, length uint32, info, buf, bufLen unsafe.Pointer) (e int32) {
	defer recovered("WSPAddressToString", &e)
	if bufLen == nil {
		return int32(spi.WSAEFAULT)
	}
	l := (*uint32)(bufLen)
	return int32(callee(n).WSPAddressToString(memory[byte](addr, length), (*spi.ProtocolInfo)(info), memory[uint16](buf, *l), l))
}

//export goWSPAsyncSelect
func goWSPAsyncSelect(n int32, s, wnd uint64, msg uint32, events int32) (e int32) {
	defer recovered("WSPAsyncSelect", &e)
	return int32(callee(n).WSPAsyncSelect(spi.Socket(s), spi.HWND(wnd), msg, events))
}

//export goWSPBind
func goWSPBind(n int32, s uint64, name unsafe.Pointer, length int32) (e int32) {
	defer recovered("WSPBind", &e)
	return int32(callee(n).WSPBind(spi.Socket(s), memory[byte](name, length)))
}

//export goWSPCancelBlockingCall
func goWSPCancelBlockingCall(n int32) (e int32) {
	defer recovered("WSPCancelBlockingCall", &e)
	return int32(callee(n).WSPCancelBlockingCall())
}

//export goWSPCleanup
func goWSPCleanup(n int32) (e int32) {
	defer recovered("WSPCleanup", &e)
	code := callee(n).WSPCleanup()
	if code == 0 {
		undo(n)
	}
	return int32(code)
}

//export goWSPCloseSocket
func goWSPCloseSocket(n int32, s uint64) (e int32) {
	defer recovered("WSPCloseSocket", &e)
	return int32(callee(n).WSPCloseSocket(spi.Socket(s)))
}

//export goWSPConnect
func goWSPConnect(n int32, s uint64, name unsafe.Pointer, length int32, callerData, calleeData, sqos, gqos unsafe.Pointer) (e int32) {
	defer recovered("WSPConnect", &e)
	return int32(callee(n).WSPConnect(spi.Socket(s), memory[byte](name, length), (*spi.Buf)(callerData), (*spi.Buf)(calleeData), (*spi.QOS)(sqos), (*spi.QOS)(gqos)))
}

//export goWSPDuplicateSocket
func goWSPDuplicateSocket(n int32, s uint64, pid uint32, info unsafe.Pointer) (e int32) {
	defer recovered("WSPDuplicateSocket", &e)
	return int32(callee(n).WSPDuplicateSocket(spi.Socket(s), pid, (*spi.ProtocolInfo)(info)))
}

//export goWSPEnumNetworkEvents
func goWSPEnumNetworkEvents(n int32, s, ev uint64, out unsafe.Pointer) (e int32) {
	defer recovered("WSPEnumNetworkEvents", &e)
	return int32(callee(n).WSPEnumNetworkEvents(spi.Socket(s), spi.Event(ev), (*spi.NetworkEvents)(out)))
}

//export goWSPEventSelect
func goWSPEventSelect(n int32, s, ev uint64, events int32) (e int32) {
	defer recovered("WSPEventSelect", &e)
	return int32(callee(n).WSPEventSelect(spi.Socket(s), spi.Event(ev), events))
}

//export goWSPGetOverlappedResult
func goWSPGetOverlappedResult(n int32, s uint64, ov, transferred unsafe.Pointer, wait int32, flags unsafe.Pointer) (e int32) {
	defer recovered("WSPGetOverlappedResult", &e)
	return int32(callee(n).WSPGetOverlappedResult(spi.Socket(s), (*spi.Overlapped)(ov), (*uint32)(transferred), wait != 0, (*uint32)(flags)))
}

//export goWSPGetPeerName
func goWSPGetPeerName(n int32, s uint64, name, length unsafe.Pointer) (e int32) {
	defer recovered("WSPGetPeerName", &e)
	return int32(callee(n).WSPGetPeerName(spi.Socket(s), room(name, length), (*int32)(length)))
}

//export goWSPGetSockName
func goWSPGetSockName(n int32, s uint64, name, length unsafe.Pointer) (e int32) {
	defer recovered("WSPGetSockName", &e)
	return int32(callee(n).WSPGetSockName(spi.Socket(s), room(name, length), (*int32)(length)))
}

//export goWSPGetSockOpt
func goWSPGetSockOpt(n int32, s uint64, level, option int32, value, length unsafe.Pointer) (e int32) {
	defer recovered("WSPGetSockOpt", &e)
	return int32(callee(n).WSPGetSockOpt(spi.Socket(s), level, option, room(value, length), (*int32)(length)))
}

//export goWSPGetQOSByName
func goWSPGetQOSByName(n int32, s uint64, name, qos unsafe.Pointer) (e int32) {
	defer recovered("WSPGetQOSByName", &e)
	return int32(callee(n).WSPGetQOSByName(spi.Socket(s), (*spi.Buf)(name), (*spi.QOS)(qos)))
}

//export goWSPIoctl
func goWSPIoctl(n int32, s uint64, code uint32, in unsafe.Pointer, inLen uint32, out unsafe.Pointer, outLen uint32, returned, ov unsafe.Pointer, routine uintptr, thread unsafe.Pointer) (e int32) {
	defer recovered("WSPIoctl", &e)
	if code == spi.SIO_GET_EXTENSION_FUNCTION_POINTER {
		return int32(extensionPointer(n, spi.Socket(s), memory[byte](in, inLen), memory[byte](out, outLen), (*uint32)(returned), (*spi.ThreadID)(thread)))
	}
	d := passDown(ov, routine)
	return d.answer(callee(n).WSPIoctl(spi.Socket(s), code, memory[byte](in, inLen), memory[byte](out, outLen), (*uint32)(returned), d.ov, d.routine, (*spi.ThreadID)(thread)))
}

//export goWSPJoinLeaf
func goWSPJoinLeaf(n int32, s uint64, name unsafe.Pointer, length int32, callerData, calleeData, sqos, gqos unsafe.Pointer, flags uint32) (leaf uint64, e int32) {
	defer recovered("WSPJoinLeaf", &e)
	made, code := callee(n).WSPJoinLeaf(spi.Socket(s), memory[byte](name, length), (*spi.Buf)(callerData), (*spi.Buf)(calleeData), (*spi.QOS)(sqos), (*spi.QOS)(gqos), flags)
	return uint64(made), int32(code)
}

//export goWSPListen
func goWSPListen(n int32, s uint64, backlog int32) (e int32) {
	defer recovered("WSPListen", &e)
	return int32(callee(n).WSPListen(spi.Socket(s), backlog))
}

//export goWSPRecv
func goWSPRecv(n int32, s uint64, bufs unsafe.Pointer, count uint32, received, flags, ov unsafe.Pointer, routine uintptr, thread unsafe.Pointer) (e int32) {
	defer recovered("WSPRecv", &e)
	d := passDown(ov, routine)
	return d.answer(callee(n).WSPRecv(spi.Socket(s), memory[spi.Buf](bufs, count), (*uint32)(received), (*uint32)(flags), d.ov, d.routine, (*spi.ThreadID)(thread)))
}

//export goWSPRecvDisconnect
func goWSPRecvDisconnect(n int32, s uint64, data unsafe.Pointer) (e int32) {
	defer recovered("WSPRecvDisconnect", &e)
	return int32(callee(n).WSPRecvDisconnect(spi.Socket(s), (*spi.Buf)(data)))
}

//export goWSPRecvFrom
func goWSPRecvFrom(n int32, s uint64, bufs unsafe.Pointer, count uint32, received, flags, from, fromLen, ov unsafe.Pointer, routine uintptr, thread unsafe.Pointer) (e int32) {
	defer recovered("WSPRecvFrom", &e)
	d := passDown(ov, routine)
	return d.answer(callee(n).WSPRecvFrom(spi.Socket(s), memory[spi.Buf](bufs, count), (*uint32)(received), (*uint32)(flags), room(from, fromLen), (*int32)(fromLen), d.ov, d.routine, (*spi.ThreadID)(thread)))
}

//export goWSPSelect
func goWSPSelect(n int32, read, write, except, timeout unsafe.Pointer) (ready, e int32) {
	defer recovered("WSPSelect", &e)
	ready, code := callee(n).WSPSelect((*spi.FDSet)(read), (*spi.FDSet)(write), (*spi.FDSet)(except), (*spi.Timeval)(timeout))
	return ready, int32(code)
}

//export goWSPSend
func goWSPSend(n int32, s uint64, bufs unsafe.Pointer, count uint32, sent unsafe.Pointer, flags uint32, ov unsafe.Pointer, routine uintptr, thread unsafe.Pointer) (e int32) {
	defer recovered("WSPSend", &e)
	d := passDown(ov, routine)
	return d.answer(callee(n).WSPSend(spi.Socket(s), memory[spi.Buf](bufs, count), (*uint32)(sent), flags, d.ov, d.routine, (*spi.ThreadID)(thread)))
}

//export goWSPSendDisconnect
func goWSPSendDisconnect(n int32, s uint64, data unsafe.Pointer) (e int32) {
	defer recovered("WSPSendDisconnect", &e)
	return int32(callee(n).WSPSendDisconnect(spi.Socket(s), (*spi.Buf)(data)))
}

//export goWSPSendTo
func goWSPSendTo(n int32, s uint64, bufs unsafe.Pointer, count uint32, sent unsafe.Pointer, flags uint32, to unsafe.Pointer, toLen int32, ov unsafe.Pointer, routine uintptr, thread unsafe.Pointer) (e int32) {
	defer recovered("WSPSendTo", &e)
	d := passDown(ov, routine)
	return d.answer(callee(n).WSPSendTo(spi.Socket(s), memory[spi.Buf](bufs, count), (*uint32)(sent), flags, memory[byte](to, toLen), d.ov, d.routine, (*spi.ThreadID)(thread)))
}

//export goWSPSetSockOpt
func goWSPSetSockOpt(n int32, s uint64, level, option int32, value unsafe.Pointer, length int32) (e int32) {
	defer recovered("WSPSetSockOpt", &e)
	return int32(callee(n).WSPSetSockOpt(spi.Socket(s), level, option, memory[byte](value, length)))
}

//export goWSPShutdown
func goWSPShutdown(n int32, s uint64, how int32) (e int32) {
	defer recovered("WSPShutdown", &e)
	return int32(callee(n).WSPShutdown(spi.Socket(s), how))
}

//export goWSPSocket
func goWSPSocket(n int32, af, typ, protocol int32, info unsafe.Pointer, g, flags uint32) (s uint64, e int32) {
	defer recovered("WSPSocket", &e)
	made, code := callee(n).WSPSocket(af, typ, protocol, (*spi.ProtocolInfo)(info), spi.Group(g), flags)
	return uint64(made), int32(code)
}

//export goWSPStringToAddress
func goWSPStringToAddress(n int32, text unsafe.Pointer, af int32, info, addr, addrLen unsafe.Pointer) (e int32) {
	defer recovered("WSPStringToAddress", &e)
	if text == nil || addrLen == nil {
		return int32(spi.WSAEFAULT)
	}
	return int32(callee(n).WSPStringToAddress(wide(text), af, (*spi.ProtocolInfo)(info), room(addr, addrLen), (*int32)(addrLen)))
}

// wide returns the WCHARs at p up to the NUL.
func wide(p unsafe.Pointer) []uint16 {
	n := 0
	for *(*uint16)(unsafe.Add(p, 2*n)) != 0 {
		n++
	}
	return unsafe.Slice((*uint16)(p), n)
}

// down is an overlapped call that a layer in C passes to a provider in Go.
type down struct {
	ov      *spi.Overlapped
	routine spi.CompletionRoutine
	taken   *operation // that a caller above the layer has started; nil if it is the layer's own
}

// passDown finds what the OVERLAPPED and the routine of a call from C are. Those
// that a layer got from Go and passes on are Go's again.
func passDown(ov unsafe.Pointer, routine uintptr) (d down) {
	d.ov = (*spi.Overlapped)(ov)
	if ov == nil {
		return d
	}
	if routine != 0 && routine != ownRoutine {
		d.routine = routineOf(routine)
		return d
	}
	d.taken = take(d.ov, routine == ownRoutine)
	if routine == ownRoutine && d.taken != nil {
		d.routine = d.taken.finish
	}
	return d
}

// answer returns what C gets. An operation that was not started is the layer's
// to start again.
func (d *down) answer(e spi.Errno) int32 {
	if d.taken != nil && e != 0 && e != spi.WSA_IO_PENDING {
		d.taken.restore()
	}
	return int32(e)
}
