package seccomp

import (
	"bytes"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// connectUnix lets connects to Unix sockets go on, but for services that look
// names up where the chain does that: their queries would go around it. A
// program that finds no such service sends queries itself.
func (s *Server) connectUnix(n *notification, name sockaddr) {
	if !isResolverSocket(name) {
		s.countUnix(n, name, 0)
		s.pass(n)
		return
	}
	through, err := s.chainsOf(int(n.TID))
	if err != nil {
		s.countUnix(n, name, 0)
		s.pass(n) // nothing of that program is carried, nor does any other connect work
		return
	}
	answers := through.AnswersNames()
	through.Release()
	if !answers {
		s.countUnix(n, name, 0)
		s.pass(n)
		return
	}
	s.reportOnce(n, "resolver", "asks the machine's own resolver, which would look names up past the chain: it is told that there is none (ENOENT)")
	s.countUnix(n, name, unix.ENOENT)
	s.fail(n, unix.ENOENT)
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
