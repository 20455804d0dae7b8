package seccomp

import (
	"encoding/binary"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/launch/internal/tally"
)

// outgoing is one datagram that the program sends, copied out of it.
type outgoing struct {
	to      netip.AddrPort
	named   bool // to is an address that the program gave
	payload []byte
	control []byte
	flags   int
}

// Flags of sends that ask for nothing that a chain would have to know.
const harmlessSendFlags = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL | unix.MSG_CONFIRM | unix.MSG_EOR | unix.MSG_DONTROUTE

func (c *datagramCall) sendTo() {
	n := c.n
	tid := int(n.TID)
	name, errno := readName(tid, n.Args[4], uint32(n.Args[5]))
	if errno != 0 {
		c.fail(errno)
		return
	}
	if n.Args[2] > maxPayload {
		c.fail(unix.EMSGSIZE)
		return
	}
	o := outgoing{flags: int(int32(n.Args[3]))}
	if o.to, o.named, errno = destination(name, c.domain, c.v6only); errno != 0 {
		c.fail(errno)
		return
	}
	o.payload = make([]byte, n.Args[2])
	if err := readMemory(tid, n.Args[1], o.payload); err != nil {
		c.fail(memoryErrno(err))
		return
	}
	c.result(c.send(&o))
}

func (c *datagramCall) v6only() bool {
	if c.joined != nil {
		return c.joined.only6
	}
	return isV6Only(c.fd)
}

func (c *datagramCall) sendMessage() {
	o, errno := c.readOutgoing(c.n.Args[1], int(int32(c.n.Args[2])))
	if errno != 0 {
		c.fail(errno)
		return
	}
	c.result(c.send(&o))
}

func (c *datagramCall) readOutgoing(at uint64, flags int) (o outgoing, errno unix.Errno) {
	tid := int(c.n.TID)
	h, errno := readHeader(tid, at)
	if errno != 0 {
		return o, errno
	}
	name, errno := readName(tid, h.name, h.nameLength)
	if errno != 0 {
		return o, errno
	}
	pieces, total, errno := readVectors(tid, &h)
	if errno != 0 {
		return o, errno
	}
	o.flags = flags
	if h.controlLength > 0 {
		o.control = make([]byte, h.controlLength)
		if err := readMemory(tid, h.control, o.control); err != nil {
			return o, memoryErrno(err)
		}
	}
	if total > maxPayload {
		return o, unix.EMSGSIZE
	}
	if o.to, o.named, errno = destination(name, c.domain, c.v6only); errno != 0 {
		return o, errno
	}
	o.payload = make([]byte, total)
	return o, readPieces(tid, pieces, o.payload)
}

// sendMessages is sendmmsg: the count of those that were sent, or the error of
// the first.
func (c *datagramCall) sendMessages() {
	tid, at, count := int(c.n.TID), c.n.Args[1], min(uint32(c.n.Args[2]), maxVectors)
	flags := int(int32(c.n.Args[3]))
	sent := 0
	var errno unix.Errno
	for ; sent < int(count); sent++ {
		message := at + uint64(sent)*sizeofMultipleHeader
		var o outgoing
		if o, errno = c.readOutgoing(message, flags); errno != 0 {
			break
		}
		var n int
		if n, errno = c.send(&o); errno != 0 {
			break
		}
		if err := writeMemory(tid, message+offsetMessageLength, binary.NativeEndian.AppendUint32(nil, uint32(n))); err != nil {
			errno = memoryErrno(err)
			break
		}
		if sent%64 == 0 && !stillWaiting(c.s.listener, c.n.ID) { // the thread was killed
			break
		}
	}
	if sent > 0 {
		errno = 0
	}
	c.result(sent, errno)
}

// send sends one datagram through the chain.
func (c *datagramCall) send(o *outgoing) (int, unix.Errno) {
	if o.flags&unix.MSG_OOB != 0 {
		return 0, unix.EOPNOTSUPP
	}
	if !o.named {
		if c.joined != nil {
			o.control = nil // it is for the way through the network
		}
		return c.sendNative(o)
	}
	send := c.sendJoined
	if c.own() {
		send = c.sendOwn
	}
	n, errno := send(o)
	return n, c.counted(tally.To, o.to, 1, errno)
}

// sendNative sends to the connected peer, which the chain has decided on.
func (c *datagramCall) sendNative(o *outgoing) (int, unix.Errno) {
	wait := c.blocking && o.flags&unix.MSG_DONTWAIT == 0
	for {
		n, errno := sendOn(c.fd, o, o.flags|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if errno != unix.EAGAIN || !wait {
			return n, errno
		}
		if errno := c.await(unix.POLLOUT, unix.SO_SNDTIMEO); errno != 0 {
			return 0, errno
		}
	}
}

// sendOn is sendmsg(2) without an address.
func sendOn(fd int, o *outgoing, flags int) (int, unix.Errno) {
	var vector unix.Iovec
	vector.SetLen(len(o.payload))
	vector.Base = unsafe.SliceData(o.payload)
	message := unix.Msghdr{Iov: &vector, Iovlen: 1}
	if len(o.control) > 0 {
		message.Control = &o.control[0]
		message.SetControllen(len(o.control))
	}
	n, _, errno := unix.Syscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&message)), uintptr(flags))
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// sendOwn lets an IFS chain send on the program's own socket.
func (c *datagramCall) sendOwn(o *outgoing) (int, unix.Errno) {
	parts, control, errno := c.split(o)
	if errno != 0 {
		return 0, errno
	}
	if pending, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR); err == nil && pending != 0 {
		return 0, unix.Errno(pending) // of an earlier datagram: Winsock would tell it to a receive
	}
	if c.blocking && o.flags&unix.MSG_DONTWAIT != 0 && !waitFor(c.fd, unix.POLLOUT, time.Now().Add(time.Millisecond)) {
		return 0, unix.EAGAIN
	}
	c.adopted = true
	total := 0
	for _, part := range parts {
		n, errno := c.sendPart(part, o, control)
		if errno != 0 {
			return total, errno
		}
		total += n
	}
	return total, 0
}

func (c *datagramCall) sendPart(part []byte, o *outgoing, control sendControl) (int, unix.Errno) {
	dontRoute := o.flags&unix.MSG_DONTROUTE != 0
	if len(control.way) > 0 {
		if n, errno := c.through.SendOwnWith(c.fd, part, o.to, dontRoute, control.way); errno != unix.EOPNOTSUPP {
			return n, errno
		}
		if errno := c.without(control); errno != 0 {
			return 0, errno
		}
	}
	return c.through.SendOwn(c.fd, part, o.to, dontRoute)
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// sendJoined sends on the chain's socket that the program's is joined to.
func (c *datagramCall) sendJoined(o *outgoing) (int, unix.Errno) {
	parts, control, errno := c.split(o)
	if errno == 0 {
		errno = c.without(control)
	}
	if errno != 0 {
		return 0, errno
	}
	if o.to.Addr().Unmap() == broadcast && !c.optionSet(unix.SO_BROADCAST) {
		return 0, unix.EACCES // also of a chain that sends later
	}
	j, errno := c.join(c.anywhere(), false)
	if errno != 0 {
		return 0, errno
	}
	wait := c.blocking && o.flags&unix.MSG_DONTWAIT == 0
	total := 0
	for _, part := range parts {
		errno := j.chain.SendTo(part, o.to, o.flags&unix.MSG_DONTROUTE != 0, wait)
		if errno == unix.EACCES && c.optionSet(unix.SO_BROADCAST) { // set since
			j.chain.SetBroadcast()
			errno = j.chain.SendTo(part, o.to, o.flags&unix.MSG_DONTROUTE != 0, wait)
		}
		if errno != 0 {
			return total, errno
		}
		total += len(part)
	}
	return total, 0
}
