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
	switch {
	case err == nil:
		return n, 0
	case errors.Is(err, spi.WSAENOTSOCK):
		c.log(fmt.Sprintf("no IFS provider takes the program's socket: what it sends to %v fails with ENETDOWN; upcall catalog check says what is wrong with the catalog", to))
		return 0, unix.ENETDOWN
	}
	return 0, c.datagramErrno(err)
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
