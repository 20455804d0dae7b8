package ws2

import (
	"context"
	"os"
	"path/filepath"

	"upcall.dev/catalog"
	"upcall.dev/internal/watch"
	"upcall.dev/spi"
)

// A bell is how processes that share a catalog file notify one another of what
// is not in it: a file beside it, which each notification makes longer.

const (
	bellSuffix  = ".notify"
	longestBell = 1 << 20 // bytes; it begins anew then
)

// bell returns the path of the bell beside the catalog's file; WSAEOPNOTSUPP
// when the catalog has none.
func (d *DLL) bell() (string, spi.Errno) {
	file, ok := d.config.Catalog.(interface{ Path() string })
	if !ok || file.Path() == "" {
		return "", spi.WSAEOPNOTSUPP
	}
	return file.Path() + bellSuffix, 0
}

// CreateNotification makes a handle to wait with for what
// [Thread.NotifyAllProcesses] tells, until [DLL.CloseNotification] or the last
// WSACleanup. It is what the WahCreateNotificationHandle of Ws2_32.dll is for,
// which is documented nowhere. WSAEOPNOTSUPP (a catalog without a file, or whose
// directory cannot be watched), WSA_NOT_ENOUGH_MEMORY.
func (t *Thread) CreateNotification() (Notification, error) {
	if _, e := t.enter(); e != 0 {
		return 0, t.fail(e)
	}
	path, e := t.dll.bell()
	if e != 0 {
		return 0, t.fail(e)
	}
	n := &notification{rung: func() int64 {
		info, err := os.Stat(path)
		if err != nil {
			return -1 // nobody has notified yet
		}
		return info.Size()
	}}
	n.heard = n.rung()
	handle, err := t.dll.notifications.watch(n, func(ctx context.Context, changed func(*catalog.Catalog, error)) error {
		return watch.Follow(ctx, path, func() { changed(nil, nil) })
	})
	if err != nil {
		return 0, t.failWith(err)
	}
	return handle, nil
}

// WaitForNotification tells of a notification that comes after it: with ov it
// gives WSA_IO_PENDING and the operation completes then, by its event or
// routine; without ov it waits. WSA_INVALID_HANDLE (no handle of
// [Thread.CreateNotification]), WSAEOPNOTSUPP (a routine on the unbound thread),
// WSASYSCALLFAILURE (the watch has broken down), WSA_OPERATION_ABORTED (the
// handle was closed meanwhile).
func (t *Thread) WaitForNotification(handle Notification, ov *spi.Overlapped, routine spi.CompletionRoutine) error {
	if _, e := t.enter(); e != 0 {
		return t.fail(e)
	}
	n := t.dll.notifications.objects.Get(uintptr(handle))
	if n == nil || n.rung == nil {
		return t.fail(spi.WSA_INVALID_HANDLE)
	}
	return t.notified(n, ov, routine)
}

// NotifyAllProcesses completes every [Thread.WaitForNotification], in all
// processes with the same catalog file. WSAEOPNOTSUPP (a catalog without a
// file), WSAEACCES (this user may not write beside it), WSASYSCALLFAILURE.
func (t *Thread) NotifyAllProcesses() error {
	if _, e := t.enter(); e != 0 {
		return t.fail(e)
	}
	path, e := t.dll.bell()
	if e != 0 {
		return t.fail(e)
	}
	return t.result(ring(path))
}

func ring(path string) spi.Errno {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return bellError(err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return bellError(err)
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() >= longestBell {
		if err := file.Truncate(0); err != nil {
			return bellError(err)
		}
	}
	if _, err := file.Write([]byte{'\n'}); err != nil {
		return bellError(err)
	}
	return 0
}

func bellError(err error) spi.Errno {
	if os.IsPermission(err) {
		return spi.WSAEACCES
	}
	return spi.WSASYSCALLFAILURE
}
