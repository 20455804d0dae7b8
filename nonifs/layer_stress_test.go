package nonifs_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// until waits for something that another goroutine does.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for range 2000 {
		if holds() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("waited in vain: ", what)
}

// counted is an operation of the stress test; the test counts each structure's
// starts against its packets.
type counted struct {
	spi.Overlapped
	of   *party
	send bool
	buf  []byte
	bufs []spi.Buf
}

// party is a socket of the stress test with its operations.
type party struct {
	s        spi.Socket
	receives [2]*counted
	answer   *counted
	answers  atomic.Bool  // answer is in use
	left     atomic.Int32 // messages to answer, then it closes
	closed   atomic.Bool
}

// TestLayerStress has many sockets echo through two layers on one port with
// several workers, while operations are cancelled, and sockets closed with
// operations pending. Every operation that begins has one packet.
func TestLayerStress(t *testing.T) {
	for _, base := range []string{"memory", "kernel"} {
		t.Run(base, func(t *testing.T) {
			const pairs, messages, workers = 24, 40, 3
			d, th := startedOver(t, base, 2)
			port, err := d.CreateIoCompletionPort(workers)
			ok(t, err)
			var pending atomic.Int64 // operations without their packet
			var failed atomic.Int64
			var parties []*party

			begin := func(th *ws2.Thread, o *counted) {
				pending.Add(1)
				var n, flags uint32
				var err error
				if o.send {
					err = th.WSASend(o.of.s, o.bufs, &n, 0, &o.Overlapped, nil)
				} else {
					err = th.WSARecv(o.of.s, o.bufs, &n, &flags, &o.Overlapped, nil)
				}
				if err != nil && !errors.Is(err, spi.WSA_IO_PENDING) {
					pending.Add(-1) // it did not begin
					failed.Add(1)
				}
			}
			ended := func(th *ws2.Thread, packet ws2.Packet) {
				o := find(parties, packet.Overlapped)
				if o == nil {
					t.Errorf("a packet of nobody: %+v", packet)
					return
				}
				pending.Add(-1)
				p := o.of
				if o.send {
					p.answers.Store(false)
				}
				switch {
				case o.send || p.closed.Load():
				case packet.Status == spi.WSA_OPERATION_ABORTED: // cancelled
					begin(th, o)
				case packet.Status != 0 || packet.Transferred == 0:
					if p.closed.CompareAndSwap(false, true) {
						_ = th.CloseSocket(p.s)
					}
				default:
					if p.left.Add(-1) <= 0 {
						if p.closed.CompareAndSwap(false, true) {
							_ = th.CloseSocket(p.s) // with a receive pending
						}
						return
					}
					if p.answers.CompareAndSwap(false, true) {
						begin(th, p.answer)
					}
					begin(th, o)
				}
			}

			for range pairs {
				client, server := pair(t, th)
				for _, s := range []spi.Socket{client, server} {
					p := &party{s: s}
					p.left.Store(messages)
					operation := func(send bool) *counted {
						o := &counted{of: p, send: send, buf: []byte("some text")}
						o.bufs = []spi.Buf{spi.NewBuf(o.buf)}
						return o
					}
					p.receives = [2]*counted{operation(false), operation(false)}
					p.answer = operation(true)
					parties = append(parties, p)
					ok(t, d.AssociateCompletionPort(s, port, uintptr(s)))
				}
			}
			var group sync.WaitGroup
			var stop atomic.Bool
			for range workers {
				group.Go(func() {
					th := d.BindThread()
					defer th.Unbind()
					for !stop.Load() {
						packet, _ := th.GetQueuedCompletionStatus(port, 20)
						if packet.Overlapped != nil {
							ended(th, packet)
						}
					}
				})
			}
			group.Go(func() { // cancels now and then
				th := d.Unbound()
				for i := 0; !stop.Load(); i++ {
					p := parties[i%len(parties)]
					if !p.closed.Load() {
						_ = th.CancelIoEx(p.s, &p.receives[i%2].Overlapped)
					}
					time.Sleep(100 * time.Microsecond)
				}
			})
			for i, p := range parties {
				begin(th, p.receives[0])
				begin(th, p.receives[1])
				if i%2 == 0 && p.answers.CompareAndSwap(false, true) {
					begin(th, p.answer)
				}
			}
			deadline := time.Now().Add(20 * time.Second)
			open := func() (n int) {
				for _, p := range parties {
					if !p.closed.Load() {
						n++
					}
				}
				return n
			}
			for quiet := 0; open() > 0 && quiet < 50 && time.Now().Before(deadline); quiet++ {
				before := pending.Load()
				time.Sleep(10 * time.Millisecond)
				if pending.Load() != before {
					quiet = 0
				}
			}
			for _, p := range parties { // those that wait for a message that a close has swallowed
				if p.closed.CompareAndSwap(false, true) {
					_ = th.CloseSocket(p.s)
				}
			}
			until(t, "a packet for each operation", func() bool { return pending.Load() == 0 })
			stop.Store(true)
			group.Wait()
			ok(t, d.CloseCompletionPort(port))
			current.Lock()
			defer current.Unlock()
			if n := current.layer.Sockets(); n != 0 {
				t.Errorf("%d sockets are left", n)
			}
		})
	}
}

func find(parties []*party, ov *spi.Overlapped) *counted {
	for _, p := range parties {
		for _, o := range []*counted{p.receives[0], p.receives[1], p.answer} {
			if &o.Overlapped == ov {
				return o
			}
		}
	}
	return nil
}

// Operations whose port is closed go on, and end without packets.
func TestLayerOutlivesThePort(t *testing.T) {
	chains(t, func(t *testing.T, d *ws2.DLL, th *ws2.Thread) {
		for range 20 {
			client, server := pair(t, th)
			port, err := d.CreateIoCompletionPort(1)
			ok(t, err)
			ok(t, d.AssociateCompletionPort(server, port, 1))
			var group sync.WaitGroup
			group.Go(func() {
				if err := d.CloseCompletionPort(port); err != nil {
					t.Error(err)
				}
			})
			var ovs [8]spi.Overlapped
			for i := range ovs {
				var n, flags uint32
				is(t, th.WSARecv(server, []spi.Buf{spi.NewBuf(make([]byte, 1))}, &n, &flags, &ovs[i], nil), spi.WSA_IO_PENDING)
			}
			group.Wait()
			for i := range ovs {
				if i == len(ovs)/2 {
					ok(t, th.CloseSocket(client))
				} else if i < len(ovs)/2 {
					send(t, th, client, "x")
				}
				until(t, "the operation's end", func() bool { return !ovs[i].InProgress() })
				if want := uint64(1 - i/(len(ovs)/2)); ovs[i].InternalHigh != want || ovs[i].OffsetHigh != 0 {
					t.Errorf("operation %d has ended as %+v", i, &ovs[i])
				}
			}
			ok(t, th.CloseSocket(server))
		}
	})
}
