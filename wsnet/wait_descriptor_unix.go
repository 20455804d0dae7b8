//go:build unix

package wsnet

import (
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// newWaiter returns the waiter that suits the kind of handle.
func newWaiter(s *socket) (waiter, error) {
	if isDescriptor(s.handle) {
		return newDescriptorWaiter(s)
	}
	return newEventWaiter(s)
}

func isDescriptor(handle spi.Socket) bool { return handle < 1<<32 }

// descriptorWaiter waits for an IFS handle in Go's network poller. The
// poller gets a duplicate, because it closes what it watches while the handle
// itself must be closed through the chain.
type descriptorWaiter struct {
	socket   *socket
	file     *os.File
	raw      syscall.RawConn
	writeEnd atomic.Bool // there is a write deadline
	evicted  atomic.Bool
}

func newDescriptorWaiter(s *socket) (*descriptorWaiter, error) {
	fd, err := unix.FcntlInt(uintptr(s.handle), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	// os.NewFile gives only a nonblocking descriptor to the poller.
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	w := &descriptorWaiter{socket: s, file: os.NewFile(uintptr(fd), "socket")}
	if w.raw, err = w.file.SyscallConn(); err != nil {
		w.file.Close()
		return nil, err
	}
	if err := w.file.SetDeadline(time.Time{}); err != nil {
		w.file.Close()
		return nil, err
	}
	return w, nil
}

// A raw call counts as a use of the file, whose Close waits for it, so that the
// handle is open in every attempt.
func (w *descriptorWaiter) read(try attempt) error { return w.outcome(w.raw.Read(try)) }

// readNext is read: the poller may have told of the next data already.
func (w *descriptorWaiter) readNext(try attempt) error { return w.read(try) }

// write leaves the poller out at first, unless a deadline may have passed: most
// writes succeed at once.
func (w *descriptorWaiter) write(try attempt) error {
	if !w.writeEnd.Load() {
		if err := w.socket.enter(); err != nil {
			return err
		}
		through := try(0)
		w.socket.leave()
		if through {
			return nil
		}
	}
	return w.outcome(w.raw.Write(try))
}

func (w *descriptorWaiter) setReadDeadline(t time.Time) error {
	return w.outcome(w.file.SetReadDeadline(t))
}

func (w *descriptorWaiter) setWriteDeadline(t time.Time) error {
	w.writeEnd.Store(!t.IsZero())
	return w.outcome(w.file.SetWriteDeadline(t))
}

// retry does nothing: the poller sees every change of a descriptor.
func (w *descriptorWaiter) retry() {}

// evict closes the duplicate, which returns when no attempt is running.
func (w *descriptorWaiter) evict() {
	w.evicted.Store(true)
	w.file.Close()
}

func (w *descriptorWaiter) release() {}

// outcome tells a deadline from the end: the poller has its own error for a file
// that is being closed.
func (w *descriptorWaiter) outcome(err error) error {
	if err != nil && w.evicted.Load() {
		return net.ErrClosed
	}
	return err
}

func (w *descriptorWaiter) rawConn() syscall.RawConn { return w.raw }
