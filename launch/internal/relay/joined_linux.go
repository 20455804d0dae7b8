package relay

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"upcall.dev/internal/pieces"
	"upcall.dev/spi"
)

// attended is a stream that a loop can wait for; see [wsnet.Conn.Attend].
type attended interface {
	Stream
	tryer
	Attend(by spi.Watcher, ready func()) error
}

// tryer is an end whose calls do not wait: syscall.EAGAIN when they would have to.
type tryer interface {
	TryRead(b []byte) (int, error) // io.EOF at the end of the stream
	TryWrite(b []byte) (int, error)
	CloseWrite() error
}

// joined is a relay between a socket of the kernel's and a stream, on a loop.
type joined struct {
	loop     *loop
	local    descriptorEnd
	id       int32 // of local's watch
	remote   attended
	relayed  *atomic.Int64
	watches  atomic.Bool // the loop waits for remote's descriptor
	begun    atomic.Bool
	changed  atomic.Bool // remote may be readable, or writable
	stopping atomic.Bool
	due      bool // guarded by loop.mu

	// The rest is the loop's thread's.
	up, down half // from local, to local
	over     bool
	outcome  chan error
}

// half is one direction. At most one of its ends is waited for.
type half struct {
	from, to           tryer
	readable, writable bool // as far as is known
	ended              bool
	lost               bool // from is lost: its end is no half-close
	certain            bool // from has had more than one read may take: see special
	size               pieces.Size
	piece              *pieces.Piece // nil while there is nothing in it
	n                  int           // bytes that were read into it
	rest               []byte        // of them, not yet written
}

var errStopped = errors.New("stopped")

// join makes a relay on the loop, which has not begun. It fails, and changes nothing,
// where the loop cannot wait for one of the ends.
func (l *loop) join(near *net.TCPConn, remote attended, relayed *atomic.Int64) (*joined, error) {
	raw, err := near.SyscallConn()
	if err != nil {
		return nil, err
	}
	j := &joined{loop: l, remote: remote, relayed: relayed, outcome: make(chan error, 1)}
	// Go's poller must not know of the descriptor: it would wake a thread for each event.
	failed := raw.Control(func(fd uintptr) {
		var n int
		n, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
		j.local = descriptorEnd(n)
	})
	if err = errors.Join(failed, err); err != nil {
		return nil, err
	}
	j.up = half{from: j.local, to: remote, readable: true, writable: true}
	j.down = half{from: remote, to: j.local, readable: true, writable: true}
	err = remote.Attend(j, j.remoteChanged) // from here on the thread may call
	if err == nil && !j.watches.Load() {
		err = unix.EOPNOTSUPP
	}
	if err != nil {
		_ = unix.Close(int(j.local))
		return nil, err
	}
	_ = near.Close()
	if j.id, err = l.watch(int(j.local), j.localChanged); err != nil {
		j.over = true
		j.outcome <- err
	}
	return j, nil
}

// run is the relay, until both directions have ended or closing is closed.
func (j *joined) run(closing <-chan struct{}) {
	j.begun.Store(true)
	j.loop.proceed(j)
	var err error
	select {
	case err = <-j.outcome:
	case <-closing:
		j.stopping.Store(true)
		j.loop.proceed(j)
		err = <-j.outcome
	}
	if err != nil {
		_ = unix.SetsockoptLinger(int(j.local), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		_ = unix.Close(int(j.local))
		Reset(j.remote)
		return
	}
	_ = unix.SetsockoptLinger(int(j.local), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{}) // undoes ResetOnDeath
	_ = unix.Close(int(j.local))
	_ = j.remote.Close()
}

// Watch and Unwatch are [spi.Watcher]'s, for remote.
func (j *joined) Watch(fd uintptr, ready func(events uint32)) (uintptr, spi.Errno) {
	id, err := j.loop.watch(int(fd), func(events uint32) {
		if events&special != 0 {
			j.down.certain = true
		}
		ready(events)
	})
	if err != nil {
		return 0, spi.WSAENOBUFS
	}
	j.watches.Store(true)
	return uintptr(id), 0
}

func (j *joined) Unwatch(fd, watch uintptr) { j.loop.unwatch(int(fd), int32(watch)) }

func (j *joined) remoteChanged() {
	j.changed.Store(true)
	if j.begun.Load() {
		j.loop.proceed(j)
	}
}

// special are the events of what one read may not take: urgent data, at which it stops,
// and an end.
const special = unix.EPOLLPRI | unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR

func (j *joined) localChanged(events uint32) {
	j.up.readable, j.down.writable = true, true
	if events&special != 0 {
		j.up.certain = true
	}
	j.loop.proceed(j)
}

// proceed copies a piece each way, as far as it can without waiting.
func (j *joined) proceed() {
	if j.over || !j.begun.Load() {
		return
	}
	if j.stopping.Load() {
		j.end(errStopped)
		return
	}
	if j.changed.Swap(false) {
		j.down.readable, j.up.writable = true, true
	}
	opposite := &j.down
	n, err := j.up.move()
	if err == nil {
		var m int
		opposite = &j.up
		m, err = j.down.move()
		n += m
	}
	var write *WriteError
	if errors.As(err, &write) {
		n += opposite.moveLastWords()
	}
	j.relayed.Add(int64(n))
	switch {
	case err != nil:
		j.end(err)
	case j.up.ended && j.down.ended:
		j.end(nil)
	case j.up.canMove() || j.down.canMove():
		j.loop.proceed(j)
	}
}

func (j *joined) end(err error) {
	j.over = true
	j.loop.unwatch(int(j.local), j.id)
	j.up.giveBack()
	j.down.giveBack()
	j.outcome <- err
}

// canMove reports whether move is worth a call.
func (h *half) canMove() bool {
	return !h.ended && (h.piece == nil && h.readable || h.piece != nil && h.writable)
}

// move passes one piece on, and returns how many bytes. A read that did not fill the
// piece has taken all there was, unless it is certain that there is more.
func (h *half) move() (int, error) {
	if !h.canMove() {
		return 0, nil
	}
	if h.piece == nil {
		if err := h.read(); err != nil || h.piece == nil {
			return 0, err
		}
	}
	n, err := h.to.TryWrite(h.rest)
	h.rest = h.rest[n:]
	switch {
	case err == syscall.EAGAIN:
		h.writable, err = false, nil
	case err != nil:
		err = &WriteError{err}
	}
	if len(h.rest) == 0 {
		h.giveBack()
	}
	return n, err
}

// mostLastWords bounds, in pieces, what a lost end holds up other relays for.
const mostLastWords = 256

// moveLastWords passes on what an end that can no longer be written to has sent, as far
// as the other one has room, and returns how many bytes.
func (h *half) moveLastWords() (total int) {
	h.readable, h.writable, h.lost, h.certain = true, true, true, true
	for range mostLastWords {
		n, err := h.move()
		total += n
		if err != nil || !h.canMove() {
			break
		}
	}
	return total
}

func (h *half) read() error {
	piece := h.size.Take()
	n, err := h.from.TryRead(piece.Bytes())
	h.readable = err == nil && (h.certain || n == len(piece.Bytes()))
	if err == nil {
		h.piece, h.n, h.rest = piece, n, piece.Bytes()[:n]
		return nil
	}
	h.size.Give(piece, 0)
	switch {
	case err == syscall.EAGAIN:
		return nil
	case errors.Is(err, io.EOF):
		h.ended = true
		if h.lost {
			return nil
		}
		if err := h.to.CloseWrite(); err != nil {
			return &WriteError{err}
		}
		return nil
	}
	return err
}

func (h *half) giveBack() {
	if h.piece != nil {
		h.size.Give(h.piece, h.n)
		h.piece, h.rest = nil, nil
	}
}

// descriptorEnd is a socket of the kernel's.
type descriptorEnd int

func (d descriptorEnd) TryRead(b []byte) (int, error) {
	n, errno := Transfer(unix.SYS_RECVFROM, uintptr(d), b, 0)
	switch {
	case errno != 0:
		return 0, errno
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

func (d descriptorEnd) TryWrite(b []byte) (n int, err error) {
	for n < len(b) {
		k, errno := Transfer(unix.SYS_SENDTO, uintptr(d), b[n:], 0)
		if errno != 0 {
			return n, errno
		}
		n += k
	}
	return n, nil
}

func (d descriptorEnd) CloseWrite() error { return unix.Shutdown(int(d), unix.SHUT_WR) }
