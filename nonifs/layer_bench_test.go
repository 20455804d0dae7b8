package nonifs_test

import (
	"errors"
	"fmt"
	"testing"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// ping moves one byte there and back over a pair of sockets with a port, with
// what it needs allocated once.
type ping struct {
	th       *ws2.Thread
	port     ws2.Port
	s        [2]spi.Socket
	in, out  [2]spi.Overlapped
	bufs     [2][]spi.Buf
	n, flags uint32
}

func newPing(t testing.TB, base string, depth int) *ping {
	d, th := startedOver(t, base, depth)
	p := &ping{th: th}
	var err error
	p.port, err = d.CreateIoCompletionPort(1)
	ok(t, err)
	t.Cleanup(func() { ok(t, d.CloseCompletionPort(p.port)) })
	p.s[0], p.s[1] = pair(t, th)
	for i, s := range p.s {
		ok(t, d.AssociateCompletionPort(s, p.port, uintptr(i)))
		p.bufs[i] = []spi.Buf{spi.NewBuf(make([]byte, 64))}
		p.receive(t, i)
	}
	return p
}

func (p *ping) receive(t testing.TB, i int) {
	p.flags = 0
	if err := p.th.WSARecv(p.s[i], p.bufs[i], &p.n, &p.flags, &p.in[i], nil); err != nil && !errors.Is(err, spi.WSA_IO_PENDING) {
		t.Fatal(err)
	}
}

// messages moves n messages, each an overlapped send and an overlapped receive.
func (p *ping) messages(t testing.TB, n int) {
	p.send(t, 0)
	for n > 0 {
		packet, err := p.th.GetQueuedCompletionStatus(p.port, 10000)
		if err != nil {
			t.Fatal(err)
		}
		i := int(packet.Key)
		if packet.Overlapped == &p.in[i] {
			n--
			p.receive(t, i)
			if n > 0 {
				p.send(t, i)
			}
		}
	}
	for {
		if _, err := p.th.GetQueuedCompletionStatus(p.port, 0); err != nil {
			return
		}
	}
}

func (p *ping) send(t testing.TB, i int) {
	if err := p.th.WSASend(p.s[i], p.bufs[i], &p.n, 0, &p.out[i], nil); err != nil && !errors.Is(err, spi.WSA_IO_PENDING) {
		t.Fatal(err)
	}
}

func BenchmarkPortThroughLayers(b *testing.B) {
	for _, base := range []string{"memory", "kernel"} {
		for depth := range 4 {
			b.Run(fmt.Sprintf("%s+%d", base, depth), func(b *testing.B) {
				p := newPing(b, base, depth)
				b.ReportAllocs()
				b.ResetTimer()
				p.messages(b, b.N)
			})
		}
	}
}

// In the steady state an operation through layers allocates nothing.
func TestLayerAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	for _, base := range []string{"memory", "kernel"} {
		bare := allocations(t, newPing(t, base, 0))
		for depth := 1; depth <= 3; depth++ {
			if got := allocations(t, newPing(t, base, depth)); got > bare+0.1 {
				t.Errorf("a message through %d layers over %s allocates %.2f times, without them %.2f", depth, base, got, bare)
			}
		}
	}
}

func allocations(t *testing.T, p *ping) float64 {
	const messages = 200
	return testing.AllocsPerRun(5, func() { p.messages(t, messages) }) / messages
}
