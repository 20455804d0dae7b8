package seccomp

import (
	"encoding/binary"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"

	"upcall.dev/launch/internal/chains"
)

// joinedSocket is a program's UDP socket and the socket of a chain that it is
// joined to.
//
// The program's socket is bound to 127.0.0.1. Each peer is given an address of
// 127.0.0.0/8: what the chain receives from a peer is sent to the program from
// that peer's, so that the program's queue, and poll, are the kernel's own, and
// trapped receives can tell who it was. Connecting connects the program's socket
// with a relay socket on the peer's address: what it sends there natively goes on
// to the chain.
type joinedSocket struct {
	s       *Server
	cookie  uint64
	domain  int
	only6   bool // IPV6_V6ONLY as the program has it
	through *chains.Chains
	born    uint64 // the round of collecting that it was made in
	chain   *chains.Datagram
	readers sync.WaitGroup
	ending  sync.Once // closes it; no lock is held when it is taken

	// mu guards what follows. Calls into the chain that cannot wait are made
	// under it; the table's lock is taken inside it, never around it.
	mu     sync.Mutex
	at     netip.AddrPort // the program's socket's own
	bound  bool           // the program chose the chain's address
	peers  peers
	peer   netip.AddrPort // connected with; as the program wrote it
	relay  *relaySocket   // while connected
	sender *relaySocket   // sends from any peer's address
	tgid   int            // a process and descriptor that had the socket last
	fd     int
	closed bool
}

// peers numbers the peers of a socket. It remembers the latest maxPeers.
type peers struct {
	index map[netip.AddrPort]int
	list  []netip.AddrPort // by number
	next  int
}

// maxPeers is more datagrams than a queue holds, so that none of those in it
// comes from a peer that is forgotten.
const maxPeers = 1 << 16

// peerBase is the address of peer 0.
var peerBase = binary.BigEndian.Uint32([]byte{127, 64, 0, 1})

// of returns the address of 127.0.0.0/8 that stands for a peer.
func (p *peers) of(peer netip.AddrPort) netip.Addr {
	i, ok := p.index[peer]
	if !ok {
		if p.index == nil {
			p.index = map[netip.AddrPort]int{}
		}
		i = p.next
		p.next = (p.next + 1) % maxPeers
		if i < len(p.list) {
			delete(p.index, p.list[i])
			p.list[i] = peer
		} else {
			p.list = append(p.list, peer)
		}
		p.index[peer] = i
	}
	var ip [4]byte
	binary.BigEndian.PutUint32(ip[:], peerBase+uint32(i))
	return netip.AddrFrom4(ip)
}

// at returns the peer that an address stands for.
func (p *peers) at(ip netip.Addr) (netip.AddrPort, bool) {
	ip = ip.Unmap()
	if !ip.Is4() {
		return netip.AddrPort{}, false
	}
	bytes := ip.As4()
	i := int64(binary.BigEndian.Uint32(bytes[:])) - int64(peerBase)
	if i < 0 || i >= int64(len(p.list)) {
		return netip.AddrPort{}, false
	}
	return p.list[i], true
}

// join makes the socket of the chain for the program's, bound to an address,
// unless there is one.
func (c *datagramCall) join(at netip.AddrPort, bound bool) (*joinedSocket, unix.Errno) {
	if c.joined != nil {
		return c.joined, 0
	}
	only6 := c.domain == unix.AF_INET6 && c.v6only()
	options := chains.DatagramOptions{
		Only6: only6, Broadcast: c.optionSet(unix.SO_BROADCAST), Shared: c.optionSet(unix.SO_REUSEADDR),
	}
	chain, errno := c.through.OpenDatagram(c.domain, at, options)
	if errno == unix.EADDRINUSE { // perhaps only by what belongs to a closed socket
		c.s.datagramCalls.release(c.s.listener, &c.borrower)
		c.s.collectJoinedNow()
		chain, errno = c.through.OpenDatagram(c.domain, at, options)
	}
	if errno != 0 {
		return nil, errno
	}
	own, errno := c.bindOwn()
	if errno != 0 {
		chain.Close()
		return nil, errno
	}
	j := &joinedSocket{s: c.s, cookie: c.cookie, domain: c.domain, only6: only6, through: c.through, chain: chain, at: own, bound: bound}
	other, ok := c.s.joinedSockets.add(j)
	switch {
	case !ok: // the server stops
		chain.Close()
		return nil, unix.ENOSYS
	case other != nil: // two threads at once
		chain.Close()
		c.joined = other
		return other, 0
	}
	c.through = nil // released with j
	c.joined = j
	return j, 0
}

// anywhere is the address that lets the provider choose.
func (c *datagramCall) anywhere() netip.AddrPort {
	if c.domain == unix.AF_INET6 {
		return netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
}

func (c *datagramCall) optionSet(option int) bool {
	v, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, option)
	return err == nil && v != 0
}

// bindOwn binds the program's own socket to loopback, unless it is bound.
func (c *datagramCall) bindOwn() (at netip.AddrPort, errno unix.Errno) {
	at, errno = socketName(unix.SYS_GETSOCKNAME, c.fd, c.domain)
	if errno != 0 {
		return at, errno
	}
	if at.Port() == 0 {
		if c.domain == unix.AF_INET6 { // ::1 alone would not do for many peers
			_ = unix.SetsockoptInt(c.fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
		}
		if errno := bindSocket(c.fd, sockaddrFor(c.domain, loopbackFor(c.domain, 0))); errno != 0 {
			return at, errno
		}
		if at, errno = socketName(unix.SYS_GETSOCKNAME, c.fd, c.domain); errno != 0 {
			return at, errno
		}
	}
	if at.Addr().IsUnspecified() { // bound before it came under this filter
		at = netip.AddrPortFrom(loopbacks[0], at.Port())
	}
	return unmapped(at), 0
}

// loopbackFor is 127.0.0.1 for a socket of a domain.
func loopbackFor(domain int, port uint16) netip.AddrPort {
	if domain == unix.AF_INET6 {
		return netip.AddrPortFrom(netip.AddrFrom16(loopbacks[0].As16()), port)
	}
	return netip.AddrPortFrom(loopbacks[0], port)
}

// receive passes on what the chain receives until its socket is closed.
func (j *joinedSocket) receive() {
	chain := j.chain
	j.s.work.Add(1)
	j.readers.Add(1)
	go func() {
		defer j.s.work.Done()
		defer j.readers.Done()
		buffer := make([]byte, maxPayload)
		for failures := 0; failures < maxReceiveFailures; {
			n, from, errno := chain.Receive(buffer)
			switch errno {
			case 0:
				failures = 0
				j.deliver(buffer[:n], from)
			case unix.EBADF:
				return
			case unix.ECONNREFUSED:
				j.refuse(nil)
			default:
				failures++
			}
		}
	}()
}

// maxReceiveFailures bounds how often in a row a chain may fail to receive.
const maxReceiveFailures = 100

// deliver sends the program what has come from a peer.
func (j *joinedSocket) deliver(payload []byte, from netip.AddrPort) {
	if j.domain == unix.AF_INET6 {
		from = netip.AddrPortFrom(mappedAddr(from.Addr()), from.Port())
	} else {
		from = unmapped(from)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return
	}
	if j.relay != nil && from == j.peer {
		j.relay.send(payload)
		return
	}
	if j.sender == nil {
		sender, errno := newRelaySocket(netip.AddrPortFrom(loopbacks[0], 0), netip.AddrPort{})
		if errno != 0 {
			return // as when a queue is full
		}
		j.sender = sender
	}
	j.sender.sendFrom(payload, j.peers.of(from), j.at)
}

// mappedAddr is an address as IPv6 sockets see it.
func mappedAddr(ip netip.Addr) netip.Addr {
	if ip.Is4() {
		return netip.AddrFrom16(ip.As16())
	}
	return ip
}

// close ends the joint; what the program has sent goes on to the chain first.
func (j *joinedSocket) close() {
	j.mu.Lock()
	j.closed = true
	relay, sender := j.relay, j.sender
	j.relay, j.sender = nil, nil
	j.mu.Unlock()
	if relay != nil {
		relay.drain()
	}
	if sender != nil {
		sender.close()
	}
	j.chain.Close()
	j.readers.Wait()
	j.through.Release()
}
