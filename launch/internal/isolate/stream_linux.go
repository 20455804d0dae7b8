package isolate

import (
	"errors"
	"io"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/waiter"

	"upcall.dev/launch/internal/relay"
)

// stream is the stack's end of a program's connection.
type stream struct {
	*gonet.TCPConn
	end   tcpip.Endpoint
	queue *waiter.Queue
	link  *link
	piece int // what is received at once: the payload of a few full packets
}

var _ relay.Copier = (*stream)(nil)

// timestampsSize is what TCP's timestamps take of a packet, in bytes.
const timestampsSize = 12

func newStream(end tcpip.Endpoint, queue *waiter.Queue, program tcpip.Address, l *link) *stream {
	network := header.IPv6MinimumSize
	if program.Len() == header.IPv4AddressSize {
		network = header.IPv4MinimumSize
	}
	const packets = 8 // the most that fit in largestJoined
	return &stream{gonet.NewTCPConn(queue, end), end, queue, l, packets * (linkMTU - network - header.TCPMinimumSize - timestampsSize)}
}

// SetLinger with 0 seconds makes Close reset the connection.
func (s *stream) SetLinger(seconds int) error {
	s.end.SocketOptions().SetLinger(tcpip.LingerOption{Enabled: seconds >= 0, Timeout: time.Duration(seconds) * time.Second})
	return nil
}

// CopyFrom sends the program what a socket of the kernel's receives, straight into
// the stack's memory.
func (s *stream) CopyFrom(from syscall.RawConn, count func(n int)) error {
	writable, room := waiter.NewChannelEntry(waiter.WritableEvents)
	s.queue.EventRegister(&writable)
	defer s.queue.EventUnregister(&writable)
	source := &source{most: s.piece}
	b := s.link.newBurst() // of what one Write sends
	defer b.end()
	s.end.SocketOptions().SetMark(b.mark)
	defer s.end.SocketOptions().SetMark(0)
	var failed tcpip.Error
	more := func(fd uintptr) bool {
		source.fd, failed = fd, nil
		for source.look() {
			var n int64
			b.hold()
			n, failed = s.end.Write(source, tcpip.WriteOptions{})
			b.release()
			count(int(n))
			if failed != nil {
				return true
			}
		}
		return source.errno != unix.EAGAIN
	}
	for {
		err := from.Read(more)
		_, full := failed.(*tcpip.ErrWouldBlock)
		switch {
		case err != nil:
			return err
		case source.errno != 0:
			return source.errno
		case full:
			<-room
		case failed != nil:
			return &relay.WriteError{Err: errors.New(failed.String())}
		default:
			return nil
		}
	}
}

// source is a socket of the kernel's as a payload of the stack's, which must have
// what it promises.
type source struct {
	fd    uintptr
	has   int        // bytes that have come and were not received
	most  int        // bytes that are received at once
	errno unix.Errno // of the last call; with has 0 and no error the stream has ended
}

// look looks how much there is, and reports whether there is anything.
func (p *source) look() bool {
	p.errno = 0
	if p.has > 0 {
		return true
	}
	var queued int32
	if _, _, p.errno = syscall.RawSyscall(unix.SYS_IOCTL, p.fd, unix.TIOCINQ, uintptr(unsafe.Pointer(&queued))); p.errno != 0 {
		return false
	}
	if p.has = int(queued); p.has == 0 {
		var one [1]byte
		p.has, p.errno = relay.Transfer(unix.SYS_RECVFROM, p.fd, one[:], unix.MSG_PEEK)
	}
	return p.has > 0
}

// Len is how many bytes Read has at least.
func (p *source) Len() int { return min(p.has, p.most) }

// Read receives. The stack calls it until it has what Len has promised.
func (p *source) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, errno := relay.Transfer(unix.SYS_RECVFROM, p.fd, b, 0)
	if n == 0 {
		if p.errno = errno; errno == 0 || errno == unix.EAGAIN { // somebody else has received it
			p.errno = unix.EIO
		}
		return 0, io.ErrUnexpectedEOF
	}
	p.has -= min(n, p.has)
	return n, nil
}

// CopyTo makes a socket of the kernel's send what comes from the program, straight
// from the stack's memory.
func (s *stream) CopyTo(to syscall.RawConn, count func(n int)) error {
	readable, some := waiter.NewChannelEntry(waiter.ReadableEvents)
	s.queue.EventRegister(&readable)
	defer s.queue.EventUnregister(&readable)
	sink := &sink{}
	var failed tcpip.Error
	more := func(fd uintptr) bool {
		sink.fd, sink.errno = fd, 0
		for failed = nil; failed == nil && sink.errno == 0; {
			var result tcpip.ReadResult
			result, failed = s.end.Read(sink, tcpip.ReadOptions{})
			count(result.Count)
			if result.Count > 0 {
				s.end.ModerateRecvBuf(result.Count)
			}
		}
		return sink.errno != unix.EAGAIN
	}
	for {
		if err := to.Write(more); err != nil {
			return &relay.WriteError{Err: err}
		}
		if sink.errno != 0 {
			return &relay.WriteError{Err: sink.errno}
		}
		switch failed.(type) {
		case *tcpip.ErrWouldBlock:
			<-some
		case *tcpip.ErrClosedForReceive:
			return nil
		default:
			return errors.New(failed.String())
		}
	}
}

// sink is a socket of the kernel's that the stack writes to, with the end locked:
// it does not wait.
type sink struct {
	fd    uintptr
	errno unix.Errno // of the last call
}

// Write sends all of b, or fails with the number of bytes that were sent.
func (p *sink) Write(b []byte) (sent int, err error) {
	for sent < len(b) {
		n, errno := relay.Transfer(unix.SYS_SENDTO, p.fd, b[sent:], 0)
		if errno != 0 {
			p.errno = errno
			return sent, errno
		}
		sent += n
	}
	return sent, nil
}
