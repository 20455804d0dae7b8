package provider

/*
#include "extension.h"
*/
import "C"

import (
	"sync"
	"unsafe"

	"upcall.dev/spi"
)

// kinds are the extension functions that cross the boundary.
var kinds = map[spi.GUID]int{
	spi.WSAID_ACCEPTEX:             C.UPCALL_ACCEPTEX,
	spi.WSAID_GETACCEPTEXSOCKADDRS: C.UPCALL_GETACCEPTEXSOCKADDRS,
	spi.WSAID_CONNECTEX:            C.UPCALL_CONNECTEX,
	spi.WSAID_DISCONNECTEX:         C.UPCALL_DISCONNECTEX,
	spi.WSAID_TRANSMITFILE:         C.UPCALL_TRANSMITFILE,
	spi.WSAID_TRANSMITPACKETS:      C.UPCALL_TRANSMITPACKETS,
	spi.WSAID_WSARECVMSG:           C.UPCALL_WSARECVMSG,
	spi.WSAID_WSASENDMSG:           C.UPCALL_WSASENDMSG,
	spi.WSAID_WSAPOLL:              C.UPCALL_WSAPOLL,
}

// kindOf returns the kind of the function whose GUID is in; false if it is none.
func kindOf(in []byte) (kind int, ok bool) {
	var id spi.GUID
	if len(in) < int(unsafe.Sizeof(id)) {
		return 0, false
	}
	copy((*[unsafe.Sizeof(id)]byte)(unsafe.Pointer(&id))[:], in)
	kind, ok = kinds[id]
	return kind, ok
}

// pointer is an extension function of a provider in Go that C has as the
// function of its kind with this number.
type pointer struct {
	kind, number int
	function     unsafe.Pointer // as spi.StoreExtension has it
	users        int            // instances; guarded by pointers.mu
}

// pointers are the extension functions that C has.
var pointers struct {
	mu   sync.RWMutex // a leaf lock; guards the rest
	all  [C.UPCALL_EXTENSIONS][C.UPCALL_POINTERS]*pointer
	last [C.UPCALL_EXTENSIONS]int
}

// extensionPointer answers C's request to instance n for an extension function.
func extensionPointer(n int32, s spi.Socket, in, out []byte, returned *uint32, thread *spi.ThreadID) spi.Errno {
	kind, known := kindOf(in)
	got := make([]byte, unsafe.Sizeof(uintptr(0)))
	var length uint32
	e := callee(n).WSPIoctl(s, spi.SIO_GET_EXTENSION_FUNCTION_POINTER, in, got, &length, nil, nil, thread)
	if e != 0 {
		return e
	}
	if !known {
		return spi.WSAEINVAL
	}
	if len(out) < len(got) || returned == nil {
		return spi.WSAEFAULT
	}
	function := *(*unsafe.Pointer)(unsafe.Pointer(&got[0]))
	address, ok := foreignOf(function)
	if !ok {
		if address, ok = handOut(n, kind, function); !ok {
			return spi.WSAENOBUFS
		}
	}
	*returned = uint32(copy(out, unsafe.Slice((*byte)(unsafe.Pointer(&address)), unsafe.Sizeof(address))))
	return 0
}

// handOut gives an extension function a C function, on behalf of an instance;
// false when there is none left, which standard error tells.
func handOut(n int32, kind int, function unsafe.Pointer) (address uintptr, ok bool) {
	handed.mu.Lock()
	defer handed.mu.Unlock()
	x := handed.instances[n]
	if x == nil {
		return 0, false
	}
	pointers.mu.Lock()
	defer pointers.mu.Unlock()
	for _, p := range x.points {
		if p.kind == kind && p.function == function {
			return uintptr(C.upcall_extension_pointer(C.int(kind), C.int(p.number))), true
		}
	}
	var found *pointer
	for _, p := range pointers.all[kind] {
		if p != nil && p.function == function {
			found = p
		}
	}
	if found == nil {
		number, room := free(pointers.all[kind][:], pointers.last[kind])
		if !room {
			tell("programs in C can have %d extension functions of one kind, and this is one more", len(pointers.all[kind]))
			return 0, false
		}
		found = &pointer{kind: kind, number: number, function: function}
		pointers.all[kind][number], pointers.last[kind] = found, number
	}
	found.users++
	x.points = append(x.points, found)
	return uintptr(C.upcall_extension_pointer(C.int(kind), C.int(found.number))), true
}

// releasePointers takes back what an instance was given.
func releasePointers(points []*pointer) {
	pointers.mu.Lock()
	defer pointers.mu.Unlock()
	for _, p := range points {
		if p.users--; p.users == 0 {
			pointers.all[p.kind][p.number] = nil
		}
	}
}

// extensionFunction returns the function behind a C function.
func extensionFunction[F any](kind int, number int32) F {
	pointers.mu.RLock()
	p := pointers.all[kind][number]
	pointers.mu.RUnlock()
	if p == nil {
		panic(errEnded)
	}
	return *(*F)(p.function)
}

//export goExtAcceptEx
func goExtAcceptEx(n int32, listen, accept uint64, out unsafe.Pointer, receiveLen, localLen, remoteLen uint32, received, ov unsafe.Pointer) (e int32) {
	defer recovered("AcceptEx", &e)
	f := extensionFunction[spi.AcceptExFunc](C.UPCALL_ACCEPTEX, n)
	d := passDown(ov, 0)
	return d.answer(f(spi.Socket(listen), spi.Socket(accept), memory[byte](out, receiveLen+localLen+remoteLen), receiveLen, localLen, remoteLen, counted(received), d.ov))
}

// counted returns where a count goes; C may not want it.
func counted(p unsafe.Pointer) *uint32 {
	if p == nil {
		return new(uint32)
	}
	return (*uint32)(p)
}

// goExtGetAcceptExSockaddrs returns where the addresses are in out, and how long.
//
//export goExtGetAcceptExSockaddrs
func goExtGetAcceptExSockaddrs(n int32, out unsafe.Pointer, receiveLen, localLen, remoteLen uint32) (local uintptr, localLength int32, remote uintptr, remoteLength int32) {
	var e int32
	defer recovered("GetAcceptExSockaddrs", &e)
	f := extensionFunction[spi.GetAcceptExSockaddrsFunc](C.UPCALL_GETACCEPTEXSOCKADDRS, n)
	to, from := f(memory[byte](out, receiveLen+localLen+remoteLen), receiveLen, localLen, remoteLen)
	within := func(b []byte) (uintptr, int32) {
		if len(b) == 0 {
			return 0, 0
		}
		return uintptr(unsafe.Pointer(&b[0])) - uintptr(out), int32(len(b))
	}
	local, localLength = within(to)
	remote, remoteLength = within(from)
	return local, localLength, remote, remoteLength
}

//export goExtConnectEx
func goExtConnectEx(n int32, s uint64, name unsafe.Pointer, length int32, data unsafe.Pointer, size uint32, sent, ov unsafe.Pointer) (e int32) {
	defer recovered("ConnectEx", &e)
	f := extensionFunction[spi.ConnectExFunc](C.UPCALL_CONNECTEX, n)
	d := passDown(ov, 0)
	return d.answer(f(spi.Socket(s), memory[byte](name, length), memory[byte](data, size), counted(sent), d.ov))
}

//export goExtDisconnectEx
func goExtDisconnectEx(n int32, s uint64, ov unsafe.Pointer, flags uint32) (e int32) {
	defer recovered("DisconnectEx", &e)
	f := extensionFunction[spi.DisconnectExFunc](C.UPCALL_DISCONNECTEX, n)
	d := passDown(ov, 0)
	return d.answer(f(spi.Socket(s), d.ov, flags))
}

//export goExtTransmitFile
func goExtTransmitFile(n int32, s uint64, file uintptr, bytes, each uint32, ov, around unsafe.Pointer, flags uint32) (e int32) {
	defer recovered("TransmitFile", &e)
	f := extensionFunction[spi.TransmitFileFunc](C.UPCALL_TRANSMITFILE, n)
	d := passDown(ov, 0)
	return d.answer(f(spi.Socket(s), file, bytes, each, d.ov, (*spi.TransmitFileBuffers)(around), flags))
}

//export goExtTransmitPackets
func goExtTransmitPackets(n int32, s uint64, elements unsafe.Pointer, count, each uint32, ov unsafe.Pointer, flags uint32) (e int32) {
	defer recovered("TransmitPackets", &e)
	f := extensionFunction[spi.TransmitPacketsFunc](C.UPCALL_TRANSMITPACKETS, n)
	d := passDown(ov, 0)
	return d.answer(f(spi.Socket(s), elementsOf(memory[cElement](elements, count)), each, d.ov, flags))
}

//export goExtWSARecvMsg
func goExtWSARecvMsg(n int32, s uint64, msg, received, ov unsafe.Pointer, routine uintptr) (e int32) {
	defer recovered("WSARecvMsg", &e)
	f := extensionFunction[spi.WSARecvMsgFunc](C.UPCALL_WSARECVMSG, n)
	d := passDown(ov, routine)
	return d.answer(f(spi.Socket(s), (*spi.Msg)(msg), counted(received), d.ov, d.routine))
}

//export goExtWSASendMsg
func goExtWSASendMsg(n int32, s uint64, msg unsafe.Pointer, flags uint32, sent, ov unsafe.Pointer, routine uintptr) (e int32) {
	defer recovered("WSASendMsg", &e)
	f := extensionFunction[spi.WSASendMsgFunc](C.UPCALL_WSASENDMSG, n)
	d := passDown(ov, routine)
	return d.answer(f(spi.Socket(s), (*spi.Msg)(msg), flags, counted(sent), d.ov, d.routine))
}

//export goExtWSAPoll
func goExtWSAPoll(n int32, fds unsafe.Pointer, count uint32, timeout int32) (ready, e int32) {
	defer recovered("WSAPoll", &e)
	f := extensionFunction[spi.WSAPollFunc](C.UPCALL_WSAPOLL, n)
	ready, code := f(memory[spi.PollFD](fds, count), timeout)
	return ready, int32(code)
}

// cElement is TRANSMIT_PACKETS_ELEMENT as C has it.
type cElement struct {
	flags, length uint32
	value         uint64 // the address of memory, or the offset in a file
	file          uintptr
}

// elementsOf returns the elements of C as Go's.
func elementsOf(elements []cElement) []spi.TransmitPacketsElement {
	all := make([]spi.TransmitPacketsElement, len(elements))
	for i := range elements {
		e := &elements[i]
		eop := e.flags & spi.TP_ELEMENT_EOP
		switch {
		case e.flags&spi.TP_ELEMENT_MEMORY != 0:
			all[i] = spi.MemoryElement(memory[byte](*(*unsafe.Pointer)(unsafe.Pointer(&e.value)), e.length), eop)
		case e.flags&spi.TP_ELEMENT_FILE != 0:
			all[i] = spi.FileElement(e.file, int64(e.value), e.length, eop)
		default:
			all[i].ElFlags = e.flags
		}
	}
	return all
}
