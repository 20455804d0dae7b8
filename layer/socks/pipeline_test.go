package socks_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"upcall.dev/layer/internal/layertest"
	"upcall.dev/spi"
)

// counting is a SOCKS5 proxy that notes how many bytes come before it has
// answered anything. With drops it throws away what comes with the greeting.
type counting struct {
	login bool
	drops bool

	mu    sync.Mutex
	first []int // bytes of each connection's first segment
}

func (p *counting) handle(c net.Conn) {
	b := make([]byte, 1000)
	n, err := c.Read(b)
	if err != nil {
		return
	}
	p.mu.Lock()
	p.first = append(p.first, n)
	p.mu.Unlock()
	rest := b[2+int(b[1]) : n]
	if p.drops {
		rest = nil
	}
	take := func(want int) []byte {
		for len(rest) < want {
			more := make([]byte, 1000)
			n, err := c.Read(more)
			if err != nil {
				return nil
			}
			rest = append(rest, more[:n]...)
		}
		taken := rest[:want]
		rest = rest[want:]
		return taken
	}
	method := byte(0)
	if p.login {
		method = 2
	}
	_, _ = c.Write([]byte{5, method})
	if p.login {
		if login := take(1 + 1 + 4 + 1 + 6); string(login) != "\x01\x04anna\x06secret" {
			_, _ = c.Write([]byte{1, 1})
			return
		}
		_, _ = c.Write([]byte{1, 0})
	}
	request := take(10)
	if request == nil {
		return
	}
	if request[8] == 0 && request[9] == 0 { // the trial
		_, _ = c.Write([]byte{5, 1, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	_, _ = c.Write(granted)
	if len(rest) > 0 {
		_, _ = c.Write(rest)
	}
	_, _ = io.Copy(c, c)
}

func (p *counting) lengths() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]int(nil), p.first...)
}

// A proxy that copes gets everything in one segment as soon as that is known; one
// that does not never does, and both work from the first connect on.
func TestPipelining(t *testing.T) {
	target := spi.SockaddrFrom(echo(t))
	login := []string{"user=anna", "password=secret"}
	for _, test := range []struct {
		name    string
		proxy   *counting
		options []string
		steps   int // bytes of a greeting alone
		all     int // bytes of everything
	}{
		{"no login", &counting{}, nil, 3, 3 + 10},
		{"login", &counting{login: true}, login, 4, 3 + 13 + 10},
		{"login that nobody asks for", &counting{}, login, 4, 3 + 10},
		{"drops", &counting{drops: true}, nil, 3, 0},
		{"drops with login", &counting{drops: true, login: true}, login, 4, 0},
		{"off", &counting{}, []string{"pipeline=off"}, 3, 0},
		{"on", &counting{}, []string{"pipeline=on"}, 0, 13},
		{"on with login", &counting{login: true}, append([]string{"pipeline=on"}, login...), 0, 26},
	} {
		t.Run(test.name, func(t *testing.T) {
			address := serve(t, test.proxy.handle)
			_, thread := layertest.Start(t, "kernel", socks(append(test.options, "proxy="+address.String())...))
			connects := func(n int) {
				for range n {
					s := layertest.Socket(t, thread, spi.SOCK_STREAM)
					if err := thread.Connect(s, target); err != nil {
						t.Fatal(err)
					}
					check(t, thread, s, target, true, "")
					if err := thread.CloseSocket(s); err != nil {
						t.Error(err)
					}
				}
			}
			connects(1)
			if first := test.proxy.lengths()[0]; test.steps != 0 && first != test.steps {
				t.Errorf("the first segment has %d bytes", first)
			}
			if test.all == 0 {
				connects(3)
				for i, n := range test.proxy.lengths() {
					if n != test.steps && (i == 0 || n <= 10) {
						t.Errorf("first segments: %v", test.proxy.lengths())
					}
				}
				return
			}
			for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
				connects(2)
				lengths := test.proxy.lengths()
				if n := len(lengths); lengths[n-1] == test.all && lengths[n-2] == test.all {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("first segments: %v", lengths)
				}
			}
		})
	}
}
