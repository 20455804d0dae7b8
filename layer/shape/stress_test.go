package shape

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/layer/internal/layertest"
	"upcall.dev/spi"
)

// TestManyConnections opens and closes connections from many goroutines, some
// in good order, some by a reset, some left open for WSACleanup. What is closed
// in good order arrives whole; goleak finds what a socket leaves behind.
func TestManyConnections(t *testing.T) {
	for _, base := range layertest.Bases {
		t.Run(base, func(t *testing.T) {
			_, thread := layertest.Start(t, base, shape(spi.Options{"delay": "1ms", "rate": "500M"}))
			l, address := layertest.Listen(t, thread)
			message := bytes.Repeat([]byte("0123456789"), 3000)
			reset := append([]byte("reset"), message...)
			const goroutines, rounds = 8, 12
			var wg sync.WaitGroup
			for i := range goroutines {
				wg.Go(func() {
					for j := range rounds {
						s, err := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
						if err != nil {
							t.Error(err)
							return
						}
						if err := thread.Connect(s, address); err != nil {
							t.Errorf("connect: %v", err)
							return
						}
						kind, what := (i+j)%3, message
						if kind == 0 {
							what = reset
						}
						if _, err := thread.Send(s, what, 0); err != nil {
							t.Errorf("send: %v", err)
						}
						switch kind {
						case 0:
							err = thread.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_LINGER, []byte{1, 0, 0, 0})
							fallthrough
						case 1:
							err = errors.Join(err, thread.CloseSocket(s))
						}
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
			// A connection that is reset may never be accepted; all others are.
			for whole := 0; whole < goroutines*rounds*2/3; {
				s, err := thread.Accept(l, nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				got := make([]byte, 0, len(reset))
				buf := make([]byte, 7777)
				for len(got) < len(message) {
					n, err := thread.Recv(s, buf, 0)
					if err != nil || n == 0 {
						break
					}
					got = append(got, buf[:n]...)
				}
				if bytes.Equal(got, message) {
					whole++
				} else if !bytes.HasPrefix(reset, got) {
					t.Fatalf("%d bytes that were not sent", len(got))
				}
				if whole%2 == 0 {
					if err := thread.CloseSocket(s); err != nil {
						t.Error(err)
					}
				}
			}
			wg.Wait()
		})
	}
}

// TestCloseWhileOthersWait closes a socket under calls that are blocked on it.
func TestCloseWhileOthersWait(t *testing.T) {
	for _, base := range layertest.Bases {
		t.Run(base, func(t *testing.T) {
			_, thread := layertest.Start(t, base, shape(nil), catalog.Layer{Name: "shape"})
			client, _ := layertest.Pair(t, thread)
			l, _ := layertest.Listen(t, thread)
			started := make(chan struct{}, 2)
			ended := make(chan error, 2)
			go func() {
				started <- struct{}{}
				_, err := thread.Recv(client, make([]byte, 1), 0)
				ended <- err
			}()
			go func() {
				started <- struct{}{}
				_, err := thread.Accept(l, nil, nil)
				ended <- err
			}()
			<-started
			<-started
			for _, s := range []spi.Socket{client, l} {
				if err := thread.CloseSocket(s); err != nil {
					t.Error(err)
				}
			}
			for range 2 {
				if err := <-ended; err == nil {
					t.Error("a call on a closed socket succeeds")
				}
			}
		})
	}
}
