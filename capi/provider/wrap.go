package provider

/*
#include "extension.h"
*/
import "C"

import (
	"runtime"
	"sync"
	"unsafe"

	"upcall.dev/spi"
)

// extensions are the extension functions that callers in Go have of a provider
// in C, until it ends.
type extensions struct {
	mu  sync.Mutex // a leaf lock; guards all
	all map[foreignKey]unsafe.Pointer
}

type foreignKey struct {
	kind     int
	function uintptr
}

// wrappedFunctions are the C functions behind such functions of Go's, so that a
// layer in C above gets the very function: uintptr by unsafe.Pointer.
var wrappedFunctions sync.Map

// foreignOf returns the C function that a Go function stands for.
func foreignOf(function unsafe.Pointer) (uintptr, bool) {
	v, ok := wrappedFunctions.Load(function)
	if !ok {
		return 0, false
	}
	return v.(uintptr), true
}

// wrap puts a function of Go's in the place of the C function that out has.
func (p *called) wrap(in, out []byte) spi.Errno {
	kind, known := kindOf(in)
	var function uintptr
	if len(out) < int(unsafe.Sizeof(function)) {
		return spi.WSAEFAULT
	}
	place := (*[unsafe.Sizeof(function)]byte)(out)
	copy((*[unsafe.Sizeof(function)]byte)(unsafe.Pointer(&function))[:], place[:])
	if !known || function == 0 {
		clear(place[:])
		return spi.WSAEINVAL
	}
	wrapped := p.wrapper(kind, function)
	copy(place[:], (*[unsafe.Sizeof(wrapped)]byte)(unsafe.Pointer(&wrapped))[:])
	return 0
}

// wrapper returns the pointer to the Go function for a C function: the function
// of a provider in Go below, if it is that.
func (p *called) wrapper(kind int, function uintptr) unsafe.Pointer {
	if n := C.upcall_extension_number(C.int(kind), C.uintptr_t(function)); n >= 0 {
		pointers.mu.RLock()
		own := pointers.all[kind][n]
		pointers.mu.RUnlock()
		if own != nil {
			return own.function
		}
	}
	x := &p.wrapped
	x.mu.Lock()
	defer x.mu.Unlock()
	key := foreignKey{kind, function}
	if w := x.all[key]; w != nil {
		return w
	}
	if x.all == nil {
		x.all = map[foreignKey]unsafe.Pointer{}
	}
	w := p.newWrapper(kind, C.uintptr_t(function))
	x.all[key] = w
	wrappedFunctions.Store(w, function)
	return w
}

// drop forgets the functions of a provider that has ended.
func (x *extensions) drop() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, w := range x.all {
		wrappedFunctions.Delete(w)
	}
}

func escape[F any](f F) unsafe.Pointer { return unsafe.Pointer(&f) }

func (p *called) newWrapper(kind int, f C.uintptr_t) unsafe.Pointer {
	switch kind {
	case C.UPCALL_ACCEPTEX:
		return escape(p.acceptEx(f))
	case C.UPCALL_GETACCEPTEXSOCKADDRS:
		return escape(p.getAcceptExSockaddrs(f))
	case C.UPCALL_CONNECTEX:
		return escape(p.connectEx(f))
	case C.UPCALL_DISCONNECTEX:
		return escape(p.disconnectEx(f))
	case C.UPCALL_TRANSMITFILE:
		return escape(p.transmitFile(f))
	case C.UPCALL_TRANSMITPACKETS:
		return escape(p.transmitPackets(f))
	case C.UPCALL_WSARECVMSG:
		return escape(p.recvMsg(f))
	case C.UPCALL_WSASENDMSG:
		return escape(p.sendMsg(f))
	}
	return escape(p.poll(f))
}

func (p *called) acceptEx(f C.uintptr_t) spi.AcceptExFunc {
	return func(listen, accept spi.Socket, out []byte, receiveLen, localLen, remoteLen uint32, received *uint32, ov *spi.Overlapped) spi.Errno {
		if uint64(len(out)) < uint64(receiveLen)+uint64(localLen)+uint64(remoteLen) {
			return spi.WSAEFAULT
		}
		op := p.begin(ov, nil)
		op.keep(out, nil, received)
		e := spi.Errno(C.upcall_ext_acceptex(p.c, f, C.uint64_t(listen), C.uint64_t(accept), C.uintptr_t(start(out)), C.uint32_t(receiveLen),
			C.uint32_t(localLen), C.uint32_t(remoteLen), C.uintptr_t(at(received)), C.uintptr_t(at(ov))))
		op.begun(e)
		runtime.KeepAlive(out)
		runtime.KeepAlive(received)
		runtime.KeepAlive(ov)
		return e
	}
}

func (p *called) getAcceptExSockaddrs(f C.uintptr_t) spi.GetAcceptExSockaddrsFunc {
	return func(out []byte, receiveLen, localLen, remoteLen uint32) (local, remote []byte) {
		if uint64(len(out)) < uint64(receiveLen)+uint64(localLen)+uint64(remoteLen) {
			return nil, nil
		}
		r := C.upcall_ext_getacceptexsockaddrs(p.c, f, C.uintptr_t(start(out)), C.uint32_t(receiveLen), C.uint32_t(localLen), C.uint32_t(remoteLen))
		within := func(address C.uintptr_t, length C.int32_t) []byte {
			offset := uint64(uintptr(address)) - uint64(start(out))
			if address == 0 || length <= 0 || offset+uint64(length) > uint64(len(out)) {
				return nil
			}
			return out[offset : offset+uint64(length)]
		}
		return within(r.local, r.local_length), within(r.remote, r.remote_length)
	}
}

func (p *called) connectEx(f C.uintptr_t) spi.ConnectExFunc {
	return func(s spi.Socket, name, data []byte, sent *uint32, ov *spi.Overlapped) spi.Errno {
		op := p.begin(ov, nil)
		op.keep(name, data, sent)
		e := spi.Errno(C.upcall_ext_connectex(p.c, f, C.uint64_t(s), C.uintptr_t(start(name)), C.int32_t(len(name)),
			C.uintptr_t(start(data)), C.uint32_t(len(data)), C.uintptr_t(at(sent)), C.uintptr_t(at(ov))))
		op.begun(e)
		runtime.KeepAlive(name)
		runtime.KeepAlive(data)
		runtime.KeepAlive(sent)
		runtime.KeepAlive(ov)
		return e
	}
}

func (p *called) disconnectEx(f C.uintptr_t) spi.DisconnectExFunc {
	return func(s spi.Socket, ov *spi.Overlapped, flags uint32) spi.Errno {
		op := p.begin(ov, nil)
		e := spi.Errno(C.upcall_ext_disconnectex(p.c, f, C.uint64_t(s), C.uintptr_t(at(ov)), C.uint32_t(flags)))
		op.begun(e)
		runtime.KeepAlive(ov)
		return e
	}
}

func (p *called) transmitFile(f C.uintptr_t) spi.TransmitFileFunc {
	return func(s spi.Socket, file uintptr, toWrite, perSend uint32, ov *spi.Overlapped, around *spi.TransmitFileBuffers, flags uint32) spi.Errno {
		op := p.begin(ov, nil)
		if around != nil {
			op.keep(unsafe.Slice(around.Head, around.HeadLength), unsafe.Slice(around.Tail, around.TailLength))
		}
		e := spi.Errno(C.upcall_ext_transmitfile(p.c, f, C.uint64_t(s), C.uintptr_t(file), C.uint32_t(toWrite), C.uint32_t(perSend),
			C.uintptr_t(at(ov)), C.uintptr_t(at(around)), C.uint32_t(flags)))
		op.begun(e)
		runtime.KeepAlive(ov)
		runtime.KeepAlive(around)
		return e
	}
}

func (p *called) transmitPackets(f C.uintptr_t) spi.TransmitPacketsFunc {
	return func(s spi.Socket, elements []spi.TransmitPacketsElement, perSend uint32, ov *spi.Overlapped, flags uint32) spi.Errno {
		all := make([]cElement, len(elements))
		memories := make([]*byte, len(elements)+1)
		for i := range elements {
			e := &elements[i]
			all[i] = cElement{flags: e.ElFlags, length: e.Length}
			if b, ok := e.Memory(); ok {
				memories[i] = unsafe.SliceData(b)
				all[i].value = uint64(start(b))
			} else if file, offset, ok := e.File(); ok {
				all[i].file, all[i].value = file, uint64(offset)
			}
		}
		memories[len(elements)] = (*byte)(unsafe.Pointer(unsafe.SliceData(all)))
		op := p.begin(ov, nil)
		if op != nil {
			op.bufs = memories
		}
		e := spi.Errno(C.upcall_ext_transmitpackets(p.c, f, C.uint64_t(s), C.uintptr_t(start(all)), C.uint32_t(len(all)), C.uint32_t(perSend), C.uintptr_t(at(ov)), C.uint32_t(flags)))
		op.begun(e)
		runtime.KeepAlive(memories)
		runtime.KeepAlive(ov)
		return e
	}
}

func (p *called) recvMsg(f C.uintptr_t) spi.WSARecvMsgFunc {
	return func(s spi.Socket, msg *spi.Msg, received *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine) spi.Errno {
		op := p.begin(ov, routine)
		op.keepMsg(msg)
		op.keep(nil, nil, received)
		e := spi.Errno(C.upcall_ext_wsarecvmsg(p.c, f, C.uint64_t(s), C.uintptr_t(at(msg)), C.uintptr_t(at(received)), C.uintptr_t(at(ov)), op.routine()))
		op.begun(e)
		runtime.KeepAlive(msg)
		runtime.KeepAlive(received)
		runtime.KeepAlive(ov)
		return e
	}
}

func (p *called) sendMsg(f C.uintptr_t) spi.WSASendMsgFunc {
	return func(s spi.Socket, msg *spi.Msg, flags uint32, sent *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine) spi.Errno {
		op := p.begin(ov, routine)
		op.keepMsg(msg)
		op.keep(nil, nil, sent)
		e := spi.Errno(C.upcall_ext_wsasendmsg(p.c, f, C.uint64_t(s), C.uintptr_t(at(msg)), C.uint32_t(flags), C.uintptr_t(at(sent)), C.uintptr_t(at(ov)), op.routine()))
		op.begun(e)
		runtime.KeepAlive(msg)
		runtime.KeepAlive(sent)
		runtime.KeepAlive(ov)
		return e
	}
}

func (p *called) poll(f C.uintptr_t) spi.WSAPollFunc {
	return func(fds []spi.PollFD, timeout int32) (int32, spi.Errno) {
		r := C.upcall_ext_wsapoll(p.c, f, C.uintptr_t(start(fds)), C.uint32_t(len(fds)), C.int32_t(timeout))
		runtime.KeepAlive(fds)
		return int32(r.count), spi.Errno(r.error)
	}
}
