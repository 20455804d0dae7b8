package layer_test

import (
	"errors"
	"os"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"upcall.dev/catalog"
	"upcall.dev/layer/internal/layertest"
	"upcall.dev/spi"
)

var pid = uint32(os.Getpid())

// seen records what providers are started with, by driver.
var seen = struct {
	sync.Mutex
	infos    map[string][]spi.ProtocolInfo
	cleanups map[string]int
}{infos: map[string][]spi.ProtocolInfo{}, cleanups: map[string]int{}}

// recorded registers a copy of a driver that notes its starts and cleanups.
func recorded(name string, id spi.GUID) {
	d, ok := spi.LookupDriver(name)
	if !ok {
		panic("no driver " + name)
	}
	d.Name = "recorded-" + name
	d.ProviderID = id
	open := d.Open
	d.Open = func(m spi.Module) (spi.StartupFunc, error) {
		startup, err := open(m)
		if err != nil {
			return nil, err
		}
		return func(v uint16, data *spi.WSPData, info *spi.ProtocolInfo, upcalls spi.UpcallTable, dll spi.DLL) (spi.Provider, spi.Errno) {
			seen.Lock()
			seen.infos[d.Name] = append(seen.infos[d.Name], *info)
			seen.Unlock()
			p, errno := startup(v, data, info, upcalls, dll)
			if errno != 0 {
				return p, errno
			}
			return &cleanupRecorder{p, d.Name}, 0
		}, nil
	}
	spi.Register(d)
}

type cleanupRecorder struct {
	spi.Provider
	name string
}

func (c *cleanupRecorder) WSPCleanup() spi.Errno {
	errno := c.Provider.WSPCleanup()
	if errno == 0 {
		seen.Lock()
		seen.cleanups[c.name]++
		seen.Unlock()
	}
	return errno
}

func TestMain(m *testing.M) {
	recorded("kernel", spi.MustParseGUID("aaaaaaaa-0000-4000-8000-000000000001"))
	recorded("memory", spi.MustParseGUID("aaaaaaaa-0000-4000-8000-000000000002"))
	recorded("counting", spi.GUID{})
	goleak.VerifyTestMain(m)
}

// TestBehaviour069_TopGetsTheChainBaseItsOwn runs the chain start through the
// real DLL, over both base providers.
func TestBehaviour069_TopGetsTheChainBaseItsOwn(t *testing.T) {
	for _, base := range []string{"recorded-kernel", "recorded-memory"} {
		t.Run(base, func(t *testing.T) {
			seen.Lock()
			clear(seen.infos)
			clear(seen.cleanups)
			seen.Unlock()
			c, err := catalog.Compose(catalog.Default(), base, []catalog.Layer{{Name: "recorded-counting"}, {Name: "counting"}})
			if err != nil {
				t.Fatal(err)
			}
			_, thread := layertest.StartWith(t, c)
			client, server := layertest.Pair(t, thread)
			info := layertest.Info(t, thread, client)
			chain := info.ProtocolChain.Entries()
			if len(chain) != 3 {
				t.Fatalf("the socket is of %q, chain %v", info.Name(), chain)
			}
			own, ok := c.Lookup(chain[2])
			if !ok {
				t.Fatal("no base entry")
			}
			seen.Lock()
			tops, bases := seen.infos["recorded-counting"], seen.infos[base]
			seen.Unlock()
			if len(tops) != 1 || len(bases) != 1 {
				t.Fatalf("the top layer was started %d times, the base %d times", len(tops), len(bases))
			}
			if diff := cmp.Diff(info, tops[0]); diff != "" {
				t.Errorf("the top layer did not get the chain entry: %s", diff)
			}
			if diff := cmp.Diff(own.ProtocolInfo, bases[0]); diff != "" {
				t.Errorf("the base did not get its own entry: %s", diff)
			}
			if got := layertest.Info(t, thread, server); got != info {
				t.Errorf("the accepted socket is of %q", got.Name())
			}
			if err := thread.WSACleanup(); err != nil {
				t.Fatal(err)
			}
			seen.Lock()
			defer seen.Unlock()
			if seen.cleanups["recorded-counting"] != 1 || seen.cleanups[base] != 1 {
				t.Errorf("cleanups %v, want one of each", seen.cleanups)
			}
		})
	}
}

func TestDuplicateThroughTheDLL(t *testing.T) {
	_, thread := layertest.Start(t, "kernel", catalog.Layer{Name: "counting"}, catalog.Layer{Name: "counting"})
	client, server := layertest.Pair(t, thread)
	var info spi.ProtocolInfo
	if err := thread.WSADuplicateSocket(client, pid, &info); err != nil {
		t.Fatal(err)
	}
	other, err := thread.WSASocket(-1, -1, -1, &info, 0, spi.WSA_FLAG_OVERLAPPED)
	if err != nil {
		t.Fatal(err)
	}
	if err := thread.CloseSocket(client); err != nil {
		t.Fatal(err)
	}
	if _, err := thread.Send(other, []byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	if n, err := thread.Recv(server, make([]byte, 9), 0); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if _, err := thread.WSASocket(-1, -1, -1, &info, 0, 0); !errors.Is(err, spi.WSAEINVAL) {
		t.Errorf("the same info again: %v, want WSAEINVAL", err)
	}
}
