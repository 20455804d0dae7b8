package windows

import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
)

func buffers(buf unsafe.Pointer) []spi.Buf { return unsafe.Slice((*spi.Buf)(buf), 1) }

//export goReadFile
func goReadFile(t unsafe.Pointer, file uintptr, buf, n, flags, overlapped unsafe.Pointer) int32 {
	return handleCode(process.Thread(t).WSARecv(spi.Socket(file), buffers(buf), (*uint32)(n), (*uint32)(flags), (*spi.Overlapped)(overlapped), nil))
}

//export goWriteFile
func goWriteFile(t unsafe.Pointer, file uintptr, buf, n, overlapped unsafe.Pointer) int32 {
	return handleCode(process.Thread(t).WSASend(spi.Socket(file), buffers(buf), (*uint32)(n), 0, (*spi.Overlapped)(overlapped), nil))
}

//export goGetOverlappedResult
func goGetOverlappedResult(t unsafe.Pointer, file uintptr, overlapped, n unsafe.Pointer, wait bool, flags unsafe.Pointer) int32 {
	return handleCode(process.Thread(t).WSAGetOverlappedResult(spi.Socket(file), (*spi.Overlapped)(overlapped), (*uint32)(n), wait, (*uint32)(flags)))
}

//export goCancelIo
func goCancelIo(t unsafe.Pointer, file uintptr) int32 {
	return handleCode(process.Thread(t).CancelIo(spi.Socket(file)))
}

//export goCancelIoEx
func goCancelIoEx(t unsafe.Pointer, file uintptr, overlapped unsafe.Pointer) int32 {
	return handleCode(process.Thread(t).CancelIoEx(spi.Socket(file), (*spi.Overlapped)(overlapped)))
}
