package windows

import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// entry is OVERLAPPED_ENTRY. internal is an NTSTATUS: programs tell failures by
// its two highest bits.
type entry struct {
	key         uintptr
	overlapped  *spi.Overlapped
	internal    uintptr
	transferred uint32
}

// invalid is INVALID_HANDLE_VALUE.
const invalid = ^uintptr(0)

func closePort(h uintptr) error { return process.DLL().CloseCompletionPort(ws2.Port(h)) }

//export goCreateIoCompletionPort
func goCreateIoCompletionPort(file, port, key uintptr, threads uint32) (uintptr, int32) {
	dll := process.DLL()
	made := port == 0
	if made {
		p, err := dll.CreateIoCompletionPort(threads)
		if err != nil {
			return 0, code(err)
		}
		port = uintptr(p)
	}
	if file == invalid {
		return port, 0
	}
	if err := dll.AssociateCompletionPort(spi.Socket(file), ws2.Port(port), key); err != nil {
		if made {
			_ = closePort(port)
		}
		return 0, handleCode(err)
	}
	return port, 0
}

//export goPostQueuedCompletionStatus
func goPostQueuedCompletionStatus(port uintptr, transferred uint32, key uintptr, overlapped unsafe.Pointer) int32 {
	return code(process.DLL().PostQueuedCompletionStatus(ws2.Port(port),
		ws2.Packet{Transferred: transferred, Key: key, Overlapped: (*spi.Overlapped)(overlapped)}))
}

//export goGetQueuedCompletionStatus
func goGetQueuedCompletionStatus(t unsafe.Pointer, port uintptr, transferred, key, overlapped unsafe.Pointer, milliseconds uint32) int32 {
	p, err := process.Thread(t).GetQueuedCompletionStatus(ws2.Port(port), milliseconds)
	*(**spi.Overlapped)(overlapped) = p.Overlapped
	if err == nil || p.Overlapped != nil {
		*(*uint32)(transferred) = p.Transferred
		*(*uintptr)(key) = p.Key
	}
	return code(err)
}

//export goGetQueuedCompletionStatusEx
func goGetQueuedCompletionStatusEx(t unsafe.Pointer, port uintptr, list unsafe.Pointer, n uint32, removed unsafe.Pointer, milliseconds uint32, alertable bool) int32 {
	// The packets are put where the entries go, and made entries from the last
	// to the first: an entry is longer.
	packets := unsafe.Slice((*ws2.Packet)(list), int(n))
	taken, err := process.Thread(t).GetQueuedCompletionStatusEx(ws2.Port(port), packets, milliseconds, alertable)
	*(*uint32)(removed) = uint32(taken)
	entries := unsafe.Slice((*entry)(list), int(n))
	for i := taken - 1; i >= 0; i-- {
		p := packets[i]
		entries[i] = entry{p.Key, p.Overlapped, ntstatus(uint32(p.Status)), p.Transferred}
	}
	return code(err)
}

// ntstatus is the NTSTATUS of a Win32 or Winsock code, as NTSTATUS_FROM_WIN32
// makes it: an error of the facility FACILITY_NTWIN32.
func ntstatus(code uint32) uintptr {
	if code == 0 {
		return 0
	}
	return uintptr(0xC0070000 | code&0xFFFF)
}

// A packet is not longer than an entry.
var _ [unsafe.Sizeof(entry{}) - unsafe.Sizeof(ws2.Packet{})]byte

//export goSetFileCompletionNotificationModes
func goSetFileCompletionNotificationModes(file uintptr, flags uint8) int32 {
	return handleCode(process.DLL().SetFileCompletionNotificationModes(spi.Socket(file), flags))
}
