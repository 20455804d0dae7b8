package seccomp

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// The kernel's bounds on a message.
const (
	maxVectors  = 1024      // UIO_MAXIOV, of pieces and of messages
	maxPayload  = 0xffff    // of one UDP datagram
	maxControl  = 128 << 10 // the kernel's own default, net.core.optmem_max
	maxTransfer = 0x7ffff000
)

// messageHeader is struct msghdr of a program.
type messageHeader struct {
	name          uint64
	nameLength    uint32
	vectors       uint64
	vectorCount   uint64
	control       uint64
	controlLength uint64
	flags         uint32
}

const (
	sizeofMessageHeader  = 56 // struct msghdr
	sizeofMultipleHeader = 64 // struct mmsghdr
	offsetNameLength     = 8
	offsetControlLength  = 40
	offsetMessageFlags   = 48
	offsetMessageLength  = 56 // of struct mmsghdr
)

func readHeader(tid int, at uint64) (h messageHeader, errno unix.Errno) {
	var raw [sizeofMessageHeader]byte
	if err := readMemory(tid, at, raw[:]); err != nil {
		return h, memoryErrno(err)
	}
	order := binary.NativeEndian
	h = messageHeader{
		name: order.Uint64(raw[0:]), nameLength: order.Uint32(raw[offsetNameLength:]),
		vectors: order.Uint64(raw[16:]), vectorCount: order.Uint64(raw[24:]),
		control: order.Uint64(raw[32:]), controlLength: order.Uint64(raw[offsetControlLength:]),
		flags: order.Uint32(raw[offsetMessageFlags:]),
	}
	if h.name == 0 {
		h.nameLength = 0
	}
	switch {
	case int32(h.nameLength) < 0:
		return h, unix.EINVAL
	case h.vectorCount > maxVectors:
		return h, unix.EMSGSIZE
	case h.controlLength > maxControl:
		return h, unix.ENOBUFS
	}
	h.nameLength = min(h.nameLength, maxSockaddr)
	return h, 0
}

// memoryErrno is what a call fails with whose arguments cannot be read or
// written: EFAULT, unless the kernel forbids looking at the process.
func memoryErrno(err error) unix.Errno {
	if errno := errnoOf(err); errno == unix.EPERM || errno == unix.ENOSYS {
		return unix.EACCES
	}
	return unix.EFAULT
}

// readName reads an address; nil when there is none.
func readName(tid int, at uint64, length uint32) (sockaddr, unix.Errno) {
	if at == 0 || length == 0 {
		return nil, 0
	}
	if int32(length) < 0 || length > maxSockaddr {
		return nil, unix.EINVAL
	}
	name := make(sockaddr, length)
	if err := readMemory(tid, at, name); err != nil {
		return nil, memoryErrno(err)
	}
	return name, 0
}

// readVectors reads the pieces of a message, without those that are empty, and
// their total length.
func readVectors(tid int, h *messageHeader) (pieces []unix.RemoteIovec, total int, errno unix.Errno) {
	if h.vectorCount == 0 {
		return nil, 0, 0
	}
	raw := make([]byte, 16*h.vectorCount)
	if err := readMemory(tid, h.vectors, raw); err != nil {
		return nil, 0, memoryErrno(err)
	}
	pieces = make([]unix.RemoteIovec, 0, h.vectorCount)
	for ; len(raw) > 0; raw = raw[16:] {
		base, length := binary.NativeEndian.Uint64(raw), binary.NativeEndian.Uint64(raw[8:])
		if int64(length) < 0 {
			return nil, 0, unix.EINVAL
		}
		length = min(length, uint64(maxTransfer-total))
		if length > 0 {
			pieces = append(pieces, unix.RemoteIovec{Base: uintptr(base), Len: int(length)})
			total += int(length)
		}
	}
	return pieces, total, 0
}

// readPieces gathers pieces of the program's memory; into is as long as they.
func readPieces(tid int, pieces []unix.RemoteIovec, into []byte) unix.Errno {
	if len(into) == 0 {
		return 0
	}
	local := []unix.Iovec{{Base: &into[0]}}
	local[0].SetLen(len(into))
	n, err := unix.ProcessVMReadv(tid, local, pieces, 0)
	if err := wholeCopy(n, len(into), err); err != nil {
		return memoryErrno(err)
	}
	return 0
}

// writePieces scatters bytes over pieces of the program's memory.
func writePieces(tid int, pieces []unix.RemoteIovec, from []byte) unix.Errno {
	if len(from) == 0 {
		return 0
	}
	local := []unix.Iovec{{Base: &from[0]}}
	local[0].SetLen(len(from))
	n, err := unix.ProcessVMWritev(tid, local, pieces, 0)
	if err := wholeCopy(n, len(from), err); err != nil {
		return memoryErrno(err)
	}
	return 0
}

// destination returns where a datagram is sent, as the kernel understands an
// address on a socket of the given domain. named is false for an address that
// means the connected peer.
func destination(name sockaddr, domain int, v6only func() bool) (to netip.AddrPort, named bool, errno unix.Errno) {
	if len(name) == 0 {
		return to, false, 0
	}
	if domain == unix.AF_INET6 {
		switch family := name.family(); {
		case len(name) < 2:
			return to, false, unix.EINVAL
		case family == unix.AF_UNSPEC:
			return to, false, 0
		case family == unix.AF_INET:
			if v6only() {
				return to, false, unix.ENETUNREACH
			}
			if to, errno = name.addrPort(unix.AF_INET); errno == 0 {
				to = netip.AddrPortFrom(netip.AddrFrom16(to.Addr().As16()), to.Port())
			}
		case family != unix.AF_INET6:
			return to, false, unix.EINVAL
		default:
			if to, errno = name.addrPort(domain); errno == 0 && to.Addr().Is4In6() && v6only() {
				errno = unix.ENETUNREACH
			}
		}
	} else {
		if len(name) >= sizeofSockaddrIn && name.family() == unix.AF_UNSPEC { // as old programs do
			name = append(sockaddr(nil), name...)
			binary.NativeEndian.PutUint16(name, unix.AF_INET)
		}
		to, errno = name.addrPort(unix.AF_INET)
	}
	if errno == 0 && to.Port() == 0 {
		errno = unix.EINVAL
	}
	return orLoopback(to), errno == 0, errno
}
