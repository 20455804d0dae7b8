package winsock

/*
#include <stdint.h>
uintptr_t upcall_extension(const void *id, uintptr_t function);
*/
import "C"

import (
	"encoding/binary"
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
)

//export goWSAIoctl
func goWSAIoctl(t unsafe.Pointer, s uint64, ioctl uint32, in unsafe.Pointer, inLength uint32, out unsafe.Pointer, outLength uint32,
	returned, ov unsafe.Pointer, routine uintptr,
) int32 {
	thread, input, output := process.Thread(t), memory(in, inLength), memory(out, outLength)
	if ioctl == spi.SIO_GET_EXTENSION_FUNCTION_POINTER && len(input) >= int(unsafe.Sizeof(spi.GUID{})) && len(output) >= 8 {
		function, e := extension(thread, socket(s), in)
		if e != 0 {
			return e
		}
		// The operation may still have to be indicated.
		e = code(thread.WSAIoctl(socket(s), ioctl, input, output, (*uint32)(returned), (*spi.Overlapped)(ov), completionRoutine(routine)))
		if e == 0 {
			binary.NativeEndian.PutUint64(output, function)
		}
		return e
	}
	return code(thread.WSAIoctl(socket(s), ioctl, input, output, (*uint32)(returned), (*spi.Overlapped)(ov), completionRoutine(routine)))
}

// extension returns the function that C calls where the socket's provider has
// the extension function of an id. WSAEOPNOTSUPP: only Go can call it.
func extension(t *thread, s spi.Socket, id unsafe.Pointer) (function uint64, e int32) {
	out := make([]byte, 8)
	returned := new(uint32)
	in := memory(id, uint32(unsafe.Sizeof(spi.GUID{})))
	if e := code(t.WSAIoctl(s, spi.SIO_GET_EXTENSION_FUNCTION_POINTER, in, out, returned, nil, nil)); e != 0 {
		return 0, e
	}
	function = uint64(C.upcall_extension(id, C.uintptr_t(binary.NativeEndian.Uint64(out))))
	if function == 0 {
		return 0, int32(spi.WSAEOPNOTSUPP)
	}
	return function, 0
}

//export goAcceptEx
func goAcceptEx(t unsafe.Pointer, listening, accepting uint64, out unsafe.Pointer, receive, local, remote uint32, received, ov unsafe.Pointer) int32 {
	var room []byte
	if out != nil {
		room = unsafe.Slice((*byte)(out), uint64(receive)+uint64(local)+uint64(remote))
	}
	return code(process.Thread(t).AcceptEx(socket(listening), socket(accepting), room, receive, local, remote, (*uint32)(received), (*spi.Overlapped)(ov)))
}

//export goConnectEx
func goConnectEx(t unsafe.Pointer, s uint64, name unsafe.Pointer, length int32, data unsafe.Pointer, dataLength uint32, sent, ov unsafe.Pointer) int32 {
	return code(process.Thread(t).ConnectEx(socket(s), memory(name, length), memory(data, dataLength), (*uint32)(sent), (*spi.Overlapped)(ov)))
}

//export goDisconnectEx
func goDisconnectEx(t unsafe.Pointer, s uint64, ov unsafe.Pointer, flags uint32) int32 {
	return code(process.Thread(t).DisconnectEx(socket(s), (*spi.Overlapped)(ov), flags))
}

//export goTransmitFile
func goTransmitFile(t unsafe.Pointer, s uint64, file uintptr, length, perSend uint32, ov, around unsafe.Pointer, flags uint32) int32 {
	return code(process.Thread(t).TransmitFile(socket(s), file, length, perSend, (*spi.Overlapped)(ov), (*spi.TransmitFileBuffers)(around), flags))
}

// packetsElement is TRANSMIT_PACKETS_ELEMENT, whose place for the memory is also
// that for the file's offset.
type packetsElement struct {
	flags, length uint32
	place         uintptr
	file          uintptr
}

//export goTransmitPackets
func goTransmitPackets(t unsafe.Pointer, s uint64, p unsafe.Pointer, count, perSend uint32, ov unsafe.Pointer, flags uint32) int32 {
	if p == nil && count > 0 {
		return fault
	}
	elements := make([]spi.TransmitPacketsElement, count)
	for i, e := range unsafe.Slice((*packetsElement)(p), count) {
		switch e.flags &^ spi.TP_ELEMENT_EOP {
		case spi.TP_ELEMENT_FILE:
			elements[i] = spi.FileElement(e.file, int64(e.place), e.length, e.flags&spi.TP_ELEMENT_EOP)
		case spi.TP_ELEMENT_MEMORY:
			if e.place == 0 && e.length > 0 {
				return fault
			}
			elements[i] = spi.MemoryElement(memory(*(*unsafe.Pointer)(unsafe.Pointer(&e.place)), e.length), e.flags&spi.TP_ELEMENT_EOP)
		default:
			return int32(spi.WSAEINVAL)
		}
	}
	return code(process.Thread(t).TransmitPackets(socket(s), elements, perSend, (*spi.Overlapped)(ov), flags))
}

//export goWSARecvEx
func goWSARecvEx(t unsafe.Pointer, s uint64, buf unsafe.Pointer, length int32, flags unsafe.Pointer) (int32, int32) {
	if flags == nil {
		return 0, fault
	}
	call := &struct {
		bufs            [1]spi.Buf
		received, flags uint32
	}{bufs: [1]spi.Buf{spi.NewBuf(memory(buf, length))}, flags: *(*uint32)(flags)}
	e := code(process.Thread(t).WSARecv(socket(s), call.bufs[:], &call.received, &call.flags, nil, nil))
	if e == int32(spi.WSAEMSGSIZE) {
		e, call.received, call.flags = 0, call.bufs[0].Len, call.flags|spi.MSG_PARTIAL
	}
	if e == 0 {
		*(*uint32)(flags) = call.flags & spi.MSG_PARTIAL
	}
	return int32(call.received), e
}
