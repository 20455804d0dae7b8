//go:build linux

package kernel

import (
	"encoding/binary"
	"syscall"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// addressList is SIO_ADDRESS_LIST_QUERY: the addresses of the socket's family
// that this machine has, as SOCKET_ADDRESS_LIST.
func (d *descriptor) addressList(out []byte) (int, spi.Errno) {
	if d.kind == unixStream {
		return 0, spi.WSAEOPNOTSUPP
	}
	names, errno := interfaceAddresses(d.kind)
	if errno != 0 {
		return 0, spi.FromErrno(errno)
	}
	const sizeofCount = 8 // an INT and its padding
	list := make([]byte, sizeofCount+len(names)*sizeofSocketAddress)
	binary.NativeEndian.PutUint32(list, uint32(len(names)))
	return outBytes(appendSocketAddresses(list, sizeofCount, names, out), out)
}

// interfaceAddresses returns the addresses of the family of k.
func interfaceAddresses(k kind) ([][]byte, unix.Errno) {
	messages, errno := askInterfaces(k.family())
	var names [][]byte
	for i := range messages {
		if entry, usable := interfaceEntryOf(&messages[i]); usable && int(entry.family) == k.family() {
			names = append(names, []byte(entry.name))
		}
	}
	return names, errno
}

// interfaceEntries returns the addresses of both families.
func interfaceEntries() (map[interfaceEntry]struct{}, unix.Errno) {
	messages, errno := askInterfaces(unix.AF_UNSPEC)
	entries := map[interfaceEntry]struct{}{}
	for i := range messages {
		if entry, usable := interfaceEntryOf(&messages[i]); usable {
			entries[entry] = struct{}{}
		}
	}
	return entries, errno
}

// askInterfaces asks the kernel, by netlink.
func askInterfaces(family int) ([]syscall.NetlinkMessage, unix.Errno) {
	rib, err := syscall.NetlinkRIB(unix.RTM_GETADDR, family)
	if err != nil {
		return nil, errnoOf(err)
	}
	messages, err := syscall.ParseNetlinkMessage(rib)
	return messages, errnoOf(err)
}

// interfaceEntryOf returns what a netlink message tells of an address; its name
// is empty when it tells nothing. The address is usable, so that a socket can be
// bound to it, unless the kernel is still looking for another machine that has
// it, or has found one. IFA_LOCAL is the machine's own; IFA_ADDRESS is the
// peer's on a point-to-point link.
func interfaceEntryOf(m *syscall.NetlinkMessage) (entry interfaceEntry, usable bool) {
	if m.Header.Type != unix.RTM_NEWADDR && m.Header.Type != unix.RTM_DELADDR || len(m.Data) < unix.SizeofIfAddrmsg {
		return entry, false
	}
	attributes, err := syscall.ParseNetlinkRouteAttr(m)
	if err != nil {
		return entry, false
	}
	var ip []byte
	for _, a := range attributes {
		if a.Attr.Type == unix.IFA_LOCAL || a.Attr.Type == unix.IFA_ADDRESS && ip == nil {
			ip = a.Value
		}
	}
	entry.family, entry.index = m.Data[0], binary.NativeEndian.Uint32(m.Data[4:])
	entry.name = string(interfaceName(int(entry.family), entry.index, ip))
	flags := m.Data[2]
	sought := flags&unix.IFA_F_TENTATIVE != 0 && flags&unix.IFA_F_OPTIMISTIC == 0
	return entry, entry.name != "" && !sought && flags&unix.IFA_F_DADFAILED == 0
}

// interfaceName returns the sockaddr of an interface's address.
func interfaceName(family int, index uint32, ip []byte) []byte {
	switch {
	case family == unix.AF_INET && len(ip) >= 4:
		name := make([]byte, spi.SizeofSockaddrIn)
		binary.NativeEndian.PutUint16(name, spi.AF_INET)
		copy(name[4:8], ip)
		return name
	case family == unix.AF_INET6 && len(ip) >= 16:
		name := make([]byte, spi.SizeofSockaddrIn6)
		binary.NativeEndian.PutUint16(name, spi.AF_INET6)
		copy(name[8:24], ip)
		if linkLocal := ip[0] == 0xfe && ip[1]&0xc0 == 0x80; linkLocal {
			binary.NativeEndian.PutUint32(name[24:], index)
		}
		return name
	}
	return nil
}

// routingInterface is SIO_ROUTING_INTERFACE_QUERY: the local address from which
// a datagram to the given one would be sent.
func (d *descriptor) routingInterface(in, out []byte) (int, spi.Errno) {
	if d.kind == unixStream {
		return 0, spi.WSAEOPNOTSUPP
	}
	var to sockaddr
	if e := to.setWindows(in, d.kind, spi.WSAEAFNOSUPPORT); e != 0 {
		return 0, e
	}
	local, errno := routeTo(d.kind, to)
	if errno != 0 {
		return 0, spi.FromErrno(errno)
	}
	return outBytes(local.windows(), out)
}

// routeTo returns the local address, without a port, from which sockets of kind
// k reach another one.
func routeTo(k kind, to sockaddr) (local sockaddr, errno unix.Errno) {
	if to.port() == 0 {
		binary.BigEndian.PutUint16(to.data[2:], 9) // any port but none
	}
	fd, err := unix.Socket(k.family(), unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return local, errnoOf(err)
	}
	defer unix.Close(fd)
	if errno = connectNow(fd, &to); errno == 0 {
		errno = localName(fd, &local)
	}
	binary.BigEndian.PutUint16(local.data[2:], 0)
	return local, errno
}
