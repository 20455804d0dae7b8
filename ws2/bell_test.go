package ws2

import (
	"os"
	"sync/atomic"
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/spi"
)

func TestNotifyAllProcesses(t *testing.T) {
	d, thread, file := onFile(t)
	// Another DLL over the same file stands for another process.
	other := New(Config{Catalog: catalog.OpenFile(file.Path()), Application: "/test/other", Log: func(string) {}}).Unbound()
	wantCode(t, other, other.WSAStartup(spi.Version22, new(WSAData)), 0)
	defer other.WSACleanup()

	wantCode(t, thread, thread.NotifyAllProcesses(), 0) // nobody listens
	here, err := thread.CreateNotification()
	wantCode(t, thread, err, 0)
	there, err := other.CreateNotification()
	wantCode(t, other, err, 0)
	wantCode(t, thread, thread.NotifyAllProcesses(), 0) // nor now: what came before is not told

	ev, err := thread.WSACreateEvent()
	wantCode(t, thread, err, 0)
	defer thread.WSACloseEvent(ev)
	for range 3 {
		ov := &spi.Overlapped{HEvent: ev}
		wantCode(t, thread, thread.WaitForNotification(here, ov, nil), spi.WSA_IO_PENDING)
		var told atomic.Bool
		routine := &spi.Overlapped{}
		wantCode(t, thread, thread.WaitForNotification(here, routine, func(e spi.Errno, n uint32, which *spi.Overlapped, _ uint32) {
			told.Store(e == 0 && n == 0 && which == routine)
		}), spi.WSA_IO_PENDING)
		waited := make(chan error, 1)
		ready := &spi.Overlapped{}
		wantCode(t, other, other.WaitForNotification(there, ready, nil), spi.WSA_IO_PENDING)
		if !ov.InProgress() || !routine.InProgress() || !ready.InProgress() {
			t.Fatal("told of what came before")
		}
		go func() { waited <- other.WaitForNotification(there, nil, nil) }()
		wantCode(t, other, other.NotifyAllProcesses(), 0)
		if code, err := thread.WSAWaitForMultipleEvents([]spi.Event{ev}, true, spi.WSA_INFINITE, false); code != spi.WSA_WAIT_EVENT_0 || err != nil {
			t.Fatalf("%#x, %v", code, err)
		}
		if ov.InProgress() || ov.OffsetHigh != 0 {
			t.Errorf("%+v", ov)
		}
		for !told.Load() {
			thread.SleepEx(spi.WSA_INFINITE, true)
		}
		for done := false; !done; { // it may have begun to wait after the notification
			select {
			case err := <-waited:
				wantCode(t, other, err, 0)
				done = true
			default:
				wantCode(t, other, other.NotifyAllProcesses(), 0)
			}
		}
	}

	// The handle of one kind is none of the other, and its end is told.
	var config Notification
	wantCode(t, thread, thread.WSAProviderConfigChange(&config, nil, nil), 0)
	wantCode(t, thread, thread.WaitForNotification(config, nil, nil), spi.WSA_INVALID_HANDLE)
	wantCode(t, thread, thread.WSAProviderConfigChange(&here, nil, nil), spi.WSA_INVALID_HANDLE)
	wantCode(t, thread, thread.WaitForNotification(4711, nil, nil), spi.WSA_INVALID_HANDLE)
	ov := &spi.Overlapped{HEvent: ev}
	wantCode(t, thread, thread.WaitForNotification(here, ov, nil), spi.WSA_IO_PENDING)
	if err := d.CloseNotification(here); err != nil || spi.Errno(ov.OffsetHigh) != spi.WSA_OPERATION_ABORTED {
		t.Errorf("%v, %+v", err, ov)
	}
}

func TestNotifyAllProcessesAgainAndAgain(t *testing.T) {
	_, thread, file := onFile(t)
	handle, err := thread.CreateNotification()
	wantCode(t, thread, err, 0)
	wantCode(t, thread, thread.NotifyAllProcesses(), 0)
	if err := os.Truncate(file.Path()+bellSuffix, longestBell); err != nil { // as after a million
		t.Fatal(err)
	}
	ev, err := thread.WSACreateEvent()
	wantCode(t, thread, err, 0)
	defer thread.WSACloseEvent(ev)
	ov := &spi.Overlapped{HEvent: ev}
	wantCode(t, thread, thread.WaitForNotification(handle, ov, nil), spi.WSA_IO_PENDING)
	wantCode(t, thread, thread.NotifyAllProcesses(), 0)
	if code, err := thread.WSAWaitForMultipleEvents([]spi.Event{ev}, true, spi.WSA_INFINITE, false); code != spi.WSA_WAIT_EVENT_0 || err != nil {
		t.Fatalf("%#x, %v", code, err)
	}
	if info, err := os.Stat(file.Path() + bellSuffix); err != nil || info.Size() != 1 {
		t.Errorf("%v, %v", info.Size(), err)
	}
}

func TestNotifyAllProcessesNeedsAFile(t *testing.T) {
	h := newHost(t)
	thread := h.Unbound()
	wantCode(t, thread, thread.NotifyAllProcesses(), spi.WSANOTINITIALISED)
	thread = h.up()
	wantCode(t, thread, thread.NotifyAllProcesses(), spi.WSAEOPNOTSUPP)
	_, err := thread.CreateNotification()
	wantCode(t, thread, err, spi.WSAEOPNOTSUPP)
}
