package seccomp

import (
	"bytes"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// connectUnix asks the chain about connects of Unix sockets, of which it owns the
// dup, where it decides about those, and else lets them go on. Services that look
// names up are not there where the chain does that: their queries would go around
// it. A program that finds no such service sends queries itself.
func (s *Server) connectUnix(n *notification, fd int, name sockaddr) {
	switch {
	case isResolverSocket(name) && s.answersNames(n):
		_ = unix.Close(fd)
		s.reportOnce(n, "resolver", "asks the machine's own resolver, which would look names up past the chain: it is told that there is none (ENOENT)")
		s.countUnix(n, name, unix.ENOENT)
		s.fail(n, unix.ENOENT)
	case s.traps.Unix:
		if c := s.unixCall(n, fd, name); c != nil {
			defer c.end()
			c.fail(c.connect(name))
		}
	default:
		_ = unix.Close(fd)
		s.countUnix(n, name, 0)
		s.pass(n)
	}
}

// answersNames reports whether the chain of the calling program answers queries
// for names. One that cannot be had carries nothing of it.
func (s *Server) answersNames(n *notification) bool {
	through, err := s.chainsOf(int(n.TID))
	if err != nil {
		return false
	}
	defer through.Release()
	return through.AnswersNames()
}

// resolverSockets are where programs ask for names otherwise than by DNS: nscd,
// systemd-resolved and avahi. One that ends in a slash stands for all in that
// directory.
var resolverSockets = []string{
	"/run/nscd/socket", "/run/systemd/resolve/", "/run/avahi-daemon/socket",
}

// isResolverSocket reports whether the address of a Unix socket is that of a
// service that looks names up.
func isResolverSocket(name sockaddr) bool {
	if name.family() != unix.AF_UNIX {
		return false
	}
	text := []byte(name[2:])
	if len(text) == 0 || text[0] == 0 { // an abstract address
		return false
	}
	if end := bytes.IndexByte(text, 0); end >= 0 {
		text = text[:end]
	}
	file := path.Clean(string(text))
	file = strings.TrimPrefix(file, "/var") // /var/run is /run
	for _, socket := range resolverSockets {
		if file == socket || strings.HasSuffix(socket, "/") && strings.HasPrefix(file, socket) {
			return true
		}
	}
	return false
}
