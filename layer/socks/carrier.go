package socks

import (
	"net/netip"
	"time"

	"upcall.dev/layer/names"
	"upcall.dev/spi"
)

// carrier is the goroutine of a datagram socket, and what it alone knows.
type carrier struct {
	*socket
	out, in   []byte // room for one datagram each way
	address   [spi.SizeofSockaddrStorage]byte
	asked     chan answer // answers to queries
	way       *association
	opening   chan opened // the outcome of opening a way; nil while none is opened
	waiting   []waiting   // for the way
	sources   sources
	local     spi.Event // of the socket under it, with dns=local
	retryFrom time.Time
}

// waiting is a datagram that was sent before there was a way.
type waiting struct {
	to   target
	data []byte
}

// opened is the outcome of associate.
type opened struct {
	way *association
	err error
}

// answer is a datagram for the client.
type answer struct {
	from netip.AddrPort
	data []byte
}

const (
	mostWaiting = 64              // datagrams that wait for the way
	mostAsked   = 32              // queries at a time that the resolver has
	retryPause  = 2 * time.Second // until a way that could not be opened is tried again
)

func newCarrier(s *socket) *carrier {
	return &carrier{
		socket: s, out: make([]byte, longestHeader+longestDatagram),
		asked: make(chan answer, mostAsked), sources: newSources(),
	}
}

// run carries until the socket is closed. What was sent before that is still
// sent, when the way that it waits for is open.
func (c *carrier) run() {
	defer c.end()
	if !c.module.config.remoteNames {
		c.listen()
	}
	over := c.module.ending()
	ending := c.ending
	for {
		if c.step() {
			continue
		}
		if ending == nil && (c.opening == nil || len(c.waiting) == 0) {
			return
		}
		select {
		case <-c.wake:
		case a := <-c.asked:
			c.deliver(a.from, a.data)
		case o := <-c.opening:
			c.wayOpened(o)
		case <-ending:
			ending = nil
		case <-over:
			return
		}
	}
}

func (c *carrier) end() {
	if opening := c.opening; opening != nil {
		c.module.run(func() {
			if o := <-opening; o.way != nil {
				o.way.close()
			}
		})
	}
	if c.way != nil {
		c.way.close()
	}
	if c.local != spi.InvalidEvent {
		c.next.WSPEventSelect(c.under, spi.InvalidEvent, 0)
		c.module.datagrams.Upcalls().WPUCloseEvent(c.local)
	}
	c.left()
}

// listen makes what arrives at the socket itself wake the carrier.
func (c *carrier) listen() {
	event, errno := c.module.datagrams.DLL().RegisterWait(c.kick)
	if errno != 0 {
		return
	}
	c.local = event
	c.next.WSPEventSelect(c.under, event, spi.FD_READ)
}

// mostRounds bounds what a step does in one direction before the other one has
// its turn.
const mostRounds = 32

// step does what can be done now, and reports whether there may be more.
func (c *carrier) step() (more bool) {
	for i := range mostRounds {
		n, length, errno := c.socket.out.TryReadDatagram(c.out, c.address[:])
		if errno != 0 || length == 0 {
			break
		}
		if to, ok := spi.AddrPortFrom(c.address[:length]); ok {
			c.send(to, c.out[:n])
		}
		more = i == mostRounds-1
	}
	if c.in == nil {
		c.in = make([]byte, longestDatagram)
	}
	for i := 0; c.way != nil && i < mostRounds; i++ {
		n, ok := c.way.receive(c.in)
		if !ok {
			break
		}
		if from, data, ok := parseHeader(c.in[:n]); ok {
			c.arrived(from, data)
		}
		more = more || i == mostRounds-1
	}
	if c.way != nil && c.way.over() {
		c.way.close()
		c.way = nil
	}
	if c.local != spi.InvalidEvent {
		more = c.receiveLocal() || more
	}
	return more
}

// send sends one datagram of the client.
func (c *carrier) send(to netip.AddrPort, data []byte) {
	m := c.module
	if to.Port() == dnsPort {
		if m.config.remoteNames {
			m.answer(to, data, c.asked, c.ending, c.deliver)
			return
		}
		bufs, n := [1]spi.Buf{spi.NewBuf(data)}, uint32(0)
		c.next.WSPSendTo(c.under, bufs[:], &n, 0, spi.SockaddrFrom(to), nil, nil, nil)
		return
	}
	w := waiting{to: target{addr: netip.AddrPortFrom(to.Addr().Unmap(), to.Port())}}
	if names.Default.Assigned(to.Addr()) {
		name, ok := names.Default.Lookup(to.Addr())
		if !ok {
			return
		}
		w.to.name = name
	}
	c.sources.sent(to, w.to.name != "")
	if c.way != nil {
		c.through(w.to, data)
		return
	}
	if len(c.waiting) < mostWaiting {
		w.data = append([]byte(nil), data...)
		c.waiting = append(c.waiting, w)
	}
	if c.opening == nil && !time.Now().Before(c.retryFrom) {
		opening := make(chan opened, 1)
		c.opening = opening
		m.run(func() {
			way, err := m.associate(nil, c.kick)
			opening <- opened{way, err}
		})
	}
}

func (c *carrier) through(to target, data []byte) {
	packet := appendHeader(make([]byte, 0, longestHeader+len(data)), to)
	c.way.send(append(packet, data...))
}

// wayOpened takes in the outcome of opening a way.
func (c *carrier) wayOpened(o opened) {
	c.opening = nil
	errno := c.module.explain(o.err)
	if o.err != nil {
		c.module.once("socks: proxy " + c.module.config.proxy.String() + " does not carry UDP: " + o.err.Error())
		c.retryFrom = time.Now().Add(retryPause)
		c.waiting = nil
	}
	c.mu.Lock()
	c.trouble, c.until = errno, c.retryFrom
	c.mu.Unlock()
	if o.err != nil {
		return
	}
	c.way = o.way
	for _, w := range c.waiting {
		c.through(w.to, w.data)
	}
	c.waiting = nil
}

// arrived takes in a datagram that came through the proxy.
func (c *carrier) arrived(from target, data []byte) {
	addr := from.addr
	if from.name != "" {
		assign := names.Default.Assign
		if c.family == spi.AF_INET6 {
			assign = names.Default.Assign6
		}
		a, err := assign(from.name)
		if err != nil {
			return
		}
		addr = netip.AddrPortFrom(a, addr.Port())
	} else {
		addr = c.sources.shown(addr)
	}
	c.deliver(addr, data)
}

// receiveLocal takes datagrams that came to the socket itself: answers to the
// program's own queries. It reports whether there may be more.
func (c *carrier) receiveLocal() bool {
	for range mostRounds {
		bufs, n, flags, length := [1]spi.Buf{spi.NewBuf(c.in)}, uint32(0), uint32(0), int32(len(c.address))
		switch c.next.WSPRecvFrom(c.under, bufs[:], &n, &flags, c.address[:], &length, nil, nil, nil) {
		case 0:
			from, ok := spi.AddrPortFrom(c.address[:max(0, min(int(length), len(c.address)))])
			if ok && from.Port() == dnsPort {
				c.deliver(from, c.in[:n])
			}
		case spi.WSAECONNRESET, spi.WSAENETRESET, spi.WSAEMSGSIZE, spi.WSAEINTR:
		default:
			return false
		}
	}
	return true
}

// deliver hands a datagram to the client, unless it is connected to somebody
// else. One that finds no room is lost.
func (c *carrier) deliver(from netip.AddrPort, data []byte) {
	addr := from.Addr().Unmap()
	switch {
	case c.family == spi.AF_INET6 && addr.Is4():
		addr = netip.AddrFrom16(addr.As16())
	case c.family == spi.AF_INET && !addr.Is4():
		return
	}
	from = netip.AddrPortFrom(addr.WithZone(""), from.Port())
	c.mu.Lock()
	peer, in := c.peer, c.socket.in
	c.mu.Unlock()
	if peer.IsValid() && (peer.Addr().WithZone("") != from.Addr() || peer.Port() != from.Port()) {
		return
	}
	in.TryWriteDatagram(data, spi.SockaddrFrom(from))
}

// sources knows whom the client has sent to, so that answers are shown as from
// there: what was sent to an address that stands for a name comes back from one
// that the proxy has chosen.
type sources struct {
	direct  map[netip.AddrPort]bool           // sent to, as they are
	named   []netip.AddrPort                  // sent to by name, and not heard of yet
	shownAs map[netip.AddrPort]netip.AddrPort // heard of: the name's address
}

// mostSources bounds each of the three.
const mostSources = 4096

func newSources() sources {
	return sources{direct: map[netip.AddrPort]bool{}, shownAs: map[netip.AddrPort]netip.AddrPort{}}
}

func (s *sources) sent(to netip.AddrPort, named bool) {
	if !named {
		if len(s.direct) >= mostSources {
			clear(s.direct)
		}
		s.direct[netip.AddrPortFrom(to.Addr().Unmap(), to.Port())] = true
		return
	}
	for _, known := range s.shownAs {
		if known == to {
			return
		}
	}
	for _, n := range s.named {
		if n == to {
			return
		}
	}
	if len(s.named) < mostSources {
		s.named = append(s.named, to)
	}
}

// shown returns whom an answer is shown as from. The first answer from a port
// that a name was sent to, and from an address that was not, is the name's.
func (s *sources) shown(from netip.AddrPort) netip.AddrPort {
	if as, ok := s.shownAs[from]; ok {
		return as
	}
	if s.direct[from] {
		return from
	}
	for i, n := range s.named {
		if n.Port() != from.Port() {
			continue
		}
		s.named = append(s.named[:i], s.named[i+1:]...)
		if len(s.shownAs) >= mostSources {
			clear(s.shownAs)
		}
		s.shownAs[from] = n
		return n
	}
	return from
}
