package winsock

import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
	_ "upcall.dev/capi/provider" // the upcall table that the helpers are made of
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// goNonIFSEntry returns the id of the catalog's first entry without IFS handles
// that sockets can be of, 0 for none.
//
//export goNonIFSEntry
func goNonIFSEntry() uint32 {
	c, err := process.Catalog().Load()
	if err != nil {
		process.Tell(err)
		return 0
	}
	for _, e := range c.Entries() {
		if !e.Layer() && !e.IFS() {
			return e.CatalogEntryID
		}
	}
	return 0
}

//export goCreateNotification
func goCreateNotification(t unsafe.Pointer) (handle uintptr, e int32) {
	h, err := process.Thread(t).CreateNotification()
	return uintptr(h), code(err)
}

//export goWaitForNotification
func goWaitForNotification(t unsafe.Pointer, handle uintptr, ov unsafe.Pointer, routine uintptr) int32 {
	return code(process.Thread(t).WaitForNotification(ws2.Notification(handle), (*spi.Overlapped)(ov), notifyRoutine(routine)))
}

//export goNotifyAllProcesses
func goNotifyAllProcesses(t unsafe.Pointer) int32 {
	return code(process.Thread(t).NotifyAllProcesses())
}
