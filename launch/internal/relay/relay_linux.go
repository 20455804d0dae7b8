// Package relay joins two streams.
package relay

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"upcall.dev/internal/pieces"
)

// Stream is an end of a relay.
type Stream interface {
	net.Conn
	CloseWrite() error
}

// ResetOnDeath makes the peer of an end see a reset, and not the end of the stream,
// should this process be killed while it relays.
func ResetOnDeath(end Stream) { setLinger(end, 0) }

// lastWords is how long what a lost end has sent may take to reach the other one.
const lastWords = time.Second

// Run copies both ways until both directions have ended, and counts the bytes in
// relayed. The end of one direction is passed on as a
// half-close; an error resets both ends, as does closing. An end that can no longer
// be written to is reset or gone: what it has sent before still reaches the other
// one, as it would without a relay.
func Run(local, remote Stream, closing <-chan struct{}, relayed *atomic.Int64) {
	results := make(chan error, 2)
	var lost atomic.Bool
	go func() { results <- copyHalf(remote, local, relayed, &lost) }()
	go func() { results <- copyHalf(local, remote, relayed, &lost) }()
	reset := func() {
		lost.Store(true)
		Reset(local)
		Reset(remote)
	}
	var late <-chan time.Time
	for ended := 0; ended < 2; {
		select {
		case err := <-results:
			ended++
			var write *WriteError
			switch {
			case err == nil:
			case errors.As(err, &write) && ended < 2:
				timer := time.NewTimer(lastWords)
				defer timer.Stop()
				late = timer.C
			default:
				reset()
			}
		case <-late:
			late = nil
			reset()
		case <-closing:
			closing = nil
			reset()
		}
	}
	if lost.Load() {
		reset()
		return
	}
	setLinger(local, -1) // undoes ResetOnDeath
	_ = local.Close()
	_ = remote.Close()
}

// WriteError is an error of the end that is written to, and not of the one that is
// read.
type WriteError struct{ Err error }

func (e *WriteError) Error() string { return "writing: " + e.Err.Error() }

// Unwrap returns the end's own error.
func (e *WriteError) Unwrap() error { return e.Err }

// Copier is an end that copies between itself and a socket of the kernel's better
// than by Read and Write. Both methods go on until what they read ends, or an error,
// and call count with each number of bytes that they have passed on. An error of the
// end that is written to is a [WriteError].
type Copier interface {
	CopyTo(to syscall.RawConn, count func(n int)) error
	CopyFrom(from syscall.RawConn, count func(n int)) error
}

// copyHalf copies one direction. Once lost is set the end of the other one is that of
// a reset, which is no half-close.
func copyHalf(to, from Stream, relayed *atomic.Int64, lost *atomic.Bool) error {
	err := copyUntilEnd(to, from, relayed)
	if err == nil && !lost.Load() {
		if failed := to.CloseWrite(); failed != nil {
			err = &WriteError{failed}
		}
	}
	if err != nil {
		lost.Store(true)
	}
	return err
}

func copyUntilEnd(to, from Stream, relayed *atomic.Int64) error {
	count := func(n int) { relayed.Add(int64(n)) }
	if c, ok := from.(Copier); ok {
		if raw, ok := descriptor(to); ok {
			return c.CopyTo(raw, count)
		}
	}
	if c, ok := to.(Copier); ok {
		if raw, ok := descriptor(from); ok {
			return c.CopyFrom(raw, count)
		}
	}
	var w io.Writer = to
	if conn, ok := to.(*net.TCPConn); ok {
		var err error
		if w, err = newDescriptorWriter(conn); err != nil {
			return err
		}
	}
	return copyAll(&counter{w, relayed}, from)
}

// descriptor returns what an end is to the kernel, if it is a socket of the
// kernel's and no layer wants its bytes.
func descriptor(end Stream) (raw syscall.RawConn, ok bool) {
	c, ok := end.(syscall.Conn)
	if !ok {
		return nil, false
	}
	raw, err := c.SyscallConn()
	return raw, err == nil
}

// counter counts what it passes on.
type counter struct {
	io.Writer
	relayed *atomic.Int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	c.relayed.Add(int64(n))
	if err != nil {
		err = &WriteError{err}
	}
	return n, err
}

// copyAll copies to the end of a stream. Buffers are held only while there is
// something in them, where the stream allows it: most connections are idle.
func copyAll(to io.Writer, from Stream) error {
	switch from := from.(type) {
	case *net.TCPConn:
		return copyDescriptor(to, from)
	case io.WriterTo:
		_, err := from.WriteTo(to)
		return err
	}
	var size pieces.Size // held while nothing comes: the smallest
	piece := size.Take()
	defer size.Give(piece, 0)
	for {
		n, err := from.Read(piece.Bytes())
		if n > 0 {
			if _, err := to.Write(piece.Bytes()[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// Reset closes an end so that its peer sees a reset, where it can.
func Reset(end Stream) {
	setLinger(end, 0)
	_ = end.Close()
}

func setLinger(end Stream, seconds int) {
	if l, ok := end.(interface{ SetLinger(seconds int) error }); ok {
		_ = l.SetLinger(seconds)
	}
}
