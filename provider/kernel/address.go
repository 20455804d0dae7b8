//go:build linux

package kernel

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// sizeofFamily is the size of an address that is a family only, such as the
// name of an unnamed AF_UNIX socket.
const sizeofFamily = 2

// setWindows stores name, in Winsock's form, for a socket of kind k.
// WSAEFAULT when it is too short, family when it is of another family.
func (a *sockaddr) setWindows(name []byte, k kind, family spi.Errno) spi.Errno {
	if len(name) < sizeofFamily {
		return spi.WSAEFAULT
	}
	size, want := addressSize(k), int32(spi.AF_UNIX)
	switch {
	case k.v6():
		want = spi.AF_INET6
	case k != unixStream:
		want = spi.AF_INET
	}
	if spi.AddressFamily(name) != want {
		return family
	}
	if len(name) < size {
		return spi.WSAEFAULT
	}
	if k == unixStream {
		size = min(len(name), spi.SizeofSockaddrUn)
		if size == spi.SizeofSockaddrUn && name[sizeofFamily] == 0 {
			// An abstract name in a whole sockaddr_un: its padding is no part of it.
			size = len(bytes.TrimRight(name[:size], "\x00"))
			size = max(size, sizeofFamily)
		}
	}
	a.length = uint32(copy(a.data[:], name[:size]))
	binary.NativeEndian.PutUint16(a.data[:], uint16(k.family()))
	return 0
}

// addressSize is the least size of an address of kind k.
func addressSize(k kind) int {
	switch {
	case k == unixStream:
		return sizeofFamily
	case k.v6():
		return spi.SizeofSockaddrIn6
	}
	return spi.SizeofSockaddrIn
}

// windows turns the address into Winsock's form, in place, and returns it.
func (a *sockaddr) windows() []byte {
	n := min(int(a.length), len(a.data))
	if n < sizeofFamily {
		// A socketpair's peer, or a sender that has no name.
		n = sizeofFamily
		binary.NativeEndian.PutUint16(a.data[:], unix.AF_UNIX)
	}
	if binary.NativeEndian.Uint16(a.data[:]) == unix.AF_INET6 {
		binary.NativeEndian.PutUint16(a.data[:], spi.AF_INET6)
	}
	return a.data[:n]
}

// port returns the port of an IP address in network order, as the kernel has
// it.
func (a *sockaddr) port() uint16 { return binary.BigEndian.Uint16(a.data[2:]) }

// unspecified reports whether an IP address is all zeros.
func (a *sockaddr) unspecified(k kind) bool {
	ip := a.data[4:8]
	if k.v6() {
		ip = a.data[8:24]
	}
	for _, b := range ip {
		if b != 0 {
			return false
		}
	}
	return true
}

// bound reports whether the socket has a local address. An unbound socket's
// name has no port, or for AF_UNIX no path.
func (d *descriptor) bound() bool {
	if d.has(fBound) {
		return true
	}
	var name sockaddr
	if localName(d.fd, &name) != 0 {
		return false
	}
	if d.kind == unixStream && name.length <= sizeofFamily || d.kind != unixStream && name.port() == 0 {
		return false
	}
	d.set(fBound)
	return true
}

// WSPBind stands for bind(2).
func (p *provider) WSPBind(s spi.Socket, name []byte) spi.Errno {
	d, e := p.acquire(s)
	if e != 0 {
		return e
	}
	defer d.release()
	var a sockaddr
	if e := a.setWindows(name, d.kind, spi.WSAEFAULT); e != 0 {
		return e
	}
	if d.rehearses() {
		return 0
	}
	if d.bound() {
		return spi.WSAEINVAL
	}
	errno := bindTo(d.fd, &a)
	if errno == unix.EADDRINUSE && d.kind.tcp() && a.port() != 0 && !d.has(fExclusive|fReuse|fAdopted) {
		errno = d.bindOverTimeWait(&a)
	}
	switch errno {
	case 0:
		d.set(fBound)
		return 0
	case unix.ENOENT, unix.ENOTDIR, unix.EISDIR, unix.ENXIO: // no such place for a path
		return spi.WSAEADDRNOTAVAIL
	case unix.EROFS:
		return spi.WSAEACCES
	}
	return spi.FromErrno(errno)
}

// bindOverTimeWait binds to a port that only connections of an earlier listener
// still hold. The kernel lets SO_REUSEADDR pass those, but no listening socket
// and none that is bound without the option.
func (d *descriptor) bindOverTimeWait(a *sockaddr) unix.Errno {
	if errno := setInt(d.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); errno != 0 {
		return errno
	}
	errno := bindTo(d.fd, a)
	setInt(d.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 0)
	return errno
}

// WSPGetSockName stands for getsockname(2), which on Linux names an unbound
// socket too.
func (p *provider) WSPGetSockName(s spi.Socket, name []byte, nameLen *int32) spi.Errno {
	d, e := p.acquire(s)
	if e != 0 {
		return e
	}
	defer d.release()
	if nameLen == nil {
		return spi.WSAEFAULT
	}
	if d.rehearses() {
		return spi.StoreAddress(d.rehearsed.Load().name, name, nameLen)
	}
	var a sockaddr
	if errno := localName(d.fd, &a); errno != 0 {
		return spi.FromErrno(errno)
	}
	if !d.bound() && !connected(d.fd) {
		return spi.WSAEINVAL
	}
	return spi.StoreAddress(a.windows(), name, nameLen)
}

// WSPGetPeerName stands for getpeername(2).
func (p *provider) WSPGetPeerName(s spi.Socket, name []byte, nameLen *int32) spi.Errno {
	d, e := p.acquire(s)
	if e != 0 {
		return e
	}
	defer d.release()
	if nameLen == nil {
		return spi.WSAEFAULT
	}
	var a sockaddr
	if errno := peerName(d.fd, &a); errno != 0 {
		return spi.FromErrno(errno)
	}
	return spi.StoreAddress(a.windows(), name, nameLen)
}
