package ws2

import (
	"context"
	"fmt"
	"sync"

	"upcall.dev/catalog"
	"upcall.dev/internal/slot"
	"upcall.dev/spi"
)

// Notification is a handle by which a client is told of changes of the catalog.
type Notification uintptr

// watcher is a catalog source that tells of changes; [*catalog.File] is one.
type watcher interface {
	Watch(ctx context.Context, changed func(*catalog.Catalog, error)) error
}

// notification is one such handle, with the goroutine that watches for it.
type notification struct {
	stop context.CancelFunc
	done chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex   // a leaf but for what completing takes; guards the rest
	untold  bool         // a change that no operation has told yet
	rung    func() int64 // of a bell, to which operations listen from their start: how far it has got
	heard   int64        // how far it had got
	waiting []*hostOperation
	failed  spi.Errno // the watch has ended; operations end with it at once
}

type notificationTable struct {
	objects *slot.Table[notification]
}

func (n *notificationTable) init() { n.objects = slot.New[notification](kindNotification) }

// WSAProviderConfigChange tells when providers are installed or removed, or
// change their order. Called with *handle zero it stores a handle, for
// [DLL.CloseNotification], and returns nil. Called with that handle and ov it
// gives WSA_IO_PENDING as a rule, and the operation completes at the next
// change, or at once if there was one since the handle was made, or since the
// operation before completed. A new WSAStartup after the last WSACleanup then
// sees the changed catalog. Without ov it waits.
//
// WSAEFAULT (no handle), WSA_INVALID_HANDLE, WSAEOPNOTSUPP (the catalog's source
// cannot tell of changes, or a routine on the unbound thread),
// WSA_NOT_ENOUGH_MEMORY, WSASYSCALLFAILURE (the watch has broken down),
// WSA_OPERATION_ABORTED (the handle was closed meanwhile).
// Source: winsock2/nf-winsock2-wsaproviderconfigchange.
func (t *Thread) WSAProviderConfigChange(handle *Notification, ov *spi.Overlapped, routine spi.CompletionRoutine) error {
	if _, e := t.enter(); e != 0 {
		return t.fail(e)
	}
	if handle == nil {
		return t.fail(spi.WSAEFAULT)
	}
	if *handle == 0 {
		made, err := t.dll.notifications.open(t.dll.config.Catalog)
		if err != nil {
			return t.failWith(err)
		}
		*handle = made
		return nil
	}
	n := t.dll.notifications.objects.Get(uintptr(*handle))
	if n == nil || n.rung != nil {
		return t.fail(spi.WSA_INVALID_HANDLE)
	}
	return t.notified(n, ov, routine)
}

// notified is an operation that a notification completes, or waits for it.
func (t *Thread) notified(n *notification, ov *spi.Overlapped, routine spi.CompletionRoutine) error {
	if ov != nil {
		op, e := t.begin(ov, routine)
		if e == 0 {
			e = n.add(op)
		}
		return t.result(e)
	}
	return t.result(t.waitForChange(n))
}

// waitForChange is the operation of a caller that waits.
func (t *Thread) waitForChange(n *notification) spi.Errno {
	ev, e := t.dll.wpuCreateEvent()
	if e != 0 {
		return e
	}
	defer t.dll.wpuCloseEvent(ev)
	ov := &spi.Overlapped{HEvent: ev}
	op, e := t.begin(ov, nil)
	if e == 0 {
		e = n.add(op)
	}
	if e != spi.WSA_IO_PENDING {
		return e
	}
	t.dll.Exports().WaitForEvent(ev, spi.WSA_INFINITE)
	return spi.Errno(ov.OffsetHigh)
}

// CloseNotification ends the use of a handle of
// [Thread.WSAProviderConfigChange]: its operations complete with
// WSA_OPERATION_ABORTED. It stands for CloseHandle. WSA_INVALID_HANDLE.
func (d *DLL) CloseNotification(handle Notification) error {
	n := d.notifications.objects.Remove(uintptr(handle))
	if n == nil {
		return spi.WSA_INVALID_HANDLE.Err()
	}
	n.close(false)
	return nil
}

// open starts a watch, and returns when it is in place.
func (n *notificationTable) open(source catalog.Source) (Notification, error) {
	watched, ok := source.(watcher)
	if !ok {
		return 0, &ProviderError{Code: spi.WSAEOPNOTSUPP, Err: fmt.Errorf("it is a value in memory, whose changes nobody can see: use a catalog file")}
	}
	return n.watch(new(notification), watched.Watch)
}

// watch gives a notification a handle once its watch is in place.
func (n *notificationTable) watch(watch *notification, follow func(context.Context, func(*catalog.Catalog, error)) error) (Notification, error) {
	ctx, stop := context.WithCancel(context.Background())
	watch.stop, watch.done = stop, make(chan struct{})
	inPlace := make(chan struct{})
	var failure error
	go func() {
		defer close(watch.done)
		first := true
		failure = follow(ctx, func(*catalog.Catalog, error) {
			if first { // things as they are
				first = false
				close(inPlace)
				return
			}
			watch.changed()
		})
		watch.end(spi.WSASYSCALLFAILURE)
	}()
	select {
	case <-inPlace:
	case <-watch.done:
		stop()
		return 0, &ProviderError{Code: spi.WSAEOPNOTSUPP, Err: fmt.Errorf("its changes cannot be watched: %w", failure)}
	}
	handle, ok := n.objects.Insert(watch, 0)
	if !ok {
		watch.close(true)
		return 0, spi.WSA_NOT_ENOUGH_MEMORY.Err()
	}
	return Notification(handle), nil
}

// closeAll ends the handles at the last WSACleanup: operations are aborted
// without an indication.
func (n *notificationTable) closeAll() {
	for handle := range n.objects.All() {
		if watch := n.objects.Remove(handle); watch != nil {
			watch.close(true)
		}
	}
}

// add gives an operation to the watch. It always ends by complete: success and
// WSA_IO_PENDING both mean that it was taken.
func (n *notification) add(op *hostOperation) spi.Errno {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.failed != 0:
		op.ov.Complete(n.failed, 0)
		return n.failed
	case n.untold:
		n.untold = false
		op.complete(0, 0, false)
		return 0
	}
	if n.rung != nil {
		n.heard = n.rung()
	}
	n.waiting = append(n.waiting, op)
	return spi.WSA_IO_PENDING
}

func (n *notification) changed() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.rung != nil {
		now := n.rung()
		if now == n.heard {
			return
		}
		n.heard = now
	}
	n.untold = len(n.waiting) == 0 && n.rung == nil
	n.completeAll(0, false)
}

// end is the end of the watch by itself.
func (n *notification) end(status spi.Errno) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.failed == 0 {
		n.failed = status
	}
	n.completeAll(status, false)
}

func (n *notification) close(quiet bool) {
	n.mu.Lock()
	n.failed = spi.WSA_INVALID_HANDLE
	n.completeAll(spi.WSA_OPERATION_ABORTED, quiet)
	n.mu.Unlock()
	n.stop()
	<-n.done
}

// completeAll ends what waits. The caller holds mu.
func (n *notification) completeAll(status spi.Errno, quiet bool) {
	for _, op := range n.waiting {
		op.complete(status, 0, quiet)
	}
	n.waiting = nil
}
