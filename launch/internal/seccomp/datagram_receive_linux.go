package seccomp

import (
	"encoding/binary"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// incoming is one datagram received for the program.
type incoming struct {
	payload []byte // as much as there is room for
	length  int    // what the call returns
	name    sockaddr
	control []byte
	flags   int
}

// receiveFrom is recvfrom with room for the peer's address.
func (c *datagramCall) receiveFrom() {
	n := c.n
	tid := int(n.TID)
	room := min(n.Args[2], maxPayload)
	in, errno := c.receive(int(room), 0, int(int32(n.Args[3])))
	if errno != 0 {
		c.fail(errno)
		return
	}
	if err := writeMemory(tid, n.Args[1], in.payload); err != nil {
		c.fail(memoryErrno(err))
		return
	}
	if n.Args[5] == 0 {
		c.fail(unix.EFAULT)
		return
	}
	if errno := storeValue(tid, n.Args[4], n.Args[5], in.name, true); errno != 0 {
		c.fail(errno)
		return
	}
	c.result(in.length, 0)
}

func (c *datagramCall) receiveMessage() {
	c.result(c.receiveInto(c.n.Args[1], int(int32(c.n.Args[2]))))
}

// receiveInto receives one datagram into a struct msghdr of the program.
func (c *datagramCall) receiveInto(at uint64, flags int) (int, unix.Errno) {
	tid := int(c.n.TID)
	h, errno := readHeader(tid, at)
	if errno == unix.ENOBUFS { // a receive takes any length
		h.controlLength, errno = maxControl, 0
		h.nameLength = min(h.nameLength, maxSockaddr)
	}
	if errno != 0 {
		return 0, errno
	}
	pieces, total, errno := readVectors(tid, &h)
	if errno != 0 {
		return 0, errno
	}
	in, errno := c.receive(min(total, maxPayload), int(h.controlLength), flags)
	if errno != 0 {
		return 0, errno
	}
	if errno := writePieces(tid, pieces, in.payload); errno != 0 {
		return 0, errno
	}
	order := binary.NativeEndian
	if h.name != 0 {
		if err := writeMemory(tid, h.name, in.name[:min(len(in.name), int(h.nameLength))]); err != nil {
			return 0, memoryErrno(err)
		}
		if err := writeMemory(tid, at+offsetNameLength, order.AppendUint32(nil, uint32(len(in.name)))); err != nil {
			return 0, memoryErrno(err)
		}
	}
	if err := writeMemory(tid, h.control, in.control); err != nil {
		return 0, memoryErrno(err)
	}
	rest := order.AppendUint64(nil, uint64(len(in.control)))
	rest = order.AppendUint32(rest, uint32(in.flags))
	if err := writeMemory(tid, at+offsetControlLength, rest); err != nil {
		return 0, memoryErrno(err)
	}
	return in.length, 0
}

// receiveMessages is recvmmsg: the count of those that were received, or the
// error of the first.
func (c *datagramCall) receiveMessages() {
	tid, at, count := int(c.n.TID), c.n.Args[1], min(uint32(c.n.Args[2]), maxVectors)
	flags := int(int32(c.n.Args[3]))
	limit, errno := c.readTimeout(c.n.Args[4])
	if errno != 0 {
		c.fail(errno)
		return
	}
	deadline := time.Now().Add(limit)
	received := 0
	for received < int(count) {
		message := at + uint64(received)*sizeofMultipleHeader
		var n int
		if n, errno = c.receiveInto(message, flags&^unix.MSG_WAITFORONE); errno != 0 {
			break
		}
		if err := writeMemory(tid, message+offsetMessageLength, binary.NativeEndian.AppendUint32(nil, uint32(n))); err != nil {
			errno = memoryErrno(err)
			break
		}
		received++
		if flags&unix.MSG_WAITFORONE != 0 {
			flags |= unix.MSG_DONTWAIT
		}
		if c.n.Args[4] != 0 && !time.Now().Before(deadline) { // looked at between messages only
			break
		}
	}
	if received > 0 {
		errno = 0
	}
	if c.n.Args[4] != 0 && errno == 0 {
		left := unix.NsecToTimespec(int64(max(0, time.Until(deadline))))
		if err := writeMemory(tid, c.n.Args[4], unsafe.Slice((*byte)(unsafe.Pointer(&left)), unsafe.Sizeof(left))); err != nil {
			errno = memoryErrno(err)
		}
	}
	c.result(received, errno)
}

func (c *datagramCall) readTimeout(at uint64) (limit time.Duration, errno unix.Errno) {
	if at == 0 {
		return 0, 0
	}
	var t unix.Timespec
	if err := readMemory(int(c.n.TID), at, unsafe.Slice((*byte)(unsafe.Pointer(&t)), unsafe.Sizeof(t))); err != nil {
		return 0, memoryErrno(err)
	}
	if t.Sec < 0 || t.Nsec < 0 || t.Nsec >= int64(time.Second) {
		return 0, unix.EINVAL
	}
	if t.Sec > int64(maxTimeout/time.Second) {
		return maxTimeout, 0
	}
	return time.Duration(t.Nano()), 0
}

const maxTimeout = 1 << 62 / time.Second * time.Second / 2

// receive receives one datagram on the program's socket, and waits for it where
// the program's call would.
func (c *datagramCall) receive(room, controlRoom, flags int) (in incoming, errno unix.Errno) {
	wait := c.blocking && flags&unix.MSG_DONTWAIT == 0
	for {
		in, errno = c.receiveNow(room, controlRoom, flags)
		if errno == unix.EAGAIN && wait {
			if errno = c.await(unix.POLLIN, unix.SO_RCVTIMEO); errno == 0 {
				continue
			}
		}
		if errno != 0 {
			return in, errno
		}
		if c.translate(&in) {
			return in, 0
		}
		if flags&unix.MSG_PEEK != 0 { // a stranger's: take it away
			_, _ = c.receiveNow(0, 0, unix.MSG_TRUNC)
		}
	}
}

func (c *datagramCall) receiveNow(room, controlRoom, flags int) (in incoming, errno unix.Errno) {
	payload := make([]byte, room)
	name := make(sockaddr, maxSockaddr)
	control := make([]byte, controlRoom)
	var vector unix.Iovec
	vector.Base = unsafe.SliceData(payload)
	vector.SetLen(room)
	message := unix.Msghdr{Iov: &vector, Iovlen: 1, Name: &name[0], Namelen: maxSockaddr}
	if controlRoom > 0 {
		message.Control = &control[0]
		message.SetControllen(controlRoom)
	}
	flags = flags&^unix.MSG_CMSG_CLOEXEC | unix.MSG_DONTWAIT
	n, _, errno := unix.Syscall(unix.SYS_RECVMSG, uintptr(c.fd), uintptr(unsafe.Pointer(&message)), uintptr(flags))
	if errno != 0 {
		return in, errno
	}
	return incoming{
		payload: payload[:min(int(n), room)], length: int(n), name: name[:message.Namelen],
		control: control[:message.Controllen], flags: int(message.Flags),
	}, 0
}

// translate puts the peer's own address in the place of the one that stands for
// it. It reports false for a datagram that has not come through the chain.
func (c *datagramCall) translate(in *incoming) bool {
	j := c.joined
	if j == nil {
		if j = c.s.joinedSockets.lookup(c.cookie); j == nil {
			return true
		}
		c.joined = j
	}
	from, errno := in.name.addrPort(c.domain)
	if errno != 0 {
		return true // without an address, as an error's
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	peer, ok := j.peers.at(from.Addr())
	if ok {
		in.name = sockaddrFor(c.domain, peer)
	}
	return ok
}
