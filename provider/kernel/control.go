//go:build linux

package kernel

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// Control information has the same frame in Winsock and in the kernel: a header
// of a length, a level and a type, and data, padded to 8 bytes. Levels, types
// and data are translated here.
const (
	sizeofCmsg = 16
	cmsgAlign  = 8

	// maxControl is the room for what the kernel tells of one datagram.
	maxControl = 512
)

// controlName names a piece of control information.
type controlName struct{ level, kind int32 }

func align(n int) int { return (n + cmsgAlign - 1) &^ (cmsgAlign - 1) }

// nextControl splits the first piece off control. false when it is malformed.
func nextControl(control []byte) (name controlName, data, rest []byte, ok bool) {
	if len(control) < sizeofCmsg {
		return name, nil, nil, false
	}
	size := binary.NativeEndian.Uint64(control)
	if size < sizeofCmsg || size > uint64(len(control)) {
		return name, nil, nil, false
	}
	name.level = int32(binary.NativeEndian.Uint32(control[8:]))
	name.kind = int32(binary.NativeEndian.Uint32(control[12:]))
	return name, control[sizeofCmsg:size], control[min(align(int(size)), len(control)):], true
}

// appendControl appends a piece of control information, with its padding.
func appendControl(b []byte, name controlName, data ...byte) []byte {
	b = binary.NativeEndian.AppendUint64(b, uint64(sizeofCmsg+len(data)))
	b = binary.NativeEndian.AppendUint32(b, uint32(name.level))
	b = binary.NativeEndian.AppendUint32(b, uint32(name.kind))
	b = append(b, data...)
	for len(b)%cmsgAlign != 0 {
		b = append(b, 0)
	}
	return b
}

// controlToWindows translates what the kernel told of a datagram into out. It
// returns the size, MSG_ flags that follow from the receiver's address, and
// whether everything had room. What Winsock does not have is left out.
func controlToWindows(out, control []byte) (n int, flags uint32, fits bool) {
	var room [maxControl]byte
	for len(control) > 0 {
		name, data, rest, ok := nextControl(control)
		if !ok {
			break
		}
		control = rest
		piece := room[:0]
		switch name {
		case controlName{unix.IPPROTO_IP, unix.IP_PKTINFO}:
			if len(data) < unix.SizeofInet4Pktinfo {
				continue
			}
			var info [8]byte // ipi_addr, ipi_ifindex
			copy(info[:4], data[8:12])
			copy(info[4:], data[:4])
			switch {
			case info[0]&0xf0 == 0xe0:
				flags |= spi.MSG_MCAST
			case [4]byte(info[:4]) == [4]byte{255, 255, 255, 255}:
				flags |= spi.MSG_BCAST
			}
			piece = appendControl(piece, controlName{spi.IPPROTO_IP, spi.IP_PKTINFO}, info[:]...)
		case controlName{unix.IPPROTO_IPV6, unix.IPV6_PKTINFO}:
			if len(data) < unix.SizeofInet6Pktinfo {
				continue
			}
			if data[0] == 0xff {
				flags |= spi.MSG_MCAST
			}
			piece = appendControl(piece, controlName{spi.IPPROTO_IPV6, spi.IPV6_PKTINFO}, data[:unix.SizeofInet6Pktinfo]...)
		default:
			to, known := numbersToWindows[name]
			if !known || len(data) == 0 {
				continue
			}
			var number [4]byte // an INT; IP_TOS is a byte in the kernel
			if len(data) < len(number) {
				binary.NativeEndian.PutUint32(number[:], uint32(data[0]))
			} else {
				copy(number[:], data)
			}
			piece = appendControl(piece, to, number[:]...)
		}
		if len(piece) > len(out)-n {
			return n, flags, false
		}
		n += copy(out[n:], piece)
	}
	return n, flags, true
}

var numbersToWindows = map[controlName]controlName{
	{unix.IPPROTO_IP, unix.IP_TTL}:          {spi.IPPROTO_IP, spi.IP_TTL},
	{unix.IPPROTO_IP, unix.IP_TOS}:          {spi.IPPROTO_IP, spi.IP_TOS},
	{unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT}: {spi.IPPROTO_IPV6, spi.IPV6_HOPLIMIT},
	{unix.IPPROTO_IPV6, unix.IPV6_TCLASS}:   {spi.IPPROTO_IPV6, spi.IPV6_TCLASS},
}

// controlFromWindows translates what a client sends with a datagram. WSAEINVAL
// for what is malformed, unknown, or of another family; an IPv6 socket may send to
// mapped addresses with IPv4's.
func controlFromWindows(k kind, control []byte) ([]byte, spi.Errno) {
	if len(control) == 0 {
		return nil, 0
	}
	b := make([]byte, 0, len(control)+maxControl)
	for len(control) > 0 {
		name, data, rest, ok := nextControl(control)
		if !ok || name.level == spi.IPPROTO_IPV6 && !k.v6() {
			return nil, spi.WSAEINVAL
		}
		control = rest
		switch name {
		case controlName{spi.IPPROTO_IP, spi.IP_PKTINFO}:
			if len(data) < 8 {
				return nil, spi.WSAEINVAL
			}
			var info [unix.SizeofInet4Pktinfo]byte // index, source, destination
			copy(info[:4], data[4:8])
			copy(info[4:8], data[:4])
			b = appendControl(b, controlName{unix.IPPROTO_IP, unix.IP_PKTINFO}, info[:]...)
		case controlName{spi.IPPROTO_IPV6, spi.IPV6_PKTINFO}:
			if len(data) < unix.SizeofInet6Pktinfo {
				return nil, spi.WSAEINVAL
			}
			b = appendControl(b, controlName{unix.IPPROTO_IPV6, unix.IPV6_PKTINFO}, data[:unix.SizeofInet6Pktinfo]...)
		default:
			native, known := numbersFromWindows[name]
			if !known || len(data) < 4 {
				return nil, spi.WSAEINVAL
			}
			b = appendControl(b, native, data[:4]...)
		}
	}
	return b, 0
}

var numbersFromWindows = map[controlName]controlName{
	{spi.IPPROTO_IP, spi.IP_TTL}:          {unix.IPPROTO_IP, unix.IP_TTL},
	{spi.IPPROTO_IP, spi.IP_TOS}:          {unix.IPPROTO_IP, unix.IP_TOS},
	{spi.IPPROTO_IPV6, spi.IPV6_HOPLIMIT}: {unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT},
	{spi.IPPROTO_IPV6, spi.IPV6_TCLASS}:   {unix.IPPROTO_IPV6, unix.IPV6_TCLASS},
}
