package seccomp

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/launch/internal/chains"
)

// unixDatagram is one datagram that the program sends, copied out of it.
type unixDatagram struct {
	name    sockaddr // none: to the connected peer
	payload []byte
	control []byte
	files   []int // dups of what control hands over
	flags   int
}

// send handles sendto, sendmsg and sendmmsg. Sockets that are no datagram ones
// send to no address, whatever the call says.
func (c *unixCall) send() {
	if c.sockType != unix.SOCK_DGRAM {
		c.s.pass(c.n)
		return
	}
	switch n := c.n; n.Call {
	case unix.SYS_SENDTO:
		c.result(c.sendTo())
	case unix.SYS_SENDMSG:
		c.result(c.sendMessage(n.Args[1], int(int32(n.Args[2]))))
	default:
		c.sendMessages()
	}
}

func (c *unixCall) result(n int, errno unix.Errno) {
	if errno != 0 {
		c.fail(errno)
		return
	}
	_ = respond(c.s.listener, &answer{ID: c.n.ID, Value: int64(n)})
}

func (c *unixCall) sendTo() (int, unix.Errno) {
	n := c.n
	tid := int(n.TID)
	d := unixDatagram{flags: int(int32(n.Args[3]))}
	var errno unix.Errno
	if d.name, errno = readName(tid, n.Args[4], uint32(n.Args[5])); errno != 0 {
		return 0, errno
	}
	return c.sendOne(&d, n.Args[2], func() unix.Errno {
		if err := readMemory(tid, n.Args[1], d.payload); err != nil {
			return memoryErrno(err)
		}
		return 0
	})
}

func (c *unixCall) sendMessage(at uint64, flags int) (int, unix.Errno) {
	tid := int(c.n.TID)
	d := unixDatagram{flags: flags}
	h, errno := readHeader(tid, at)
	if errno != 0 {
		return 0, errno
	}
	if d.name, errno = readName(tid, h.name, h.nameLength); errno != 0 {
		return 0, errno
	}
	pieces, total, errno := readVectors(tid, &h)
	if errno != 0 {
		return 0, errno
	}
	if h.controlLength > 0 {
		d.control = make([]byte, h.controlLength)
		if err := readMemory(tid, h.control, d.control); err != nil {
			return 0, memoryErrno(err)
		}
	}
	defer d.closeFiles()
	return c.sendOne(&d, uint64(total), func() unix.Errno { return readPieces(tid, pieces, d.payload) })
}

// sendMessages is sendmmsg: the count of those that were sent, or the error of
// the first.
func (c *unixCall) sendMessages() {
	at, count := c.n.Args[1], min(uint32(c.n.Args[2]), maxVectors)
	sent := 0
	var errno unix.Errno
	for ; sent < int(count); sent++ {
		message := at + uint64(sent)*sizeofMultipleHeader
		var n int
		if n, errno = c.sendMessage(message, int(int32(c.n.Args[3]))); errno != 0 {
			break
		}
		if err := writeMemory(int(c.n.TID), message+offsetMessageLength, binary.NativeEndian.AppendUint32(nil, uint32(n))); err != nil {
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

// longest is the longest datagram that the socket sends.
func (c *unixCall) longest() int {
	room, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_SNDBUF)
	if err != nil {
		return 0
	}
	return max(room-32, 0)
}

// sendOne sends one datagram, whose payload of the given length read reads. It
// checks in the kernel's order.
func (c *unixCall) sendOne(d *unixDatagram, length uint64, read func() unix.Errno) (n int, errno unix.Errno) {
	if d.flags&unix.MSG_OOB != 0 {
		return 0, unix.EOPNOTSUPP
	}
	if errno := d.takeFiles(&c.s.pidfds, int(c.n.TID)); errno != 0 {
		return 0, errno
	}
	var u unixName
	if len(d.name) > 0 {
		if u, errno = parseUnixName(d.name); errno == 0 && len(d.name) == 2 {
			errno = unix.EINVAL
		}
		if errno != 0 {
			return 0, errno
		}
	}
	if length > uint64(c.longest()) {
		return 0, unix.EMSGSIZE
	}
	d.payload = make([]byte, length)
	if errno := read(); errno != 0 {
		return 0, errno
	}
	act := func(to sockaddr) unix.Errno {
		return c.patientlyUnless(d.flags&unix.MSG_DONTWAIT != 0, unix.SO_SNDTIMEO, func() (errno unix.Errno) {
			n, errno = d.sendNow(c.fd, to)
			return errno
		})
	}
	if len(d.name) == 0 {
		errno = act(nil)
		return n, errno
	}
	who, errno := identify(int(c.n.TID))
	if errno != 0 {
		return 0, errno
	}
	errno = c.toPeer(&u, who, chains.UnixSend, act)
	return n, errno
}

func (c *unixCall) patientlyUnless(hasty bool, timeoutOption int, try func() unix.Errno) unix.Errno {
	if hasty {
		return try()
	}
	return c.patiently(timeoutOption, try)
}

// sendNow is sendmsg(2) that does not wait.
func (d *unixDatagram) sendNow(fd int, to sockaddr) (int, unix.Errno) {
	var vector unix.Iovec
	vector.SetLen(len(d.payload))
	vector.Base = unsafe.SliceData(d.payload)
	message := unix.Msghdr{Iov: &vector, Iovlen: 1}
	if len(to) > 0 {
		message.Name, message.Namelen = &to[0], uint32(len(to))
	}
	if len(d.control) > 0 {
		message.Control = &d.control[0]
		message.SetControllen(len(d.control))
	}
	n, _, errno := unix.Syscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&message)), uintptr(d.flags|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL))
	return int(n), errno
}

// takeFiles puts what the host has of the program's descriptors into the control
// messages, in the place of their numbers there. What a program says about who it
// is the kernel takes from nobody else: the host's own goes there.
func (d *unixDatagram) takeFiles(from *pidfds, tid int) unix.Errno {
	order := binary.NativeEndian
	for rest := d.control; len(rest) >= unix.SizeofCmsghdr; {
		length := order.Uint64(rest)
		if length < unix.SizeofCmsghdr || length > uint64(len(rest)) {
			return unix.EINVAL
		}
		data := rest[unix.SizeofCmsghdr:length]
		if order.Uint32(rest[8:]) == unix.SOL_SOCKET {
			switch order.Uint32(rest[12:]) {
			case unix.SCM_RIGHTS:
				if errno := d.takeRights(from, tid, data); errno != 0 {
					return errno
				}
			case unix.SCM_CREDENTIALS:
				if len(data) >= unix.SizeofUcred {
					order.PutUint32(data, uint32(unix.Getpid()))
				}
			}
		}
		rest = rest[min(unix.CmsgSpace(len(data)), len(rest)):]
	}
	return 0
}

func (d *unixDatagram) takeRights(from *pidfds, tid int, numbers []byte) unix.Errno {
	for ; len(numbers) >= 4; numbers = numbers[4:] {
		if len(d.files) >= maxRights {
			return unix.EINVAL
		}
		file, err := from.borrow(tid, int(int32(binary.NativeEndian.Uint32(numbers))))
		if err != nil {
			return errnoOf(err)
		}
		d.files = append(d.files, file)
		binary.NativeEndian.PutUint32(numbers, uint32(file))
	}
	return 0
}

// maxRights is SCM_MAX_FD.
const maxRights = 253

func (d *unixDatagram) closeFiles() {
	for _, file := range d.files {
		_ = unix.Close(file)
	}
}
