package winsock

import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

//export goSelect
func goSelect(t, read, write, except, timeout unsafe.Pointer) (int32, int32) {
	n, err := process.Thread(t).Select((*spi.FDSet)(read), (*spi.FDSet)(write), (*spi.FDSet)(except), (*spi.Timeval)(timeout))
	return int32(n), code(err)
}

//export goWSAPoll
func goWSAPoll(t, sockets unsafe.Pointer, count uint32, timeout int32) (int32, int32) {
	if sockets == nil && count > 0 {
		return 0, fault
	}
	n, err := process.Thread(t).WSAPoll(unsafe.Slice((*spi.PollFD)(sockets), count), timeout)
	return int32(n), code(err)
}

// overlappedEntry is OVERLAPPED_ENTRY. It has no pointer for Go, whose collector
// looks at what a pointer that is stored replaces, which is the program's.
type overlappedEntry struct {
	key         uintptr
	overlapped  uintptr
	internal    uintptr
	transferred uint32
	_           uint32
}

//export goProcessSocketNotifications
func goProcessSocketNotifications(t unsafe.Pointer, port uintptr, registrationCount uint32, registrations unsafe.Pointer,
	timeout, entryCount uint32, entries unsafe.Pointer,
) (uint32, int32) {
	packets := make([]ws2.Packet, min(entryCount, 1024))
	n, err := process.Thread(t).ProcessSocketNotifications(ws2.Port(port),
		unsafe.Slice((*spi.SockNotifyRegistration)(registrations), registrationCount), timeout, packets)
	out := unsafe.Slice((*overlappedEntry)(entries), entryCount)
	for i, p := range packets[:n] {
		out[i] = overlappedEntry{key: p.Key, overlapped: uintptr(unsafe.Pointer(p.Overlapped)), internal: uintptr(p.Status), transferred: p.Transferred}
	}
	return uint32(n), code(err)
}
