package launch

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// stream is the chain's end of a relay.
type stream interface {
	net.Conn
	CloseWrite() error
}

// relayBuffer is the size of one copy, in bytes.
const relayBuffer = 256 << 10

var relayBuffers = sync.Pool{New: func() any { b := make([]byte, relayBuffer); return &b }}

// startRelay joins the two ends until both directions have ended. The
// connection stays in the table as long, for getpeername.
func (s *server) startRelay(c *connection, local, remote stream) {
	s.work.Add(1)
	s.connections.Add(1)
	go func() {
		defer s.work.Done()
		defer s.connections.Done()
		defer s.table.remove(c)
		relay(local, remote, s.closing, &s.relayed)
	}()
}

// relay copies both ways. The end of one direction is passed on as a
// half-close; an error resets both ends, as does closing.
func relay(local, remote stream, closing <-chan struct{}, relayed *atomic.Int64) {
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
				reset(local)
				reset(remote)
			}
		case <-closing:
			closing = nil
			if !failed {
				failed = true
				reset(local)
				reset(remote)
			}
		}
	}
	if !failed {
		_ = local.Close()
		_ = remote.Close()
	}
}

func copyHalf(to, from stream, relayed *atomic.Int64) error {
	pooled := relayBuffers.Get().(*[]byte)
	defer relayBuffers.Put(pooled)
	buffer := *pooled
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return err
			}
			relayed.Add(int64(n))
		}
		switch {
		case errors.Is(err, io.EOF):
			return to.CloseWrite()
		case err != nil:
			return err
		}
	}
}

// reset closes an end so that its peer sees a reset, where it can.
func reset(end stream) {
	if l, ok := end.(interface{ SetLinger(seconds int) error }); ok {
		_ = l.SetLinger(0)
	}
	_ = end.Close()
}
