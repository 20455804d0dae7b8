package seccomp

import (
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// relaySocket is the host's UDP socket on loopback towards a program's.
type relaySocket struct {
	file *os.File
	raw  syscall.RawConn
	at   netip.AddrPort

	forward    func(payload []byte) // what the program sends
	superseded atomic.Bool          // another has taken its place
	reading    sync.WaitGroup
}

// relayQueue is the size of its receive buffer that is asked for, in bytes.
const relayQueue = 4 << 20

// newRelaySocket makes one on an IPv4 address, connected unless program is zero.
func newRelaySocket(on, program netip.AddrPort) (*relaySocket, unix.Errno) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_UDP)
	if err != nil {
		return nil, errnoOf(err)
	}
	fail := func(errno unix.Errno) (*relaySocket, unix.Errno) {
		_ = unix.Close(fd)
		return nil, errno
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, relayQueue)
	if errno := bindSocket(fd, sockaddrFor(unix.AF_INET, on)); errno != 0 {
		return fail(errno)
	}
	if program.IsValid() {
		if errno := connectSocket(fd, sockaddrFor(unix.AF_INET, program)); errno != 0 {
			return fail(errno)
		}
	}
	at, errno := socketName(unix.SYS_GETSOCKNAME, fd, unix.AF_INET)
	if errno != 0 {
		return fail(errno)
	}
	r := &relaySocket{file: os.NewFile(uintptr(fd), "datagrams"), at: at}
	if r.raw, err = r.file.SyscallConn(); err != nil {
		r.file.Close()
		return nil, errnoOf(err)
	}
	return r, 0
}

// start passes on what the program sends until the socket is closed.
func (r *relaySocket) start(s *Server, forward func([]byte)) {
	r.forward = forward
	s.work.Add(1)
	r.reading.Add(1)
	go func() {
		defer s.work.Done()
		defer r.reading.Done()
		buffer := make([]byte, maxPayload)
		_ = r.raw.Read(func(fd uintptr) bool {
			r.forwardAll(int(fd), buffer)
			return false // wait for more
		})
	}()
}

// forwardAll passes on what is in the queue.
func (r *relaySocket) forwardAll(fd int, buffer []byte) {
	for {
		n, _, err := unix.Recvfrom(fd, buffer, unix.MSG_DONTWAIT)
		switch err {
		case nil:
			r.forward(buffer[:n])
		case unix.ECONNREFUSED, unix.EINTR: // the program has closed its socket
		default:
			return
		}
	}
}

// drain closes the socket once what is in its queue has been passed on.
func (r *relaySocket) drain() {
	if r.forward != nil {
		_ = r.raw.Control(func(fd uintptr) { r.forwardAll(int(fd), make([]byte, maxPayload)) })
	}
	r.close()
	r.reading.Wait()
}

func (r *relaySocket) close() { r.file.Close() }

// send sends to the program. What has no room is lost, as from a network.
func (r *relaySocket) send(payload []byte) {
	_ = r.raw.Control(func(fd uintptr) {
		if unix.Send(int(fd), payload, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL) == unix.ECONNREFUSED {
			_ = unix.Send(int(fd), payload, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		}
	})
}

// sendFrom sends to an address from any address of loopback.
func (r *relaySocket) sendFrom(payload []byte, from netip.Addr, to netip.AddrPort) {
	control := make([]byte, unix.CmsgSpace(unix.SizeofInet4Pktinfo))
	header := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
	header.Level, header.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
	header.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
	(*unix.Inet4Pktinfo)(unsafe.Pointer(&control[unix.CmsgLen(0)])).Spec_dst = from.As4()
	name := &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	_ = r.raw.Control(func(fd uintptr) {
		_, _ = unix.SendmsgN(int(fd), payload, control, name, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	})
}
