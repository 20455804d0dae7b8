package wsnet_test

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"upcall.dev/catalog"
	"upcall.dev/internal/freeport"
	"upcall.dev/spi"
	_ "upcall.dev/standard"
	"upcall.dev/wsnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// combo is one chain to test over: a base provider's network under layers.
type combo struct {
	base    string
	network string
	layers  []catalog.Layer // outermost first
}

func (c combo) String() string {
	name := c.base + "/" + c.network
	for _, l := range c.layers {
		name += "/" + l.Name
		for _, k := range []string{"data", "delay", "rate"} {
			if v := l.Options[k]; v != "" {
				name += "_" + k + "=" + v
			}
		}
	}
	return name
}

// traceTo is where the trace layers of this test write.
func traceTo(t testing.TB, options spi.Options) catalog.Layer {
	with := spi.Options{"file": filepath.Join(t.TempDir(), "trace.log")}
	for k, v := range options {
		with[k] = v
	}
	return catalog.Layer{Name: "trace", Options: with}
}

// single are the layers that every network of every base is tested under.
func single(t testing.TB) [][]catalog.Layer {
	return [][]catalog.Layer{
		nil,
		{traceTo(t, nil)},
		{traceTo(t, spi.Options{"data": "on"})},
		{shape},
		{{Name: "shape", Options: spi.Options{"delay": "1ms"}}},
	}
}

// pairs are two layers, each kind above and below each other kind.
func pairs(t testing.TB) [][]catalog.Layer {
	trace, traceData := traceTo(t, nil), traceTo(t, spi.Options{"data": "on"})
	return [][]catalog.Layer{
		{trace, traceTo(t, nil)},
		{trace, shape},
		{shape, trace},
		{traceData, shape},
		{shape, traceData},
	}
}

var shape = catalog.Layer{Name: "shape"}

// families are the networks that each base has sockets for.
var families = map[string]int32{"tcp4": spi.AF_INET, "tcp6": spi.AF_INET6, "unix": spi.AF_UNIX, "udp4": spi.AF_INET, "udp6": spi.AF_INET6}

// combos returns every chain that exists for the networks; two layers only
// over the first of them.
func combos(t testing.TB, networks ...string) []combo {
	var all []combo
	for _, base := range []string{"kernel", "memory"} {
		driver, ok := spi.LookupDriver(base)
		if !ok {
			t.Fatalf("no base provider %s", base)
		}
		for i, network := range networks {
			typ := int32(spi.SOCK_STREAM)
			if strings.HasPrefix(network, "udp") {
				typ = spi.SOCK_DGRAM
			}
			if !provides(driver, families[network], typ) {
				continue
			}
			chains := single(t)
			if i == 0 {
				chains = append(chains, pairs(t)...)
			}
			for _, layers := range chains {
				all = append(all, combo{base, network, layers})
			}
		}
	}
	return all
}

func provides(d spi.Driver, family, typ int32) bool {
	for _, info := range d.Protocols() {
		if info.AddressFamily == family && info.SocketType == typ {
			return true
		}
	}
	return false
}

// each runs test over every combo, each with a stack of its own that must close
// without leaving anything.
func each(t *testing.T, networks []string, test func(t *testing.T, c combo, s *wsnet.Stack)) {
	for _, c := range combos(t, networks...) {
		t.Run(c.String(), func(t *testing.T) { test(t, c, c.open(t)) })
	}
}

// open starts the combo's DLL; the test's end closes it.
func (c combo) open(t testing.TB) *wsnet.Stack {
	t.Helper()
	cat, err := catalog.Compose(catalog.Default(), c.base, c.layers)
	if err != nil {
		t.Fatal(err)
	}
	s, err := wsnet.Open(wsnet.Config{Catalog: cat, Log: func(m string) { t.Error("the DLL logged:", m) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Stack.Close: %v", err)
		}
	})
	return s
}

// address is one to listen on.
func (c combo) address(t testing.TB) string {
	switch {
	case c.network == "unix":
		return filepath.Join(t.TempDir(), "s")
	case strings.HasSuffix(c.network, "6"):
		return "[::1]:0"
	}
	return "127.0.0.1:0"
}

func (c combo) listen(t testing.TB, s *wsnet.Stack) net.Listener {
	t.Helper()
	return c.listenAt(t, s, c.address(t))
}

// listenAlone listens where nobody else does when it is closed.
func (c combo) listenAlone(t testing.TB, s *wsnet.Stack) net.Listener {
	t.Helper()
	address := c.address(t)
	if host, isPort := strings.CutSuffix(address, ":0"); isPort {
		address = fmt.Sprintf("%s:%d", host, freeport.Take(t))
	}
	return c.listenAt(t, s, address)
}

func (c combo) listenAt(t testing.TB, s *wsnet.Stack, address string) net.Listener {
	t.Helper()
	l, err := s.Listen(c.network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// pipe returns the two ends of a connection.
func (c combo) pipe(t testing.TB, s *wsnet.Stack) (client, server *wsnet.Conn) {
	t.Helper()
	client, server, err := connect(s, c.listen(t, s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		server.Close()
	})
	return client, server
}

func connect(s *wsnet.Stack, l net.Listener) (client, server *wsnet.Conn, err error) {
	type accepted struct {
		net.Conn
		error
	}
	done := make(chan accepted, 1)
	go func() {
		conn, err := l.Accept()
		done <- accepted{conn, err}
	}()
	conn, err := s.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		l.Close()
		<-done
		return nil, nil, fmt.Errorf("dial: %w", err)
	}
	a := <-done
	if a.error != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("accept: %w", a.error)
	}
	return conn.(*wsnet.Conn), a.Conn.(*wsnet.Conn), nil
}
