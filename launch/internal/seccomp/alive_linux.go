package seccomp

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// alive tells which sockets programs still have open, without a descriptor of
// its own on them: the kernel takes a socket out of an epoll set when its last
// descriptor is closed, and lists the set in /proc/self/fdinfo.
type alive struct{ epoll int }

func newAlive() (alive, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	return alive{epoll: fd}, err
}

// watch enters the socket under an id, which is its last where it was entered by
// that descriptor before. fd may be closed then.
func (a alive) watch(fd int, id uint64) error {
	event := unix.EpollEvent{Fd: int32(id), Pad: int32(id >> 32)}
	err := unix.EpollCtl(a.epoll, unix.EPOLL_CTL_ADD, fd, &event)
	if errors.Is(err, unix.EEXIST) {
		return unix.EpollCtl(a.epoll, unix.EPOLL_CTL_MOD, fd, &event)
	}
	return err
}

// all returns the ids of the sockets that are open.
func (a alive) all() (map[uint64]bool, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", a.epoll))
	if err != nil {
		return nil, err
	}
	ids := map[uint64]bool{}
	for line := range strings.Lines(string(text)) {
		_, rest, found := strings.Cut(line, "data:")
		if fields := strings.Fields(rest); found && len(fields) > 0 {
			if data, err := strconv.ParseUint(fields[0], 16, 64); err == nil {
				ids[data] = true
			}
		}
	}
	return ids, nil
}

// hungUp returns the ids of the sockets that report EPOLLHUP, as one does that has
// been shut down; most is how many there may be.
func (a alive) hungUp(most int) (map[uint64]bool, error) {
	events := make([]unix.EpollEvent, most)
	n, err := unix.EpollWait(a.epoll, events, 0)
	if err != nil {
		return nil, err
	}
	ids := map[uint64]bool{}
	for _, e := range events[:n] {
		if e.Events&unix.EPOLLHUP != 0 {
			ids[uint64(uint32(e.Fd))|uint64(uint32(e.Pad))<<32] = true
		}
	}
	return ids, nil
}

func (a alive) close() { _ = unix.Close(a.epoll) }
