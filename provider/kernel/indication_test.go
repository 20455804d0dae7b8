//go:build linux

package kernel_test

import (
	"errors"
	"os"
	"testing"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// indication is a way in which a client learns of a completion.
type indication struct {
	name string
	// begin prepares a socket, and returns an OVERLAPPED to use with it.
	begin func(t testing.TB, th *ws2.Thread, s spi.Socket) *spi.Overlapped
	// end waits for the completion.
	end func(t testing.TB, th *ws2.Thread, s spi.Socket, ov *spi.Overlapped) (uint32, error)
	// told reports whether the completion has been indicated.
	told func(t testing.TB, th *ws2.Thread, ov *spi.Overlapped) bool
}

// portOf is the completion port of a DLL, and what was dequeued for somebody
// else.
type portOf struct {
	port ws2.Port
	seen map[*spi.Overlapped]ws2.Packet
}

var ports = map[*ws2.DLL]*portOf{}

func thePort(t testing.TB, th *ws2.Thread) *portOf {
	t.Helper()
	d := th.DLL()
	p := ports[d]
	if p == nil {
		port, err := d.CreateIoCompletionPort(1)
		ok(t, err)
		p = &portOf{port, map[*spi.Overlapped]ws2.Packet{}}
		ports[d] = p
		t.Cleanup(func() {
			ok(t, d.CloseCompletionPort(port))
			delete(ports, d)
		})
	}
	return p
}

// take dequeues until the packet of ov has come.
func (p *portOf) take(t testing.TB, th *ws2.Thread, ov *spi.Overlapped, milliseconds uint32) (ws2.Packet, bool) {
	t.Helper()
	for {
		if packet, ok := p.seen[ov]; ok {
			delete(p.seen, ov)
			return packet, true
		}
		packet, err := th.GetQueuedCompletionStatus(p.port, milliseconds)
		if packet.Overlapped == nil {
			if !errors.Is(err, spi.WAIT_TIMEOUT) {
				t.Fatal(err)
			}
			return packet, false
		}
		if packet.Overlapped.InProgress() {
			t.Fatal("the packet comes before the operation is complete")
		}
		p.seen[packet.Overlapped] = packet
	}
}

const portKey = 77

var (
	byEvent = indication{
		name: "event",
		begin: func(t testing.TB, th *ws2.Thread, s spi.Socket) *spi.Overlapped {
			return overlapped(t, th)
		},
		end: result,
		told: func(t testing.TB, th *ws2.Thread, ov *spi.Overlapped) bool {
			i, err := th.WSAWaitForMultipleEvents([]spi.Event{ov.HEvent}, false, 0, false)
			ok(t, err)
			return i == spi.WSA_WAIT_EVENT_0
		},
	}
	byPort = indication{
		name: "port",
		begin: func(t testing.TB, th *ws2.Thread, s spi.Socket) *spi.Overlapped {
			p := thePort(t, th)
			if err := th.DLL().AssociateCompletionPort(s, p.port, portKey); err != nil && !errors.Is(err, spi.WSA_INVALID_PARAMETER) {
				t.Fatal(err) // other than that it has a port already
			}
			return new(spi.Overlapped)
		},
		end: func(t testing.TB, th *ws2.Thread, s spi.Socket, ov *spi.Overlapped) (uint32, error) {
			packet, came := thePort(t, th).take(t, th, ov, uint32(wait.Milliseconds()))
			if !came {
				t.Fatal("the operation does not complete")
			}
			if packet.Key != portKey || uint64(packet.Transferred) != ov.InternalHigh || packet.Status != spi.Errno(ov.OffsetHigh) {
				t.Fatalf("packet %+v of %+v", packet, ov)
			}
			return packet.Transferred, packet.Status.Err()
		},
		told: func(t testing.TB, th *ws2.Thread, ov *spi.Overlapped) bool {
			_, came := thePort(t, th).take(t, th, ov, 0)
			return came
		},
	}
	indications = []indication{byEvent, byPort}
)

// eachIndicated runs a test over several families and both indications.
func eachIndicated(t *testing.T, families []family, test func(t *testing.T, th *ws2.Thread, f family, by indication)) {
	for _, by := range indications {
		t.Run(by.name, func(t *testing.T) {
			each(t, families, func(t *testing.T, th *ws2.Thread, f family) { test(t, th, f, by) })
		})
	}
}

// startReceive starts an overlapped receive that has to wait.
func startReceive(t testing.TB, th *ws2.Thread, s spi.Socket, b []byte, ov *spi.Overlapped) {
	t.Helper()
	var n, flags uint32
	want(t, th.WSARecv(s, []spi.Buf{spi.NewBuf(b)}, &n, &flags, ov, nil), spi.WSA_IO_PENDING)
}

func duplicate(t testing.TB, th *ws2.Thread, s spi.Socket) spi.Socket {
	t.Helper()
	var info spi.ProtocolInfo
	ok(t, th.WSADuplicateSocket(s, uint32(os.Getpid()), &info))
	dup, err := th.WSASocket(0, 0, 0, &info, 0, 0)
	ok(t, err)
	return dup
}
