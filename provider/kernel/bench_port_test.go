//go:build linux

package kernel_test

import (
	"errors"
	"fmt"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// echoConn is one connection of an echo server at a completion port.
type echoConn struct {
	s       spi.Socket
	receive struct {
		spi.Overlapped
		c *echoConn
	}
	send   spi.Overlapped
	bufs   [1]spi.Buf
	buffer []byte
}

// echoServer is a server at a port, driven round by round.
type echoServer struct {
	th      *ws2.Thread
	port    ws2.Port
	packets [128]ws2.Packet
	n       uint32
	flags   uint32
}

func (e *echoServer) add(b testing.TB, s spi.Socket, room int) {
	b.Helper()
	d := e.th.DLL()
	ok(b, d.AssociateCompletionPort(s, e.port, 0))
	ok(b, d.SetFileCompletionNotificationModes(s, ws2.FILE_SKIP_COMPLETION_PORT_ON_SUCCESS))
	c := &echoConn{s: s, buffer: make([]byte, room)}
	c.receive.c = c
	e.startReceive(b, c)
}

func (e *echoServer) startReceive(b testing.TB, c *echoConn) {
	c.bufs[0], e.flags = spi.NewBuf(c.buffer), 0
	if err := e.th.WSARecv(c.s, c.bufs[:], &e.n, &e.flags, &c.receive.Overlapped, nil); !errors.Is(err, spi.WSA_IO_PENDING) {
		b.Fatal(err)
	}
}

// serve answers count messages.
func (e *echoServer) serve(b testing.TB, count int) {
	for count > 0 {
		n, err := e.th.GetQueuedCompletionStatusEx(e.port, e.packets[:], spi.WSA_INFINITE, false)
		ok(b, err)
		for _, p := range e.packets[:n] {
			c := (*echoConn)(unsafe.Pointer(uintptr(unsafe.Pointer(p.Overlapped)) - unsafe.Offsetof(echoConn{}.receive)))
			c.bufs[0] = spi.NewBuf(c.buffer[:p.Transferred])
			if err := e.th.WSASend(c.s, c.bufs[:], &e.n, 0, &c.send, nil); err != nil {
				b.Fatal(err)
			}
			e.startReceive(b, c)
			count--
		}
	}
}

// rawServer is the same over epoll(7).
type rawServer struct {
	epoll  int
	events [128]unix.EpollEvent
	buffer map[int][]byte
}

func (e *rawServer) add(b testing.TB, s spi.Socket, room int) {
	ok(b, unix.EpollCtl(e.epoll, unix.EPOLL_CTL_ADD, int(s), &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(s)}))
	e.buffer[int(s)] = make([]byte, room)
}

func (e *rawServer) serve(b testing.TB, count int) {
	for count > 0 {
		n, err := unix.EpollWait(e.epoll, e.events[:], -1)
		ok(b, err)
		for _, event := range e.events[:n] {
			buf := e.buffer[int(event.Fd)]
			got, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(event.Fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), unix.MSG_DONTWAIT, 0, 0)
			if errno != 0 {
				b.Fatal(errno)
			}
			if _, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(event.Fd), uintptr(unsafe.Pointer(&buf[0])), got, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0); errno != 0 {
				b.Fatal(errno)
			}
			count--
		}
	}
}

// One thread sends a message on each connection, has the server answer all of
// them, and takes the answers: the difference between the two is what a message
// costs beyond its system calls.
func BenchmarkPortEcho(b *testing.B) {
	for _, size := range []int{64, 16384} {
		for _, connections := range []int{1, 64, 1000} {
			name := fmt.Sprintf("%dBx%d", size, connections)
			b.Run(name+"/port", func(b *testing.B) {
				th := start(b).DLL().BindThread()
				defer th.Unbind()
				port, err := th.DLL().CreateIoCompletionPort(1)
				ok(b, err)
				defer th.DLL().CloseCompletionPort(port)
				e := &echoServer{th: th, port: port}
				echo(b, th, size, connections, e.add, e.serve)
			})
			b.Run(name+"/epoll", func(b *testing.B) {
				th := start(b)
				epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
				ok(b, err)
				defer unix.Close(epoll)
				e := &rawServer{epoll: epoll, buffer: map[int][]byte{}}
				echo(b, th, size, connections, e.add, e.serve)
			})
		}
	}
}

func echo(b *testing.B, th *ws2.Thread, size, connections int, add func(testing.TB, spi.Socket, int), serve func(testing.TB, int)) {
	clients := make([]spi.Socket, connections)
	for i := range clients {
		var s spi.Socket
		clients[i], s = pair(b, th, ipv4)
		add(b, s, 16384)
	}
	message, answer := make([]byte, size), make([]byte, size)
	b.ReportAllocs()
	rounds := 0
	for b.Loop() {
		for _, c := range clients {
			if n, err := unix.Write(int(c), message); err != nil || n != size {
				b.Fatal(n, err)
			}
		}
		serve(b, connections)
		for _, c := range clients {
			n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(c), uintptr(unsafe.Pointer(&answer[0])), uintptr(size), unix.MSG_WAITALL, 0, 0)
			if errno != 0 || int(n) != size {
				b.Fatal(n, errno)
			}
		}
		rounds++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rounds*connections), "ns/message")
	for _, c := range clients {
		ok(b, th.CloseSocket(c))
	}
}

// An echo through a port allocates nothing, in steady state.
func TestPortEchoAllocatesNothing(t *testing.T) {
	for _, size := range []int{64, 16384} {
		th := start(t).DLL().BindThread()
		port, err := th.DLL().CreateIoCompletionPort(1)
		ok(t, err)
		e := &echoServer{th: th, port: port}
		c, s := pair(t, th, ipv4)
		e.add(t, s, 16384)
		message, answer := make([]byte, size), make([]byte, size)
		round := func() {
			if n, err := unix.Write(int(c), message); err != nil || n != size {
				t.Fatal(n, err)
			}
			for left := size; left > 0; {
				e.serve(t, 1)
				n, err := unix.Read(int(c), answer[size-left:])
				ok(t, err)
				left -= n
			}
		}
		if n := testing.AllocsPerRun(200, round); n >= 1 {
			t.Errorf("%d bytes: %.1f allocations", size, n)
		}
		ok(t, th.DLL().CloseCompletionPort(port))
		th.Unbind()
	}
}
