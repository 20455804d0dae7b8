package chains

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// BindOwn binds a dup of the program's socket.
func (c *Chains) BindOwn(fd int, to netip.AddrPort) unix.Errno {
	return c.serverErrno(c.thread.Bind(spi.Socket(fd), spi.SockaddrFrom(to)))
}

// ListenOwn makes a dup of the program's bound socket listen.
func (c *Chains) ListenOwn(fd, backlog int) unix.Errno {
	err := c.thread.Listen(spi.Socket(fd), int32(min(max(backlog, 0), spi.SOMAXCONN-1)))
	if errors.Is(err, spi.WSAEISCONN) {
		return unix.EINVAL // as the kernel says it
	}
	return c.serverErrno(err)
}

// AcceptOwn takes a connection of a dup of the program's listening socket. It
// waits for one if that blocks; closing the dup by [Chains.ReleaseOwn] ends that
// with EINTR. The caller gives accepted up by ReleaseOwn.
func (c *Chains) AcceptOwn(fd int) (accepted int, peer netip.AddrPort, errno unix.Errno) {
	var name [spi.SizeofSockaddrStorage]byte
	length := int32(len(name))
	s, err := c.thread.Accept(spi.Socket(fd), name[:], &length)
	if err != nil {
		return -1, peer, c.serverErrno(err)
	}
	peer, _ = spi.AddrPortFrom(name[:max(0, min(int(length), len(name)))])
	return int(s), peer, 0
}

// serverErrno is what a program gets for an error of bind, listen or accept.
func (c *Chains) serverErrno(err error) unix.Errno {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, spi.WSAEWOULDBLOCK):
		return unix.EAGAIN
	case errors.Is(err, spi.WSAECONNRESET):
		return unix.ECONNABORTED // the peer of a connection that nobody has accepted
	case errors.Is(err, spi.WSAENOTSOCK):
		return unix.ENETDOWN
	}
	return c.Errno(err)
}
