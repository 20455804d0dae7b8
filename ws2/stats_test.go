package ws2

import (
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/spi"
)

// Every upcall is called once with success and, where it has errors, once
// without, and each is counted where it belongs.
func TestUpcallStats(t *testing.T) {
	h := newHost(t)
	f := h.ifs("real", tcp())
	if h.stats != nil {
		t.Error("counts without being told to")
	}
	config := h.config
	config.CountUpcalls = true
	h.DLL = New(config)
	thread := h.up()
	u, x := h.table, h.Exports()

	ev, _ := u.WPUCreateEvent()
	u.WPUSetEvent(ev)
	u.WPUResetEvent(ev)
	u.WPUCloseEvent(ev)
	u.WPUSetEvent(ev)
	u.WPUResetEvent(ev)
	u.WPUCloseEvent(ev)
	h.events.SetLimit(0)
	u.WPUCreateEvent()
	s, _ := u.WPUCreateSocketHandle(f.ids[0], 1)
	u.WPUCreateSocketHandle(0, 1)
	u.WPUQuerySocketHandleContext(s)
	x.WPUCompleteOverlappedRequest(s, new(spi.Overlapped), 0, 0)
	x.WPUCompleteOverlappedRequest(s, nil, 0, 0)
	u.WPUCloseSocketHandle(s)
	u.WPUCloseSocketHandle(s)
	u.WPUQuerySocketHandleContext(s)
	u.WPUFDIsSet(1, spi.NewFDSet(2))
	u.WPUFDIsSet(1, spi.NewFDSet(1))
	path, length := make([]uint16, 260), int32(260)
	u.WPUGetProviderPath(&f.id, path, &length)
	u.WPUGetProviderPath(nil, path, &length)
	u.WPUModifyIFSHandle(f.ids[0], descriptor(t))
	u.WPUModifyIFSHandle(0, 1000)
	wnd, _ := thread.CreateWindow()
	u.WPUPostMessage(wnd, 1, 2, 3)
	u.WPUPostMessage(0, 1, 2, 3)
	var callback spi.BlockingCallback
	var context uintptr
	u.WPUQueryBlockingCallback(f.ids[0], &callback, &context)
	u.WPUQueryBlockingCallback(0, &callback, &context)
	var id spi.ThreadID
	u.WPUOpenCurrentThread(&id)
	u.WPUOpenCurrentThread(nil)
	u.WPUQueueApc(&id, func(uintptr) {}, 0)
	u.WPUQueueApc(nil, func(uintptr) {}, 0)
	u.WPUCloseThread(&id)
	u.WPUCloseThread(&id)

	rows := h.UpcallStats()
	if len(rows) != 16 || rows[0].Name != "WPUCloseEvent" || rows[15].Name != "WPUCompleteOverlappedRequest" {
		t.Fatalf("rows %v", rows)
	}
	for _, row := range rows {
		errors := uint64(1)
		if row.Name == "WPUFDIsSet" {
			errors = 0
		}
		if row.Calls != 2 || row.Errors != errors || row.Status == "" {
			t.Errorf("%+v, want 2 calls and %d errors", row, errors)
		}
	}
	if rows := New(Config{Catalog: catalog.New()}).UpcallStats(); len(rows) != 16 || rows[3].Calls != 0 {
		t.Errorf("rows %v of a DLL that does not count", rows)
	}
}
