package chains

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
	"upcall.dev/wsnet"
)

// Datagram is a UDP socket of a chain, for a program's.
type Datagram struct {
	chains *Chains
	conn   *wsnet.PacketConn
	only4  bool // an IPv4 socket

	mu   sync.Mutex // guards peer
	peer netip.AddrPort
}

// DatagramOptions are what a program has set on its socket before the chain's
// was made.
type DatagramOptions struct {
	Only6             bool // IPV6_V6ONLY
	Broadcast, Shared bool // SO_BROADCAST, SO_REUSEADDR
}

// OpenDatagram opens a socket of the chain for a domain of Linux, bound to an
// address: the unspecified one and port 0 let the provider choose.
func (c *Chains) OpenDatagram(domain int, at netip.AddrPort, o DatagramOptions) (*Datagram, unix.Errno) {
	network := "udp"
	switch {
	case domain == unix.AF_INET, at.Addr().Is4In6():
		network, domain = "udp4", unix.AF_INET
		at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	case o.Only6 || !at.Addr().IsUnspecified():
		network = "udp6"
	}
	e := c.entry(domain, unix.SOCK_DGRAM)
	if e == nil {
		return nil, unix.EADDRNOTAVAIL
	}
	lc := wsnet.ListenConfig{Stack: c.stack, Protocol: &e.ProtocolInfo, Control: func(_ context.Context, _, _ string, s spi.Socket) error {
		on := binary.NativeEndian.AppendUint32(nil, 1)
		if o.Shared {
			_ = c.thread.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_REUSEADDR, on)
		}
		if o.Broadcast {
			_ = c.thread.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_BROADCAST, on)
		}
		return nil
	}}
	conn, err := lc.ListenPacket(context.Background(), network, at.String())
	if err != nil {
		return nil, c.datagramErrno(err)
	}
	return &Datagram{chains: c, conn: conn.(*wsnet.PacketConn), only4: domain == unix.AF_INET}, 0
}

// Close closes the socket; a call that waits returns.
func (d *Datagram) Close() { _ = d.conn.Close() }

// sockaddr lays out an address for the chain's socket. ok is false for one that
// it cannot reach.
func (d *Datagram) sockaddr(to netip.AddrPort) (name []byte, ok bool) {
	ip := to.Addr()
	if d.only4 {
		ip = ip.Unmap()
		if !ip.Is4() {
			return nil, false
		}
	}
	return spi.SockaddrFrom(netip.AddrPortFrom(ip, to.Port())), true
}

// Connect sets the peer.
func (d *Datagram) Connect(to netip.AddrPort) unix.Errno {
	name, ok := d.sockaddr(to)
	if !ok {
		return unix.ENETUNREACH
	}
	if errno := d.call(func(s spi.Socket) error { return d.chains.thread.Connect(s, name) }); errno != 0 {
		return errno
	}
	d.setPeer(to)
	return 0
}

// Disconnect undoes Connect.
func (d *Datagram) Disconnect() unix.Errno {
	none := netip.IPv6Unspecified()
	if d.only4 {
		none = netip.IPv4Unspecified()
	}
	name := spi.SockaddrFrom(netip.AddrPortFrom(none, 0))
	d.setPeer(netip.AddrPort{})
	return d.call(func(s spi.Socket) error { return d.chains.thread.Connect(s, name) })
}

func (d *Datagram) setPeer(to netip.AddrPort) {
	d.mu.Lock()
	d.peer = to
	d.mu.Unlock()
}

// LocalAddr returns the socket's own address.
func (d *Datagram) LocalAddr() (at netip.AddrPort, errno unix.Errno) {
	name := make([]byte, spi.SizeofSockaddrStorage)
	length := int32(len(name))
	errno = d.call(func(s spi.Socket) error { return d.chains.thread.GetSockName(s, name, &length) })
	if errno == 0 {
		at, _ = spi.AddrPortFrom(name[:length])
	}
	return at, errno
}

// SetBroadcast allows sending to broadcast addresses.
func (d *Datagram) SetBroadcast() {
	_ = d.call(func(s spi.Socket) error {
		return d.chains.thread.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_BROADCAST, binary.NativeEndian.AppendUint32(nil, 1))
	})
}

// Send sends one datagram to the connected peer.
func (d *Datagram) Send(payload []byte) unix.Errno {
	errno := d.call(func(s spi.Socket) error {
		_, err := d.chains.thread.Send(s, payload, 0)
		return err
	})
	if errno == unix.EAGAIN {
		d.mu.Lock()
		peer := d.peer
		d.mu.Unlock()
		if peer.IsValid() {
			return d.SendTo(payload, peer, false, true)
		}
	}
	return errno
}

// SendTo sends one datagram to an address. Without wait it fails with EAGAIN
// rather than wait for room.
func (d *Datagram) SendTo(payload []byte, to netip.AddrPort, dontRoute, wait bool) unix.Errno {
	name, ok := d.sockaddr(to)
	if !ok {
		return unix.ENETUNREACH
	}
	errno := d.call(func(s spi.Socket) error {
		_, err := d.chains.thread.SendTo(s, payload, flagDontRoute(dontRoute), name)
		return err
	})
	if errno != unix.EAGAIN || !wait {
		return errno
	}
	// The longest that a queue takes to have room again.
	_ = d.conn.SetWriteDeadline(time.Now().Add(sendPatience))
	if d.only4 {
		to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	}
	if _, err := d.conn.WriteToUDPAddrPort(payload, to); err != nil {
		if errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
			return unix.EAGAIN
		}
		return d.chains.datagramErrno(err)
	}
	return 0
}

const sendPatience = 10 * time.Second

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

// Receive receives one datagram; ECONNREFUSED tells that one that was sent found
// nobody, EBADF that the socket has been closed.
func (d *Datagram) Receive(into []byte) (n int, from netip.AddrPort, errno unix.Errno) {
	n, from, err := d.conn.ReadFromUDPAddrPort(into)
	switch {
	case err == nil:
		return n, numericZone(from), 0
	case errors.Is(err, net.ErrClosed):
		return 0, from, unix.EBADF
	}
	return 0, from, d.chains.datagramErrno(err)
}

// numericZone turns the zone of package wsnet, an interface's name, into the
// number that socket addresses have.
func numericZone(a netip.AddrPort) netip.AddrPort {
	if zone := a.Addr().Zone(); zone != "" {
		if i, err := net.InterfaceByName(zone); err == nil {
			return netip.AddrPortFrom(a.Addr().WithZone(strconv.Itoa(i.Index)), a.Port())
		}
	}
	return a
}

func (d *Datagram) call(f func(spi.Socket) error) unix.Errno {
	var err error
	if closed := d.conn.Control(func(s spi.Socket) { err = f(s) }); closed != nil {
		return unix.EBADF
	}
	if err == nil {
		return 0
	}
	return d.chains.datagramErrno(err)
}

// String names the socket in messages.
func (d *Datagram) String() string { return fmt.Sprint(d.conn.LocalAddr()) }
