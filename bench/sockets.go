package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// counts are the rows that have a number of sockets: what one costs by itself,
// and what the others cost an operation.
func counts() []row {
	list := []row{
		{"memory provider, 1 000 000 idle sockets, each", "bytes", idle(1_000_000, false), atMost(600, "bytes")},
		{"memory provider, 100 000 idle connected sockets, each", "bytes", idle(100_000, true), forInformation()},
	}
	const (
		inMemory = "memory, message to packet, sockets on the port: "
		overTCP  = "TCP, message at a time, CPU, against C epoll, sockets on the port: "
	)
	list = append(list,
		row{inMemory + "1", "ns", amongMemory(1, 1, 0), forInformation()},
		row{inMemory + "100", "ns", amongMemory(busy, busy, 0), forInformation()},
		row{inMemory + "100 and 9 900 idle, against 100", "ns", amongMemory(10_000, busy, busy), ratioAtMost(1.25)},
		row{inMemory + "100 and 99 900 idle, against 100", "ns", amongMemory(100_000, busy, busy), ratioAtMost(1.25)},
		row{inMemory + "100 000, against 100", "ns", amongMemory(100_000, 100_000, busy), forInformation()},
		row{overTCP + "1", "ns", amongTCP(1), forInformation()},
		row{overTCP + "100", "ns", amongTCP(100), forInformation()},
		row{overTCP + "10 000", "ns", amongTCP(10_000), forInformation()},
		row{overTCP + "100 000", "ns", amongTCP(100_000), forInformation()},
	)
	return list
}

// busy is how many sockets have messages where the others only are there.
const busy = 100

// amongTCP compares servers that have so many connections of which a random one
// at a time has a message.
func amongTCP(sockets int) func() (side, side, func(), error) {
	return func() (side, side, func(), error) {
		if limit := descriptors(); limit < uint64(sockets)+100 {
			return nil, nil, nil, absent(fmt.Sprintf("a process may have %d descriptors here (RLIMIT_NOFILE)", limit))
		}
		return echo(processor, "port", "epoll", 64, sockets, 1)()
	}
}

// descriptors returns how many descriptors a process may have.
func descriptors() uint64 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return limit.Max
}

func memoryThread() (*ws2.Thread, func(), error) {
	c, err := catalog.Compose(catalog.Default(), "memory", nil)
	if err != nil {
		return nil, nil, err
	}
	return bound(c)
}

// connected makes n connections and calls have with both ends of each.
func connected(th *ws2.Thread, n int, have func(client, server spi.Socket) error) error {
	// One address has only so many ports.
	const each = 10_000
	for first := 0; first < n; first += each {
		l, err := th.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		at := func(low, port uint16) []byte {
			return spi.SockaddrFrom(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, byte(low >> 8), byte(low)}), port))
		}
		address := at(uint16(1+first/each), 7)
		if err := errors.Join(th.Bind(l, address), th.Listen(l, spi.SOMAXCONN)); err != nil {
			return err
		}
		for i := range min(each, n-first) {
			client, err := th.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			if err := errors.Join(th.Bind(client, at(uint16(1+first/each), uint16(1024+i))), th.Connect(client, address)); err != nil {
				return err
			}
			server, err := th.Accept(l, nil, nil)
			if err != nil {
				return err
			}
			if err := have(client, server); err != nil {
				return err
			}
		}
		if err := th.CloseSocket(l); err != nil {
			return err
		}
	}
	return nil
}

// idle measures the memory of n sockets that nothing happens to, once.
func idle(n int, connect bool) func() (side, side, func(), error) {
	return func() (side, side, func(), error) {
		th, done, err := memoryThread()
		if err != nil {
			return nil, nil, nil, err
		}
		before := inUse()
		if connect {
			err = connected(th, n/2, func(_, _ spi.Socket) error { return nil })
		} else {
			for i := 0; i < n && err == nil; i++ {
				_, err = th.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
			}
		}
		bytes := float64(inUse()-before) / float64(n)
		return func(time.Duration) (float64, error) { return bytes, err }, nil, done, err
	}
}

// inUse returns the bytes of the heap and the stacks that are in use.
func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// amongMemory measures a message from its sending to the packet of its
// receive, with a receive pending on each of n sockets of one port, to random
// ones of the first hot of them; the comparator is the same with so many sockets
// alone, if not 0.
func amongMemory(n, hot, alone int) func() (side, side, func(), error) {
	return func() (side, side, func(), error) {
		subject, done, err := receivers(n, hot)
		if err != nil || alone == 0 {
			return subject, nil, done, err
		}
		comparator, doneToo, err := receivers(alone, alone)
		if err != nil {
			done()
			return nil, nil, nil, err
		}
		return subject, comparator, func() { doneToo(); done() }, nil
	}
}

// receiver is a socket with a pending receive.
type receiver struct {
	spi.Overlapped // first: a packet's Overlapped is the receiver
	socket, peer   spi.Socket
	bufs           [1]spi.Buf
	flags          uint32
	buffer         [64]byte
}

func receivers(n, hot int) (side, func(), error) {
	th, done, err := memoryThread()
	if err != nil {
		return nil, nil, err
	}
	dll := th.DLL()
	port, err := dll.CreateIoCompletionPort(1)
	if err != nil {
		done()
		return nil, nil, err
	}
	receive := func(r *receiver) error {
		r.bufs[0] = spi.NewBuf(r.buffer[:])
		return begun(th.WSARecv(r.socket, r.bufs[:], nil, &r.flags, &r.Overlapped, nil))
	}
	all := make([]*receiver, 0, n)
	err = connected(th, n, func(client, server spi.Socket) error {
		r := &receiver{socket: server, peer: client}
		all = append(all, r)
		if err := dll.AssociateCompletionPort(server, port, 1); err != nil {
			return err
		}
		return receive(r)
	})
	if err != nil {
		done()
		return nil, nil, err
	}
	message := make([]byte, 64)
	return func(each time.Duration) (float64, error) {
			return perCall(each, 100, func() error {
				for range 100 {
					to := all[rand.IntN(hot)]
					if _, err := th.Send(to.peer, message, 0); err != nil {
						return err
					}
					p, err := th.GetQueuedCompletionStatus(port, spi.WSA_INFINITE)
					if err != nil {
						return err
					}
					if r := (*receiver)(unsafe.Pointer(p.Overlapped)); r != to || p.Transferred != 64 {
						return fmt.Errorf("a packet of %d bytes for another receiver", p.Transferred)
					}
					if err := receive(to); err != nil {
						return err
					}
				}
				return nil
			})
		}, func() {
			done()
			_ = dll.CloseCompletionPort(port)
		}, nil
}
