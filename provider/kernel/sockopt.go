//go:build linux

package kernel

import (
	"encoding/binary"
	"math"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// maxOption bounds an option's value that is passed through as it is.
const maxOption = 256

// WSPGetSockOpt stands for getsockopt(2).
func (p *provider) WSPGetSockOpt(s spi.Socket, level, name int32, val []byte, valLen *int32) spi.Errno {
	if level == spi.SOL_SOCKET && name == spi.SO_PROTOCOL_INFOW {
		p.forgetStale(s) // the host asks about a number that it does not know
	}
	d, e := p.acquire(s)
	if e != 0 {
		return e
	}
	defer d.release()
	if valLen == nil {
		return spi.WSAEFAULT
	}
	if level == spi.SOL_SOCKET {
		if e, done := d.getOwn(name, val, valLen); done {
			return e
		}
	}
	o, e := findOption(level, name, d.kind)
	if e != 0 {
		return e
	}
	return d.getNative(o, val, valLen)
}

// forgetStale drops what the provider knows of a number that names another
// socket by now, because somebody closed the first by close(2).
func (p *provider) forgetStale(s spi.Socket) {
	if d := p.table.Load(uintptr(s)); d != nil && d.enter() {
		if !d.current() {
			d.lose()
		}
		d.release()
	}
}

// getOwn answers the options of SOL_SOCKET that are not the kernel's.
func (d *descriptor) getOwn(name int32, val []byte, valLen *int32) (e spi.Errno, done bool) {
	switch name {
	case spi.SO_PROTOCOL_INFOW:
		info := d.p.entries[d.kind]
		return storeBytes(unsafe.Slice((*byte)(unsafe.Pointer(info)), unsafe.Sizeof(*info)), val, valLen), true
	case spi.SO_ERROR:
		if len(val) < 4 {
			*valLen = 4
			return spi.WSAEFAULT, true // without taking the error
		}
		return storeInt(int32(d.socketError()), val, valLen), true
	case spi.SO_TYPE:
		return storeInt(d.p.entries[d.kind].SocketType, val, valLen), true
	case spi.SO_REUSEADDR:
		return storeBool(d.has(fReuse), val, valLen), true
	case spi.SO_EXCLUSIVEADDRUSE:
		return storeBool(d.has(fExclusive), val, valLen), true
	case spi.SO_CONDITIONAL_ACCEPT:
		if !d.kind.stream() {
			return spi.WSAENOPROTOOPT, true
		}
		return storeBool(false, val, valLen), true
	case spi.SO_LINGER, spi.SO_DONTLINGER:
		return d.getLinger(name, val, valLen), true
	case spi.SO_MAX_MSG_SIZE:
		if d.kind.stream() {
			return spi.WSAENOPROTOOPT, true
		}
		return storeInt(int32(d.p.entries[d.kind].MessageSize), val, valLen), true
	case spi.SO_CONNECT_TIME:
		return storeInt(d.connectTime(), val, valLen), true
	case spi.SO_GROUP_ID:
		return storeInt(0, val, valLen), true
	case spi.SO_BSP_STATE:
		return d.getState(val, valLen), true
	}
	return 0, false
}

// socketError is SO_ERROR: it reports an error once, and notes the end of a
// connection or an attempt for the calls that come later.
func (d *descriptor) socketError() spi.Errno {
	e := spi.Errno(d.err.Swap(0))
	if e == 0 {
		e = d.takeError()
	}
	if e == 0 || !d.kind.stream() {
		return e
	}
	if d.has(fConnecting) {
		d.failed.Store(int32(e))
	} else {
		d.broken.CompareAndSwap(0, int32(e))
	}
	return e
}

// connectTime is SO_CONNECT_TIME: seconds, or all ones without a connection.
func (d *descriptor) connectTime() int32 {
	if !connected(d.fd) {
		return -1
	}
	if !d.has(fConnected) {
		d.setConnected()
	}
	return int32(min(max((time.Now().UnixNano()-d.since.Load())/int64(time.Second), 0), math.MaxInt32))
}

func (d *descriptor) getLinger(name int32, val []byte, valLen *int32) spi.Errno {
	if !d.kind.stream() {
		return spi.WSAENOPROTOOPT
	}
	l, errno := getLinger(d.fd)
	if errno != 0 {
		return spi.FromErrno(errno)
	}
	if name == spi.SO_DONTLINGER {
		return storeBool(l.Onoff == 0, val, valLen)
	}
	var b [4]byte
	binary.NativeEndian.PutUint16(b[:], uint16(l.Onoff))
	binary.NativeEndian.PutUint16(b[2:], uint16(min(l.Linger, math.MaxUint16)))
	return storeBytes(b[:], val, valLen)
}

// getState stores SO_BSP_STATE, a CSADDR_INFO whose addresses follow it.
func (d *descriptor) getState(val []byte, valLen *int32) spi.Errno {
	var local, remote sockaddr
	localName(d.fd, &local)
	if peerName(d.fd, &remote) != 0 {
		remote.length = 0
	}
	names := [][]byte{local.windows(), nil}
	if remote.length > 0 {
		names[1] = remote.windows()
	}
	info := d.p.entries[d.kind]
	const head = 2*sizeofSocketAddress + 8
	b := make([]byte, head, head+len(names[0])+len(names[1]))
	binary.NativeEndian.PutUint32(b[2*sizeofSocketAddress:], uint32(info.SocketType))
	binary.NativeEndian.PutUint32(b[2*sizeofSocketAddress+4:], uint32(info.Protocol))
	return storeBytes(appendSocketAddresses(b, 0, names, val), val, valLen)
}

// getNative reads an option of the kernel.
func (d *descriptor) getNative(o option, val []byte, valLen *int32) spi.Errno {
	switch o.kind {
	case optBool, optReadBool, optFragment, optFastOpen:
		v, errno := getInt(d.fd, o.level, o.name)
		if errno != 0 {
			return optionError(errno)
		}
		on := v != 0
		if o.kind == optFragment {
			on = v == unix.IP_PMTUDISC_DO
		}
		return storeBool(on, val, valLen)
	case optInt, optReadInt, optBuffer, optInterface4:
		v, errno := getInt(d.fd, o.level, o.name)
		if errno != 0 {
			return optionError(errno)
		}
		if o.kind == optBuffer {
			v /= 2
		}
		return storeInt(v, val, valLen)
	case optMillis:
		ms := max(d.timeout(o.name), 0) / time.Millisecond
		return storeInt(int32(min(ms, math.MaxUint32)), val, valLen)
	case optBytes:
		if o.level == unix.IPPROTO_IP && o.name == unix.IP_OPTIONS {
			var b [maxOption]byte
			size := uint32(len(b))
			if errno := getOption(d.fd, o.level, o.name, unsafe.Pointer(&b), &size); errno != 0 {
				return optionError(errno)
			}
			return storeBytes(b[:size], val, valLen)
		}
	}
	return spi.WSAENOPROTOOPT // it can only be set
}

// WSPSetSockOpt stands for setsockopt(2).
func (p *provider) WSPSetSockOpt(s spi.Socket, level, name int32, val []byte) spi.Errno {
	d, e := p.acquire(s)
	if e != 0 {
		return e
	}
	defer d.release()
	if level == spi.SOL_SOCKET {
		if e, done := d.setOwn(name, val); done {
			return e
		}
	}
	o, e := findOption(level, name, d.kind)
	if e != 0 {
		return e
	}
	errno := d.setNative(o, val)
	if errno == 0 {
		d.chose(o.level, o.name)
	}
	return optionError(errno)
}

// setOwn sets the options of SOL_SOCKET that are not simply the kernel's.
func (d *descriptor) setOwn(name int32, val []byte) (e spi.Errno, done bool) {
	switch name {
	case spi.SO_REUSEADDR, spi.SO_EXCLUSIVEADDRUSE:
		on, e := loadBool(val)
		if e != 0 {
			return e, true
		}
		return d.shareAddress(name, on), true
	case spi.SO_LINGER, spi.SO_DONTLINGER:
		return d.setLingerOption(name, val), true
	case spi.SO_UPDATE_ACCEPT_CONTEXT:
		return d.updateAcceptContext(val), true
	case spi.SO_UPDATE_CONNECT_CTX:
		return d.updateConnectContext(), true
	case spi.SO_CONDITIONAL_ACCEPT:
		on, e := loadBool(val)
		if e == 0 && (on || !d.kind.stream()) {
			e = spi.WSAENOPROTOOPT // the kernel completes every connection before anybody is asked
		}
		return e, true
	}
	return 0, false
}

// shareAddress sets SO_REUSEADDR, which on Windows lets sockets share a port,
// or SO_EXCLUSIVEADDRUSE. One excludes the other.
func (d *descriptor) shareAddress(name int32, on bool) spi.Errno {
	own, other := uint32(fReuse), uint32(fExclusive)
	if name == spi.SO_EXCLUSIVEADDRUSE {
		own, other = fExclusive, fReuse
		if d.bound() {
			return spi.WSAEINVAL
		}
	}
	if on && d.has(other) {
		return spi.WSAEINVAL
	}
	if own == fReuse && d.kind != unixStream {
		var v int32
		if on {
			v = 1
		}
		if errno := setInt(d.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, v); errno != 0 {
			return optionError(errno)
		}
		if d.kind.tcp() {
			if errno := setInt(d.fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, v); errno != 0 {
				return optionError(errno)
			}
		}
	}
	d.chose(unix.SOL_SOCKET, unix.SO_REUSEADDR)
	d.chose(unix.SOL_SOCKET, unix.SO_REUSEPORT)
	if on {
		d.set(own)
	} else {
		d.clear(own)
	}
	return 0
}

func (d *descriptor) setLingerOption(name int32, val []byte) spi.Errno {
	if !d.kind.stream() {
		return spi.WSAENOPROTOOPT
	}
	l, errno := getLinger(d.fd)
	if errno != 0 {
		return spi.FromErrno(errno)
	}
	if name == spi.SO_DONTLINGER {
		dont, e := loadBool(val)
		if e != 0 {
			return e
		}
		l.Onoff = 1
		if dont {
			l.Onoff = 0
		}
	} else {
		if len(val) < 4 {
			return spi.WSAEFAULT
		}
		l = unix.Linger{Onoff: int32(binary.NativeEndian.Uint16(val)), Linger: int32(binary.NativeEndian.Uint16(val[2:]))}
	}
	if errno := setLinger(d.fd, l); errno != 0 {
		return optionError(errno)
	}
	d.set(fLinger)
	d.chose(unix.SOL_SOCKET, unix.SO_LINGER)
	return 0
}

// setNative sets an option of the kernel.
func (d *descriptor) setNative(o option, val []byte) unix.Errno {
	switch o.kind {
	case optBool, optFragment, optFastOpen:
		on, e := loadBool(val)
		if e != 0 {
			return unix.EFAULT
		}
		var v int32
		switch {
		case o.kind == optFragment && on:
			v = unix.IP_PMTUDISC_DO
		case o.kind == optFragment:
			v = unix.IP_PMTUDISC_DONT
		case o.kind == optFastOpen && on:
			v = fastOpenQueue
		case on:
			v = 1
		}
		return setInt(d.fd, o.level, o.name, v)
	case optBytes:
		if len(val) > maxOption {
			return unix.EINVAL
		}
		return setOption(d.fd, o.level, o.name, unsafe.Pointer(unsafe.SliceData(val)), uintptr(len(val)))
	case optReadBool, optReadInt:
		return unix.ENOPROTOOPT
	}
	if len(val) < 4 {
		return unix.EFAULT
	}
	v := binary.NativeEndian.Uint32(val)
	switch o.kind {
	case optMillis:
		tv := unix.NsecToTimeval(int64(v) * int64(time.Millisecond))
		errno := setOption(d.fd, o.level, o.name, unsafe.Pointer(&tv), unsafe.Sizeof(tv))
		if errno == 0 {
			d.millis(o.name).Store(v)
		}
		return errno
	case optInterface4:
		return setOption(d.fd, o.level, o.name, unsafe.Pointer(&unix.IPMreqn{Address: [4]byte(val), Ifindex: interfaceIndex(val)}), unsafe.Sizeof(unix.IPMreqn{}))
	case optMember4:
		if len(val) < 8 {
			return unix.EFAULT
		}
		m := unix.IPMreqn{Multiaddr: [4]byte(val), Address: [4]byte(val[4:]), Ifindex: interfaceIndex(val[4:])}
		return setOption(d.fd, o.level, o.name, unsafe.Pointer(&m), unsafe.Sizeof(m))
	}
	return setInt(d.fd, o.level, o.name, int32(min(v, math.MaxInt32)))
}

// interfaceIndex returns the index in an address of 0.0.0.0/8, which Winsock
// takes for one; zero for any other address.
func interfaceIndex(addr []byte) int32 {
	if addr[0] != 0 {
		return 0
	}
	return int32(binary.BigEndian.Uint32(addr))
}

// optionError translates the error of an option.
func optionError(errno unix.Errno) spi.Errno {
	switch errno {
	case unix.EOPNOTSUPP:
		return spi.WSAENOPROTOOPT
	case unix.EDOM: // a timeout out of range
		return spi.WSAEINVAL
	case unix.EADDRNOTAVAIL, unix.ENODEV:
		return spi.WSAEADDRNOTAVAIL
	}
	return spi.FromErrno(errno)
}
