//go:build linux

package kernel_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// A reset that comes after the peer's end of the stream, which Linux calls EPIPE.
func TestResetAfterEnd(t *testing.T) {
	each(t, internet, func(t *testing.T, th *ws2.Thread, f family) {
		broken := func(t *testing.T) spi.Socket {
			t.Helper()
			c, a := pair(t, th, f)
			ok(t, th.CloseSocket(c))
			ready(t, th, a, 'r')
			if n, err := th.Recv(a, make([]byte, 1), 0); n != 0 || err != nil {
				t.Fatalf("%d bytes, %v", n, err)
			}
			send(t, th, a, "nobody is there")
			fds := []unix.PollFd{{Fd: int32(a)}}
			if n, err := unix.Poll(fds, int(wait/time.Millisecond)); n != 1 || err != nil || fds[0].Revents&unix.POLLERR == 0 {
				t.Fatalf("no reset: %d, %v", fds[0].Revents, err)
			}
			return a
		}
		t.Run("sending", func(t *testing.T) {
			a := broken(t)
			for range 2 {
				_, err := th.Send(a, []byte("x"), 0)
				want(t, err, spi.WSAECONNRESET)
			}
		})
		t.Run("SO_ERROR", func(t *testing.T) {
			a := broken(t)
			if e := spi.Errno(getInt(t, th, a, spi.SOL_SOCKET, spi.SO_ERROR)); e != spi.WSAECONNRESET {
				t.Errorf("SO_ERROR is %v", e)
			}
			_, err := th.Send(a, []byte("x"), 0)
			want(t, err, spi.WSAECONNRESET)
		})
		t.Run("events", func(t *testing.T) {
			a := broken(t)
			ev := newEvent(t, th)
			ok(t, th.WSAEventSelect(a, ev, spi.FD_CLOSE))
			if got := next(t, th, a, ev, spi.FD_CLOSE); got.ErrorCode[5] != int32(spi.WSAECONNRESET) {
				t.Errorf("FD_CLOSE says %d", got.ErrorCode[5])
			}
			_, err := th.Send(a, []byte("x"), 0)
			want(t, err, spi.WSAECONNRESET)
		})
	})
}
