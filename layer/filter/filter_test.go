package filter

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"upcall.dev/catalog"
	"upcall.dev/layer/internal/layertest"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kinds are the ways in which the layer comes to its handles.
var kinds = []struct {
	name, base string
	o          spi.Options
}{
	{"kernel", "kernel", nil},
	{"memory", "memory", nil},
	{"kernel with own handles", "kernel", spi.Options{"handles": "own"}},
	{"memory with own handles", "memory", spi.Options{"handles": "own"}},
	{"kernel with own datagrams", "kernel", spi.Options{"handles": "datagrams"}},
	{"memory with own datagrams", "memory", spi.Options{"handles": "datagrams"}},
}

// each runs a test over every kind, with more options.
func each(t *testing.T, o spi.Options, test func(t *testing.T, dll *ws2.DLL, thread *ws2.Thread)) {
	t.Helper()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			all := spi.Options{}
			for _, from := range []spi.Options{k.o, o} {
				for name, value := range from {
					all[name] = value
				}
			}
			dll, thread := layertest.Start(t, k.base, filtering(all))
			test(t, dll, thread)
		})
	}
}

// rules writes a rules file.
func rules(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func filtering(o spi.Options) catalog.Layer { return catalog.Layer{Name: "filter", Options: o} }

func address(text string) []byte { return spi.SockaddrFrom(netip.MustParseAddrPort(text)) }

func shut(t testing.TB, thread *ws2.Thread, all ...spi.Socket) {
	t.Helper()
	for _, s := range all {
		if err := thread.CloseSocket(s); err != nil {
			t.Error(err)
		}
	}
}

func TestConnectIsDenied(t *testing.T) {
	each(t, spi.Options{"deny": "127.0.0.2+:25", "error": "WSAEHOSTUNREACH"}, func(t *testing.T, dll *ws2.DLL, thread *ws2.Thread) {
		for _, to := range []string{"127.0.0.2:1", "127.0.0.1:25"} {
			for _, nonblocking := range []uint32{0, 1} {
				s := layertest.Socket(t, thread, spi.SOCK_STREAM)
				if err := thread.IoctlSocket(s, spi.FIONBIO, &nonblocking); err != nil {
					t.Fatal(err)
				}
				if err := thread.Connect(s, address(to)); !errors.Is(err, spi.WSAEHOSTUNREACH) {
					t.Errorf("connect to %s: %v", to, err)
				}
				shut(t, thread, s)
			}
		}
		client, server := layertest.Pair(t, thread)
		if _, err := thread.Send(client, []byte("hello"), 0); err != nil {
			t.Fatal(err)
		}
		if n, err := thread.Recv(server, make([]byte, 10), 0); n != 5 || err != nil {
			t.Fatal(n, err)
		}
		shut(t, thread, client, server)
	})
}

// Each of two filters in one chain has its own rules.
func TestTwoFilters(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			upper := spi.Options{"deny": "127.0.0.1:1", "error": "WSAEHOSTUNREACH"}
			for key, value := range k.o {
				upper[key] = value
			}
			_, thread := layertest.Start(t, k.base, filtering(upper), filtering(spi.Options{"deny": "127.0.0.1:2", "error": "WSAETIMEDOUT"}))
			for port, want := range map[string]spi.Errno{"1": spi.WSAEHOSTUNREACH, "2": spi.WSAETIMEDOUT, "3": spi.WSAECONNREFUSED} {
				s := layertest.Socket(t, thread, spi.SOCK_STREAM)
				if err := thread.Connect(s, address("127.0.0.1:"+port)); !errors.Is(err, want) {
					t.Errorf("connect to port %s: %v, want %s", port, err, want.Name())
				}
				shut(t, thread, s)
			}
		})
	}
}
