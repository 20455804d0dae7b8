//go:build linux

package kernel

import (
	"bytes"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"upcall.dev/internal/netevents"
	"upcall.dev/spi"
)

// SIO_ADDRESS_LIST_CHANGE and SIO_ROUTING_INTERFACE_CHANGE ask for one notice
// each: of the next change of the addresses of the socket's family, or of the
// local address from which a given one is reached. The kernel tells by netlink
// that something may have changed; comparing decides. How the client is told
// depends on the call:
//
//	with an OVERLAPPED                    the operation completes
//	without, on a blocking socket         the call waits
//	without, on a nonblocking socket      WSAEWOULDBLOCK; then the FD_ event, which
//	                                      each such call enables once

// noticeEvents is the FD_ event that goes with each of the two codes.
var noticeEvents = map[uint32]int32{
	spi.SIO_ADDRESS_LIST_CHANGE:      spi.FD_ADDRESS_LIST_CHANGE,
	spi.SIO_ROUTING_INTERFACE_CHANGE: spi.FD_ROUTING_INTERFACE_CHANGE,
}

// notice is one request for a notice.
type notice struct {
	socket *socket
	event  int32 // FD_ADDRESS_LIST_CHANGE or FD_ROUTING_INTERFACE_CHANGE

	// Of a route: where to, and what the answer was.
	to     sockaddr
	answer []byte

	// One of the two; without either the FD_ event tells.
	overlapped *operations
	wake       int // the eventfd of a call that waits; negative for none
}

// news is the requests that no change has answered yet, and what is known of
// the machine.
type news struct {
	// mu guards what follows. Inside it are taken the attendant's lock and those
	// of selections' engines.
	mu        sync.Mutex
	netlink   int // while open; it is read under mu
	open      bool
	requests  map[*socket][]*notice
	addresses map[interfaceEntry]struct{}
}

// interfaceEntry is one address of one interface.
type interfaceEntry struct {
	family uint8
	index  uint32
	name   string // its sockaddr
}

// requestNotice is WSPIoctl with one of the two codes.
func (d *descriptor) requestNotice(event int32, in []byte, ov *spi.Overlapped, routine spi.CompletionRoutine, thread *spi.ThreadID) spi.Errno {
	if d.kind == unixStream {
		return spi.WSAEOPNOTSUPP
	}
	n := &notice{socket: d.socket, event: event, wake: -1}
	if event == spi.FD_ROUTING_INTERFACE_CHANGE {
		if e := n.to.setWindows(in, d.kind, spi.WSAEAFNOSUPPORT); e != 0 {
			return e
		}
	}
	all := &d.p.news
	if e := all.start(d.p); e != 0 {
		return e
	}
	all.happened() // what has changed up to now is no news to this request
	if ov != nil {
		o, op, e := d.begin(ov, routine, thread)
		if e != 0 {
			return e
		}
		n.overlapped, op.job = o, n
		all.add(n)
		return o.start(&o.notices, op, nil, nil)
	}
	if d.blocking() {
		return d.awaitNotice(n)
	}
	d.reenable(event, 0)
	all.add(n)
	if d.isClosed() { // its closer may have come too early to end this
		all.forget(d.socket)
	}
	return spi.WSAEWOULDBLOCK
}

// attempt never succeeds: only a change ends the operation.
func (n *notice) attempt(*operations, *operation) (uint32, spi.Errno) {
	return 0, spi.WSAEWOULDBLOCK
}

// ended forgets an operation that has completed.
func (n *notice) ended() { n.socket.p.news.remove(n) }

// awaitNotice waits for a change.
func (d *descriptor) awaitNotice(n *notice) spi.Errno {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return spi.FromErrno(errnoOf(err))
	}
	defer unix.Close(fd)
	var wait call
	defer wait.end()
	if e := wait.begin(d.p, d.p.entries[d.kind].CatalogEntryID, -1, d); e != 0 {
		return e
	}
	n.wake = fd
	d.p.news.add(n)
	defer d.p.news.remove(n)
	for pollNow(fd, unix.POLLIN) == 0 {
		if e := wait.on(fd, unix.POLLIN); e != 0 {
			return e
		}
	}
	return 0
}

// start makes the kernel tell changes, from the first request on.
func (w *news) start(p *provider) spi.Errno {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open {
		return 0
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return spi.FromErrno(errnoOf(err))
	}
	const groups = unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE
	e := spi.FromErrno(errnoOf(unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups})))
	if e == 0 {
		var errno unix.Errno
		w.addresses, errno = interfaceEntries()
		e = spi.FromErrno(errno)
	}
	if e == 0 {
		_, e = p.attendant.attend(fd, w.happened)
	}
	if e != 0 {
		_ = unix.Close(fd)
		return e
	}
	w.netlink, w.open = fd, true
	w.requests = map[*socket][]*notice{}
	return 0
}

// stop ends it. The attendant has stopped.
func (w *news) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open {
		_ = unix.Close(w.netlink)
	}
	w.open, w.requests = false, nil
}

// add registers a request. Another one of the same socket for the same event,
// and for the same route, takes the place of an earlier one.
func (w *news) add(n *notice) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.open {
		return
	}
	n.answer = n.route() // under the lock: whoever sees a later change compares with this
	n.socket.set(fAwaits)
	of := w.requests[n.socket]
	if n.byEvent() {
		of = slices.DeleteFunc(of, func(o *notice) bool {
			return o.byEvent() && o.event == n.event && o.to == n.to
		})
	}
	w.requests[n.socket] = append(of, n)
}

// byEvent reports whether the FD_ event tells.
func (n *notice) byEvent() bool { return n.overlapped == nil && n.wake < 0 }

func (w *news) remove(n *notice) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keep(n.socket, func(o *notice) bool { return o != n })
}

// forget drops the requests of a socket that has been closed.
func (w *news) forget(s *socket) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.requests, s)
}

func (w *news) keep(s *socket, which func(*notice) bool) {
	of := slices.DeleteFunc(w.requests[s], func(n *notice) bool { return !which(n) })
	if len(of) == 0 {
		delete(w.requests, s)
		return
	}
	w.requests[s] = of
}

// route returns the local address from which the request's address is reached,
// nil when it is not or when the request is not about one.
func (n *notice) route() []byte {
	if n.event != spi.FD_ROUTING_INTERFACE_CHANGE {
		return nil
	}
	local, errno := routeTo(n.socket.kind, n.to)
	if errno != 0 {
		return nil
	}
	return bytes.Clone(local.windows())
}

// change is what netlink messages tell.
type change struct {
	addresses4, addresses6 bool
	routes                 bool // or anything that may change one
}

// happened reads what the kernel has told and answers the requests that it
// concerns.
func (w *news) happened() {
	w.mu.Lock()
	var answered []*notice
	if c := w.read(); c != (change{}) {
		answered = w.answer(c)
	}
	w.mu.Unlock()
	for _, n := range answered {
		n.tell()
	}
}

// maxNews bounds one reading of what the kernel has told; the rest comes at
// once.
const maxNews = 256

func (w *news) read() (c change) {
	if !w.open {
		return c
	}
	var b [16 << 10]byte
	for range maxNews {
		n, from, err := unix.Recvfrom(w.netlink, b[:], unix.MSG_DONTWAIT)
		switch {
		case err == unix.ENOBUFS: // it has told more than there was room for
			w.compare(&c)
			continue
		case err == unix.EINTR:
			continue
		case err != nil:
			return c
		}
		if kernel, ok := from.(*unix.SockaddrNetlink); !ok || kernel.Pid != 0 {
			continue
		}
		messages, err := syscall.ParseNetlinkMessage(b[:n])
		if err != nil {
			w.compare(&c)
			continue
		}
		for i := range messages {
			w.note(&messages[i], &c)
		}
	}
	return c
}

// note takes one message in. An address that is told again, because its
// lifetime is new, is no change.
func (w *news) note(m *syscall.NetlinkMessage, c *change) {
	c.routes = true
	if m.Header.Type != unix.RTM_NEWADDR && m.Header.Type != unix.RTM_DELADDR {
		return
	}
	entry, usable := interfaceEntryOf(m)
	if entry.name == "" {
		return
	}
	_, known := w.addresses[entry]
	switch is := usable && m.Header.Type == unix.RTM_NEWADDR; {
	case is == known:
		return
	case is:
		w.addresses[entry] = struct{}{}
	default:
		delete(w.addresses, entry)
	}
	c.changed(entry)
}

func (c *change) changed(entry interfaceEntry) {
	if entry.family == unix.AF_INET6 {
		c.addresses6 = true
	} else {
		c.addresses4 = true
	}
}

// compare finds out what has changed where messages are lost.
func (w *news) compare(c *change) {
	c.routes = true
	now, errno := interfaceEntries()
	if errno != 0 {
		c.addresses4, c.addresses6 = true, true
		return
	}
	for entry := range now {
		if _, known := w.addresses[entry]; !known {
			c.changed(entry)
		}
	}
	for entry := range w.addresses {
		if _, still := now[entry]; !still {
			c.changed(entry)
		}
	}
	w.addresses = now
}

// answer takes out the requests that a change answers. One that the FD_ event
// tells stays while the event is not selected.
func (w *news) answer(c change) (answered []*notice) {
	for s := range w.requests {
		w.keep(s, func(n *notice) bool {
			if !n.concerns(c) || n.byEvent() && !n.selected() {
				return true
			}
			if n.wake >= 0 { // it may be closed once mu is free
				_, _ = unix.Write(n.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
			} else {
				answered = append(answered, n)
			}
			return false
		})
	}
	return answered
}

func (n *notice) concerns(c change) bool {
	switch {
	case n.event == spi.FD_ROUTING_INTERFACE_CHANGE:
		return c.routes && !bytes.Equal(n.answer, n.route())
	case n.socket.kind.v6():
		return c.addresses6
	}
	return c.addresses4
}

func (n *notice) selected() bool {
	own := n.socket.events.Load()
	return own != nil && own.engine.Mask()&n.event != 0
}

// tell completes the operation, or raises the event, of a request that was
// answered.
func (n *notice) tell() {
	if o := n.overlapped; o != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, op := range o.notices.remove(func(op *operation) bool { return op.job == n }) {
			o.finish(op, 0, 0, true)
		}
		return
	}
	if own := n.socket.events.Load(); own != nil {
		own.mu.Lock()
		defer own.mu.Unlock()
		own.engine.Report(netevents.Ready{Bits: n.event})
	}
}
