//go:build linux

package kernel

import (
	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// multipoint is the flags that make a socket a root or leaf of a session.
const multipoint = spi.WSA_FLAG_MULTIPOINT_C_ROOT | spi.WSA_FLAG_MULTIPOINT_C_LEAF | spi.WSA_FLAG_MULTIPOINT_D_ROOT | spi.WSA_FLAG_MULTIPOINT_D_LEAF

// WSPSocket stands for socket(2), or for dup(2) of a socket that
// WSPDuplicateSocket described. The descriptor is close-on-exec whatever
// WSA_FLAG_NO_HANDLE_INHERIT says.
func (p *provider) WSPSocket(af, typ, protocol int32, info *spi.ProtocolInfo, g spi.Group, flags uint32) (spi.Socket, spi.Errno) {
	if p.ended.Load() {
		return spi.InvalidSocket, spi.WSANOTINITIALISED
	}
	if info != nil && info.ProviderReserved != 0 {
		return p.openDuplicate(info.ProviderReserved)
	}
	k, e := p.choose(af, typ, protocol, info)
	if e != 0 {
		return spi.InvalidSocket, e
	}
	switch {
	case flags&spi.WSA_FLAG_REGISTERED_IO != 0:
		return spi.InvalidSocket, spi.WSAEOPNOTSUPP
	case g != 0, flags&multipoint != 0, flags&^(spi.WSA_FLAG_OVERLAPPED|spi.WSA_FLAG_NO_HANDLE_INHERIT) != 0:
		return spi.InvalidSocket, spi.WSAEINVAL
	}
	typ = unix.SOCK_STREAM
	if !k.stream() {
		typ = unix.SOCK_DGRAM
	}
	fd, err := unix.Socket(k.family(), int(typ)|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return spi.InvalidSocket, spi.FromErrno(errnoOf(err))
	}
	if k.v6() {
		// Winsock's default. It can only fail on a kernel without IPv6, where
		// there is no socket.
		setInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	}
	var own uint32
	if flags&spi.WSA_FLAG_OVERLAPPED != 0 {
		own = fOverlapped
	}
	return p.open(fd, k, own)
}

// open makes a socket of a new file descriptor.
func (p *provider) open(fd int, k kind, flags uint32) (spi.Socket, spi.Errno) {
	d := p.newSocket(fd, k, flags)
	defer d.release()
	if e := p.publish(d); e != 0 {
		return spi.InvalidSocket, e
	}
	return spi.Socket(fd), 0
}

func (p *provider) newSocket(fd int, k kind, flags uint32) *descriptor {
	cookie, _ := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	return p.newDescriptor(fd, k, cookie, flags)
}

// choose returns the kind of socket that the arguments ask for; zero and
// FROM_PROTOCOL_INFO leave a choice to info.
func (p *provider) choose(af, typ, protocol int32, info *spi.ProtocolInfo) (kind, spi.Errno) {
	if info == nil {
		return noKind, spi.WSAEFAULT
	}
	k := kindOf(info.AddressFamily, info.SocketType, info.Protocol)
	if k == noKind || p.entries[k] == nil {
		return noKind, spi.WSAEINVAL
	}
	switch open := func(v int32) bool { return v == 0 || v == spi.FROM_PROTOCOL_INFO }; {
	case !open(af) && af != info.AddressFamily:
		return noKind, spi.WSAEAFNOSUPPORT
	case !open(typ) && typ != info.SocketType:
		return noKind, spi.WSAESOCKTNOSUPPORT
	case !open(protocol) && protocol != info.Protocol:
		return noKind, spi.WSAEPROTONOSUPPORT
	}
	return k, 0
}
