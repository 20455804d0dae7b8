package seccomp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/launch/internal/chains"
	"upcall.dev/launch/internal/relay"
	"upcall.dev/wsnet"
)

// server is a program's socket that is bound, and may listen, by a socket of the
// chain in its place. Its own address is an ephemeral one on the loopback, where
// the host connects for each connection that the chain's socket has accepted: the
// queue, and with it poll and epoll, is the kernel's.
type server struct {
	s       *Server
	cookie  uint64 // of the program's socket
	id      uint64 // in servers.alive
	domain  int
	through *chains.Chains
	at      netip.AddrPort // the chain's socket's
	sharing chains.Sharing
	closing sync.Once // of the chain's socket; no lock is held when it is taken

	mu       sync.Mutex // guards what follows; a leaf lock, but for a connect on the loopback
	bound    *wsnet.Bound
	listener *wsnet.Listener // nil until bound listens
	claimed  bool            // a thread makes bound listen, or has
	serving  *sync.Once      // ends serving when the program has shut its socket down; nil until it is served
	ended    bool
	own      netip.AddrPort              // the program's socket's
	arriving map[netip.AddrPort]*carried // by the address of the host's end
}

// carried is an accepted connection of the chain that is joined to one in the
// program's queue.
type carried struct {
	peer, local netip.AddrPort

	mu    sync.Mutex // guards what follows; before the table's lock
	known *connection
	ended bool
}

// listenJoined makes the program's socket listen, and a socket of the chain at
// its address.
func (c *streamCall) listenJoined() unix.Errno {
	b, errno := c.server()
	if errno != 0 {
		return errno
	}
	if b.isServing() { // it may have been shut down just now
		c.s.servers.collect()
	}
	backlog := int(int32(c.n.Args[1]))
	if errno := b.listen(backlog); errno != 0 {
		return errno
	}
	if err := unix.Listen(c.socket.fd, backlog); err != nil {
		return errnoOf(err)
	}
	own, errno := socketName(unix.SYS_GETSOCKNAME, c.socket.fd, c.socket.domain) // another one after a shutdown
	if errno != 0 {
		return errno
	}
	b.startServing(unmapped(own))
	return 0
}

// listen makes the chain's socket listen, unless it does, or another thread is about
// that.
func (b *server) listen(backlog int) unix.Errno {
	b.mu.Lock()
	ended, claimed := b.ended, b.claimed
	b.claimed = true
	b.mu.Unlock()
	switch {
	case ended:
		return unix.EINVAL
	case claimed:
		return 0
	}
	l, errno := b.through.Listen(b.bound, backlog)
	b.mu.Lock()
	if errno != 0 {
		b.claimed = false
	} else {
		b.listener = l
	}
	ended = b.ended
	b.mu.Unlock()
	if errno == 0 && ended { // meanwhile
		_ = l.Close()
		return unix.EINVAL
	}
	return errno
}

// startServing starts serve, once the chain's socket listens and the program's, at
// own, too.
func (b *server) startServing(own netip.AddrPort) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.own = own
	if b.listener == nil || b.serving != nil || b.ended {
		return
	}
	b.serving = new(sync.Once)
	b.s.work.Add(1)
	go b.serve(b.listener)
}

func (b *server) isServing() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.serving != nil
}

// stopListening does what the kernel has done with the program's socket, which has
// been shut down: it listens no longer, keeps its address, and may listen again. Like
// end it returns when that is done, by whomever.
func (b *server) stopListening() {
	b.mu.Lock()
	serving := b.serving
	b.mu.Unlock()
	if serving == nil {
		return
	}
	kept := true
	serving.Do(func() { kept = b.bindAgain() })
	if !kept {
		b.end()
	}
}

// bindAgain closes the chain's listening socket and binds another one to its address.
// It reports false where the chain does not give it the address.
func (b *server) bindAgain() bool {
	b.mu.Lock()
	listener, ended := b.listener, b.ended
	if !ended {
		b.listener, b.bound = nil, nil
	}
	b.mu.Unlock()
	if ended {
		return true
	}
	_ = listener.Close()
	bound, errno := b.through.Bind(b.domain, b.at, b.sharing)
	b.mu.Lock()
	defer b.mu.Unlock()
	if errno == 0 {
		b.bound, b.claimed, b.serving = bound, false, nil
	}
	return errno == 0
}

// server returns what is known of the call's socket. One that has no address gets
// one.
func (c *streamCall) server() (*server, unix.Errno) {
	if b := c.s.servers.lookup(c.cookie()); b != nil {
		return b, 0
	}
	at, errno := socketName(unix.SYS_GETSOCKNAME, c.socket.fd, c.socket.domain)
	if errno != 0 {
		return nil, errno
	}
	if stateOf(c.socket.fd) != tcpClose || at.Port() != 0 {
		return nil, unix.EINVAL
	}
	return c.bindJoined(netip.AddrPortFrom(at.Addr(), 0))
}

func (c *streamCall) cookie() uint64 {
	cookie, err := unix.GetsockoptUint64(c.socket.fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		return 0
	}
	return cookie
}

// bindJoined binds a socket of the chain in the place of the program's.
func (c *streamCall) bindJoined(at netip.AddrPort) (*server, unix.Errno) {
	fd, domain := c.socket.fd, c.socket.domain
	cookie := c.cookie()
	own, errno := socketName(unix.SYS_GETSOCKNAME, fd, domain)
	switch {
	case errno != 0:
		return nil, errno
	case c.s.servers.lookup(cookie) != nil || own.Port() != 0:
		return nil, unix.EINVAL
	case domain == unix.AF_INET6 && at.Addr().Is4In6() && isV6Only(fd):
		return nil, unix.EINVAL
	}
	reuse, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT)
	sharing := chains.Sharing{V6Only: domain == unix.AF_INET6 && isV6Only(fd), ReusePort: err == nil && reuse != 0}
	bound, errno := c.through.Bind(domain, at, sharing)
	if errno == unix.EADDRINUSE {
		c.s.collectListeners(&c.borrower)
		bound, errno = c.through.Bind(domain, at, sharing)
	}
	if errno != 0 {
		return nil, errno
	}
	b := &server{s: c.s, cookie: cookie, domain: domain, through: c.through, bound: bound, sharing: sharing, arriving: map[netip.AddrPort]*carried{}}
	b.at, _ = addrPortOf(bound.Addr())
	b.own, errno = bindLoopback(fd, domain)
	if errno == 0 {
		errno = c.s.servers.add(c.s, b, fd)
	}
	if errno != 0 {
		_ = bound.Close()
		return nil, errno
	}
	return b, 0
}

// collectListeners gives up what the host still holds of listening sockets that
// programs have closed, so that their addresses are free. self is the call that wants
// one.
func (s *Server) collectListeners(self *borrower) {
	s.streamCalls.release(s.listener, self)
	s.servers.collect()
}

// bindLoopback gives the program's socket an ephemeral address on the loopback.
func bindLoopback(fd, domain int) (netip.AddrPort, unix.Errno) {
	var err error
	if domain == unix.AF_INET {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: loopbacks[0].As4()})
	} else {
		err = unix.Bind(fd, &unix.SockaddrInet6{Addr: loopbacks[1].As16()})
		if errors.Is(err, unix.EADDRNOTAVAIL) { // no ::1 here
			err = unix.Bind(fd, &unix.SockaddrInet6{Addr: loopbacks[0].As16()})
		}
	}
	if err != nil {
		return netip.AddrPort{}, errnoOf(err)
	}
	at, errno := socketName(unix.SYS_GETSOCKNAME, fd, domain)
	return unmapped(at), errno
}

func addrPortOf(a net.Addr) (netip.AddrPort, bool) {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}, false
	}
	return tcp.AddrPort(), true
}

// acceptPause is the time between two attempts after a failure, such as of a host
// without descriptors, or of a program that leaves its queue full for minutes.
const acceptPause = 50 * time.Millisecond

// serve accepts from the chain until the program's socket is closed, or shut down.
func (b *server) serve(listener *wsnet.Listener) {
	defer b.s.work.Done()
	for {
		conn, err := listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			b.pause()
			continue
		}
		switch b.join(conn.(*wsnet.Conn)) {
		case 0:
		case unix.ECONNREFUSED, unix.ECONNABORTED: // the program does not listen any more
			relay.Reset(conn.(*wsnet.Conn))
			b.s.servers.collect()
			if b.listensBy(listener) {
				b.end()
			}
		default:
			relay.Reset(conn.(*wsnet.Conn))
			b.pause()
		}
	}
}

func (b *server) listensBy(listener *wsnet.Listener) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.listener == listener
}

func (b *server) pause() {
	timer := time.NewTimer(acceptPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.s.closing:
		b.end()
	}
}

// join puts a connection into the program's queue: ECONNREFUSED and ECONNABORTED
// when the program does not listen any more.
func (b *server) join(conn *wsnet.Conn) unix.Errno {
	c := &carried{}
	c.peer, _ = addrPortOf(conn.RemoteAddr())
	c.local, _ = addrPortOf(conn.LocalAddr())
	fd, from, errno := b.reach(c)
	for errno == unix.EINPROGRESS { // the queue is full: connections wait in the chain's
		if waitFor(fd, unix.POLLOUT, time.Now().Add(laterLook)) {
			soError, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
			if errno = unix.Errno(soError); err != nil {
				errno = errnoOf(err)
			}
		} else if b.s.isClosing() || b.hasEnded() {
			errno = unix.ECONNABORTED
		}
	}
	var local *net.TCPConn
	if errno == 0 {
		local, errno = tcpConn(fd)
	} else if fd >= 0 {
		_ = unix.Close(fd)
	}
	if errno != 0 {
		b.forget(from)
		return errno
	}
	b.s.work.Add(1)
	b.s.connections.Add(1)
	through := b.through.Hold()
	go func() {
		defer b.s.work.Done()
		defer b.s.connections.Done()
		defer through.Release()
		defer c.end(b.s)
		defer b.forget(from)
		b.s.relays.Run(local, conn, b.s.closing, &b.s.relayed)
	}()
	return 0
}

// reach connects to the program's socket. Under the lock nobody can accept the
// connection before it is known whose it is.
func (b *server) reach(c *carried) (fd int, from netip.AddrPort, errno unix.Errno) {
	b.mu.Lock()
	own := b.own
	b.mu.Unlock()
	domain := unix.AF_INET
	if own.Addr().Is6() {
		domain = unix.AF_INET6
	}
	fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_TCP)
	if err != nil {
		return -1, from, errnoOf(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	errno = connectSocket(fd, sockaddrFor(domain, own))
	if errno != 0 && errno != unix.EINPROGRESS {
		return fd, from, errno
	}
	from, nameErrno := socketName(unix.SYS_GETSOCKNAME, fd, domain)
	if nameErrno != 0 {
		return fd, from, nameErrno
	}
	b.arriving[from] = c
	return fd, from, errno
}

func (b *server) forget(from netip.AddrPort) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.arriving, from)
}

func (b *server) hasEnded() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ended
}

// arrivedFrom returns the connection whose host's end has that address, once.
func (b *server) arrivedFrom(from netip.AddrPort) *carried {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.arriving[from]
	delete(b.arriving, from)
	return c
}

// end closes the chain's socket, and returns when it is closed, by whomever: nobody
// connects to it any more then, and its address is free. Connections stay.
func (b *server) end() { b.closing.Do(b.closeSocket) }

// closeSocket is end, once. Until the socket is closed the table has the server, for
// those who are to wait for it.
func (b *server) closeSocket() {
	defer b.s.servers.remove(b)
	bound, listener, first := b.finish()
	switch {
	case !first:
		return
	case listener != nil:
		_ = listener.Close()
	case bound != nil:
		_ = bound.Close()
	}
	b.through.Release()
}

// finish ends a server but for the chain's socket. first is false when that has been
// done before.
func (b *server) finish() (bound *wsnet.Bound, listener *wsnet.Listener, first bool) {
	b.mu.Lock()
	serving := b.serving
	first = !b.ended
	b.ended = true
	b.mu.Unlock()
	if serving != nil {
		serving.Do(func() {}) // not while the chain's socket is changed
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bound, b.listener, first
}

// connect ends a server whose socket does not listen, by connecting it.
func (b *server) connect(ctx context.Context, to netip.AddrPort) (*wsnet.Conn, error) {
	bound, listener, first := b.finish()
	if !first {
		return nil, net.ErrClosed // with the program's socket, meanwhile
	}
	b.s.servers.remove(b)
	defer b.through.Release()
	if listener != nil { // meanwhile
		_ = listener.Close()
		return nil, net.ErrClosed
	}
	return b.through.Connect(ctx, bound, to)
}

// accepted enters the program's end of the connection, for its names.
func (c *carried) accepted(s *Server, fd, domain int) {
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		return
	}
	known := &connection{cookie: cookie, domain: domain, target: c.peer, local: c.local, cancel: func() {}, done: make(chan struct{})}
	known.end(0)
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.table.add(known) != nil {
		return
	}
	c.known = known
	if c.ended {
		s.settle(known, fd)
	}
}

func (c *carried) end(s *Server) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.known != nil {
		s.table.remove(c.known)
	}
}
