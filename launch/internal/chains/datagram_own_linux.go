package chains

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// SendOwn sends one datagram on a dup of the program's UDP socket. dontRoute is
// MSG_DONTROUTE.
func (c *Chains) SendOwn(fd int, payload []byte, to netip.AddrPort, dontRoute bool) (int, unix.Errno) {
	n, err := c.thread.SendTo(spi.Socket(fd), payload, flagDontRoute(dontRoute), spi.SockaddrFrom(to))
	return n, c.sentOwn(err, to)
}

// ControlMessage is what a program says of one datagram, as in a struct cmsghdr.
type ControlMessage struct {
	Level, Type int // IP_TOS, IP_TTL, IPV6_TCLASS, IPV6_HOPLIMIT, IP_PKTINFO or IPV6_PKTINFO
	Data        []byte
}

// SendOwnWith is [Chains.SendOwn] with control messages. EOPNOTSUPP: the chain does
// not take them, and has sent nothing.
func (c *Chains) SendOwnWith(fd int, payload []byte, to netip.AddrPort, dontRoute bool, messages []ControlMessage) (int, unix.Errno) {
	name, buffer := spi.SockaddrFrom(to), spi.NewBuf(payload)
	var control []byte
	for _, m := range messages {
		control = m.append(control)
	}
	message := spi.Msg{
		Name: &name[0], NameLen: int32(len(name)),
		Buffers: &buffer, BufferCount: 1, Control: spi.NewBuf(control),
	}
	var sent uint32
	err := c.thread.WSASendMsg(spi.Socket(fd), &message, uint32(flagDontRoute(dontRoute)), &sent, nil, nil)
	if errors.Is(err, spi.WSAEINVAL) || errors.Is(err, spi.WSAEOPNOTSUPP) {
		return 0, unix.EOPNOTSUPP
	}
	return int(sent), c.sentOwn(err, to)
}

// append appends the message as a WSACMSGHDR with its data.
func (m ControlMessage) append(b []byte) []byte {
	data := m.Data
	var level, kind int32
	switch [2]int{m.Level, m.Type} {
	case [2]int{unix.IPPROTO_IP, unix.IP_TOS}:
		level, kind = spi.IPPROTO_IP, spi.IP_TOS
	case [2]int{unix.IPPROTO_IP, unix.IP_TTL}:
		level, kind = spi.IPPROTO_IP, spi.IP_TTL
	case [2]int{unix.IPPROTO_IP, unix.IP_PKTINFO}: // index, source and destination here; address and index there
		level, kind, data = spi.IPPROTO_IP, spi.IP_PKTINFO, slices.Concat(data[4:8], data[:4])
	case [2]int{unix.IPPROTO_IPV6, unix.IPV6_TCLASS}:
		level, kind = spi.IPPROTO_IPV6, spi.IPV6_TCLASS
	case [2]int{unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT}:
		level, kind = spi.IPPROTO_IPV6, spi.IPV6_HOPLIMIT
	case [2]int{unix.IPPROTO_IPV6, unix.IPV6_PKTINFO}:
		level, kind = spi.IPPROTO_IPV6, spi.IPV6_PKTINFO
	}
	b = binary.NativeEndian.AppendUint64(b, uint64(unsafe.Sizeof(spi.CmsgHdr{}))+uint64(len(data)))
	b = binary.NativeEndian.AppendUint32(b, uint32(level))
	b = binary.NativeEndian.AppendUint32(b, uint32(kind))
	b = append(b, data...)
	return append(b, make([]byte, -len(b)&7)...)
}

func (c *Chains) sentOwn(err error, to netip.AddrPort) unix.Errno {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, spi.WSAENOTSOCK):
		c.log(fmt.Sprintf("no IFS provider takes the program's socket: what it sends to %v fails with ENETDOWN; upcall catalog check says what is wrong with the catalog", to))
		return unix.ENETDOWN
	}
	return c.datagramErrno(err)
}

func flagDontRoute(on bool) int32 {
	if on {
		return spi.MSG_DONTROUTE
	}
	return 0
}

// datagramErrno is [Chains.Errno] for a datagram socket.
func (c *Chains) datagramErrno(err error) unix.Errno {
	switch {
	case errors.Is(err, spi.WSAEWOULDBLOCK):
		return unix.EAGAIN
	case errors.Is(err, spi.WSAECONNRESET): // Winsock's word for an unreachable port
		return unix.ECONNREFUSED
	}
	return c.Errno(err)
}
