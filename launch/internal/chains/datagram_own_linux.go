package chains

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// SendOwn sends one datagram on a dup of the program's UDP socket. dontRoute is
// MSG_DONTROUTE.
func (c *Chains) SendOwn(fd int, payload []byte, to netip.AddrPort, dontRoute bool) (int, unix.Errno) {
	n, err := c.thread.SendTo(spi.Socket(fd), payload, flagDontRoute(dontRoute), spi.SockaddrFrom(to))
	return n, c.sentOwn(err, to)
}

// SendOwnWith is [Chains.SendOwn] with control messages in Winsock's form.
// EOPNOTSUPP: the chain does not take them, and has sent nothing.
func (c *Chains) SendOwnWith(fd int, payload []byte, to netip.AddrPort, dontRoute bool, control []byte) (int, unix.Errno) {
	name, buffer := spi.SockaddrFrom(to), spi.NewBuf(payload)
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
