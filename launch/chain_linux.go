package launch

import (
	"context"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"upcall.dev/catalog"
)

// chain is how connections are made.
type chain interface {
	// connectsOwn reports whether sockets of this domain are connected
	// themselves, by an IFS chain, or joined to a socket of the chain.
	connectsOwn(domain int) bool
	// connectOwn connects a dup of the program's socket: EINPROGRESS when it
	// is nonblocking and the connect has been started.
	connectOwn(fd int, to netip.AddrPort) unix.Errno
	// release closes a dup that was given to connectOwn.
	release(fd int)
	// dial connects a socket of the chain.
	dial(ctx context.Context, to netip.AddrPort) (stream, error)
	// describe names the chain for a domain in messages.
	describe(domain int) string
}

// direct is the kernel without any chain.
type direct struct{ own bool }

func (d direct) connectsOwn(int) bool { return d.own }

func (direct) connectOwn(fd int, to netip.AddrPort) unix.Errno {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return errnoOf(err)
	}
	return connectSocket(fd, sockaddrFor(domain, to))
}

func (direct) release(fd int) { _ = unix.Close(fd) }

func (direct) dial(ctx context.Context, to netip.AddrPort) (stream, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", unmapped(to).String())
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

func (direct) describe(int) string { return "the kernel" }

func connectErrno(err error) unix.Errno { return errnoOf(err) }

type closableChain interface {
	chain
	close() error
}

func (direct) close() error { return nil }

func openChain(catalog.Source, func(string)) (closableChain, error) {
	return direct{own: os.Getenv("DIRECT_JOIN") == ""}, nil
}
