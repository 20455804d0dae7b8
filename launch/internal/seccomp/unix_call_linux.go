package seccomp

import (
	"bytes"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/launch/internal/chains"
)

// unixCall is a trapped call on a Unix socket about which a chain decides. The
// host carries out on a dup of the socket what the chain has allowed.
type unixCall struct {
	s        *Server
	n        *notification
	fd       int // a dup of the program's socket; closed by end
	sockType int
	through  *chains.Chains
	view     *view // where the program's paths lead; nil until one is asked for
}

// unixCall looks at a socket of AF_UNIX, of which it owns the dup: nil when the
// call has been answered, for no chain decides about it. name is the address, if
// it has been read.
func (s *Server) unixCall(n *notification, fd int, name sockaddr) *unixCall {
	c := &unixCall{s: s, n: n, fd: fd}
	errno := c.describe()
	switch {
	case !stillWaiting(s.listener, n.ID):
	case errno != 0:
		s.fail(n, errno)
	case !c.through.JudgesUnix():
		s.countUnix(n, name, 0)
		s.pass(n)
	default:
		return c
	}
	c.end()
	return nil
}

func (c *unixCall) describe() unix.Errno {
	var err error
	if c.sockType, err = unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil {
		return errnoOf(err)
	}
	if c.through, err = c.s.chainsOf(int(c.n.TID)); err != nil {
		c.s.reported.once(err.Error(), func() {
			c.s.Log(fmt.Sprintf("%v; what the program does with Unix sockets fails with ENETDOWN", err))
		})
		return unix.ENETDOWN
	}
	return 0
}

func (c *unixCall) end() {
	_ = unix.Close(c.fd)
	if c.through != nil {
		c.through.Release()
	}
	c.view.close()
}

func (c *unixCall) fail(errno unix.Errno) { c.s.fail(c.n, errno) }

// unixName is the address of a Unix socket.
type unixName struct {
	raw      sockaddr // as the program wrote it
	path     string   // of a file
	abstract string   // with a leading @
}

// parseUnixName checks an address as the kernel does.
func parseUnixName(name sockaddr) (u unixName, errno unix.Errno) {
	u.raw = name
	if len(name) < 2 || name.family() != unix.AF_UNIX || len(name) > unix.SizeofSockaddrUnix {
		return u, unix.EINVAL
	}
	text := name[2:]
	switch {
	case len(text) == 0: // unnamed
	case text[0] == 0:
		u.abstract = "@" + string(text[1:])
	default:
		if end := bytes.IndexByte(text, 0); end >= 0 {
			text = text[:end]
		}
		u.path = string(text)
	}
	return u, 0
}

// connect handles connect(2). The address has been read.
func (c *unixCall) connect(name sockaddr) unix.Errno {
	if c.sockType == unix.SOCK_DGRAM && name.family() == unix.AF_UNSPEC {
		return connectSocket(c.fd, name) // ends the association
	}
	u, errno := parseUnixName(name)
	if errno != 0 {
		return errno
	}
	who, errno := identify(int(c.n.TID))
	if errno != 0 {
		return errno
	}
	return c.toPeer(&u, who, chains.UnixConnect, func(to sockaddr) unix.Errno {
		return c.patiently(unix.SO_SNDTIMEO, func() unix.Errno { return c.connectNow(to) })
	})
}

// toPeer finds what an address means to the program, asks the chain about it, and
// acts on the very file that the chain has decided on, whatever has its name by
// then.
func (c *unixCall) toPeer(u *unixName, who *identity, call chains.UnixCall, act func(to sockaddr) unix.Errno) unix.Errno {
	if u.path == "" {
		if errno := c.judge(call, u.abstract); errno != 0 {
			return errno
		}
		return c.counted(call, u.abstract, who.act(func() unix.Errno { return act(u.raw) }))
	}
	if errno := c.look(); errno != 0 {
		return errno
	}
	var file place
	found := who.act(func() (errno unix.Errno) {
		file, errno = c.view.file(u.path)
		return errno
	})
	defer file.close()
	if errno := c.judge(call, file.path); errno != 0 {
		return errno
	}
	if found != 0 {
		return found
	}
	return c.counted(call, file.path, who.act(func() unix.Errno { return act(ownFile(file.fd)) }))
}

// judge asks the chain about an address.
func (c *unixCall) judge(call chains.UnixCall, path string) unix.Errno {
	errno := c.through.JudgeUnix(call, path)
	if errno != 0 {
		c.s.countUnixJudged(c, call, path, errno)
	}
	return errno
}

// counted enters what has been carried out as the chain allows it.
func (c *unixCall) counted(call chains.UnixCall, path string, errno unix.Errno) unix.Errno {
	if errno == 0 {
		c.s.countUnixJudged(c, call, path, 0)
	}
	return errno
}

// look opens the program's view of the file system.
func (c *unixCall) look() (errno unix.Errno) {
	if c.view == nil {
		c.view, errno = viewOf(int(c.n.TID))
	}
	return errno
}

// connectNow is connect(2) that does not wait: EAGAIN where the listener's queue is
// full. A socket that is not connected has no other call that O_NONBLOCK could
// disturb.
func (c *unixCall) connectNow(to sockaddr) unix.Errno {
	flags, err := unix.FcntlInt(uintptr(c.fd), unix.F_GETFL, 0)
	if err != nil {
		return errnoOf(err)
	}
	if c.sockType == unix.SOCK_DGRAM || flags&unix.O_NONBLOCK != 0 {
		return connectSocket(c.fd, to)
	}
	_, _ = unix.FcntlInt(uintptr(c.fd), unix.F_SETFL, flags|unix.O_NONBLOCK)
	errno := connectSocket(c.fd, to)
	_, _ = unix.FcntlInt(uintptr(c.fd), unix.F_SETFL, flags)
	return errno
}

// patiently tries again for a socket that blocks, for nothing tells when a peer's
// queue has room. It ends as a call that waits does, by a signal or the socket's
// timeout.
func (c *unixCall) patiently(timeoutOption int, try func() unix.Errno) unix.Errno {
	errno := try()
	if errno != unix.EAGAIN {
		return errno
	}
	flags, err := unix.FcntlInt(uintptr(c.fd), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_NONBLOCK != 0 {
		return errno
	}
	var limit time.Duration
	if t, err := unix.GetsockoptTimeval(c.fd, unix.SOL_SOCKET, timeoutOption); err == nil {
		limit = time.Duration(t.Nano())
	}
	started := time.Now()
	for pause := time.Millisecond; errno == unix.EAGAIN; pause = min(2*pause, unixLongestPause) {
		switch {
		case limit > 0 && time.Since(started) >= limit:
			return unix.EAGAIN
		case c.s.isClosing(), !stillWaiting(c.s.listener, c.n.ID):
			return unix.ENOSYS
		case hasSignal(int(c.n.TID)) && limit > 0:
			return unix.EINTR
		case hasSignal(int(c.n.TID)):
			return restartSystemCall
		}
		time.Sleep(pause)
		errno = try()
	}
	return errno
}

// unixLongestPause is between two looks whether a peer's queue has room.
const unixLongestPause = 20 * time.Millisecond
