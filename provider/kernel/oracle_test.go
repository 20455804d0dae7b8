//go:build linux

package kernel_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// The scenarios of this file run first with plain system calls, then through
// the provider: where Winsock and Linux agree the results are the same.

// sockets is the calls that a scenario makes. Every result is a number and a
// Winsock error code.
type sockets interface {
	socket(f family, typ int32) (int, spi.Errno)
	bind(s int, name []byte) spi.Errno
	listen(s int) spi.Errno
	accept(s int) (int, spi.Errno)
	connect(s int, name []byte) spi.Errno
	send(s int, text string, oob bool) (int, spi.Errno)
	recv(s, size int, peek bool) (string, spi.Errno)
	shutdown(s, how int) spi.Errno
	lingerZero(s int)
	nonblocking(s int)
	name(s int) []byte
	close(s int) spi.Errno
}

type plain struct{ t testing.TB }

func code(err error) spi.Errno {
	if err == nil {
		return 0
	}
	var number unix.Errno
	errors.As(err, &number)
	return spi.FromErrno(number)
}

func native(name []byte) unix.Sockaddr {
	if path, ok := spi.UnixPathFrom(name); ok {
		return &unix.SockaddrUnix{Name: path}
	}
	a, _ := spi.AddrPortFrom(name)
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

func (p plain) socket(f family, typ int32) (int, spi.Errno) {
	af := map[int32]int{spi.AF_INET: unix.AF_INET, spi.AF_INET6: unix.AF_INET6, spi.AF_UNIX: unix.AF_UNIX}[f.af]
	s, err := unix.Socket(af, int(typ)|unix.SOCK_CLOEXEC, 0)
	return s, code(err)
}
func (p plain) bind(s int, name []byte) spi.Errno    { return code(unix.Bind(s, native(name))) }
func (p plain) listen(s int) spi.Errno               { return code(unix.Listen(s, 16)) }
func (p plain) connect(s int, name []byte) spi.Errno { return code(unix.Connect(s, native(name))) }
func (p plain) shutdown(s, how int) spi.Errno        { return code(unix.Shutdown(s, how)) }
func (p plain) close(s int) spi.Errno                { return code(unix.Close(s)) }
func (p plain) nonblocking(s int)                    { ok(p.t, unix.SetNonblock(s, true)) }
func (p plain) lingerZero(s int) {
	ok(p.t, unix.SetsockoptLinger(s, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
}
func (p plain) accept(s int) (int, spi.Errno) {
	a, _, err := unix.Accept4(s, unix.SOCK_CLOEXEC)
	return a, code(err)
}
func (p plain) send(s int, text string, oob bool) (int, spi.Errno) {
	flags := unix.MSG_NOSIGNAL
	if oob {
		flags |= unix.MSG_OOB
	}
	n, err := unix.SendmsgN(s, []byte(text), nil, nil, flags)
	if err == unix.EPIPE {
		err = unix.ECONNRESET // which Winsock calls the same when the peer is to blame
	}
	return n, code(err)
}
func (p plain) recv(s, size int, peek bool) (string, spi.Errno) {
	b, flags := make([]byte, size), 0
	if peek {
		flags = unix.MSG_PEEK
	}
	n, _, err := unix.Recvfrom(s, b, flags)
	return string(b[:max(n, 0)]), code(err)
}
func (p plain) name(s int) []byte {
	sa, err := unix.Getsockname(s)
	ok(p.t, err)
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return addr(fmt.Sprintf("127.0.0.1:%d", sa.Port))
	case *unix.SockaddrInet6:
		return addr(fmt.Sprintf("[::1]:%d", sa.Port))
	case *unix.SockaddrUnix:
		name, _ := spi.SockaddrUnix(sa.Name)
		return name
	}
	return nil
}

type winsock struct {
	t  testing.TB
	th *ws2.Thread
}

func errno(err error) spi.Errno {
	if err == nil {
		return 0
	}
	var e spi.Errno
	errors.As(err, &e)
	return e
}

func (w winsock) socket(f family, typ int32) (int, spi.Errno) {
	s, err := w.th.Socket(f.af, typ, 0)
	return int(s), errno(err)
}
func (w winsock) bind(s int, name []byte) spi.Errno { return errno(w.th.Bind(spi.Socket(s), name)) }
func (w winsock) listen(s int) spi.Errno            { return errno(w.th.Listen(spi.Socket(s), 16)) }
func (w winsock) connect(s int, name []byte) spi.Errno {
	return errno(w.th.Connect(spi.Socket(s), name))
}
func (w winsock) shutdown(s, how int) spi.Errno {
	return errno(w.th.Shutdown(spi.Socket(s), int32(how)))
}
func (w winsock) close(s int) spi.Errno { return errno(w.th.CloseSocket(spi.Socket(s))) }
func (w winsock) nonblocking(s int)     { nonblocking(w.t, w.th, spi.Socket(s), 1) }
func (w winsock) lingerZero(s int)      { setLinger(w.t, w.th, spi.Socket(s), spi.Linger{OnOff: 1}) }
func (w winsock) accept(s int) (int, spi.Errno) {
	a, err := w.th.Accept(spi.Socket(s), nil, nil)
	return int(a), errno(err)
}
func (w winsock) send(s int, text string, oob bool) (int, spi.Errno) {
	var flags int32
	if oob {
		flags = spi.MSG_OOB
	}
	n, err := w.th.Send(spi.Socket(s), []byte(text), flags)
	return n, errno(err)
}
func (w winsock) recv(s, size int, peek bool) (string, spi.Errno) {
	b, flags := make([]byte, size), int32(0)
	if peek {
		flags = spi.MSG_PEEK
	}
	n, err := w.th.Recv(spi.Socket(s), b, flags)
	return string(b[:max(n, 0)]), errno(err)
}
func (w winsock) name(s int) []byte { return sockName(w.t, w.th, spi.Socket(s)) }

// scenario tells what it saw.
type scenario struct {
	name     string
	families []family
	run      func(t testing.TB, api sockets, f family, saw func(...any))
}

// connectedPair is a connection within a scenario.
func connectedPair(t testing.TB, api sockets, f family) (l, c, a int) {
	l, _ = api.socket(f, spi.SOCK_STREAM)
	if e := api.bind(l, f.any(t)); e != 0 {
		t.Fatal(e)
	}
	api.listen(l)
	c, _ = api.socket(f, spi.SOCK_STREAM)
	if e := api.connect(c, api.name(l)); e != 0 {
		t.Fatal(e)
	}
	a, e := api.accept(l)
	if e != 0 {
		t.Fatal(e)
	}
	return l, c, a
}

var scenarios = []scenario{
	{"echo", streams, func(t testing.TB, api sockets, f family, saw func(...any)) {
		l, c, a := connectedPair(t, api, f)
		saw(api.send(c, "hello, world", false))
		saw(api.recv(a, 5, true))
		saw(api.recv(a, 5, false))
		saw(api.recv(a, 50, false))
		saw(api.send(a, "and back", false))
		saw(api.recv(c, 50, false))
		saw(api.shutdown(c, unix.SHUT_WR))
		saw(api.recv(a, 50, false))
		saw(api.recv(a, 50, false))
		saw(api.send(a, "half open", false))
		saw(api.recv(c, 50, false))
		saw(api.close(a))
		saw(api.recv(c, 50, false))
		saw(api.close(c), api.close(l))
	}},
	{"refused", streams, func(t testing.TB, api sockets, f family, saw func(...any)) {
		silent, _ := api.socket(f, spi.SOCK_STREAM)
		saw(api.bind(silent, f.any(t)))
		s, _ := api.socket(f, spi.SOCK_STREAM)
		saw(api.connect(s, api.name(silent)))
		saw(api.connect(s, api.name(silent))) // the socket may try again
		saw(api.close(s), api.close(silent))
	}},
	{"nobody listens any more", []family{path}, func(t testing.TB, api sockets, f family, saw func(...any)) {
		l, c, a := connectedPair(t, api, f)
		name := api.name(l)
		saw(api.close(l), api.close(c), api.close(a))
		s, _ := api.socket(f, spi.SOCK_STREAM)
		saw(api.connect(s, name))
		saw(api.connect(s, name)) // the socket may try again
		saw(api.close(s))
	}},
	{"reset", internet, func(t testing.TB, api sockets, f family, saw func(...any)) {
		l, c, a := connectedPair(t, api, f)
		api.lingerZero(a)
		saw(api.send(c, "unread", false))
		saw(api.close(a))
		saw(api.recv(c, 10, false))
		saw(api.send(c, "x", false))
		saw(api.close(c), api.close(l))
	}},
	{"unread data resets", internet, func(t testing.TB, api sockets, f family, saw func(...any)) {
		l, c, a := connectedPair(t, api, f)
		saw(api.send(c, "unread", false))
		saw(api.recv(a, 1, false))
		saw(api.close(a))
		saw(api.recv(c, 10, false))
		saw(api.close(c), api.close(l))
	}},
	{"nonblocking", streams, func(t testing.TB, api sockets, f family, saw func(...any)) {
		l, c, a := connectedPair(t, api, f)
		api.nonblocking(a)
		api.nonblocking(l)
		saw(api.recv(a, 10, false))
		_, e := api.accept(l)
		saw(e)
		saw(api.send(c, "x", false))
		saw(api.recv(a, 10, false))
		saw(api.recv(a, 10, false))
		saw(api.close(c), api.close(a), api.close(l))
	}},
	{"errors", internet, func(t testing.TB, api sockets, f family, saw func(...any)) {
		l, c, a := connectedPair(t, api, f)
		saw(api.connect(c, api.name(l)))
		saw(api.bind(l, f.any(t)))
		s, _ := api.socket(f, spi.SOCK_STREAM)
		saw(api.bind(s, api.name(l)))
		_, e := api.accept(s)
		saw(e)
		saw(api.shutdown(s, unix.SHUT_WR))
		u, _ := api.socket(f, spi.SOCK_DGRAM)
		saw(api.listen(u))
		_, e = api.accept(u)
		saw(e)
		saw(api.close(s), api.close(u), api.close(c), api.close(a), api.close(l))
	}},
	{"datagrams", datagrams, func(t testing.TB, api sockets, f family, saw func(...any)) {
		r, _ := api.socket(f, spi.SOCK_DGRAM)
		saw(api.bind(r, f.any(t)))
		s, _ := api.socket(f, spi.SOCK_DGRAM)
		saw(api.connect(s, api.name(r)))
		for _, text := range []string{"one", "", "three"} {
			saw(api.send(s, text, false))
		}
		saw(api.recv(r, 10, true))
		for range 3 {
			saw(api.recv(r, 10, false))
		}
		saw(api.close(s), api.close(r))
	}},
}

func TestLikePlainSystemCalls(t *testing.T) {
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			each(t, sc.families, func(t *testing.T, th *ws2.Thread, f family) {
				record := func(api sockets) (log []string) {
					sc.run(t, api, f, func(what ...any) { log = append(log, fmt.Sprint(what...)) })
					return log
				}
				expected, got := record(plain{t}), record(winsock{t, th})
				if !slices.Equal(expected, got) {
					t.Errorf("plain system calls give\n%q\nthe provider\n%q", expected, got)
				}
			})
		})
	}
}
