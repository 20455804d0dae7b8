package memory_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// TestStress has goroutines do whatever they can with the same few sockets:
// nothing may panic, race or hang, and after the cleanup every overlapped
// operation has ended.
func TestStress(t *testing.T) {
	for name, layers := range stacks {
		t.Run(name, func(t *testing.T) {
			d := startedOver(t, layers, spi.Version22)
			th := d.Unbound()
			ok(t, th.WSAStartup(spi.Version22, new(ws2.WSAData)))
			s := &stress{th: th, sockets: make([]spi.Socket, 12)}
			l, name := listen(t, th)
			nonblocking(t, th, l)
			s.name = name
			f, _ := testFile(t, 500_000)
			s.file = f.Fd()
			var all sync.WaitGroup
			for seed := range 6 {
				all.Go(func() {
					r := rand.New(rand.NewPCG(uint64(seed), 1))
					for range 1500 {
						s.step(r, l)
					}
				})
			}
			done := make(chan struct{})
			go func() { all.Wait(); close(done) }()
			select {
			case <-done:
			case <-time.After(60 * time.Second):
				t.Fatal("it hangs")
			}
			ok(t, th.WSACleanup())
			ok(t, th.WSACleanup())
			for _, ov := range s.pending {
				if ov.InProgress() {
					t.Fatal("an operation is still in progress")
				}
			}
			ok(t, th.WSAStartup(spi.Version22, new(ws2.WSAData)))
		})
	}
}

type stress struct {
	th   *ws2.Thread
	name []byte
	file uintptr

	mu      sync.Mutex // guards what follows
	sockets []spi.Socket
	pending []*spi.Overlapped
}

func (s *stress) pick(r *rand.Rand) spi.Socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sockets[r.IntN(len(s.sockets))]
}

// replace puts a new socket in the place of another one, which it closes.
func (s *stress) replace(r *rand.Rand, socket spi.Socket) {
	one := uint32(1)
	_ = s.th.IoctlSocket(socket, spi.FIONBIO, &one)
	_ = s.th.SetSockOpt(socket, spi.SOL_SOCKET, spi.SO_LINGER, []byte{byte(r.IntN(2)), 0, 0, 0})
	s.mu.Lock()
	i := r.IntN(len(s.sockets))
	old := s.sockets[i]
	s.sockets[i] = socket
	s.mu.Unlock()
	if old != 0 {
		_ = s.th.CloseSocket(old)
	}
}

// overlapped starts an operation and remembers it if it is pending.
func (s *stress) overlapped(call func(*spi.Overlapped) error) {
	ov := new(spi.Overlapped)
	if call(ov) == spi.WSA_IO_PENDING.Err() {
		s.mu.Lock()
		s.pending = append(s.pending, ov)
		s.mu.Unlock()
	}
}

func (s *stress) step(r *rand.Rand, l spi.Socket) {
	th, socket := s.th, s.pick(r)
	buf := make([]byte, r.IntN(5000))
	bufs := []spi.Buf{spi.NewBuf(buf)}
	switch r.IntN(20) {
	case 0:
		if c, err := th.Socket(spi.AF_INET, spi.SOCK_STREAM, 0); err == nil {
			_ = th.Connect(c, s.name)
			s.replace(r, c)
		}
	case 1:
		if a, err := th.Accept(l, nil, nil); err == nil {
			s.replace(r, a)
		}
	case 2, 3:
		_, _ = th.Send(socket, buf, 0)
	case 4, 5:
		_, _ = th.Recv(socket, buf, int32(r.IntN(2))*spi.MSG_PEEK)
	case 6:
		s.overlapped(func(ov *spi.Overlapped) error {
			var flags uint32
			return th.WSARecv(socket, bufs, nil, &flags, ov, nil)
		})
	case 7:
		s.overlapped(func(ov *spi.Overlapped) error { return th.WSASend(socket, bufs, nil, 0, ov, nil) })
	case 8:
		_ = th.Shutdown(socket, int32(r.IntN(3)))
	case 9:
		if ev, err := th.WSACreateEvent(); err == nil {
			_ = th.WSAEventSelect(socket, ev, int32(r.IntN(64)))
			var out spi.NetworkEvents
			_ = th.WSAEnumNetworkEvents(socket, ev, &out)
			_ = th.WSAEventSelect(socket, 0, 0)
			_ = th.WSACloseEvent(ev)
		}
	case 10:
		set := spi.NewFDSet(socket, l)
		_, _ = th.Select(set, spi.NewFDSet(socket), nil, &spi.Timeval{Usec: int32(r.IntN(500))})
	case 12, 13:
		if a, err := th.Socket(spi.AF_INET, spi.SOCK_STREAM, 0); err == nil {
			out, receive := make([]byte, 200), uint32(r.IntN(2)*50)
			s.overlapped(func(ov *spi.Overlapped) error {
				return th.AcceptEx(l, a, out, receive, addressRoom, addressRoom, nil, ov)
			})
			s.replace(r, a)
		}
	case 14:
		if c, err := th.Socket(spi.AF_INET, spi.SOCK_STREAM, 0); err == nil {
			_ = th.Bind(c, addr("127.0.0.1:0"))
			s.overlapped(func(ov *spi.Overlapped) error { return th.ConnectEx(c, s.name, buf, nil, ov) })
			s.replace(r, c)
		}
	case 15:
		s.overlapped(func(ov *spi.Overlapped) error {
			return th.DisconnectEx(socket, ov, uint32(r.IntN(2))*spi.TF_REUSE_SOCKET)
		})
	case 16:
		flags := []uint32{0, spi.TF_DISCONNECT, spi.TF_DISCONNECT | spi.TF_REUSE_SOCKET}[r.IntN(3)]
		s.overlapped(func(ov *spi.Overlapped) error {
			return th.TransmitFile(socket, s.file, uint32(r.IntN(400_000)), 0, ov, nil, flags)
		})
	case 17:
		_ = th.CancelIoEx(socket, nil)
		_ = th.CancelIo(l)
	case 18:
		s.mu.Lock()
		var some *spi.Overlapped
		if n := len(s.pending); n > 0 {
			some = s.pending[r.IntN(n)]
		}
		s.mu.Unlock()
		_ = th.CancelIoEx(socket, some)
		if r.IntN(20) == 0 {
			_ = th.CancelIoEx(l, some)
		}
	case 19:
		_, _ = th.WSAPoll([]spi.PollFD{{FD: socket, Events: spi.POLLIN}, {FD: l, Events: spi.POLLOUT}}, int32(r.IntN(2)))
	case 11:
		size := uint32(r.IntN(10000))
		_ = th.SetSockOpt(socket, spi.SOL_SOCKET, spi.SO_RCVBUF, []byte{byte(size), byte(size >> 8), 0, 0})
	}
}
