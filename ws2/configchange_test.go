package ws2

import (
	"errors"
	"path/filepath"
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/spi"
)

// onFile starts a DLL up over a catalog file with two base entries.
func onFile(t *testing.T) (*DLL, *Thread, *catalog.File) {
	t.Helper()
	file := catalog.OpenFile(filepath.Join(t.TempDir(), "catalog.toml"))
	if err := file.Update(func(c *catalog.Catalog) error {
		return c.InstallProvider(spi.NewGUID(), "first.so", []spi.ProtocolInfo{tcp(), udp()}).Err()
	}); err != nil {
		t.Fatal(err)
	}
	d := New(Config{Catalog: file, Application: "/test/program", Log: func(string) {}})
	thread := d.BindThread()
	t.Cleanup(thread.Unbind)
	var data WSAData
	if err := thread.WSAStartup(spi.Version22, &data); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { thread.WSACleanup() })
	return d, thread, file
}

func TestBehaviour116_ProviderConfigChange(t *testing.T) {
	d, thread, file := onFile(t)
	var handle Notification
	if err := thread.WSAProviderConfigChange(&handle, nil, nil); err != nil || handle == 0 {
		t.Fatalf("handle %#x: %v", handle, err)
	}
	ev, err := thread.WSACreateEvent()
	if err != nil {
		t.Fatal(err)
	}
	defer thread.WSACloseEvent(ev)
	added := spi.NewGUID()
	for name, change := range map[string]func(*catalog.Catalog) error{
		"1 install": func(c *catalog.Catalog) error {
			return c.InstallProvider(added, "second.so", []spi.ProtocolInfo{tcp()}).Err()
		},
		"2 order": func(c *catalog.Catalog) error {
			var ids []uint32
			for _, e := range c.Entries() {
				ids = append([]uint32{e.CatalogEntryID}, ids...)
			}
			return c.WriteProviderOrder(ids).Err()
		},
		"3 deinstall": func(c *catalog.Catalog) error {
			if e := c.DeinstallProvider(added); e != 0 && e != spi.WSAEINVAL {
				return e.Err()
			}
			return c.InstallProvider(spi.NewGUID(), "third.so", []spi.ProtocolInfo{udp()}).Err()
		},
	} {
		ov := &spi.Overlapped{HEvent: ev}
		if err := thread.WSAProviderConfigChange(&handle, ov, nil); !errors.Is(err, spi.WSA_IO_PENDING) {
			t.Fatalf("%s: %v, want WSA_IO_PENDING", name, err)
		}
		if err := file.Update(change); err != nil {
			t.Fatal(err)
		}
		if i, err := thread.WSAWaitForMultipleEvents([]spi.Event{ev}, false, spi.WSA_INFINITE, false); i != 0 || err != nil {
			t.Fatalf("%s: %d %v", name, i, err)
		}
		if ov.InProgress() || ov.OffsetHigh != 0 {
			t.Errorf("%s: status %d", name, ov.OffsetHigh)
		}
	}

	// A change between two operations is not missed.
	if err := file.Update(func(c *catalog.Catalog) error {
		return c.InstallProvider(spi.NewGUID(), "fourth.so", []spi.ProtocolInfo{udp()}).Err()
	}); err != nil {
		t.Fatal(err)
	}
	ran := make(chan spi.Errno, 1)
	routine := func(e spi.Errno, _ uint32, _ *spi.Overlapped, _ uint32) { ran <- e }
	var ov spi.Overlapped
	if err := thread.WSAProviderConfigChange(&handle, &ov, routine); err != nil && !errors.Is(err, spi.WSA_IO_PENDING) {
		t.Fatal(err)
	}
	if r := thread.SleepEx(spi.WSA_INFINITE, true); r != spi.WSA_WAIT_IO_COMPLETION || <-ran != 0 {
		t.Errorf("SleepEx: %#x", r)
	}
	if err := d.CloseNotification(handle); err != nil {
		t.Error(err)
	}
	if err := d.CloseNotification(handle); !errors.Is(err, spi.WSA_INVALID_HANDLE) {
		t.Errorf("closed twice: %v", err)
	}
	if err := thread.WSAProviderConfigChange(&handle, &ov, routine); !errors.Is(err, spi.WSA_INVALID_HANDLE) {
		t.Errorf("a closed handle: %v", err)
	}
}

func TestProviderConfigChangeWaits(t *testing.T) {
	d, thread, file := onFile(t)
	var handle Notification
	if err := thread.WSAProviderConfigChange(&handle, nil, nil); err != nil {
		t.Fatal(err)
	}
	changed := make(chan error, 1)
	go func() {
		changed <- file.Update(func(c *catalog.Catalog) error {
			return c.InstallProvider(spi.NewGUID(), "second.so", []spi.ProtocolInfo{tcp()}).Err()
		})
	}()
	if err := thread.WSAProviderConfigChange(&handle, nil, nil); err != nil {
		t.Errorf("waiting without an OVERLAPPED: %v", err)
	}
	if err := <-changed; err != nil {
		t.Fatal(err)
	}
	if err := d.CloseNotification(handle); err != nil {
		t.Error(err)
	}
}

// Closing the handle aborts with an indication, the last WSACleanup without.
func TestProviderConfigChangeAborted(t *testing.T) {
	d, thread, _ := onFile(t)
	for _, quiet := range []bool{false, true} {
		var handle Notification
		if err := thread.WSAProviderConfigChange(&handle, nil, nil); err != nil {
			t.Fatal(err)
		}
		ev, _ := thread.WSACreateEvent()
		ov := &spi.Overlapped{HEvent: ev}
		if err := thread.WSAProviderConfigChange(&handle, ov, nil); !errors.Is(err, spi.WSA_IO_PENDING) {
			t.Fatal(err)
		}
		if quiet {
			thread.WSACleanup()
		} else if err := d.CloseNotification(handle); err != nil {
			t.Fatal(err)
		}
		if ov.InProgress() || spi.Errno(ov.OffsetHigh) != spi.WSA_OPERATION_ABORTED {
			t.Errorf("status %v", spi.Errno(ov.OffsetHigh))
		}
		want := uint32(0)
		if quiet {
			want = spi.WSA_WAIT_TIMEOUT
		}
		if got := d.Exports().WaitForEvent(ev, 0); got != want {
			t.Errorf("quiet %v: the event's state is %#x", quiet, got)
		}
	}
}

func TestProviderConfigChangeOfAValue(t *testing.T) {
	h := newHost(t)
	h.nonIFS("echo", tcp())
	thread := h.up()
	var handle Notification
	if err := thread.WSAProviderConfigChange(&handle, nil, nil); !errors.Is(err, spi.WSAEOPNOTSUPP) || handle != 0 {
		t.Errorf("handle %#x: %v", handle, err)
	}
	if err := thread.WSAProviderConfigChange(nil, nil, nil); !errors.Is(err, spi.WSAEFAULT) {
		t.Errorf("no handle: %v", err)
	}
	bad := Notification(12)
	if err := thread.WSAProviderConfigChange(&bad, nil, nil); !errors.Is(err, spi.WSA_INVALID_HANDLE) {
		t.Errorf("a bad handle: %v", err)
	}
}
