package winsock

/*
#include "namescallbacks.h"
*/
import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

//export goInstallNameSpace
func goInstallNameSpace(identifier, path unsafe.Pointer, nameSpace, version uint32, id, info unsafe.Pointer, thirtyTwo bool) int32 {
	if identifier == nil || path == nil || id == nil {
		return int32(spi.WSAEINVAL) // it has no WSAEFAULT
	}
	data := (*spi.Blob)(info).Bytes()
	if info != nil && (*spi.Blob)(info).Size > 0 && data == nil {
		return int32(spi.WSAEINVAL)
	}
	return int32(installed(thirtyTwo).InstallNameSpaceEx(*textAt(identifier, true), *textAt(path, true), nameSpace, version, *(*spi.GUID)(id), data))
}

//export goUnInstallNameSpace
func goUnInstallNameSpace(id unsafe.Pointer, thirtyTwo bool) int32 {
	if id == nil {
		return int32(spi.WSAEFAULT)
	}
	return int32(installed(thirtyTwo).UnInstallNameSpace(*(*spi.GUID)(id)))
}

//export goEnableNSProvider
func goEnableNSProvider(id unsafe.Pointer, enable, thirtyTwo bool) int32 {
	if id == nil {
		return int32(spi.WSAEFAULT)
	}
	return int32(installed(thirtyTwo).EnableNSProvider(*(*spi.GUID)(id), enable))
}

//export goWriteNameSpaceOrder
func goWriteNameSpaceOrder(ids unsafe.Pointer, n uint32, thirtyTwo bool) int32 {
	switch {
	case ids == nil:
		return int32(spi.WSAEFAULT)
	case n > mostEntries:
		return int32(spi.WSAEINVAL)
	}
	return int32(installed(thirtyTwo).WriteNameSpaceOrder(unsafe.Slice((*spi.GUID)(ids), n)))
}

// goInstalledNameSpaces32 returns the number of entries, or the code negated.
//
//export goInstalledNameSpaces32
func goInstalledNameSpaces32(length, buf unsafe.Pointer, extended bool) int32 {
	size := (*uint32)(length)
	if size == nil {
		return -int32(spi.WSAEFAULT)
	}
	n, e := installed(true).EnumNameSpaceProviders(extended, size, memory(buf, *size))
	if e != 0 {
		return -int32(e)
	}
	return int32(n)
}

//export goSetPostRoutine
func goSetPostRoutine(routine uintptr) {
	var post ws2.PostRoutine
	if routine != 0 {
		post = func(wnd spi.HWND, msg uint32, wParam, lParam uintptr) bool {
			return C.upcall_post(C.uintptr_t(routine), C.uintptr_t(wnd), C.uint32_t(msg), C.uintptr_t(wParam), C.uintptr_t(lParam)) != 0
		}
	}
	process.DLL().WSApSetPostRoutine(post)
}
