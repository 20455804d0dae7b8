//go:build linux

package kernel

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"upcall.dev/internal/netevents"
	"upcall.dev/spi"
)

// enabledByReceive is the events that a receiving call enables again.
const enabledByReceive = spi.FD_READ | spi.FD_OOB

// selection is a socket's event selection.
type selection struct {
	// mu orders reports: it is held from the look at the socket until the
	// engine knows. The engine's and the socket's locks are taken inside it.
	mu     sync.Mutex
	engine *netevents.Engine

	attended bool // by a client that waits itself; guarded by mu

	changes atomic.Uint32 // events of epoll so far; written under mu
	unusual atomic.Bool   // one was about urgent data, or an end of the stream or the connection
}

// selection returns the socket's selection, made when it is first asked for.
func (d *descriptor) selection() *selection {
	if own := d.events.Load(); own != nil {
		return own
	}
	d.events.CompareAndSwap(nil, &selection{engine: netevents.New(&d.p.upcalls)})
	return d.events.Load()
}

// WSPEventSelect makes ev signal the events, and the socket nonblocking.
func (p *provider) WSPEventSelect(s spi.Socket, ev spi.Event, events int32) spi.Errno {
	if events != 0 && p.dll.WaitForEvent(ev, 0) == spi.WSA_WAIT_FAILED {
		return spi.WSAEINVAL
	}
	var by spi.Watcher
	if events != 0 {
		by = p.dll.EventWatcher(ev)
	}
	return p.selectEvents(s, by, func(engine *netevents.Engine, now netevents.Ready) spi.Errno {
		return engine.SelectEvent(ev, events, now)
	})
}

// WSPAsyncSelect makes messages tell the events, and the socket nonblocking.
func (p *provider) WSPAsyncSelect(s spi.Socket, wnd spi.HWND, msg uint32, events int32) spi.Errno {
	return p.selectEvents(s, nil, func(engine *netevents.Engine, now netevents.Ready) spi.Errno {
		return engine.SelectMessage(wnd, msg, s, events, now)
	})
}

// selectEvents applies a selection. by waits for the socket; nil for the poller's
// goroutine.
func (p *provider) selectEvents(s spi.Socket, by spi.Watcher, apply func(*netevents.Engine, netevents.Ready) spi.Errno) spi.Errno {
	d, e := p.acquire(s)
	if e != 0 {
		return e
	}
	defer d.release()
	own := d.selection()
	own.mu.Lock()
	defer own.mu.Unlock()
	if e := p.poller.watchBy(d, by); e != 0 {
		return e
	}
	wasNonblocking := d.has(fNonblocking)
	if e := d.setNonblocking(true); e != 0 {
		return e
	}
	d.set(fSelects) // before the look: what a call enables from here on counts
	own.attended = by != nil
	e = apply(own.engine, d.ready())
	if e != 0 && !wasNonblocking {
		d.setNonblocking(false)
	}
	if own.engine.Mask() == 0 {
		d.clear(fSelects)
		p.poller.rest(d)
	}
	if d.isClosed() { // its closer may have come too early to end this
		own.engine.CloseDescriptor(s)
	}
	return e
}

// WSPEnumNetworkEvents returns and clears the record of events.
func (p *provider) WSPEnumNetworkEvents(s spi.Socket, ev spi.Event, out *spi.NetworkEvents) spi.Errno {
	d, e := p.acquire(s)
	if e != 0 {
		return e
	}
	defer d.release()
	return d.selection().engine.Enum(ev, out)
}

// inheritSelection gives an accepted socket the listening one's selection.
func (d *descriptor) inheritSelection(listening *descriptor) {
	from := listening.events.Load()
	if from == nil || !from.engine.Active() {
		return
	}
	own := d.selection()
	own.mu.Lock()
	defer own.mu.Unlock()
	if d.p.poller.watch(d) == 0 {
		d.set(fSelects)
		own.engine.Inherit(from.engine, spi.Socket(d.fd), d.ready())
	}
}

// closeEvents ends the watch and the selection of a descriptor that has been
// closed; duplicates go on.
func (d *descriptor) closeEvents(last bool) {
	var heir *descriptor
	if !last {
		d.mu.Lock()
		if len(d.open) > 0 {
			heir = d.open[0]
		}
		d.mu.Unlock()
	}
	if own := d.events.Load(); own != nil {
		if last {
			own.engine.Close()
		} else {
			own.engine.CloseDescriptor(spi.Socket(d.fd))
		}
	}
	if last && d.has(fAwaits) {
		d.p.news.forget(d.socket)
	}
	d.p.poller.forget(d, heir)
	if o := d.pending.Load(); o != nil {
		o.leave(d, heir)
		o.abort(d, !d.p.ended.Load())
	}
}

// reenable enables the events that a call of the client enables, given how the
// call ended.
func (d *descriptor) reenable(bits int32, e spi.Errno) {
	if !d.has(fSelects) {
		return // a selection made from now on looks for itself
	}
	own := d.events.Load()
	if bits = own.enabledBy(bits, e); bits != 0 {
		own.mu.Lock()
		defer own.mu.Unlock()
		d.enable(own, bits, e)
	}
}

// changes is how many changes of the socket its selection has heard of, to be
// asked before a receive; unknown without a selection.
func (d *descriptor) changes() int64 {
	if d.has(fSelects) {
		if own := d.events.Load(); own != nil {
			return int64(own.changes.Load())
		}
	}
	return unknown
}

// received is reenable after a receive of n bytes into the buffers of r. It need not look at
// a TCP socket where nothing has happened since before the receive: one that did not fill the
// buffers has taken all there was, and what comes later is an event.
func (d *descriptor) received(r *receiving, n int, e spi.Errno, before int64) {
	size := spi.BufsLen(r.in)
	own := d.events.Load()
	if before == unknown || own == nil || size == 0 || r.inFlags != 0 || !d.kind.tcp() || own.unusual.Load() ||
		d.has(fRecvShut|fAborted|fConnecting) || e != spi.WSAEWOULDBLOCK && (e != 0 || n == 0) {
		d.reenable(enabledByReceive, e)
		return
	}
	bits := own.enabledBy(enabledByReceive, e)
	if bits == 0 {
		return
	}
	own.mu.Lock()
	defer own.mu.Unlock()
	if own.engine.Mask()&spi.FD_OOB != 0 || own.changes.Load() != uint32(before) || own.unusual.Load() {
		d.enable(own, bits, e)
		return
	}
	var now netevents.Ready
	if n == size {
		if left, errno := available(d.fd); errno == 0 && left > 0 {
			now.Bits = spi.FD_READ
		}
	}
	own.engine.Reenable(bits, now)
}

// matters counts events of epoll, and reports whether the selection may have to
// tell of them.
func (own *selection) matters(d *descriptor, events uint32) bool {
	own.mu.Lock()
	defer own.mu.Unlock()
	own.changes.Add(1)
	if events&(unix.EPOLLPRI|unix.EPOLLRDHUP|unix.EPOLLERR) != 0 { // EPOLLHUP alone: not connected yet
		own.unusual.Store(true)
	}
	if events&^(unix.EPOLLIN|unix.EPOLLOUT) != 0 || !d.kind.stream() || !d.has(fConnected) || d.has(fConnecting) {
		return true
	}
	awaited := own.engine.Enabled()
	return events&unix.EPOLLIN != 0 && awaited&spi.FD_READ != 0 ||
		events&unix.EPOLLOUT != 0 && awaited&(spi.FD_WRITE|spi.FD_CONNECT) != 0
}

// tellsDataAlone reports whether all that events of epoll can mean to the selection
// is that a connection has data.
func (own *selection) tellsDataAlone(d *descriptor, events uint32) bool {
	return events&^unix.EPOLLOUT == unix.EPOLLIN && d.kind.stream() && d.has(fConnected) && !d.has(fConnecting) &&
		!own.unusual.Load() && own.engine.Enabled()&(spi.FD_WRITE|spi.FD_CONNECT) == 0
}

// reportData is report for a connection that may have data, and nothing else to
// tell. A client that waits itself finds out by receiving whether there is.
func (d *descriptor) reportData(own *selection) {
	own.mu.Lock()
	defer own.mu.Unlock()
	if own.attended {
		own.engine.Report(netevents.Ready{Bits: spi.FD_READ})
		return
	}
	if n, errno := available(d.fd); errno == 0 && n > 0 && d.current() {
		own.engine.Report(netevents.Ready{Bits: spi.FD_READ})
	}
}

// enabledBy returns the events that a call enables which is made for one of
// bits and ended with e; 0 when none of them matters to the selection.
func (own *selection) enabledBy(bits int32, e spi.Errno) int32 {
	switch {
	case bits == spi.FD_WRITE && e != spi.WSAEWOULDBLOCK, bits == spi.FD_ACCEPT && e == spi.WSATRY_AGAIN:
		return 0
	case bits == spi.FD_CONNECT:
		if e == spi.WSAEALREADY || e == spi.WSAEISCONN {
			return 0
		}
		bits |= spi.FD_WRITE
	}
	care := bits
	if bits&spi.FD_READ != 0 {
		care |= spi.FD_CLOSE // which waits until all data is read
	}
	if own.engine.Mask()&care == 0 {
		return 0
	}
	return bits
}

// enable enables bits after a call that ended with e. The caller holds own.mu.
func (d *descriptor) enable(own *selection, bits int32, e spi.Errno) {
	now := d.ready()
	if bits&spi.FD_CONNECT != 0 && e != 0 && e != spi.WSAEWOULDBLOCK {
		now.Bits |= spi.FD_CONNECT // failed at once
		now.ConnectError = e
	}
	own.engine.Reenable(bits, now)
}

// report tells the selection, if there is one, what holds now.
func (d *descriptor) report() {
	own := d.events.Load()
	if own == nil || own.engine.Mask() == 0 {
		return
	}
	own.mu.Lock()
	defer own.mu.Unlock()
	if now := d.ready(); d.current() { // else another socket was looked at, or none
		own.engine.Report(now)
	}
}

// ready looks what holds on the socket now.
func (d *descriptor) ready() netevents.Ready {
	found := pollNow(d.fd, unix.POLLIN|unix.POLLOUT|unix.POLLPRI|unix.POLLRDHUP)
	has := func(events int16) bool { return found&events != 0 }
	var now netevents.Ready
	if !d.kind.stream() {
		if has(unix.POLLIN|unix.POLLERR) || d.err.Load() != 0 {
			now.Bits |= spi.FD_READ
		}
		if has(unix.POLLOUT) {
			now.Bits |= spi.FD_WRITE
		}
		if d.has(fConnected) {
			now.Bits |= spi.FD_CONNECT
		}
		return now
	}
	if listening, _ := getInt(d.fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); listening != 0 {
		if has(unix.POLLIN) && !d.hasDeferred() {
			now.Bits |= spi.FD_ACCEPT
		}
		return now
	}
	if d.has(fConnecting) && !d.connectEnded(found, &now) {
		return now
	}
	if has(unix.POLLHUP) && !has(unix.POLLIN|unix.POLLRDHUP|unix.POLLERR) {
		return now // not connected
	}
	now.Bits |= spi.FD_CONNECT
	if n, errno := available(d.fd); errno == 0 && n > 0 && !d.has(fRecvShut) {
		now.Bits |= spi.FD_READ
	}
	if has(unix.POLLOUT) {
		now.Bits |= spi.FD_WRITE
	}
	if has(unix.POLLPRI) && !d.urgentInline() {
		now.Bits |= spi.FD_OOB
	}
	if has(unix.POLLERR | unix.POLLHUP) {
		d.keepError()
	}
	if d.peerClosed(found) {
		now.Bits |= spi.FD_CLOSE
		now.CloseError = spi.Errno(d.broken.Load())
		if d.has(fAborted) {
			now.CloseError = spi.WSAECONNABORTED
		}
	}
	return now
}

// connectEnded looks whether an attempt to connect has succeeded. Otherwise now
// is complete: empty, or with the failure.
func (d *descriptor) connectEnded(found int16, now *netevents.Ready) bool {
	switch {
	case found&(unix.POLLERR|unix.POLLHUP) != 0:
		if d.failed.Load() == 0 {
			code := d.takeError()
			d.failed.Store(int32(code))
			d.err.Store(int32(code)) // SO_ERROR has still to tell
		}
		now.Bits, now.ConnectError = spi.FD_CONNECT, spi.Errno(d.failed.Load())
		return false
	case found&unix.POLLOUT != 0:
		d.clear(fConnecting)
		d.setConnected()
		return true
	}
	return false
}

// takeError reads and clears the kernel's SO_ERROR.
func (d *descriptor) takeError() spi.Errno {
	code, errno := getInt(d.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if errno == 0 {
		errno = unix.Errno(code)
	}
	if errno == unix.EPIPE { // a reset after the peer's end of the stream
		errno = unix.ECONNRESET
	}
	return spi.FromErrno(errno)
}

// keepError moves the error that ended a connection from the kernel, which
// tells it once, to where receiving and SO_ERROR find it.
func (d *descriptor) keepError() {
	if e := d.takeError(); e != 0 {
		d.broken.Store(int32(e))
		d.err.Store(int32(e))
	}
}

// urgentInline reports SO_OOBINLINE.
func (d *descriptor) urgentInline() bool {
	inline, _ := getInt(d.fd, unix.SOL_SOCKET, unix.SO_OOBINLINE)
	return inline != 0
}

// peerClosed reports whether the peer has closed the connection or it is gone.
// poll(2) does not tell that from the client's own SD_RECEIVE; the state of TCP
// does.
func (d *descriptor) peerClosed(found int16) bool {
	if !d.has(fRecvShut) {
		return found&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
	}
	if !d.kind.tcp() {
		return found&unix.POLLHUP != 0
	}
	info, err := unix.GetsockoptTCPInfo(d.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return true
	}
	const timeWait, closeState, closeWait, lastAck, closing = 6, 7, 8, 9, 11
	switch info.State {
	case timeWait, closeState, closeWait, lastAck, closing:
		return true
	}
	return false
}
