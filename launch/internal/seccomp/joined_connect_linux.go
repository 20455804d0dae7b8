package seccomp

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// connectJoined sets the peer of the chain's socket, and connects the program's
// with a relay socket that stands for that peer.
func (c *datagramCall) connectJoined(name sockaddr) unix.Errno {
	if name.family() == unix.AF_UNSPEC {
		if c.joined == nil {
			return connectSocket(c.fd, name)
		}
		return c.joined.disconnect(c.fd, name)
	}
	target, errno := c.peer(name)
	if errno != 0 {
		return errno
	}
	j, errno := c.join(c.anywhere(), false)
	if errno != 0 {
		return errno
	}
	return j.connect(c.fd, target, threadGroup(int(c.n.TID)), int(int32(c.n.Args[0])))
}

func (j *joinedSocket) connect(fd int, target netip.AddrPort, tgid, number int) unix.Errno {
	j.mu.Lock()
	old := j.relay
	errno := j.connectLocked(fd, target)
	if errno == 0 {
		j.tgid, j.fd = tgid, number
	} else {
		old = nil
	}
	j.mu.Unlock()
	if old != nil {
		old.drain()
	}
	return errno
}

func (j *joinedSocket) connectLocked(fd int, target netip.AddrPort) unix.Errno {
	if j.closed {
		return unix.ENOSYS
	}
	if errno := j.chain.Connect(target); errno != 0 {
		return errno
	}
	relay, errno := newRelaySocket(netip.AddrPortFrom(j.peers.of(target), 0), j.at)
	if errno != 0 {
		return errno
	}
	if errno := connectSocket(fd, sockaddrFor(j.domain, relay.at)); errno != 0 {
		relay.close()
		return errno
	}
	if j.relay != nil {
		j.relay.superseded.Store(true)
	}
	j.relay, j.peer = relay, target
	relay.start(j.s, func(payload []byte) { j.forward(relay, target, payload) })
	return 0
}

// forward sends the chain what the program has sent to its connected peer.
func (j *joinedSocket) forward(relay *relaySocket, target netip.AddrPort, payload []byte) {
	var errno unix.Errno
	if relay.superseded.Load() {
		errno = j.chain.SendTo(payload, target, false, true)
	} else {
		errno = j.chain.Send(payload)
	}
	if errno == 0 || relay.superseded.Load() || errno == unix.EBADF {
		return
	}
	j.s.work.Add(1)
	go func() {
		defer j.s.work.Done()
		j.refuse(relay)
	}()
}

// disconnect undoes connect. Like the kernel it lets go of a port that the
// program has not chosen.
func (j *joinedSocket) disconnect(fd int, unspecified sockaddr) unix.Errno {
	j.mu.Lock()
	old := j.relay
	j.relay, j.peer = nil, netip.AddrPort{}
	if old != nil {
		old.superseded.Store(true)
	}
	errno := connectSocket(fd, unspecified)
	if errno == 0 && old != nil {
		errno = j.chain.Disconnect()
	}
	if at, failed := socketName(unix.SYS_GETSOCKNAME, fd, j.domain); errno == 0 && failed == 0 && at.Port() == 0 {
		errno = bindSocket(fd, sockaddrFor(j.domain, loopbackFor(j.domain, 0)))
		if at, failed = socketName(unix.SYS_GETSOCKNAME, fd, j.domain); failed == 0 {
			j.at = unmapped(at)
		}
	}
	j.mu.Unlock()
	if old != nil {
		old.drain()
	}
	return errno
}

// refuse gives the program's connected socket the error that the kernel gives
// after an ICMP message: for a moment nobody is at the relay's address, and an
// empty datagram is sent there on the program's socket. relay is the one that the
// news is of, nil for the one that is connected.
func (j *joinedSocket) refuse(relay *relaySocket) {
	j.mu.Lock()
	defer j.mu.Unlock()
	old := j.relay
	if j.closed || old == nil || relay != nil && relay != old {
		return
	}
	fd, err := j.s.pidfds.borrow(j.tgid, j.fd)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE); err != nil || cookie != j.cookie {
		return
	}
	old.superseded.Store(true)
	old.drain()
	_ = unix.Send(fd, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	target := j.peer
	again, errno := newRelaySocket(old.at, j.at)
	if errno != 0 { // somebody else has taken the port
		if again, errno = newRelaySocket(netip.AddrPortFrom(old.at.Addr(), 0), j.at); errno != 0 {
			j.relay = nil
			return
		}
		_ = connectSocket(fd, sockaddrFor(j.domain, again.at))
	}
	j.relay = again
	again.start(j.s, func(payload []byte) { j.forward(again, target, payload) })
}
