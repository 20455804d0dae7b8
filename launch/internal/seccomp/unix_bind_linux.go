package seccomp

import (
	"fmt"
	"path"

	"golang.org/x/sys/unix"

	"upcall.dev/launch/internal/chains"
)

// bind handles bind(2). The kernel keeps the address as it is written, for
// getsockname and for peers, so that the host binds by the very words of the
// program, from the program's directory and with its umask: in a root of another
// file system these words would lead elsewhere, and the call is refused.
func (c *unixCall) bind() {
	n := c.n
	length := int32(n.Args[2])
	if length < 0 || length > maxSockaddr {
		c.fail(unix.EINVAL)
		return
	}
	name := make(sockaddr, length)
	if err := readMemory(int(n.TID), n.Args[1], name); err != nil {
		c.s.memoryRefused(n, err)
		return
	}
	c.fail(c.bindTo(name))
}

func (c *unixCall) bindTo(name sockaddr) unix.Errno {
	u, errno := parseUnixName(name)
	if errno != 0 {
		return errno
	}
	who, errno := identify(int(c.n.TID))
	if errno != 0 {
		return errno
	}
	if u.path == "" {
		if errno := c.judge(chains.UnixBind, u.abstract); errno != 0 {
			return errno
		}
		return bindSocket(c.fd, u.raw)
	}
	if errno := c.look(); errno != 0 {
		return errno
	}
	var at place
	found := who.act(func() (errno unix.Errno) {
		at, errno = c.view.directory(u.path)
		return errno
	})
	defer at.close()
	if errno := c.judge(chains.UnixBind, at.path); errno != 0 {
		return errno
	}
	if found != 0 {
		return found
	}
	return who.apart(func() unix.Errno {
		if err := unix.Fchdir(c.view.cwd); err != nil {
			return errnoOf(err)
		}
		if !leadsTo(u.path, at.fd) {
			return c.elsewhere(u.path)
		}
		errno := bindSocket(c.fd, u.raw)
		if errno == 0 && !leadsTo(u.path, at.fd) { // another has moved directories meanwhile
			return unix.EACCES
		}
		return errno
	})
}

// leadsTo reports whether the file of a path would be in the directory.
func leadsTo(name string, directory int) bool {
	dir, _ := path.Split(name)
	if dir == "" {
		dir = "."
	}
	fd, err := openPath(unix.AT_FDCWD, dir)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return sameFile(fd, directory)
}

func (c *unixCall) elsewhere(name string) unix.Errno {
	process := processName(int(c.n.TID))
	c.s.reported.once("elsewhere "+process, func() {
		c.s.Log(fmt.Sprintf("%s binds a Unix socket to %s, which is another directory for upcall, where rules are about Unix sockets: it gets EACCES; let it bind to a relative path, or in a directory that both see", process, name))
	})
	return unix.EACCES
}

// listenUnix asks the chain whether a Unix socket may listen at its address, which
// cannot change any more: the call itself is the kernel's, which keeps who made it
// for SO_PEERCRED.
func (s *Server) listenUnix(n *notification, fd int) {
	c := s.unixCall(n, fd, nil)
	if c == nil {
		return
	}
	defer c.end()
	name, errno := rawSocketName(unix.SYS_GETSOCKNAME, c.fd)
	if errno != 0 {
		c.fail(errno)
		return
	}
	u, errno := parseUnixName(name)
	if errno != 0 {
		s.pass(n)
		return
	}
	text := u.abstract
	switch {
	case text == "" && u.path == "" && c.sockType != unix.SOCK_DGRAM: // another thread may be about to bind it
		c.fail(unix.EINVAL)
		return
	case u.path != "":
		if errno := c.look(); errno != 0 {
			c.fail(errno)
			return
		}
		file, _ := c.view.file(u.path)
		file.close()
		text = file.path
	}
	if errno := c.judge(chains.UnixListen, text); errno != 0 {
		c.fail(errno)
		return
	}
	c.counted(chains.UnixListen, text, 0)
	s.pass(n)
}
