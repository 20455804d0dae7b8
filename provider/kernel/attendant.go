//go:build linux

package kernel

import (
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// attendant is the goroutine of a started provider that attends to descriptors
// of its own, those of no client: of duplicates that other processes come for,
// and of the kernel's news about addresses and routes. It is made when there is
// first something to attend to.
type attendant struct {
	mu      sync.Mutex // a leaf: guards what follows, and epoll_ctl
	file    *os.File   // an epoll instance, in the runtime's own poller
	epoll   int
	done    chan struct{} // closed when the goroutine has ended
	ready   map[int32]func()
	last    int32
	stopped bool
}

// attend makes the goroutine call ready, with no lock held, while fd is
// readable. The result is what leave takes.
func (a *attendant) attend(fd int, ready func()) (id int32, e spi.Errno) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped {
		return 0, spi.WSANOTINITIALISED
	}
	if e := a.startLocked(); e != 0 {
		return 0, e
	}
	for a.last++; a.ready[a.last] != nil; a.last++ {
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: a.last}
	if err := unix.EpollCtl(a.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return 0, spi.FromErrno(errnoOf(err))
	}
	a.ready[a.last] = ready
	return a.last, 0
}

// leave ends attending to fd, which must still be open. A call of its function
// may be running.
func (a *attendant) leave(fd int, id int32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.ready, id)
	if !a.stopped {
		_ = unix.EpollCtl(a.epoll, unix.EPOLL_CTL_DEL, fd, nil)
	}
}

func (a *attendant) startLocked() spi.Errno {
	if a.file != nil {
		return 0
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return spi.FromErrno(errnoOf(err))
	}
	if errno := setNonblockingFlag(fd, true); errno != 0 {
		_ = unix.Close(fd)
		return spi.FromErrno(errno)
	}
	file := os.NewFile(uintptr(fd), "epoll")
	conn, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return spi.WSASYSCALLFAILURE
	}
	a.file, a.epoll = file, fd
	a.ready, a.done = map[int32]func(){}, make(chan struct{})
	go a.run(conn, a.done)
	return 0
}

// stop ends the goroutine and waits for it.
func (a *attendant) stop() {
	a.mu.Lock()
	a.stopped = true
	file := a.file
	a.mu.Unlock()
	if file != nil {
		_ = file.Close()
		<-a.done
	}
}

func (a *attendant) run(conn syscall.RawConn, done chan<- struct{}) {
	defer close(done)
	events := make([]unix.EpollEvent, 16)
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
			a.mu.Lock()
			ready := a.ready[event.Fd]
			if a.stopped {
				ready = nil
			}
			a.mu.Unlock()
			if ready != nil {
				ready()
			}
		}
	}
}
