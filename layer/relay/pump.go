package relay

import (
	"time"

	"upcall.dev/nonifs"
	"upcall.dev/spi"
)

// packet is what goes from one end of a direction to the other: bytes of a
// stream, a datagram with its address, or the end.
type packet struct {
	data    []byte
	address []byte
	end     bool
	errno   spi.Errno // why it ended, 0 for the end of the stream
	release time.Time
}

// carry moves packets from read to write until the end. read may use the
// memory of its last packet again. write reports whether to go on. gone ends
// the waiting of a direction that nobody listens to any more; nil is never.
func (s *socket) carry(d Direction, read func(stop <-chan struct{}) packet, write func(packet) bool, gone <-chan struct{}) {
	if s.relay.config.Schedule == nil {
		for {
			if p := read(nil); !write(p) || p.end {
				return
			}
		}
	}
	l := newLine(s.relay.config.Limit)
	stop := make(chan struct{})
	reader := make(chan struct{})
	go func() {
		defer close(reader)
		for {
			p := read(stop)
			p.data = append([]byte(nil), p.data...)
			p.release = s.relay.schedule(d, len(p.data))
			if !l.put(p, stop) || p.end {
				return
			}
		}
	}()
	timer := time.NewTimer(time.Hour)
	for {
		p, ok := l.get(timer, [2]<-chan struct{}{s.broken, gone})
		if !ok || !write(p) || p.end {
			break
		}
	}
	timer.Stop()
	close(stop)
	<-reader
}

// await waits for a wake. False means that the socket or the direction is over.
func (s *socket) await(ready, stop <-chan struct{}, gone ...<-chan struct{}) bool {
	var also <-chan struct{}
	if len(gone) > 0 {
		also = gone[0]
	}
	select {
	case <-ready:
		return true
	case <-s.broken:
	case <-stop:
	case <-also:
	}
	return false
}

// startStream starts the two pumps of a stream, which begin has counted.
func (s *socket) startStream(in, out *nonifs.Queue) {
	s.run(func() { s.pumpUp(out) })
	s.run(func() { s.pumpDown(in) })
}

// pumpUp sends what the client sends.
func (s *socket) pumpUp(q *nonifs.Queue) {
	buf := make([]byte, s.relay.config.Chunk)
	read := func(<-chan struct{}) packet {
		n, errno := q.Read(buf)
		return packet{data: buf[:n], end: n == 0 || errno != 0, errno: errno}
	}
	write := func(p packet) bool {
		switch {
		case p.errno != 0:
			return false // the endpoint is broken, and knows it
		case p.end:
			s.next.WSPShutdown(s.lower, spi.SD_SEND)
			return true
		}
		errno := s.send(p.data)
		if errno != 0 {
			s.Abort(errno)
		}
		return errno == 0
	}
	s.carry(Up, read, write, nil)
}

// send gives all of b to the lower socket.
func (s *socket) send(b []byte) spi.Errno {
	for len(b) > 0 {
		var n uint32
		buf := [1]spi.Buf{spi.NewBuf(b)}
		switch errno := s.next.WSPSend(s.lower, buf[:], &n, 0, nil, nil, nil); errno {
		case 0:
			b = b[min(int(n), len(b)):]
		case spi.WSAEINTR:
		case spi.WSAEWOULDBLOCK:
			if !s.await(s.writable, nil) {
				return spi.WSAECONNRESET
			}
		default:
			return errno
		}
	}
	return 0
}

// pumpDown receives what the network sends.
func (s *socket) pumpDown(q *nonifs.Queue) {
	buf := make([]byte, s.relay.config.Chunk)
	read := func(stop <-chan struct{}) packet {
		for {
			var n, flags uint32
			bufs := [1]spi.Buf{spi.NewBuf(buf)}
			switch errno := s.next.WSPRecv(s.lower, bufs[:], &n, &flags, nil, nil, nil); errno {
			case 0:
				return packet{data: buf[:n], end: n == 0}
			case spi.WSAEINTR:
			case spi.WSAEWOULDBLOCK:
				if !s.await(s.readable, s.closed, stop) {
					return packet{end: true, errno: spi.WSAECONNABORTED}
				}
			default:
				return packet{end: true, errno: errno}
			}
		}
	}
	write := func(p packet) bool {
		switch {
		case p.errno != 0:
			s.Abort(p.errno)
			return true
		case p.end:
			q.End()
			return true
		}
		return q.Write(p.data) == 0
	}
	s.carry(Down, read, write, s.closed)
}
