//go:build linux

package kernel_test

import (
	"errors"
	"os"
	"sync"
	"testing"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// Sockets are closed under calls of all kinds, and their numbers used again at
// once: no call hangs, and none reaches another socket.
func TestCloseUnderCalls(t *testing.T) {
	each(t, streams, func(t *testing.T, th *ws2.Thread, f family) {
		ev := newEvent(t, th)
		for round := range 40 {
			c, a := pair(t, th, f)
			mark := byte('A' + round%26)
			var calls sync.WaitGroup
			call := func(f func()) { calls.Go(f) }
			call(func() {
				b := make([]byte, 64)
				for {
					n, err := th.Recv(a, b, 0)
					if err != nil || n == 0 {
						return
					}
					for _, got := range b[:n] {
						if got != mark {
							t.Errorf("received %q on the connection of %q", got, mark)
							return
						}
					}
				}
			})
			call(func() {
				for range 20 {
					if _, err := th.Send(c, []byte{mark, mark}, 0); err != nil {
						return
					}
				}
			})
			call(func() {
				_, _ = th.Select(spi.NewFDSet(c), nil, nil, &spi.Timeval{Usec: 20_000})
			})
			call(func() {
				fds := []spi.PollFD{{FD: c, Events: spi.POLLIN}, {FD: a, Events: spi.POLLRDBAND}}
				_, _ = th.WSAPoll(fds, 20)
			})
			call(func() {
				ov := &spi.Overlapped{HEvent: ev}
				if f.af != spi.AF_UNIX && errors.Is(ioctl(th, c, spi.SIO_ADDRESS_LIST_CHANGE, nil, ov), spi.WSA_IO_PENDING) {
					var n, flags uint32
					_ = th.WSAGetOverlappedResult(c, ov, &n, true, &flags)
				}
			})
			call(func() {
				var n, flags uint32
				ov := &spi.Overlapped{HEvent: ev}
				if err := th.WSARecv(c, []spi.Buf{spi.NewBuf(make([]byte, 1))}, &n, &flags, ov, nil); errors.Is(err, spi.WSA_IO_PENDING) {
					_ = th.WSAGetOverlappedResult(c, ov, &n, true, &flags)
				}
			})
			call(func() {
				var info spi.ProtocolInfo
				if th.WSADuplicateSocket(c, uint32(os.Getpid()), &info) == nil {
					if dup, err := th.WSASocket(0, 0, 0, &info, 0, 0); err == nil {
						_ = th.CloseSocket(dup)
					}
				}
			})
			call(func() { _ = th.WSAEventSelect(c, ev, spi.FD_READ|spi.FD_CLOSE) })
			if round%2 == 0 {
				_ = th.Shutdown(c, spi.SD_SEND)
			}
			_ = th.CloseSocket(c)
			calls.Wait()
			_ = th.CloseSocket(a)
		}
	})
}
