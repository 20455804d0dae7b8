package matrix

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// doors are the two ways into a SOCKS chain.
var doors = []column{
	{name: "seccomp", socks: true},
	{name: "isolate", socks: true, isolated: true},
}

// Each client of the matrix does its work through a SOCKS proxy, which alone can
// be reached and alone knows the servers' names. Every packet of the namespace is
// captured, and none goes to or comes from anybody but the proxy.
func TestNothingLeaks(t *testing.T) {
	if os.Getenv(worldMarker) == "" {
		upcall(t)
		gonet(t)
		if lookUp("javac") != "" {
			javaClasses(t)
		}
		inWorld(t)
		return
	}
	g := &guard{}
	w := openWorld(t, g.see)
	proxy := dante(t, proxySide[0].String(), "link0", "lo")
	g.proxy = netip.MustParseAddrPort(proxy)
	if t.Failed() {
		return
	}

	t.Run("control", func(t *testing.T) { testControl(t, w, g, proxy) })
	for _, r := range rows {
		if r.server {
			continue
		}
		t.Run(slug(r.name), func(t *testing.T) {
			o := r.begin(t)
			oracle := newCell(t, bare, o, proxy)
			oracle.host = serverName
			want := r.do(oracle) // on the proxy's side, where the name is known
			for _, door := range doors {
				t.Run(door.name, func(t *testing.T) {
					c := newCell(t, door, o, proxy)
					c.host, c.within = serverName, w.do
					w.settle()
					g.begin(!door.isolated)
					got := r.do(c)
					w.settle()
					carried, leaks := g.end()
					if got != want {
						t.Errorf("through the proxy:\n%s\nbare:\n%s", got, want)
					}
					if carried == 0 {
						t.Error("no packet has gone to the proxy")
					}
					if n := w.packets.drops(t); n > 0 {
						t.Errorf("the capture has lost %d packets", n)
					}
					if len(leaks) > 0 {
						t.Errorf("%d packets have gone elsewhere:\n%.4000s", len(leaks), strings.Join(leaks, "\n"))
					}
					t.Logf("%d packets between the program's side and the proxy, none elsewhere", carried)
				})
			}
		})
	}
}

// testControl shows that leaks are seen: of a program without upcall, and of one
// whose names are not the proxy's business.
func testControl(t *testing.T, w *world, g *guard, proxy string) {
	for _, c := range []struct {
		name, through string
	}{
		{"without upcall", ""},
		{"dns=local", "socks:dns=local,proxy=" + proxy},
	} {
		args := []string{need(t, "curl"), "-sS", "-m", "10", "http://" + serverName + "/"}
		if c.through != "" {
			args = append([]string{upcall(t), "run", "--through", c.through, "--"}, args...)
		}
		w.settle()
		g.begin(true)
		status, out := start(t, command{args: args, dir: openDir(t), begin: w.do}).finish(t)
		w.settle()
		_, leaks := g.end()
		query := slices.ContainsFunc(leaks, func(l string) bool { return strings.Contains(l, nameServer+":53") })
		if !query || status == 0 {
			t.Errorf("%s: status %d, %s; the query that has leaked is not among %q", c.name, status, out, leaks)
		}
	}
}

// guard judges the packets of the program's side.
type guard struct {
	proxy netip.AddrPort

	mu      sync.Mutex // guards what follows
	joins   bool       // upcall joins sockets over loopback
	carried int
	leaks   []string
}

func (g *guard) begin(joins bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.joins, g.carried, g.leaks = joins, 0, nil
}

func (g *guard) end() (carried int, leaks []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.carried, g.leaks
}

func (g *guard) see(p packet) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.ofProxy(p.kind, p.to) || g.ofProxy(p.kind, p.from):
		if p.loopback {
			g.leaks = append(g.leaks, p.String())
			return
		}
		g.carried++
	case p.loopback && g.joins && (p.kind == "TCP" || p.kind == "UDP") && join(p.from) && join(p.to):
	case !p.loopback && ofLink(p):
	default:
		g.leaks = append(g.leaks, p.String())
	}
}

// ofProxy tells whether an address is one where the proxy serves.
func (g *guard) ofProxy(kind string, at netip.AddrPort) bool {
	return kind == "TCP" && at == g.proxy || kind == "UDP" && at.Addr() == g.proxy.Addr() && relayPort(at.Port())
}

// join tells whether an address may be an end of what upcall joins to a
// program's socket: loopback or one that stands for a peer, and a port that the
// kernel has chosen.
func join(at netip.AddrPort) bool {
	ours := at.Addr() == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || at.Addr() == netip.IPv6Loopback() || netip.MustParsePrefix("127.64.0.0/10").Contains(at.Addr())
	return ours && at.Port() >= 32768
}

// ofLink tells whether a packet is how the kernel finds the other end of the
// link, or tells of its own.
func ofLink(p packet) bool {
	end := func(a netip.Addr) bool { return slices.Contains(proxySide, a) || slices.Contains(programSide, a) }
	switch p.kind {
	case "ARP":
		return end(p.from.Addr()) && end(p.to.Addr())
	case "neighbour":
		return end(p.to.Addr())
	case "multicast report":
		return p.to.Addr() == netip.MustParseAddr("ff02::16")
	}
	return false
}
