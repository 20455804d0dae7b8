package filter

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/layer/internal/layertest"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// While the rules change again and again, each connect is decided by one whole
// version of them.
func TestConnectsWhileRulesChange(t *testing.T) {
	versions := []string{
		"[[rule]]\naddress = '127.0.0.2'\nvia = 'trace'\n\n[[rule]]\naddress = '127.0.0.3'\naction = 'deny'\nerror = 'WSAEHOSTUNREACH'\n",
		"[[rule]]\naddress = '127.0.0.2'\naction = 'deny'\nerror = 'WSAEHOSTUNREACH'\n\n[[rule]]\naddress = '127.0.0.3'\nvia = 'trace'\n",
		"default = 'broken",
	}
	for _, own := range []string{"passed", "own"} {
		t.Run(own, func(t *testing.T) {
			other, _ := tracing(t)
			path := rules(t, versions[0])
			c := chains(t, spi.Options{"rules": path, "handles": own}, []catalog.Layer{other})
			dll, thread := layertest.StartWith(t, c)
			l, port := server(t, thread, c, "Linux TCP/IPv4")
			const workers, rounds = 4, 60
			var clients, acceptor sync.WaitGroup
			acceptor.Go(func() {
				for {
					s, err := dll.Unbound().Accept(l, nil, nil)
					if err != nil {
						return
					}
					_ = dll.Unbound().CloseSocket(s)
				}
			})
			text := said(func() {
				for w := range workers {
					clients.Go(func() {
						for i := range rounds {
							try(t, dll.Unbound(), fmt.Sprint("127.0.0.", 1+(w+i)%3, ":", port))
						}
					})
				}
				for i := range rounds {
					fresh := filepath.Join(filepath.Dir(path), "fresh")
					if err := os.WriteFile(fresh, []byte(versions[i%len(versions)]), 0o600); err != nil {
						t.Error(err)
					}
					if err := os.Rename(fresh, path); err != nil {
						t.Error(err)
					}
					try(t, thread, fmt.Sprint("127.0.0.1:", port))
				}
				clients.Wait()
			})
			for line := range strings.Lines(text) {
				if !strings.Contains(line, "the rules from before stay in force") {
					t.Error(line)
				}
			}
			shut(t, thread, l)
			acceptor.Wait()
		})
	}
}

// try connects, and reports outcomes that no version of the rules gives.
func try(t *testing.T, thread *ws2.Thread, to string) {
	s, err := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, 0)
	if err != nil {
		t.Error(err)
		return
	}
	err = thread.Connect(s, address(to))
	if err != nil && (strings.HasPrefix(to, "127.0.0.1:") || !errors.Is(err, spi.WSAEHOSTUNREACH)) && !errors.Is(err, spi.WSAECONNRESET) {
		t.Errorf("connect to %s: %v", to, err)
	}
	if err := thread.CloseSocket(s); err != nil {
		t.Error(err)
	}
}

func BenchmarkConnect(b *testing.B) {
	path := rules(b, strings.Repeat("[[rule]]\naddress = ['10.0.0.0/8', '192.0.2.0/24:80', '*.example.com']\naction = 'deny'\n\n", 100))
	for name, through := range map[string][]catalog.Layer{
		"direct": nil, "one rule": {filtering(spi.Options{"deny": "10.0.0.0/8"})}, "file of 100 rules": {filtering(spi.Options{"rules": path})},
	} {
		b.Run(name, func(b *testing.B) {
			_, thread := layertest.Start(b, "kernel", through...)
			l, to := layertest.Listen(b, thread)
			for b.Loop() {
				s := layertest.Socket(b, thread, spi.SOCK_STREAM)
				if err := thread.SetSockOpt(s, spi.SOL_SOCKET, spi.SO_LINGER, []byte{1, 0, 0, 0}); err != nil {
					b.Fatal(err)
				}
				if err := thread.Connect(s, to); err != nil {
					b.Fatal(err)
				}
				a, err := thread.Accept(l, nil, nil)
				if err != nil {
					b.Fatal(err)
				}
				shut(b, thread, s, a)
			}
			shut(b, thread, l)
		})
	}
}

func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		f, err := parseFile("rules.toml", []byte(strings.Repeat("[[rule]]\naddress = ['10.0.0.0/8', '192.0.2.0/24:80']\naction = 'deny'\n", n)), defaultDenied)
		if err != nil {
			b.Fatal(err)
		}
		p := (&config{}).policy(f).of("")
		o, _ := newOperation(connect, tcp, address("127.0.0.1:80"))
		b.Run(fmt.Sprint(n, " rules"), func(b *testing.B) {
			for b.Loop() {
				p.decide(&o)
			}
		})
	}
}
