//go:build linux

package kernel

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// epollLoop is an epoll instance with the goroutine that waits on it, in the
// runtime's own poller.
type epollLoop struct {
	file *os.File
	fd   int
	done chan struct{} // closed when the goroutine has ended
}

// startEpoll begins a loop that calls happened for each event, and takes up to
// batch at once.
func startEpoll(batch int, happened func(unix.EpollEvent)) (*epollLoop, spi.Errno) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, spi.FromErrno(errnoOf(err))
	}
	if errno := setNonblockingFlag(fd, true); errno != 0 {
		_ = unix.Close(fd)
		return nil, spi.FromErrno(errno)
	}
	file := os.NewFile(uintptr(fd), "epoll")
	conn, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return nil, spi.WSASYSCALLFAILURE
	}
	l := &epollLoop{file: file, fd: fd, done: make(chan struct{})}
	go l.run(conn, make([]unix.EpollEvent, batch), happened)
	return l, 0
}

func (l *epollLoop) run(conn syscall.RawConn, events []unix.EpollEvent, happened func(unix.EpollEvent)) {
	defer close(l.done)
	for {
		var n int
		var failed error
		err := conn.Read(func(fd uintptr) bool {
			n, failed = unix.EpollWait(int(fd), events, 0)
			return n > 0 || failed != nil && failed != unix.EINTR
		})
		if err != nil || failed != nil {
			return // stopped
		}
		for _, event := range events[:n] {
			happened(event)
		}
	}
}

// stop ends the goroutine and waits for it.
func (l *epollLoop) stop() {
	_ = l.file.Close()
	<-l.done
}
