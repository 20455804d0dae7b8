package chains

import (
	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// FreshNumber returns a dup in the place of fd, with a number that means nothing to
// a DLL of the set. A socket's number is free as soon as its base provider has
// closed it, while the layers above and the DLL are still to forget it, the DLL
// last; a dup with that number would pass for the one that is being closed. What
// a layer has opened and closed by itself the DLL never forgets.
func (s *Set) FreshNumber(fd int) (int, error) {
	for s.knows(fd) {
		other, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, fd+1)
		_ = unix.Close(fd)
		if err != nil {
			return -1, err
		}
		fd = other
	}
	return fd, nil
}

// knows reports whether a DLL whose chains are in use has a socket under fd.
func (s *Set) knows(fd int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.chains {
		select {
		case <-st.done:
			if st.chains != nil && st.chains.stack.DLL().Knows(spi.Socket(fd)) {
				return true
			}
		default: // it has been given no socket yet
		}
	}
	return false
}
