package seccomp

import (
	"encoding/binary"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/launch/internal/chains"
	"upcall.dev/launch/internal/tally"
)

// acceptCall is one trapped accept(2) or accept4(2).
type acceptCall struct {
	*streamCall
	flags  int // SOCK_NONBLOCK, SOCK_CLOEXEC
	queue  *acceptQueue
	kick   int     // eventfd that ends a wait, -1 before the first
	server *server // that the socket is joined to, nil where the chain accepts on the socket itself
}

// arrived is a connection that the host has taken and the program has not.
type arrived struct {
	fd      int
	peer    netip.AddrPort
	through *chains.Chains // nil where fd is not a chain's
}

func (s *Server) accept(n *notification) {
	flags := 0
	if n.Call == unix.SYS_ACCEPT4 {
		flags = int(int32(n.Args[3]))
	}
	if flags&^(unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC) != 0 {
		s.fail(n, unix.EINVAL)
		return
	}
	c := s.streamCall(n, s.pass)
	if c == nil {
		return
	}
	cookie, err := unix.GetsockoptUint64(c.socket.fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		c.fail(errnoOf(err))
		return
	}
	a := &acceptCall{streamCall: c, flags: flags, queue: s.accepts.enter(cookie), kick: -1}
	defer a.end()
	if c.carriage == chains.Own {
		c.adopted = true
	} else if a.server = s.servers.lookup(cookie); a.server == nil {
		c.fail(unix.EINVAL) // it does not listen
		return
	}
	if errno := a.run(); errno != 0 {
		c.fail(errno)
	}
}

func (a *acceptCall) end() {
	a.streamCall.end()
	a.s.accepts.leave(a.queue)
	if a.kick >= 0 {
		_ = unix.Close(a.kick)
	}
}

// run accepts, waiting for a connection on a blocking socket. It returns what is
// still to be answered.
func (a *acceptCall) run() unix.Errno {
	if errno := a.checkRoom(); errno != 0 {
		return errno
	}
	started := time.Now()
	var limit time.Duration
	if a.socket.blocking {
		if t, err := unix.GetsockoptTimeval(a.socket.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO); err == nil {
			limit = time.Duration(t.Nano())
		}
	}
	look := firstLook
	for {
		a.queue.turn <- struct{}{}
		errno := a.take()
		<-a.queue.turn
		if errno != unix.EAGAIN || !a.socket.blocking {
			return errno
		}
		for ready := false; !ready; look = laterLook {
			pause := look
			if limit > 0 {
				left := limit - time.Since(started)
				if left <= 0 {
					return unix.EAGAIN
				}
				pause = min(pause, left)
			}
			if ready, errno = a.wait(pause); errno != 0 {
				return errno
			}
			switch {
			case a.s.isClosing(), !stillWaiting(a.s.listener, a.n.ID):
				return unix.ENOSYS
			case !ready && hasSignal(int(a.n.TID)) && limit > 0: // never restarted, as signal(7) says
				return unix.EINTR
			case !ready && hasSignal(int(a.n.TID)):
				return restartSystemCall
			}
		}
	}
}

// wait waits for a connection, or until something else is to be looked at.
func (a *acceptCall) wait(limit time.Duration) (ready bool, errno unix.Errno) {
	if a.kick < 0 {
		kick, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
		if err != nil {
			return false, errnoOf(err)
		}
		a.kick = kick
		if a.s.streamCalls.wait(&a.borrower, kick); !stillWaiting(a.s.listener, a.n.ID) {
			return false, 0
		}
	}
	set := []unix.PollFd{{Fd: int32(a.socket.fd), Events: unix.POLLIN}, {Fd: int32(a.kick), Events: unix.POLLIN}}
	if _, err := unix.Poll(set, int(limit.Milliseconds())+1); err != nil && err != unix.EINTR {
		return false, errnoOf(err)
	}
	return set[0].Revents != 0, 0
}

// take takes a connection, if there is one, and hands it to the program: EAGAIN
// when there is none, zero when the call has been answered. The caller has its
// turn.
func (a *acceptCall) take() unix.Errno {
	c, ok := a.queue.takeBack()
	if !ok {
		fd := a.socket.fd
		if a.socket.blocking && !isReady(fd, unix.POLLIN) {
			return unix.EAGAIN
		}
		var errno unix.Errno
		if c, errno = a.next(); errno != 0 {
			return errno
		}
	}
	if errno := a.hand(c); errno != 0 {
		a.queue.putBack(c)
		return errno
	}
	a.counted(tally.Accepted, a.ownAddress(), 0)
	c.release()
	return 0
}

// next takes a connection from the kernel's queue.
func (a *acceptCall) next() (c arrived, errno unix.Errno) {
	if a.server == nil {
		c = arrived{through: a.through.Hold()}
		if c.fd, c.peer, errno = a.through.AcceptOwn(a.socket.fd); errno != 0 {
			c.through.Release()
		}
		return c, errno
	}
	for {
		fd, from, err := unix.Accept4(a.socket.fd, unix.SOCK_CLOEXEC)
		if err != nil {
			return c, errnoOf(err)
		}
		if joined := a.server.arrivedFrom(addrPortFrom(from)); joined != nil {
			joined.accepted(a.s, fd, a.socket.domain)
			return arrived{fd: fd, peer: joined.peer}, 0
		}
		_ = unix.Close(fd) // a stranger's
		if a.socket.blocking && !isReady(a.socket.fd, unix.POLLIN) {
			return c, unix.EAGAIN
		}
	}
}

func addrPortFrom(name unix.Sockaddr) netip.AddrPort {
	switch a := name.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return unmapped(netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port)))
	}
	return netip.AddrPort{}
}

// release gives up the host's descriptor.
func (c *arrived) release() {
	if c.through == nil {
		_ = unix.Close(c.fd)
		return
	}
	c.through.ReleaseOwn(c.fd)
	c.through.Release()
}

// checkRoom looks at the memory for the peer's address before a connection is
// taken.
func (a *acceptCall) checkRoom() unix.Errno {
	if a.n.Args[1] == 0 {
		return 0
	}
	var length [4]byte
	if err := readMemory(int(a.n.TID), a.n.Args[2], length[:]); err != nil {
		return unix.EFAULT
	}
	if int32(binary.NativeEndian.Uint32(length[:])) < 0 {
		return unix.EINVAL
	}
	return 0
}

// hand answers the call with a connection.
func (a *acceptCall) hand(c arrived) unix.Errno {
	status := 0
	if a.flags&unix.SOCK_NONBLOCK != 0 {
		status = unix.O_NONBLOCK
	}
	if _, err := unix.FcntlInt(uintptr(c.fd), unix.F_SETFL, status); err != nil {
		return errnoOf(err)
	}
	if a.n.Args[1] != 0 {
		name := sockaddrFor(a.socket.domain, c.peer)
		if errno := storeValue(int(a.n.TID), a.n.Args[1], a.n.Args[2], name, true); errno != 0 {
			return errno
		}
	}
	return errnoOfNil(answerWithDescriptor(a.s.listener, a.n.ID, c.fd, a.flags&unix.SOCK_CLOEXEC != 0))
}

func errnoOfNil(err error) unix.Errno {
	if err == nil {
		return 0
	}
	return errnoOf(err)
}

// addDescriptor is struct seccomp_notif_addfd.
type addDescriptor struct {
	ID              uint64
	Flags           uint32
	Source          uint32 // the host's
	Target          uint32
	DescriptorFlags uint32
}

// ioctlNotifAddFD is SECCOMP_IOCTL_NOTIF_ADDFD.
const ioctlNotifAddFD = 0x40182103

// answerWithDescriptor puts a dup of the host's descriptor into the program and
// answers the call with its number, in one step: neither or both are done.
func answerWithDescriptor(listener int, id uint64, fd int, closeOnExec bool) error {
	add := addDescriptor{ID: id, Flags: unix.SECCOMP_ADDFD_FLAG_SEND, Source: uint32(fd)}
	if closeOnExec {
		add.DescriptorFlags = unix.O_CLOEXEC
	}
	return ioctl(listener, ioctlNotifAddFD, unsafe.Pointer(&add))
}

// isReady polls one descriptor without waiting. It also reports ends and errors.
func isReady(fd int, events int16) bool {
	set := []unix.PollFd{{Fd: int32(fd), Events: events}}
	n, err := unix.Poll(set, 0)
	return err != nil || n > 0
}
