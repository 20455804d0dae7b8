package winsock

import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// serviceClass reads a class of services of the program, in the W form.
func serviceClass(p unsafe.Pointer, wide bool) *spi.ServiceClassInfo {
	c := (*spi.ServiceClassInfo)(p)
	if c == nil || wide || c.Count > mostValues {
		return c
	}
	w := *c
	w.ServiceClassName = widened(c.ServiceClassName)
	values := append([]spi.NSClassInfo(nil), c.Values()...)
	for i := range values {
		values[i].Name = widened(values[i].Name)
	}
	w.ClassInfos = unsafe.SliceData(values)
	return &w
}

// mostValues is what ws2 takes for a class; it refuses one with more.
const mostValues = 1 << 16

// packNarrowClass stores a class in the A form.
func packNarrowClass(c *spi.ServiceClassInfo, memory []byte, length *uint32) spi.Errno {
	plain := *c
	values := append([]spi.NSClassInfo(nil), c.Values()...)
	plain.ClassInfos = unsafe.SliceData(values)
	fieldsOf := func(c *spi.ServiceClassInfo) []**uint16 {
		all := []**uint16{&c.ServiceClassName}
		for i := range c.Values() {
			all = append(all, &c.Values()[i].Name)
		}
		return all
	}
	return packStrings(fieldsOf(&plain), memory, length, plain.Pack, func() []**uint16 {
		return fieldsOf((*spi.ServiceClassInfo)(unsafe.Pointer(unsafe.SliceData(memory))))
	})
}

//export goInstallServiceClass
func goInstallServiceClass(t, class unsafe.Pointer, wide bool) int32 {
	return code(process.Thread(t).WSAInstallServiceClass(serviceClass(class, wide)))
}

//export goRemoveServiceClass
func goRemoveServiceClass(t, class unsafe.Pointer) int32 {
	return code(process.Thread(t).WSARemoveServiceClass((*spi.GUID)(class)))
}

//export goGetServiceClassInfo
func goGetServiceClassInfo(t, provider, class, length, info unsafe.Pointer, wide bool) int32 {
	thread, size := process.Thread(t), (*uint32)(length)
	if size == nil {
		return int32(spi.WSAEFAULT)
	}
	to := memory(info, *size)
	if wide {
		return code(thread.WSAGetServiceClassInfo((*spi.GUID)(provider), (*spi.GUID)(class), size, to))
	}
	room, err := growing(func(room []byte, n *uint32) error {
		return thread.WSAGetServiceClassInfo((*spi.GUID)(provider), (*spi.GUID)(class), n, room)
	})
	if err != nil {
		return code(err)
	}
	*size = min(*size, uint32(len(to)))
	return int32(packNarrowClass(spi.ServiceClassInfoAt(room), to, size))
}

// growing calls store with as much room as it asks for.
func growing(store func(room []byte, n *uint32) error) ([]byte, error) {
	room := make([]byte, 1<<12)
	for {
		n := uint32(len(room))
		err := store(room, &n)
		if ws2.CodeOf(err) != spi.WSAEFAULT || n <= uint32(len(room)) || n > largestResult {
			return room, err
		}
		room = make([]byte, n)
	}
}

//export goGetServiceClassName
func goGetServiceClassName(t, class, name, length unsafe.Pointer, wide bool) int32 {
	thread, size := process.Thread(t), (*uint32)(length)
	if size == nil || wide {
		var to []uint16
		if size != nil {
			to = units(name, *size/2)
		}
		return code(thread.WSAGetServiceClassNameByClassID((*spi.GUID)(class), to, size))
	}
	found, n := make([]uint16, 1<<15), uint32(1<<16)
	if err := thread.WSAGetServiceClassNameByClassID((*spi.GUID)(class), found, &n); err != nil {
		return code(err)
	}
	text, to := encoded(spi.UTF16ToString(found), false), room(name, *size, false)
	*size = uint32(len(text))
	if len(text) > len(to) {
		return int32(spi.WSAEFAULT)
	}
	copy(to, text)
	return 0
}

//export goEnumNameSpaceProviders
func goEnumNameSpaceProviders(t, length, buf unsafe.Pointer, extended, wide bool) int32 {
	thread, size := process.Thread(t), (*uint32)(length)
	enumerate := thread.WSAEnumNameSpaceProviders
	if extended {
		enumerate = thread.WSAEnumNameSpaceProvidersEx
	}
	if size == nil {
		return -int32(spi.WSAEFAULT)
	}
	if wide {
		return count(enumerate(size, memory(buf, *size)))
	}
	n := 0
	room, err := growing(func(room []byte, length *uint32) (err error) {
		n, err = thread.WSAEnumNameSpaceProvidersEx(length, room)
		return err
	})
	if err != nil {
		return -code(err)
	}
	infos := unsafe.Slice((*spi.NamespaceInfoEx)(unsafe.Pointer(unsafe.SliceData(room))), n)
	if e := packNarrowNamespaces(infos, extended, memory(buf, *size), size); e != 0 {
		return -int32(e)
	}
	return int32(n)
}

// packNarrowNamespaces stores entries of the name-space catalog in the A form.
func packNarrowNamespaces(infos []spi.NamespaceInfoEx, extended bool, memory []byte, length *uint32) spi.Errno {
	plain := append([]spi.NamespaceInfoEx(nil), infos...)
	var fields []**uint16
	for i := range plain {
		fields = append(fields, &plain[i].Identifier)
	}
	return packStrings(fields, memory, length, func(memory []byte, length *uint32) spi.Errno {
		return spi.PackNamespaces(plain, extended, memory, length)
	}, func() (all []**uint16) {
		size := unsafe.Sizeof(spi.NamespaceInfo{})
		if extended {
			size = unsafe.Sizeof(spi.NamespaceInfoEx{})
		}
		for i := range plain {
			info := (*spi.NamespaceInfo)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(memory)), uintptr(i)*size))
			all = append(all, &info.Identifier)
		}
		return all
	})
}
