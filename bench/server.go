package main

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"unsafe"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// serverVariable turns this program into the echo server of that name.
const serverVariable = "UPCALL_BENCH_SERVER"

// servers are the echo servers in Go. Each prints its port and never returns
// but with an error.
var servers = map[string]func() error{
	"net":         netServer,
	"port":        func() error { return portServer() },
	"port+ifs":    func() error { return portServer(passLayer) },
	"port+nonifs": func() error { return portServer(bytesLayer) },
}

// messageRoom is the size of each connection's buffer, in all servers.
const messageRoom = 16384

func serverMain() {
	name := os.Getenv(serverVariable)
	if name == "" {
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Fprintln(os.Stderr, servers[name]())
	os.Exit(1)
}

func netServer() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			buf := make([]byte, messageRoom)
			for {
				n, err := conn.Read(buf)
				if err != nil {
					return
				}
				if _, err := conn.Write(buf[:n]); err != nil {
					return
				}
			}
		}()
	}
}

// operation is an overlapped operation of a connection; its address is that of
// its Overlapped.
type operation struct {
	spi.Overlapped
	connection *connection
}

// connection is one client of portServer. It receives, sends what it received,
// and starts again.
type connection struct {
	socket        spi.Socket
	skips         bool // no packet comes for what succeeds at once
	receive, send operation
	bufs          [1]spi.Buf
	moved, flags  uint32
	buffer        [messageRoom]byte
}

// received goes on after a receive of n bytes, until a packet is to come.
func (c *connection) received(th *ws2.Thread, n uint32) error {
	for {
		if n == 0 {
			return io.EOF
		}
		c.bufs[0] = spi.NewBuf(c.buffer[:n])
		err := th.WSASend(c.socket, c.bufs[:], &c.moved, 0, &c.send.Overlapped, nil)
		if err == nil && c.skips {
			err = c.startReceive(th)
		}
		if err != nil || !c.skips {
			return begun(err)
		}
		n = c.moved
	}
}

// sent goes on after a send.
func (c *connection) sent(th *ws2.Thread) error {
	err := c.startReceive(th)
	if err == nil && c.skips {
		return c.received(th, c.moved)
	}
	return begun(err)
}

func (c *connection) startReceive(th *ws2.Thread) error {
	c.bufs[0] = spi.NewBuf(c.buffer[:])
	c.flags = 0
	return th.WSARecv(c.socket, c.bufs[:], &c.moved, &c.flags, &c.receive.Overlapped, nil)
}

// begun is nil when an overlapped operation has begun, or ended well.
func begun(err error) error {
	if e, ok := err.(spi.Errno); ok && e == spi.WSA_IO_PENDING {
		return nil
	}
	return err
}

// portServer serves with one worker thread at a completion port.
func portServer(layers ...catalog.Layer) error {
	c, err := catalog.Compose(catalog.Default(), overKernel, layers)
	if err != nil {
		return err
	}
	dll := ws2.New(ws2.Config{Catalog: c})
	th := dll.BindThread()
	defer th.Unbind()
	if err := th.WSAStartup(spi.Version22, &ws2.WSAData{}); err != nil {
		return err
	}
	port, err := dll.CreateIoCompletionPort(1)
	if err != nil {
		return err
	}
	l, err := th.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	if err := th.Bind(l, spi.SockaddrFrom(netip.MustParseAddrPort("127.0.0.1:0"))); err != nil {
		return err
	}
	if err := th.Listen(l, spi.SOMAXCONN); err != nil {
		return err
	}
	name, length := make([]byte, spi.SizeofSockaddrIn), int32(spi.SizeofSockaddrIn)
	if err := th.GetSockName(l, name, &length); err != nil {
		return err
	}
	addr, _ := spi.AddrPortFrom(name)
	fmt.Println(addr.Port())

	failed := make(chan error, 1)
	go func() { failed <- acceptAll(dll, l, port) }()
	go func() { fmt.Fprintln(os.Stderr, <-failed); os.Exit(1) }()
	return work(th, port)
}

// fromAcceptor is the key of the packets that tell the worker of a connection.
const fromAcceptor = 1

func acceptAll(dll *ws2.DLL, l spi.Socket, port ws2.Port) error {
	th := dll.Unbound()
	for {
		s, err := th.Accept(l, nil, nil)
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		if err := dll.AssociateCompletionPort(s, port, 0); err != nil {
			return fmt.Errorf("associate: %w", err)
		}
		c := &connection{socket: s}
		// A chain with handles of its own cannot tell.
		c.skips = dll.SetFileCompletionNotificationModes(s, ws2.FILE_SKIP_COMPLETION_PORT_ON_SUCCESS) == nil
		c.receive.connection, c.send.connection = c, c
		if err := dll.PostQueuedCompletionStatus(port, ws2.Packet{Key: fromAcceptor, Overlapped: &c.receive.Overlapped}); err != nil {
			return fmt.Errorf("post: %w", err)
		}
	}
}

// work is the worker's loop.
func work(th *ws2.Thread, port ws2.Port) error {
	packets := make([]ws2.Packet, 16)
	for {
		n, err := th.GetQueuedCompletionStatusEx(port, packets, spi.WSA_INFINITE, false)
		if err != nil {
			return err
		}
		for _, p := range packets[:n] {
			o := (*operation)(unsafe.Pointer(p.Overlapped))
			c := o.connection
			var err error
			switch {
			case p.Status != 0:
				err = p.Status.Err()
			case o == &c.receive && p.Key != fromAcceptor:
				err = c.received(th, p.Transferred)
			default:
				err = c.sent(th)
			}
			if err != nil {
				_ = th.CloseSocket(c.socket)
			}
		}
	}
}
