package isolate

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"upcall.dev/launch/internal/chains"
	"upcall.dev/wsnet"
)

const (
	// maxFlows bounds the program's datagram sockets that have one of the chain.
	maxFlows = 2048
	// flowQueue is how many datagrams wait while the chain opens or sends.
	flowQueue = 256
	// maxPeers bounds what is remembered of whom a flow has sent to.
	maxPeers = 1024
	// flowIdle is how long a flow lasts without a datagram (RFC 4787 wants two
	// minutes), lookupIdle where name servers alone were asked.
	flowIdle   = 2 * time.Minute
	lookupIdle = 10 * time.Second

	portOfNames = 53
	maxDatagram = 65535
)

// datagrams are the flows by the program's address and port.
type datagrams struct {
	mu     sync.Mutex // guards what follows; a flow's own lock may be taken under it
	flows  map[netip.AddrPort]*flow
	opened uint64 // flows so far
	closed bool
}

// flow is one datagram socket of the program: it has one of the chain, whoever it
// sends to.
type flow struct {
	source netip.AddrPort
	number uint64 // by which it is counted
	queue  chan datagram
	end    context.CancelFunc // after what is queued
	giveUp context.CancelFunc // at once
	open   atomic.Bool        // it has the chain's socket
	active atomic.Int64       // when the last datagram passed, in Unix nanoseconds

	mu       sync.Mutex              // guards what follows; a leaf lock
	peers    map[netip.AddrPort]peer // by the address that the chain knows
	lookups  bool                    // all of them are name servers
	lastPeer netip.AddrPort
}

// peer is whom a flow has sent to.
type peer struct {
	inside netip.AddrPort // as the program knows it
	head   []byte         // of the last datagram
}

// datagram is one that the program has sent.
type datagram struct {
	to      netip.AddrPort // as the chain knows it
	payload []byte
}

// datagram takes one that the program has sent. It does not wait: what the chain
// does not take in time is lost, as on any network.
func (s *Server) datagram(id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
	from, inside := addrPort(id.RemoteAddress, id.RemotePort), addrPort(id.LocalAddress, id.LocalPort)
	f := s.flow(from)
	if f == nil {
		return true
	}
	to := s.directory.outside(inside)
	f.sentTo(to, peer{inside, headOf(pkt)})
	select {
	case f.queue <- datagram{to, pkt.Data().AsRange().ToSlice()}:
	default:
	}
	return true
}

// flow returns the flow of a source, a new one if need be; nil when serving ends.
func (s *Server) flow(source netip.AddrPort) *flow {
	d := &s.datagrams
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.flows[source]; f != nil {
		f.active.Store(time.Now().UnixNano())
		return f
	}
	if d.closed {
		return nil
	}
	if len(d.flows) >= maxFlows {
		d.endIdlest()
	}
	ctx, giveUp := context.WithCancel(s.sending)
	more, end := context.WithCancel(ctx)
	f := &flow{source: source, queue: make(chan datagram, flowQueue), end: end, giveUp: giveUp, peers: map[netip.AddrPort]peer{}, lookups: true}
	f.active.Store(time.Now().UnixNano())
	d.flows[source] = f
	d.opened++
	f.number = d.opened
	s.work.Add(1)
	s.connections.Add(1)
	go func() {
		defer s.work.Done()
		defer s.connections.Done()
		defer d.remove(f)
		defer giveUp()
		s.serve(ctx, more, f)
	}()
	return f
}

// endIdlest ends the flow that has been idle longest. The caller holds d.mu.
func (d *datagrams) endIdlest() {
	var idlest *flow
	for _, f := range d.flows {
		if idlest == nil || f.active.Load() < idlest.active.Load() {
			idlest = f
		}
	}
	idlest.finish()
	delete(d.flows, idlest.source)
}

func (d *datagrams) remove(f *flow) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.flows[f.source] == f {
		delete(d.flows, f.source)
	}
}

// finish ends the flow after what is queued, or at once where that waits for the
// chain's socket.
func (f *flow) finish() {
	if f.open.Load() {
		f.end()
	} else {
		f.giveUp()
	}
}

// finish ends all flows after what is queued, and lets none begin.
func (d *datagrams) finish() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, f := range d.flows {
		f.end()
	}
}

// closedBy ends the flow of a source whose socket the program has closed.
func (d *datagrams) closedBy(source netip.AddrPort) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.flows[source]; f != nil {
		f.finish()
		delete(d.flows, source)
	}
}

func (f *flow) sentTo(to netip.AddrPort, p peer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.peers[to]; !known && len(f.peers) >= maxPeers {
		clear(f.peers)
	}
	f.peers[to] = p
	f.lastPeer = to
	f.lookups = f.lookups && to.Port() == portOfNames
}

func (f *flow) peer(at netip.AddrPort) (peer, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, ok := f.peers[at]
	return p, ok
}

func (f *flow) last() netip.AddrPort {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lastPeer
}

// idle is how long the flow lasts without a datagram.
func (f *flow) idle() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lookups {
		return lookupIdle
	}
	return flowIdle
}

// serve carries a flow until it is idle. When more ends it sends what is queued yet,
// when ctx ends nothing.
func (s *Server) serve(ctx, more context.Context, f *flow) {
	through, err := s.through()
	if err != nil {
		s.Log(fmt.Sprintf("%v; what the program sends by UDP is lost", err))
		s.count("udp", f.number, f.last(), chains.Way{}, unix.ENETDOWN)
		return
	}
	defer through.Release()
	domain := domainOf(f.source)
	conn, err := through.ListenPacket(ctx, domain)
	if err != nil {
		if ctx.Err() == nil {
			s.Log(fmt.Sprintf("%s opens no UDP socket: %v; what the program sends is lost", through.Describe(domain, unix.SOCK_DGRAM), err))
			errno := through.Errno(err)
			s.unreachable(f, f.last(), errno)
			s.count("udp", f.number, f.last(), chains.Way{}, errno)
		}
		return
	}
	f.open.Store(true)
	own := through.ConnectsOwn(domain, unix.SOCK_DGRAM)
	if own {
		wantErrors(conn, domain)
	}
	var receiving sync.WaitGroup
	receiving.Go(func() { s.receive(more, f, through, conn, own) })
	s.send(ctx, more, f, through, conn, own)
	_ = conn.Close()
	receiving.Wait()
}

// send sends what the program has sent, until ctx ends, or more and the queue.
func (s *Server) send(ctx, more context.Context, f *flow, through *chains.Chains, conn *wsnet.PacketConn, own bool) {
	domain := domainOf(f.source)
	for {
		var d datagram
		select {
		case d = <-f.queue:
		case <-more.Done():
			select {
			case d = <-f.queue:
			default:
				return
			}
		}
		if ctx.Err() != nil {
			return
		}
		_, err := conn.WriteToUDPAddrPort(d.payload, d.to)
		if err != nil && own && s.reportErrors(f, conn) {
			// It was the error of an earlier one.
			_, err = conn.WriteToUDPAddrPort(d.payload, d.to)
		}
		var errno unix.Errno
		if err != nil && ctx.Err() == nil {
			errno = through.Errno(err)
			s.unreachable(f, d.to, errno)
		}
		s.relayed.Add(int64(len(d.payload)))
		s.count("udp", f.number, d.to, through.Way(domain, unix.SOCK_DGRAM), errno)
	}
}

// receive takes to the program what the chain receives, and ends the flow when it
// is idle.
func (s *Server) receive(ctx context.Context, f *flow, through *chains.Chains, conn *wsnet.PacketConn, own bool) {
	defer f.end()
	buffer := make([]byte, maxDatagram)
	failures := 0
	for ctx.Err() == nil {
		active := time.Unix(0, f.active.Load())
		if time.Since(active) >= f.idle() {
			return
		}
		_ = conn.SetReadDeadline(active.Add(f.idle()))
		n, from, err := conn.ReadFromUDPAddrPort(buffer)
		switch {
		case err == nil:
			failures = 0
			f.active.Store(time.Now().UnixNano())
			s.answer(f, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), buffer[:n])
		case errors.Is(err, os.ErrDeadlineExceeded):
		case ctx.Err() != nil:
		case own && s.reportErrors(f, conn):
		default:
			s.unreachable(f, f.last(), through.Errno(err))
			if failures++; failures >= maxFailures {
				return
			}
		}
	}
}

// maxFailures of a chain's receives in a row end a flow.
const maxFailures = 16

// answer sends the program a datagram of a peer.
func (s *Server) answer(f *flow, from netip.AddrPort, payload []byte) {
	inside := s.directory.inside(from)
	if p, ok := f.peer(from); ok {
		inside = p.inside
	}
	source, destination := tcpip.AddrFromSlice(inside.Addr().AsSlice()), tcpip.AddrFromSlice(f.source.Addr().AsSlice())
	length := header.UDPMinimumSize + len(payload)
	if source.Len() != destination.Len() || length+header.IPv6MinimumSize > linkMTU && source.Len() != header.IPv4AddressSize || length+header.IPv4MinimumSize > linkMTU {
		return
	}
	udp := header.UDP(make([]byte, header.UDPMinimumSize))
	udp.Encode(&header.UDPFields{
		SrcPort: inside.Port(), DstPort: f.source.Port(), Length: uint16(length),
		Checksum: header.PseudoHeaderChecksum(header.UDPProtocolNumber, source, destination, uint16(length)),
	})
	network := networkHeader(header.UDPProtocolNumber, source, destination, length)
	protocol := header.IPv4ProtocolNumber
	if source.Len() != header.IPv4AddressSize {
		protocol = header.IPv6ProtocolNumber
	}
	s.link.send(frame{protocol: protocol, network: len(network), transport: len(udp), checksum: udpChecksumOffset, parts: [][]byte{network, udp, payload}})
}

// udpChecksumOffset is where a UDP header has its checksum.
const udpChecksumOffset = 6

// networkHeader returns the network header of a packet.
func networkHeader(protocol tcpip.TransportProtocolNumber, from, to tcpip.Address, length int) []byte {
	if from.Len() == header.IPv4AddressSize {
		ip := header.IPv4(make([]byte, header.IPv4MinimumSize))
		ip.Encode(&header.IPv4Fields{
			TotalLength: uint16(header.IPv4MinimumSize + length), TTL: 64, Protocol: uint8(protocol), SrcAddr: from, DstAddr: to,
		})
		ip.SetChecksum(^checksum.Checksum(ip, 0))
		return ip
	}
	ip := header.IPv6(make([]byte, header.IPv6MinimumSize))
	ip.Encode(&header.IPv6Fields{
		PayloadLength: uint16(length), TransportProtocol: protocol, HopLimit: 64, SrcAddr: from, DstAddr: to,
	})
	return ip
}

// unreachable tells the program that a peer of a flow is not reached.
func (s *Server) unreachable(f *flow, to netip.AddrPort, errno unix.Errno) {
	p, ok := f.peer(to)
	if !ok || p.head == nil {
		return
	}
	switch errno {
	case unix.ECONNREFUSED, unix.ECONNRESET:
		s.sendUnreachable(p.head, header.ICMPv4PortUnreachable, header.ICMPv6PortUnreachable)
	case unix.ENETUNREACH, unix.EHOSTUNREACH, unix.EACCES, unix.EPERM, unix.ENETDOWN:
		code4, code6, _ := unreachable(errno)
		s.sendUnreachable(p.head, code4, code6)
	}
}
