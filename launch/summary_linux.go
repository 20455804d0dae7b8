package launch

import (
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"upcall.dev/launch/internal/tally"
)

// summarize tells what has become of the program's sockets.
func (l *launcher) summarize() {
	if l.tally == nil {
		return
	}
	s := summaryOf(l.tally)
	if l.Verbose {
		for line := range strings.Lines(s.String()) {
			l.Log(strings.TrimSuffix(line, "\n"))
		}
	}
	if l.Summary != nil {
		l.Summary(s)
	}
}

// countInherited enters the network sockets that the program starts with: they
// are connected already, or bound, past every chain.
func (l *launcher) countInherited() {
	if l.tally == nil {
		return
	}
	for _, stream := range []any{l.Stdin, l.Stdout, l.Stderr} {
		if f, ok := stream.(*os.File); ok && f != nil {
			if raw, err := f.SyscallConn(); err == nil {
				_ = raw.Control(func(fd uintptr) { l.countSocket(int(fd)) })
			}
		}
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= 2 {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			l.countSocket(fd)
		}
	}
}

// countSocket enters a socket of a network that the program inherits.
func (l *launcher) countSocket(fd int) {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || domain == unix.AF_UNIX || domain == unix.AF_NETLINK {
		return
	}
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		return
	}
	p := tally.Place{Protocol: "inherited", Outcome: tally.PassedBy, How: "open before the program started"}
	if name, err := unix.Getpeername(fd); err == nil {
		p.Address = addressOf(name)
	} else if name, err := unix.Getsockname(fd); err == nil {
		p.Direction, p.Address = tally.At, addressOf(name)
	}
	l.tally.Count(tally.Use{Place: p, Socket: cookie})
}

func addressOf(name unix.Sockaddr) netip.AddrPort {
	switch a := name.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}
