package wsnet_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/spi"
)

// noWatcher cannot watch, so that a goroutine of the provider's goes on.
type noWatcher struct{}

func (noWatcher) Watch(uintptr, func(uint32)) (uintptr, spi.Errno) { return 0, spi.WSAENOBUFS }
func (noWatcher) Unwatch(uintptr, uintptr)                         {}

// TestAttend drives a connection by TryRead and TryWrite, told by the chain's events.
// With a watcher of its own the relay of upcall run does so.
func TestAttend(t *testing.T) {
	for _, layers := range [][]catalog.Layer{{shape}, {{Name: "shape", Options: spi.Options{"delay": "1ms"}}}} {
		c := combo{base: "kernel", network: "tcp", layers: layers}
		t.Run(c.String(), func(t *testing.T) {
			conn, server := c.pipe(t, c.open(t))
			changed := make(chan struct{}, 1)
			if err := conn.Attend(noWatcher{}, func() {
				select {
				case changed <- struct{}{}:
				default:
				}
			}); err != nil {
				t.Fatal(err)
			}
			if n, err := conn.TryRead(make([]byte, 1)); n != 0 || err != syscall.EAGAIN {
				t.Fatalf("TryRead without data gives %d, %v", n, err)
			}
			block, sent := bytes.Repeat([]byte("x"), 1<<20), 0
			for err := error(nil); err == nil; {
				var n int
				n, err = conn.TryWrite(block)
				if sent += n; err != nil && err != syscall.EAGAIN {
					t.Fatal(err)
				}
			}
			ended := make(chan error, 1)
			go func() {
				_, err := io.CopyN(io.Discard, server, int64(sent+len(block)))
				if err == nil {
					_, err = server.Write([]byte("answer"))
				}
				ended <- errors.Join(err, server.Close())
			}()
			for rest := block; len(rest) > 0; {
				n, err := conn.TryWrite(rest)
				if rest = rest[n:]; err == syscall.EAGAIN {
					<-changed
				} else if err != nil {
					t.Fatal(err)
				}
			}
			var answer []byte
			for part := make([]byte, 4); ; {
				n, err := conn.TryRead(part)
				if answer = append(answer, part[:n]...); err == io.EOF {
					break
				} else if err == syscall.EAGAIN {
					<-changed
				} else if err != nil {
					t.Fatal(err)
				}
			}
			if string(answer) != "answer" {
				t.Errorf("%q arrives", answer)
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
			select {
			case <-changed:
			default:
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
			<-changed // by the close
			if _, err := conn.TryRead(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("TryRead after Close gives %v", err)
			}
		})
	}
	ifs := combo{base: "kernel", network: "tcp"}
	t.Run(ifs.String(), func(t *testing.T) {
		client, _ := ifs.pipe(t, ifs.open(t))
		if err := client.Attend(noWatcher{}, func() {}); !errors.Is(err, spi.WSAEOPNOTSUPP) {
			t.Errorf("an IFS handle is attended: %v", err)
		}
	})
}
