//go:build linux

package conformance

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"slices"
	"time"
	"unsafe"

	"upcall.dev/spi"
)

// Sockets as the tests need them: all over IPv4 on the loopback interface.

func address(s string) []byte { return spi.SockaddrFrom(netip.MustParseAddrPort(s)) }

var anyPort = address("127.0.0.1:0")

func (c *client) tcp() spi.Socket {
	c.Helper()
	s, err := c.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP)
	c.ok(err)
	return s
}

// udp returns a bound datagram socket and its address.
func (c *client) udp() (spi.Socket, []byte) {
	c.Helper()
	s, err := c.Socket(spi.AF_INET, spi.SOCK_DGRAM, spi.IPPROTO_UDP)
	c.ok(err)
	c.ok(c.Bind(s, anyPort))
	return s, c.name(s)
}

func (c *client) name(s spi.Socket) []byte {
	c.Helper()
	name := make([]byte, spi.SizeofSockaddrStorage)
	n := int32(len(name))
	c.ok(c.GetSockName(s, name, &n))
	return name[:n]
}

// listener returns a listening socket and its address.
func (c *client) listener() (spi.Socket, []byte) {
	c.Helper()
	l := c.tcp()
	c.ok(c.Bind(l, anyPort))
	c.ok(c.Listen(l, spi.SOMAXCONN))
	return l, c.name(l)
}

// nobody returns an address that nobody listens at, nor can: a socket is bound to
// it.
func (c *client) nobody() []byte {
	c.Helper()
	silent := c.tcp()
	c.ok(c.Bind(silent, anyPort))
	return c.name(silent)
}

// pair returns two connected streams, the second one accepted.
func (c *client) pair() (one, other spi.Socket) {
	c.Helper()
	l, name := c.listener()
	one = c.tcp()
	c.ok(c.Connect(one, name))
	other, err := c.Accept(l, nil, nil)
	c.ok(err)
	c.ok(c.CloseSocket(l))
	return one, other
}

// connect connects a nonblocking socket, as far as that goes at once.
func (c *client) connecting(s spi.Socket, name []byte) {
	c.Helper()
	if err := c.Connect(s, name); err != nil && !errors.Is(err, spi.WSAEWOULDBLOCK) {
		c.Fatal(err)
	}
}

func (c *client) send(s spi.Socket, text string) {
	c.Helper()
	n, err := c.Send(s, []byte(text), 0)
	c.ok(err)
	if n != len(text) {
		c.Fatalf("sent %d of %d bytes", n, len(text))
	}
}

// receive receives text from a stream, waiting for it by select.
func (c *client) receive(s spi.Socket, text string) {
	c.Helper()
	b := make([]byte, len(text))
	for got := 0; got < len(b); {
		c.readable(s)
		n, err := c.Recv(s, b[got:], 0)
		c.ok(err)
		if n == 0 {
			c.Fatalf("the stream ended after %q, want %q", b[:got], text)
		}
		got += n
	}
	if string(b) != text {
		c.Fatalf("received %q, want %q", b, text)
	}
}

// end fails the test unless the stream has ended, gracefully.
func (c *client) end(s spi.Socket) {
	c.Helper()
	c.readable(s)
	if n, err := c.Recv(s, make([]byte, 8), 0); n != 0 || err != nil {
		c.Errorf("received %d bytes, %v; want the end of the stream", n, err)
	}
}

// readable waits until select finds s readable.
func (c *client) readable(s spi.Socket) { c.Helper(); c.selected(spi.NewFDSet(s), nil, nil) }

func (c *client) selected(read, write, except *spi.FDSet) {
	c.Helper()
	n, err := c.Select(read, write, except, &spi.Timeval{Sec: int32(patience / time.Second)})
	c.ok(err)
	if n == 0 {
		c.Fatal("select finds nothing")
	}
}

func (c *client) blocking(s spi.Socket, yes bool) {
	c.Helper()
	arg := uint32(1)
	if yes {
		arg = 0
	}
	c.ok(c.IoctlSocket(s, spi.FIONBIO, &arg))
}

// fill sends on a nonblocking socket until it would block, and returns how much
// that was.
func (c *client) fill(s spi.Socket) (total int) {
	c.Helper()
	chunk := make([]byte, 1<<16)
	for {
		n, err := c.Send(s, chunk, 0)
		if err != nil {
			c.want(err, spi.WSAEWOULDBLOCK)
			return total
		}
		total += n
	}
}

// drain receives as many bytes from a stream.
func (c *client) drain(s spi.Socket, total int) {
	c.Helper()
	for b := make([]byte, 1<<18); total > 0; {
		c.readable(s)
		n, err := c.Recv(s, b[:min(len(b), total)], 0)
		c.ok(err)
		if n == 0 {
			c.Fatalf("the stream ended %d bytes early", total)
		}
		total -= n
	}
}

func (c *client) option(s spi.Socket, level, name int32) uint32 {
	c.Helper()
	var b [4]byte
	n := int32(len(b))
	c.ok(c.GetSockOpt(s, level, name, b[:], &n))
	return binary.NativeEndian.Uint32(b[:])
}

// linger sets SO_LINGER to wait for seconds.
func (c *client) linger(s spi.Socket, seconds uint16) {
	c.Helper()
	l := spi.Linger{OnOff: 1, Linger: seconds}
	c.ok(c.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_LINGER, bytesOf(&l)))
}

// reset closes a connection hard.
func (c *client) reset(s spi.Socket) {
	c.Helper()
	c.linger(s, 0)
	c.ok(c.CloseSocket(s))
}

// info returns SO_PROTOCOL_INFOW.
func (c *client) info(s spi.Socket) (info spi.ProtocolInfo) {
	c.Helper()
	n := int32(unsafe.Sizeof(info))
	c.ok(c.GetSockOpt(s, spi.SOL_SOCKET, spi.SO_PROTOCOL_INFOW, bytesOf(&info), &n))
	return info
}

func (c *client) duplicate(s spi.Socket) *spi.ProtocolInfo {
	c.Helper()
	info := new(spi.ProtocolInfo)
	c.ok(c.WSADuplicateSocket(s, uint32(os.Getpid()), info))
	return info
}

// members fails the test unless the set has these sockets, in any order.
func (c *client) members(what string, set *spi.FDSet, want ...spi.Socket) {
	c.Helper()
	got := slices.Sorted(slices.Values(set.Sockets()))
	slices.Sort(want)
	if !slices.Equal(got, want) {
		c.Errorf("the %s set has %v, want %v", what, got, want)
	}
}

func bytesOf[T any](v *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}
