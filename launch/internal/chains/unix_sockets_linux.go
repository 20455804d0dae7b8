package chains

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// UnixCall is a call on a Unix socket that a chain decides about.
type UnixCall int

// The calls that have an address.
const (
	UnixConnect UnixCall = iota
	UnixSend             // a datagram, to an address
	UnixBind
	UnixListen // at the socket's own address
)

// checkUnix leaves Unix sockets to the kernel where no layer decides about them.
// Those that one decides about keep their own descriptors, whatever layer that is.
func (c *Chains) checkUnix() error {
	e := c.entries[unixStream]
	switch {
	case e == nil:
	case !c.catalog.JudgesUnix(e):
		c.entries[unixStream] = nil
	case !e.IFS():
		return fmt.Errorf("the chain %q has handles of its own, and a layer with rules about Unix sockets, which keep those of the program: put such rules into a filter of their own, with handles=passed and no layer with own handles over or under it", e.Name())
	}
	return nil
}

// JudgesUnix reports whether the chain decides about Unix sockets.
func (c *Chains) JudgesUnix() bool { return c.entries[unixStream] != nil }

// JudgesUnix reports whether a chain of any program decides about Unix sockets, by
// the catalog as it is now.
func (s *Set) JudgesUnix() bool {
	s.mu.Lock()
	installed := s.installed
	s.mu.Unlock()
	for _, e := range installed.Entries() {
		if kindOfEntry(&e) == unixStream && !e.Layer() && installed.JudgesUnix(&e) {
			return true
		}
	}
	return false
}

// JudgeUnix asks the chain about a call on a Unix socket that the caller carries
// out: zero allows it. path is the address that the call is about, with a leading @
// an abstract one, and empty where there is none; it may be longer than an address
// of the kernel's.
func (c *Chains) JudgeUnix(call UnixCall, path string) unix.Errno {
	e := c.entries[unixStream]
	s, err := c.thread.WSASocket(spi.AF_UNIX, spi.SOCK_STREAM, 0, &e.ProtocolInfo, 0, spi.WSA_FLAG_OVERLAPPED)
	if err != nil {
		return c.unixErrno(err)
	}
	defer func() { _ = c.thread.CloseSocket(s) }()
	name := unixName(path)
	var own []byte
	if call == UnixListen {
		own = name
	}
	var returned uint32
	if err := c.thread.WSAIoctl(s, spi.SIO_REHEARSE, own, nil, &returned, nil, nil); err != nil {
		return c.unixErrno(err)
	}
	switch call {
	case UnixConnect:
		err = c.thread.Connect(s, name)
	case UnixSend:
		_, err = c.thread.SendTo(s, nil, 0, name)
	case UnixBind:
		err = c.thread.Bind(s, name)
	case UnixListen:
		err = c.thread.Listen(s, 1)
	}
	if err != nil {
		return c.unixErrno(err)
	}
	return 0
}

// unixName lays out an address whatever its length.
func unixName(path string) []byte {
	name := binary.NativeEndian.AppendUint16(nil, spi.AF_UNIX)
	if len(path) > 0 && path[0] == '@' {
		return append(append(name, 0), path[1:]...)
	}
	name = append(name, path...)
	if path != "" {
		name = append(name, 0)
	}
	return name
}

func (c *Chains) unixErrno(err error) unix.Errno {
	if errno := c.Errno(err); errno != 0 {
		return errno
	}
	return unix.EACCES
}
