// Package relay joins two streams.
package relay

import (
	"errors"
	"io"
	"net"
	"sync/atomic"

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

// Run copies both ways until both directions have ended, and counts the bytes in
// relayed. The end of one direction is passed on as a
// half-close; an error resets both ends, as does closing.
func Run(local, remote Stream, closing <-chan struct{}, relayed *atomic.Int64) {
	results := make(chan error, 2)
	go func() { results <- copyHalf(remote, local, relayed) }()
	go func() { results <- copyHalf(local, remote, relayed) }()
	failed := false
	for ended := 0; ended < 2; {
		select {
		case err := <-results:
			ended++
			if err != nil && !failed {
				failed = true
				Reset(local)
				Reset(remote)
			}
		case <-closing:
			closing = nil
			if !failed {
				failed = true
				Reset(local)
				Reset(remote)
			}
		}
	}
	if !failed {
		setLinger(local, -1) // undoes ResetOnDeath
		_ = local.Close()
		_ = remote.Close()
	}
}

func copyHalf(to, from Stream, relayed *atomic.Int64) error {
	var w io.Writer = to
	if conn, ok := to.(*net.TCPConn); ok {
		var err error
		if w, err = newDescriptorWriter(conn); err != nil {
			return err
		}
	}
	if err := copyAll(&counter{w, relayed}, from); err != nil {
		return err
	}
	return to.CloseWrite()
}

// counter counts what it passes on.
type counter struct {
	io.Writer
	relayed *atomic.Int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	c.relayed.Add(int64(n))
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
