package seccomp

import (
	"time"

	"golang.org/x/sys/unix"
)

// await waits for a blocking call until the program's socket is ready. Its
// errno is what the call fails with: of a signal, of a socket timeout, or of a
// server that stops.
func (c *datagramCall) await(events int16, timeoutOption int) unix.Errno {
	var limit time.Duration
	if t, err := unix.GetsockoptTimeval(c.fd, unix.SOL_SOCKET, timeoutOption); err == nil {
		limit = time.Duration(t.Nano())
	}
	started := time.Now()
	for look := datagramFirstLook; ; look = datagramLaterLook {
		if limit > 0 {
			left := limit - time.Since(started)
			if left <= 0 {
				return unix.EAGAIN
			}
			look = min(look, left)
		}
		if waitFor(c.fd, events, time.Now().Add(look)) {
			return 0
		}
		switch {
		case c.s.isClosing(), !stillWaiting(c.s.listener, c.n.ID):
			return unix.ENOSYS
		case hasSignal(int(c.n.TID)) && limit > 0: // never restarted, as signal(7) says
			return unix.EINTR
		case hasSignal(int(c.n.TID)):
			return restartSystemCall
		}
	}
}

// How soon a waiting call is looked after first, and then how often.
const (
	datagramFirstLook = 10 * time.Millisecond
	datagramLaterLook = 25 * time.Millisecond
)

func (s *Server) isClosing() bool {
	select {
	case <-s.closing:
		return true
	case <-s.gone:
		return true
	default:
		return false
	}
}
