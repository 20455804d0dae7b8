//go:build linux

package kernel_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// tally counts the packets of each operation that has begun.
type tally struct {
	mu   sync.Mutex
	left map[*spi.Overlapped]bool
	over atomic.Int64
}

// begin starts an operation: it owes one packet if the call says so.
func (c *tally) begin(t testing.TB, start func(ov *spi.Overlapped) error) {
	ov := new(spi.Overlapped)
	c.mu.Lock()
	c.left[ov] = true
	c.mu.Unlock()
	err := start(ov)
	if err == nil || errors.Is(err, spi.WSA_IO_PENDING) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.left[ov] {
		t.Errorf("a packet for an operation that failed: %v", err)
	}
	delete(c.left, ov)
}

// work dequeues until the port is closed.
func (c *tally) work(t testing.TB, d *ws2.DLL, port ws2.Port) {
	th := d.BindThread()
	defer th.Unbind()
	for {
		packet, err := th.GetQueuedCompletionStatus(port, spi.WSA_INFINITE)
		if packet.Overlapped == nil {
			want(t, err, spi.ERROR_ABANDONED_WAIT_0)
			return
		}
		if packet.Overlapped.InProgress() {
			t.Error("the packet comes before the operation is complete")
		}
		c.mu.Lock()
		if !c.left[packet.Overlapped] {
			t.Errorf("a second packet, with %v", err)
		}
		delete(c.left, packet.Overlapped)
		c.mu.Unlock()
		c.over.Add(1)
	}
}

func (c *tally) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.left)
}

// Two workers, and sockets that are used, cancelled, disconnected and closed
// from several sides at once: each operation has exactly one packet.
func TestPortUnderStress(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		d := th.DLL()
		port, err := d.CreateIoCompletionPort(2)
		ok(t, err)
		c := &tally{left: map[*spi.Overlapped]bool{}}
		var workers sync.WaitGroup
		for range 2 {
			workers.Go(func() { c.work(t, d, port) })
		}
		l, name := listen(t, th, f)
		ok(t, d.AssociateCompletionPort(l, port, 0))
		rounds := 60
		if testing.Short() {
			rounds = 15
		}
		for round := range rounds {
			random := rand.New(rand.NewPCG(1, uint64(round)))
			s, a := boundStream(t, th, f), stream(t, th, f)
			ok(t, d.AssociateCompletionPort(s, port, 0))
			ok(t, d.AssociateCompletionPort(a, port, 0))
			var n uint32
			receive := uint32(random.IntN(2) * 10)
			c.begin(t, func(ov *spi.Overlapped) error {
				return th.AcceptEx(l, a, make([]byte, receive+2*acceptRoom), receive, acceptRoom, acceptRoom, &n, ov)
			})
			c.begin(t, func(ov *spi.Overlapped) error {
				var sent uint32
				return th.ConnectEx(s, name, []byte("some data"), &sent, ov)
			})
			var calls sync.WaitGroup
			for _, x := range []spi.Socket{s, a} {
				calls.Go(func() {
					for range 10 {
						c.begin(t, func(ov *spi.Overlapped) error {
							var n, flags uint32
							return th.WSARecv(x, []spi.Buf{spi.NewBuf(make([]byte, 100))}, &n, &flags, ov, nil)
						})
					}
				})
				calls.Go(func() {
					for range 10 {
						c.begin(t, func(ov *spi.Overlapped) error {
							var n uint32
							return th.WSASend(x, []spi.Buf{spi.NewBuf(make([]byte, 3000))}, &n, 0, ov, nil)
						})
					}
				})
			}
			pause := time.Duration(random.IntN(300)) * time.Microsecond
			switch random.IntN(4) {
			case 0:
				calls.Go(func() { time.Sleep(pause); _ = th.CancelIoEx(s, nil) })
			case 1:
				calls.Go(func() {
					time.Sleep(pause)
					c.begin(t, func(ov *spi.Overlapped) error { return th.DisconnectEx(s, ov, spi.TF_REUSE_SOCKET) })
				})
			case 2:
				calls.Go(func() { time.Sleep(pause); _ = th.CloseSocket(a) })
			}
			calls.Wait()
			_ = th.CancelIoEx(l, nil)
			_ = th.CloseSocket(s)
			_ = th.CloseSocket(a)
		}
		blocked(t, func() bool { return c.count() == 0 })
		if c.over.Load() == 0 {
			t.Error("no packet at all")
		}
		ok(t, d.CloseCompletionPort(port))
		workers.Wait()
	})
}
