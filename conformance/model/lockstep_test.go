//go:build linux

package model

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// TestLockstep makes the same calls on the kernel provider and on the system:
// every pair of results must be the same, but for what Winsock defines
// otherwise, which asWinsock and the guards of the calls name.
func TestLockstep(t *testing.T) {
	source, err := catalog.Compose(catalog.Default(), "kernel", nil)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(r *rapid.T) {
		dll := ws2.New(ws2.Config{Catalog: source, Log: func(line string) { r.Log(line) }})
		thread := dll.BindThread()
		defer thread.Unbind()
		if err := thread.WSAStartup(spi.Version22, new(ws2.WSAData)); err != nil {
			r.Fatal(err)
		}
		l := &lockstep{Thread: thread}
		defer func() {
			for _, p := range l.pairs {
				unix.Close(p.fd)
			}
			must(r, "WSACleanup", thread.WSACleanup())
		}()
		r.Repeat(map[string]func(*rapid.T){
			"accept":      l.accept,
			"bind":        l.bind,
			"close":       l.close,
			"connect":     l.connect,
			"datagram":    l.datagram,
			"FIONREAD":    l.available,
			"getpeername": l.peerName,
			"getsockname": l.sockName,
			"getsockopt":  l.getOption,
			"listen":      l.listen,
			"recv":        l.recv,
			"select":      l.selects,
			"send":        l.send,
			"setsockopt":  l.setOption,
			"shutdown":    l.shutdown,
			"socket":      l.socket,
		})
	})
}

type lockstep struct {
	*ws2.Thread
	pairs []*twins
}

// twins are two sockets that had the same calls, and what the guards need to
// know of them.
type twins struct {
	fd int
	s  spi.Socket

	stream, v6                  bool
	bound, listening, connected bool
	sendShut, recvShut, broken  bool
	fdName, name                []byte // of one that was bound to an address
	peer                        *twins
	backlog                     []*twins
	queued                      int // bytes or datagrams that must arrive
	ended                       bool
}

func (l *lockstep) pick(r *rapid.T, ok func(*twins) bool) *twins {
	var fit []*twins
	for _, p := range l.pairs {
		if !p.broken && ok(p) {
			fit = append(fit, p)
		}
	}
	if len(fit) == 0 {
		r.Skip("no such socket")
	}
	return fit[rapid.IntRange(0, len(fit)-1).Draw(r, "socket")]
}

// asWinsock is the code that Winsock gives where Linux gives errno.
func asWinsock(err error, translate map[unix.Errno]spi.Errno) spi.Errno {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return 0
	}
	if e, ok := translate[errno]; ok {
		return e
	}
	return spi.FromErrno(errno)
}

func codeOf(err error) spi.Errno {
	var e spi.Errno
	errors.As(err, &e)
	return e
}

func (l *lockstep) same(r *rapid.T, call string, plain error, ours error, translate map[unix.Errno]spi.Errno) bool {
	r.Helper()
	if want, got := asWinsock(plain, translate), codeOf(ours); got != want {
		r.Fatalf("%s: %v, and Linux %v", call, ours, plain)
	}
	return ours == nil
}

func (l *lockstep) socket(r *rapid.T) {
	if len(l.pairs) >= 12 {
		r.Skip("enough sockets")
	}
	p := &twins{stream: rapid.Bool().Draw(r, "stream"), v6: rapid.Bool().Draw(r, "v6")}
	af, native, typ, nativeType := int32(spi.AF_INET), unix.AF_INET, int32(spi.SOCK_DGRAM), unix.SOCK_DGRAM
	if p.v6 {
		af, native = spi.AF_INET6, unix.AF_INET6
	}
	if p.stream {
		typ, nativeType = spi.SOCK_STREAM, unix.SOCK_STREAM
	}
	fd, err := unix.Socket(native, nativeType|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	must(r, "socket(2)", err)
	p.fd = fd
	if p.v6 { // Winsock's default
		must(r, "IPV6_V6ONLY", unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1))
	}
	p.s, err = l.Socket(af, typ, 0)
	must(r, "socket", err)
	l.enter(r, p)
}

func (l *lockstep) enter(r *rapid.T, p *twins) {
	on := uint32(1)
	must(r, "FIONBIO", l.IoctlSocket(p.s, spi.FIONBIO, &on))
	l.pairs = append(l.pairs, p)
}

// name is loopback, with a port.
func name(v6 bool, port int) (unix.Sockaddr, []byte) {
	if v6 {
		sa := &unix.SockaddrInet6{Port: port, Addr: [16]byte{15: 1}}
		return sa, sockaddr(sa)
	}
	sa := &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
	return sa, sockaddr(sa)
}

// sockaddr is an address in Winsock's form.
func sockaddr(sa unix.Sockaddr) []byte {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		b := make([]byte, spi.SizeofSockaddrIn)
		binary.LittleEndian.PutUint16(b, spi.AF_INET)
		binary.BigEndian.PutUint16(b[2:], uint16(sa.Port))
		copy(b[4:], sa.Addr[:])
		return b
	case *unix.SockaddrInet6:
		b := make([]byte, spi.SizeofSockaddrIn6)
		binary.LittleEndian.PutUint16(b, spi.AF_INET6)
		binary.BigEndian.PutUint16(b[2:], uint16(sa.Port))
		copy(b[8:], sa.Addr[:])
		return b
	}
	return nil
}

func native(b []byte) unix.Sockaddr {
	port := int(binary.BigEndian.Uint16(b[2:]))
	if len(b) == spi.SizeofSockaddrIn6 {
		return &unix.SockaddrInet6{Port: port, Addr: [16]byte(b[8:24])}
	}
	return &unix.SockaddrInet4{Port: port, Addr: [4]byte(b[4:8])}
}

func (l *lockstep) bind(r *rapid.T) {
	p := l.pick(r, func(p *twins) bool { return !p.connected })
	sa, ours := name(p.v6, 0)
	if l.same(r, "bind", unix.Bind(p.fd, sa), l.Bind(p.s, ours), nil) {
		p.bound = true
		own, err := unix.Getsockname(p.fd)
		must(r, "getsockname(2)", err)
		p.fdName, p.name = sockaddr(own), l.own(r, p)
	}
}

func (l *lockstep) own(r *rapid.T, p *twins) []byte {
	b := make([]byte, spi.SizeofSockaddrStorage)
	n := int32(len(b))
	must(r, "getsockname", l.GetSockName(p.s, b, &n))
	return b[:n]
}

// listen: on Linux an unbound socket listens on a port of the system's choice,
// and a connected one gives EINVAL.
func (l *lockstep) listen(r *rapid.T) {
	p := l.pick(r, func(p *twins) bool { return p.bound && !p.connected })
	if l.same(r, "listen", unix.Listen(p.fd, 8), l.Listen(p.s, 8), nil) {
		p.listening = true
	}
}

func (l *lockstep) connect(r *rapid.T) {
	p := l.pick(r, func(p *twins) bool { return p.stream && !p.listening })
	to := l.pick(r, func(o *twins) bool { return o.listening && o.v6 == p.v6 && len(o.backlog) < 6 })
	plain := unix.Connect(p.fd, native(to.fdName))
	ours := l.Connect(p.s, to.name)
	if plain == nil && p.connected {
		plain = unix.EISCONN // Linux tells the success of an attempt here, once
	}
	if l.same(r, "connect", plain, ours, map[unix.Errno]spi.Errno{unix.EINPROGRESS: spi.WSAEWOULDBLOCK}) || !p.connected {
		l.await(r, p, true)
		p.connected, p.bound = true, true
		to.backlog = append(to.backlog, p)
	}
}

// await waits until both are ready.
func (l *lockstep) await(r *rapid.T, p *twins, write bool) {
	events := int16(unix.POLLIN)
	read, writes := spi.NewFDSet(p.s), (*spi.FDSet)(nil)
	if write {
		events, read, writes = unix.POLLOUT, nil, read
	}
	fds := []unix.PollFd{{Fd: int32(p.fd), Events: events}}
	if n, err := unix.Poll(fds, int(patience/time.Millisecond)); n != 1 {
		r.Fatalf("poll(2): %d %v", n, err)
	}
	if n, err := l.Select(read, writes, nil, &spi.Timeval{Sec: int32(patience / time.Second)}); n != 1 {
		r.Fatalf("select: %d %v", n, err)
	}
}

func (l *lockstep) accept(r *rapid.T) {
	p := l.pick(r, func(p *twins) bool { return p.stream && !p.connected })
	if len(p.backlog) > 0 {
		l.await(r, p, false)
	}
	fd, _, plain := unix.Accept4(p.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	s, ours := l.Accept(p.s, nil, nil)
	if !l.same(r, "accept", plain, ours, nil) {
		return
	}
	peer := p.backlog[0]
	p.backlog = p.backlog[1:]
	made := &twins{fd: fd, s: s, stream: true, v6: p.v6, bound: true, connected: true, peer: peer, ended: peer.sendShut, queued: peer.queued}
	peer.queued, peer.peer = 0, made
	l.enter(r, made)
}

func (l *lockstep) send(r *rapid.T) {
	p := l.pick(r, func(p *twins) bool { return p.stream && (!p.connected || p.peer != nil && !p.peer.recvShut) })
	data := make([]byte, rapid.IntRange(0, 500).Draw(r, "bytes"))
	n, plain := unix.SendmsgN(p.fd, data, nil, nil, unix.MSG_NOSIGNAL)
	m, ours := l.Send(p.s, data, 0)
	if plain != nil {
		n = 0
	}
	code := spi.WSAENOTCONN
	if p.sendShut {
		code = spi.WSAESHUTDOWN
	}
	l.same(r, "send", plain, ours, map[unix.Errno]spi.Errno{unix.EPIPE: code})
	if n != m {
		r.Fatalf("send: %d bytes, and Linux %d", m, n)
	}
	if plain == nil {
		p.peer.queued += n
	}
}

func (l *lockstep) recv(r *rapid.T) {
	p := l.pick(r, func(p *twins) bool { return p.stream && !p.recvShut })
	if p.connected && p.peer != nil && (p.queued > 0 || p.ended) {
		l.await(r, p, false)
	}
	flags := rapid.SampledFrom([]int{0, unix.MSG_PEEK}).Draw(r, "flags") // the same number in both
	room := rapid.IntRange(1, 600).Draw(r, "room")
	a, b := make([]byte, room), make([]byte, room)
	n, _, plain := unix.Recvfrom(p.fd, a, flags)
	m, ours := l.Recv(p.s, b, int32(flags))
	l.same(r, "recv", plain, ours, nil)
	if plain == nil && (n != m || !bytes.Equal(a, b)) {
		r.Fatalf("recv: %d bytes, and Linux %d", m, n)
	}
	if plain == nil && flags == 0 {
		p.queued -= n
	}
}

// datagram sends one and receives it; the room may be too small, which Linux
// tells by MSG_TRUNC and Winsock by WSAEMSGSIZE.
func (l *lockstep) datagram(r *rapid.T) {
	to := l.pick(r, func(p *twins) bool { return !p.stream && p.name != nil })
	from := l.pick(r, func(p *twins) bool { return !p.stream && p.v6 == to.v6 && p != to })
	data := make([]byte, rapid.IntRange(0, 400).Draw(r, "bytes"))
	for i := range data {
		data[i] = byte(i)
	}
	plain := unix.Sendto(from.fd, data, 0, native(to.fdName))
	n, ours := l.SendTo(from.s, data, 0, to.name)
	if !l.same(r, "sendto", plain, ours, nil) {
		return
	}
	if n != len(data) {
		r.Fatalf("sendto: %d of %d bytes", n, len(data))
	}
	from.bound = true
	own, err := unix.Getsockname(from.fd)
	must(r, "getsockname(2)", err)
	l.await(r, to, false)
	room := rapid.IntRange(1, 500).Draw(r, "room")
	a, b := make([]byte, room), make([]byte, room)
	an, _, flags, sender, plain := unix.Recvmsg(to.fd, a, nil, 0)
	name := make([]byte, spi.SizeofSockaddrStorage)
	length := int32(len(name))
	bn, ours := l.RecvFrom(to.s, b, 0, name, &length)
	if plain == nil && flags&unix.MSG_TRUNC != 0 {
		plain = unix.EMSGSIZE
	}
	l.same(r, "recvfrom", plain, ours, nil)
	if an != bn || !bytes.Equal(a, b) {
		r.Fatalf("recvfrom: %d bytes, and Linux %d", bn, an)
	}
	if want := sockaddr(sender); len(want) != int(length) || port(want) != port(sockaddr(own)) || port(name) != port(l.own(r, from)) {
		r.Fatalf("recvfrom: from %s, and Linux from %s", spi.AddressString(name[:length]), spi.AddressString(want))
	}
}

func port(name []byte) uint16 { return binary.BigEndian.Uint16(name[2:]) }

func (l *lockstep) available(r *rapid.T) {
	p := l.pick(r, func(p *twins) bool { return p.connected && p.peer != nil && !p.recvShut })
	if p.queued > 0 {
		l.await(r, p, false)
	}
	n, plain := unix.IoctlGetInt(p.fd, unix.TIOCINQ)
	var m uint32
	l.same(r, "FIONREAD", plain, l.IoctlSocket(p.s, spi.FIONREAD, &m), nil)
	if n != int(m) {
		r.Fatalf("FIONREAD: %d, and Linux %d", m, n)
	}
}

func (l *lockstep) peerName(r *rapid.T) {
	p := l.pick(r, func(p *twins) bool { return p.stream })
	sa, plain := unix.Getpeername(p.fd)
	b := make([]byte, spi.SizeofSockaddrStorage)
	n := int32(len(b))
	if l.same(r, "getpeername", plain, l.GetPeerName(p.s, b, &n), nil) && len(sockaddr(sa)) != int(n) {
		r.Fatalf("getpeername: %s, and Linux %v", spi.AddressString(b[:n]), sa)
	}
}

// sockName: Linux names an unbound socket too.
func (l *lockstep) sockName(r *rapid.T) {
	p := l.pick(r, func(p *twins) bool { return p.bound })
	sa, plain := unix.Getsockname(p.fd)
	b := make([]byte, spi.SizeofSockaddrStorage)
	n := int32(len(b))
	l.same(r, "getsockname", plain, l.GetSockName(p.s, b, &n), nil)
	want := sockaddr(sa)
	if len(want) != int(n) || !bytes.Equal(want[4:], b[4:n]) || (port(want) == 0) != (port(b) == 0) {
		r.Fatalf("getsockname: %s, and Linux %s", spi.AddressString(b[:n]), spi.AddressString(want))
	}
}

// options have the same meaning in both, by other numbers.
var options = []struct {
	level, name             int32
	nativeLevel, nativeName int
	set                     []int32 // nil for one that only tells
	stream, datagram        bool    // sockets that have it in Winsock
}{
	{spi.SOL_SOCKET, spi.SO_KEEPALIVE, unix.SOL_SOCKET, unix.SO_KEEPALIVE, []int32{0, 1}, true, false},
	{spi.SOL_SOCKET, spi.SO_BROADCAST, unix.SOL_SOCKET, unix.SO_BROADCAST, []int32{0, 1}, false, true},
	{spi.SOL_SOCKET, spi.SO_TYPE, unix.SOL_SOCKET, unix.SO_TYPE, nil, true, true},
	{spi.SOL_SOCKET, spi.SO_ERROR, unix.SOL_SOCKET, unix.SO_ERROR, nil, true, true},
	{spi.SOL_SOCKET, spi.SO_ACCEPTCONN, unix.SOL_SOCKET, unix.SO_ACCEPTCONN, nil, true, false},
	{spi.IPPROTO_TCP, 1 /* TCP_NODELAY */, unix.IPPROTO_TCP, unix.TCP_NODELAY, []int32{0, 1}, true, false},
}

func (l *lockstep) getOption(r *rapid.T) {
	o := rapid.SampledFrom(options).Draw(r, "option")
	p := l.pick(r, func(p *twins) bool { return p.stream && o.stream || !p.stream && o.datagram })
	l.compareOption(r, p, o.level, o.name, o.nativeLevel, o.nativeName)
}

func (l *lockstep) compareOption(r *rapid.T, p *twins, level, name int32, nativeLevel, nativeName int) {
	n, plain := unix.GetsockoptInt(p.fd, nativeLevel, nativeName)
	val, length := make([]byte, 4), int32(4)
	ours := l.GetSockOpt(p.s, level, name, val, &length)
	if !l.same(r, "getsockopt", plain, ours, nil) {
		return
	}
	m := 0
	for i := range val[:length] {
		m |= int(val[i]) << (8 * i)
	}
	if m != n {
		r.Fatalf("option %d/%#x is %d, and %d on Linux", level, name, m, n)
	}
}

func (l *lockstep) setOption(r *rapid.T) {
	o := rapid.SampledFrom(options).Draw(r, "option")
	if o.set == nil {
		r.Skip("it only tells")
	}
	p := l.pick(r, func(p *twins) bool { return p.stream && o.stream || !p.stream && o.datagram })
	value := rapid.SampledFrom(o.set).Draw(r, "value")
	val := binary.LittleEndian.AppendUint32(nil, uint32(value))
	plain := unix.SetsockoptInt(p.fd, o.nativeLevel, o.nativeName, int(value))
	if l.same(r, "setsockopt", plain, l.SetSockOpt(p.s, o.level, o.name, val), nil) {
		l.compareOption(r, p, o.level, o.name, o.nativeLevel, o.nativeName)
	}
}

// selects compares what can be read and written now.
func (l *lockstep) selects(r *rapid.T) {
	p := l.pick(r, func(p *twins) bool { return !p.recvShut && p.stream && (p.listening || p.connected && p.peer != nil) })
	if p.connected && (p.queued > 0 || p.ended) || len(p.backlog) > 0 {
		l.await(r, p, false)
	}
	fds := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN | unix.POLLOUT}}
	if _, err := unix.Poll(fds, 0); err != nil {
		r.Fatal(err)
	}
	read, write := spi.NewFDSet(p.s), spi.NewFDSet(p.s)
	if _, err := l.Select(read, write, nil, &spi.Timeval{}); err != nil {
		r.Fatal(err)
	}
	if got, want := read.IsSet(p.s), fds[0].Revents&unix.POLLIN != 0; got != want {
		r.Fatalf("readable %v, and Linux %v", got, want)
	}
	if got, want := write.IsSet(p.s), fds[0].Revents&unix.POLLOUT != 0; got != want && !p.listening {
		r.Fatalf("writable %v, and Linux %v", got, want)
	}
}

// shutdown: SD_RECEIVE is more than SHUT_RD, which leaves what is queued. On
// Linux one that fails on an unconnected socket still has an effect.
func (l *lockstep) shutdown(r *rapid.T) {
	p := l.pick(r, func(p *twins) bool { return p.connected && p.peer != nil })
	how := rapid.SampledFrom([]int32{spi.SD_RECEIVE, spi.SD_SEND, spi.SD_BOTH, 9}).Draw(r, "how")
	if how == spi.SD_RECEIVE || how == spi.SD_BOTH {
		if p.queued > 0 {
			r.Skip("it resets the connection")
		}
	}
	ours := l.Shutdown(p.s, how)
	if !l.same(r, "shutdown", unix.Shutdown(p.fd, int(how)), ours, nil) {
		return
	}
	if how != spi.SD_SEND {
		p.recvShut = true
	}
	if how != spi.SD_RECEIVE {
		p.sendShut = true
		p.peer.ended = true
	}
}

func (l *lockstep) close(r *rapid.T) {
	p := l.pick(r, func(p *twins) bool { return len(p.backlog) == 0 && (!p.connected || p.peer != nil) })
	l.same(r, "close", unix.Close(p.fd), l.CloseSocket(p.s), nil)
	for i, o := range l.pairs {
		if o == p {
			l.pairs = append(l.pairs[:i], l.pairs[i+1:]...)
			break
		}
	}
	// Whether a connection that ends now is reset depends on what is queued.
	if p.peer != nil {
		p.peer.broken = true
	}
	p.broken = true
}
