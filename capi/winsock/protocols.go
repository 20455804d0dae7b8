package winsock

import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// beforeName is the bytes that WSAPROTOCOL_INFOA and WSAPROTOCOL_INFOW have in
// common: all but the protocol's name.
const beforeName = unsafe.Offsetof(spi.ProtocolInfo{}.ProtocolName)

// storeInfoA stores info at p as a WSAPROTOCOL_INFOA; a name too long for it is
// cut.
func storeInfoA(p unsafe.Pointer, info *spi.ProtocolInfo) {
	ansi := unsafe.Slice((*byte)(p), ws2.SizeofProtocolInfoA)
	n := copy(ansi, unsafe.Slice((*byte)(unsafe.Pointer(info)), beforeName))
	clear(ansi[n:])
	copy(ansi[n:len(ansi)-1], info.Name())
}

//export goWSAEnumProtocols
func goWSAEnumProtocols(t, protocols, buffer, length unsafe.Pointer, narrow bool) (int32, int32) {
	filter, size := zeroEnded((*int32)(protocols)), (*uint32)(length)
	if narrow {
		return enumProtocolsA(process.Thread(t), filter, buffer, size)
	}
	var infos []spi.ProtocolInfo
	if buffer != nil && size != nil {
		infos = unsafe.Slice((*spi.ProtocolInfo)(buffer), *size/uint32(unsafe.Sizeof(spi.ProtocolInfo{})))
	}
	n, err := process.Thread(t).WSAEnumProtocols(filter, infos, size)
	return int32(n), code(err)
}

// zeroEnded returns the numbers at p up to a 0, nil without any array.
func zeroEnded(p *int32) []int32 {
	if p == nil {
		return nil
	}
	n := 0
	for *(*int32)(unsafe.Add(unsafe.Pointer(p), n*4)) != 0 {
		n++
	}
	return unsafe.Slice(p, n)
}

func enumProtocolsA(t *thread, filter []int32, buffer unsafe.Pointer, size *uint32) (int32, int32) {
	if size == nil {
		_, err := t.WSAEnumProtocols(filter, nil, nil)
		return 0, code(err)
	}
	var infos []spi.ProtocolInfo
	var needed uint32
	for {
		n, err := t.WSAEnumProtocols(filter, infos, &needed)
		if err == nil {
			infos = infos[:n]
			break
		}
		if ws2.CodeOf(err) != spi.WSAENOBUFS {
			return 0, code(err)
		}
		infos = make([]spi.ProtocolInfo, needed/uint32(unsafe.Sizeof(spi.ProtocolInfo{})))
	}
	room := *size
	if *size = uint32(len(infos)) * ws2.SizeofProtocolInfoA; room < *size {
		return 0, int32(spi.WSAENOBUFS)
	}
	if buffer == nil && len(infos) > 0 {
		return 0, fault
	}
	for i := range infos {
		storeInfoA(unsafe.Add(buffer, i*ws2.SizeofProtocolInfoA), &infos[i])
	}
	return int32(len(infos)), 0
}

//export goWSADuplicateSocket
func goWSADuplicateSocket(t unsafe.Pointer, s uint64, pid uint32, info unsafe.Pointer, narrow bool) int32 {
	if !narrow || info == nil {
		return code(process.Thread(t).WSADuplicateSocket(socket(s), pid, (*spi.ProtocolInfo)(info)))
	}
	wide := new(spi.ProtocolInfo)
	e := code(process.Thread(t).WSADuplicateSocket(socket(s), pid, wide))
	if e == 0 {
		storeInfoA(info, wide)
	}
	return e
}

//export goWSAProviderConfigChange
func goWSAProviderConfigChange(t, handle, ov unsafe.Pointer, routine uintptr) int32 {
	return code(process.Thread(t).WSAProviderConfigChange((*ws2.Notification)(handle), (*spi.Overlapped)(ov), completionRoutine(routine)))
}
