//go:build linux

package kernel

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// cancel is SIO_CANCEL_IO: it ends operations that were started on this handle,
// with their indications. WSAEFAULT, ERROR_NOT_FOUND.
func (d *descriptor) cancel(in []byte) spi.Errno {
	var request spi.CancelRequest
	if len(in) < int(unsafe.Sizeof(request)) {
		return spi.WSAEFAULT
	}
	copy((*[unsafe.Sizeof(request)]byte)(unsafe.Pointer(&request))[:], in)
	o := d.pending.Load()
	if o == nil {
		return spi.ERROR_NOT_FOUND
	}
	native := 0
	if request.Thread != 0 {
		native = unix.Gettid() // the request comes from the thread that it names
	}
	match := func(op *operation) bool {
		return op.through == d &&
			(request.Overlapped == 0 || request.Overlapped == uintptr(unsafe.Pointer(op.ov))) &&
			(request.Thread == 0 || op.thread.ThreadHandle == request.Thread || op.native != 0 && op.native == native)
	}
	o.mu.Lock()
	count := o.end(match, spi.WSA_OPERATION_ABORTED, true)
	// The queue's next can have been waiting for what is gone.
	o.serve(&o.receives)
	o.serve(&o.sends)
	o.mu.Unlock()
	for _, j := range o.moved.find(match) {
		count += j.abort(true)
	}
	if count == 0 {
		return spi.ERROR_NOT_FOUND
	}
	return 0
}

// beginExtension is begin for an extension function, which no calling thread is
// passed to.
func (d *descriptor) beginExtension(ov *spi.Overlapped, routine spi.CompletionRoutine) (*operations, *operation, spi.Errno) {
	var thread spi.ThreadID
	if routine != nil {
		if e := d.p.upcalls.Load().WPUOpenCurrentThread(&thread); e != 0 {
			return nil, nil, e
		}
	}
	o, op, e := d.begin(ov, routine, &thread)
	if e != 0 {
		if routine != nil {
			d.p.upcalls.Load().WPUCloseThread(&thread)
		}
		return nil, nil, e
	}
	op.opened, op.extension = routine != nil, true
	return o, op, 0
}

// nativeThread returns the number of the calling thread, if it is one that can
// cancel what it has started; else zero.
func (p *provider) nativeThread() int {
	table := p.upcalls.Load()
	var thread spi.ThreadID
	if table.WPUOpenCurrentThread(&thread) != 0 {
		return 0
	}
	table.WPUCloseThread(&thread)
	return unix.Gettid()
}
