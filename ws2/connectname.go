package ws2

import (
	"encoding/binary"
	"net/netip"
	"time"

	"upcall.dev/spi"
)

// WSAConnectByName connects a stream socket to the first address of node that
// answers on the port of service. A socket of AF_INET6 whose IPV6_V6ONLY is off
// takes IPv4 addresses too. local and remote receive the addresses of the
// connection; nil for what is not wanted. It waits also if the socket is
// nonblocking, with a timeout no longer than that, looking the name up included;
// a socket that waited with a timeout is a blocking one afterwards, unless its
// events are selected.
//
// WSAEINVAL (no node or service, or the timeout is below zero), WSAENOTSOCK,
// WSAEOPNOTSUPP (not a stream socket), WSAETIMEDOUT, WSAEFAULT (an address's
// buffer is too small; the socket is connected), the errors of
// [Thread.GetAddrInfo], and that of the last address's connect.
// Source: winsock2/nf-winsock2-wsaconnectbynamew.
func (t *Thread) WSAConnectByName(s spi.Socket, node, service string, localLen *int32, local []byte, remoteLen *int32, remote []byte, timeout *spi.Timeval) error {
	sock, until, e := t.connectable(s, timeout)
	if e == 0 && (node == "" || service == "") {
		e = spi.WSAEINVAL
	}
	if e != 0 {
		return t.fail(e)
	}
	r, e := t.enter()
	if e != 0 {
		return t.fail(e)
	}
	q := &addrRequest{node: &node, service: &service, family: sock.entry.AddressFamily, sockType: spi.SOCK_STREAM, nameSpace: spi.NS_ALL}
	if t.dual(s, sock) {
		q.flags = spi.AI_V4MAPPED | spi.AI_ALL
	}
	names, err := t.dll.resolveUntil(r, q, until)
	if err != nil {
		return t.failWith(err)
	}
	return t.connectFirst(s, names, until, localLen, local, remoteLen, remote)
}

// WSAConnectByList is [Thread.WSAConnectByName] over a list of addresses, in
// their order. Addresses of AF_INET go to a socket of AF_INET6 in mapped form.
// WSAEINVAL (an empty list, or no address of the socket's family).
// Source: winsock2/nf-winsock2-wsaconnectbylist.
func (t *Thread) WSAConnectByList(s spi.Socket, list []spi.SocketAddress, localLen *int32, local []byte, remoteLen *int32, remote []byte, timeout *spi.Timeval) error {
	sock, until, e := t.connectable(s, timeout)
	if e != 0 {
		return t.fail(e)
	}
	dual := t.dual(s, sock)
	var names [][]byte
	for _, a := range list {
		ap, ok := spi.AddrPortFrom(a.Bytes())
		if ok && dual && ap.Addr().Is4() {
			ap = netip.AddrPortFrom(netip.AddrFrom16(ap.Addr().As16()), ap.Port())
		}
		if ok && familyOf(ap.Addr()) == sock.entry.AddressFamily {
			names = append(names, spi.SockaddrFrom(ap))
		}
	}
	if len(names) == 0 {
		return t.fail(spi.WSAEINVAL)
	}
	return t.connectFirst(s, names, until, localLen, local, remoteLen, remote)
}

// connectable returns the socket and when to give up; the zero time is never.
func (t *Thread) connectable(s spi.Socket, timeout *spi.Timeval) (sock *socket, until time.Time, e spi.Errno) {
	sock, e = t.lookup(s)
	if e != 0 {
		return nil, until, e
	}
	if sock.entry.ServiceFlags1&spi.XP1_CONNECTIONLESS != 0 || sock.entry.AddressFamily != spi.AF_INET && sock.entry.AddressFamily != spi.AF_INET6 {
		return nil, until, spi.WSAEOPNOTSUPP
	}
	limit, e := patience(timeout)
	if limit > 0 {
		until = time.Now().Add(limit)
	}
	return sock, until, e
}

// dual reports whether the socket is of IPv6 and takes IPv4 addresses too.
func (t *Thread) dual(s spi.Socket, sock *socket) bool {
	if sock.entry.AddressFamily != spi.AF_INET6 {
		return false
	}
	var only [4]byte
	length := int32(len(only))
	e := sock.provider.WSPGetSockOpt(s, spi.IPPROTO_IPV6, spi.IPV6_V6ONLY, only[:], &length)
	return e == 0 && length > 0 && binary.NativeEndian.Uint32(only[:]) == 0
}

// resolveUntil is resolve with a time to give up.
func (d *DLL) resolveUntil(r *running, q *addrRequest, until time.Time) (names [][]byte, err error) {
	var c canceller
	if !until.IsZero() {
		timer := time.AfterFunc(time.Until(until), c.cancel)
		defer timer.Stop()
	}
	all, _, err := d.resolve(r, q, &c)
	if c.over() && CodeOf(err) == spi.WSA_E_CANCELLED && !until.IsZero() && !time.Now().Before(until) {
		err = spi.WSAETIMEDOUT.Err()
	}
	for _, a := range all {
		names = append(names, a.name)
	}
	return names, err
}

// connectFirst connects to the first of the addresses that answers.
func (t *Thread) connectFirst(s spi.Socket, names [][]byte, until time.Time, localLen *int32, local []byte, remoteLen *int32, remote []byte) error {
	if !until.IsZero() {
		nonblocking := uint32(1)
		if err := t.IoctlSocket(s, spi.FIONBIO, &nonblocking); err != nil {
			return err
		}
		defer func() {
			var blocking uint32
			last := t.lastError
			_ = t.IoctlSocket(s, spi.FIONBIO, &blocking) // refused while events are selected: then it stays nonblocking
			t.setLastError(last)
		}()
	}
	var err error
	for _, name := range names {
		if err = t.connectUntil(s, name, until); err == nil {
			break
		}
		if CodeOf(err) == spi.WSAETIMEDOUT && !until.IsZero() && !time.Now().Before(until) {
			break
		}
	}
	if err != nil {
		return t.failWith(err)
	}
	if local != nil {
		if err := t.GetSockName(s, local, localLen); err != nil {
			return err
		}
	}
	if remote != nil {
		return t.GetPeerName(s, remote, remoteLen)
	}
	return nil
}

// connectUntil connects, and waits for a connection in progress.
func (t *Thread) connectUntil(s spi.Socket, name []byte, until time.Time) error {
	err := t.Connect(s, name)
	if CodeOf(err) != spi.WSAEWOULDBLOCK {
		return err
	}
	var limit *spi.Timeval
	if !until.IsZero() {
		left := max(time.Until(until), 0)
		limit = &spi.Timeval{Sec: int32(left / time.Second), Usec: int32(left % time.Second / time.Microsecond)}
	}
	write, except := spi.NewFDSet(s), spi.NewFDSet(s)
	n, err := t.Select(nil, write, except, limit)
	switch {
	case err != nil:
		return err
	case n == 0:
		return spi.WSAETIMEDOUT.Err()
	case write.IsSet(s):
		return nil
	}
	var code [4]byte
	length := int32(len(code))
	if err := t.GetSockOpt(s, spi.SOL_SOCKET, spi.SO_ERROR, code[:], &length); err != nil {
		return err
	}
	if e := spi.Errno(binary.NativeEndian.Uint32(code[:])); e != 0 {
		return e.Err()
	}
	return spi.WSAECONNREFUSED.Err()
}
