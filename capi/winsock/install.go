package winsock

import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/catalog"
	"upcall.dev/spi"
)

// The functions that change the catalog work on its file, in which later
// start-ups find what they have done, and need no WSAStartup. They return their
// code. thirtyTwo is for the forms of the 32-bit catalog.

// installed returns the catalog that a function is for.
func installed(thirtyTwo bool) *catalog.File {
	f := process.Catalog()
	if thirtyTwo {
		f = f.ThirtyTwo()
	}
	return f
}

// mostEntries is what one call may install or order; a catalog's file holds fewer.
const mostEntries = 1 << 16

// entriesAt returns the program's array, nil for none. ok is false when it cannot
// be one.
func entriesAt(list unsafe.Pointer, n uint32) (infos []spi.ProtocolInfo, ok bool) {
	if list == nil {
		return nil, true
	}
	if n > mostEntries {
		return nil, false
	}
	return unsafe.Slice((*spi.ProtocolInfo)(list), n), true
}

//export goInstallProvider
func goInstallProvider(id, path, list unsafe.Pointer, n uint32, both bool) int32 {
	infos, ok := entriesAt(list, n)
	switch {
	case id == nil || path == nil:
		return int32(spi.WSAEFAULT)
	case !ok:
		return int32(spi.WSAEINVAL)
	}
	install := installed(false).InstallProvider
	if both {
		install = installed(false).InstallProvider64_32
	}
	return int32(install(*(*spi.GUID)(id), *textAt(path, true), infos))
}

//export goInstallProviderAndChains
func goInstallProviderAndChains(id, path, path32, name unsafe.Pointer, flags uint32, list unsafe.Pointer, n uint32, entry unsafe.Pointer, both bool) int32 {
	over, ok := entriesAt(list, n)
	switch {
	case path == nil || name == nil || both && path32 == nil:
		return int32(spi.WSAEFAULT)
	case id == nil || !ok:
		return int32(spi.WSAEINVAL)
	}
	if list != nil && over == nil {
		over = []spi.ProtocolInfo{} // an empty list is not the same as none
	}
	f, guid := installed(false), *(*spi.GUID)(id)
	if both {
		return int32(f.InstallProviderAndChains64_32(guid, *textAt(path, true), *textAt(path32, true), *textAt(name, true), flags, over, (*uint32)(entry)))
	}
	return int32(f.InstallProviderAndChains(guid, *textAt(path, true), *textAt(name, true), flags, over, (*uint32)(entry)))
}

//export goUpdateProvider
func goUpdateProvider(id, path, list unsafe.Pointer, n uint32, thirtyTwo bool) int32 {
	infos, ok := entriesAt(list, n)
	switch {
	case id == nil || path == nil:
		return int32(spi.WSAEFAULT)
	case !ok:
		return int32(spi.WSAEINVAL)
	}
	return int32(installed(thirtyTwo).UpdateProvider(*(*spi.GUID)(id), *textAt(path, true), infos))
}

//export goDeinstallProvider
func goDeinstallProvider(id unsafe.Pointer, thirtyTwo bool) int32 {
	if id == nil {
		return int32(spi.WSAEFAULT)
	}
	return int32(installed(thirtyTwo).DeinstallProvider(*(*spi.GUID)(id)))
}

// goInstalledProtocols returns the number of entries, or the code negated.
//
//export goInstalledProtocols
func goInstalledProtocols(filter, buf, length unsafe.Pointer, thirtyTwo bool) int32 {
	size := (*uint32)(length)
	if size == nil {
		return -int32(spi.WSAEFAULT)
	}
	var infos []spi.ProtocolInfo
	if buf != nil {
		infos = unsafe.Slice((*spi.ProtocolInfo)(buf), *size/catalog.SizeofProtocolInfo)
	} else {
		*size = 0
	}
	enum := installed(thirtyTwo).EnumProtocols
	if c := process.StartedCatalog(); c != nil && !thirtyTwo {
		enum = c.EnumProtocols
	}
	n, e := enum(numbersAt(filter), infos, size)
	if e != 0 {
		return -int32(e)
	}
	return int32(n)
}

// numbersAt returns an array of protocols that ends in 0, nil for none.
func numbersAt(p unsafe.Pointer) []int32 {
	if p == nil {
		return nil
	}
	n := 0
	for *(*int32)(unsafe.Add(p, 4*n)) != 0 {
		n++
	}
	return unsafe.Slice((*int32)(p), n+1)
}

//export goProviderPath
func goProviderPath(id, path, length unsafe.Pointer, thirtyTwo bool) int32 {
	if id == nil || length == nil {
		return int32(spi.WSAEFAULT)
	}
	n := (*int32)(length)
	look := installed(thirtyTwo).ProviderPath
	if c := process.StartedCatalog(); c != nil && !thirtyTwo {
		look = c.ProviderPath
	}
	return int32(look(*(*spi.GUID)(id), units(path, uint32(max(*n, 0))), n))
}

//export goGetProviderInfo
func goGetProviderInfo(id unsafe.Pointer, kind int32, info, size unsafe.Pointer, flags uint32, thirtyTwo bool) int32 {
	if id == nil || size == nil {
		return int32(spi.WSAEFAULT)
	}
	n := (*uintptr)(size)
	return int32(installed(thirtyTwo).GetProviderInfo(*(*spi.GUID)(id), catalog.InfoType(kind), memory(info, uint32(min(*n, largestResult))), n, flags))
}

//export goSetProviderInfo
func goSetProviderInfo(id unsafe.Pointer, kind int32, info unsafe.Pointer, size uintptr, flags uint32, thirtyTwo bool) int32 {
	if id == nil {
		return int32(spi.WSAEFAULT)
	}
	return int32(installed(thirtyTwo).SetProviderInfo(*(*spi.GUID)(id), catalog.InfoType(kind), memory(info, uint32(min(size, largestResult))), flags))
}

// applicationText reads a path or the arguments of an application, which come with
// their lengths in WCHARs; a NUL ends them, too.
func applicationText(p unsafe.Pointer, length uint32) string {
	return spi.UTF16ToString(units(p, min(length, mostEntries)))
}

//export goGetApplicationCategory
func goGetApplicationCategory(path unsafe.Pointer, pathLength uint32, extra unsafe.Pointer, extraLength uint32, categories unsafe.Pointer) int32 {
	if path == nil || categories == nil {
		return int32(spi.WSAEFAULT)
	}
	return int32(installed(false).GetApplicationCategory(applicationText(path, pathLength), applicationText(extra, extraLength), (*uint32)(categories)))
}

//export goSetApplicationCategory
func goSetApplicationCategory(path unsafe.Pointer, pathLength uint32, extra unsafe.Pointer, extraLength, categories uint32, previous unsafe.Pointer) int32 {
	if path == nil {
		return int32(spi.WSAEFAULT)
	}
	return int32(installed(false).SetApplicationCategory(applicationText(path, pathLength), applicationText(extra, extraLength), categories, (*uint32)(previous)))
}

//export goWriteProviderOrder
func goWriteProviderOrder(ids unsafe.Pointer, n uint32, thirtyTwo bool) int32 {
	switch {
	case ids == nil:
		return int32(spi.WSAEFAULT)
	case n > mostEntries:
		return int32(spi.WSAEINVAL)
	}
	return int32(installed(thirtyTwo).WriteProviderOrder(unsafe.Slice((*uint32)(ids), n)))
}
