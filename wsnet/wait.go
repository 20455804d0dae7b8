package wsnet

import "time"

// attempt makes one nonblocking call and reports whether the operation is
// through, successful or not; false means that it would block. It has the form
// that syscall.RawConn asks for and ignores its argument.
type attempt = func(uintptr) bool

// A waiter parks goroutines until a socket is worth another attempt, and keeps
// its handle open while an attempt is running. The caller lets only one
// goroutine at a time read and one write.
type waiter interface {
	// read attempts until try reports true, waiting in between until the socket
	// may have become readable. It does not attempt at all when the read
	// deadline has passed (os.ErrDeadlineExceeded) or evict was called
	// (net.ErrClosed).
	read(try attempt) error
	// readNext is read after a receive that has taken all there was: it waits
	// first where the provider tells of what comes later.
	readNext(try attempt) error
	// write is read for the other direction.
	write(try attempt) error
	// setReadDeadline also ends a read that is waiting. Zero is no deadline.
	setReadDeadline(t time.Time) error
	setWriteDeadline(t time.Time) error
	// retry makes both directions attempt once more.
	retry()
	// evict ends every read and write, now and later. The handle may be closed
	// when it has returned and the socket has drained.
	evict()
	// release frees what the waiter holds, after the socket was closed.
	release()
}
