//go:build linux

package kernel

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// array returns a message's buffers. WSAEFAULT when there should be some.
func array(msg *spi.Msg) ([]spi.Buf, spi.Errno) {
	if msg == nil || msg.Buffers == nil && msg.BufferCount > 0 || msg.Control.Buf == nil && msg.Control.Len > 0 || msg.Name != nil && msg.NameLen < 0 {
		return nil, spi.WSAEFAULT
	}
	if msg.BufferCount == 0 {
		return nil, 0
	}
	return unsafe.Slice(msg.Buffers, msg.BufferCount), 0
}

// recvMsg is WSARecvMsg, for datagram sockets.
func (p *provider) recvMsg(s spi.Socket, msg *spi.Msg, received *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine) spi.Errno {
	d, e := p.acquire(s)
	if e != 0 {
		return e
	}
	defer d.release()
	bufs, e := array(msg)
	if e != 0 {
		return e
	}
	if d.kind.stream() {
		return spi.WSAEOPNOTSUPP
	}
	if msg.Name != nil && int(msg.NameLen) < addressSize(d.kind) {
		return spi.WSAEFAULT
	}
	r := receiving{in: bufs, msg: msg}
	if ov == nil {
		flags := msg.Flags
		return d.receive(&r, received, &flags)
	}
	if e := d.receiveFlags(&r, msg.Flags); e != 0 {
		return e
	}
	o, op, e := d.beginExtension(ov, routine)
	if e != 0 {
		return e
	}
	op.receiving = r
	op.in = op.own(bufs)
	e = o.start(&o.receives, op, received, nil)
	d.reenable(enabledByReceive, e)
	return e
}

// receiveMessage is an attempt to receive a datagram with everything that
// WSARecvMsg tells of it.
func (d *descriptor) receiveMessage(r *receiving) (int, uint32, spi.Errno) {
	bufs := r.in
	var joined [1]spi.Buf
	if len(bufs) > maxVectors {
		joined[0] = spi.NewBuf(make([]byte, min(spi.BufsLen(bufs), maxDatagram6)))
		bufs = joined[:]
	}
	var name sockaddr
	var room [maxControl]byte
	control := room[:]
	n, native, errno := receiveControl(d.fd, bufs, r.inFlags|unix.MSG_TRUNC, &name, &control)
	if errno == unix.ECONNREFUSED {
		d.keepPortUnreachable()
		if e := spi.Errno(d.err.Swap(0)); e != 0 {
			return 0, 0, e
		}
		control = room[:]
		n, native, errno = receiveControl(d.fd, bufs, r.inFlags|unix.MSG_TRUNC, &name, &control)
	}
	if errno != 0 {
		return 0, 0, d.receiveError(r, errno)
	}
	if len(r.in) > maxVectors {
		scatter(joined[0].Bytes()[:min(n, int(joined[0].Len))], r.in)
	}
	m := r.msg
	if m.Name != nil {
		_ = spi.StoreAddress(name.windows(), unsafe.Slice(m.Name, m.NameLen), &m.NameLen) // its size was checked
	}
	given, flags, fits := controlToWindows(m.Control.Bytes(), control)
	m.Control.Len = uint32(given)
	e := spi.Errno(0)
	if !fits || native&unix.MSG_CTRUNC != 0 {
		flags |= spi.MSG_CTRUNC
		e = spi.WSAEMSGSIZE
	}
	if size := spi.BufsLen(r.in); n > size {
		n = size
		flags |= spi.MSG_TRUNC
		e = spi.WSAEMSGSIZE
	}
	m.Flags = flags
	return n, flags, e
}

// sendMsg is WSASendMsg, for datagram sockets.
func (p *provider) sendMsg(s spi.Socket, msg *spi.Msg, flags uint32, sent *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine) spi.Errno {
	d, e := p.acquire(s)
	if e != 0 {
		return e
	}
	defer d.release()
	bufs, e := array(msg)
	if e != 0 {
		return e
	}
	if d.kind.stream() {
		return spi.WSAEOPNOTSUPP
	}
	var to *sockaddr
	if msg.Name != nil && msg.NameLen > 0 {
		to = new(sockaddr)
		if e := to.setDestination(unsafe.Slice(msg.Name, msg.NameLen), d.kind); e != 0 {
			return e
		}
	}
	control, e := controlFromWindows(d.kind, msg.Control.Bytes())
	if e != 0 {
		return e
	}
	x := sending{out: bufs, control: control}
	if ov == nil {
		return d.send(&x, to, sent, flags)
	}
	if x.outFlags, e = d.sendFlags(flags); e != 0 {
		return e
	}
	o, op, e := d.beginExtension(ov, routine)
	if e != 0 {
		return e
	}
	op.sending, op.to = x, to
	op.out = op.own(bufs)
	return o.startSend(op, sent)
}
