package wsnet

import (
	"net"
	"net/netip"
	"os"
	"sync"

	"upcall.dev/spi"
)

// PacketConn is a datagram socket over udp: a net.PacketConn, and a net.Conn
// when it was dialled. Its methods may be called from several goroutines at
// once; Close ends those that wait.
type PacketConn struct {
	endpoint
	in  packetReceiver
	out packetSender
}

func newPacketConn(s *socket, p *protocol, local, remote net.Addr) *PacketConn {
	c := &PacketConn{endpoint: endpoint{socket: s, network: p.network, local: local, remote: remote}}
	c.in.socket, c.in.try = s, c.in.once
	c.out.socket, c.out.try = s, c.out.once
	return c
}

// ReadFrom receives one datagram; what does not fit into b is lost. The address
// is a *net.UDPAddr.
func (c *PacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromUDPAddrPort(b)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// ReadFromUDPAddrPort is ReadFrom that allocates nothing.
func (c *PacketConn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, from, err := c.in.receive(b)
	if err != nil {
		return n, from, c.opError("read", callError("recvfrom", err))
	}
	return n, from, nil
}

// Read is ReadFrom without the address.
func (c *PacketConn) Read(b []byte) (int, error) {
	n, _, err := c.ReadFromUDPAddrPort(b)
	return n, err
}

// WriteTo sends b as one datagram to a *net.UDPAddr.
func (c *PacketConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	ap, ok := ipAddrPort(addr)
	if !ok {
		return 0, &net.OpError{Op: "write", Net: c.network, Source: c.local, Addr: addr,
			Err: &net.AddrError{Err: "not a UDP address", Addr: addrString(addr)}}
	}
	return c.writeTo(b, ap, addr)
}

// WriteToUDPAddrPort is WriteTo that allocates nothing.
func (c *PacketConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return c.writeTo(b, to, nil)
}

func (c *PacketConn) writeTo(b []byte, to netip.AddrPort, addr net.Addr) (int, error) {
	err := net.ErrWriteToConnected
	var n int
	if c.remote == nil {
		n, err = c.out.send(b, to)
		err = callError("sendto", err)
	}
	if err != nil {
		if addr == nil {
			addr = net.UDPAddrFromAddrPort(to)
		}
		return n, &net.OpError{Op: "write", Net: c.network, Source: c.local, Addr: addr, Err: err}
	}
	return n, nil
}

// Write sends b as one datagram to the peer that was dialled.
func (c *PacketConn) Write(b []byte) (int, error) {
	if c.remote == nil {
		return 0, c.opError("write", os.NewSyscallError("send", spi.WSAEDESTADDRREQ))
	}
	n, err := c.out.send(b, netip.AddrPort{})
	if err != nil {
		err = c.opError("write", callError("send", err))
	}
	return n, err
}

func addrString(addr net.Addr) string {
	if addr == nil {
		return "<nil>"
	}
	return addr.String()
}

// packetReceiver is the reading half of a packet connection.
type packetReceiver struct {
	socket *socket
	try    attempt // r.once, bound once

	mu       sync.Mutex // serialises reads; held while one waits; guards what follows
	bufs     [1]spi.Buf
	received uint32
	flags    uint32
	name     [spi.SizeofSockaddrStorage]byte
	nameLen  int32
	err      error
}

func (r *packetReceiver) receive(b []byte) (int, netip.AddrPort, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bufs[0] = spi.NewBuf(b[:min(len(b), maxChunk)])
	r.err = nil
	err := r.socket.waiter.read(r.try)
	r.bufs[0] = spi.Buf{}
	if err == nil {
		err = r.err
	}
	if err != nil {
		return 0, netip.AddrPort{}, err
	}
	return int(r.received), addrPort(r.name[:r.nameLen]), nil
}

func (r *packetReceiver) once(uintptr) bool {
	r.received, r.flags, r.nameLen = 0, 0, int32(len(r.name))
	r.err = r.socket.stack.thread.WSARecvFrom(r.socket.handle, r.bufs[:], &r.received, &r.flags, r.name[:], &r.nameLen, nil, nil)
	if r.err != nil && isCode(r.err, spi.WSAEMSGSIZE) { // the rest is lost, as package net has it
		r.received, r.err = r.bufs[0].Len, nil
	}
	return !wouldBlock(r.err)
}

// packetSender is the writing half of a packet connection.
type packetSender struct {
	socket *socket
	try    attempt // s.once, bound once

	mu   sync.Mutex // serialises writes; held while one waits; guards what follows
	bufs [1]spi.Buf
	name [spi.SizeofSockaddrIn6]byte
	to   []byte // name's used part; nil for the peer of a connected socket
	sent uint32
	err  error
}

// send sends to the connected peer when to is the zero AddrPort.
func (s *packetSender) send(b []byte, to netip.AddrPort) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to = nil
	if to != (netip.AddrPort{}) {
		var ok bool
		if s.to, ok = appendSockaddr(s.name[:0], to, s.socket.family); !ok {
			return 0, &net.AddrError{Err: "the socket cannot reach this kind of address", Addr: to.String()}
		}
	}
	if len(b) > maxChunk {
		return 0, spi.WSAEMSGSIZE
	}
	s.bufs[0] = spi.NewBuf(b)
	s.sent, s.err = 0, nil
	err := s.socket.waiter.write(s.try)
	s.bufs[0] = spi.Buf{}
	if err == nil {
		err = s.err
	}
	return int(s.sent), err
}

func (s *packetSender) once(uintptr) bool {
	t := s.socket.stack.thread
	if s.to == nil {
		s.err = t.WSASend(s.socket.handle, s.bufs[:], &s.sent, 0, nil, nil)
	} else {
		s.err = t.WSASendTo(s.socket.handle, s.bufs[:], &s.sent, 0, s.to, nil, nil)
	}
	return !wouldBlock(s.err)
}
