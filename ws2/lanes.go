package ws2

import (
	"sync"
	"sync/atomic"
	"time"

	"upcall.dev/internal/port"
	"upcall.dev/spi"
)

// association is where the packets of a socket's operations go: to a completion
// port, with the key of the client or by the lane of a layer. It is what base
// providers of IFS handles know the port by. A socket gets one at most.
type association struct {
	port     *port.Port
	key      uintptr
	lane     *port.Lane    // nil if the packets are the client's
	provider *provider     // of the socket
	modes    atomic.Uint32 // as the socket's
}

func (a *association) queue(ov *spi.Overlapped, status spi.Errno, transferred uint32) {
	a.port.Post(port.Packet{Overlapped: ov, Key: a.key, Lane: a.lane, Bytes: transferred, Status: status})
}

// Watch is [spi.CompletionPort]'s.
func (a *association) Watch(fd uintptr, target spi.PortTarget) (uintptr, spi.Errno) {
	return a.port.Watch(fd, &guardedTarget{a.provider, target}, a.key, a.lane)
}

// Unwatch is [spi.CompletionPort]'s.
func (a *association) Unwatch(fd, watch uintptr) { a.port.Unwatch(fd, watch) }

// Post is [spi.CompletionPort]'s.
func (a *association) Post(c spi.Completion) { a.queue(c.Overlapped, c.Status, c.Transferred) }

// SkipOnSuccess is [spi.CompletionPort]'s. A layer above sees every packet.
func (a *association) SkipOnSuccess() bool {
	return a.modes.Load()&FILE_SKIP_COMPLETION_PORT_ON_SUCCESS != 0
}

// guardedTarget keeps a provider's panic from the client's thread.
type guardedTarget struct {
	provider *provider
	target   spi.PortTarget
}

func (g *guardedTarget) Ready(events uint32, done []spi.Completion) (all []spi.Completion) {
	all = done
	var e spi.Errno
	defer g.provider.recovered("the operations of a watched descriptor", &e)
	return g.target.Ready(events, done)
}

func (g *guardedTarget) Orphaned() {
	var e spi.Errno
	defer g.provider.recovered("the end of a watch", &e)
	g.target.Orphaned()
}

// lane makes the packets of a socket below go to the layer whose handle upper
// is, while the client has that associated with a port, or a layer above it a
// lane of its own.
type lane struct {
	handle spi.Socket
	upper  *socket
	way    port.Lane
	via    atomic.Pointer[association] // set with the first packet
}

// association returns where the packets of a socket's operations go, nil if
// nowhere. It takes no lock.
func (d *DLL) association(sock *socket) *association {
	first := sock.lane.Load()
	if first == nil {
		return sock.port.Load()
	}
	for l, depth := first, 0; depth < spi.MaxProtocolChain; depth++ {
		if d.handles.nonIFS.Get(uintptr(l.handle)) != l.upper { // closed
			return nil
		}
		next := l.upper.lane.Load()
		if next == nil {
			return first.to(l.upper.port.Load())
		}
		l = next
	}
	return nil
}

// to returns the association that leads by this lane to the port of root, the
// same at each call.
func (l *lane) to(root *association) *association {
	if root == nil {
		return nil
	}
	if a := l.via.Load(); a != nil {
		return a
	}
	l.via.CompareAndSwap(nil, &association{port: root.port, lane: &l.way, provider: l.upper.provider})
	return l.via.Load()
}

// CompletionPort returns where the packets of a handle's operations go, nil if
// nowhere, or if the port is closed.
func (x *exports) CompletionPort(s spi.Socket) spi.CompletionPort {
	if sock := x.dll.handles.find(s); sock != nil {
		if a := x.dll.association(sock); a != nil && !a.port.Closed() {
			return a
		}
	}
	return nil
}

// CompleteWith makes a layer see the packets of a socket below.
func (x *exports) CompleteWith(lower, upper spi.Socket, complete func(spi.Completion)) spi.Errno {
	above := x.dll.handles.nonIFS.Get(uintptr(upper))
	below := x.dll.handles.find(lower)
	switch {
	case complete == nil:
		return spi.WSAEFAULT
	case below == nil:
		return spi.WSAENOTSOCK
	case above == nil || above == below:
		return spi.WSAEINVAL
	}
	p := above.provider
	below.lane.Store(&lane{handle: upper, upper: above, way: port.Lane{Complete: func(c spi.Completion) {
		var e spi.Errno
		defer p.recovered("the completion of an operation below it", &e)
		complete(c)
	}}})
	return 0
}

// strays runs lane packets that no thread will dequeue, because their port is
// closed, so that the layer sees the end of its operations all the same. It has
// a goroutine while there are any; the last WSACleanup waits for it.
type strays struct {
	dll *DLL

	mu      sync.Mutex // a leaf lock; guards the rest
	packets []port.Packet
	idle    chan struct{} // closed when the goroutine ends, nil without one
}

func (s *strays) add(p port.Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packets = append(s.packets, p)
	if s.idle == nil {
		s.idle = make(chan struct{})
		go s.run()
	}
}

func (s *strays) run() {
	for {
		s.mu.Lock()
		packets := s.packets
		s.packets = nil
		if len(packets) == 0 {
			close(s.idle)
			s.idle = nil
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		for i := range packets {
			packets[i].Run()
		}
	}
}

// wait waits until there are none, no longer than a provider's WSPCleanup may
// take.
func (s *strays) wait() {
	s.mu.Lock()
	idle := s.idle
	s.mu.Unlock()
	if idle == nil {
		return
	}
	timer := time.NewTimer(s.dll.startTimeout())
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
		s.dll.complain.once(s.dll, "a layer has not taken the completions of a closed completion port in time; it was left running")
	}
}
